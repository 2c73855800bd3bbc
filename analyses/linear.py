"""Linear algebra of readings, each thing once: least squares, ridge, R2, components, projections.

What is named with its axes (NxQ) and takes jax arrays is traced: vmap over seeds, positions,
snapshots and nulls. What says "on the host" counts in float64 with numpy. Features and targets of
16 bits, and integers, are counted in float32. Ridge: docs/sources/text.md, sections 4 and 7.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import counts, precision

_exact = lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)

# --- decompositions -------------------------------------------------------------------------------


class Svd(NamedTuple):
  """x = left diag(value) right, thin: Q = min(N, D), values falling."""

  left_NxQ: jax.Array
  value_Q: jax.Array
  right_QxD: jax.Array


def _plain(x_NxD) -> Svd:
  return Svd(*jnp.linalg.svd(x_NxD, full_matrices=False))


_in_turn = jax.custom_batching.sequential_vmap(_plain)


def svd(x_NxD) -> Svd:
  """Returns the thin singular value decomposition, in float32 at least; no
  gradient.

  On a CPU a batch is decomposed one matrix at a time. LAPACK calls of a batch
  wait inside the thread pool that is to run them: with two cores, two batches
  in one program wait for each other for ever (jaxlib 0.10).
  """
  return jax.lax.platform_dependent(precision.wide(x_NxD), cpu=_in_turn, default=_plain)


def solve(x_NxQ, y_NxF, tolerance=None) -> jax.Array:
  """Returns the shortest least-squares solution QxF of x b = y.

  V diag(1 / s) U^T y over the singular values above `tolerance` times the
  largest, by default its rounding, epsilon max(N, Q).
  """
  found = svd(x_NxQ)
  value_Q = found.value_Q
  if tolerance is None:
    tolerance = jnp.finfo(value_Q.dtype).eps * max(x_NxQ.shape)
  rounding = tolerance * value_Q[0]
  inverse_Q = jnp.where(value_Q > rounding, 1 / jnp.maximum(value_Q, rounding), 0)
  target_QxF = _exact(found.left_NxQ.T, precision.wide(y_NxF))
  return _exact(found.right_QxD.T, inverse_Q[:, None] * target_QxF)


# --- R2, correlation; one target on the host, with errors -----------------------------------------

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
  # Of R, not of x'x: the square of a condition number makes variances negative.
  inverse_PxP = np.linalg.pinv(np.linalg.qr(x_NxP, mode="r"))
  spread = np.sqrt(variance * np.square(inverse_PxP).sum(1))
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


# --- least squares for many targets at once, traced -----------------------------------------------

THRESHOLDS_V = (0.9, 0.95, 0.99, 0.999)


class Fit(NamedTuple):
  """Coefficients of the features and their prediction on every row."""

  coefficient_QxF: jax.Array
  prediction_NxF: jax.Array


class Summary(NamedTuple):
  """R2 over the targets that have one, and how many exceed THRESHOLDS_V."""

  mean: jax.Array
  median: jax.Array
  minimum: jax.Array
  maximum: jax.Array
  above_V: jax.Array


def fit(feature_NxQ, target_NxF, rows=None) -> Fit:
  """Returns the fit that minimises |target - feature . coefficient|^2.

  No intercept is added: the designs of `features` have theirs. `rows` (an
  index) are the rows fitted, by default all; the prediction covers every row,
  so that the others are held out. Columns are brought to unit norm first;
  where the design lacks rank the shortest solution in that scale is meant,
  and the prediction is unique all the same.
  """
  feature_NxQ, target_NxF = precision.wide(feature_NxQ), precision.wide(target_NxF)
  fitted = slice(None) if rows is None else rows
  x_NxQ, y_NxF = feature_NxQ[fitted], target_NxF[fitted]
  norm_Q = jnp.linalg.norm(x_NxQ, axis=0)
  norm_Q = jnp.where(norm_Q > 0, norm_Q, 1)
  scaled_QxF = solve(x_NxQ / norm_Q[None], y_NxF)
  coefficient_QxF = scaled_QxF / norm_Q[:, None]
  prediction_NxF = _exact(feature_NxQ, coefficient_QxF)
  return Fit(coefficient_QxF, prediction_NxF)


def fit_shortest(feature_NxQ, target_NxF, rows=None, tolerance=None) -> Fit:
  """Returns the fit with an intercept and the shortest coefficients.

  Features and targets about their means over the fitted rows, the features in
  their own scale, as scikit-learn's LinearRegression: where there are more of
  them than rows, the prediction of other rows depends on that, and on which
  singular values count as zero (`tolerance`, see `solve`). The
  intercept is in the prediction and not among the coefficients.
  """
  feature_NxQ, target_NxF = precision.wide(feature_NxQ), precision.wide(target_NxF)
  fitted = slice(None) if rows is None else rows
  x_NxQ, y_NxF = feature_NxQ[fitted], target_NxF[fitted]
  x_Q, y_F = x_NxQ.mean(0), y_NxF.mean(0)
  coefficient_QxF = solve(x_NxQ - x_Q[None], y_NxF - y_F[None], tolerance)
  prediction_NxF = _exact(feature_NxQ - x_Q[None], coefficient_QxF)
  return Fit(coefficient_QxF, prediction_NxF + y_F[None])


def r2_columns(truth_NxF, prediction_NxF) -> jax.Array:
  """Returns R2 of each column; NaN for a constant one (`explained`)."""
  return r2(jnp.asarray(truth_NxF), jnp.asarray(prediction_NxF), axis=0)


def r2_overall(truth_NxF, prediction_NxF) -> jax.Array:
  """Returns one R2 of all entries together, about their global mean."""
  return r2(jnp.asarray(truth_NxF), jnp.asarray(prediction_NxF))


def summary(r2_F) -> Summary:
  """Returns the mean, median, range and counts of R2, NaN columns left out."""
  r2_F = precision.wide(r2_F)
  threshold_V = jnp.array(THRESHOLDS_V, r2_F.dtype)
  return Summary(
    mean=jnp.nanmean(r2_F),
    median=jnp.nanmedian(r2_F),
    minimum=jnp.nanmin(r2_F),
    maximum=jnp.nanmax(r2_F),
    above_V=jnp.sum(r2_F[None] > threshold_V[:, None], axis=1),
  )


# --- ridge regression, traced: |y - x w - b|^2 + alpha |w|^2 --------------------------------------

FOLDS = 5
ALPHAS_R = (0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4)


class Ridge(NamedTuple):
  """y is about x kernel + bias."""

  kernel_DxF: jax.Array
  bias_F: jax.Array

  def predict(self, x_NxD) -> jax.Array:
    """Returns the prediction NxF."""
    return _exact(precision.wide(x_NxD), self.kernel_DxF) + self.bias_F[None]


class Scaler(NamedTuple):
  """Mean and deviation of every feature; 1 for a constant one."""

  mean_D: jax.Array
  deviation_D: jax.Array

  def __call__(self, x_NxD) -> jax.Array:
    """Returns the features in deviations about their mean."""
    return (precision.wide(x_NxD) - self.mean_D[None]) / self.deviation_D[None]


def scaler(x_NxD, weight_N=None) -> Scaler:
  """Returns the scaler of the rows; population deviation, as scikit-learn's
  `StandardScaler`. `weight_N` counts rows, by default each once.

  A feature whose deviation is rounding beside its mean is a constant one.
  """
  x_NxD = precision.wide(x_NxD)
  weight_N = _weights(x_NxD, weight_N)
  mean_D, square_D = _moments(x_NxD, weight_N)
  deviation_D = jnp.sqrt(square_D)
  rounding_D = 8 * jnp.finfo(mean_D.dtype).eps * jnp.abs(mean_D)
  varies_D = deviation_D > jnp.maximum(rounding_D, 1e-12)
  return Scaler(mean_D, jnp.where(varies_D, deviation_D, 1))


def ridge(x_NxD, y_NxF, alpha=1.0, weight_N=None, *, refine=True) -> Ridge:
  """Returns the ridge regression of the rows with weight.

  Normal equations about the means, solved twice: the second time for what the
  first left, which brings float32 to the accuracy of its data; once without
  `refine`, enough for a null. `weight_N` counts rows (0 leaves one out), so
  that folds are a vmapped axis.
  """
  x_NxD, y_NxF = precision.wide(x_NxD), precision.wide(y_NxF)
  weight_N = _weights(x_NxD, weight_N)
  x_D, y_F = _mean(x_NxD, weight_N), _mean(y_NxF, weight_N)
  x_NxD, y_NxF = x_NxD - x_D[None], y_NxF - y_F[None]
  weighted_DxN = (x_NxD * weight_N[:, None]).T
  gram_DxD = _exact(weighted_DxN, x_NxD)
  factor_DxD = _factor(gram_DxD, alpha)
  kernel_DxF = _solve(factor_DxD, _exact(weighted_DxN, y_NxF))
  if refine:
    left_NxF = y_NxF - _exact(x_NxD, kernel_DxF)
    gap_DxF = _exact(weighted_DxN, left_NxF) - alpha * kernel_DxF
    kernel_DxF = kernel_DxF + _solve(factor_DxD, gap_DxF)
  return Ridge(kernel_DxF, y_F - _exact(x_D[None], kernel_DxF)[0])


def ridge_solved(gram_DxD, cross_DxF, alpha) -> jax.Array:
  """Returns (G + alpha I)^-1 c from moments, DxF, solved twice as in `ridge`."""
  gram_DxD, cross_DxF = precision.wide(gram_DxD), precision.wide(cross_DxF)
  factor_DxD = _factor(gram_DxD, alpha)
  kernel_DxF = _solve(factor_DxD, cross_DxF)
  gap_DxF = cross_DxF - _exact(_penalised(gram_DxD, alpha), kernel_DxF)
  return kernel_DxF + _solve(factor_DxD, gap_DxF)


def gram_rounding(gram_DxD) -> jax.Array:
  """Returns what an eigenvalue of a float Gram matrix may be off by: without
  so much on its diagonal one that lacks rank has no Cholesky factor."""
  gram_DxD = precision.wide(gram_DxD)
  return 4 * jnp.finfo(gram_DxD.dtype).eps * jnp.trace(gram_DxD)


def held_out(x_NxD, y_NxF, fitted_N, alphas_R=ALPHAS_R, *, scale=True):
  """Returns predictions NxF of a probe that never saw the rows it is scored
  on, and its alpha.

  Features in deviations of the `fitted_N` rows (a bool), alpha by FOLDS inner
  folds among them, then one fit of all of them. Rows not fitted are held out.
  """
  x_NxD = precision.wide(x_NxD)
  weight_N = _weights(x_NxD, fitted_N)
  if scale:
    x_NxD = scaler(x_NxD, weight_N)(x_NxD)
  error_R = inner_errors(x_NxD, y_NxF, weight_N, alphas_R)
  alpha = jnp.asarray(alphas_R, x_NxD.dtype)[jnp.argmin(error_R)]
  return ridge(x_NxD, y_NxF, alpha, weight_N).predict(x_NxD), alpha


def inner_errors(x_NxD, y_NxF, weight_N, alphas_R) -> jax.Array:
  """Returns the mean of `target_errors` over the targets, R."""
  return target_errors(x_NxD, y_NxF, weight_N, alphas_R).mean(1)


def target_errors(x_NxD, y_NxF, weight_N, alphas_R) -> jax.Array:
  """Returns the squared error of every alpha and target over FOLDS folds of
  the rows with weight, RxF, in units of the target's variance.

  Folds and alphas go one at a time; a fold's products serve every alpha.
  """
  x_NxD, y_NxF = precision.wide(x_NxD), precision.wide(y_NxF)
  fold_N, alphas_R = folds(weight_N), jnp.asarray(alphas_R, x_NxD.dtype)
  y_F = _mean(y_NxF, weight_N)
  scale_F = _mean((y_NxF - y_F[None]) ** 2, weight_N)
  scale_F = jnp.where(scale_F > 0, scale_F, 1)

  def one(fold):
    inside_N = weight_N * (fold_N != fold)
    gap_NxD = x_NxD - _mean(x_NxD, inside_N)[None]
    gap_NxF = y_NxF - _mean(y_NxF, inside_N)[None]
    weighted_DxN = (gap_NxD * inside_N[:, None]).T
    gram_DxD = _exact(weighted_DxN, gap_NxD)
    cross_DxF = _exact(weighted_DxN, gap_NxF)
    outside_N = weight_N * (fold_N == fold)

    def error(alpha):
      kernel_DxF = ridge_solved(gram_DxD, cross_DxF, alpha)
      left_NxF = gap_NxF - _exact(gap_NxD, kernel_DxF)
      return _mean(left_NxF**2, outside_N) / scale_F

    return jax.lax.map(error, alphas_R)

  return jax.lax.map(one, jnp.arange(FOLDS)).mean(0)


def folds(weight_N) -> jax.Array:
  """Returns a fold 0..FOLDS - 1 for every row: rows with weight in turn, as
  scikit-learn's `KFold` without shuffling, N."""
  rank_N = jnp.cumsum(weight_N > 0) - 1
  count = jnp.sum(weight_N > 0)
  size, longer = count // FOLDS, count % FOLDS
  edge = longer * (size + 1)
  return jnp.where(
    rank_N < edge, rank_N // (size + 1), longer + (rank_N - edge) // jnp.maximum(size, 1)
  )


