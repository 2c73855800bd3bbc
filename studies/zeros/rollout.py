"""Analysis `rollout`: predictions fed back, beside anchors rolled alike.

Published: four definitions of the error under one name, on contexts of 10, 128
and 256 spacings. Here the error is that of the place of the h-th zero ahead,
from the context the network was trained with, and the published measures stand
beside it under their own names (`rollout_published`).
"""

import dataclasses

import numpy as np
from primelens.analyses import rollout
from primelens.studies.zeros import rolling, rollout_published, scoring
from primelens.tasks import windows

HORIZONS = (1, 10, 25, 50, 100, 200)
SLOPE = (1, 10, 50, 200)  # of the published growth of the error


@dataclasses.dataclass(frozen=True)
class Result:
  """Errors of rollouts in mean spacings, on test, by predictor E (`table`).

  `error_ExR` is |sum of h predictions - sum of h spacings|, mean over starts
  and seeds, by horizon h (`horizon_R`), with its interval, and
  `model_minus_ExR` the model's mean rollout minus it, paired over starts.
  `step_ExQ` is the mean |prediction - spacing| at step q. `spread_SxR` is the
  standard deviation of the sum over sampled futures of one start,
  `truth_spread_R` that of the true sum over starts: how far the next h zeros
  can be off. `table` has the error at `at` steps, the mean error of a step up
  to there and the published log-log slope; `protocols` the published
  measures, one record per predictor.
  """

  table: tuple[dict, ...]
  protocols: tuple[dict, ...]
  horizon_R: np.ndarray
  error_ExR: np.ndarray
  error_low_ExR: np.ndarray
  error_high_ExR: np.ndarray
  model_minus_ExR: np.ndarray
  model_minus_low_ExR: np.ndarray
  model_minus_high_ExR: np.ndarray
  step_ExQ: np.ndarray
  spread_SxR: np.ndarray
  truth_spread_R: np.ndarray
  at: int
  starts: int
  context: int
  draws: int


def run(run) -> Result:
  """Returns the rollouts of a run from starts spread over its test split."""
  settings, length = run.settings.rollout, run.series.window
  first, last = run.series.bounds("test")
  horizon = min(settings.horizon, last - first - length)
  start_N = np.unique(np.linspace(first, last - length - horizon, settings.starts).round()).astype(
    int
  )
  span = windows.take(run.series.value_N, start_N, length + horizon - 1)
  context_NxT, truth_NxQ = span[:, :length], span[:, length:].astype(float)
  modes = (rolling.MEAN, *[rolling.DRAW] * settings.draws, rolling.CLAMPED)
  model = rolling.rolled(run, run.params_S, context_NxT, horizon, mode=modes)
  fresh = rolling.rolled(run, run.untrained_S(), context_NxT, horizon)
  draws = model[:, 1:-1]
  guesses = {
    f"model ({run.name})": model[:, :1],
    "model, mean of draws": draws.mean(1, keepdims=True),
    "model, median of draws": np.median(draws, axis=1, keepdims=True),
    "model, single draws": draws,
    "model, draws clamped as published": model[:, -1:],
    "untrained network": fresh,
  }
  for name, guess in rolling.anchors(run, start_N + length, horizon).items():
    guesses[name] = guess[None, None]
  horizon_R = np.array([h for h in HORIZONS if h <= horizon])
  spread = np.cumsum(draws, axis=-1).std(1, ddof=1).mean(1)
  truth_sum = np.cumsum(truth_NxQ, axis=-1)
  return Result(
    **_errors(run, guesses, truth_NxQ, horizon_R, start_N),
    protocols=rollout_published.records(run),
    horizon_R=horizon_R,
    spread_SxR=spread[:, horizon_R - 1],
    truth_spread_R=truth_sum.std(0)[horizon_R - 1],
    starts=len(start_N),
    context=length,
    draws=settings.draws,
  )


def _errors(run, guesses, truth_NxQ, horizon_R, start_N) -> dict:
  """Returns the arrays of the result and the table, of rollouts SxRxNxQ."""
  at = min(100, truth_NxQ.shape[1])
  kept: dict[str, list] = {"error": [], "model_minus": []}
  rows, steps, base = [], [], None
  for name, guess in guesses.items():
    reach_R = np.append(horizon_R, at)
    sums = rollout.cumulative_error(guess, truth_NxQ, reach_R).mean(1)
    sums_SxRxN = np.moveaxis(sums, -1, 1)
    step_SxNxQ = rollout.step_error(guess, truth_NxQ).mean(1)
    base = sums_SxRxN if base is None else base
    of = lambda value: scoring.interval(run, value, start_N)
    error, minus = of(sums_SxRxN), of(base - sums_SxRxN)
    mean = of(step_SxNxQ[..., :at].mean(-1))
    kept["error"].append(error)
    kept["model_minus"].append(minus)
    steps.append(step_SxNxQ.mean((0, 1)))
    rows.append(
      {"name": name}
      | _bounds("error", error, -1)
      | _bounds("model_minus", minus, -1)
      | _bounds("step", mean, ())
      | {"slope": _slope(steps[-1])}
    )
  ends = ("estimate", ""), ("low", "_low"), ("high", "_high")
  arrays = {
    f"{key}{end}_ExR": np.stack([getattr(x, part)[:-1] for x in found])
    for key, found in kept.items()
    for part, end in ends
  }
  return arrays | {"table": tuple(rows), "step_ExQ": np.stack(steps), "at": at}


def _bounds(name: str, interval, at) -> dict[str, float]:
  return {
    name: float(interval.estimate[at]),
    f"{name}_low": float(interval.low[at]),
    f"{name}_high": float(interval.high[at]),
  }


def _slope(step_Q) -> float:
  there = [h for h in SLOPE if h <= len(step_Q)]
  if len(there) < 2:
    return float("nan")
  return float(rollout.log_log_slope_as_published(step_Q, there))
