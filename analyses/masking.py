"""Masks on weights, heads and layers, and the controls a mask has to beat.

Every mask is `f(params, keep, *, where) -> params`: `keep` is the fraction of
the selected numbers that stays (1 is the identity, 0 removes everything), is
traced, and may be swept by vmap; `where` comes from `trees.select`.

A mask has the structure of the params: 1 keeps a number, 0 removes it. Heads,
whole layers and single weights are all such trees, so that they multiply, can
be counted, and hold while a network is trained again.
"""

from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import ablation, precision, trees

# --- masks of single weights ----------------------------------------------------------------------


def magnitude(
  params: Any, keep: jax.Array | float, *, where: Any, scope: Literal["global", "leaf"] = "global"
) -> Any:
  """Returns the params with all but the largest selected weights set to zero.

  Of n selected numbers the round(keep n) largest in |w| stay, exactly, with
  ties broken by position; |w| is that of the number in float32, whatever its
  type. Scope "global" ranks all selected leaves together,
  "leaf" each on its own. NaN ranks as the largest, so it is never hidden.

  Raises ValueError for another scope.
  """
  if scope not in ("global", "leaf"):
    raise ValueError(f"scope must be 'global' or 'leaf', got {scope!r}.")
  size_E = _sizes(params, where)
  if scope == "leaf":
    mask_E = {
      name: _largest(size.ravel(), _count(keep, size.size)).reshape(size.shape)
      for name, size in size_E.items()
    }
  else:
    size_N = _flat(size_E)
    mask_E = _like(_largest(size_N, _count(keep, size_N.size)), size_E)
  return _apply(params, where, mask_E)


def magnitude_as_published(params: Any, ratio: jax.Array | float, *, where: Any) -> Any:
  """Returns the params masked by the published rule: |w| >= threshold stays.

  The threshold is the linearly interpolated `ratio`-quantile of the selected
  |w| together. `ratio` is the fraction REMOVED: 0 is the identity, but 1 still
  keeps the largest weight, and tied weights stay or go together; `magnitude`
  at 1 - ratio differs from it by no more than that and one weight of rounding.
  """
  size_E = _sizes(params, where)
  threshold = _quantile(_flat(size_E), jnp.asarray(ratio, jnp.float32))
  mask_E = {name: size >= threshold for name, size in size_E.items()}
  return _apply(params, where, mask_E)


def random(params: Any, keep: jax.Array | float, *, where: Any, key: jax.Array) -> Any:
  """Returns the params with round(keep n) random weights left in each leaf.

  With one key the masks are nested: a weight kept at one `keep` is kept at
  every larger one.
  """
  score_E = _uniform(params, where, key)
  mask_E = {
    name: _largest(score.ravel(), _count(keep, score.size)).reshape(score.shape)
    for name, score in score_E.items()
  }
  return _apply(params, where, mask_E)


def random_like(params: Any, masked: Any, *, where: Any, key: jax.Array) -> Any:
  """Returns the params with, per leaf, as many random weights removed.

  As many as `masked` (the params under some mask) has lost. Weights that are
  already zero count on neither side.
  """
  score_E = _uniform(params, where, key)
  before_E, after_E = (trees.selected(params, where), trees.selected(masked, where))
  mask_E = {}
  for name, score in score_E.items():
    # Zeros first in rank: removing them would remove nothing.
    score = jnp.where(before_E[name] == 0, 2.0, score)
    kept = jnp.sum(before_E[name] == after_E[name], dtype=jnp.int32)
    mask_E[name] = _largest(score.ravel(), kept).reshape(score.shape)
  return _apply(params, where, mask_E)


def noise_like(params: Any, masked: Any, *, where: Any, key: jax.Array) -> Any:
  """Returns the params plus Gaussian noise as large as what was removed.

  In each selected leaf `w + g |w - masked| / |g|`, g standard normal: the
  noise has exactly the Euclidean norm of the change from params to `masked`.
  """
  after_E = trees.selected(masked, where)
  key_E = _keys(params, where, key)

  def noisy(name, leaf):
    value = leaf.astype(jnp.float32)
    noise = jax.random.normal(key_E[name], leaf.shape)
    change = _norm(value - after_E[name].astype(jnp.float32))
    return (value + noise * (change / _norm(noise))).astype(leaf.dtype)

  return trees.replace(params, where, noisy)


