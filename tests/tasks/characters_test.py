"""Characters: tokens, roles and classes of lines written by hand."""

import numpy as np
from absl.testing import absltest, parameterized
from primelens.tasks import characters

# From docs/sources/text.md, section 1.3.
ENCODED = (
  ("103 + 40 = ?", "2 1 4 11 12 11 5 1 11 14 11 15"),
  ("50 + 7 = ?", "6 1 11 12 11 8 11 14 11 15"),
)
CHARACTERS = {
  **{str(digit): digit + 1 for digit in range(10)},
  **{" ": 11, "+": 12, "-": 13, "=": 14, "?": 15},
  **{"(": 16, ")": 17, "m": 18, "o": 19, "d": 20},
}
# What stands where: one letter per character, x and y digits, + itself, "m"
# the modulus span, "." the rest.
LINES = (
  ("103 + 40 = ?", "xxx.+.yy...."),
  ("5 + 7 = ?", "x.+.y...."),
  ("999 + 0 (mod 97) = ?", "xxx.+.y.mmmmmmmm...."),
  ("12 + 13 = 25", "xx.+.yy....."),
  ("007+040=?", "xxx+yyy.."),
)
# Roles that a line has, by position.
ROLES = (
  (
    "103 + 40 = ?",
    "x-hundreds:0 x-tens:1 x-units:2 space_1:3 +:4 space_2:5 y-tens:6"
    " y-units:7 space_3:8 =:9 space_4:10 ?:11",
  ),
  (
    "5 + 7 = ?",
    "x-units:0 space_1:1 +:2 space_2:3 y-units:4 space_3:5 =:6 space_4:7 ?:8",
  ),  # fmt: skip
  (
    "12 + 345 (mod 97) = ?",
    "x-tens:0 x-units:1 space_1:2 +:3 space_2:4 y-hundreds:5 y-tens:6"
    " y-units:7 modulus:16 space_3:17 =:18 space_4:19 ?:20",
  ),
  ("007+040=?", "x-hundreds:0 x-tens:1 x-units:2 +:3 y-hundreds:4 y-tens:5 y-units:6 =:7 ?:8"),
  (
    "12 + 13 = 25",  # the last character of a shown sum
    "x-tens:0 x-units:1 space_1:2 +:3 space_2:4 y-tens:5 y-units:6 space_3:7 =:8 space_4:9 ?:11",
  ),
)


class EncodingTest(parameterized.TestCase):
  @parameterized.parameters(*ENCODED)
  def test_published_lines(self, line, tokens):
    found_NxT = characters.encode([line])
    self.assertEqual(found_NxT[0].tolist(), list(map(int, tokens.split())))
    self.assertEqual(found_NxT.dtype, np.int32)

  def test_vocabulary(self):
    self.assertEqual(characters.VOCABULARY, 21)
    for character, token in CHARACTERS.items():
      self.assertEqual(characters.encode([character])[0].tolist(), [token])

  def test_filler_stands_behind_and_is_left_out_again(self):
    lines = ["103 + 40 = ?", "5 + 7 = ?"]
    token_NxT = characters.encode(lines)
    self.assertEqual(token_NxT.shape, (2, 12))
    self.assertEqual(token_NxT[1, 9:].tolist(), [0, 0, 0])
    self.assertEqual(characters.lengths(token_NxT).tolist(), [12, 9])
    self.assertEqual(characters.decode(token_NxT), lines)
    self.assertEqual(characters.encode(lines, 20).shape, (2, 20))

  def test_what_cannot_be_encoded_is_named(self):
    with self.assertRaisesRegex(ValueError, r"'\*' in '3 \* 4'"):
      characters.encode(["3 * 4"])
    with self.assertRaisesRegex(ValueError, "12 characters, more than 11"):
      characters.encode(["103 + 40 = ?"], 11)

  def test_prompts_of_every_format(self):
    pair = ([7], [40])
    for options, line in (
      ({}, "7 + 40 = ?"),
      ({"modulus": 97}, "7 + 40 (mod 97) = ?"),
      ({"shown_N": [49]}, "7 + 40 = 49"),
      ({"width": 3}, "007+040=?"),
    ):
      self.assertEqual(characters.prompts(*pair, **options), [line])

  def test_longest_prompt(self):
    # From docs/sources/text.md, section 1.2.
    self.assertEqual(characters.longest(1000), 13)
    self.assertEqual(characters.longest(1000, modulus=97), 22)
    self.assertEqual(characters.longest(1000, aligned=True), 9)
    self.assertEqual(characters.longest(100, aligned=True), 7)


class PlacesTest(parameterized.TestCase):
  @parameterized.parameters(*LINES)
  def test_classes(self, line, expected):
    names = {"x": "x", "y": "y", "+": "+", "m": "modulus", ".": "others"}
    found_T = characters.classes(characters.encode([line], 30))[0]
    wanted = [characters.CLASSES.index(names[letter]) for letter in expected]
    self.assertEqual(found_T[: len(line)].tolist(), wanted)
    self.assertEqual(set(found_T[len(line) :].tolist()), {-1})

  @parameterized.parameters(*ROLES)
  def test_roles(self, line, expected):
    wanted = dict.fromkeys(characters.ROLES, -1)
    for entry in expected.split():
      name, _, position = entry.rpartition(":")
      wanted[name.replace("space_", "space ")] = int(position)
    found_R = characters.roles(characters.encode([line, "1 + 1 = ?"], 30))[0]
    found = dict(zip(characters.ROLES, found_R.tolist(), strict=True))
    self.assertEqual(found, wanted)


if __name__ == "__main__":
  absltest.main()
