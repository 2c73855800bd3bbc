"""Principal components of activations or weights, traced."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from primelens.analyses import decompositions, precision


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
  `subspace.keep(x - mean_D, direction_QxD[:1].T)` to keep the first alone.
  """
  x_NxD = precision.wide(x_NxD)
  mean_D = x_NxD.mean(0) if centre else jnp.zeros_like(x_NxD[0])
  left_NxQ, value_Q, direction_QxD = decompositions.svd(x_NxD - mean_D[None])
  return Components(
    mean_D=mean_D,
    score_NxQ=left_NxQ * value_Q[None],
    direction_QxD=direction_QxD,
    share_Q=value_Q**2 / jnp.sum(value_Q**2),
  )


def oriented(components: Components) -> Components:
  """Returns the components with signs fixed by the order of the rows.

  The first score increases along the rows (covariance with the row number),
  every other score is positive at the first row (spec A4).
  """
  score_NxQ = jnp.asarray(components.score_NxQ)
  row_N = jnp.arange(len(score_NxQ), dtype=score_NxQ.dtype)
  slope = jnp.sum((row_N - row_N.mean()) * score_NxQ[:, 0])
  sign_Q = jnp.where(score_NxQ[0].at[0].set(slope) < 0, -1, 1)
  return components._replace(
    score_NxQ=score_NxQ * sign_Q[None], direction_QxD=components.direction_QxD * sign_Q[:, None]
  )
