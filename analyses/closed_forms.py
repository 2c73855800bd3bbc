"""Closed-form predictors of the next spacing from the spacings before it.

Column k of a lag matrix is s_-k, the k-th spacing before the target; several
targets (a network's mean, the truth) share the lags and are the rows of YxN.
"""

from collections.abc import Sequence

import numpy as np
from primelens.analyses import expressions
from primelens.analyses import regression
from primelens.analyses import simplification
import scipy.optimize

# Complexity, loss and form of the published front, in units of spacings.
PUBLISHED = (
  (1, 0.158, "1.062"),
  (5, 0.135, "3.01/(s1 + 1.89)"),
  (7, 0.119, "3.1055553/(s1 + s2 + s3)"),
  (9, 0.115, "3.72/(s3 + s1/0.62 + s2)"),
  (11, 0.111, "2.65/(s1 + s2 + s3/(2.86 - s4))"),
  (17, 0.106, "2.20/(s1 + s2 + s3 + s4/(s3 - s5 + 2.47) - 1.27)"),
  (
    21,
    0.102,
    "7.94/((s3 + s1)/1.14 + (s5 + s1 - s4)/2.74 + s4 + s2) - 0.89",
  ),
)


def reciprocal(lag_NxQ, target_YxN) -> np.ndarray:
  """Returns the c of y = c / (s_-1 + ... + s_-k) for k = 1..Q: YxQ.

  Least squares: c_k = <y / S_k> / <1 / S_k^2>, S_k the sum of k lags.
  """
  inverse_NxQ = 1 / _sums(lag_NxQ)
  target_YxN = np.asarray(target_YxN, np.float64)
  return target_YxN @ inverse_NxQ / np.sum(inverse_NxQ**2, axis=0)[None]


def reciprocal_draws(
  lag_NxQ, target_YxN, *, block: int, draws: int, seed: int
) -> np.ndarray:
  """Returns c of `reciprocal` in block-bootstrap samples of the rows: RxYxQ."""
  inverse_NxQ = 1 / _sums(lag_NxQ)
  target_NxY = np.asarray(target_YxN, np.float64).T
  moment_NxYxQ = target_NxY[:, :, None] * inverse_NxQ[:, None, :]
  moment_BxYxQ = regression.block_sums(moment_NxYxQ, block)
  power_BxQ = regression.block_sums(inverse_NxQ**2, block)
  count_RxB = regression.block_counts(len(power_BxQ), draws, seed=seed)
  moment_RxYxQ = np.tensordot(count_RxB, moment_BxYxQ, 1)
  return moment_RxYxQ / (count_RxB @ power_BxQ)[:, None, :]


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
  target_YxN,
  *,
  targets: Sequence[str],
  test_lag_NxQ,
  test_target_YxN,
  block: int = 1_000,
  draws: int = 400,
  seed: int = 0,
) -> tuple[dict, ...]:
  """Returns a record per target and form: fitted on train, scored on test.

  Forms: c / sum of k lags and a + sum b_k s_-k for k = 1..Q, c / (s_-1 + b) and
  the mean. `low` and `high` bound c (95 %, block bootstrap) where the form is
  c / sum, else NaN. Test rows must be disjoint from the training rows.
  Raises ValueError if shapes and `targets` disagree or a spacing is not > 0.
  """
  train = _checked(lag_NxQ, target_YxN, targets)
  test = _checked(test_lag_NxQ, test_target_YxN, targets)
  c_YxQ = reciprocal(*train)
  draw_RxYxQ = reciprocal_draws(*train, block=block, draws=draws, seed=seed)
  low_YxQ, high_YxQ = regression.interval(draw_RxYxQ)
  records = []
  for y, name in enumerate(targets):
    rows = (train[0], train[1][y], test[0], test[1][y])
    for family, lags, tree in _forms(train[0], train[1][y], c_YxQ[y]):
      inside = family == "c/sum"
      low = float(low_YxQ[y, lags - 1]) if inside else np.nan
      high = float(high_YxQ[y, lags - 1]) if inside else np.nan
      head = {"target": name, "family": family, "lags": lags}
      spread = {"low": low, "high": high}
      records.append(head | _scored(tree, *rows) | spread)
  return tuple(records)


def _forms(lag_NxQ, target_N, c_Q):
  """Yields (family, number of lags, tree) of every fitted form."""
  yield "mean", 0, float(np.mean(target_N))
  for k, c in enumerate(c_Q, 1):
    yield (
      "c/sum",
      k,
      ("/", float(c), _total([f"s{j}" for j in range(1, k + 1)])),
    )
  c, b = shifted(lag_NxQ[:, 0], target_N)
  yield "c/(s1+b)", 1, ("/", c, ("+", "s1", b))
  for k in range(1, len(c_Q) + 1):
    fit = regression.ols(lag_NxQ[:, :k], target_N)
    terms = [
      ("*", float(b), f"s{j}") for j, b in enumerate(fit.coefficient_Q, 1)
    ]
    total = _total([fit.intercept, *terms])
    yield "affine", k, simplification.simplify(total)


def _scored(tree, lag_NxQ, target_N, test_lag_NxQ, test_target_N) -> dict:
  train = regression.scores(target_N, _values(tree, lag_NxQ))
  test = regression.scores(test_target_N, _values(tree, test_lag_NxQ))
  numbers = expressions.constants(tree)
  return {
    "expression": expressions.text(tree, digits=4),
    "exact": expressions.text(tree),
    "complexity": expressions.complexity(tree),
    "constant": numbers[0],
    "target_mean": float(np.mean(target_N)),
    "train_mse": train["mse"],
    "train_correlation": train["correlation"],
    "test_mse": test["mse"],
    "test_r2": test["r2"],
    "test_correlation": test["correlation"],
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


def _checked(lag_NxQ, target_YxN, targets: Sequence[str]):
  lag_NxQ = np.asarray(lag_NxQ, np.float64)
  target_YxN = np.asarray(target_YxN, np.float64)
  if target_YxN.shape != (len(targets), len(lag_NxQ)):
    raise ValueError(
      f"targets {target_YxN.shape} do not fit {len(lag_NxQ)} rows of lags and"
      f" the names {', '.join(targets)}."
    )
  if not np.all(lag_NxQ > 0):
    raise ValueError(f"spacings must be positive, found {lag_NxQ.min()}.")
  return lag_NxQ, target_YxN
