"""Analysis `formula`: short formulas of the model, the truth, CUE and shuffles.

Published: one stretch, the model's mean as the only target, and a constant
read as pi. Here every formula is fitted on a stretch of select and scored on a
stretch of test, and the same is asked of the truth, of simulated CUE spacings
and of shuffled ones.
"""

import dataclasses

import numpy as np
from primelens.analyses import closed_forms, regression, symbolic
from primelens.studies.zeros import scoring
from primelens.tasks import surrogates

LAGS = 8
STRETCHES = 10


@dataclasses.dataclass(frozen=True)
class Result:
  """`closed` has one row per target and closed form: its constant with a
  block-bootstrap interval where it has one, held-out MSE, R2 and correlation.
  `front` has the Pareto fronts of symbolic regression per target (held-out
  MSE against our own complexity count), `null` marking permuted targets.
  `published` has the published formulas with their numbers refitted.
  `heights` has c of c / (s1 + s2 + s3), of the truth alone, on stretches of
  equal length from the lowest spacing to the highest.
  """

  closed: tuple[dict, ...]
  front: tuple[dict, ...]
  published: tuple[dict, ...]
  heights: tuple[dict, ...]
  train_samples: int
  test_samples: int


@dataclasses.dataclass(frozen=True)
class Target:
  """One target's rows: lags and values of a train and a test stretch."""

  name: str
  train_lag_NxQ: np.ndarray
  train_N: np.ndarray
  test_lag_NxQ: np.ndarray
  test_N: np.ndarray
  block: int


def _of_run(run) -> list[Target]:
  """Returns the model's mean, seed by seed and averaged, and the truth."""
  samples = run.settings.formula.samples
  train = scoring.pairs(run, "select", samples, LAGS)
  test = scoring.pairs(run, "test", samples, LAGS)
  block = scoring.rows_per_block(run, train.index_N)
  target = lambda name, a_N, b_N: Target(name, train.lag_NxQ, a_N, test.lag_NxQ, b_N, block)
  seeds = [
    target(f"model seed {seed}", a_N, b_N)
    for seed, a_N, b_N in zip(run.seed_S, train.mean_SxN, test.mean_SxN, strict=True)
  ]
  average = (train.mean_SxN.mean(0), test.mean_SxN.mean(0))
  return [target("model", *average), *seeds, target("truth", train.truth_N, test.truth_N)]


def _rows(name: str, spacing_RxN, block: int) -> Target:
  """Returns a target of many short sequences, half of them for testing."""
  inside = np.arange(LAGS, spacing_RxN.shape[1])
  lags = lambda part: np.concatenate([regression.lag_matrix(row, inside, LAGS) for row in part])
  half = len(spacing_RxN) // 2
  first, second = spacing_RxN[:half], spacing_RxN[half:]
  flat = lambda part: part[:, LAGS:].ravel()
  return Target(name, lags(first), flat(first), lags(second), flat(second), block)


def _surrogates(run) -> list[Target]:
  """Returns CUE spacings, and the run's own spacings in random order."""
  settings, series = run.settings.formula, run.series
  first, last = series.bounds("select")
  rows = (last - first) // settings.cue_size
  if rows < 2:
    raise ValueError(
      f"formula.cue_size={settings.cue_size} must be at most half the "
      f"{last - first} spacings of the select split."
    )
  cue_RxN = surrogates.cue_spacings(
    settings.seed, matrices=settings.cue_matrices, size=settings.cue_size
  )
  rng = np.random.default_rng(settings.seed)
  value_N = series.value_N[first : first + rows * settings.cue_size]
  shuffled = rng.permutation(value_N.astype(np.float64))
  block = run.settings.bootstrap.block
  return [_rows("CUE", cue_RxN, block), _rows("shuffled", shuffled.reshape(rows, -1), block)]


def _closed(run, target: Target) -> list[dict]:
  """Returns the closed forms of one target."""
  bootstrap = run.settings.bootstrap
  rows = closed_forms.table(
    target.train_lag_NxQ,
    target.train_N,
    target.test_lag_NxQ,
    target.test_N,
    block=target.block,
    draws=bootstrap.samples // 4,
    seed=bootstrap.seed,
  )
  mean = float(target.train_N.mean())
  return [{"target": target.name, "mean_target": mean} | row for row in rows]


def _front(run, target: Target, *, null: bool = False) -> list[dict]:
  """Returns the Pareto front of one target, or of its permutation."""
  settings = run.settings.symbolic
  some = slice(None, None, max(1, len(target.train_N) // settings.samples))
  lags = settings.lags
  search = symbolic.null_front if null else symbolic.search
  rows = search(
    target.train_lag_NxQ[some, :lags],
    target.train_N[some],
    names=tuple(f"s{k + 1}" for k in range(lags)),
    test_feature_NxQ=target.test_lag_NxQ[:, :lags],
    test_target_N=target.test_N,
    seed=settings.seed,
    backend=settings.backend,
    **({"seconds": settings.seconds} if settings.seconds else {}),
  )
  return [{"target": target.name, "null": null} | row for row in rows]


def _published(run, target: Target) -> list[dict]:
  """Returns the published formulas, their numbers refitted to one target."""
  lags = run.settings.symbolic.lags
  rows = symbolic.refitted(
    [formula for _, _, formula in closed_forms.PUBLISHED],
    target.train_lag_NxQ[:, :lags],
    target.train_N,
    names=tuple(f"s{k + 1}" for k in range(lags)),
    test_feature_NxQ=target.test_lag_NxQ[:, :lags],
    test_target_N=target.test_N,
  )
  return [
    {"target": target.name, "published": formula, "published_mse": mse} | row
    for row, (_, mse, formula) in zip(rows, closed_forms.PUBLISHED, strict=True)
  ]


def _heights(run) -> list[dict]:
  """Returns c of three lags on every stretch, with its interval."""
  bootstrap, series = run.settings.bootstrap, run.series
  value_N = series.value_N.astype(np.float64)
  records = []
  for index_N in np.array_split(np.arange(3, len(value_N)), STRETCHES):
    lag_NxQ = regression.lag_matrix(value_N, index_N, 3)
    target_N = value_N[index_N]
    draw_RxQ = closed_forms.reciprocal_draws(
      lag_NxQ, target_N, block=bootstrap.block, draws=bootstrap.samples // 4, seed=bootstrap.seed
    )
    low_Q, high_Q = regression.interval(draw_RxQ)
    records.append(
      {
        "first": int(index_N[0]),
        "last": int(index_N[-1]),
        "c": float(closed_forms.reciprocal(lag_NxQ, target_N)[2]),
        "low": float(low_Q[2]),
        "high": float(high_Q[2]),
        "mean_target": float(target_N.mean()),
      }
    )
  return records


def run(run) -> Result:
  """Returns the closed forms and fronts of a run and of its surrogates."""
  own, surrogate = _of_run(run), _surrogates(run)
  closed = [row for t in own + surrogate for row in _closed(run, t)]
  by_name = {target.name: target for target in own + surrogate}
  front = [row for name in ("model", "truth", "CUE") for row in _front(run, by_name[name])]
  front += _front(run, by_name["model"], null=True)
  return Result(
    closed=tuple(closed),
    front=tuple(front),
    published=tuple(row for name in ("model", "truth") for row in _published(run, by_name[name])),
    heights=tuple(_heights(run)),
    train_samples=len(own[0].train_N),
    test_samples=len(own[0].test_N),
  )