def survival(params: Any, masked: Any, *, where: Any) -> dict[str, jax.Array]:
  """Returns, by leaf name, the fraction of weights that `masked` left as is.

  A weight that was zero before counts as left; NaN for a leaf without weights.
  """
  after_E = trees.selected(masked, where)
  return {
    name: jnp.mean(leaf == after_E[name], dtype=jnp.float32)
    for name, leaf in trees.selected(params, where).items()
  }


@jax.jit  # so that calls outside jit compile once per shape
def _largest(score_N, count):
  """Returns a mask of exactly the `count` largest, earlier ones first in ties.

  Scores are float32 and not negative; there may be none.
  """
  if not score_N.size:
    return jnp.zeros(score_N.shape, bool)
  bits_N = _ordered(score_N)
  threshold = _nth_largest(bits_N, count)
  above_N = bits_N > threshold
  tied_N = bits_N == threshold
  places = count - jnp.sum(above_N, dtype=jnp.int32)
  first_N = jnp.cumsum(tied_N, dtype=jnp.int32) <= places
  return above_N | (tied_N & first_N)


def _ordered(score_N):
  """Returns the bits of non-negative floats: integers in the same order."""
  return jax.lax.bitcast_convert_type(score_N, jnp.int32)


def _nth_largest(bits_N, count):
  """Returns the `count`-th largest, exactly, built from its highest bit down.

  31 passes that count are some twenty times cheaper than sorting millions.
  """

  def with_bit(step, found):
    candidate = found | (jnp.int32(1) << (30 - step))
    enough = jnp.sum(bits_N >= candidate, dtype=jnp.int32) >= count
    return jnp.where(enough, candidate, found)

  # A zero that is batched like the bits: under vmap, a loop that starts from a
  # constant fails where seeds lie on a mesh with explicit axes.
  return jax.lax.fori_loop(0, 31, with_bit, bits_N[0] & 0)


@jax.jit
def _quantile(size_N, ratio):
  """Returns the linearly interpolated quantile of non-negative floats, 0 of none."""
  if not size_N.size:
    return jnp.zeros(())
  bits_N, last = _ordered(size_N), size_N.size - 1
  position = jnp.clip(ratio * last, 0, last)
  low = jnp.floor(position).astype(jnp.int32)
  at = lambda index: jax.lax.bitcast_convert_type(
    _nth_largest(bits_N, size_N.size - index), jnp.float32
  )
  weight = position - low
  high = jnp.minimum(low + 1, last)
  return at(low) * (1 - weight) + at(high) * weight


def _count(keep, size):
  """Returns round(keep size), exact at both ends for any size."""
  keep = jnp.asarray(keep, jnp.float32)
  count = jnp.clip(jnp.round(keep * size), 0, size).astype(jnp.int32)
  return jnp.where(keep >= 1, size, count)


def _sizes(params, where):
  """Returns |w| of the selected leaves, by name, in float32: of integers too,
  whose own type may not hold it (that of -128 is 128)."""
  size = lambda leaf: jnp.abs(precision.at_least_float32(leaf)).astype(jnp.float32)
  return {name: size(leaf) for name, leaf in trees.selected(params, where).items()}


def _apply(params, where, mask_E):
  zeroed = lambda name, leaf: jnp.where(mask_E[name], leaf, jnp.zeros_like(leaf))
  return trees.replace(params, where, zeroed)


def _flat(size_E):
  return jnp.concatenate([size.ravel() for size in size_E.values()])


def _like(mask_N, size_E):
  """Returns the flat mask cut into leaves, by name."""
  ends = np.cumsum([size.size for size in size_E.values()])
  parts = jnp.split(mask_N, ends[:-1])
  named = zip(size_E.items(), parts, strict=True)
  return {name: part.reshape(size.shape) for (name, size), part in named}


def _keys(params, where, key):
  """Returns one random key per selected leaf."""
  chosen = trees.selected(params, where)
  return {name: jax.random.fold_in(key, i) for i, name in enumerate(chosen)}


def _uniform(params, where, key):
  key_E = _keys(params, where, key)
  chosen = trees.selected(params, where)
  return {name: jax.random.uniform(key_E[name], leaf.shape) for name, leaf in chosen.items()}


def _norm(value):
  return jnp.sqrt(jnp.sum(value * value))


# --- masks of heads and layers, as trees of zeros and ones ----------------------------------------


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

  A weight that was zero before counts as kept, as in `survival`.
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
