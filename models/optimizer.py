"""AdamW with the studies' schedules, the random walk of the rate, gradients in parts.

Once per epoch, after its loss is known, the rate is multiplied by a random
factor; how often and how far depends on the last 100 losses. Source:
docs/sources/primes.md, section 3. It is an optax transformation, so that its
state is part of every member's training state, saved and resumed with it.
"""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from primelens.tasks import checks, patterns

# --- a batch in parts -----------------------------------------------------------------------------


def gradients_in_parts(loss: Callable, parts: int) -> Callable:
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


# --- the random walk of the rate ------------------------------------------------------------------


KEPT = 100  # losses that the controller looks at
WINDOW = 50
FIRST_EPOCH = 30
LEAST, MOST = 1e-6, 5e-4  # of the rate


class WalkState(NamedTuple):
  """What the controller remembers; `loss_Q` has the newest loss last."""

  rate: jax.Array
  cooldown: jax.Array
  fired: jax.Array  # the epoch of the last change
  epochs: jax.Array  # losses so far
  loss_Q: jax.Array
  total: jax.Array  # of the epoch under way
  steps: jax.Array


def walk_start(rate: float) -> WalkState:
  """Returns the state before the first epoch."""
  return WalkState(
    rate=jnp.float32(rate),
    cooldown=jnp.int32(30),
    fired=jnp.int32(-100),
    epochs=jnp.int32(0),
    loss_Q=jnp.zeros(KEPT, jnp.float32),
    total=jnp.float32(0),
    steps=jnp.int32(0),
  )


def walk_cooldown(state: WalkState) -> jax.Array:
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


def walk_progress(state: WalkState) -> jax.Array:
  """Returns (mean of the 50 losses before - of the last 50) / the former.

  With less than 100 losses the former are the first 50, with less than 50 it
  is 0.
  """
  first = jnp.maximum(KEPT - state.epochs, 0)
  before = jnp.mean(jax.lax.dynamic_slice(state.loss_Q, (first,), (WINDOW,)))
  last = jnp.mean(state.loss_Q[-WINDOW:])
  return jnp.where(state.epochs < WINDOW, 0.0, (before - last) / before)


def walk_epoch(state: WalkState, loss, key: jax.Array) -> WalkState:
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
  state = state._replace(cooldown=walk_cooldown(state))
  fires = (number >= FIRST_EPOCH) & (number - state.fired >= state.cooldown)
  made = walk_progress(state)
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
    return walk_start(rate)

  def update(updates, state, params=None, *, value, key, **_):
    del params
    updates = jax.tree.map(lambda u: u * (state.rate / rate), updates)
    state = state._replace(total=state.total + value, steps=state.steps + 1)
    after = walk_epoch(state, state.total / cycle, key)
    ends = state.steps >= cycle
    keep = lambda new, old: jnp.where(ends, new, old)
    return updates, jax.tree.map(keep, after, state)

  return optax.GradientTransformationExtraArgs(init, update)


# --- AdamW ----------------------------------------------------------------------------------------


@dataclasses.dataclass(kw_only=True)
class Config:
  """AdamW: warm-up, a schedule of the rate, decoupled decay, clipping.

  `random_walk` changes the rate once per epoch of `cycle` steps at random, as
  published (`models/rate_walk.py`); `replay` takes it from `events`, pairs of
  an epoch and the rate from its end on.
  """

  rate: checks.Rate = 3e-4
  schedule: Literal["cosine", "constant", "random_walk", "replay"] = "cosine"
  cycle: checks.Steps = 0  # steps of an epoch, where the schedule counts epochs
  events: tuple[tuple[checks.Rate, checks.Rate], ...] = ()
  warmup: checks.Steps = 0
  end_rate: checks.Rate = 0.0  # the cosine ends here, for every group
  floor_rate: checks.Rate = 0.0  # the rate is never below this after the warm-up
  beta1: Annotated[float, checks.Range(0, 1, "[)")] = 0.9
  beta2: Annotated[float, checks.Range(0, 1, "[)")] = 0.999
  eps: Annotated[float, checks.Range(0, 1, "(]")] = 1e-8
  weight_decay: checks.Weight = 0.01
  clip: checks.Rate = 1.0  # global gradient norm; 0: no clipping
  slow_pattern: Annotated[str, patterns.Pattern()] = (
    ""  # parameters of the slower group, by full path match
  )
  slow_factor: checks.Weight = 1.0

  def __post_init__(self):
    checks.fields(self)
    epochs = self.schedule in ("random_walk", "replay")
    if epochs and self.cycle < 1:
      raise checks.FieldError(
        f"cycle={self.cycle}: schedule={self.schedule!r} counts "
        "epochs, so it needs the steps of one."
      )
    if epochs and not self.rate:
      raise checks.FieldError(f"rate=0: schedule={self.schedule!r} multiplies it.")


