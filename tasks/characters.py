"""Characters of "103 + 40 = ?": vocabulary, prompts, tokens, positions.

Formats: `published` is the source's, with spaces and digits as they come, so
that a position has another role in another row; `aligned` pads operands with
zeros and has no spaces: "103+040=?". Source: docs/sources/text.md, section 1.
"""

import numpy as np

CHARACTERS = "0123456789 +-=?()mod"
PAD = 0  # token of a filler; character i has token i + 1
VOCABULARY = len(CHARACTERS) + 1
ROLES = (
  "x-hundreds",
  "x-tens",
  "x-units",
  "space 1",
  "+",
  "space 2",
  "y-hundreds",
  "y-tens",
  "y-units",
  "modulus",
  "space 3",
  "=",
  "space 4",
  "?",
)
CLASSES = ("x", "y", "+", "modulus", "others")  # what a character belongs to
_TOKEN = {character: i + 1 for i, character in enumerate(CHARACTERS)}
_TENS = ("hundreds", "tens", "units")


def prompts(x_N, y_N, *, modulus: int = 0, shown_N=None, width: int = 0):
  """Returns the prompts "X + Y = ?", a list of strings.

  `modulus` adds " (mod k)"; `shown_N` are numbers in the place of "?". With a
  `width` operands have so many digits, zeros in front, and nothing else but
  "+" and "=?" stands there.
  """
  if width:
    lines = [f"{x:0{width}d}+{y:0{width}d}=?" for x, y in zip(x_N, y_N, strict=True)]
    return lines
  middle = f" (mod {modulus})" if modulus else ""
  shown = ["?"] * len(x_N) if shown_N is None else shown_N
  return [f"{x} + {y}{middle} = {z}" for x, y, z in zip(x_N, y_N, shown, strict=True)]


def longest(operands: int, *, modulus: int = 0, aligned: bool = False) -> int:
  """Returns how many characters the longest prompt has."""
  most = [operands - 1]
  if aligned:
    return len(prompts(most, most, width=len(str(most[0])))[0])
  return len(prompts(most, most, modulus=modulus)[0])


def encode(lines, length: int = 0) -> np.ndarray:
  """Returns the tokens NxT, int32, PAD behind each line up to the longest.

  Raises `ValueError` naming a character that is none of the vocabulary, or a
  line that is longer than `length`.
  """
  longest = max(map(len, lines), default=0)
  if length and longest > length:
    raise ValueError(f"A line has {longest} characters, more than {length}.")
  token_NxT = np.full((len(lines), length or longest), PAD, np.int32)
  for row, line in enumerate(lines):
    unknown = sorted(set(line) - set(CHARACTERS))
    if unknown:
      raise ValueError(f"{unknown[0]!r} in {line!r} is not one of {CHARACTERS!r}.")
    token_NxT[row, : len(line)] = [_TOKEN[character] for character in line]
  return token_NxT


def decode(token_NxT) -> list[str]:
  """Returns the lines of tokens, without filler."""
  return [
    "".join(CHARACTERS[token - 1] for token in token_T if token != PAD)
    for token_T in np.asarray(token_NxT)
  ]


def lengths(token_NxT) -> np.ndarray:
  """Returns how many characters each row has, N."""
  return (np.asarray(token_NxT) != PAD).sum(1)


def classes(token_NxT) -> np.ndarray:
  """Returns the index in CLASSES of every character, NxT; -1 is filler.

  The modulus is the span "(mod k)" with its parentheses and inner space.
  """
  token_NxT = np.asarray(token_NxT)
  digit = (token_NxT >= 1) & (token_NxT <= 10)
  after_plus = np.cumsum(token_NxT == _TOKEN["+"], 1) > 0
  after_equal = np.cumsum(token_NxT == _TOKEN["="], 1) > 0
  opened = np.cumsum(token_NxT == _TOKEN["("], 1)
  closed = np.cumsum(token_NxT == _TOKEN[")"], 1)
  inside = (opened > closed) | (token_NxT == _TOKEN[")"])
  found = np.full(token_NxT.shape, CLASSES.index("others"))
  found[digit & ~after_plus] = CLASSES.index("x")
  found[digit & after_plus & ~after_equal] = CLASSES.index("y")
  found[token_NxT == _TOKEN["+"]] = CLASSES.index("+")
  found[inside] = CLASSES.index("modulus")
  found[token_NxT == PAD] = -1
  return found


def roles(token_NxT) -> np.ndarray:
  """Returns the position of every one of ROLES in every row, NxR.

  -1 where a row has none: hundreds of a small number, the modulus of a plain
  sum. The modulus is the position of its ")".
  """
  token_NxT = np.asarray(token_NxT)
  class_NxT = classes(token_NxT)
  found = {}
  for name in ("x", "y"):
    is_NxT = class_NxT == CLASSES.index(name)
    count_N = is_NxT.sum(1)
    last_N = is_NxT.shape[1] - 1 - is_NxT[:, ::-1].argmax(1)
    for back, tens in enumerate(reversed(_TENS)):
      found[f"{name}-{tens}"] = np.where(count_N > back, last_N - back, -1)
  first = lambda is_NxT: np.where(is_NxT.any(1), is_NxT.argmax(1), -1)
  for name, character in (("+", "+"), ("=", "="), ("modulus", ")")):
    found[name] = first(token_NxT == _TOKEN[character])
  found["?"] = lengths(token_NxT) - 1  # the last character, shown or asked
  space = lambda at_N: np.where(
    (at_N >= 0)
    & (_at(token_NxT, at_N) == _TOKEN[" "])
    & (_at(class_NxT, at_N) == CLASSES.index("others")),
    at_N,
    -1,
  )
  found["space 1"] = space(found["+"] - 1)
  found["space 2"] = space(found["+"] + 1)
  found["space 3"] = space(found["="] - 1)
  found["space 4"] = space(found["="] + 1)
  return np.stack([found[name] for name in ROLES], axis=1)


def _at(value_NxT, at_N) -> np.ndarray:
  """Returns a value per row; positions outside are read at an end."""
  inside_N = np.clip(at_N, 0, value_NxT.shape[1] - 1)
  return np.take_along_axis(value_NxT, inside_N[:, None], 1)[:, 0]
