"""All who predict a stretch of spacings: the network, and those without one."""

from typing import NamedTuple

import numpy as np
from primelens.analyses import anchors, autoregression, regression, sine_predictor
from primelens.studies.zeros import guides, program, scoring
from primelens.studies.zeros.yardstick_stretches import Stretch

# Kinds that were fitted on the train split, as the fresh network's filter is.
FITTED = ("constant", "filter", "untrained")


class Guess(NamedTuple):
  """One predictor at the scored spacings: means and NLL in nats of S seeds."""

  name: str
  kind: str
  mean_SxN: np.ndarray
  nll_SxN: np.ndarray

  def seen(self, stretch: Stretch) -> bool:
    """Whether it was fitted or chosen on spacings of the stretch."""
    if self.kind == "network":
      return stretch.trained or stretch.chosen
    return self.kind in FITTED and stretch.trained


class Fits(NamedTuple):
  """What is fitted once: on the train split, and on the sine process."""

  mean: float
  variance: float
  train: autoregression.LeastSquares
  kernel: autoregression.YuleWalker


def fit(run) -> Fits:
  """Returns the anchors' filters, and the kernel's by its exact covariances."""
  settings = run.settings.yardstick
  train = run.series.bounds("train")
  value_N = run.series.value_N[slice(*train)].astype(np.float64)
  return Fits(
    mean=float(value_N.mean()),
    variance=float(value_N.var()),
    train=anchors.filters(run.series.value_N, train, max(settings.orders)),
    kernel=autoregression.of_sine_process(settings.kernel),
  )


def networks(run, stretch: Stretch) -> list[Guess]:
  """Returns the run's network and fresh ones, each with all its seeds."""
  context = program.scored_context(run.experiment.model, run.settings.evaluation.min_context)
  column_N = guides.columns_on(run, stretch)
  window_NxT1 = stretch.windows(column_N, context, run.experiment.model.window)
  found = []
  for name, kind, params_S in (
    (f"model ({run.name})", "network", None),
    ("untrained network", "untrained", run.untrained_S()),
  ):
    nll_SxNxU, mean_SxNxU = scoring.predictions(run, window_NxT1, params_S)
    flat = lambda x: x.reshape(len(x), -1)
    found.append(Guess(name, kind, flat(mean_SxNxU), flat(nll_SxNxU)))
  return found


def everyone_else(stretch: Stretch, fits: Fits, settings) -> list[Guess]:
  """Returns the anchors, from the mean to the explicit formula."""
  truth_N = stretch.truth_N
  mean_N = np.full(len(truth_N), fits.mean)
  found = [_gaussian("constant", "constant", truth_N, mean_N, fits.variance)]
  for p in settings.orders:
    name = f"AR({p}) fitted on train"
    found.append(_filtered(name, "filter", stretch, fits.train, p))
  name = f"sine process, best linear, {settings.kernel} lags"
  found.append(_filtered(name, "kernel", stretch, fits.kernel, settings.kernel))
  found += _exact(stretch, settings.exact)
  for p in dict.fromkeys((*settings.orders, settings.adaptive)):
    fit = anchors.adaptive(
      stretch.value_N, stretch.index_N, order=p, window=settings.past, block=settings.refit
    )
    name = f"AR({p}) fitted on the last {settings.past:,}"
    found.append(Guess(name, "adaptive", fit.prediction_N[None], fit.nll_N[None]))
  return found + [_waves(stretch, limit, settings.errors) for limit in settings.explicit]


def _gaussian(name: str, kind: str, truth_N, mean_N, variance) -> Guess:
  nll_N = autoregression.gaussian_nll(truth_N - mean_N, variance)
  return Guess(name, kind, mean_N[None], nll_N[None])


def _filtered(name: str, kind: str, stretch: Stretch, filters, p: int):
  """Returns a linear filter, with its own innovation variance."""
  phi_Q, variance = filters.order(p)
  residual_N = stretch.value_N.astype(np.float64) - 1
  mean_N = 1 + autoregression.predict(residual_N, phi_Q, stretch.index_N)
  return _gaussian(name, kind, stretch.truth_N, mean_N, variance)


def _exact(stretch: Stretch, lags: int) -> list[Guess]:
  """Returns the sine process's own law of the next spacing, or nothing."""
  if not lags:
    return []
  lag_NxQ = regression.lag_matrix(stretch.value_N, stretch.index_N, lags)
  name = f"sine process, exact, {lags} lag{'s' * (lags > 1)}"
  mean_N = sine_predictor.mean(lag_NxQ)
  nll_N = -sine_predictor.log_density(lag_NxQ, stretch.truth_N)
  return [Guess(name, "kernel", mean_N[None], nll_N[None])]


def _waves(stretch: Stretch, limit: int, errors: int) -> Guess:
  """Returns the explicit formula, whose sigma is that of its last errors."""
  index_N = np.arange(stretch.first - errors, len(stretch.value_N))
  number_N = stretch.number + index_N - stretch.first
  mean_N, variance = guides.explicit_predictions(
    stretch.value_N[index_N], stretch.ordinate_N[index_N], number_N, limit, errors=errors
  )
  name = f"explicit formula, primes to {limit:,}"
  return _gaussian(name, "formula", stretch.truth_N, mean_N, variance)
