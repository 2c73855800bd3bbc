"""Does an output read what comes after it? Every model is asked, at small size.

A prediction of what is among the inputs is none. Masks, memory slots, skips and
positions combine in many ways, so the model itself is asked and not its
config: at random parameters, where no zero hides a path, all inputs from some
position on are replaced, and the outputs before it must stay the same to the
last bit.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, get_args, get_type_hints

import jax
import numpy as np
from primelens.models import transformer

LENGTH = 6  # inputs of a small model
REPLACEMENTS = 3  # of all inputs from a position on
RATE = 0.1  # of every dropout, where a model drops at all


class Reading(NamedTuple):
  """A small model, and which of its inputs each of its outputs may read.

  `init(key) -> params`; `draw(rng, rows) -> inputs` of shape BxTx...;
  `apply(params, inputs, dropout_key) -> outputs`, a tree of BxUx...; output u
  may read the inputs 0..`last_U[u]`, those before its target. A model that
  answers once, after its whole prompt, has one output, which may read all.
  `drops`: a training pass drops, and takes another way through the attention.
  """

  init: Callable
  draw: Callable
  apply: Callable
  last_U: Sequence[int]
  drops: bool = False


class Leak(NamedTuple):
  """An output that changes with an input that it must not read, both counted
  from 0."""

  output: int
  input: int


def small(trunk: transformer.Config, positions: int, **changes) -> transformer.Config:
  """Returns the trunk with few, narrow layers and its structure unchanged.

  In float32, where no path is rounded away, and by a product that any device
  has.
  """
  heads = min(trunk.heads, 2)
  dropout, embed_dropout = (min(rate, RATE) for rate in (trunk.dropout, trunk.embed_dropout))
  fused = trunk.implementation == "cudnn"
  sizes: dict[str, Any] = dict(
    width=4 * heads,
    heads=heads,
    layers=min(trunk.layers, 3),
    hidden=8,
    max_positions=positions,
    dtype="float32",
    implementation="auto" if fused else trunk.implementation,
    dropout=dropout,
    embed_dropout=embed_dropout,
  )
  return dataclasses.replace(trunk, **sizes | changes)


def spacings(rng: np.random.Generator, rows: int, *shape: int) -> np.ndarray:
  """Returns random spacings of mean 1, float32."""
  return rng.gamma(6.0, 1 / 6.0, (rows, *shape)).astype(np.float32)


def once(length: int = LENGTH) -> tuple[int, ...]:
  """Returns `last_U` of a model that answers once, after its whole prompt."""
  return (length - 1,)


def answering(
  small: Any, init: Callable, apply: Callable, draw: Callable, length: int = LENGTH
) -> Reading:
  """Returns the reading of a model that answers once, after a prompt that it may all read.

  By the model's `init(small, key)` and `apply(small, params, inputs, dropout_key=...)`.
  """

  def outputs(params, inputs, dropout_key):
    return apply(small, params, inputs, dropout_key=dropout_key)[0][:, None]

  return Reading(init=lambda key: init(small, key), draw=draw, apply=outputs, last_U=once(length))


def random_params(init: Callable, rng: np.random.Generator):
  """Returns parameters without a zero among them: every leaf ~ N(0.1, 0.4^2)."""
  shapes = jax.eval_shape(init, jax.random.key(0))
  return jax.tree.map(lambda leaf: np.float32(rng.normal(0.1, 0.4, leaf.shape)), shapes)


def leak(reading: Reading, *, seed: int = 0) -> Leak | None:
  """Returns an output that reads a later input, or None where none does.

  Raises `ValueError` for outputs that are not finite.
  """
  rng = np.random.default_rng(seed)
  last_U = np.asarray(reading.last_U)
  inputs_BxT = reading.draw(rng, 1)
  first_P = np.arange(last_U.min() + 1, inputs_BxT.shape[1])
  if not len(first_P):  # no input is later than any output
    return None
  first_B = np.repeat(first_P, REPLACEMENTS)
  kept_BxT = np.repeat(inputs_BxT, len(first_B), axis=0)
  later_BxT = np.arange(kept_BxT.shape[1])[None] >= first_B[:, None]
  later = later_BxT.reshape(*later_BxT.shape, *(1,) * (kept_BxT.ndim - 2))
  replaced_BxT = np.where(later, reading.draw(rng, len(first_B)), kept_BxT)
  params = random_params(reading.init, rng)
  forward = jax.jit(reading.apply)
  for dropout_key in (None, jax.random.key(seed))[: 1 + reading.drops]:
    before, after = (
      jax.tree.leaves(forward(params, x, dropout_key)) for x in (kept_BxT, replaced_BxT)
    )
    for old, new in zip(before, after, strict=True):
      old, new = np.asarray(old), np.asarray(new)
      if not np.isfinite(old).all():
        raise ValueError("The model's outputs are not finite at random parameters.")
      differs_BxU = (old != new).reshape(*old.shape[:2], -1).any(-1)
      told_BxU = differs_BxU & (last_U[None] < first_B[:, None])
      if told_BxU.any():
        row, output = np.argwhere(told_BxU)[0]
        return Leak(int(output), int(first_B[row]))
  return None


_PREDICT: set[str] = set()  # the configs that were asked, and read no later input


def check(config, reading: Callable[[Any], Reading]) -> None:
  """Raises `ValueError` where an output of the model reads a later input.

  `reading(config)` is the model's own account of what its outputs may read.
  The error names the mask and those that the same model may have.
  """
  if repr(config) in _PREDICT:
    return
  found = leak(reading(config))
  if found is None:
    _PREDICT.add(repr(config))
    return
  masks = get_args(get_type_hints(type(config.trunk))["mask"])
  valid = [mask for mask in masks if mask != config.trunk.mask and _may(config, reading, mask)]
  memory = getattr(config, "memory", "none")
  raise ValueError(
    f"model.trunk.mask={config.trunk.mask!r} lets the network read what it is to predict: output "
    f"{found.output} changes with input {found.input} (model.kind={config.kind!r}, "
    f"memory={memory!r}). Valid here: {', '.join(valid) or 'no mask'}."
  )


def _may(config, reading, mask: str) -> bool:
  """Returns whether the model may have another mask."""
  try:
    trunk = dataclasses.replace(config.trunk, mask=mask)
    return leak(reading(dataclasses.replace(config, trunk=trunk))) is None
  except ValueError:  # a combination that the config itself refuses
    return False