def cross_predicted(x_NxD, y_NxF, alpha=1.0, *, scale=True, fold_N=None) -> jax.Array:
  """Returns predictions NxF of all rows, each by the FOLDS - 1 other folds.

  `fold_N` has the fold 0..FOLDS - 1 of every row, by default that of `folds`.
  """
  x_NxD = precision.wide(x_NxD)
  weight_N = _weights(x_NxD, None)
  fold_N = folds(weight_N) if fold_N is None else jnp.asarray(fold_N)

  def one(fold):
    inside_N = weight_N * (fold_N != fold)
    z_NxD = scaler(x_NxD, inside_N)(x_NxD) if scale else x_NxD
    return ridge(z_NxD, y_NxF, alpha, inside_N).predict(z_NxD)

  guess_FOLDSxNxF = jax.vmap(one)(jnp.arange(FOLDS))
  return guess_FOLDSxNxF[fold_N, jnp.arange(len(x_NxD))]


def fold_r2(y_NxF, guess_NxF, fold_N=None) -> jax.Array:
  """Returns R2 of each target, the mean over folds of each fold's own, F: as
  scikit-learn's `cross_val_score`. `fold_N` as in `cross_predicted`."""
  fold_N = folds(jnp.ones(len(y_NxF))) if fold_N is None else jnp.asarray(fold_N)
  one = lambda fold: r2_scored(y_NxF, guess_NxF, fold_N == fold)
  return jax.vmap(one)(jnp.arange(FOLDS)).mean(0)


