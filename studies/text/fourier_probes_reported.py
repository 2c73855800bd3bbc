"""What was reported of Fourier probes: arithmetic spec, section 5.3.

The published network modulo 97 is not at hand: its numbers stand beside those
of networks trained here as it was.
"""

import math

from primelens.lens.numbers import Reported, tolerance
from primelens.studies.text.reported import FOLDS

_NEVER = "not reported"
_ROWS, _VARIANCE = 2000, 764.27  # select rows, and of their residues modulo 97
_TABLE = {
  "r2": (
    0.0438,
    0.0459,
    0.0442,
    0.0426,
    0.0406,
    0.0414,
    0.0403,
    0.0405,
    0.0405,
    0.0405,
    0.0409,
    0.0409,
  ),
  "delta_probe": (
    0.775,
    1.460,
    1.599,
    1.786,
    1.847,
    1.864,
    1.935,
    1.970,
    2.042,
    2.091,
    2.093,
    2.153,
  ),
  "delta_random": (
    0.022,
    0.131,
    0.361,
    0.323,
    0.416,
    0.340,
    0.573,
    0.802,
    0.868,
    0.860,
    0.824,
    1.406,
  ),
  "excess": (0.753, 1.329, 1.238, 1.463, 1.431, 1.524, 1.362, 1.168, 1.173, 1.231, 1.269, 0.746),
}
_SMALL = {
  2: (0.0423, 0.2817, 0.2019),
  3: (0.0419, 0.0419, 0.2013),
  4: (0.0495, 0.0464, 0.0474),
  5: (0.0539, 0.0477, 0.0457),
  7: (0.0414, 0.0429, 0.0433),
  8: (0.0398, 0.0447, 0.0444),
}
_CONTROLS = {
  "null_r2": {1: 0.0402, 2: 0.0406, 3: 0.0406, 6: 0.0405, 12: 0.0403},
  "null_r2_deviation": {1: 0.0037, 12: 0.0009},
  "cv_r2": {1: -0.033, 2: -0.033, 3: -0.035, 6: -0.036, 12: -0.037},
  "delta_permuted": {1: 1.47, 6: 2.44, 12: 2.82},
}
_WORDS = {
  "r2": "R2 in sample",
  "delta_probe": "harm of removing the probe's directions, refitted",
  "delta_random": "harm of removing as many random directions",
  "excess": "difference of both",
  "null_r2": "R2 in sample, permuted labels",
  "null_r2_deviation": "R2 in sample, permuted labels, standard deviation",
  "cv_r2": "R2 over 5 folds",
  "delta_permuted": "harm of removing the probe's directions, permuted labels",
}
_SHUFFLES = "A mean of 20 permutations: it is known to about a tenth."


def _reported() -> dict[str, Reported]:
  found = {}
  for name, values in _TABLE.items():
    digits, total = (4, 1.0) if name == "r2" else (3, _VARIANCE)
    for pairs, value in enumerate(values, start=1):
      words = f"modk, {pairs} Fourier pairs: {_WORDS[name]}"
      printed = f"{value:.{digits}f}"
      near = tolerance(printed, rows=_ROWS, total=total)
      found[f"{name}_{pairs}"] = Reported("5.3", words, printed, value, near)
  for name, by_pairs in _CONTROLS.items():
    wide = name == "delta_permuted"
    for pairs, value in by_pairs.items():
      found[f"{name}_{pairs}"] = Reported(
        "5.3",
        f"modk, {pairs} Fourier pairs: {_WORDS[name]}",
        _NEVER,
        value,
        *((0.3, _SHUFFLES) if wide else (FOLDS, "")),
      )
  for modulus, small in _SMALL.items():
    for pairs, value in enumerate(small, start=1):
      words = f"modk, R2 in sample of residue mod {modulus}, {pairs} pairs"
      printed = f"{value:.4f}"
      near = tolerance(printed, rows=_ROWS)
      found[f"small_{modulus}_{pairs}"] = Reported("5.3", words, printed, value, near)
  one = lambda words, value, *rest: Reported("5.3", f"modk, {words}", _NEVER, value, *rest)
  return found | {
    "base_error": one(
      "squared error of a ridge of the residue",
      749.97,
      tolerance("749.97", rows=_ROWS, total=_VARIANCE),
    ),
    "base_r2": one(
      "R2 of a ridge of the residue, in sample", 0.0187, tolerance("0.0187", rows=_ROWS)
    ),
    "cv_r2_best": one("the largest of 48 frequencies' R2 over folds", -0.021, FOLDS),
    "degrees": one("degrees of freedom of the probe, of 128", 69.9, 0.05),
    "degrees_per_row": one("degrees of freedom per row: R2 to expect of nothing", 0.035, 5e-4),
    "held_out_r2_best": one("the largest of 48 frequencies' R2, fresh pairs", None, math.inf),
  }


REPORTED = _reported()