def schedule(config: Config, peak: float, steps: int) -> Callable[[jax.Array], jax.Array]:
  """Returns rate(step): linear warm-up to `peak`, cosine to `end_rate`.

  rate = end + (peak - end)(1 + cos(pi (step - warmup)/(steps - warmup)))/2,
  never below `floor_rate` once warm. A replayed one is `peak` before the
  first event; events are of the rate `config.rate`.
  """
  if config.schedule == "replay":
    return _replayed(config, peak)

  def rate(step):
    step = jnp.asarray(step, jnp.float32)
    span = max(steps - config.warmup, 1)
    done = jnp.clip((step - config.warmup) / span, 0.0, 1.0)
    cosine = config.end_rate + (peak - config.end_rate) * 0.5 * (1 + jnp.cos(jnp.pi * done))
    hot = cosine if config.schedule == "cosine" else peak
    warm = peak * (step + 1) / max(config.warmup, 1)
    floored = jnp.maximum(hot, config.floor_rate)
    return jnp.where(step < config.warmup, warm, floored)

  return rate


def rate_then(config: Config, steps: int, step: int, opt_state_S) -> jax.Array:
  """Returns the rate of a step for every seed, S or a scalar: of the faster group.

  `opt_state_S` is the population's state after it, which a random walk is part of.
  """
  if config.schedule == "random_walk":
    return opt_state_S[-1].rate
  return schedule(config, config.rate, steps)(jnp.asarray(step))


def _replayed(config: Config, peak: float):
  """Returns rate(step) of logged events: each holds after its epoch's end."""
  last_Q = jnp.asarray([-1.0] + [epoch for epoch, _ in config.events])
  rate_Q = jnp.asarray([config.rate] + [rate for _, rate in config.events])

  def rate(step):
    epoch = jnp.asarray(step, jnp.int32) // config.cycle
    now = jnp.sum(epoch > last_Q) - 1
    return rate_Q[now] * (peak / config.rate)

  return rate


def _labels(pattern: str):
  """Returns a function from params to "slow" or "base" for every leaf.

  It raises `ValueError` when the pattern matches no leaf.
  """

  def labels(params):
    paths, structure = jax.tree_util.tree_flatten_with_path(params)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths]
    slow = patterns.matched(pattern, names)
    if not any(slow):
      raise ValueError(f"slow_pattern={pattern!r} matches none of: {', '.join(names)}.")
    return jax.tree.unflatten(structure, ["slow" if each else "base" for each in slow])

  return labels


def build(config: Config, steps: int) -> optax.GradientTransformationExtraArgs:
  """Returns clipping by global norm, then AdamW with one rate per group.

  `update` may be given the step's loss as `value` and a random `key`, which
  the random walk of the rate needs.
  """
  adamw = lambda peak: optax.adamw(
    schedule(config, peak, steps),
    b1=config.beta1,
    b2=config.beta2,
    eps=config.eps,
    weight_decay=config.weight_decay,
  )
  groups = {"base": adamw(config.rate), "slow": adamw(config.rate * config.slow_factor)}
  update = optax.partition(groups, _labels(config.slow_pattern))
  if not config.slow_pattern:
    update = groups["base"]
  parts = [optax.clip_by_global_norm(config.clip)] if config.clip else []
  parts.append(update)
  if config.schedule == "random_walk":
    parts.append(scale_by_walk(config.rate, config.cycle))
  if len(parts) == 1:  # as it was stored before there were others
    return optax.with_extra_args_support(update)
  return optax.chain(*parts)
