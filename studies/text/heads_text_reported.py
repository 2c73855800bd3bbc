"""What was reported of the heads: arithmetic spec, section 5.6.

Numbers of heads are not portable: another start has them in another order.
"""

import functools

from primelens.lens.numbers import Reported

LAYERS, HEADS = 2, 4
ROWS = 1000  # of select
# Per layer and head: attention on the classes from "?", their scores.
_NAMES = {
  "sum": ("x", "y", "+", "others", "copy", "balance", "class_entropy"),
  "modk": ("x", "y", "+", "modulus", "others", "copy", "balance", "class_entropy"),
}
_VALUES = {
  "sum": (
    (0.432, 0.485, 0.006, 0.077, 0.918, 0.053, 0.939),
    (0.219, 0.036, 0.721, 0.025, 0.254, 0.183, 0.779),
    (0.150, 0.051, 0.020, 0.779, 0.201, 0.099, 0.708),
    (0.297, 0.200, 0.146, 0.357, 0.497, 0.097, 1.331),
    (0.383, 0.512, 0.028, 0.076, 0.895, 0.129, 1.008),
    (0.330, 0.385, 0.131, 0.153, 0.715, 0.055, 1.288),
    (0.367, 0.317, 0.048, 0.268, 0.684, 0.051, 1.230),
    (0.351, 0.482, 0.021, 0.147, 0.832, 0.131, 1.082),
  ),
  "modk": (
    (0.087, 0.116, 0.056, 0.514, 0.227, 0.203, 0.028, 1.302),
    (0.156, 0.168, 0.064, 0.456, 0.156, 0.324, 0.012, 1.413),
    (0.078, 0.199, 0.003, 0.279, 0.442, 0.277, 0.121, 1.254),
    (0.174, 0.025, 0.000, 0.306, 0.494, 0.200, 0.149, 1.111),
    (0.111, 0.201, 0.032, 0.404, 0.251, 0.312, 0.090, 1.391),
    (0.145, 0.137, 0.091, 0.410, 0.217, 0.283, 0.008, 1.468),
    (0.102, 0.144, 0.028, 0.377, 0.349, 0.246, 0.042, 1.348),
    (0.239, 0.151, 0.040, 0.425, 0.146, 0.389, 0.088, 1.401),
  ),
}
_UNIFORM = {
  "sum": (
    ("x", 0.225),
    ("y", 0.226),
    ("+", 0.078),
    ("others", 0.47),
    ("copy", 0.451),
    ("class_entropy", 1.226),
  ),
  "modk": (
    ("x", 0.132),
    ("y", 0.133),
    ("+", 0.046),
    ("modulus", 0.368),
    ("others", 0.322),
    ("copy", 0.265),
    ("class_entropy", 1.410),
  ),
}
_ENTROPY = {
  "sum": (0.77, 0.87, 0.85, 1.72, 1.27, 1.64, 2.13, 1.47),
  "modk": (2.52, 2.04, 2.08, 1.49, 2.94, 2.90, 2.92, 2.63),
}
_MOST = {"sum": 2.55, "modk": 3.08}
# Least and largest of the last layer: no head's number is in them.
_RANGE = {"sum": (0.684, 0.895), "modk": (0.246, 0.389)}
_NEVER = "not reported"
TWICE = "two decimals, rounded from three"


def _head(number: int) -> tuple[str, str]:
  layer, head = divmod(number, HEADS)
  return f"l{layer}h{head}", f"layer {layer}, head {head}"


def _rows(question: str) -> dict[str, Reported]:
  """Returns the rows of one question, tolerances half of the last digit."""
  row = functools.partial(_row, question)
  found = {}
  for number, values in enumerate(_VALUES[question]):
    key, words = _head(number)
    for name, value in zip(_NAMES[question], values, strict=True):
      source = f"{value:.3f}"
      found[f"{key}_{name}"] = row(f"{words}: {name}", source, value, 5e-4)
    entropy, words = _ENTROPY[question][number], f"{words}: entropy, nats"
    found[f"{key}_entropy"] = row(words, _NEVER, entropy, 0.0055, TWICE)
  for name, value in _UNIFORM[question]:
    half = 0.005 if value == 0.47 else 5e-4
    words = f"uniform attention: {name}"
    found[f"uniform_{name}"] = row(words, _NEVER, value, half)
  words, most = "uniform attention: entropy, nats", _MOST[question]
  found["uniform_entropy"] = row(words, _NEVER, most, 0.0055, TWICE)
  for name, value in zip(("least", "most"), _RANGE[question], strict=True):
    words = f"last layer: {name} copy of the heads"
    found[f"{name}_copy"] = row(words, f"{value:.3f}", value, 5e-4)
  return {f"{question}_{key}": entry for key, entry in found.items()}


def _row(question, words, source, value, tolerance, remark="") -> Reported:
  words = f"{question}, {words}"
  return Reported("5.6", words, source, value, tolerance, remark)


REPORTED = _rows("sum") | _rows("modk")
