"""Analysis `kernels`: attention by distance, done right and as published.

Published: three "kernels" of the attention, one of scores and two of weights
after the softmax, each fitted on the points it was chosen on. Here scores are
centred in their rows, kept apart by head, set beside untrained networks and
beside what the position table alone does, and fitted by many families; the
published procedures are repeated beside them, and on attention to nothing.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import kernels, statistics, sweeps
from primelens.studies.zeros import kernels_records as records
from primelens.studies.zeros import program, scoring
from primelens.tasks import windows

VARIANTS = ("intact", "positions alone", "content alone")
NETWORKS = ("trained", "untrained", "uniform")
_KEEP = {"content": (1.0, 0.0, 1.0), "positions": (1.0, 1.0, 0.0)}


@dataclasses.dataclass(frozen=True)
class Result:
  """Attention among the data positions of a run's windows, by distance.

  `index_VxSxLxHxQ` are mean scores, centred over the keys a query may read, at
  index distance `distance_Q`; V is the network as it is, with the content of
  its data tokens zeroed, and with its position table zeroed; the interval is
  over blocks of data. `untrained_...` is the null. `unfolded_SxLxHxK` is the
  intact score by the sum of spacings between (`unfolded_K`, NaN in bins of 5
  pairs or fewer); at d = 1 that is the query's own spacing, so that below 1 it
  tells how a head reads small spacings. `kernel_Px...` is the published kernel
  of weights after the softmax over all layers and heads, P the trained and the
  untrained network and uniform attention, its interval over seeds and windows.
  `unmasked_SxLxHxQ` is the published Flash kernel, which is 1 / `keys` on
  average; `noise_r2_R` is what its sinc^2 explains of noise, best of 16 heads.
  `heads`, `fits`, `ripples`: what was fitted to each.
  """

  index_VxSxLxHxQ: np.ndarray
  index_low_SxLxHxQ: np.ndarray
  index_high_SxLxHxQ: np.ndarray
  untrained_SxLxHxQ: np.ndarray
  distance_Q: np.ndarray
  unfolded_SxLxHxK: np.ndarray
  untrained_unfolded_SxLxHxK: np.ndarray
  unfolded_K: np.ndarray
  kernel_PxSx59: np.ndarray
  kernel_low_59: np.ndarray
  kernel_high_59: np.ndarray
  kernel_distance_59: np.ndarray
  kernel_count_59: np.ndarray
  unmasked_SxLxHxQ: np.ndarray
  noise_r2_R: np.ndarray
  heads: tuple[dict, ...]
  fits: tuple[dict, ...]
  ripples: tuple[dict, ...]
  keys: int
  windows: int
  published_windows: int


def obstacle(experiment) -> str:
  """Returns why a run's attention cannot be read whole, or ""."""
  model = experiment.model
  if getattr(model, "variant", "") == "rmt":
    return "its model reads windows in segments (model.variant='rmt')."
  if model.kind == "guided":
    return program.no_mixtures(experiment)
  if model.window <= kernels.PUBLISHED_FIRST + 2:
    return f"windows of {model.window} spacings are too short for a kernel."
  return ""


def data_rows(run) -> slice:
  """Returns where the T spacings stand among the positions of the trunk."""
  model, length = run.experiment.model, run.series.window
  front = model.slots if model.memory in ("prefix", "bank") else 0
  return slice(front, front + length)


@functools.cache
def _curves(apply_fn, front: int, length: int, edges: tuple, batch: int):
  """Returns `f(params, keep, windows)`: scores by distance of each window."""
  data = slice(front, front + length)

  def one(params, keep, row_T1):
    edit = lambda x, layer: x.at[:, data].multiply(keep["content"])
    if "positions" in params:
      table = params["positions"]["embedding"] * keep["positions"]
      params = params | {"positions": {"embedding": table}}
    _, activations = apply_fn(params, row_T1[None, :-1], edits={"embed": edit}, sites=_SCORES)
    score_LxHxTxT = activations["attention/scores"][:, 0, :, data, data]
    score_LxHxTxT = kernels.centred(score_LxHxTxT)
    total_LxHxK, count_K = kernels.by_unfolded(score_LxHxTxT, row_T1[:-1], jnp.asarray(edges))
    return {
      "index_LxHxQ": kernels.by_index(score_LxHxTxT),
      "total_LxHxK": total_LxHxK,
      "count_K": count_K,
    }

  def score(params, keep, window_NxT1):
    each = lambda row: one(params, keep, row)
    return jax.lax.map(each, window_NxT1, batch_size=batch)

  return score


