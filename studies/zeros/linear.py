"""Analysis `linear`: the linear operator of the model beside the truth's own.

Published: the AR(3) "operator" was regressed on the true residuals, so the
network played no part. Here the same regression is made of the truth and of
the model's mean, and the model's Jacobian is read as a second route.
"""

import dataclasses

import numpy as np
from primelens.analyses import regression, statistics
from primelens.studies.zeros import scoring


@dataclasses.dataclass(frozen=True)
class Result:
  """Coefficients of r_n on its Q last lags, residuals r = s - 1.

  `truth_Q` is OLS on the true r_n with its block-bootstrap interval,
  `model_SxQ` OLS on the model's mean - 1, with the interval of the mean over
  seeds (over seeds and blocks; of one seed, blocks alone), `jacobian_SxQ` the
  mean derivative of the model's mean by each lag.
  `sums` has the coefficient sum and R2 by order p: the sum depends on p.
  `scores` says how much of the truth, and of the model, is linear.
  """

  truth_Q: np.ndarray
  truth_low_Q: np.ndarray
  truth_high_Q: np.ndarray
  model_SxQ: np.ndarray
  model_low_Q: np.ndarray
  model_high_Q: np.ndarray
  jacobian_SxQ: np.ndarray
  sums: tuple[dict, ...]
  scores: tuple[dict, ...]
  samples: int


def jacobian(run, split: str, windows: int, lags: int) -> np.ndarray:
  """Returns the mean of d mean / d s over windows, last lags first: SxQ."""
  window_NxT1, _ = run.batches(split, windows)
  return scoring.jacobians(run, window_NxT1).mean(1)[:, ::-1][:, :lags]


def run(run) -> Result:
  """Returns the linear operators of a run, all on its test split."""
  settings, bootstrap = run.settings.linear, run.settings.bootstrap
  order = settings.long_order
  pairs = scoring.pairs(run, "test", settings.samples, order)
  x_NxQ, y_N = pairs.lag_NxQ - 1, pairs.truth_N - 1
  block = scoring.rows_per_block(run, pairs.index_N)
  draws, seed = bootstrap.samples // 4, bootstrap.seed
  draw_RxQ = regression.bootstrap(x_NxQ, y_N, block=block, draws=draws, seed=seed, intercept=False)
  low_Q, high_Q = regression.interval(draw_RxQ)
  term_SxNxQ = np.stack([regression.terms(x_NxQ, m - 1) for m in pairs.mean_SxN])
  model = statistics.seed_block_interval(np.moveaxis(term_SxNxQ, 1, -1), block=block)
  return Result(
    truth_Q=regression.ols(x_NxQ, y_N, intercept=False).coefficient_Q,
    truth_low_Q=low_Q,
    truth_high_Q=high_Q,
    model_SxQ=term_SxNxQ.mean(1),
    model_low_Q=model.low,
    model_high_Q=model.high,
    jacobian_SxQ=jacobian(run, "test", settings.jacobian_windows, order),
    sums=_sums(x_NxQ, y_N, pairs.mean_SxN),
    scores=_scores(run, pairs, order),
    samples=len(y_N),
  )


def _sums(x_NxQ, y_N, mean_SxN) -> tuple[dict, ...]:
  """Returns the coefficients' sum and R2 for p = 1, 2, 3, 5, 10, ..."""
  rows = []
  for p in [p for p in (1, 2, 3, 5, 10, 20) if p <= x_NxQ.shape[1]]:
    fit = lambda target, p=p: regression.ols(x_NxQ[:, :p], target, intercept=False)
    truth = fit(y_N)
    models = [fit(mean_N - 1) for mean_N in mean_SxN]
    row = {
      "order": p,
      "truth_sum": float(truth.coefficient_Q.sum()),
      "truth_r2": truth.r2,
      "model_sum": float(np.mean([m.coefficient_Q.sum() for m in models])),
      "model_r2": float(np.mean([m.r2 for m in models])),
    }
    for k in range(min(p, 3)):
      row[f"truth_lag{k + 1}"] = float(truth.coefficient_Q[k])
      row[f"model_lag{k + 1}"] = float(np.mean([m.coefficient_Q[k] for m in models]))
    rows.append(row)
  return tuple(rows)


def _scores(run, pairs: scoring.Pairs, order: int) -> tuple[dict, ...]:
  """Returns R2 and correlation with the truth of held-out predictors.

  Linear predictors are fitted on select and scored on test: OLS of the truth,
  the linear part of the model's mean, and the model's mean itself.
  """
  samples = run.settings.linear.samples
  train = scoring.pairs(run, "select", samples, order)
  rows = []
  for p in (3, order):
    x = train.lag_NxQ[:, :p] - 1
    fits = {"OLS of the truth": regression.ols(x, train.truth_N - 1)}
    mean_N = train.mean_SxN.mean(0) - 1
    fits["linear part of the model"] = regression.ols(x, mean_N)
    for name, fit in fits.items():
      guess_N = 1 + fit.predict(pairs.lag_NxQ[:, :p] - 1)
      scores = regression.scores(pairs.truth_N, guess_N)
      rows.append({"predictor": f"{name}, {p} lags"} | scores)
  scores = regression.scores(pairs.truth_N, pairs.mean_SxN.mean(0))
  rows.append({"predictor": "model mean (average of seeds)"} | scores)
  return tuple(rows)
