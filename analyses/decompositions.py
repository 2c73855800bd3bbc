"""The singular value decomposition that the tools here share."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from primelens.analyses import precision


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
  product = lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
  target_QxF = product(found.left_NxQ.T, precision.wide(y_NxF))
  return product(found.right_QxD.T, inverse_Q[:, None] * target_QxF)