def r2_scored(y_NxF, guess_NxF, scored_N=None) -> jax.Array:
  """Returns R2 of every target over the scored rows (a bool), F.

  NaN for a target that is constant there (`explained`).
  """
  y_NxF, guess_NxF = precision.wide(y_NxF), precision.wide(guess_NxF)
  weight_N = _weights(y_NxF, scored_N)
  error_F = _mean((y_NxF - guess_NxF) ** 2, weight_N)
  return explained(error_F, _moments(y_NxF, weight_N)[1])


def degrees_of_freedom(x_NxD, alpha, weight_N=None) -> jax.Array:
  """Returns the sum of l / (l + alpha) over the eigenvalues l of the centred
  x^T x of the rows with weight: how many parameters the ridge fits."""
  x_NxD = precision.wide(x_NxD)
  weight_N = _weights(x_NxD, weight_N)
  gap_NxD = x_NxD - _mean(x_NxD, weight_N)[None]
  gram_DxD = _exact((gap_NxD * weight_N[:, None]).T, gap_NxD)
  value_D = svd(gram_DxD).value_Q
  # Sums over many rows are off by more in some versions: up to 7 eps trace.
  value_D = jnp.where(value_D > 4 * gram_rounding(gram_DxD), value_D, 0)
  return jnp.sum(value_D / (value_D + alpha))


