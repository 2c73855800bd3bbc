"""Training again inside an analysis: one member from a start, under a mask.

`train` is written for one member and is used under `sweeps.over`, whose grid
of seeds and arms is one jitted program.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import weight_masks
from primelens.models import fit
from primelens.models import mixture as mixture_lib
from primelens.models import optimizer as optimizer_lib
from primelens.studies.zeros import program as program_lib
from primelens.studies.zeros import scoring


def optimizer(run, settings, *, slow: bool = True):
  """Returns the run's own optimizer for `settings.steps` steps.

  Its peak rate is `settings.rate`, or the run's own where that is 0; it warms
  up for at most a tenth of the steps. Without `slow` all parameters learn at
  one rate: other networks have no such group.
  """
  own = run.experiment.fit.optimizer
  config = dataclasses.replace(
    own,
    rate=settings.rate or own.rate,
    warmup=min(own.warmup, settings.steps // 10),
    slow_pattern=own.slow_pattern if slow else "",
  )
  return optimizer_lib.build(config, settings.steps)


def program(run, settings, model=None):
  """Returns the training program of the run's model, or of another, and its
  data, drawn in batches of `settings.batch_size` windows (0: the run's own)."""
  own = run.experiment
  size = settings.batch_size or own.fit.batch_size
  experiment = dataclasses.replace(
    own,
    model=model or own.model,
    fit=dataclasses.replace(own.fit, batch_size=size, evaluate_windows=1),
  )
  made, data, _ = program_lib.build(experiment, run.series)
  return made, jax.tree.map(jnp.asarray, data)


def train(program: fit.Program, optimizer, start: Any, keep: Any, data, key, steps: int):
  """Returns the params after `steps` steps and the step of the first loss that
  was not finite, -1 for none.

  What `keep` removes is 0 from the start and has no gradient, so that it is
  exactly 0 at the end. The last parameters are returned, not the best; after a
  loss that was not finite they are NaN, so that no mean takes them in.
  """

  def loss(params, batch, key, number):
    kept = weight_masks.both(params, keep)
    return program.loss(kept, batch, key, number)

  first = weight_masks.both(start, keep)
  its = program._replace(loss=loss, init=lambda data, key: first)
  state_1 = fit.init(its, optimizer, data, key[None])
  state = jax.tree.map(lambda leaf: leaf[0], state_1)
  body = lambda number, state: fit.step(its, optimizer, state, data, key, number)[0]
  state = jax.lax.fori_loop(0, steps, body, state)
  finite = state.frozen_step < 0
  params = jax.tree.map(lambda leaf: jnp.where(finite, leaf, jnp.nan), state.params)
  return params, state.frozen_step


def score(apply_fn, min_context: int, batch: int):
  """Returns `f(params, windows) -> nll_N`, nats per spacing by window."""
  predict = scoring.predict(apply_fn, min_context, batch)

  def nll(params, window_NxT1):
    mixture = predict(params, window_NxT1)
    y_NxU = scoring.truth(mixture, window_NxT1)
    return -mixture_lib.log_density(mixture, y_NxU).mean(1)

  return nll


def keys(run, seed: int) -> jax.Array:
  """Returns a key per member, by its own seed and the analysis's."""
  base = jax.random.key(seed)
  return jax.vmap(lambda s: jax.random.fold_in(base, s))(jnp.asarray(run.seed_S))


def contrast(run, difference_SxN, start_N, **names) -> dict:
  """Returns the record of a paired difference of NLL in nats, with its
  interval over seeds and blocks of windows; below 0 is better."""
  found = scoring.interval(run, difference_SxN, start_N)
  return names | {
    "nats": float(found.estimate),
    "low": float(found.low),
    "high": float(found.high),
    "seeds": int(np.shape(difference_SxN)[0]),
  }
