"""Least squares on lagged values, and its bootstrap, float64, on the host."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import counts, precision

# A target whose standard deviation is less does not vary: it has no R2.
FLAT = 1e-9


@dataclasses.dataclass(frozen=True)
class LeastSquares:
  """y = intercept + x . coefficient, with the fit's own R2 and errors."""

  coefficient_Q: np.ndarray
  intercept: float
  standard_error_Q: np.ndarray
  r2: float
  variance: float

  def predict(self, x_NxQ) -> np.ndarray:
    """Returns the fitted values at the rows of x."""
    return np.asarray(x_NxQ, np.float64) @ self.coefficient_Q + self.intercept


def lag_matrix(value_N, index_N, lags: int) -> np.ndarray:
  """Returns the `lags` values before each index, most recent first: NxQ.

  Row i is (v_{n-1}, ..., v_{n-Q}) for n = index_N[i], so it predicts v_n.
  Raises ValueError if an index has fewer than `lags` values before it.
  """
  counts.whole(lags=lags)
  value_N, index_N = np.asarray(value_N), np.asarray(index_N)
  outside = len(index_N) and index_N.max() > len(value_N)
  if lags < 1 or outside or (len(index_N) and index_N.min() < lags):
    raise ValueError(f"lags={lags}: every index must lie in {lags}..{len(value_N)}.")
  return value_N[index_N[:, None] - np.arange(1, lags + 1)]


def ols(x_NxQ, y_N, *, intercept: bool = True) -> LeastSquares:
  """Returns ordinary least squares, min |y - a - x b|^2.

  R2 = 1 - SSE / SST, SST about the mean with an intercept and about 0 without,
  NaN where SST is that of a constant (`explained`); standard errors assume
  independent errors (`bootstrap` does not).
  Raises ValueError unless there are more rows than coefficients.
  """
  x_NxP, y_N = _design(x_NxQ, y_N, intercept)
  rows, columns = x_NxP.shape
  if rows <= columns:
    raise ValueError(f"{rows} rows cannot determine {columns} coefficients.")
  beta, *_ = np.linalg.lstsq(x_NxP, y_N, rcond=None)
  error_N = y_N - x_NxP @ beta
  variance = float(error_N @ error_N / (rows - columns))
  spread = np.sqrt(variance * np.diag(np.linalg.pinv(x_NxP.T @ x_NxP)))
  centre = y_N.mean() if intercept else 0.0
  keep = slice(int(intercept), None)
  return LeastSquares(
    coefficient_Q=beta[keep],
    intercept=float(beta[0]) if intercept else 0.0,
    standard_error_Q=spread[keep],
    r2=float(explained(np.mean(error_N**2), np.mean((y_N - centre) ** 2))),
    variance=variance,
  )


def terms(x_NxQ, y_N) -> np.ndarray:
  """Returns what each row adds to least squares without intercept, b: NxQ.

  b + N (X'X)^-1 x_n e_n, e the residuals: the mean over rows is b exactly, and
  its scatter that of b to first order, whatever the errors depend on, so that
  an interval of a mean (`statistics.seed_block_interval`) is one of b.
  Raises ValueError as `ols` does.
  """
  fit = ols(x_NxQ, y_N, intercept=False)
  x_NxQ, y_N = _design(x_NxQ, y_N, False)
  error_N = y_N - x_NxQ @ fit.coefficient_Q
  solved_NxQ = x_NxQ @ np.linalg.pinv(x_NxQ.T @ x_NxQ)
  return fit.coefficient_Q + len(y_N) * solved_NxQ * error_N[:, None]


def bootstrap(
  x_NxQ, y_N, *, block: int, draws: int, seed: int, intercept: bool = True
) -> np.ndarray:
  """Returns the coefficients of `draws` block-bootstrap samples: RxQ.

  Consecutive rows are cut into blocks, blocks are drawn with replacement, and
  each draw solves the normal equations summed over its blocks, so dependence
  up to the block's length is kept. The intercept is fitted and left out.
  """
  counts.whole(1, draws=draws)
  counts.whole(seed=seed)
  x_NxP, y_N = _design(x_NxQ, y_N, intercept)
  gram_N = x_NxP[:, :, None] * x_NxP[:, None, :]
  gram_BxPxP = block_sums(gram_N, block)
  moment_BxP = block_sums(x_NxP * y_N[:, None], block)
  count_RxB = block_counts(len(gram_BxPxP), draws, seed=seed)
  gram_RxPxP = np.tensordot(count_RxB, gram_BxPxP, 1)
  moment_RxPx1 = (count_RxB @ moment_BxP)[..., None]
  beta_RxP = np.linalg.solve(gram_RxPxP, moment_RxPx1)[..., 0]
  return beta_RxP[:, int(intercept) :]


