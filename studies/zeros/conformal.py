"""Split conformal prediction of a run's forecasts, right and as published.

Published: 128 spacings were fed to a POSTFIX network of 256, so that its slots
stood at positions where no slot ever was in training; quantiles were read off
1,000 draws; rows of the tail were halved at random (zeta spec, section 4.13).
"""

import numpy as np
from primelens.analyses import calibration
from primelens.studies.zeros import forecasts, scoring


def records(run, select, test, y_select, y_test) -> tuple[dict, ...]:
  """Returns one record per predictor and way of calibrating its intervals.

  `select` and `test` are readings by predictor, `y_...` their true spacings
  and starts. Ways: scores of select, coverage on test (the heights differ, so
  nothing is promised); random halves of test (exchangeable, but for windows
  that depend on their neighbours); and as published.
  """
  alpha = run.settings.calibration.alpha
  found = []
  for name, reading in test.items():
    y_NxU, start_N = y_test[name]
    there = np.broadcast_to(y_NxU, reading.low.shape)
    score = calibration.conformal_scores(reading.interval, there)
    y_select_NxU, _ = y_select[name]
    before = calibration.conformal_scores(select[name].interval, y_select_NxU)
    by_S = [calibration.conformal_adjustment(x, alpha) for x in before]
    found.append(_record(run, name, "select to test", by_S, reading.interval, there, start_N))
    first_N, second_N = _halves(len(start_N), run.settings.calibration.seed)
    by_S = [calibration.conformal_adjustment(x[first_N], alpha) for x in score]
    half = calibration.Interval(*(x[:, second_N] for x in reading.interval))
    found.append(
      _record(run, name, "halves of test", by_S, half, there[:, second_N], start_N[second_N])
    )
  return (*found, *_as_published(run))


def _halves(count: int, seed: int):
  """Returns the rows of both halves, each by height, drawn as published."""
  order_N = np.random.RandomState(seed).permutation(count)
  return np.sort(order_N[: count // 2]), np.sort(order_N[count // 2 :])


def _as_published(run) -> list[dict]:
  """Returns the published procedure with its context and with the whole one.

  Nothing where the tail is shorter than two rows.
  """
  window, settings = run.series.window, run.settings.calibration
  rows = scoring.rows(run)
  if len(rows.start_N) < 2:
    return []
  found = []
  for name, length in (
    (forecasts.SHORT, forecasts.short(window)),
    ("whole window, otherwise as published", min(window, scoring.ROW_WIDTH - 1)),
  ):
    row_NxT1 = rows.value_NxT[:, : length + 1]
    mixture = forecasts.last(run, row_NxT1)
    y_Nx1 = row_NxT1[:, -1:].astype(np.float64)
    forecast = forecasts.Forecast(mixture, y_Nx1, rows.start_N)
    sample_RxSxNx1 = forecasts.draws(forecast, settings.quantile_draws, settings.seed)
    low, high = np.quantile(sample_RxSxNx1, forecasts.INTERVAL, axis=0)
    there = np.broadcast_to(y_Nx1, low.shape)
    score = calibration.conformal_scores(calibration.Interval(low, high), there)
    first_N, second_N = _halves(len(rows.start_N), scoring.ROW_SEED)
    by_S = [
      calibration.conformal_adjustment_as_published(x[first_N], settings.alpha) for x in score
    ]
    half = calibration.Interval(low[:, second_N], high[:, second_N])
    found.append(
      _record(
        run,
        name,
        "halves of rows, as published",
        by_S,
        half,
        there[:, second_N],
        rows.start_N[second_N],
      )
      | {"context": length}
    )
  return found


def _record(run, name, way, by_S, interval, y_SxNxU, start_N) -> dict:
  """Returns coverage and width of intervals, raw and widened by seed."""
  by_Sx1x1 = np.asarray(by_S)[:, None, None]
  widened = interval.widened(by_Sx1x1)
  bounds = lambda key, value: _bounds(run, key, value, start_N)
  return {
    "predictor": name,
    "way": way,
    "alpha": run.settings.calibration.alpha,
    "adjustment": float(np.mean(by_S)),
    "raw_width": float(interval.width_N.mean()),
    "width": float(widened.width_N.mean()),
    "targets": int(y_SxNxU[0].size),
    **bounds("raw_coverage", interval.holds(y_SxNxU)),
    **bounds("coverage", widened.holds(y_SxNxU)),
  }


def _bounds(run, key: str, value_SxNxU, start_N) -> dict[str, float]:
  found = scoring.interval(run, value_SxNxU.mean(-1), start_N)
  return {
    key: float(found.estimate),
    f"{key}_low": float(found.low),
    f"{key}_high": float(found.high),
  }
