"""Predictive densities of a run's network, its variants and its anchors."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import anchors, calibration
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import program, scoring
from primelens.tasks import windows

PUBLISHED_CONTEXT = 128
INTERVAL = (0.1, 0.9)  # the central 80 %, as published
SHORT = "short_window_as_published"


class Forecast(NamedTuple):
  """Mixtures SxNxUxK of the spacings y_NxU, windows from start_N on."""

  mixture: mixture_lib.Mixture
  y_NxU: np.ndarray
  start_N: np.ndarray


def short(window: int) -> int:
  """Returns the published context of 128, or half of a shorter window."""
  return min(PUBLISHED_CONTEXT, (window + 1) // 2)


def make(run, split: str, theta_S=None):
  """Returns the forecasts of a split by predictor, and the recalibration.

  The network's own come first. The recalibration, log scale factors S and
  mean shifts S, is the given one or else fitted here. Evenly spread windows
  hold about `calibration.samples` scored spacings.
  """
  window_NxT1, start_N = _windows(run, split)
  own = scoring.mixtures(run, window_NxT1)
  y_NxU = np.asarray(scoring.truth(own, window_NxT1))
  theta_S = _fitted(own, jnp.asarray(y_NxU)) if theta_S is None else theta_S
  fresh = scoring.mixtures(run, window_NxT1, run.untrained_S())
  found = {
    f"model ({run.name})": own,
    "recalibrated on select": jax.vmap(mixture_lib.recalibrate)(own, *theta_S),
    "untrained network": fresh,
    **_gaussian(run, scoring.targets(run, start_N)),
  }
  made = {k: Forecast(m, y_NxU, start_N) for k, m in found.items()}
  length = short(run.series.window)
  cut_NxT1 = window_NxT1[:, -length - 1 :]
  made[SHORT] = Forecast(last(run, cut_NxT1), cut_NxT1[:, -1:], start_N)
  return made, theta_S


def last(run, window_NxT1) -> mixture_lib.Mixture:
  """Returns the mixtures of the last spacing of windows of any length."""
  each = scoring.predict(run.apply, window_NxT1.shape[1] - 1, run.settings.evaluation.batch)
  return _by_seed(each)(run.params_S, jnp.asarray(window_NxT1))


@functools.cache
def _by_seed(each):
  return jax.jit(jax.vmap(each, (0, None)))


@jax.jit
def _fitted(mixture, y_NxU):
  theta_Sx2 = jax.vmap(lambda m: mixture_lib.recalibration(m, y_NxU))(mixture)
  return theta_Sx2[:, 0], theta_Sx2[:, 1]


def _windows(run, split: str):
  model, evaluation = run.experiment.model, run.settings.evaluation
  context = program.scored_context(model, evaluation.min_context)
  each = run.series.window - context + 1
  there = len(windows.starts(run.series, split, min_context=context))
  return run.batches(split, min(there, -(-run.settings.calibration.samples // each)))


def _gaussian(run, index_NxU) -> dict[str, mixture_lib.Mixture]:
  """Returns the Gaussian anchors at these positions, one component, one seed.

  They see the whole past; fitted on train, or on the spacings before a block.
  """
  value_N, train = run.series.value_N, run.series.splits["train"]
  index_N = index_NxU.ravel()
  found = [
    anchors.constant(value_N, train, index_N),
    *anchors.autoregressive(value_N, train, index_N, (64,)),
  ]
  if index_N.min() >= 20_000:
    adaptive = anchors.adaptive(value_N, index_N)
    name = f"adaptive AR({adaptive.parameters - 1})"
    found.append(dataclasses.replace(adaptive, name=name))
  shaped = lambda x_N: jnp.asarray(x_N, jnp.float32).reshape(1, *index_NxU.shape, 1)
  return {
    anchor.name: mixture_lib.Mixture(
      jnp.zeros((1, *index_NxU.shape, 1)), shaped(anchor.prediction_N), shaped(anchor.scale_N)
    )
    for anchor in found
  }


class Reading(NamedTuple):
  """What is read off a forecast, each SxNxU, float64."""

  pit: Any
  nll: Any
  crps: Any
  mean: Any
  variance: Any
  low: Any
  high: Any

  @property
  def interval(self) -> calibration.Interval:
    """The central 80 % intervals, quantiles of the exact mixture."""
    return calibration.Interval(self.low, self.high)


def read(forecast: Forecast) -> Reading:
  """Returns PIT, NLL, CRPS, moments and 80 % intervals of a forecast."""
  found = _read(forecast.mixture, jnp.asarray(forecast.y_NxU))
  return Reading(*(np.asarray(x, np.float64) for x in found))


@jax.jit
def _read(mixture, y_NxU):
  y = jnp.broadcast_to(y_NxU[None], mixture.mean.shape[:-1])
  cdf = lambda at: mixture_lib.cdf(mixture, at)
  return Reading(
    pit=jnp.clip(cdf(y), 0, 1),  # weights sum to 1 up to rounding
    nll=-mixture_lib.log_density(mixture, y),
    crps=mixture_lib.crps(mixture, y),
    mean=mixture_lib.mean(mixture),
    variance=mixture_lib.variance(mixture),
    low=_quantile(mixture, cdf, INTERVAL[0]),
    high=_quantile(mixture, cdf, INTERVAL[1]),
  )


def _quantile(mixture, cdf, level: float):
  """A mixture's quantile lies between those of its components."""
  each = mixture.mean + jax.scipy.special.ndtri(level) * mixture.scale
  return calibration.quantile(cdf, level, each.min(-1), each.max(-1))


def draws(forecast: Forecast, count: int, seed: int) -> np.ndarray:
  """Returns `count` draws of every prediction, R before SxNxU."""
  keys_R = jax.random.split(jax.random.key(seed), count)
  return np.asarray(_draws(forecast.mixture, keys_R))


@jax.jit
def _draws(mixture, keys_R):
  # One by one: the counters of a million draws at once are folded into the
  # program, which takes seconds to compile.
  return jax.lax.map(lambda key: mixture_lib.sample(key, mixture, 1)[0], keys_R)
