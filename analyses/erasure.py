"""Subspaces erased from states; probed ones beside permuted and random ones.

An eraser is x -> x - (x - centre) read write^T: orthogonal where both are one
orthonormal basis, oblique where they are not. LEACE is the oblique one after
which x and z are uncorrelated and which moves x least (Belrose et al. 2023);
iterated null-space projection removes one direction after another.

`Moments` and what takes them are numpy in float64 and may have leading axes
(seeds, folds); a linear probe or readout needs nothing else of the rows.
`whitened`, `erase` and `removed` are traced. Source: docs/sources/text.md,
sections 4.2 and 5.2.

Traced, of one member at one level. A subspace is a pair read and write, to be
removed or interchanged by `erasure.erase`: `ridge` is the span of a ridge
regression's directions, orthogonal; `leace` the oblique one that leaves no
covariance. Source: docs/sources/text.md, section 6, "Causal suite".
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import counts, linear, precision

# --- erasers --------------------------------------------------------------------------------------


# Of the largest: less is rounding, and no direction.
RANK = 1e-12
_exact = lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
_turned = lambda x: np.swapaxes(x, -1, -2)


class Moments(NamedTuple):
  """Rows, means, and sums over rows of products of the deviations."""

  rows: int
  mean_D: np.ndarray
  target_F: np.ndarray
  gram_DxD: np.ndarray
  cross_DxF: np.ndarray
  total_FxF: np.ndarray


class Eraser(NamedTuple):
  """x -> x - (x - mean) read write^T."""

  mean_D: np.ndarray
  read_DxK: np.ndarray
  write_DxK: np.ndarray


def moments(x_NxD, y_NxF) -> Moments:
  """Returns the moments of states ...xNxD and targets ...xNxF."""
  (x_NxD, x_D), (y_NxF, y_F) = _centred(x_NxD), _centred(y_NxF)
  return Moments(
    rows=x_NxD.shape[-2],
    mean_D=x_D,
    target_F=y_F,
    gram_DxD=_turned(x_NxD) @ x_NxD,
    cross_DxF=_turned(x_NxD) @ y_NxF,
    total_FxF=_turned(y_NxF) @ y_NxF,
  )


def ridge(found: Moments, alpha: float = 1.0) -> np.ndarray:
  """Returns the ridge regression's kernel DxF, its intercept not penalised.

  (X^T X + alpha I)^-1 X^T y about the means, as scikit-learn's `Ridge`.
  """
  penalty_DxD = alpha * np.eye(found.gram_DxD.shape[-1])
  return np.linalg.solve(found.gram_DxD + penalty_DxD, found.cross_DxF)


def intercept(found: Moments, kernel_DxF) -> np.ndarray:
  """Returns the intercept F that makes errors zero on average."""
  inside_F = (found.mean_D[..., None, :] @ kernel_DxF)[..., 0, :]
  return found.target_F - inside_F


def squared_error(found: Moments, kernel_DxF, bias_F) -> np.ndarray:
  """Returns the mean squared error of x kernel + bias over the rows, F."""
  diagonal = lambda x_FxF: np.diagonal(x_FxF, axis1=-2, axis2=-1)
  square_F = (
    diagonal(found.total_FxF)
    - 2 * np.sum(kernel_DxF * found.cross_DxF, -2)
    + np.sum(kernel_DxF * (found.gram_DxD @ kernel_DxF), -2)
  )
  offset_F = intercept(found, kernel_DxF) - bias_F
  return square_F / found.rows + offset_F**2


def r2(scored: Moments, kernel_DxF, bias_F) -> np.ndarray:
  """Returns R2 of x kernel + bias on the scored rows, F; NaN for a constant
  target (`linear.explained`)."""
  variance_F = np.diagonal(scored.total_FxF, axis1=-2, axis2=-1) / scored.rows
  return linear.explained(squared_error(scored, kernel_DxF, bias_F), variance_F)


def without(found: Moments, eraser: Eraser) -> Moments:
  """Returns the moments of the erased states."""
  kept_DxD = np.eye(found.gram_DxD.shape[-1])
  kept_DxD = kept_DxD - eraser.read_DxK @ _turned(eraser.write_DxK)
  gap_D = found.mean_D - eraser.mean_D
  mean_D = eraser.mean_D + (gap_D[..., None, :] @ kept_DxD)[..., 0, :]
  return found._replace(
    mean_D=mean_D,
    gram_DxD=_turned(kept_DxD) @ found.gram_DxD @ kept_DxD,
    cross_DxF=_turned(kept_DxD) @ found.cross_DxF,
  )


def readout(eraser: Eraser, kernel_DxF, bias_F):
  """Returns kernel and bias of a readout x kernel + bias of erased states, as
  a readout of states as they were."""
  said_KxF = _turned(eraser.write_DxK) @ kernel_DxF
  lost_DxF = eraser.read_DxK @ said_KxF
  mean_F = (eraser.mean_D[..., None, :] @ lost_DxF)[..., 0, :]
  return kernel_DxF - lost_DxF, bias_F + mean_F


def directions(mean_D, direction_DxK) -> Eraser:
  """Returns the orthogonal eraser of exactly the span of some directions.

  Of repeated or dependent ones too, `...xDxK`: columns of the basis beyond
  their rank are zero, see `span`.
  """
  basis_DxK = span(direction_DxK)
  return Eraser(np.asarray(mean_D), basis_DxK, basis_DxK)


def span(direction_DxK) -> np.ndarray:
  """Returns an orthonormal basis `...xDxQ` of the columns' span, Q = min(D, K).

  The left singular vectors; those beyond the rank are zero and erase nothing.
  A singular value counts from `RANK` of the largest on, or from max(D, K)
  rounding units of the numbers given where that is more.
  """
  width, count = np.shape(direction_DxK)[-2:]
  tolerance = max(RANK, max(width, count) * precision.epsilon(direction_DxK))
  left_DxQ, size_Q, _ = np.linalg.svd(np.asarray(direction_DxK, float), full_matrices=False)
  return left_DxQ * (size_Q > tolerance * size_Q[..., :1])[..., None, :]


def leace(found: Moments, tolerance: float = 1e-10) -> Eraser:
  """Returns the least-squares eraser of the targets.

  Whiten, project out the covariance with the targets, unwhiten:
  x - W^+ U U^T W (x - mean) with W = cov^(-1/2) and U a basis of W cov(x, y).
  Directions with less than `tolerance` of the largest variance have none.
  """
  value_D, vector_DxD = np.linalg.eigh(found.gram_DxD / found.rows)
  varies_D = value_D > tolerance * value_D[..., -1:]
  root_D = np.sqrt(np.where(varies_D, value_D, 1))
  there_D = varies_D.astype(float)
  scaled = lambda scale_D: (vector_DxD * scale_D[..., None, :]) @ _turned(vector_DxD)
  white_DxD, back_DxD = scaled(there_D / root_D), scaled(there_D * root_D)
  left_DxF = span(white_DxD @ found.cross_DxF)
  return Eraser(found.mean_D, white_DxD @ left_DxF, back_DxD @ left_DxF)


def null_space(found: Moments, count: int, alpha: float = 1.0) -> np.ndarray:
  """Returns `count` orthonormal directions `...xRxD` by iterated removal.

  Each is the ridge direction of the first target on states without the ones
  before it (Ravfogel et al. 2020). Where nothing of the target is left to read,
  beyond the rank of the states at the latest, the rows are zero and erase
  nothing: no direction comes twice. What is left counts from `RANK` of the
  covariance on.

  Raises ValueError for a count below 0, or an alpha of 0 or less.
  """
  counts.whole(count=count)
  if not alpha > 0:
    raise ValueError(f"need alpha > 0, got {alpha}.")
  whole = np.linalg.norm(found.cross_DxF[..., 0], axis=-1, keepdims=True)
  direction_RxD = np.zeros((*found.mean_D.shape[:-1], count, found.mean_D.shape[-1]))
  # Where states do not vary, a small penalty makes much of rounding.
  value_D, vector_DxD = np.linalg.eigh(found.gram_DxD)
  varies_DxD = _turned(vector_DxD) * (value_D > RANK * value_D[..., -1:])[..., None]
  left = found
  for r in range(count):
    before_RxD = direction_RxD[..., :r, :]
    read_D, seen_D = (
      _within(varies_DxD, x_D - _within(before_RxD, x_D))
      for x_D in (ridge(left, alpha)[..., 0], left.cross_DxF[..., 0])
    )
    size = np.linalg.norm(read_D, axis=-1, keepdims=True)
    there = (np.linalg.norm(seen_D, axis=-1, keepdims=True) > RANK * whole) & (size > 0)
    direction_RxD[..., r, :] = np.where(there, read_D / np.where(there, size, 1), 0)
    column_Dx1 = direction_RxD[..., r, :, None]
    left = without(left, Eraser(left.mean_D, column_Dx1, column_Dx1))
  return direction_RxD


def _within(direction_RxD, x_D):
  """Returns the part of x inside the span of orthonormal rows."""
  return (_turned(direction_RxD) @ (direction_RxD @ x_D[..., None]))[..., 0]


def _centred(x_NxF):
  """Returns deviations from the mean, and the mean, in float64."""
  x_NxF = np.asarray(x_NxF, float)
  # About a row: a constant has no deviation in any precision.
  gap_NxF = x_NxF - x_NxF[..., :1, :]
  gap_F = gap_NxF.mean(-2)
  return gap_NxF - gap_F[..., None, :], x_NxF[..., 0, :] + gap_F


def whitened(gram_DxD, cross_DxK, alpha=0.0) -> tuple[jax.Array, jax.Array]:
  """Returns read and write DxK of LEACE, traced: read = L^-T U, write = L U.

  L L^T = gram + (alpha + rounding) I and U a basis of L^-1 cross. A penalty
  makes room for states that do not vary everywhere; the covariance left is
  zero all the same, as it is with any metric. Columns beyond the rank are
  zero. On a CPU a batch goes one at a time, see `decompositions.svd`.
  """
  gram_DxD, cross_DxK = precision.wide(gram_DxD), precision.wide(cross_DxK)
  alpha = jnp.asarray(alpha, gram_DxD.dtype)
  return jax.lax.platform_dependent(
    gram_DxD, cross_DxK, alpha, cpu=_whitened_in_turn, default=_whitened
  )


def _whitened(gram_DxD, cross_DxK, alpha):
  penalty = alpha + linear.gram_rounding(gram_DxD)
  penalty_DxD = penalty * jnp.eye(len(gram_DxD), dtype=gram_DxD.dtype)
  lower_DxD = jnp.linalg.cholesky(gram_DxD + penalty_DxD)
  solve = functools.partial(jax.scipy.linalg.solve_triangular, lower_DxD, lower=True)
  inside_DxK = linear.basis(solve(cross_DxK))
  return solve(inside_DxK, trans=1), _exact(lower_DxD, inside_DxK)


_whitened_in_turn = jax.custom_batching.sequential_vmap(_whitened)


def erase(x_NxD, centre_NxD, read_DxK, write_DxK) -> jax.Array:
  """Returns x - (x - centre) read write^T, traced; the centre is a mean, or
  another row's state, whose component then takes the place of x's. In float32
  at least, returned in the type of x, or of x in float32 for integers."""
  wide_NxD, write_DxK = precision.wide(x_NxD), precision.wide(write_DxK)
  inside_NxK = _exact(wide_NxD - precision.wide(centre_NxD), precision.wide(read_DxK))
  erased_NxD = wide_NxD - _exact(inside_NxK, write_DxK.T)
  return erased_NxD.astype(linear.projected_type(x_NxD))


def removed(gram_DxD, read_DxK, write_DxK) -> jax.Array:
  """Returns the mean square displacement by `erase` about the mean over the
  variance of the states, traced: 1 where everything is removed."""
  gram_DxD, read_DxK, write_DxK = map(precision.wide, (gram_DxD, read_DxK, write_DxK))
  inside_KxK = _exact(read_DxK.T, _exact(gram_DxD, read_DxK))
  moved = jnp.sum(inside_KxK * _exact(write_DxK.T, write_DxK))
  total = jnp.trace(gram_DxD)
  return moved / jnp.where(total > 0, total, 1)


# --- probed subspaces, of permuted labels, and random ones ----------------------------------------


ALPHA = 1.0
FREQUENCIES = 5  # of the residue, the best ones among all
CHUNK = 10  # permutations fitted together
VARIANTS = ("ridge", "leace", "ridge, permuted", "leace, permuted", "random")
_product = lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


class Subspaces(NamedTuple):
  """Pairs RxDxK, one after another: the probed two, then the draws.

  `kind_R` is the place in VARIANTS, `removed_R` the share of the variance that
  goes with the subspace, `strength_R` what the subspace is scaled by to move
  states as far as the probed one of its kind does (`ridge` for random ones).
  """

  read_RxDxK: jax.Array
  write_RxDxK: jax.Array
  strength_R: jax.Array
  removed_R: jax.Array


def variants_of(permutations: int, draws: int) -> np.ndarray:
  """Returns the place in VARIANTS of every one of `Subspaces`, R."""
  return np.repeat(np.arange(5), (1, 1, permutations, permutations, draws))


def probed_rank(features: int) -> int:
  """Returns how many directions of so many features are probed, K."""
  return min(features, 2 * FREQUENCIES)


@functools.partial(jax.jit, static_argnames="draws")
def probed_population(state_SxExNxD, y_NxF, order_RxN, *, draws: int, key) -> Subspaces:
  """Returns the subspaces of all members and levels, leading axes SxE.

  `order_RxN` are the permutations of the labels. One network and level at a
  time, which bounds the memory.
  """
  one = lambda state_NxD: probed(state_NxD, y_NxF, order_RxN, draws=draws, key=key)
  return jax.lax.map(lambda x_ExNxD: jax.lax.map(one, x_ExNxD), state_SxExNxD)


def probed(x_NxD, y_NxF, order_RxN, *, draws: int, key) -> Subspaces:
  """Returns the probed subspaces, those of permuted labels, chosen and fitted
  in the same way, and random ones of the same rank."""
  count = probed_rank(y_NxF.shape[1])
  x_NxD = _varying(x_NxD - x_NxD.mean(0)[None], x_NxD)
  gram_DxD = _product(x_NxD.T, x_NxD)
  wrong = lambda order_N: fitted_subspaces(x_NxD, gram_DxD, y_NxF[order_N], count, refine=False)
  true = fitted_subspaces(x_NxD, gram_DxD, y_NxF, count)
  true = jax.tree.map(lambda leaf: leaf[None], true)
  null = jax.lax.map(wrong, order_RxN, batch_size=CHUNK)
  normal = jax.random.normal(key, (draws, x_NxD.shape[1], count))
  random_RxDxK = jax.lax.map(linear.basis, normal)
  parts = [true["ridge"], true["leace"], null["ridge"], null["leace"], (random_RxDxK, random_RxDxK)]
  read_RxDxK, write_RxDxK = (jnp.concatenate(arrays) for arrays in zip(*parts, strict=True))
  removed_R = jax.vmap(functools.partial(removed, gram_DxD))(read_RxDxK, write_RxDxK)
  # Random ones are to move as much as the ridge's.
  like_R = jnp.asarray([0, 1, 0, 1, 0])[variants_of(len(order_RxN), draws)]
  ratio_R = removed_R[like_R] / jnp.where(removed_R > 0, removed_R, jnp.inf)
  return Subspaces(read_RxDxK, write_RxDxK, jnp.sqrt(ratio_R), removed_R)


def fitted_subspaces(x_NxD, gram_DxD, y_NxF, count: int, *, refine=True) -> dict:
  """Returns `ridge` and `leace` of centred states: read and write DxK each.

  Of more features than `count`, pairs of columns, those with the largest R2 on
  these rows are taken. Without `refine` the regression is solved from moments
  alone, once, enough for a null.
  """
  y_NxF = y_NxF - y_NxF.mean(0)[None]
  cross_DxF, column_K = _product(x_NxD.T, y_NxF), jnp.arange(count)
  if refine:
    kernel_DxF = linear.ridge(x_NxD, y_NxF, ALPHA).kernel_DxF
  else:
    penalty = ALPHA + linear.gram_rounding(gram_DxD)
    penalised_DxD = gram_DxD + penalty * jnp.eye(len(gram_DxD))
    factor = jax.scipy.linalg.cho_factor(penalised_DxD)
    kernel_DxF = jax.scipy.linalg.cho_solve(factor, cross_DxF)
  if y_NxF.shape[1] > count:
    inside_DxF = 2 * cross_DxF - _product(gram_DxD, kernel_DxF)
    r2_F = jnp.sum(kernel_DxF * inside_DxF, 0) / jnp.sum(y_NxF**2, 0)
    best_Q = jnp.argsort(-r2_F.reshape(-1, 2).mean(1))[: count // 2]
    column_K = (2 * best_Q[:, None] + jnp.arange(2)[None]).ravel()
  basis_DxK = linear.basis(kernel_DxF[:, column_K])
  leace = whitened(gram_DxD, cross_DxF[:, column_K], ALPHA)
  return {"ridge": (basis_DxK, basis_DxK), "leace": leace}


def _varying(centred_NxD, x_NxD):
  """Returns the deviations, exactly zero where states are all the same up to
  rounding."""
  varies = jnp.mean(centred_NxD**2) > 1e-10 * jnp.mean(x_NxD**2)
  return jnp.where(varies, centred_NxD, 0)
