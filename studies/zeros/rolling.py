"""A run's network rolled out, and what can be rolled out without one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import threadpoolctl
from primelens.analyses import anchors as anchors_lib
from primelens.analyses import rollout, sweeps, trees
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import published

LONG, ADAPTIVE, RECENT = 64, 256, 20_000
# Stands for a rollout that overflowed: lost, but a number that has a mean.
LOST = 1e6
MEAN, DRAW, CLAMPED = range(3)


@functools.cache
def _rolled(apply_fn, horizon: int, window: int, everywhere: bool):
  """Returns `f(params, strength, contexts) -> rolled_NxQ` for every mode."""

  def score(params, strength, context_NxT):
    def step(x_NxW, last, key):
      mixture, _ = apply_fn(params, x_NxW)
      at = last if everywhere else 0  # postfix predicts once, behind the data
      now = jax.tree.map(
        lambda leaf: jax.lax.dynamic_index_in_dim(leaf, at, 1, keepdims=False), mixture
      )
      draw_N = mixture_lib.sample(key, now, 1)[0]
      clamped_N = 1 + rollout.clamped_as_published(draw_N - 1)
      each = (mixture_lib.mean(now), draw_N, clamped_N)
      return jax.lax.select_n(strength["mode"], *each)

    return rollout.roll(step, context_NxT, horizon, window=window, key=strength["key"])

  return score


def rolled(run, params_S, context_NxT, horizon, *, mode=(MEAN,), window=0):
  """Returns rollouts SxRxNxQ of the network, R of them by `mode`, float64.

  A mode is MEAN, DRAW or CLAMPED; every draw has a key of its own.
  """
  key = jax.random.key(run.settings.rollout.seed)
  strengths_R = {"mode": jnp.asarray(mode, jnp.int32), "key": jax.random.split(key, len(mode))}
  everywhere = run.experiment.model.memory != "postfix"
  found = sweeps.over(
    _rolled(run.apply, horizon, window, everywhere),
    params_S,
    strengths_R,
    data=(jnp.asarray(context_NxT),),
    batch_size=trees.length(params_S),
  )
  found = np.asarray(found, np.float64)
  return np.where(np.isfinite(found), found, LOST)


def anchors(run, origin_N, horizon: int) -> dict[str, np.ndarray]:
  """Returns rollouts NxQ that need no network, from `origin_N` on.

  Filters act on s - 1 and are fed back without noise; they see the whole past
  of the sequence. Fitted on the (published) train part, or on the 20,000
  spacings before each start.
  """
  residual_N = run.series.value_N.astype(np.float64) - 1
  splits = run.series.splits
  train = splits.get("train_published", splits["train"])
  fitted = anchors_lib.filters(run.series.value_N, train, LONG)
  taps: dict[str, np.ndarray] = {
    "AR(3), published coefficients": np.array(published.OPERATOR),
    "AR(3)": fitted.order(3)[0],
    f"AR({LONG})": fitted.order(LONG)[0],
  }
  if origin_N.min() >= RECENT:
    taps[f"adaptive AR({ADAPTIVE})"] = np.stack(
      [_adaptive(run.series.value_N, int(origin)) for origin in origin_N]
    )
  guesses = {"constant 1": np.ones((len(origin_N), horizon))}
  for name, phi in taps.items():
    length = phi.shape[-1]
    past = residual_N[origin_N[:, None] + np.arange(-length, 0)]
    guesses[name] = 1 + rollout.linear(phi, past, horizon)
  return guesses


def _adaptive(value_N, origin: int) -> np.ndarray:
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    fitted = anchors_lib.filters(value_N, (origin - RECENT, origin), ADAPTIVE)
    return fitted.order(ADAPTIVE)[0]
