"""Where a run's model is scored, what it predicts there, and intervals of it.

Shared by the slices of the study: predictions, pairs of lags and predictions, rows as the
published scripts cut them, and the edits of weights and heads that several slices score.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import ablation, linear, masking, statistics, sweeps, trees
from primelens.lens import results, tables
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
  return over_seeds(each)(params_S, window_NxT1)


@functools.cache
def over_seeds(each):
  """Returns the compiled `f(params_S, windows)` of an `each(params, windows)` of one network."""
  return jax.jit(jax.vmap(each, (0, None)))


def spacings(window):
  """Returns the spacings NxT1 of windows, those of guided models NxT1xJ1."""
  return window if window.ndim == 2 else window[..., 0]


def truth(mixture: mixture_lib.Mixture, window_NxT1):
  """Returns the scored spacings, NxU, behind mixtures ...xNxUxK."""
  return spacings(window_NxT1)[:, -mixture.mean.shape[-2] :]


def nll(mixture: mixture_lib.Mixture, window_NxT1) -> np.ndarray:
  """Returns the NLL in nats of every scored spacing, SxNxU, float64."""
  return np.asarray(_nll(mixture, truth(mixture, window_NxT1)), np.float64)


@jax.jit
def _nll(mixture: mixture_lib.Mixture, truth_NxU):
  truth_SxNxU = jnp.broadcast_to(truth_NxU[None], mixture.mean.shape[:-1])
  return -mixture_lib.log_density(mixture, truth_SxNxU)


_mean = jax.jit(mixture_lib.mean)


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
    found = nll(mixture, window_NxT1), _mean(mixture)
  else:
    evaluation = run.settings.evaluation
    each = _by_bins(run.apply, evaluation.min_context, evaluation.batch)
    params_S = run.params_S if params_S is None else params_S
    found = over_seeds(each)(params_S, window_NxT1)
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


def window_score(apply_fn, min_context: int, batch: int):
  """Returns `f(params, windows) -> nll_N`, nats per spacing by window."""
  each = predict(apply_fn, min_context, batch)

  def nll(params, window_NxT1):
    mixture = each(params, window_NxT1)
    y_NxU = truth(mixture, window_NxT1)
    return -mixture_lib.log_density(mixture, y_NxU).mean(1)

  return nll


def contrast(run, difference_SxN, start_N, **names) -> dict:
  """Returns the record of a paired difference of NLL in nats, with its
  interval over seeds and blocks of windows; below 0 is better."""
  found = interval(run, difference_SxN, start_N)
  return names | {
    "nats": float(found.estimate),
    "nats_low": float(found.low),
    "nats_high": float(found.high),
    "seeds": int(np.shape(difference_SxN)[0]),
  }


def contrasts_of(
  runs: Mapping[str, xr.Dataset], label: Callable[[Mapping[str, Any]], str]
) -> xr.Dataset:
  """Returns the records `contrasts` of all runs along a dimension `run`, each called
  `label(record)`; NaN where a run has none of that name."""
  named = {
    run: found.assign_coords(contrasts=[label(row) for row in tables.rows(found, "contrasts")])
    for run, found in runs.items()
  }
  order = [name for found in named.values() for name in found.contrasts.values.tolist()]
  return results.across(named, "contrasts_nats").sel(contrasts=list(dict.fromkeys(order)))


# --- predictions beside the truth and the lags before it ------------------------------------------


class Pairs(NamedTuple):
  """Rows by height: Q lags (most recent first), the truth, the model's mean."""

  lag_NxQ: np.ndarray
  truth_N: np.ndarray
  mean_SxN: np.ndarray
  index_N: np.ndarray


