"""What stays of a network, as a tree of zeros and ones.

A mask has the structure of the params: 1 keeps a number, 0 removes it. Heads,
whole layers and single weights are all such trees, so that they multiply, can
be counted, and hold while a network is trained again.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from primelens.analyses import ablation, trees


def everything(params: Any) -> Any:
  """Returns the mask that keeps every number."""
  return jax.tree.map(jnp.ones_like, params)


def heads(params: Any, keep_LxH: Any, *, kernels: Sequence[tuple[str, int]]) -> Any:
  """Returns the mask without the removed heads' weights, all of them.

  `kernels` names the leaves that belong to heads, each with its axis of the
  heads within one layer: query, key, value and output, as `ablation.heads`
  takes one of them. `keep_LxH` is 1 where a head stays.

  Raises ValueError if a pattern matches nothing or the shapes disagree.
  """
  mask = everything(params)
  for kernel in kernels:
    mask = ablation.heads(mask, keep_LxH, kernels=kernel)
  return mask


def layers(params: Any, keep_L: Any, *, pattern: str) -> Any:
  """Returns the mask without the matching leaves of the removed layers.

  The leaves have a leading L axis. Raises ValueError if none matches, or one
  has another number of layers.
  """
  mask = everything(params)
  where = trees.select(params, pattern)

  def kept(name, leaf):
    if leaf.shape[:1] != jnp.shape(keep_L):
      raise ValueError(f"keep_L has {jnp.shape(keep_L)[0]} layers, {name} the shape {leaf.shape}.")
    keep = jnp.asarray(keep_L, jnp.float32)
    return (leaf * keep.reshape(-1, *[1] * (leaf.ndim - 1))).astype(leaf.dtype)

  return trees.replace(mask, where, kept)


def unchanged(params: Any, masked: Any) -> Any:
  """Returns the mask that made `masked` of the params.

  A weight that was zero before counts as kept, as in `masking.survival`.
  """
  same = lambda before, after: (before == after).astype(before.dtype)
  return jax.tree.map(same, params, masked)


def both(mask: Any, other: Any) -> Any:
  """Returns the mask that keeps what both keep: their product, which is also
  the params under a mask."""
  return jax.tree.map(jnp.multiply, mask, other)


def count(mask: Any) -> jax.Array:
  """Returns how many numbers a mask keeps."""
  parts = [jnp.sum(leaf != 0, dtype=jnp.int32) for leaf in jax.tree.leaves(mask)]
  return sum(parts, jnp.zeros((), jnp.int32))


def head_size(width: int, head_width: int) -> int:
  """Returns the numbers of one attention head without biases, 4 D Dh.

  Query, key and value read D numbers each, the output writes D.
  """
  return 4 * width * head_width
