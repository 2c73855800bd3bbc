"""Closed-form predictors of the next spacing from the spacings before it.

Column k of a lag matrix is s_-k, the k-th spacing before the target, which is
a network's mean or the truth.
"""

import numpy as np
import scipy.optimize
from primelens.analyses import expressions, linear, simplification, statistics

# Complexity, loss and form of the published front, in units of spacings.
PUBLISHED = (
  (1, 0.158, "1.062"),
  (5, 0.135, "3.01/(s1 + 1.89)"),
  (7, 0.119, "3.1055553/(s1 + s2 + s3)"),
  (9, 0.115, "3.72/(s3 + s1/0.62 + s2)"),
  (11, 0.111, "2.65/(s1 + s2 + s3/(2.86 - s4))"),
  (17, 0.106, "2.20/(s1 + s2 + s3 + s4/(s3 - s5 + 2.47) - 1.27)"),
  (21, 0.102, "7.94/((s3 + s1)/1.14 + (s5 + s1 - s4)/2.74 + s4 + s2) - 0.89"),
)


def reciprocal(lag_NxQ, target_N) -> np.ndarray:
  """Returns the c of y = c / (s_-1 + ... + s_-k) for k = 1..Q, shape (Q,).

  Least squares: c_k = <y / S_k> / <1 / S_k^2>, S_k the sum of k lags. Several
  targets of the same rows may be stacked, YxN, and give YxQ.
  """
  inverse_NxQ = 1 / _sums(lag_NxQ)
  moment = np.asarray(target_N, np.float64) @ inverse_NxQ
  return moment / np.broadcast_to(np.sum(inverse_NxQ**2, axis=0), moment.shape)


def reciprocal_draws(lag_NxQ, target_N, *, block: int, draws: int, seed: int) -> np.ndarray:
  """Returns c of `reciprocal` in block-bootstrap samples of the rows: RxQ."""
  inverse_NxQ = 1 / _sums(lag_NxQ)
  target_N = np.asarray(target_N, np.float64)
  moment_BxQ = linear.block_sums(target_N[:, None] * inverse_NxQ, block)
  power_BxQ = linear.block_sums(inverse_NxQ**2, block)
  count_RxB = linear.block_counts(len(power_BxQ), draws, seed=seed)
  return (count_RxB @ moment_BxQ) / (count_RxB @ power_BxQ)


def shifted(lag_N, target_N) -> tuple[float, float]:
  """Returns (c, b) of y = c / (s_-1 + b), b in 0.001..1000 by a 1-D search.

  At given b the best c is <y x> / <x^2> with x = 1 / (s_-1 + b), which leaves
  <y^2> - <y x>^2 / <x^2> to minimise over ln b.
  """
  lag_N, target_N = np.asarray(lag_N, float), np.asarray(target_N, float)

  def loss(log_b):
    x_N = 1 / (lag_N + np.exp(log_b))
    return -((target_N @ x_N) ** 2) / (x_N @ x_N)

  limits = (np.log(1e-3), np.log(1e3))
  search = scipy.optimize.minimize_scalar(loss, bounds=limits, method="bounded")
  b = float(np.exp(search.x))
  x_N = 1 / (lag_N + b)
  return float(target_N @ x_N / (x_N @ x_N)), b


def table(
  lag_NxQ,
  target_N,
  test_lag_NxQ,
  test_target_N,
  *,
  block: int = 1_000,
  draws: int = 400,
  seed: int = 0,
) -> tuple[dict, ...]:
  """Returns a record per form: fitted on one stretch, scored on another.

  Families: `mean`, `c / sum of k lags`, `affine in k lags` for k = 1..Q and
  `c / (s1 + b)`. `c` is the first constant (of an affine form, its intercept);
  `low` and `high` bound it (95 %, block bootstrap of the training rows) where
  the form is c / sum, else NaN. MSE in squared spacings, `test_r2` about the
  test mean. The two stretches must be disjoint.
  Raises ValueError if shapes disagree or a spacing is not positive.
  """
  train = _checked(lag_NxQ, target_N)
  test = _checked(test_lag_NxQ, test_target_N)
  draw_RxQ = reciprocal_draws(*train, block=block, draws=draws, seed=seed)
  bounds = list(zip(*statistics.percentiles(draw_RxQ), strict=True))
  records = []
  for family, lags, tree in _forms(*train):
    inside = family.startswith("c / sum")
    low, high = bounds[lags - 1] if inside else (np.nan, np.nan)
    head = {"family": family, "lags": lags, "c": expressions.constants(tree)[0]}
    head |= {"low": float(low), "high": float(high)}
    records.append(head | _scored(tree, train, test))
  return tuple(records)


def _forms(lag_NxQ, target_N):
  """Yields (family, number of lags, tree) of every fitted form."""
  names = [f"s{k}" for k in range(1, lag_NxQ.shape[1] + 1)]
  yield "mean", 0, float(np.mean(target_N))
  for k, c in enumerate(reciprocal(lag_NxQ, target_N), 1):
    yield f"c / sum of {k} lags", k, ("/", float(c), _total(names[:k]))
  c, b = shifted(lag_NxQ[:, 0], target_N)
  yield "c / (s1 + b)", 1, ("/", c, ("+", "s1", b))
  for k in range(1, len(names) + 1):
    fit = linear.ols(lag_NxQ[:, :k], target_N)
    slopes = zip(fit.coefficient_Q, names, strict=False)
    terms = [("*", float(slope), name) for slope, name in slopes]
    yield f"affine in {k} lags", k, _total([fit.intercept, *terms])


def _scored(tree, train, test) -> dict:
  fitted = linear.scores(train[1], _values(tree, train[0]))
  held_out = linear.scores(test[1], _values(tree, test[0]))
  standard = simplification.simplify(tree)
  return {
    "expression": expressions.text(standard, digits=4),
    "exact": expressions.text(standard),
    "complexity": expressions.complexity(standard),
    "train_mse": fitted["mse"],
    "train_r2": fitted["r2"],
    "train_correlation": fitted["correlation"],
    "test_mse": held_out["mse"],
    "test_r2": held_out["r2"],
    "test_correlation": held_out["correlation"],
  }


def _values(tree, lag_NxQ) -> np.ndarray:
  columns = {f"s{k}": column for k, column in enumerate(lag_NxQ.T, 1)}
  return expressions.evaluate(tree, columns)


def _total(trees: list):
  total = trees[0]
  for tree in trees[1:]:
    total = ("+", total, tree)
  return total


def _sums(lag_NxQ) -> np.ndarray:
  return np.cumsum(np.asarray(lag_NxQ, np.float64), axis=1)


def _checked(lag_NxQ, target_N):
  lag_NxQ = np.asarray(lag_NxQ, np.float64)
  target_N = np.asarray(target_N, np.float64)
  if lag_NxQ.ndim != 2 or target_N.shape != lag_NxQ.shape[:1]:
    raise ValueError(f"need lags NxQ and targets N, got {lag_NxQ.shape} and {target_N.shape}.")
  if not np.all(lag_NxQ > 0):
    raise ValueError(f"spacings must be positive, found {lag_NxQ.min()}.")
  return lag_NxQ, target_N
