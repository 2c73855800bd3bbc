"""Analysis `calibration`: are the predicted densities those of the spacings?

PIT, central intervals, CRPS and conformal intervals of the network, of its
recalibration by two numbers, of the untrained network and of linear anchors,
on the same spacings; with the published short window under its own name.
"""

import dataclasses
from typing import Any

import numpy as np
from primelens.analyses import calibration
from primelens.studies.zeros import conformal, forecasts, golden, scoring

LEVELS = tuple(round(0.05 * i, 2) for i in range(1, 20))
BINS = 20


@dataclasses.dataclass(frozen=True)
class Result:
  """Calibration on test, one row of `table` per predictor E.

  A row has NLL (nats), CRPS in spacings (closed form, and by published draws),
  mean and standard deviation of the PIT (ideal 0.5 and 0.2887) with the
  distance of its distribution from uniform, `ks`, beside the distance that
  ideal PITs exceed once in 20 times, `ks_ideal`; bias and variances of
  `calibration.sharpness`; intervals are over seeds and blocks.
  `coverage_ExV` is the coverage of central intervals of nominal `level_V`,
  `density_ExP` the PIT's histogram in P bins (1: uniform). `conformal` has
  the records of the module of that name, `golden_...` the fields of `golden`;
  `log_scale_S` and `shift_S` are the recalibration.
  """

  table: tuple[dict, ...]
  conformal: tuple[dict, ...]
  level_V: np.ndarray
  coverage_ExV: np.ndarray
  coverage_low_ExV: np.ndarray
  coverage_high_ExV: np.ndarray
  density_ExP: np.ndarray
  log_scale_S: np.ndarray
  shift_S: np.ndarray
  samples: int
  short_window: int
  golden_nll_SxR: np.ndarray
  golden_change_S: np.ndarray
  golden_low_S: np.ndarray
  golden_high_S: np.ndarray
  golden_windows: int


def run(run) -> Result:
  """Returns the calibration of a run; all choices are made on select."""
  before, theta_S = forecasts.make(run, "select")
  after, _ = forecasts.make(run, "test", theta_S)
  select = {name: forecasts.read(f) for name, f in before.items()}
  test = {name: forecasts.read(f) for name, f in after.items()}
  truths = lambda made: {
    name: (np.asarray(f.y_NxU, np.float64), f.start_N) for name, f in made.items()
  }
  coverage = _coverage(run, test, after)
  return Result(
    table=tuple(_row(run, name, test[name], f) for name, f in after.items()),
    conformal=conformal.records(run, select, test, truths(before), truths(after)),
    **golden.measure(run),
    level_V=np.array(LEVELS),
    **coverage,
    density_ExP=np.stack([_density(reading.pit) for reading in test.values()]),
    log_scale_S=np.asarray(theta_S[0]),
    shift_S=np.asarray(theta_S[1]),
    samples=int(next(iter(after.values())).y_NxU.size),
    short_window=forecasts.short(run.series.window),
  )


def _coverage(run, test, after) -> dict[str, Any]:
  """Returns the coverage of every central interval with its ends, ExV."""
  found = []
  for name, reading in test.items():
    inside_SxNxV = calibration.inside(reading.pit, LEVELS).mean(2)
    inside_SxVxN = np.moveaxis(inside_SxNxV, -1, 1)
    found.append(scoring.interval(run, inside_SxVxN, after[name].start_N))
  return {
    "coverage_ExV": np.stack([x.estimate for x in found]),
    "coverage_low_ExV": np.stack([x.low for x in found]),
    "coverage_high_ExV": np.stack([x.high for x in found]),
  }


def _density(pit_SxNxU) -> np.ndarray:
  count_P, _ = np.histogram(pit_SxNxU, BINS, (0, 1))
  return count_P * BINS / pit_SxNxU.size


def _row(run, name: str, reading, forecast) -> dict:
  """Returns a predictor's row; the PIT's spread by that of its squares."""
  settings, y_NxU = run.settings.calibration, forecast.y_NxU
  pit = reading.pit
  flat = lambda x_SxNxU: x_SxNxU.reshape(len(x_SxNxU), -1)
  bounds = lambda key, value, f=float: _bounds(run, key, value, forecast.start_N, f)
  y_SxN = flat(np.broadcast_to(y_NxU, pit.shape))
  sharp = calibration.sharpness(flat(reading.mean), flat(reading.variance), y_SxN)
  sample = forecasts.draws(forecast, settings.crps_draws, settings.seed)
  count = int(y_NxU.size)
  published = calibration.crps_as_published(sample.reshape(len(sample), -1), y_SxN.ravel())
  gap = (pit - pit.mean((1, 2), keepdims=True)) ** 2
  return {
    "name": name,
    "targets": count,
    **bounds("nll_nats", reading.nll),
    **bounds("crps", reading.crps),
    "crps_as_published": float(published.mean()),
    **bounds("pit_mean", pit),
    **bounds("pit_std", gap, lambda x: float(np.sqrt(max(x, 0)))),
    "ks": float(np.mean(calibration.ks_distance(flat(pit)))),
    "ks_ideal": calibration.ks_ideal(count),
    **bounds("bias", reading.mean - y_NxU[None]),
    "interval_width": float(reading.interval.width_N.mean()),
    **{k: float(x.mean()) for k, x in sharp.items() if k != "bias"},
  }


def _bounds(run, key, value_SxNxU, start_N, form) -> dict[str, float]:
  found = scoring.interval(run, value_SxNxU.mean(-1), start_N)
  ends = ("", found.estimate), ("_low", found.low), ("_high", found.high)
  return {f"{key}{end}": form(x) for end, x in ends}
