"""Where a run's model is scored, and the intervals of what it scores."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import statistics
from primelens.models import binned, spacing
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import program
from primelens.tasks import windows


def targets(run, start_N) -> np.ndarray:
  """Returns the sequence indices of the scored spacings, NxU."""
  context = run.settings.evaluation.min_context
  return windows.targets(
    start_N, run.series.window, min_context=program.scored_context(run.experiment.model, context)
  )


@functools.cache
def predict(apply_fn, min_context: int, batch: int):
  """Returns `f(params, windows) -> Mixture` of every scored position, NxUxK."""

  def mixtures(params, window_NxT1):
    def one(row):
      mixture = spacing.predict(apply_fn, params, row[None], min_context=min_context)
      return jax.tree.map(lambda leaf: leaf[0], mixture)

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return mixtures


def mixtures(run, window_NxT1, params_S=None) -> mixture_lib.Mixture:
  """Returns the mixtures at every scored position, SxNxUxK.

  Of the run's own parameters, or of others of the same model.
  """
  evaluation = run.settings.evaluation
  each = predict(run.apply, evaluation.min_context, evaluation.batch)
  params_S = run.params_S if params_S is None else params_S
  return _over_seeds(each)(params_S, jnp.asarray(window_NxT1))


@functools.cache
def _over_seeds(each):
  return jax.jit(jax.vmap(each, (0, None)))


def spacings(window):
  """Returns the spacings NxT1 of windows, those of guided models NxT1xJ1."""
  return window if window.ndim == 2 else window[..., 0]


def truth(mixture: mixture_lib.Mixture, window_NxT1):
  """Returns the scored spacings, NxU, behind mixtures ...xNxUxK."""
  return spacings(window_NxT1)[:, -mixture.mean.shape[-2] :]


def nll(mixture: mixture_lib.Mixture, window_NxT1) -> np.ndarray:
  """Returns the NLL in nats of every scored spacing, SxNxU, float64."""
  truth_NxU = jnp.asarray(truth(mixture, window_NxT1))
  truth_SxNxU = jnp.broadcast_to(truth_NxU[None], mixture.mean.shape[:-1])
  nll_SxNxU = -mixture_lib.log_density(mixture, truth_SxNxU)
  return np.asarray(nll_SxNxU, np.float64)


@functools.cache
def _by_bins(apply_fn, min_context: int, batch: int):
  """Returns `f(params, windows) -> (NLL, mean)` of a binned model, NxU."""

  def each(params, window_NxT1):
    def one(row):
      log_p_BxUxV = binned.log_probabilities(apply_fn, params, row[None], min_context=min_context)
      truth_BxU = row[None, -log_p_BxUxV.shape[1] :]
      nll_BxU = binned.nll(log_p_BxUxV, truth_BxU)
      return nll_BxU[0], binned.mean(log_p_BxUxV)[0]

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return each


def predictions(run, window_NxT1, params_S=None):
  """Returns the NLL in nats and the mean of every scored spacing, SxNxU.

  Of the run's own parameters, or of others of the same model, float64.
  """
  if run.experiment.model.kind != "binned":
    mixture = mixtures(run, window_NxT1, params_S)
    found = nll(mixture, window_NxT1), mixture_lib.mean(mixture)
  else:
    evaluation = run.settings.evaluation
    each = _by_bins(run.apply, evaluation.min_context, evaluation.batch)
    params_S = run.params_S if params_S is None else params_S
    found = _over_seeds(each)(params_S, jnp.asarray(window_NxT1))
  return tuple(np.asarray(part, np.float64) for part in found)


def block_windows(run, start_N) -> int:
  """Returns how many neighbouring windows make a block of an interval.

  A block spans at least `bootstrap.block` spacings of the sequence, and the
  windows must leave at least four blocks.
  """
  if len(start_N) < 2:
    return 1
  step = max(1.0, (start_N[-1] - start_N[0]) / (len(start_N) - 1))
  wanted = int(np.ceil(run.settings.bootstrap.block / step))
  return int(np.clip(wanted, 1, max(1, len(start_N) // 4)))


def interval(run, value_SxN, start_N) -> statistics.Interval:
  """Returns the interval of the mean over seeds and blocks of windows.

  With one seed it is that of the data, on this one network.
  """
  return statistics.seed_block_interval(value_SxN, block=block_windows(run, start_N))
