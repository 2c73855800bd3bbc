"""The arms of the memory effect: which memory goes where, and what is drawn.

All arms start at the same contexts with the same keys, so they are paired.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import memory_effect, sweeps, trees
from primelens.models import binned_generation
from primelens.studies.zeros import program
from primelens.tasks import binned as task

EMPTY, SELECT, TEST, LOW, SHUFFLED, LARGE = range(6)  # where memories are from
TARGET = "elephant"  # whose marginal the constant bias has


class Arm(NamedTuple):
  """Which memory, and whether it moves, is random, is redrawn, or biased."""

  name: str
  source: int
  moves: int = 0
  drawn: int = 0
  redrawn: int = 0
  biased: int = 0


ARMS = (
  Arm("amnesiac", EMPTY),
  Arm(TARGET, SELECT, moves=1),
  Arm("elephant_as_published", TEST, moves=1),
  Arm("memory fixed", SELECT),
  Arm("memory of another height", LOW),
  Arm("memory of shuffled spacings", SHUFFLED),
  Arm("placebo, same norm", SELECT, drawn=1, redrawn=1),
  Arm("placebo, same norm, fixed", SELECT, drawn=1),
  Arm("placebo_as_published", LARGE, drawn=1, redrawn=1),
)
BIASED = Arm("constant bias, same marginal", EMPTY, biased=1)
NAMES = tuple(arm.name for arm in (*ARMS, BIASED))


def obstacle(experiment) -> str:
  """Returns why a run's model cannot be generated from so, or ""."""
  other = program.no_tokens(experiment)
  if other or experiment.model.variant in ("gpt", "rmt"):
    return other
  return "its memory is a bank, not a vector that a sequence leaves behind."


def _rows(run, start: int, count: int) -> np.ndarray:
  """Returns neighbouring windows of tokens from an index on, NxT."""
  length = binned_generation.window_of(run.experiment.model)
  value_N = run.series.value_N[start : start + count * length]
  return np.asarray(task.encode(value_N)).reshape(-1, length)


def _sources(run, params_S):
  """Returns the memories of every seed, SxVxD, by their origin V."""
  settings, model = run.settings.memory_effect, run.experiment.model
  length = settings.warm_up * binned_generation.window_of(model)
  test, low = run.series.bounds("test")[0], run.series.bounds("train")[0]
  # The last of select: near the test split, and none of it.
  select = max(low, run.series.bounds("select")[1] - length)
  rows = [_rows(run, at, settings.warm_up) for at in (select, test, low)]
  rng = np.random.default_rng([settings.seed, 1])
  rows.append(rng.permutation(rows[0].ravel()).reshape(rows[0].shape))
  width = model.trunk.width

  def memories(params, token_VxWxT):
    warm = lambda token: binned_generation.warmed(model, params, token)
    warmed_VxD = jax.lax.map(warm, token_VxWxT)
    empty_D = binned_generation.empty(model, params)
    # As long as the published placebo, 4 N(0, 1)^D; its direction is drawn.
    large_D = jnp.full(width, 4.0)
    return jnp.concatenate([empty_D[None], warmed_VxD, large_D[None]])

  each = jax.jit(jax.vmap(memories, (0, None)))
  return each(params_S, jnp.asarray(np.stack(rows)))


def _plans(arms, repeats: int, seed: int) -> dict[str, jax.Array]:
  """Returns the plan of every arm and repeat, stacked along V R.

  A repeat has the same key in every arm.
  """
  keys_R = jax.random.split(jax.random.key(seed), repeats)
  fields = {
    name: jnp.repeat(jnp.asarray([getattr(arm, name) for arm in arms]), repeats)
    for name in Arm._fields[1:]
  }
  return fields | {"key": jnp.tile(keys_R, len(arms))}


_GENERATORS: dict[tuple[str, int], Callable] = {}


def _generator(model, length: int) -> Callable:
  """Returns `f(bundle, plan, contexts) -> tokens NxG`, the same object for
  equal models, so that it is compiled once."""

  def draw(bundle, plan, context_NxK):
    own = {
      "memory_D": bundle["memory_VxD"][plan["source"]],
      "bias_V": plan["biased"] * bundle["bias_V"],
      **{name: plan[name] for name in ("moves", "drawn", "redrawn", "key")},
    }
    return binned_generation.generate(model, bundle["params"], own, context_NxK, length)

  return _GENERATORS.setdefault((repr(model), length), draw)


def trajectories(run, params_S) -> tuple[np.ndarray, np.ndarray]:
  """Returns the tokens of every arm, SxVxRxNxG, and the memories, SxVxD."""
  settings, model = run.settings.memory_effect, run.experiment.model
  seeds, repeats = trees.length(params_S), settings.repeats
  start = run.series.bounds("test")[0]
  rows_NxT = _rows(run, start, settings.trajectories)
  # A recurrent network is given a whole segment.
  context = None if model.variant == "rmt" else settings.context
  context_NxK = jnp.asarray(rows_NxT[:, :context])
  memory_SxVxD = _sources(run, params_S)
  bundle_S = {
    "params": params_S,
    "memory_VxD": memory_SxVxD,
    "bias_V": jnp.zeros((seeds, task.BINS)),
  }
  draw = _generator(model, settings.tokens)

  def sweep(arms, bundle_S):
    token = sweeps.over(
      draw,
      bundle_S,
      _plans(arms, repeats, settings.seed),
      data=(context_NxK,),
      batch_size=settings.sweep_batch,
    )
    return np.asarray(token).reshape(seeds, len(arms), repeats, *token.shape[2:])

  token = sweep(ARMS, bundle_S)
  target, plain = token[:, NAMES.index(TARGET)], token[:, 0]
  bias_SxV = [memory_effect.matched_bias(target[s], plain[s], task.BINS) for s in range(seeds)]
  bundle_S["bias_V"] = jnp.asarray(np.stack(bias_SxV), jnp.float32)
  biased = sweep((BIASED,), bundle_S)
  return np.concatenate([token, biased], axis=1), np.asarray(memory_SxVxD)
