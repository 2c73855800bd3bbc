"""AdamW with the studies' schedules, clipping and a slower parameter group."""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import optax
from primelens.models import rate_walk
from primelens.tasks import checks, patterns


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
    parts.append(rate_walk.scale_by_walk(config.rate, config.cycle))
  if len(parts) == 1:  # as it was stored before there were others
    return optax.with_extra_args_support(update)
  return optax.chain(*parts)
