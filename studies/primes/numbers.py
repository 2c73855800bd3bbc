"""The published table beside ours, each relative to its own null, and the
spec's networks with a mismatched kernel.

Sizes differ (256 there, 64 here), so that a rank is compared as a share of
that of noise of the same shape, an error as a share of a constant answer's.
Source: primes spec, section 5 and, for the nulls, 1, 4.2 and 6.4.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from primelens.lens import claims as trial
from primelens.lens import numbers as reported
from primelens.studies.primes import evidence

COLUMNS = (
  "model",
  "quantity",
  "published",
  "published_share",
  "share",
  "minimum",
  "maximum",
  "mismatched_share",
  "runs",
)
# Of the published size: a constant's error, and noise.
NULLS = {
  "mae": 10.00,
  "effective_rank": 206.0,
  "max_to_mean": 2.34,
  "inter_cluster": 0.142,
  "balance": 0.96,
  "quality": 1.64,
}
CHAOS_MAE = 0.40578
QUANTITIES = {
  "mae": "mean absolute error of the last trained",
  "effective_rank": "effective rank",
  "max_to_mean": "largest over mean",
  "ks": "distance from unit noise",
  "inter_cluster": "distance of two clusters",
  "balance": "balance of two clusters",
  "quality": "quality of two clusters",
}
PUBLISHED: dict[str, dict[str, float]] = {
  name: dict(zip(QUANTITIES, values, strict=True))
  for name, values in {
    "plan A": (0.3926, 44.13, 106.16, 0.9258, 13.66, 0.992, 60.09),
    "plan B": (0.7424, 27.30, 127.62, 0.9062, 19.74, 0.977, 44.21),
    "plan C": (3.9661, 198.82, 2.79, 0.8086, 0.54, 0.656, 1.75),
    "chaos, table": (0.0283, 203.34, 2.52, 0.8672, 0.35, 0.922, 1.65),
    "chaos, sinusoid": (0.4058, 206.11, 2.34, 0.9453, 0.14, 0.953, 1.65),
  }.items()
}
CHAOS = {"sequence": "logistic", "order": "shuffled"}
# Our runs of the same settings, with exact and with mismatched gradients.
RUNS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
  "plan A": ({}, evidence.KERNEL),
  "plan B": ({"accumulation": 1}, None),
  "plan C": ({"embedding": "sinusoidal", "accumulation": 2}, None),
  "chaos, table": (
    CHAOS | {"embedding_std": 1.0},
    evidence.KERNEL | {"sequence": "logistic", "embedding_std": 1.0},
  ),
  "chaos, sinusoid": (CHAOS | {"embedding": "sinusoidal"}, None),
}


# The spec's own networks with a mismatched kernel (6.2; 2^13 gaps, one seed):
# effective rank, largest over mean, s1, s2 of the first query matrix; s1 of the
# first value matrix.
TOY_QUANTITIES = ("effective rank", "largest over mean", "s1", "s2", "value s1")
TOY: dict[str, tuple[dict[str, Any], tuple[float, ...]]] = {
  "primes": ({}, (23.8, 22.9, 21.3, 1.39, 1.90)),
  "shuffled": ({"sequence": "shuffled"}, (23.7, 23.0, 21.4, 1.39, 1.78)),
  "primes, wide": ({"embedding_std": 1.0}, (50.6, 2.60, 3.03, 2.85, 1.13)),
  "chaos": ({"sequence": "logistic"}, (50.1, 3.43, 2.26, 1.55, 1.60)),
  "chaos, wide": ({"sequence": "logistic", "embedding_std": 1.0}, (50.3, 2.54, 2.99, 2.80, 1.14)),
}


def joined(results: Mapping[str, Mapping]) -> tuple[dict, ...]:
  """Returns a record per published number of `{run: {analysis: Result}}`, and
  of those that the spec measured with a mismatched kernel."""
  published = [_record(results, model, quantity) for model in PUBLISHED for quantity in QUANTITIES]
  return (*published, *_toys(results))


def _toys(results) -> list[dict]:
  """Returns the numbers of networks with a mismatched kernel, as they are."""
  records = []
  for name, (where, values) in TOY.items():
    try:
      found = evidence.find(results, "spectra", **evidence.KERNEL | where)
    except trial.Missing:
      found = {}
    rows = [_toy(result) for result in found.values()]
    value_5xS = np.concatenate([np.zeros((5, 0)), *rows], axis=1)
    for quantity, number, value_S in zip(TOY_QUANTITIES, values, value_5xS, strict=True):
      records.append(
        {
          "model": f"mismatched kernel, {name}",
          "quantity": quantity,
          "published": number,
          "published_share": math.nan,
          "share": math.nan,
          **reported.spread(value_S),
          "mismatched_share": reported.median(value_S),
          "runs": ", ".join(found),
        }
      )
  return records


def _toy(spectra) -> np.ndarray:
  """Returns the five numbers of every member, 5xS."""
  names = [row["matrix"] for row in spectra.matrix]
  of = lambda name: np.asarray(spectra.singular_SxExK)[:, names.index(name)]
  query_SxK, value_SxK = of("query/0"), of("value/0")
  rows = [row for row in spectra.published if row["when"] == "end"]
  own = [[row[name] for row in rows] for name in ("effective_rank", "max_to_mean")]
  return np.array([*own, *query_SxK[:, :2].T, value_SxK[:, 0]])


def _record(results, model: str, quantity: str) -> dict:
  """Returns one published number beside ours."""
  exact, mismatched = RUNS[model]
  runs, share_S = _shares(results, quantity, exact)
  null = NULLS.get(quantity, math.nan)
  if quantity == "mae" and "chaos" in model:
    null = CHAOS_MAE
  number = PUBLISHED[model][quantity]
  other_S = () if mismatched is None else _shares(results, quantity, mismatched)[1]
  return {
    "model": model,
    "quantity": QUANTITIES[quantity],
    "published": number,
    "published_share": number / null if math.isfinite(null) else number,
    "share": reported.median(share_S),
    **reported.spread(share_S),
    "mismatched_share": reported.median(other_S),
    "runs": ", ".join(runs),
  }


def _shares(results, quantity: str, where) -> tuple[list[str], list[float]]:
  """Returns the runs of a setting, and every member's share of its null."""
  name = "memory" if quantity == "mae" else "spectra"
  try:
    found = evidence.find(results, name, **where)
  except trial.Missing:
    return [], []
  of = _errors if quantity == "mae" else _members
  return list(found), [v for r in found.values() for v in of(r, quantity)]


def _errors(memory, quantity: str) -> list[float]:
  own = evidence.error(memory, "last trained", "network", quantity)
  return [own / evidence.constant(memory, "last trained")]


def _members(spectra, quantity: str) -> list[float]:
  """Returns the numbers of the first query matrix over their null."""
  rows = [row for row in spectra.published if row["when"] == "end"]
  value_S = np.array([row[quantity] for row in rows])
  nulls = {
    "inter_cluster": "symmetry_inter",
    "balance": "symmetry_balance",
    "quality": "symmetry_quality",
  }
  if quantity == "ks":
    return value_S.tolist()
  null = evidence.noise(spectra, nulls.get(quantity, quantity))
  return (value_S / null).tolist()
