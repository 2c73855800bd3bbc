"""States replaced in a forward pass: whole, or along a subspace.

A change is a function of the states BxTxD of one place; `edits` has it made at
one level of a transformer, which may be traced, so that levels are a vmapped
axis. Levels are 0: the embeddings with their positions; l: the states after
block l; layers + 1: the final ones, after the last norm. Source:
docs/sources/text.md, section 6.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from primelens.analyses import erasure, precision

Change = Callable[[jax.Array], jax.Array]


def at(position_B, length: int) -> jax.Array:
  """Returns where the given position of each row is, BxT bool; nowhere where
  it is -1."""
  return jnp.arange(length)[None] == jnp.asarray(position_B)[:, None]


def replaced(donor_BxTxD, where_BxT) -> Change:
  """Returns the change that puts a donor's states in some places."""
  return lambda x_BxTxD: jnp.where(where_BxT[..., None], donor_BxTxD.astype(x_BxTxD.dtype), x_BxTxD)


def along(centre_BxD, read_DxK, write_DxK, where_BxT) -> Change:
  """Returns the change x -> x - (x - centre) read write^T in some places.

  The centre is a mean (the subspace is removed) or a donor's state (it is
  interchanged); 1xD serves all rows.
  """

  def change(x_BxTxD):
    erased = erasure.erase(x_BxTxD, centre_BxD[:, None], read_DxK, write_DxK)
    return jnp.where(where_BxT[..., None], erased, x_BxTxD)

  return change


def edits(change: Change, level, layers: int) -> dict[str, Callable]:
  """Returns the edits of a forward pass that make a change at one level.

  All sites compute it and one takes it, whichever `level` says: a traced layer
  cannot be branched on.
  """

  def made(here, x_BxTxD):
    return jnp.where(here, change(x_BxTxD), x_BxTxD)

  last = layers - 1
  return {
    "residual/pre": lambda x, layer: made(layer == level, x),
    "residual/post": lambda x, layer: made((layer == last) & (level == layers), x),
    "final": lambda x, layer: made(level == layers + 1, x),
  }


def moved(patched_N, clean_N, donor_N, weight_N) -> jax.Array:
  """Returns mean (patched - clean) / mean (donor - clean) over rows with
  weight: 0 where nothing follows the donor, 1 where all does."""
  patched_N, clean_N, donor_N = map(precision.wide, (patched_N, clean_N, donor_N))
  mean = lambda value_N: jnp.sum(value_N * weight_N)
  way = mean(donor_N - clean_N)
  return mean(patched_N - clean_N) / jnp.where(way == 0, jnp.nan, way)


def slope(patched_NxV, clean_NxV, donor_NxV) -> jax.Array:
  """Returns sum (patched - clean)(donor - clean) / sum (donor - clean)^2: as
  `moved`, where donors differ to either side."""
  patched_NxV, clean_NxV, donor_NxV = map(precision.wide, (patched_NxV, clean_NxV, donor_NxV))
  way_NxV = donor_NxV - clean_NxV
  size = jnp.sum(way_NxV**2)
  done = jnp.sum((patched_NxV - clean_NxV) * way_NxV)
  return done / jnp.where(size == 0, jnp.nan, size)
