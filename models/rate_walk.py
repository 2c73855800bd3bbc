"""The random-walk learning-rate controller of the prime-gap study.

Once per epoch, after its loss is known, the rate is multiplied by a random
factor; how often and how far depends on the last 100 losses. Source: primes
spec, section 3. It is an optax transformation, so that its state is part of
every member's training state, saved and resumed with it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

KEPT = 100  # losses that the controller looks at
WINDOW = 50
FIRST_EPOCH = 30
LEAST, MOST = 1e-6, 5e-4  # of the rate


class State(NamedTuple):
  """What the controller remembers; `loss_Q` has the newest loss last."""

  rate: jax.Array
  cooldown: jax.Array
  fired: jax.Array  # the epoch of the last change
  epochs: jax.Array  # losses so far
  loss_Q: jax.Array
  total: jax.Array  # of the epoch under way
  steps: jax.Array


def start(rate: float) -> State:
  """Returns the state before the first epoch."""
  return State(
    rate=jnp.float32(rate),
    cooldown=jnp.int32(30),
    fired=jnp.int32(-100),
    epochs=jnp.int32(0),
    loss_Q=jnp.zeros(KEPT, jnp.float32),
    total=jnp.float32(0),
    steps=jnp.int32(0),
  )


def cooldown(state: State) -> jax.Array:
  """Returns the epochs to wait between changes, c <- int(.3 target + .7 c).

  The target is 100, 50, 30 or 20 as std / mean of the last 50 losses is below
  .03, .08, .15 or not. In integers: the published cut to an integer, without
  the rounding of .3 and .7; c rests at 20, 27 or 30, 47 or 50, 97.
  """
  last = state.loss_Q[-WINDOW:]
  spread = jnp.std(last) / jnp.mean(last)
  target = jnp.where(
    spread < 0.03, 100, jnp.where(spread < 0.08, 50, jnp.where(spread < 0.15, 30, 20))
  )
  mixed = (3 * target + 7 * state.cooldown) // 10
  return jnp.where(state.epochs < WINDOW, 30, mixed).astype(jnp.int32)


def progress(state: State) -> jax.Array:
  """Returns (mean of the 50 losses before - of the last 50) / the former.

  With less than 100 losses the former are the first 50, with less than 50 it
  is 0.
  """
  first = jnp.maximum(KEPT - state.epochs, 0)
  before = jnp.mean(jax.lax.dynamic_slice(state.loss_Q, (first,), (WINDOW,)))
  last = jnp.mean(state.loss_Q[-WINDOW:])
  return jnp.where(state.epochs < WINDOW, 0.0, (before - last) / before)


def epoch(state: State, loss, key: jax.Array) -> State:
  """Returns the state after an epoch of this loss.

  Fires from epoch 30 on, a cooldown after the last time: rate times U(1 - m,
  1 + m) with m = .1, .2 or .4 for progress above .05, above .01 or less, kept
  in [1e-6, 5e-4] and within 30 % of the old rate.
  """
  state = state._replace(
    loss_Q=jnp.append(state.loss_Q[1:], loss),
    epochs=state.epochs + 1,
    total=jnp.float32(0),
    steps=jnp.int32(0),
  )
  number = state.epochs - 1
  state = state._replace(cooldown=cooldown(state))
  fires = (number >= FIRST_EPOCH) & (number - state.fired >= state.cooldown)
  made = progress(state)
  reach = jnp.where(made > 0.05, 0.1, jnp.where(made > 0.01, 0.2, 0.4))
  factor = jax.random.uniform(key, minval=1 - reach, maxval=1 + reach)
  rate = jnp.clip(state.rate * factor, LEAST, MOST)
  rate = jnp.clip(rate, 0.7 * state.rate, 1.3 * state.rate)
  return state._replace(
    rate=jnp.where(fires, rate, state.rate), fired=jnp.where(fires, number, state.fired)
  )


def scale_by_walk(rate: float, cycle: int) -> optax.GradientTransformationExtraArgs:
  """Returns updates times the walking rate over `rate`; epochs of `cycle`
  steps.

  The updates must be those of an optimizer whose rate is `rate`. `update`
  takes the step's loss as `value` and its own random `key`.
  """

  def init(params):
    del params
    return start(rate)

  def update(updates, state, params=None, *, value, key, **_):
    del params
    updates = jax.tree.map(lambda u: u * (state.rate / rate), updates)
    state = state._replace(total=state.total + value, steps=state.steps + 1)
    after = epoch(state, state.total / cycle, key)
    ends = state.steps >= cycle
    keep = lambda new, old: jnp.where(ends, new, old)
    return updates, jax.tree.map(keep, after, state)

  return optax.GradientTransformationExtraArgs(init, update)
