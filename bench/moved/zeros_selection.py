"""The golden batch was part of calibration; runs without slot ids have no `selection` now."""

import numpy as np


def _seeds(new):
  return new["calibration"].sizes["seed"]


def _of(value, nothing):
  return lambda new: value(new["selection"]) if "selection" in new else nothing(new)


_nan = lambda new: np.full(_seeds(new), np.nan)
MAP = {
  "calibration/golden_nll_SxR": _of(
    lambda found: np.concatenate([found.fixed_nll.values[:, None], found.permuted_nll.values], 1),
    lambda new: np.zeros((_seeds(new), 0)),
  ),
  "calibration/golden_change_S": _of(lambda found: found.change.values, _nan),
  "calibration/golden_low_S": _of(lambda found: found.change_interval.values[:, 0], _nan),
  "calibration/golden_high_S": _of(lambda found: found.change_interval.values[:, 1], _nan),
  "calibration/golden_windows": _of(lambda found: found.windows, lambda new: 0),
}
