"""Attention heads removed, by weights and by activation edits.

Masks are `keep_LxH`: 1 keeps, 0 removes, values between interpolate. The edits
are functions `f(x, layer) -> x` with a traced layer index, to be used at a
named site of a forward pass.
"""

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import counts, trees

Edit = Callable[[jax.Array, jax.Array], jax.Array]


def each_head(layers: int, heads: int) -> np.ndarray:
  """Returns `keep_RxLxH`, R = L H: one head removed at a time, layer by layer.

  Raises ValueError if a size is below 1.
  """
  counts.whole(layers=layers, heads=heads)
  if layers < 1 or heads < 1:
    raise ValueError(f"got {layers} layers and {heads} heads, need >= 1 each.")
  keep_RxR = 1 - np.eye(layers * heads, dtype=np.float32)
  return keep_RxR.reshape(layers * heads, layers, heads)


def without(layers: int, heads: int, removed: Iterable[tuple[int, int]]) -> np.ndarray:
  """Returns `keep_LxH` with a set of (layer, head) pairs removed jointly.

  Raises ValueError if a pair lies outside the model.
  """
  keep_LxH = np.ones((layers, heads), np.float32)
  for layer, head in removed:
    if not (0 <= layer < layers and 0 <= head < heads):
      raise ValueError(f"head {(layer, head)} is outside {layers} layers of {heads} heads.")
    keep_LxH[layer, head] = 0
  return keep_LxH


def heads(params: Any, keep_LxH: Any, *, kernels: tuple[str, int]) -> Any:
  """Returns the params with the removed heads' output projections at zero.

  `kernels = (pattern, axis)` says where heads are written to the residual: the
  leaves that `pattern` matches, and the axis of the heads within one layer.
  Either one leaf with a leading L axis (LxHxDhxD, axis 0), or a leaf per layer
  (HxDhxD, axis 0), in the order of the numbers in their names. A bias after
  the sum over heads belongs to no head and stays.

  Raises ValueError if the pattern matches nothing or the shapes disagree.
  """
  pattern, axis = kernels
  where = trees.select(params, pattern)
  chosen = trees.selected(params, where)
  layers, _ = mask_shape = jnp.shape(keep_LxH)
  stacked = _is_stacked(list(chosen.values()), axis, mask_shape)
  if not stacked:
    _check_kernels(chosen, axis, mask_shape)
  layer_of = {name: i for i, name in enumerate(sorted(chosen, key=_natural))}

  def kept(name, leaf):
    keep = jnp.asarray(keep_LxH, jnp.float32)
    keep = keep if stacked else keep[layer_of[name]]
    lead = [layers] if stacked else []
    shape = [1] * (leaf.ndim - len(lead))
    shape[axis] = -1
    return (leaf * keep.reshape(*lead, *shape)).astype(leaf.dtype)

  return trees.replace(params, where, kept)


def zero_heads(keep_LxH: jax.Array) -> Edit:
  """Returns the edit `x_BxTxHxDh -> keep x`, for site attention/head.

  The site is the output of each head before the projection: this is the
  ablation of a head.
  """
  return lambda x_BxTxHxDh, layer: x_BxTxHxDh * _of_layer(keep_LxH, layer, x_BxTxHxDh)


def mean_heads(keep_LxH: jax.Array, mean_LxHxDh: jax.Array) -> Edit:
  """Returns the edit `x -> keep x + (1 - keep) mean`, for site attention/head.

  A removed head goes on saying what it says on average, so what is lost is its
  dependence on the input, not the level the next layers are used to.
  """

  def edit(x_BxTxHxDh, layer):
    keep = _of_layer(keep_LxH, layer, x_BxTxHxDh)
    mean_HxDh = jnp.asarray(mean_LxHxDh)[layer].astype(x_BxTxHxDh.dtype)
    return keep * x_BxTxHxDh + (1 - keep) * mean_HxDh[None, None]

  return edit


