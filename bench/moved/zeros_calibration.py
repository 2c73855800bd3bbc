"""Where the fields of calibration went."""

import math

from primelens.lens import tables

MEASURES = (
  "targets",
  "nll",
  "crps",
  "crps_as_published",
  "pit_mean",
  "pit_std",
  "ks",
  "ks_ideal",
  "bias",
  "interval_width",
  "mse",
  "variance_of_means",
  "mean_variance",
  "data_variance",
)


def _ends(found, name, i):
  return found[f"{name}_interval"].values[..., i]


def _table(new):
  found = new["calibration"]
  each = tables.records(found, {k: k for k in MEASURES}, "predictor")
  rows = []
  for name, row in zip(found.predictor.values.tolist(), each, strict=True):
    flat = tables.flat(row)
    rows.append({"name": name} | {k.replace("nll", "nll_nats"): v for k, v in flat.items()})
  return rows


def _conformal(new):
  found = new["calibration"]
  rows = [tables.flat(row) | {"alpha": found.alpha} for row in tables.rows(found, "conformal")]
  for row in rows:
    context = row.pop("context")
    if not math.isnan(context):
      row["context"] = int(context)
  return rows


MAP = {
  "calibration/table": _table,
  "calibration/conformal": _conformal,
  "calibration/level_V": lambda new: new["calibration"].level.values,
  "calibration/coverage_ExV": lambda new: new["calibration"].coverage.values,
  "calibration/coverage_low_ExV": lambda new: _ends(new["calibration"], "coverage", 0),
  "calibration/coverage_high_ExV": lambda new: _ends(new["calibration"], "coverage", 1),
  "calibration/density_ExP": lambda new: new["calibration"].density.values,
  "calibration/log_scale_S": lambda new: new["calibration"].log_scale.values,
  "calibration/shift_S": lambda new: new["calibration"].mean_shift.values,
  "calibration/samples": lambda new: new["calibration"].samples,
  "calibration/short_window": lambda new: new["calibration"].short_window,
}
