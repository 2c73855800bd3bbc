"""Hand-made results of the primes study, for its claims and its report."""

import types

import numpy as np
from primelens.studies.primes import evidence

RANK, RATIO, KS = 51.4, 2.3, 0.04  # noise of 64 x 64
QUALITY, INTER, BALANCE = 1.75, 0.29, 0.88


def setting(seeds=4, **changes):
  return evidence.PLAN_A | {"primes": 1000, "batch_size": 64, "seeds": seeds} | changes


def error(part, predictor, mae=1.0, z_mse=1.0, half=0.01):
  row = {"part": part, "predictor": predictor, "rows": 10}
  for name, value in (("mae", mae), ("z_mse", z_mse)):
    row |= {name: value, f"{name}_low": value - half, f"{name}_high": value + half}
  return row


def memory(mae=1.0, constant=8.0, held=None, line=None, fires=1, **changes):
  """Returns errors: of trained gaps, of a constant, and of gaps left out."""
  errors = [error("last trained", "network", mae)]
  errors += [error("last trained", kind, constant) for kind in ("mean", "median")]
  if held is not None:
    errors.append(error("held out", "network", z_mse=held))
    errors.append(error("held out", "mean", z_mse=1.0))
  if line is not None:
    errors.append(error("held out", "least squares", z_mse=line))
  return types.SimpleNamespace(
    setting=(setting(**changes),),
    errors=tuple(errors),
    detected=tuple(
      {"says": at < fires, "drop": at < fires, "logarithms": True, "waves": True} for at in range(4)
    ),
  )


def spectra(rank=RANK, ratio=RATIO, *, quality=QUALITY, distance=0.001, **changes):
  """Returns spectra whose first query matrix has these numbers at the end.

  Its singular values are a flat bulk and one that makes the ratio.
  """
  count = 64
  first = ratio * (count - 1) / (count - ratio)  # first / mean = ratio
  singular_K = np.append(first, np.ones(count - 1))
  start = {"effective_rank": RANK, "max_to_mean": RATIO, "ks": 0.9}
  start |= {"quality": QUALITY, "inter_cluster": INTER, "balance": BALANCE}
  start |= {"ks_goe": 0.09, "ks_poisson": 0.25}
  end = {"effective_rank": rank, "max_to_mean": ratio, "quality": quality}
  row = {
    "matrix": "query/0",
    "role": "query",
    "layer": 0,
    "live": False,
    "member": 0,
    "distance": distance,
    "ks_matched": KS,
    "effective_rank": rank,
    "effective_rank_null": RANK,
    "max_to_mean_null": RATIO,
    "ks_matched_null": KS,
    "symmetry_quality_null": QUALITY,
    "symmetry_inter_null": INTER,
    "symmetry_balance_null": BALANCE,
  }
  live = row | {"matrix": "value/0", "role": "value", "live": True}
  live |= {"effective_rank": 50.0, "r_ratio": 0.53, "distance": 0.3}
  return types.SimpleNamespace(
    record=(row, live),
    published=tuple(
      {"when": when, "member": s} | values | changes.get(when, {})
      for when, values in (("start", start), ("end", start | end))
      for s in range(3)
    ),
    matrix=({"matrix": "query/0"}, {"matrix": "value/0"}),
    singular_SxExK=np.stack([np.stack([singular_K] * 2)] * 3),
  )