@functools.cache
def _published(apply_fn, front: int, length: int, batch: int):
  """Returns `f(params, windows, pairs)`: weights NxP, unmasked curve LxHxQ."""
  data = slice(front, front + length)

  def one(params, item):
    row_T1, query_P, key_P = item
    _, activations = apply_fn(params, row_T1[None, :-1], sites=_PATTERN)
    mean_TxT = activations["attention/pattern"][:, 0].mean((0, 1))[data, data]
    unmasked_LxHxTxT = jax.vmap(kernels.unmasked_as_published)(
      activations["attention/query"][:, 0], activations["attention/key"][:, 0]
    )
    curve_LxHxQ = kernels.by_index(unmasked_LxHxTxT[:, :, data, data])
    return mean_TxT[query_P, key_P], curve_LxHxQ

  def each(params, *items):
    weight_NxP, curve_NxLxHxQ = jax.lax.map(lambda item: one(params, item), items, batch_size=batch)
    return weight_NxP, curve_NxLxHxQ.mean(0)

  return jax.jit(jax.vmap(each, (0, None, None, None)))


_SCORES = ("attention/scores",)
_PATTERN = ("attention/pattern", "attention/query", "attention/key")


def _drawn(run, count: int, seed=None):
  """Returns `count` disjoint windows of test and their starts, or all."""
  context = program.scored_context(run.experiment.model, 1)
  there = len(windows.starts(run.series, "test", min_context=context))
  return run.batches("test", min(count, there), seed, min_context=1)


def _scores(run, params_S, variants: int, window_NxT1):
  """Returns index curves VxSxNxLxHxQ and unfolded means VxSxLxHxK."""
  settings, data = run.settings.kernels, data_rows(run)
  edges = settings.unfolded_width * np.arange(settings.unfolded_bins + 1)
  found = sweeps.over(
    _curves(run.apply, data.start, run.series.window, tuple(edges.tolist()), settings.batch),
    params_S,
    {name: jnp.asarray(keep[:variants]) for name, keep in _KEEP.items()},
    data=(jnp.asarray(window_NxT1),),
    batch_size=1,
  )
  found = {name: np.swapaxes(np.asarray(value, np.float64), 0, 1) for name, value in found.items()}
  count = found["count_K"].sum(2)[:, :, None, None]
  mean = found["total_LxHxK"].sum(2) / np.maximum(count, 1)
  unfolded = np.where(count > kernels.LEAST, mean, np.nan)
  return found["index_LxHxQ"], unfolded, kernels.centres(edges)


def _block_interval(run, value_SxNxx, start_N):
  """Returns the ends of the interval over blocks of windows, seed by seed."""
  block = scoring.block_windows(run, start_N)
  found = [
    statistics.block_interval(np.moveaxis(value_Nxx, 0, -1), block=block)
    for value_Nxx in value_SxNxx
  ]
  return (np.stack([getattr(x, end) for x in found]) for end in ("low", "high"))


def kernel_interval(distance_NxP, weight_SxNxP):
  """Returns the ends of the published kernel, the mean over seeds, 2x59.

  Over seeds and windows, which are drawn apart, by the first-order terms of the
  ratio m = sum / count of a bin: a window has m + (its sum - m its count) / mean
  count, whose mean is m. NaN in bins of a few pairs.
  """
  in_bins = lambda weights: np.stack(
    [
      np.histogram(d_P, kernels.PUBLISHED_EDGES, weights=w_P)[0]
      for d_P, w_P in zip(distance_NxP, weights, strict=True)
    ]
  )
  count_Nx59 = in_bins(np.ones(distance_NxP.shape))
  known_59 = count_Nx59.sum(0) > kernels.LEAST
  count_NxK = count_Nx59[:, known_59]
  sum_SxNxK = np.stack([in_bins(weight_NxP) for weight_NxP in weight_SxNxP])[..., known_59]
  mean_Sx1xK = sum_SxNxK.sum(1, keepdims=True) / count_NxK.sum(0)
  term_SxNxK = mean_Sx1xK + (sum_SxNxK - mean_Sx1xK * count_NxK) / count_NxK.mean(0)
  found = statistics.seed_block_interval(np.moveaxis(term_SxNxK, 1, -1), block=1)
  ends_2x59 = np.full((2, len(known_59)), np.nan)
  ends_2x59[:, known_59] = found.low, found.high
  return ends_2x59


