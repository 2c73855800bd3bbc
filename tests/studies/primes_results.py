"""Hand-made results of the primes study, and cards of their runs, for its claims and its pages."""

import numpy as np
from primelens.analyses import statistics
from primelens.lens import claims, results
from primelens.studies import spectra as spectra_lib
from primelens.studies.primes import memory as memory_lib
from primelens.studies.primes import program

RANK, RATIO, KS = 51.4, 2.3, 0.04  # noise of 64 x 64
QUALITY, INTER, BALANCE = 1.75, 0.29, 0.88
SNAPSHOTS = 4
LOGGED = 8  # rows of the log
PARTS, PREDICTORS = ("last trained", "held out"), ("network", "untrained", "mean", "median")


def card(seeds=4, population="plan A", **changes):
  words = {"primes": 1000, "batch_size": 64, "seeds": seeds, "population": population}
  return {"study": "primes"} | program.PLAN_A | words | changes


def memory(mae=1.0, constant=8.0, held=None, line=None, fires=1, seeds=4, **changes):
  """Returns errors: of trained gaps, of a constant, and of gaps left out."""
  parts = PARTS if held is not None else PARTS[:1]
  kinds = PREDICTORS if line is None else (*PREDICTORS, "least squares")
  mae_PxK, z_PxK = (np.full((len(parts), len(kinds)), value) for value in (constant, 1.0))
  mae_PxK[0, 0] = mae
  if held is not None:
    z_PxK[1, 0] = held
  if line is not None:
    z_PxK[1, -1] = line
  ends = lambda value: statistics.Interval(value, value - 0.01, value + 0.01)
  says_SxC = np.zeros((seeds, SNAPSHOTS), bool)
  says_SxC[0, :fires] = True
  holds_KxSxC = np.stack([says_SxC, np.ones_like(says_SxC), np.ones_like(says_SxC)])
  loss_VxSxC = np.full((3, seeds, SNAPSHOTS), 0.5)
  mae_VxSxC = loss_VxSxC * [[[np.nan]], [[8.0]], [[8.0]]]
  logged_SxN = np.arange(1.0, seeds + 1)[:, None] / np.arange(1.0, LOGGED + 1)
  its = card(seeds, **changes)
  its.pop("seeds")
  return results.dataset(
    {
      "rows": results.variable("part", [10] * len(parts), "rows"),
      **results.with_interval("mae", "part predictor", ends(mae_PxK), "error", "gap units"),
      **results.with_interval("z_mse", "part predictor", ends(z_PxK), "squared error"),
      "gap": results.variable("example", np.arange(5.0), "gap"),
      "answer": results.variable("seed example", np.ones((seeds, 5)), "answer"),
      "loss": results.variable("curve seed step", loss_VxSxC, "squared error"),
      "loss_mae": results.variable("curve seed step", mae_VxSxC, "absolute error", "gap units"),
      "logged_loss": results.variable("seed logged", logged_SxN, "squared error"),
      "rate": results.variable("seed logged", 1e-3 * logged_SxN, "learning rate"),
      "holds": results.variable("condition seed step", holds_KxSxC, "holds"),
      "says": results.variable("seed step", says_SxC, "says"),
    },
    {
      "seed": np.arange(seeds),
      "part": list(parts),
      "predictor": list(kinds),
      "curve": list(memory_lib.CURVES),
      "condition": list(memory_lib.NAMES),
      "step": np.arange(SNAPSHOTS),
      "epoch": results.variable("step", np.arange(SNAPSHOTS) / 2, "epoch"),
      "logged": results.variable("logged", np.arange(LOGGED) / 4, "epoch"),
    },
    steps=8,
    **its,
  )


