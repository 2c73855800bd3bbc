"""What was reported of the grid of sizes: arithmetic spec, section 5.5.

The grid's checkpoints are not at hand, so that nothing is compared digit by
digit: numbers are those of its files.
"""

import math

from primelens.lens.numbers import Reported
from primelens.studies.text import reported

ROWS = 1000  # of select
_NAMES = (
  "parameters",
  "best_scaled_mse",
  "skill",
  "r2_1",
  "r2_3",
  "r2_6",
  "r2_12",
  "delta_probe",
  "delta_random",
  "excess",
)
_GRID = {
  "L2_D128": (465_153, 1.9350e-4, -0.012, 0.0689, 0.0653, 0.0646, 0.0635, 14.39, 0.75, 13.64),
  "L2_D256": (1_716_737, 2.1032e-4, -0.100, 0.0869, 0.0887, 0.0879, 0.0886, 21.36, 0.99, 20.37),
  "L2_D512": (6_579_201, 2.2549e-4, -0.179, 0.1664, 0.1576, 0.1529, 0.1500, 41.35, 0.41, 40.95),
  "L4_D128": (861_697, 1.9458e-4, -0.018, 0.0948, 0.0919, 0.0881, 0.0883, 24.40, 3.35, 21.05),
  "L4_D256": (3_296_257, 1.9290e-4, -0.009, 0.1307, 0.1239, 0.1232, 0.1221, 23.76, 1.18, 22.58),
  "L4_D512": (12_883_969, 1.9358e-4, -0.012, 0.2028, 0.1934, 0.1884, 0.1898, 61.47, 0.83, 60.64),
  "L6_D128": (1_258_241, 1.9957e-4, -0.044, 0.0982, 0.0883, 0.0874, 0.0866, 21.94, 1.45, 20.49),
  "L6_D256": (4_875_777, 1.9280e-4, -0.008, 0.1250, 0.1240, 0.1205, 0.1204, 29.52, 1.45, 28.07),
  "L6_D512": (19_188_737, 1.9608e-4, -0.026, 0.1581, 0.1628, 0.1600, 0.1581, 38.04, 0.46, 37.58),
}
# Recomputed for the two cells whose checkpoints were kept.
_CONTROLS = {
  "L2_D128": {
    **{"null_r2_1": 0.0634, "null_r2_6": 0.0639, "null_r2_12": 0.0635},
    **{"delta_permuted": 18.8, "cv_r2_1": -0.11, "cv_r2_6": -0.25},
    "cv_r2_12": -0.17,
  },
  "L4_D128": {
    **{"null_r2_1": 0.0859, "null_r2_6": 0.0856, "null_r2_12": 0.0854},
    **{"delta_permuted": 22.6, "cv_r2_1": -0.11, "cv_r2_6": -0.26},
    "cv_r2_12": -0.21,
  },
}
_WORDS = {
  "parameters": "parameters",
  "best_scaled_mse": "lowest select error / 2000^2",
  "skill": "1 - error / that of the train mean",
  "delta_probe": "harm of removing the probe's 12 directions, refitted",
  "delta_random": "harm of removing 12 random directions, refitted",
  "excess": "difference of both",
  "delta_permuted": "harm of the probe's directions, permuted labels",
}


def _words(name: str) -> str:
  if name in _WORDS:
    return _WORDS[name]
  count = name.rpartition("_")[2]
  kind = {"null": "permuted labels", "cv": "5 folds"}.get(name.split("_")[0])
  fitted = f"in-sample, {kind}" if kind == "permuted labels" else kind
  return f"R2 of {count} Fourier pairs, {fitted or 'in-sample'}"


def _reported() -> dict[str, Reported]:
  found = {}
  for cell, values in _GRID.items():
    for name, value in zip(_NAMES, values, strict=True):
      words = f"{cell.replace('_', ' ')}: {_words(name)}"
      if name == "parameters":
        row = Reported("5.5", words, "not reported", float(value), 0.5)
      else:
        source = "not reported" if name == "skill" else f"{value:.5g}"
        row = Reported("5.5", words, source, None, math.inf)
      found[f"{cell}_{name}"] = row
  for cell, controls in _CONTROLS.items():
    for name, value in controls.items():
      words = f"{cell.replace('_', ' ')}: {_words(name)}"
      found[f"{cell}_{name}"] = Reported("5.5", words, "not reported", value, reported.FOLDS)
  return found


REPORTED = _reported()


def grid() -> tuple[dict, ...]:
  """Returns the published grid, a record per cell, by its parameters."""
  cells = (
    {"cell": cell} | dict(zip(_NAMES, values, strict=True)) for cell, values in _GRID.items()
  )
  return tuple(sorted(cells, key=lambda row: row["parameters"]))