def mean_squared_error(y_NxF, guess_NxF) -> jax.Array:
  """Returns the mean over rows and targets of the squared error."""
  return jnp.mean((precision.wide(y_NxF) - precision.wide(guess_NxF)) ** 2)


def _penalised(gram_DxD, alpha):
  return gram_DxD + alpha * jnp.eye(len(gram_DxD), dtype=gram_DxD.dtype)


def _factor(gram_DxD, alpha):
  """Returns the lower Cholesky factor of G + alpha I.

  A Gram matrix that lacks rank may have none, by rounding: then that with
  `gram_rounding` more on the diagonal. On a CPU a batch is factored one matrix at a
  time, see `svd`.
  """
  factor = lambda penalised_DxD: jax.lax.platform_dependent(
    penalised_DxD, cpu=_factor_in_turn, default=jnp.linalg.cholesky
  )
  plain_DxD = factor(_penalised(gram_DxD, alpha))
  more_DxD = factor(_penalised(gram_DxD, alpha + gram_rounding(gram_DxD)))
  return jnp.where(jnp.isfinite(plain_DxD).all(), plain_DxD, more_DxD)


def _solve(factor_DxD, y_DxF):
  """Returns (L L^T)^-1 y; on a CPU a batch is solved one at a time."""
  return jax.lax.platform_dependent(factor_DxD, y_DxF, cpu=_solve_in_turn, default=_plain_solve)