def spectra(
  rank=RANK, ratio=RATIO, *, quality=QUALITY, distance=0.001, start=(), end=(), **changes
):
  """Returns spectra whose first query matrix has these numbers at the end.

  Its singular values are a flat bulk and one that makes the ratio; beside it is a value matrix,
  which takes part.
  """
  count, seeds, make = 64, 3, results.variable
  first = ratio * (count - 1) / (count - ratio)  # first / mean = ratio
  singular_K = np.append(first, np.ones(count - 1))
  before = {"effective_rank": RANK, "max_to_mean": RATIO, "ks": 0.9}
  before |= {"quality": QUALITY, "inter_cluster": INTER, "balance": BALANCE}
  before |= {"ks_goe": 0.09, "ks_gue": 0.15, "ks_poisson": 0.25, "goe_distance": 0.1}
  after = before | {"effective_rank": rank, "max_to_mean": ratio, "quality": quality}
  both = [before | dict(start), after | dict(end)]
  each = {
    "effective_rank": (rank, 50.0),
    "effective_rank_null": (RANK, RANK),
    "max_to_mean": (ratio, RATIO),
    "max_to_mean_null": (RATIO, RATIO),
    "ks_matched": (KS, KS),
    "ks_matched_null": (KS, KS),
    "symmetry_quality_null": (QUALITY, np.nan),
    "symmetry_inter_null": (INTER, np.nan),
    "symmetry_balance_null": (BALANCE, np.nan),
    "outliers": (1.0, 0.0),
    "distance": (distance, 0.3),
  }
  levels = {"r_ratio": 0.53, "number_variance": 0.4, "form_factor": 0.3}
  levels |= {"ks_goe": 0.09, "ks_gue": 0.15, "ks_poisson": 0.25}
  each |= {key: (np.nan, value) for key, value in levels.items()}
  each |= {f"{key}_null": (np.nan, value + 0.01) for key, value in levels.items()}
  each["ks_goe_spread"] = (np.nan, 0.02)
  gap_xN = np.tile(np.linspace(0.05, 1.95, 20), (2, seeds, 1))
  shape = (len(spectra_lib.CURVES), seeds, SNAPSHOTS, 2)
  its = card(**changes)
  its.pop("seeds")
  return results.dataset(
    {
      "role": make("matrix", ["query", "value"], "role"),
      "layer": make("matrix", [0, 0], "layer"),
      "rows": make("matrix", [count, count], "rows"),
      "columns": make("matrix", [count, count], "columns"),
      "live": make("matrix", [False, True], "live"),
      "levels_of": make("matrix seed", [[""] * seeds, ["symmetrised"] * seeds], "levels"),
      **{
        name: make("matrix seed", np.repeat([pair], seeds, 0).T, name)
        for name, pair in each.items()
      },
      **{
        f"as_published_{name}": make("when seed", [[its_[name]] * seeds for its_ in both], name)
        for name in spectra_lib.AS_PUBLISHED
      },
      "as_published_spacing": make("when seed gap", gap_xN, "spacing"),
      "metric_value": make("metric seed step matrix", np.ones(shape), "metric"),
      "metric_null": make("metric matrix", np.ones((shape[0], 2)), "of noise"),
      "distance_then": make("seed step matrix", np.ones(shape[1:]), "distance"),
      "train": make("seed step", np.ones(shape[1:3]), "trained"),
      "test": make("seed step", np.full(shape[1:3], np.nan), "left out"),
      "singular": make("seed matrix place", np.tile(singular_K, (seeds, 2, 1)), "end"),
      "start_singular": make("seed matrix place", np.ones((seeds, 2, count)), "start"),
    },
    {
      "seed": np.arange(seeds),
      "matrix": ["query/0", "value/0"],
      "metric": list(spectra_lib.CURVES),
      "when": list(spectra_lib.WHEN),
      "step": np.arange(SNAPSHOTS),
    },
    steps=8,
    draws=9,
    score="squared error, z-scores",
    **its,
  )


def run(memory=None, spectra=None, **changes):
  """Returns the card of a run and its results, `{slice: Dataset}`."""
  both = {"memory": memory, "spectra": spectra}
  return card(**changes), {name: found for name, found in both.items() if found is not None}


def results_of(runs):
  """Returns results of runs, each a pair of its card and `{slice: Dataset}`."""
  return claims.Results(
    {name: tables for name, (_, tables) in runs.items()},
    {name: its for name, (its, _) in runs.items()},
  )


def verdict(slice_, claim_id, runs):
  """Returns the ledger's row of one claim of a slice."""
  (claim,) = (claim for claim in slice_.CLAIMS if claim.id == claim_id)
  return claims.ledger((claim,), results_of(runs)).rows[0]