def residual_slices(keep_LxH: jax.Array) -> Edit:
  """Returns the published "head ablation", for site attention/out.

  It zeroes channels Dh h .. Dh (h + 1) of the projection's OUTPUT, D = H Dh.
  All heads write to all channels, so no head is removed: the slice is one of
  the residual stream. Kept to reproduce the published numbers.

  Raises ValueError if H does not divide D.
  """

  def edit(x_BxTxD, layer):
    heads_count, width = jnp.shape(keep_LxH)[1], x_BxTxD.shape[-1]
    if width % heads_count:
      raise ValueError(f"{heads_count} heads do not divide width {width}.")
    x_BxTxHxDh = x_BxTxD.reshape(*x_BxTxD.shape[:-1], heads_count, -1)
    keep = _of_layer(keep_LxH, layer, x_BxTxHxDh)
    return (x_BxTxHxDh * keep).reshape(x_BxTxD.shape)

  return edit


def _of_layer(keep_LxH, layer, x_BxTxHxDh):
  """Returns the layer's mask, shaped and typed to multiply the heads."""
  keep_H = jnp.asarray(keep_LxH)[layer].astype(x_BxTxHxDh.dtype)
  if keep_H.shape != x_BxTxHxDh.shape[-2:-1]:
    raise ValueError(
      f"the mask is for {keep_H.shape[0]} heads, the site has the shape"
      f" {x_BxTxHxDh.shape} (heads are the last axis but one)."
    )
  return keep_H[None, None, :, None]


def _natural(name):
  """Returns a sort key that puts block_2 before block_10."""
  parts = re.split(r"(\d+)", name)
  return [int(part) if part.isdigit() else part for part in parts]


def _is_stacked(leaves, axis, mask_shape):
  """Is this one leaf with the layers on its first axis?"""
  shape = leaves[0].shape
  return len(leaves) == 1 and len(shape) > axis + 1 and (shape[0], shape[axis + 1]) == mask_shape


def _check_kernels(chosen, axis, mask_shape):
  shapes = {name: leaf.shape for name, leaf in chosen.items()}
  layers, count = mask_shape
  if len(shapes) != layers or any(
    len(shape) <= axis or shape[axis] != count for shape in shapes.values()
  ):
    raise ValueError(
      f"keep_LxH has the shape {mask_shape}, which fits neither one leaf per"
      f" layer with heads on axis {axis} nor one leaf with L before that:"
      f" {shapes}."
    )


def removals(layers: int, heads: int) -> dict[str, np.ndarray]:
  """Returns all removals of the analysis, stacked along R.

  First none, then every head alone by zero, by mean and as the published
  slice, then the joint removals of `removal_counts`, by zero and by mean.
  """
  each_RxLxH = each_head(layers, heads)
  count_R = removal_counts(layers * heads)
  singles, joint = len(each_RxLxH), len(count_R)
  total = 1 + 3 * singles + 2 * joint
  rows = {
    "keep_LxH": np.ones((total, layers, heads), np.float32),
    "slice_LxH": np.ones((total, layers, heads), np.float32),
    "use_mean": np.zeros(total, np.float32),
    "count": np.zeros(total, np.int32),
  }
  zero, mean, cut = (slice(1 + k * singles, None) for k in range(3))
  rows["keep_LxH"][zero][:singles] = each_RxLxH
  rows["keep_LxH"][mean][:singles] = each_RxLxH
  rows["slice_LxH"][cut][:singles] = each_RxLxH
  rows["use_mean"][mean][:singles] = 1
  rows["count"][1 + 3 * singles :] = np.concatenate([count_R, count_R])
  rows["use_mean"][1 + 3 * singles + joint :] = 1
  return rows


@functools.cache
def average_heads(apply_fn, batch: int):
  """Returns `f(params_S, windows)`: heads' mean outputs, SxLxHxDh."""

  def mean(params, window_NxT1):
    def one(row):
      _, activations = apply_fn(params, row[None, :-1], sites=_HEAD)
      return activations["attention/head"].mean((1, 2))  # over B and T

    return jax.lax.map(one, window_NxT1, batch_size=batch).mean(0)

  return jax.jit(jax.vmap(mean, (0, None)))


_HEAD = ("attention/head",)


def removal_counts(total: int) -> np.ndarray:
  """Returns how many heads to remove jointly, at most 17 numbers."""
  return np.unique(np.linspace(0, total, min(total, 16) + 1).astype(int))
