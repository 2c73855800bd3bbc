"""Where in a network its waves are: heads and the states after each layer."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import ablation, line_nulls, prime_lines, sweeps, trees
from primelens.models import mixture as mixture_lib
from primelens.models import slots, spacing
from primelens.studies.zeros import guides
from primelens.studies.zeros import prime_waves_known as known_lib

_RESIDUAL = ("residual/post",)


@functools.cache
def _without(apply_fn, min_context: int, batch: int):
  """Returns `f(bundle, removal, windows) -> mean NxU` without some heads."""

  def mean(bundle, removal, window_NxT1):
    edits = {"attention/head": ablation.mean_heads(removal["keep_LxH"], bundle["mean_LxHxDh"])}

    def one(row):
      mixture = spacing.predict(
        apply_fn, bundle["params"], row[None], min_context=min_context, edits=edits
      )
      return mixture_lib.mean(mixture)[0]

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return mean


def heads(run, stretch, prime_Q) -> dict[str, Any]:
  """Returns the gain of each prime's wave that goes with a head.

  A head is replaced by its mean output, as in the analysis `heads`. The change
  of the predicted spacings is tested for lines as the predictions are.
  """
  settings, trunk = run.settings, run.experiment.model.trunk
  part = stretch.part(settings.prime_waves.part_spacings)
  evaluation = settings.evaluation
  window_NxT1 = jnp.asarray(part.window_NxT1)
  average = ablation.average_heads(run.apply, evaluation.batch)
  bundle_S = {"params": run.params_S, "mean_LxHxDh": average(run.params_S, window_NxT1)}
  keep_RxLxH = np.concatenate(
    [np.ones((1, trunk.layers, trunk.heads)), ablation.each_head(trunk.layers, trunk.heads)]
  ).astype(np.float32)
  mean_SxRxNxU = sweeps.over(
    _without(run.apply, evaluation.min_context, evaluation.batch),
    bundle_S,
    {"keep_LxH": jnp.asarray(keep_RxLxH)},
    data=(window_NxT1,),
    batch_size=settings.heads.sweep_batch,
  )
  mean_SxRxNxU = np.asarray(mean_SxRxNxU, np.float64)
  seeds, removals = mean_SxRxNxU.shape[:2]
  mean_ExN = mean_SxRxNxU.reshape(seeds * removals, -1)
  each = known_lib.waves(mean_ExN, part.truth_N, part.height_N, np.log(prime_Q))
  gain_SxRxQ = each.gain_ExF.reshape(seeds, removals, -1)
  lost_SxRxQ = gain_SxRxQ[:, :1] - gain_SxRxQ[:, 1:]
  flat_SxRxN = mean_SxRxNxU.reshape(seeds, removals, -1)
  change_SxRxN = flat_SxRxN[:, :1] - flat_SxRxN[:, 1:]
  line = line_nulls.test(
    lambda w_F: prime_lines.amplitudes(change_SxRxN, part.height_N, w_F),
    np.log(prime_Q),
    _beside(run, part, prime_Q),
  )
  shape = (seeds, trunk.layers, trunk.heads, len(prime_Q))
  return {"head_SxLxHxQ": lost_SxRxQ.reshape(shape), "head_max_t_SxLxHxQ": line.p.reshape(shape)}


def _beside(run, part, prime_Q) -> np.ndarray:
  """Returns the null frequencies of a part of the stretch."""
  settings = run.settings.prime_waves
  return line_nulls.beside(
    np.log(prime_Q),
    guides.lines(settings.limit),
    part.height_N,
    draws=settings.draws,
    seed=settings.seed,
  )


@functools.cache
def _states(apply_fn, last: int, batch: int):
  """Returns `f(params, windows)`: last states after every block, LxNxUxD."""

  def states(params, window_NxT1):
    def one(row):
      _, activations = apply_fn(params, row[None, :-1], sites=_RESIDUAL)
      return activations["residual/post"][:, 0, -last:]

    found = jax.lax.map(one, window_NxT1, batch_size=batch)
    return jnp.moveaxis(found, 0, 1)

  return jax.jit(states)


def states(run, stretch, prime_Q) -> dict[str, Any]:
  """Returns the share of the states' variance that is a wave at ln p.

  sum_d |a_d|^2 / 2 over sum_d var_d, of the states that the head would read if
  the network ended there: positions whose predictions are scored, or the slots
  behind the window, averaged as the head averages them. Fresh networks pass on
  the waves of their inputs: they are a null beside that of other frequencies.
  """
  part = stretch.part(run.settings.prime_waves.part_spacings)
  model = run.experiment.model
  behind = model.memory == "postfix"
  last = model.slots if behind else part.index_NxU.shape[1]
  each = _states(run.apply, last, run.settings.evaluation.batch)
  window_NxT1, log_Q = jnp.asarray(part.window_NxT1), np.log(prime_Q)
  beside_RxQ = _beside(run, part, prime_Q)

  def shares(params) -> list[line_nulls.Tested]:
    state_LxNxUxD = each(params, window_NxT1)
    if behind:
      pool = jax.vmap(lambda x_NxMxD: slots.read(model, params, x_NxMxD))
      state_LxNxUxD = pool(state_LxNxUxD)
    state_LxNxUxD = np.asarray(state_LxNxUxD, np.float64)
    flat = lambda x_NxUxD: x_NxUxD.reshape(-1, x_NxUxD.shape[-1]).T
    return [
      line_nulls.test(
        functools.partial(_share, flat(state_NxUxD), part.height_N), log_Q, beside_RxQ
      )
      for state_NxUxD in state_LxNxUxD
    ]

  def over(params_S):
    rows = [
      shares(jax.tree.map(lambda leaf, s=s: leaf[s], params_S))
      for s in range(trees.length(params_S))
    ]
    of = lambda key: np.array([[getattr(x, key) for x in row] for row in rows])
    return of("amplitude"), of("p")

  share_SxLxQ, p_SxLxQ = over(run.params_S)
  fresh_SxLxQ, fresh_p_SxLxQ = over(run.untrained_S())
  return {
    "state_SxLxQ": share_SxLxQ,
    "state_max_t_SxLxQ": p_SxLxQ,
    "untrained_LxQ": fresh_SxLxQ.mean(0),
    "untrained_max_t_SxLxQ": fresh_p_SxLxQ,
  }


def _share(state_DxN, height_N, frequency_F) -> np.ndarray:
  wave_DxF = prime_lines.coefficients(state_DxN, height_N, frequency_F)
  return np.sum(np.abs(wave_DxF) ** 2, 0) / 2 / state_DxN.var(1).sum()
