"""Gradients of a batch that goes through in parts."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def in_parts(loss: Callable, parts: int) -> Callable:
  """Returns `f(params, batch, key, step) -> ((loss, metrics), gradient)`.

  Means over `parts` equal parts of the batch, one after another and each with
  a key of its own, so that a large batch takes the memory of a small one:
  PyTorch's gradient accumulation. `f` raises `ValueError` where the rows do
  not divide.
  """
  whole = jax.value_and_grad(loss, has_aux=True)
  if parts == 1:
    return whole

  def accumulated(params, batch, key, step):
    rows = jax.tree.leaves(batch)[0].shape[0]
    if rows % parts:
      raise ValueError(
        f"A batch of {rows} rows does not divide into {parts} parts: change "
        "fit.batch_size or fit.accumulation."
      )
    cut = lambda x: x.reshape(parts, rows // parts, *x.shape[1:])
    scanned = (jax.tree.map(cut, batch), jax.random.split(key, parts))
    one = lambda part: whole(params, part[0], part[1], step)
    first = jax.tree.map(lambda x: x[0], scanned)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(one, first))
    add = lambda total, part: (jax.tree.map(jnp.add, total, one(part)), None)
    total, _ = jax.lax.scan(add, zeros, scanned)
    return jax.tree.map(lambda x: x / parts, total)

  return accumulated
