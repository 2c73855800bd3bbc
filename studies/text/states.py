"""States of every layer, of every member, some rows at a time.

Levels are the embeddings with their positions, the states after each block,
and the final ones, after the last norm, which the networks' answer is read
from.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import encoder


def levels(run) -> tuple[str, ...]:
  """Returns the names of the levels, as many as `all_levels` has."""
  layers = run.experiment.model.trunk.layers
  blocks = (f"block {i + 1}" for i in range(layers))
  return ("embeddings", *blocks, "final")


def all_levels(model: encoder.Config, params, token_BxT) -> jax.Array:
  """Returns the states of one member at every level, ExBxTxD."""
  final_BxTxD, site = encoder.states(
    model, params, token_BxT, sites=("residual/pre", "residual/post")
  )
  return jnp.concatenate([site["residual/pre"][:1], site["residual/post"], final_BxTxD[None]])


def pooled(model: encoder.Config, params, token_BxT) -> jax.Array:
  """Returns one member's states that the answer is read from, BxD."""
  final_BxTxD, _ = encoder.states(model, params, token_BxT)
  return encoder.pooled(final_BxTxD, token_BxT)


def outputs(model: encoder.Config, params, token_BxT) -> jax.Array:
  """Returns one member's answers, BxV."""
  return encoder.apply(model, params, token_BxT)[0]


def over_members(measure: Callable, run, token_NxT, params_S=None, *, axis: int = 0):
  """Returns `measure(model, params, token_BxT)` of every member and all rows.

  A pytree of numpy arrays with a leading S; rows are on `axis` of what
  `measure` gives, and `batch` of them are in memory at a time. `params_S` are
  by default the run's own.
  """
  params_S = run.params_S if params_S is None else params_S
  population = _population(measure, _Model(run.experiment.model))
  size, chunks = run.settings.batch, []
  token_NxT = np.asarray(token_NxT)
  for start in range(0, len(token_NxT), size):
    chunk_BxT = token_NxT[start : start + size]
    chunks.append(jax.device_get(population(params_S, chunk_BxT)))
  join = lambda *parts: np.concatenate(parts, axis=1 + axis)
  return jax.tree.map(join, *chunks)


class _Model:
  """A config that can be a key of a cache: equal where its fields are."""

  def __init__(self, config: encoder.Config):
    self.config = config

  def __hash__(self) -> int:
    return hash(repr(self.config))

  def __eq__(self, other) -> bool:
    return repr(self.config) == repr(other.config)


@functools.lru_cache(maxsize=32)
def _population(measure: Callable, model: _Model):
  each = lambda params, token_BxT: measure(model.config, params, token_BxT)
  return jax.jit(jax.vmap(each, (0, None)))


def at_roles(state_NxTxD, role_NxR) -> np.ndarray:
  """Returns the states at every role's position, NxRxD; where a row has no
  such role its number is that of position 0, to be left out."""
  at_NxRx1 = np.maximum(role_NxR, 0)[..., None]
  return np.take_along_axis(np.asarray(state_NxTxD), at_NxRx1, axis=1)
