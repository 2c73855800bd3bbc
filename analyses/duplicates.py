"""Columns that point the same way: which are copies, and how many remain."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from primelens.analyses import precision


class Blocks(NamedTuple):
  """Groups of columns, numbered by falling weight.

  `rank_F` is the number of each column's group; `size_F` and `weight_F` are
  of the groups, in that order, 0 beyond the last.
  """

  rank_F: jax.Array
  size_F: jax.Array
  weight_F: jax.Array


def cosines(x_DxF) -> jax.Array:
  """Returns the cosine of every two columns: FxF, 0 with a zero column."""
  x_DxF = precision.wide(x_DxF)
  norm_F = jnp.linalg.norm(x_DxF, axis=0)
  unit_DxF = x_DxF / jnp.where(norm_F > 0, norm_F, 1)[None]
  return jnp.matmul(unit_DxF.T, unit_DxF, precision=jax.lax.Precision.HIGHEST)


def components(adjacent_FxF) -> jax.Array:
  """Returns each node's connected component, named by its lowest node: F.

  `adjacent_FxF` is symmetric; a node is its own neighbour.
  """
  count = len(adjacent_FxF)
  near_FxF = jnp.asarray(adjacent_FxF, bool) | jnp.eye(count, dtype=bool)

  def lowest(state):
    label_F, _ = state
    near_F = jnp.where(near_FxF, label_F[None], count).min(1)
    # The label is a node too: jump to that node's own label.
    return near_F[near_F], label_F

  start = (jnp.arange(count), jnp.full(count, -1))
  moving = lambda state: jnp.any(state[0] != state[1])
  return jax.lax.while_loop(moving, lowest, start)[0]


def blocks(x_DxF, weight_F, threshold: float = 0.99) -> Blocks:
  """Returns the groups of columns linked by cosines above the threshold.

  The components of the graph, so that two columns of a group may be less
  alike than the threshold. `weight_F` of the columns is summed in each group.
  """
  label_F = components(cosines(x_DxF) > threshold)
  count = len(label_F)
  total = lambda value_F: jnp.zeros(count, value_F.dtype).at[label_F].add(value_F)
  size_F, weight_F = total(jnp.ones_like(label_F)), total(precision.wide(weight_F))
  # Names that are no group's come last.
  order_F = jnp.lexsort((-weight_F, size_F == 0))
  rank_F = jnp.zeros_like(label_F).at[order_F].set(jnp.arange(count))
  return Blocks(rank_F[label_F], size_F[order_F], weight_F[order_F])


def effective_number(weight_F) -> jax.Array:
  """Returns (sum w)^2 / sum w^2: n for n equal weights, the rest 0."""
  weight_F = precision.wide(weight_F)
  return jnp.sum(weight_F) ** 2 / jnp.sum(weight_F**2)