def pairs(run, split: str, samples: int, lags: int) -> Pairs:
  """Returns about `samples` predicted positions of a split, evenly spread."""
  model, evaluation = run.experiment.model, run.settings.evaluation
  context = program.scored_context(model, evaluation.min_context)
  each = run.series.window - context + 1
  there = len(windows.starts(run.series, split, min_context=context))
  count = min(there, -(-samples // each))
  window_NxT1, start_N = run.batches(split, count)
  mean_SxNxU = _mean(mixtures(run, window_NxT1))
  index_N = targets(run, start_N).ravel()
  value_N = run.series.value_N.astype(np.float64)
  return Pairs(
    lag_NxQ=linear.lag_matrix(value_N, index_N, lags),
    truth_N=value_N[index_N],
    mean_SxN=np.asarray(mean_SxNxU, np.float64).reshape(len(mean_SxNxU), -1),
    index_N=index_N,
  )


def rows_per_block(run, index_N) -> int:
  """Returns the bootstrap block in rows: `bootstrap.block` spacings or more.

  The rows must leave at least four blocks.
  """
  span = max(1, int(index_N[-1] - index_N[0]))
  rows = int(np.ceil(run.settings.bootstrap.block * len(index_N) / span))
  return int(np.clip(rows, 1, max(1, len(index_N) // 4)))


def jacobians(run, window_NxT1, params_S=None) -> np.ndarray:
  """Returns d mean / d s of every window's last prediction, SxNxT."""

  def last_mean(x_T, params):
    mixture, _ = run.apply(params, x_T[None])
    return mixture_lib.mean(mixture)[0, -1]

  def one(params, x_NxT):
    return jax.lax.map(lambda x_T: jax.grad(last_mean)(x_T, params), x_NxT, batch_size=32)

  params_S = run.params_S if params_S is None else params_S
  program = jax.jit(jax.vmap(one, (0, None)))
  return np.asarray(program(params_S, window_NxT1[:, :-1]))


# --- rows of 256 spacings, as the published scripts cut and chose them ----------------------------


ROW_WIDTH = 256
ROW_SEED = 42


class Rows(NamedTuple):
  """Rows in order of height, the index of each one's first spacing."""

  value_NxT: np.ndarray
  start_N: np.ndarray

  def pick(self, index_N) -> "Rows":
    """Returns the rows of these numbers, in order of height."""
    index_N = np.sort(index_N)
    return Rows(self.value_NxT[index_N], self.start_N[index_N])


def rows(run) -> Rows:
  """Returns the disjoint rows of the test split, from its first spacing on.

  Raises ValueError if it holds none.
  """
  first, last = run.series.bounds("test")
  count = (last - first) // ROW_WIDTH
  if not count:
    raise ValueError(f"the test split holds {last - first} spacings, no row of {ROW_WIDTH}.")
  start_N = first + ROW_WIDTH * np.arange(count)
  value_NxT = run.series.value_N[first : first + ROW_WIDTH * count]
  return Rows(value_NxT.reshape(count, ROW_WIDTH), start_N)


def leading(rows: Rows, limit: int) -> Rows:
  """Returns at most `limit` rows, the first ones of the tail."""
  return rows.pick(np.arange(min(limit, len(rows.start_N))))


def chosen(rows: Rows, limit: int) -> Rows:
  """Returns at most `limit` rows, drawn as the published rollouts drew them.

  Without replacement, by numpy's legacy generator seeded with 42; fewer are
  the first of those drawn. Source: docs/sources/zeros.md, section 4.5.
  """
  count = len(rows.start_N)
  order = np.random.RandomState(ROW_SEED).choice(count, size=min(limit, count), replace=False)
  return rows.pick(order)


# --- edits that several slices score --------------------------------------------------------------


def magnitude(params, strength, scope="global"):
  """Returns the params under the magnitude mask of a removed ratio."""
  where = trees.select(params, spacing.MASKED)
  keep = 1 - strength["ratio"]
  return masking.magnitude(params, keep, where=where, scope=scope)


@functools.cache
def order_score(apply_fn, batch: int):
  """Returns `f(params, slot order, windows) -> nll_N` of the last target."""

  def score(params, order_M, window_NxT1):
    one = lambda row: spacing.score(
      apply_fn, params, row[None], min_context=row.shape[0] - 1, slot_order_M=order_M
    )[0, -1]
    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return score


@functools.cache
def head_score(apply_fn, min_context: int, batch: int):
  """Returns `f(bundle, removal, windows) -> nll_N`, one for every removal.

  The bundle holds the params, the mean head outputs and the rank of each head
  (0 is the least important), so that all of them have a seed axis. A removal
  says which heads stay, how many of the lowest ranks go, whether the removed
  are replaced by their mean, and which residual slices stay.
  """

  def score(bundle, removal, window_NxT1):
    by_rank_LxH = (bundle["rank_LxH"] >= removal["count"]).astype(jnp.float32)
    fill_LxHxDh = removal["use_mean"] * bundle["mean_LxHxDh"]
    edits = {
      "attention/head": ablation.mean_heads(removal["keep_LxH"] * by_rank_LxH, fill_LxHxDh),
      "attention/out": ablation.residual_slices(removal["slice_LxH"]),
    }

    def one(row):
      return spacing.score(
        apply_fn, bundle["params"], row[None], min_context=min_context, edits=edits
      ).mean()

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return score


def head_sweep(run, bundle_S, rows, windows):
  """Returns the NLL of each window under each removal, SxRxN."""
  evaluation = run.settings.evaluation
  nll = sweeps.over(
    head_score(run.apply, evaluation.min_context, evaluation.batch),
    bundle_S,
    rows,
    data=(windows,),
    batch_size=run.settings.heads.sweep_batch,
  )
  return np.asarray(nll, np.float64)


def head_bundle(run, params_S, select, rows):
  """Returns params, mean head outputs (over select) and ranks, by seed."""
  trunk = run.experiment.model.trunk
  grid = (trunk.layers, trunk.heads)
  singles = trunk.layers * trunk.heads
  mean = ablation.average_heads(run.apply, run.settings.evaluation.batch)
  seeds = jax.tree.leaves(params_S)[0].shape[0]
  bundle_S = {
    "params": params_S,
    "mean_LxHxDh": mean(params_S, select),
    "rank_LxH": jnp.zeros((seeds, *grid), jnp.int32),
  }
  by_mean = slice(1 + singles, 1 + 2 * singles)
  some = {name: row[by_mean] for name, row in rows.items()}
  cost_SxR = head_sweep(run, bundle_S, some, select).mean(-1)
  rank_SxR = np.argsort(np.argsort(cost_SxR, axis=1), axis=1)
  rank = rank_SxR.reshape(seeds, *grid).astype(np.int32)
  return bundle_S | {"rank_LxH": jnp.asarray(rank)}