def _kernel(run, params_PxS) -> dict:
  """Returns the published kernel of networks P and of uniform attention."""
  settings = run.settings.kernels
  window_NxT1, _ = _drawn(run, settings.published_windows, settings.seed)
  length, data = run.series.window, data_rows(run)
  pairs = kernels.pairs_as_published(len(window_NxT1), length, seed=settings.seed)
  program_S = _published(run.apply, data.start, length, settings.batch)
  found = [
    program_S(params_S, jnp.asarray(window_NxT1), *map(jnp.asarray, pairs))
    for params_S in params_PxS
  ]
  weights = [np.asarray(weight, np.float64) for weight, _ in found]
  uniform_NxP = 1 / (pairs.query_NxP + 1)
  weights.append(np.broadcast_to(uniform_NxP, weights[0].shape))
  distance_NxP = kernels.unfolded(window_NxT1[:, :-1], pairs)
  curve = [
    [kernels.binned(distance_NxP, weight_NxP)[0] for weight_NxP in weight] for weight in weights
  ]
  low_59, high_59 = kernel_interval(distance_NxP, weights[0])
  return {
    "kernel_PxSx59": np.array(curve),
    "kernel_low_59": low_59,
    "kernel_high_59": high_59,
    "kernel_distance_59": kernels.centres(),
    "kernel_count_59": kernels.binned(distance_NxP, uniform_NxP)[1],
    "unmasked": [np.asarray(curve, np.float64) for _, curve in found],
    "published_windows": len(window_NxT1),
  }


def run(run) -> Result:
  """Returns the kernels of a run, of its untrained networks, and their fits."""
  window_NxT1, start_N = _drawn(run, run.settings.kernels.windows)
  index, unfolded, unfolded_K = _scores(run, run.params_S, len(VARIANTS), window_NxT1)
  fresh, fresh_unfolded, _ = _scores(run, run.untrained_S(), 1, window_NxT1)
  low, high = _block_interval(run, index[0], start_N)
  published = _kernel(run, (run.params_S, run.untrained_S()))
  unmasked = published.pop("unmasked")
  keys = run.series.window + getattr(run.experiment.model, "slots", 0) * (
    run.experiment.model.memory in ("prefix", "postfix", "bank")
  )
  index_VxSxLxHxQ, untrained_SxLxHxQ = index.mean(2), fresh[0].mean(1)
  options = dict(restarts=run.settings.kernels.restarts, seed=run.settings.kernels.seed)
  return Result(
    index_VxSxLxHxQ=index_VxSxLxHxQ,
    index_low_SxLxHxQ=low,
    index_high_SxLxHxQ=high,
    untrained_SxLxHxQ=untrained_SxLxHxQ,
    distance_Q=np.arange(1, run.series.window),
    unfolded_SxLxHxK=unfolded[0],
    untrained_unfolded_SxLxHxK=fresh_unfolded[0],
    unfolded_K=unfolded_K,
    unmasked_SxLxHxQ=unmasked[0],
    noise_r2_R=records.noise_r2(seed=run.settings.kernels.seed),
    heads=records.heads(index_VxSxLxHxQ, untrained_SxLxHxQ, **options),
    fits=records.kernels(
      NETWORKS, published["kernel_PxSx59"], published["kernel_distance_59"], **options
    ),
    ripples=records.ripples(NETWORKS, unmasked, keys, **options),
    keys=keys,
    windows=len(window_NxT1),
    **published,
  )