def block_sums(value_Nx, block: int) -> np.ndarray:
  """Returns the sums over consecutive blocks of rows (the last may be short).

  Raises ValueError unless there are at least two blocks.
  """
  counts.whole(block=block)
  value_Nx = np.asarray(value_Nx, np.float64)
  if not 1 <= block < len(value_Nx):
    raise ValueError(f"block={block} must lie in 1..{len(value_Nx) - 1}.")
  return np.add.reduceat(value_Nx, np.arange(0, len(value_Nx), block), axis=0)


def block_counts(blocks: int, draws: int, *, seed: int) -> np.ndarray:
  """Returns how often each of `blocks` is drawn in each bootstrap draw: RxB."""
  counts.whole(1, blocks=blocks, draws=draws)
  counts.whole(seed=seed)
  chances = np.full(blocks, 1 / blocks)
  draw = np.random.default_rng(seed).multinomial
  return draw(blocks, chances, size=draws).astype(np.float64)


def interval(sample_Rx, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
  """Returns the central percentile interval over draws: (low, high)."""
  tail = (1 - level) / 2
  low, high = np.quantile(sample_Rx, [tail, 1 - tail], axis=0)
  return low, high


def scores(truth_N, prediction_N) -> dict[str, float]:
  """Returns MSE, `r2` and `pearson`; a constant prediction correlates 0."""
  truth_N = np.asarray(truth_N, np.float64)
  guess_N = np.broadcast_to(np.float64(prediction_N), truth_N.shape)
  return {
    "mse": float(np.mean((truth_N - guess_N) ** 2)),
    "r2": float(r2(truth_N, guess_N)),
    "correlation": float(pearson(guess_N, truth_N)),
  }


def explained(error, variance):
  """Returns R2 = 1 - error / variance, of mean squares in one unit, by entry.

  NaN where the variance is that of a constant: a deviation below `FLAT`. Every
  R2 here is made by it. Takes numbers, numpy or jax arrays, and is then traced.
  """
  array = jnp if isinstance(variance, jax.Array) or isinstance(error, jax.Array) else np
  flat = array.asarray(variance) < FLAT**2
  share = 1 - error / array.where(flat, 1, variance)
  return array.where(flat, np.nan, share)


def r2(truth, prediction, axis=None):
  """Returns 1 - sum (y - f)^2 / sum (y - mean y)^2 over the axis, or all.

  NaN where the truth is constant (`explained`). Takes numpy or jax arrays, and
  is then traced; 16-bit numbers and integers are counted in float32.
  """
  truth, prediction = precision.at_least_float32(truth), precision.at_least_float32(prediction)
  # About the first entry: a constant is then flat in any precision.
  if axis is None:
    gap = truth - truth.ravel()[:1].sum()
  else:
    gap = truth - truth.swapaxes(0, axis)[:1].swapaxes(0, axis)
  variance = ((gap - gap.mean(axis, keepdims=True)) ** 2).mean(axis)
  return explained(((truth - prediction) ** 2).mean(axis), variance)


def pearson(x_NxF, y_N):
  """Returns the correlation of y with every column of x, 0 for a constant.

  Takes numpy or jax arrays, and is then traced; x may also be one column.
  """
  x_NxF, y_N = precision.at_least_float32(x_NxF), precision.at_least_float32(y_N)
  x_NxF = x_NxF - x_NxF[:1]  # a constant column is now exactly 0
  y_N = y_N - y_N[:1]
  x_NxF = x_NxF - x_NxF.mean(0, keepdims=True)
  y_NxF = (y_N - y_N.mean()).reshape(-1, *[1] * (x_NxF.ndim - 1))
  norm_F = ((x_NxF**2).sum(0) * (y_NxF**2).sum(0)) ** 0.5
  return (x_NxF * y_NxF).sum(0) / (norm_F + (norm_F == 0))


def _design(x_NxQ, y_N, intercept: bool):
  x_NxQ, y_N = np.asarray(x_NxQ, np.float64), np.asarray(y_N, np.float64)
  if x_NxQ.ndim != 2 or y_N.shape != x_NxQ.shape[:1]:
    raise ValueError(f"need x of shape NxQ and y of N, got {x_NxQ.shape} and {y_N.shape}.")
  if intercept:
    x_NxQ = np.column_stack([np.ones(len(x_NxQ)), x_NxQ])
  return x_NxQ, y_N
