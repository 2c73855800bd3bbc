"""Sequences drawn from binned predictors, with a memory that biases them.

The published memory effect adds gain x (head . m) to the logits of a network
that never saw a memory; m is a running mean of last states. Recurrent networks
take m as their memory token. Source: docs/sources/zeros.md, section 4.9.
"""

from typing import Any

import jax
import jax.numpy as jnp
from primelens.models import binned

KEEP = 0.5  # of the old memory, in one update
GAIN = 0.1  # of the memory in the logits


def empty(config: binned.Config, params) -> jax.Array:
  """Returns the memory of a network that remembers nothing, D."""
  if config.variant == "rmt":
    return params["memory"]["start"]
  return jnp.zeros(config.trunk.width)


def _last(config: binned.Config, params, token_BxT, memory_BxD, last):
  """Returns the state at a position after the last block, before the final
  norm, BxD; with a memory token in front for `rmt`."""
  site = "residual/post"
  _, record = binned.states(config, params, token_BxT, memory_BxD, sites=(site,))
  front = int(config.variant == "rmt")
  return record[site][-1][:, last + front]


def update(config: binned.Config, params, memory_BxD, token_BxT, last):
  """Returns the memory after a window whose last token is at `last`, BxD.

  m / 2 + h / 2 with h the last state of the last block; `rmt` updates its
  memory as in training.
  """
  if config.variant == "rmt":
    state_BxTxD, _ = binned.states(config, params, token_BxT, memory_BxD)
    return binned.remembered(params, memory_BxD, state_BxTxD[:, last])
  h_BxD = _last(config, params, token_BxT, memory_BxD, last)
  return KEEP * memory_BxD + (1 - KEEP) * h_BxD


def warmed(config: binned.Config, params, token_WxT) -> jax.Array:
  """Returns the memory after W neighbouring windows, from an empty one, D."""

  def step(memory_D, token_T):
    last = token_T.shape[0] - 1
    after = update(config, params, memory_D[None], token_T[None], last)
    return after[0], None

  return jax.lax.scan(step, empty(config, params), token_WxT)[0]


def _logits(config, params, token_BxT, memory_BxD, last):
  """Returns the logits after the token at `last`, memory included, BxV."""
  state_BxTxD, _ = binned.states(config, params, token_BxT, memory_BxD)
  logit_BxV = binned.unembed(config, params, state_BxTxD[:, last])
  if config.variant == "rmt":
    return logit_BxV
  return logit_BxV + GAIN * binned.unembed(config, params, memory_BxD)


def _redrawn(memory_BxD, key):
  """Returns random directions of the memories' norms, one per trajectory."""
  draw_BxD = jax.random.normal(key, memory_BxD.shape)
  norm = lambda x: jnp.linalg.norm(x, axis=1, keepdims=True)
  return draw_BxD * (norm(memory_BxD) / norm(draw_BxD))


def generate(config: binned.Config, params, plan: dict[str, Any], context_BxK, length: int):
  """Returns tokens drawn at temperature 1 behind contexts, BxG.

  The network sees the last T tokens; `rmt` the segment it is in, which begins
  where the context's last one ends. `plan`: `memory_D` at the start, `bias_V`
  on the logits throughout, a `key`, and three numbers of 0 or 1: `moves`, the
  memory is updated after every segment, or after every window (of T tokens, or
  as many as divide `length` evenly); `drawn`, its direction is random, one for
  all trajectories; `redrawn`, and another after each, for each trajectory.

  Raises ValueError where `rmt` has less than a segment of context.
  """
  recurrent = config.variant == "rmt"
  window, seen = window_of(config), context_BxK.shape[1]
  if recurrent and seen < window:
    raise ValueError(f"{seen} tokens of context are no segment of {window}.")
  rounds = -(-length // window)
  steps = window if recurrent else -(-length // rounds)
  key_start, key_draw, key_noise = jax.random.split(plan["key"], 3)

  def one(carry, key):
    token_BxT, last, memory_BxD = carry
    logit_BxV = _logits(config, params, token_BxT, memory_BxD, last)
    new_B = jax.random.categorical(key, logit_BxV + plan["bias_V"][None])
    return (*_appended(token_BxT, new_B, last), memory_BxD), new_B

  def after(carry, number):
    return _after(config, params, plan, key_noise, carry, number)

  def turn(carry, number):
    keys = jax.random.split(jax.random.fold_in(key_draw, number), steps)
    carry, new_GxB = jax.lax.scan(one, carry, keys)
    return (*carry[:2], after(carry, number)), new_GxB

  def segment(carry, number):
    keys = jax.random.split(jax.random.fold_in(key_draw, number), steps)
    _, first_B = one(carry, keys[0])  # by the segment before, at its end
    token_BxT = jnp.zeros_like(carry[0]).at[:, 0].set(first_B)
    carry = (token_BxT, jnp.zeros_like(carry[1]), after(carry, number))
    carry, new_GxB = jax.lax.scan(one, carry, keys[1:])
    return carry, jnp.concatenate([first_B[None], new_GxB])

  carry = _start(plan, key_start, context_BxK[:, -window:], window)
  each = segment if recurrent else turn
  _, new_RxGxB = jax.lax.scan(each, carry, jnp.arange(rounds))
  return new_RxGxB.reshape(-1, len(context_BxK))[:length].T


def window_of(config: binned.Config) -> int:
  """Returns how many tokens the trunk sees at once."""
  return config.segment if config.variant == "rmt" else config.window


def _start(plan, key, context_BxK, window: int):
  """Returns the first window, where its last token is, and the memories."""
  batch, seen = context_BxK.shape
  token_BxT = jnp.zeros((batch, window), jnp.int32)
  token_BxT = token_BxT.at[:, :seen].set(context_BxK)
  memory_D = plan["memory_D"]
  random_D = _redrawn(memory_D[None], key)[0]
  memory_D = jnp.where(plan["drawn"] > 0, random_D, memory_D)
  memory_BxD = jnp.broadcast_to(memory_D[None], (batch, *memory_D.shape))
  return token_BxT, jnp.asarray(seen - 1), memory_BxD


def _after(config, params, plan, key, carry, number):
  """Returns the memories after a window: as they were, moved or redrawn."""
  token_BxT, last, memory_BxD = carry
  moved_BxD = update(config, params, memory_BxD, token_BxT, last)
  noise_BxD = _redrawn(memory_BxD, jax.random.fold_in(key, number))
  memory_BxD = jnp.where(plan["moves"] > 0, moved_BxD, memory_BxD)
  return jnp.where(plan["redrawn"] > 0, noise_BxD, memory_BxD)


def _appended(token_BxT, new_B, last):
  """Returns the window with a token behind its last, moved on when full."""
  full = last + 1 == token_BxT.shape[1]
  moved_BxT = jnp.roll(token_BxT, -1, axis=1)
  token_BxT = jnp.where(full, moved_BxT, token_BxT)
  last = jnp.where(full, last, last + 1)
  return token_BxT.at[:, last].set(new_B), last
