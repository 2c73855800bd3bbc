"""Ridge regression in closed form, traced: vmap over positions, seeds, nulls.

|y - x w - b|^2 + alpha |w|^2, the intercept b not penalised, as scikit-learn's
`Ridge`. Features and targets of 16 bits, and integers, are counted in float32.
Source: arithmetic spec, sections 4 and 7.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from primelens.analyses import decompositions, precision, regression

FOLDS = 5
ALPHAS_R = (0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4)
_exact = lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


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


def fit(x_NxD, y_NxF, alpha=1.0, weight_N=None, *, refine=True) -> Ridge:
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


def solved(gram_DxD, cross_DxF, alpha) -> jax.Array:
  """Returns (G + alpha I)^-1 c from moments, DxF, solved twice as in `fit`."""
  gram_DxD, cross_DxF = precision.wide(gram_DxD), precision.wide(cross_DxF)
  factor_DxD = _factor(gram_DxD, alpha)
  kernel_DxF = _solve(factor_DxD, cross_DxF)
  gap_DxF = cross_DxF - _exact(_penalised(gram_DxD, alpha), kernel_DxF)
  return kernel_DxF + _solve(factor_DxD, gap_DxF)


def rounding(gram_DxD) -> jax.Array:
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
  return fit(x_NxD, y_NxF, alpha, weight_N).predict(x_NxD), alpha


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
      kernel_DxF = solved(gram_DxD, cross_DxF, alpha)
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
    return fit(z_NxD, y_NxF, alpha, inside_N).predict(z_NxD)

  guess_FOLDSxNxF = jax.vmap(one)(jnp.arange(FOLDS))
  return guess_FOLDSxNxF[fold_N, jnp.arange(len(x_NxD))]


def fold_r2(y_NxF, guess_NxF, fold_N=None) -> jax.Array:
  """Returns R2 of each target, the mean over folds of each fold's own, F: as
  scikit-learn's `cross_val_score`. `fold_N` as in `cross_predicted`."""
  fold_N = folds(jnp.ones(len(y_NxF))) if fold_N is None else jnp.asarray(fold_N)
  one = lambda fold: r2(y_NxF, guess_NxF, fold_N == fold)
  return jax.vmap(one)(jnp.arange(FOLDS)).mean(0)


def r2(y_NxF, guess_NxF, scored_N=None) -> jax.Array:
  """Returns R2 of every target over the scored rows (a bool), F.

  NaN for a target that is constant there (`regression.explained`).
  """
  y_NxF, guess_NxF = precision.wide(y_NxF), precision.wide(guess_NxF)
  weight_N = _weights(y_NxF, scored_N)
  error_F = _mean((y_NxF - guess_NxF) ** 2, weight_N)
  return regression.explained(error_F, _moments(y_NxF, weight_N)[1])


def degrees_of_freedom(x_NxD, alpha, weight_N=None) -> jax.Array:
  """Returns the sum of l / (l + alpha) over the eigenvalues l of the centred
  x^T x of the rows with weight: how many parameters the ridge fits."""
  x_NxD = precision.wide(x_NxD)
  weight_N = _weights(x_NxD, weight_N)
  gap_NxD = x_NxD - _mean(x_NxD, weight_N)[None]
  gram_DxD = _exact((gap_NxD * weight_N[:, None]).T, gap_NxD)
  value_D = decompositions.svd(gram_DxD).value_Q
  # Sums over many rows are off by more in some versions: up to 7 eps trace.
  value_D = jnp.where(value_D > 4 * rounding(gram_DxD), value_D, 0)
  return jnp.sum(value_D / (value_D + alpha))


def mean_squared_error(y_NxF, guess_NxF) -> jax.Array:
  """Returns the mean over rows and targets of the squared error."""
  return jnp.mean((precision.wide(y_NxF) - precision.wide(guess_NxF)) ** 2)


def _penalised(gram_DxD, alpha):
  return gram_DxD + alpha * jnp.eye(len(gram_DxD), dtype=gram_DxD.dtype)


def _factor(gram_DxD, alpha):
  """Returns the lower Cholesky factor of G + alpha I.

  A Gram matrix that lacks rank may have none, by rounding: then that with
  `rounding` more on the diagonal. On a CPU a batch is factored one matrix at a
  time, see `decompositions.svd`.
  """
  factor = lambda penalised_DxD: jax.lax.platform_dependent(
    penalised_DxD, cpu=_factor_in_turn, default=jnp.linalg.cholesky
  )
  plain_DxD = factor(_penalised(gram_DxD, alpha))
  more_DxD = factor(_penalised(gram_DxD, alpha + rounding(gram_DxD)))
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
