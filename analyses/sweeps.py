"""The one place that evaluates a score over seeds and interventions."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
from primelens.analyses import trees


def over(
  score: Callable[..., Any],
  params_S: Any,
  strengths_R: Any,
  *,
  transform: Callable[[Any, Any], Any] | None = None,
  batch_size: int | None = None,
  data: Sequence[Any] = (),
) -> Any:
  """Returns `score` for every seed and strength, SxR before its own axes.

  With a transform (an intervention on weights)
  `score_SxR[s, r] = score(transform(params[s], strength[r]), *data)`; without
  one (activation edits) `score(params[s], strength[r], *data)`.

  Everything runs in one jitted program. `strengths_R` may be a pytree (masks,
  random keys) whose leaves have a leading R axis, and the score may return a
  pytree. `batch_size` bounds the memory to that many (seed, strength) pairs at
  a time; without it all S R copies of the params and of the activations live
  together. Seeds that are sharded over devices stay there (which needs
  `batch_size >= S`, if any).

  Pass large arrays (the test windows) as `data`: arrays that the score closes
  over become constants of the program, which XLA copies and tries to fold.
  A sweep with the same callables and shapes is compiled once: define them
  once, since each new lambda or functools.partial is another callable.

  Example:
    where = trees.select(params_S, ".*/kernel")
    mask = functools.partial(masking.magnitude, where=where)
    nll_SxR = sweeps.over(score, params_S, keep_R, transform=mask, data=(x,))

  Raises ValueError if a leaf lacks the common leading axis.
  """
  trees.length(params_S)
  trees.length(strengths_R)
  if batch_size is not None and batch_size < 1:
    raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
  program = _program(score, transform, batch_size)
  return program(params_S, strengths_R, tuple(data))


# Bounded, so that abandoned scores (and what they close over) are let go.
@functools.lru_cache(maxsize=32)
def _program(score, transform, batch_size):
  def one(params, strength, data):
    if transform is None:
      return score(params, strength, *data)
    return score(transform(params, strength), *data)

  if batch_size is None:
    row = jax.vmap(one, (None, 0, None))
    return jax.jit(jax.vmap(row, (0, None, None)))
  return jax.jit(functools.partial(_in_batches, one, batch_size))


def _in_batches(one, batch_size, params_S, strengths_R, data):
  """Returns the same SxR grid, walked through in batches."""
  seeds = trees.length(params_S)

  def row(params):
    cell = lambda strength: one(params, strength, data)
    # One at a time by a plain loop, so that a score's branches stay branches.
    at_once = batch_size // seeds if batch_size >= 2 * seeds else None
    return jax.lax.map(cell, strengths_R, batch_size=at_once)

  if batch_size < seeds:
    return jax.lax.map(row, params_S, batch_size=batch_size)
  return jax.vmap(row)(params_S)
