"""Probed subspaces of states, and their company: permuted labels, chance.

Traced, of one member at one level. A subspace is a pair read and write, to be
removed or interchanged by `erasure.erase`: `ridge` is the span of a ridge
regression's directions, orthogonal; `leace` the oblique one that leaves no
covariance. Source: arithmetic spec, section 6, "Causal suite".
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import erasure, linear

ALPHA = 1.0
FREQUENCIES = 5  # of the residue, the best ones among all
CHUNK = 10  # permutations fitted together
VARIANTS = ("ridge", "leace", "ridge, permuted", "leace, permuted", "random")
_exact = lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


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


def kinds(permutations: int, draws: int) -> np.ndarray:
  """Returns the place in VARIANTS of every one of `Subspaces`, R."""
  return np.repeat(np.arange(5), (1, 1, permutations, permutations, draws))


def rank(features: int) -> int:
  """Returns how many directions of so many features are probed, K."""
  return min(features, 2 * FREQUENCIES)


@functools.partial(jax.jit, static_argnames="draws")
def population(state_SxExNxD, y_NxF, order_RxN, *, draws: int, key) -> Subspaces:
  """Returns the subspaces of all members and levels, leading axes SxE.

  `order_RxN` are the permutations of the labels. One network and level at a
  time, which bounds the memory.
  """
  one = lambda state_NxD: of_states(state_NxD, y_NxF, order_RxN, draws=draws, key=key)
  return jax.lax.map(lambda x_ExNxD: jax.lax.map(one, x_ExNxD), state_SxExNxD)


def of_states(x_NxD, y_NxF, order_RxN, *, draws: int, key) -> Subspaces:
  """Returns the probed subspaces, those of permuted labels, chosen and fitted
  in the same way, and random ones of the same rank."""
  count = rank(y_NxF.shape[1])
  x_NxD = _varying(x_NxD - x_NxD.mean(0)[None], x_NxD)
  gram_DxD = _exact(x_NxD.T, x_NxD)
  wrong = lambda order_N: fitted(x_NxD, gram_DxD, y_NxF[order_N], count, refine=False)
  true = fitted(x_NxD, gram_DxD, y_NxF, count)
  true = jax.tree.map(lambda leaf: leaf[None], true)
  null = jax.lax.map(wrong, order_RxN, batch_size=CHUNK)
  normal = jax.random.normal(key, (draws, x_NxD.shape[1], count))
  random_RxDxK = jax.lax.map(linear.basis, normal)
  parts = [true["ridge"], true["leace"], null["ridge"], null["leace"], (random_RxDxK, random_RxDxK)]
  read_RxDxK, write_RxDxK = (jnp.concatenate(arrays) for arrays in zip(*parts, strict=True))
  removed_R = jax.vmap(functools.partial(erasure.removed, gram_DxD))(read_RxDxK, write_RxDxK)
  # Random ones are to move as much as the ridge's.
  like_R = jnp.asarray([0, 1, 0, 1, 0])[kinds(len(order_RxN), draws)]
  ratio_R = removed_R[like_R] / jnp.where(removed_R > 0, removed_R, jnp.inf)
  return Subspaces(read_RxDxK, write_RxDxK, jnp.sqrt(ratio_R), removed_R)


def fitted(x_NxD, gram_DxD, y_NxF, count: int, *, refine=True) -> dict:
  """Returns `ridge` and `leace` of centred states: read and write DxK each.

  Of more features than `count`, pairs of columns, those with the largest R2 on
  these rows are taken. Without `refine` the regression is solved from moments
  alone, once, enough for a null.
  """
  y_NxF = y_NxF - y_NxF.mean(0)[None]
  cross_DxF, column_K = _exact(x_NxD.T, y_NxF), jnp.arange(count)
  if refine:
    kernel_DxF = linear.ridge(x_NxD, y_NxF, ALPHA).kernel_DxF
  else:
    penalty = ALPHA + linear.gram_rounding(gram_DxD)
    penalised_DxD = gram_DxD + penalty * jnp.eye(len(gram_DxD))
    factor = jax.scipy.linalg.cho_factor(penalised_DxD)
    kernel_DxF = jax.scipy.linalg.cho_solve(factor, cross_DxF)
  if y_NxF.shape[1] > count:
    inside_DxF = 2 * cross_DxF - _exact(gram_DxD, kernel_DxF)
    r2_F = jnp.sum(kernel_DxF * inside_DxF, 0) / jnp.sum(y_NxF**2, 0)
    best_Q = jnp.argsort(-r2_F.reshape(-1, 2).mean(1))[: count // 2]
    column_K = (2 * best_Q[:, None] + jnp.arange(2)[None]).ravel()
  basis_DxK = linear.basis(kernel_DxF[:, column_K])
  leace = erasure.whitened(gram_DxD, cross_DxF[:, column_K], ALPHA)
  return {"ridge": (basis_DxK, basis_DxK), "leace": leace}


def _varying(centred_NxD, x_NxD):
  """Returns the deviations, exactly zero where states are all the same up to
  rounding."""
  varies = jnp.mean(centred_NxD**2) > 1e-10 * jnp.mean(x_NxD**2)
  return jnp.where(varies, centred_NxD, 0)