def _plain_solve(factor_DxD, y_DxF):
  return jax.scipy.linalg.cho_solve((factor_DxD, True), y_DxF)


_factor_in_turn = jax.custom_batching.sequential_vmap(jnp.linalg.cholesky)
_solve_in_turn = jax.custom_batching.sequential_vmap(_plain_solve)


def _weights(x_NxD, weight_N):
  if weight_N is None:
    return jnp.ones(len(x_NxD), x_NxD.dtype)
  return jnp.asarray(weight_N, x_NxD.dtype)


def _moments(x_NxF, weight_N):
  """Returns mean and variance of every column over the rows with weight."""
  # About a row: the sum of many equal numbers is rounded.
  first_F = x_NxF[jnp.argmax(weight_N > 0)]
  gap_F = _mean(x_NxF - first_F[None], weight_N)
  square_F = _mean((x_NxF - first_F[None] - gap_F[None]) ** 2, weight_N)
  return first_F + gap_F, square_F


def _mean(x_NxF, weight_N):
  total = jnp.maximum(weight_N.sum(), 1)
  return _exact(weight_N[None], x_NxF)[0] / total


# --- principal components -------------------------------------------------------------------------


class Components(NamedTuple):
  """x = mean + score . direction; share is of the summed squares of x - mean.

  Q = min(N, D), by falling share; directions are orthonormal rows.
  """

  mean_D: jax.Array
  score_NxQ: jax.Array
  direction_QxD: jax.Array
  share_Q: jax.Array


def pca(x_NxD, *, centre: bool = True) -> Components:
  """Returns the components U S, V^T and S^2 / sum S^2 of x - mean = U S V^T.

  Without `centre` the mean is zero: the plain singular vectors. Signs are
  arbitrary (see `oriented`); the shares of identical rows are NaN. Use
  `project(x - mean_D, direction_QxD[:1].T)` to keep the first alone.
  """
  x_NxD = precision.wide(x_NxD)
  mean_D = x_NxD.mean(0) if centre else jnp.zeros_like(x_NxD[0])
  left_NxQ, value_Q, direction_QxD = svd(x_NxD - mean_D[None])
  return Components(
    mean_D=mean_D,
    score_NxQ=left_NxQ * value_Q[None],
    direction_QxD=direction_QxD,
    share_Q=value_Q**2 / jnp.sum(value_Q**2),
  )


def oriented(components: Components) -> Components:
  """Returns the components with signs fixed by the order of the rows.

  The first score increases along the rows (covariance with the row number),
  every other score is positive at the first row (docs/sources/addition.md, A4).
  """
  score_NxQ = jnp.asarray(components.score_NxQ)
  row_N = jnp.arange(len(score_NxQ), dtype=score_NxQ.dtype)
  slope = jnp.sum((row_N - row_N.mean()) * score_NxQ[:, 0])
  sign_Q = jnp.where(score_NxQ[0].at[0].set(slope) < 0, -1, 1)
  return components._replace(
    score_NxQ=score_NxQ * sign_Q[None], direction_QxD=components.direction_QxD * sign_Q[:, None]
  )


# --- projections onto and away from a subspace ----------------------------------------------------


def basis(directions_DxK: jax.Array) -> jax.Array:
  """Returns an orthonormal basis of the columns' span, `basis_DxK`.

  The left singular vectors; columns beyond the rank are zero, so repeated or
  zero directions do no harm and the shape stays static.
  """
  left_DxK, value_K, _ = svd(directions_DxK)
  tolerance = jnp.finfo(value_K.dtype).eps * max(directions_DxK.shape) * value_K[0]
  return left_DxK * (value_K > tolerance).astype(left_DxK.dtype)[None, :]


def project(x: jax.Array, directions_DxK: jax.Array) -> jax.Array:
  """Returns the part of `x` (...xD) inside the span: `x U U^T`, U = basis.

  Computed in float32, returned in the type of `x`, or float32 for integers.
  Raises ValueError if the widths differ.
  """
  _check(x, directions_DxK)
  basis_DxK = basis(jnp.asarray(directions_DxK, jnp.float32))
  exact = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
  inside = exact(exact(jnp.asarray(x, jnp.float32), basis_DxK), basis_DxK.T)
  return inside.astype(projected_type(x))


