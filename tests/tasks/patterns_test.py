from unittest import mock

from absl.testing import absltest, parameterized
from primelens.tasks import patterns

NAMES = ("blocks/mlp/up/kernel", "blocks/mlp/up/bias", "head/kernel")


class MatchedTest(parameterized.TestCase):
  def test_in_full_or_anywhere(self):
    self.assertEqual(patterns.matched("blocks/.*", NAMES), [True, True, False])
    self.assertEqual(patterns.matched("kernel", NAMES), [False, False, False])
    self.assertEqual(patterns.matched("kernel", NAMES, anywhere=True), [True, False, True])
    self.assertEqual(patterns.matched("", NAMES, anywhere=True), [True, True, True])
    self.assertEqual(patterns.matched(r"(mlp|head)/\w+/(up/)?k", ["head/x/k"]), [True])

  @parameterized.parameters(
    ("[", r"'\[' is not a regular expression: unterminated"),
    ("*", "is not a regular expression: nothing to repeat"),
    ("(?R)", "is not a regular expression: unknown extension"),
    ("a{99999999999999999999}", "is not a regular expression: the repetition number"),
    ("a{1000000000}", "repeats over 10,000 times"),
    ("((a{100}){100}){100}", "repeats over 10,000 times"),
    ("a" * 501, "is longer than the 500 characters"),
  )
  def test_what_is_none_or_too_large_is_refused(self, pattern, said):
    with self.assertRaisesRegex(ValueError, said):
      patterns.matched(pattern, NAMES)
    self.assertTrue(patterns.Pattern().complaint(pattern))

  def test_a_search_without_end_is_ended(self):
    # Of two ways to read every pair of letters, all 2^100 would be tried.
    with mock.patch.object(patterns, "SECONDS", 0.01):
      with self.assertRaisesRegex(ValueError, r"takes over 0.01 s to match: write it without"):
        patterns.matched("(a|aa)+$", ["a" * 200 + "!"])


if __name__ == "__main__":
  absltest.main()
