"""Prompts with other operands."""

import dataclasses

import numpy as np
import tiny_text
from absl.testing import absltest, parameterized
from primelens.tasks import characters, rewritten

ALIGNED = {"layout": "aligned", "operands": 100}


class RewrittenTest(parameterized.TestCase):
  @parameterized.parameters("sum", "modk", "valid")
  def test_only_operands_change(self, question):
    prompts = tiny_text.run(tiny_text.experiment(question)).prompts
    row_N = np.array([3, 390])
    x_N, y_N = np.array([-3, 1002]), np.array([7, 0])
    found = characters.decode(rewritten.tokens(prompts, row_N, x_N, y_N))
    old = characters.decode(prompts.token_NxT[row_N])
    for i, row in enumerate(row_N):
      written = f"{prompts.x_N[row]} + {prompts.y_N[row]}"
      rest = old[i].removeprefix(written)
      self.assertEqual(found[i], f"{x_N[i]} + {y_N[i]}{rest}")
    # As they were they are what they were.
    same = rewritten.tokens(
      prompts, row_N, prompts.x_N[row_N], prompts.y_N[row_N], prompts.token_NxT.shape[1]
    )
    np.testing.assert_array_equal(same, prompts.token_NxT[row_N])
    np.testing.assert_array_equal(
      rewritten.answers(prompts, row_N, prompts.x_N[row_N], prompts.y_N[row_N]),
      prompts.answer_N[row_N],
    )

  def test_aligned(self):
    config = tiny_text.experiment("sum", task=ALIGNED)
    prompts = tiny_text.run(config).prompts
    found = rewritten.tokens(prompts, np.array([0]), [5], [0])
    self.assertEqual(characters.decode(found), ["05+00=?"])

  def test_digits_and_range(self):
    np.testing.assert_array_equal(
      rewritten.digits([-1, 0, 9, 10, 99, 100, 999, 1000]), [0, 1, 1, 2, 2, 3, 3, 4]
    )
    config = tiny_text.experiment().task
    old_N, new_N = np.array([9, 10, 998, 0]), np.array([10, 12, 1003, -5])
    np.testing.assert_array_equal(
      rewritten.alike(config, old_N, new_N), [False, True, False, False]
    )
    # With zeros in front all operands have the same digits.
    aligned = dataclasses.replace(config, layout="aligned")
    np.testing.assert_array_equal(
      rewritten.alike(aligned, old_N, new_N), [True, True, False, False]
    )


if __name__ == "__main__":
  absltest.main()