def project_out(
  x: jax.Array, directions_DxK: jax.Array, strength: jax.Array | float = 0.0
) -> jax.Array:
  """Returns `x - (1 - strength) x U U^T`: the span scaled by `strength`.

  Masks mean one thing: 1 keeps `x` as it is, 0 removes the subspace.
  Raises ValueError if the widths differ.
  """
  _check(x, directions_DxK)
  inside = project(jnp.asarray(x, jnp.float32), directions_DxK)
  return (x - (1 - strength) * inside).astype(projected_type(x))


def projected_type(x):
  """Returns the type of a projected x: its own, float32 for integers, which
  hold no projection."""
  return x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.float32


def _check(x, directions_DxK):
  width = directions_DxK.shape[0]
  if x.shape[-1] != width:
    raise ValueError(f"x has the width {x.shape[-1]}, directions {width}.")


# --- planes of many networks' states, and circles in them; float64 on the host --------------------

COMPONENTS = 4


class Plane(NamedTuple):
  """Scores of the first COMPONENTS on all rows, and shares of the variance of all components."""

  score_SxNxQ: np.ndarray
  share_SxQ: np.ndarray


def standardised(state_SxNxD, fitted_N) -> np.ndarray:
  """Returns states in deviations of the rows fitted, about their mean."""
  some = state_SxNxD[:, fitted_N]
  deviation_Sx1xD = some.std(1, keepdims=True)
  deviation_Sx1xD[deviation_Sx1xD < 1e-12] = 1
  return (state_SxNxD - some.mean(1, keepdims=True)) / deviation_Sx1xD


def plane(state_SxNxD, fitted_N) -> Plane:
  """Returns the COMPONENTS first principal components of the rows fitted.

  The largest coefficient of a component is positive, as scikit-learn has it.
  """
  some = state_SxNxD[:, fitted_N]
  mean_Sx1xD = some.mean(1, keepdims=True)
  centred = some - mean_Sx1xD
  value_SxQ, basis_SxDxQ = np.linalg.eigh(np.swapaxes(centred, 1, 2) @ centred)
  value_SxQ, basis_SxDxQ = value_SxQ[:, ::-1], basis_SxDxQ[..., ::-1]
  largest_Sx1xQ = np.abs(basis_SxDxQ).argmax(1)[:, None]
  sign_Sx1xQ = np.sign(np.take_along_axis(basis_SxDxQ, largest_Sx1xQ, axis=1))
  first_SxDxQ = (basis_SxDxQ * sign_Sx1xQ)[..., :COMPONENTS]
  share_SxQ = np.maximum(value_SxQ, 0)
  return Plane(
    (state_SxNxD - mean_Sx1xD) @ first_SxDxQ, share_SxQ / share_SxQ.sum(1, keepdims=True)
  )


def circle(angle_N) -> np.ndarray:
  """Returns cos and sin of angles, Nx2."""
  return np.stack([np.cos(angle_N), np.sin(angle_N)], -1)


def affine(score_SxNxF, target_Nx2, fitted_N) -> np.ndarray:
  """Returns the targets of every row, SxNx2, by an affine map of the scores.

  By least squares on the rows fitted.
  """
  design = np.concatenate([np.ones_like(score_SxNxF[..., :1]), score_SxNxF], -1)
  some = design[:, fitted_N]
  turned = np.swapaxes(some, 1, 2)
  # Scores may lie on a line: the shortest coefficients.
  inverse = np.linalg.pinv(turned @ some, rcond=1e-10, hermitian=True)
  return design @ (inverse @ (turned @ target_Nx2[fitted_N]))


def circularity(state_SxNxD, angle_N) -> np.ndarray:
  """Returns R2 of a circle in the plane of the first two components of z-scored states, S.

  Fitted and scored on all rows.
  """
  every_N = np.ones(len(angle_N), bool)
  z_SxNxD = standardised(np.asarray(state_SxNxD, float), every_N)
  score_SxNx2 = plane(z_SxNxD, every_N).score_SxNxQ[..., :2]
  guess_SxNx2 = affine(score_SxNx2, circle(angle_N), every_N)
  return r2_mean(circle(angle_N), guess_SxNx2)


def r2_mean(truth_NxF, guess_SxNxF) -> np.ndarray:
  """Returns the mean over targets of their R2, S."""
  return r2(truth_NxF[None], guess_SxNxF, axis=1).mean(-1)
