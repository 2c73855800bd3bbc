"""What was reported of nonlinear probes: arithmetic spec, section 5.4."""

from primelens.lens.numbers import Reported
from primelens.studies.text.nonlinear_probes_digits import MEASURED
from primelens.studies.text.reported import FOLDS

DRAWS = 0.03  # other starts and orders of the rows, as tried there
_NEVER = "not reported"
# Probe of the residue: R2, of its classes: accuracy, with permuted labels;
# then R2 and accuracy of an independent program.
_MODK = {
  "128x1": (".1101", ".0125", ".0150", 0.082, 0.0125),
  "128x2": (".3793", ".0150", ".0125", 0.382, 0.015),
  "256x2": (".4107", ".0075", ".0100", 0.397, 0.0075),
  "256x4": (".4666", ".0200", ".0100", 0.456, 0.015),
  "512x4": (".4383", ".0100", ".0150", 0.456, 0.0125),
}
# The same 256x2 probe of the residue, of other readings.
_CONTROLS = {
  "shuffled": ("permuted labels", -0.003),
  "untrained": ("an untrained network", 0.007),
  "digits": ("one-hot digits", 0.058),
  "(x, y)": ("the operands", 0.003),
  "x + y": ("the sum", 0.000),
}
# R2 over folds of MEASURED.
_DIGITS = {
  "sum": (0.998, 0.997, 0.867, 0.734, 0.902, 0.379, 0.185),
  "modk": (0.811, 0.791, 0.868, 0.791, 0.931, 0.507, -0.03),
}
_OWN_FOLDS = (
  "Folds as shuffled with seed 0 give the regressed numbers to the last digit;"
  " those of the inner regression are not known."
)


def key(probe: str, target: str, reads: str) -> str:
  """Returns the key of a published probe, as in "128x1_residue_states"."""
  return f"{probe}_{target}_{reads}"


def digit_key(question: str, measured: str) -> str:
  """Returns the key of a digit sum over folds of the select rows."""
  return f"{question}_folds_{measured}"


def _probe(words, source, value: float | None, tolerance=DRAWS, remark="") -> Reported:
  return Reported("5.4", words, source, value, tolerance, remark)


def _modk():
  asked = "modk, residue, select rows"
  yield (key("ridge", "residue", "states"), _probe(f"{asked}: ridge, R2", "-.0025", -0.0025, 5e-5))
  for size, (r2, right, permuted, own_r2, own_right) in _MODK.items():
    for target, reads, words, source, value in (
      ("residue", "states", "R2", r2, own_r2),
      ("residue, 97 classes", "states", "accuracy", right, own_right),
      ("residue, 97 classes", "shuffled", "accuracy", permuted, None),
    ):
      what = f"{asked}: {size}, {words}"
      what += ", permuted labels" if reads == "shuffled" else ""
      yield key(size, target, reads), _probe(what, source, value)
  for reads, (words, value) in _CONTROLS.items():
    what = f"{asked}: 256x2 of {words}, R2"
    yield key("256x2", "residue", reads), _probe(what, _NEVER, value)


def _digits():
  for question, values in _DIGITS.items():
    for name, value in zip(MEASURED, values, strict=True):
      nested = name.startswith("residue")
      what = f"{question}, select rows over folds: {name}, R2"
      yield (
        digit_key(question, name),
        _probe(what, _NEVER, value, FOLDS, _OWN_FOLDS if nested else ""),
      )


REPORTED = {
  key("ridge", "x + y", "states"): _probe("sum, select rows: ridge, R2", ".99837", 0.99837, 5e-6),
  key("128x1", "x + y", "states"): _probe("sum, select rows: 128x1, R2", ".99891", 0.99891),
  key("128x1", "x + y", "shuffled"): _probe(
    "sum, select rows: 128x1 of permuted labels, R2",
    ".1172",
    None,
    remark="One permutation of the rows fitted; the epoch is chosen by the true"
    " labels of the rows scored. Nobody recomputed it, and permutations differ"
    " by more than 0.1.",
  ),
  **dict(_modk()),
  **dict(_digits()),
}
