"""What was reported about attention, and the names of edits and fits."""

import math

from primelens.lens import numbers as reported
from primelens.lens.numbers import Reported
from primelens.studies.addition import effects, tables
from primelens.studies.addition.fits import Fit

EDITS = {
  "intact": "as trained",
  "frozen": "mean over inputs",
  "half": "(1/2, 1/2, 0)",
  "uniform": "(1/3, 1/3, 1/3)",
  "resampled": "that of another input",
}
DESIGNS = {
  "all": "all components of a and b, linear",
  "additive": "f(a) + g(b), one-hot",
  "linear": "PC1 and PC2 of a and b, linear",
  "poly2": "Poly2",
  "quartic": "quartic in the raw a and b",
}
FITS = {
  f"{edit}/{design}": Fit("A60", f"z, attention {words}", DESIGNS[design])
  for edit, words in EDITS.items()
  for design in DESIGNS
}
_HEADS = 4
_MEAN = ((0.460, 0.459, 0.081), (0.494, 0.497, 0.009), (0.489, 0.486, 0.026), (0.494, 0.496, 0.010))
_DEVIATION = (0.15, 0.28, 0.22, 0.26)
_TARGETS = {
  "a": ("a", "a and b equal to tenths of a percent"),
  "b": ("b", "a and b equal to tenths of a percent"),
  "equal": ("=", "two heads < 1 %, one about 2 %, one about 12 %"),
}
# Printed with one or two decimals.
_TENTH, _HUNDREDTH = 0.05, 0.01


def _entry(quantity, source, recomputed, tolerance=reported.SMOOTH):
  """Returns a number of A59."""
  return Reported("A59", quantity, source, recomputed, tolerance)


def _means() -> dict[str, Reported]:
  found = {}
  for head, means in enumerate(_MEAN):
    for mean, (name, (word, source)) in zip(means, _TARGETS.items(), strict=True):
      key = f"head{head}_{name}"
      words = f"mean attention to {word}, head {head}"
      found[key] = _entry(words, source, mean)
  for head, deviation in enumerate(_DEVIATION):
    key = f"head{head}_deviation"
    words = f"deviation of attention to a over inputs, head {head}"
    source = "varies with the input, unexplained"
    found[key] = _entry(words, source, deviation, _HUNDREDTH)
  return found


_WHERE = {"first": "digit 0", "last": "digit 9", "least": "smallest"}
_SCORES = {
  f"head{head}_score_{where}": _entry(
    f"score to a, {_WHERE[where]}, head {head}", "not given", recomputed, tolerance
  )
  for head, where, recomputed, tolerance in (
    (0, "least", -0.55, _HUNDREDTH),
    (0, "last", 0.96, _HUNDREDTH),
    (1, "first", 1.9, _TENTH),
    (1, "last", -1.0, _TENTH),
    (2, "first", 1.05, _HUNDREDTH),
    (2, "least", -1.1, _TENTH),
    (2, "last", 1.03, _HUNDREDTH),
    (3, "first", -1.1, _TENTH),
    (3, "last", 1.7, _TENTH),
  )
}
_SYMMETRY = {
  "score_gap": Reported(
    "A59",
    "largest |score to a - score to b| of a digit",
    "not given",
    0.01,
    remark="recomputed: the curves coincide to 0.01.",
  ),
  "asymmetry": Reported("A59", "max |alpha_a(a, b) - alpha_b(b, a)|", "not given", 0.004, 0.001),
}
_RECOMPUTED = {
  "intact_all/accuracy": (1.0, tables.KEEP),
  "frozen_all/accuracy": (0.60, tables.KEEP),
  "half_all/accuracy": (0.58, tables.KEEP),
}


def _edits() -> dict[str, Reported]:
  found = {
    "frozen_all_r2_min": Reported(
      "A60", "R2 of z on all components, frozen attention, worst neuron", "not given", 1.0, 5e-5
    )
  }
  for edit, words in EDITS.items():
    for name, measure in effects.MEASURES.items():
      key = f"{edit}_{name}"
      recomputed, tolerance = _RECOMPUTED.get(key, (None, math.inf))
      found[key] = Reported("A60", f"{measure}, attention {words}", "", recomputed, tolerance)
  return found


def _heads(form: str, words: str, item: str) -> dict[str, Reported]:
  return {
    f"head{head}_{form}": Reported(item, f"{words}, head {head}", "", None, math.inf)
    for head in range(_HEADS)
  }


REPORTED = {
  **_means(),
  **_SCORES,
  **_SYMMETRY,
  **_edits(),
  **_heads("fixed_accuracy", "accuracy, this head alone frozen", "A60"),
  **_heads("moving_accuracy", "accuracy, all others frozen", "A60"),
}
_WAVES = _heads("wave", "largest share of one frequency in the scores", "B3")
MODULAR = {
  key: entry._replace(
    item={"A59": "B2"}.get(entry.item, entry.item),
    source="not given",
    recomputed=None,
    tolerance=math.inf,
    remark="",
  )
  for key, entry in REPORTED.items()
  if key not in _SCORES
} | {key: e._replace(source="wavy, periodic") for key, e in _WAVES.items()}


def of(modular: bool) -> dict[str, Reported]:
  """Returns what is listed for plain or for modular addition."""
  return MODULAR if modular else REPORTED
