"""The golden batch: fixed against permuted slot ids on the first windows.

Published runs of E4 permuted their slot ids at every evaluation too, and kept
the lowest of the noisy losses; the script of the golden batch compares fixed
with permuted ids on the first 10 batches of 64 sliding windows of the tail and
stored no result (zeta spec, section 4.13).
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from primelens.analyses import sweeps, trees
from primelens.models import spacing
from primelens.studies.zeros import scoring
from primelens.tasks import windows

EVALUATIONS = 20  # of E4, seed 7, up to its best step: 10,000 in steps of 500
PERCENTILES = (5, 50, 95)


def expected_minimum(value_R, draws: int) -> float:
  """Returns the mean of the lowest of `draws` values drawn from R with
  replacement: sum_i x_(i) [(1 - (i-1)/R)^m - (1 - i/R)^m].
  """
  value_R = np.sort(np.asarray(value_R, np.float64))
  left = 1 - np.arange(len(value_R) + 1) / len(value_R)
  return float((value_R * -np.diff(left**draws)).sum())


def measure(run) -> dict[str, Any]:
  """Returns the golden batch's fields of a calibration, in nats.

  `golden_nll_SxR` has the fixed ids in column 0 and permuted ones behind it
  (no column where slots have no ids), `golden_change_S` the mean of these
  minus the fixed with its interval over blocks.
  """
  model, evaluation = run.experiment.model, run.settings.evaluation
  if model.memory not in ("prefix", "postfix") or not model.has_slot_ids:
    seeds = trees.length(run.params_S)
    nothing = np.full(seeds, np.nan)
    return _fields(np.zeros((seeds, 0)), [nothing] * 3, 0)
  first, last = run.series.bounds("test")
  count = min(run.settings.calibration.golden, last - first - model.window)
  start_N = first + np.arange(count)
  window_NxT1 = windows.take(run.series.value_N, start_N, model.window)
  permuted_RxM = spacing.slot_orders(model.slots, evaluation.permutations)
  order_RxM = np.concatenate([np.arange(model.slots)[None], permuted_RxM])
  nll_SxRxN = sweeps.over(
    scoring.order_score(run.apply, evaluation.batch),
    run.params_S,
    jnp.asarray(order_RxM),
    data=(jnp.asarray(window_NxT1),),
    batch_size=4,
  )
  nll_SxRxN = np.asarray(nll_SxRxN, np.float64)
  change_SxN = nll_SxRxN[:, 1:].mean(1) - nll_SxRxN[:, 0]
  by_seed = [scoring.interval(run, change_N[None], start_N)[:3] for change_N in change_SxN]
  return _fields(nll_SxRxN.mean(-1), np.array(by_seed).T, count)


def _fields(nll_SxR, change_3xS, count: int) -> dict[str, Any]:
  change_S, low_S, high_S = change_3xS
  return {
    "golden_nll_SxR": nll_SxR,
    "golden_change_S": change_S,
    "golden_low_S": low_S,
    "golden_high_S": high_S,
    "golden_windows": count,
  }


def records(result) -> tuple[dict, ...]:
  """Returns a record per seed of a calibration's golden batch, in nats.

  Percentiles are over permuted ids; `lowest_of_20` is what the lowest of 20
  evaluations with random ids is below their mean: the gain of choosing by
  luck. None where slots have no ids.
  """
  if not result.golden_nll_SxR.shape[1]:
    return ()
  return tuple(_record(result, s) for s in range(len(result.golden_nll_SxR)))


def _record(result, s: int) -> dict[str, float]:
  fixed, permuted_R = np.split(result.golden_nll_SxR[s], [1])
  mean = float(permuted_R.mean())
  return {
    "fixed_nats": float(fixed[0]),
    "permuted_nats": mean,
    "change_nats": float(result.golden_change_S[s]),
    "change_low": float(result.golden_low_S[s]),
    "change_high": float(result.golden_high_S[s]),
    "lowest_of_20": expected_minimum(permuted_R, EVALUATIONS) - mean,
  } | {f"percentile_{p}": float(np.percentile(permuted_R, p)) for p in PERCENTILES}
