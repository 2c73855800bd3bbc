"""How does attention depend on distance?

Published kernels are of different things: scores before the softmax, or weights after it, of one
head or of all, each with a form that was chosen on the points it was fitted to. A causal row of
weights sums to 1, so its mean falls with distance even where attention looks at nothing: that
control is uniform attention, 1 / (i + 1). Scores are free of it once the mean of each row is taken
off, which the softmax ignores.

Here scores are centred in their rows and kept apart by head, beside those of untrained networks
and what positions alone or content alone leave of them. Many families are fitted to each. The
published procedures are repeated, on untrained networks and on uniform attention too. A family
means something only where it beats a constant on held-out distances, on trained networks and not
on untrained ones, and where no other family does as well.
"""

import collections
import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import threadpoolctl
import xarray as xr
from primelens.analyses import kernels, linear, statistics, sweeps
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks, windows

# --- published ------------------------------------------------------------------------------------

FORMS = numbers.records(__file__, "forms")  # in sample, of one network each, without a null
_, STRETCHED, PHYSICS, FLASH = FORMS
FLASH_REACH = 16  # distances of the published Flash kernel
FLASH_HEADS = 16  # it was chosen from


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Attention by distance; the published draw of windows as published."""

  windows: checks.Count = 64  # evenly over test
  published_windows: checks.Count = 300  # at random
  unfolded_width: Annotated[float, checks.Range(0, 1e6, "(]")] = (
    0.25  # of a bin of unfolded distance, in spacings
  )
  unfolded_bins: checks.Number = 60
  restarts: checks.Number = 24  # seeded starts of every fit, beside the published ones
  batch: checks.Count = 4  # windows whose scores are in memory at a time
  seed: checks.Seed = 42

  def __post_init__(self):
    checks.fields(self)


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


# --- scores by distance, and the published kernels ------------------------------------------------

VARIANTS = ("intact", "positions alone", "content alone")
NETWORKS = ("trained", "untrained", "uniform")
_KEEP = {"content": (1.0, 0.0, 1.0), "positions": (1.0, 1.0, 0.0)}
_SCORES = ("attention/scores",)
_PATTERN = ("attention/pattern", "attention/query", "attention/key")


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
    {name: np.array(keep[:variants], np.float32) for name, keep in _KEEP.items()},
    data=(window_NxT1,),
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
  found = [program_S(params_S, window_NxT1, *pairs) for params_S in params_PxS]
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


# --- what is fitted to the curves -----------------------------------------------------------------


def reach(distances: int) -> int:
  """Returns up to which distance a curve is fitted: half of the window, where
  every distance has as many pairs, as published (127 of 255)."""
  return min(distances, max((distances + 1) // 2 - 1, 12))


def of_heads(index_VxSxLxHxQ, untrained_SxLxHxQ, **options) -> tuple[dict, ...]:
  """Returns a record of every head's curve, trained and untrained.

  The families chosen by AIC, BIC and held-out skill with their R2 and skill,
  R2 of the published families, the monotone null, the published "physics"
  score, and how the curves of positions alone and of content alone correlate
  with the intact one and how far they spread (trained networks).
  """
  most = reach(index_VxSxLxHxQ.shape[-1])
  distance_Q = np.arange(1, most + 1)
  intact, positions, content = index_VxSxLxHxQ[..., :most]
  rows = []
  both = {"trained": intact, "untrained": untrained_SxLxHxQ[..., :most]}
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    for network, curve_SxLxHxQ in both.items():
      for s, l, h in np.ndindex(curve_SxLxHxQ.shape[:3]):
        curve_Q = curve_SxLxHxQ[s, l, h]
        row = {"network": network, "seed": s, "layer": l, "head": h}
        row |= _chosen(kernels.fits(distance_Q, curve_Q, **options))
        row["spread"] = float(curve_Q.std())
        row["physics_score_as_published"] = float(kernels.physics_score_as_published(curve_Q))
        if network == "trained":
          for name, other in (("positions", positions), ("content", content)):
            found = linear.pearson(other[s, l, h], curve_Q)
            row[f"{name}_correlation"] = float(found)
            row[f"{name}_spread"] = float(other[s, l, h].std())
        rows.append(row)
  return tuple(rows)


def _chosen(found) -> dict:
  aic, bic, skill = (kernels.winner(found, by) for by in ("aic", "bic", "skill"))
  monotone = found[kernels.MONOTONE]
  return {
    "aic": aic.family,
    "bic": bic.family,
    "held_out": skill.family,
    "r2": bic.r2,
    "skill": bic.skill,
    "r2_stretched": found[kernels.STRETCHED].r2,
    "r2_wave": found[kernels.WAVE].r2,
    "r2_sinc": found["sinc"].r2,
    "monotone_r2": monotone.r2,
    "monotone_skill": monotone.skill,
  }


def of_kernels(networks, kernel_PxSx59, distance_59, **options):
  """Returns every family fitted to the published kernel of each network.

  `dip` is how far the fitted curve falls below its highest value beyond the
  first bin's middle, at that middle, as a share of it: what the data show of
  a dip at short distance. Uniform attention is the same for every seed.
  """
  rows = []
  first = distance_59[0]
  for network, kernel_Sx59 in zip(networks, kernel_PxSx59, strict=True):
    each_Sx59 = kernel_Sx59[:1] if network == "uniform" else kernel_Sx59
    for s, kernel_59 in enumerate(each_Sx59):
      if np.isfinite(kernel_59).sum() < kernels.LEAST_POINTS:
        continue
      with threadpoolctl.threadpool_limits(1, user_api="blas"):
        found = kernels.fits(distance_59, kernel_59, **options)
      for name, fit in found.items():
        row = {"network": network, "seed": s, "family": name}
        row |= fit._asdict() | {"dip": float("nan")}
        if name == kernels.STRETCHED:
          beyond = np.linspace(first, distance_59[-1], 1000)
          curve = kernels.family_values(fit, beyond)
          row["dip"] = float(1 - curve[0] / curve.max())
        rows.append(row)
  return tuple(rows)


def of_ripples(networks, unmasked, keys: int, **options) -> tuple[dict, ...]:
  """Returns sinc^2 fitted to every head's unmasked kernel over its maximum.

  As published, on d = 1 .. 16: scale sinc^2(d / wavelength) + offset. `peak`
  is the largest weight and `peak_distance` where, `uniform` 1 / keys.
  """
  family = {kernels.SINC2: kernels.FAMILIES[kernels.SINC2]}
  rows = []
  for network, curve_SxLxHxQ in zip(networks, unmasked, strict=False):
    near_SxLxHxQ = curve_SxLxHxQ[..., :FLASH_REACH]
    distance_Q = 1 + np.arange(near_SxLxHxQ.shape[-1])
    for s, l, h in np.ndindex(near_SxLxHxQ.shape[:3]):
      curve_Q = near_SxLxHxQ[s, l, h]
      with threadpoolctl.threadpool_limits(1, user_api="blas"):
        fit = kernels.fits(distance_Q, curve_Q / curve_Q.max(), families=family, **options)[
          kernels.SINC2
        ]
      rows.append(
        {"network": network, "seed": s, "layer": l, "head": h}
        | {"peak": float(curve_Q.max()), "uniform": 1 / keys}
        | {"peak_distance": int(distance_Q[curve_Q.argmax()])}
        | {"scale": fit.amplitudes[0], "offset": fit.amplitudes[1]}
        | {"wavelength": np.pi / fit.rates[0], "r2": fit.r2}
      )
  return tuple(rows)


@functools.cache
def noise_r2(*, draws: int = 50, seed: int = 0) -> np.ndarray:
  """Returns R2 of sinc^2 on 16 points of noise, the best of 16 heads: R.

  Of as many heads as the published kernel was chosen from, none of which has
  any form. The heads are drawn from `4 * draws` fits.
  """
  family = {kernels.SINC2: kernels.FAMILIES[kernels.SINC2]}
  rng = np.random.default_rng(seed)
  distance_Q = 1.0 + np.arange(FLASH_REACH)
  noise_ExQ = rng.normal(size=(4 * draws, FLASH_REACH))
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    r2_E = [
      kernels.fits(distance_Q, noise_Q, families=family, restarts=8)[kernels.SINC2].r2
      for noise_Q in noise_ExQ
    ]
  return rng.choice(r2_E, (draws, FLASH_HEADS)).max(1)


# --- the result -----------------------------------------------------------------------------------

_OF_HEAD = {"network": "network", "seed": "seed", "layer": "layer", "head": "head"}
HEADS = _OF_HEAD | {
  "aic": "family by AIC",
  "bic": "family by BIC",
  "held_out": "family by held-out skill",
  "r2": "R² of the family by BIC",
  "skill": "skill of the family by BIC on held-out distances",
  "r2_stretched": "R² of the stretched exponential with linear term",
  "r2_wave": "R² of the damped sinusoid",
  "r2_sinc": "R² of the sinc",
  "monotone_r2": "R² of the best monotone curve",
  "monotone_skill": "skill of the best monotone curve on held-out distances",
  "spread": "standard deviation of the curve over distances",
  "physics_score_as_published": "published score, by which a head was chosen",
  "positions_correlation": "correlation of the curve of positions alone with the intact one",
  "positions_spread": "standard deviation of the curve of positions alone",
  "content_correlation": "correlation of the curve of content alone with the intact one",
  "content_spread": "standard deviation of the curve of content alone",
}
RATES, AMPLITUDES = 2, 3  # of a family, at most
FITS = {
  "network": "attention of which network",
  "seed": "seed",
  "family": "family",
  **{f"rate_{i + 1}": f"rate {i + 1} inside the family" for i in range(RATES)},
  **{f"amplitude_{i + 1}": f"amplitude {i + 1}" for i in range(AMPLITUDES)},
  "parameters": "fitted parameters",
  "r2": "R²",
  "aic": "AIC",
  "bic": "BIC",
  "skill": "skill on held-out distances",
  "dip": "fall of the fitted curve in the first bin, as a share of its highest value",
}
RIPPLES = _OF_HEAD | {
  "peak": "largest weight of the first distances",
  "uniform": "weight of uniform attention over all keys",
  "peak_distance": "index distance of the largest weight",
  "scale": "scale of the sinc², over the largest weight",
  "offset": "offset of the sinc², over the largest weight",
  "wavelength": "wavelength of the sinc² [index distances]",
  "r2": "R² of the sinc²",
}
APART = "spacings"  # the unit of unfolded distance


def measure(run) -> xr.Dataset:
  """Returns attention among the data positions of a run's windows, by distance.

  `score` is the mean over windows, centred over the keys that a query may read; its interval is
  over blocks of data. At an unfolded distance of one spacing that is the query's own spacing, so
  that below 1 it tells how a head reads small spacings. The interval of `mean_kernel` is over seeds
  and windows. `unmasked` is 1 / `all_keys` on average. Untrained networks have the seeds of the
  trained ones.
  """
  window_NxT1, start_N = _drawn(run, run.settings.kernels.windows)
  index, unfolded, unfolded_K = _scores(run, run.params_S, len(VARIANTS), window_NxT1)
  fresh, fresh_unfolded, _ = _scores(run, run.untrained_S(), 1, window_NxT1)
  low, high = _block_interval(run, index[0], start_N)
  published = _kernel(run, (run.params_S, run.untrained_S()))
  unmasked = published["unmasked"]
  keys = run.series.window + getattr(run.experiment.model, "slots", 0) * (
    run.experiment.model.memory in ("prefix", "postfix", "bank")
  )
  index_VxSxLxHxQ, untrained_SxLxHxQ = index.mean(2), fresh[0].mean(1)
  kernel_PxSx59 = published["kernel_PxSx59"]
  options = dict(restarts=run.settings.kernels.restarts, seed=run.settings.kernels.seed)
  fits = of_kernels(NETWORKS, kernel_PxSx59, published["kernel_distance_59"], **options)
  by_seed = lambda rows: [row | {"seed": int(run.seed_S[row["seed"]])} for row in rows]

  said, weight = "mean score before the softmax", "mean weight after the softmax"
  by_head, by_sum = "seed layer head distance", "seed layer head unfolded_distance"
  intact, positions, content = index_VxSxLxHxQ
  variables = {
    **results.with_interval("score", by_head, statistics.Interval(intact, low, high), said),
    "score_positions": results.variable(by_head, positions, f"{said}, positions alone"),
    "score_content": results.variable(by_head, content, f"{said}, content alone"),
    "untrained_score": results.variable(
      "untrained layer head distance", untrained_SxLxHxQ, f"{said}, untrained networks"
    ),
    **results.with_untrained("unfolded", by_sum, unfolded[0], fresh_unfolded[0], said),
    "kernel": results.variable(
      "attention seed kernel_distance", kernel_PxSx59, f"{weight}, all layers and heads"
    ),
    **results.with_interval(
      "mean_kernel",
      "kernel_distance",
      statistics.Interval(
        kernel_PxSx59[0].mean(0), published["kernel_low_59"], published["kernel_high_59"]
      ),
      f"{weight}, all layers, heads and seeds",
    ),
    "count": results.variable("kernel_distance", published["kernel_count_59"], "pairs in the bin"),
    "unmasked": results.variable(by_head, unmasked[0], "mean weight of a softmax over all keys"),
    "noise_r2": results.variable(
      "draw",
      noise_r2(seed=run.settings.kernels.seed),
      f"R² of sinc² fitted to noise, best of {FLASH_HEADS} curves",
    ),
    **results.rows(
      "heads", by_seed(of_heads(index_VxSxLxHxQ, untrained_SxLxHxQ, **options)), HEADS
    ),
    **results.rows("fits", map(_flat, by_seed(fits)), FITS),
    **results.rows("ripples", by_seed(of_ripples(NETWORKS, unmasked, keys, **options)), RIPPLES),
  }
  layers, heads = intact.shape[1:3]
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "untrained": results.variable("untrained", run.seed_S, "seed of the untrained network"),
    "layer": results.variable("layer", np.arange(layers), "layer"),
    "head": results.variable("head", np.arange(heads), "head"),
    "distance": results.variable("distance", np.arange(1, run.series.window), "index distance d"),
    "unfolded_distance": results.variable(
      "unfolded_distance", unfolded_K, "sum of the spacings between", APART
    ),
    "attention": results.variable("attention", list(NETWORKS), "attention of which network"),
    "kernel_distance": results.variable(
      "kernel_distance", published["kernel_distance_59"], "sum of the spacings between", APART
    ),
  }
  return results.dataset(
    variables,
    coords,
    all_keys=keys,
    windows=len(window_NxT1),
    published_windows=published["published_windows"],
  )


def _flat(row: Mapping) -> dict:
  """Returns a fit's record with a column for each rate and amplitude."""
  found = dict(row)
  for name, values in (("rate", found.pop("rates")), ("amplitude", found.pop("amplitudes"))):
    found |= {f"{name}_{i + 1}": value for i, value in enumerate(values)}
  return found


def _explained(rows: Iterable[Mapping], key: str = "r2", *, none: float | None = None) -> list:
  """Returns the R2 of records; that of a constant curve (NaN) is left out, or counts as `none`."""
  values = [row[key] for row in rows]
  if none is None:
    return [value for value in values if np.isfinite(value)]
  return [value if np.isfinite(value) else none for value in values]


def _of(found: xr.Dataset, name: str, **where) -> list[dict]:
  """Returns those records of a result that have these values."""
  rows = tables_lib.rows(found, name)
  return [row for row in rows if all(row[key] == value for key, value in where.items())]


# --- figures and tables ---------------------------------------------------------------------------

SHOWN = 6  # heads whose curves are told apart
COLOURS = {"trained": draw.BLUE, "untrained": draw.GREY, "uniform": draw.ORANGE}
FAMILY, FORMULA = {"family": kernels.STRETCHED}, "(a d + b) exp(-c √d) + e"


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares their published kernels."""
  pages = {run: _page(found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  r2 = {run: results.dataset(*_r2_by_network(found)) for run, found in runs.items()}
  shared = draw.page(
    (
      draw.curves(
        results.across(runs, "mean_kernel"),
        "mean_kernel",
        x="kernel_distance",
        colour="run",
        style={"marker": ""},
        zero=False,
        title="The published kernel (bands: 95 %)",
      ),
      draw.strips(
        results.across(r2, "r2"),
        "r2",
        y="run",
        colour="attention",
        colours=COLOURS,
        title=f"R² of {FORMULA}",
      ),
    ),
    heights=[3.8],
  )
  return {"all runs": shared} | pages


def _r2_by_network(found: xr.Dataset) -> tuple[dict, dict]:
  """Returns the R2 of the published family, the mean over seeds, for each network."""
  r2 = [_explained(_of(found, "fits", network=one, **FAMILY)) for one in NETWORKS]
  mean = [np.mean(each) if each else np.nan for each in r2]
  said = "R² of the published family, mean over seeds"
  return {"r2": results.variable("attention", mean, said)}, {"attention": list(NETWORKS)}


def _page(found: xr.Dataset) -> draw.Page:
  first, names = f"seed {found.seed.values[0]}", _shown(found)
  near = found.isel(distance=slice((found.sizes["distance"] + 1) // 2))
  scores, sums = _stacked(near).sel(which=names), _stacked(found).sel(which=names)
  look = {"colour": "which", "style": {"marker": "", "lw": 1.3}}
  index = draw.together(
    _threads(
      near.distance, near.untrained_score.values[0], "untrained, all heads", draw.GREY, lw=0.6
    ),
    draw.curves(
      scores,
      "score",
      x="distance",
      title=f"Scores before the softmax,\ncentred by row ({first}; bands: 95 %)",
      **look,
    ),
  )
  unfolded = draw.together(
    _threads(
      found.unfolded_distance,
      found.untrained_unfolded.values[0],
      "untrained, all heads",
      draw.GREY,
      lw=0.6,
    ),
    draw.curves(
      sums, "unfolded", x="unfolded_distance", title="The same heads by unfolded distance", **look
    ),
  )
  return draw.page(
    (index, unfolded),
    (_kernel_panel(found), _parts(scores)),
    (_families(found), _flash(found)),
    heights=[3.9, 3.9, 3.9],
  )


def _stacked(found: xr.Dataset) -> xr.Dataset:
  """Returns the scores of the first seed, all heads along one dimension, L0.H0 first."""
  names = ["score", "score_interval", "score_positions", "score_content", "unfolded"]
  one = found[names].isel(seed=0).stack({"which": ("layer", "head")})
  labels = [f"L{layer}.H{head}" for layer, head in one.which.values]
  one = one.drop_vars(["which", "layer", "head"])
  return one.assign_coords(which=results.variable("which", labels, "head"))


def _shown(found: xr.Dataset) -> list[str]:
  """Returns the heads of the first seed whose scores vary most by distance."""
  each = _stacked(found)
  order = np.argsort(-each.score.transpose("which", "distance").values.std(-1))
  return each.which.values[order[:SHOWN]].tolist()


def _threads(x, curve_xQ, label: str | None, colour: str, **style) -> draw.Panel:
  """Returns thin lines of one colour that have one label together."""
  style = {"lw": 0.8, "alpha": 0.7, "color": colour} | style
  flat_ExQ = np.reshape(curve_xQ, (-1, np.shape(curve_xQ)[-1]))

  def panel(axes):
    axes.plot(x, flat_ExQ.T, **style)
    if label:
      axes.plot([], [], label=label, **style)

  return panel


def _kernel_panel(found: xr.Dataset) -> draw.Panel:
  """Returns the published kernel of the networks and of attention to nothing."""
  words = {
    "untrained": "untrained",
    "uniform": "uniform attention, 1 / (i + 1)",
    "trained": "trained, mean (band: 95 %)",
  }
  labels = {}
  for network, label in words.items():
    r2 = _explained(_of(found, "fits", network=network, **FAMILY))
    labels[network] = f"{label}: R² {min(r2):.3f}" if r2 else label
  at = lambda network: found.kernel.sel(attention=network).values
  distance = found.kernel_distance
  return draw.together(
    _threads(distance, at("untrained"), labels["untrained"], COLOURS["untrained"], lw=1.3),
    _threads(distance, at("uniform")[:1], labels["uniform"], COLOURS["uniform"], lw=1.3),
    _threads(distance, at("trained"), None, COLOURS["trained"], lw=0.6),
    draw.curves(
      found,
      "mean_kernel",
      x="kernel_distance",
      style={"marker": "", "lw": 1.3, "label": labels["trained"]},
      zero=False,
      title=f"Weights after the softmax, as published;\nleast R² of {FORMULA}",
    ),
  )


def _parts(scores: xr.Dataset) -> draw.Panel:
  """Returns what remains of one head without content, and without positions."""
  head = scores.which.values[0]
  names = {"score": "black", "score_positions": draw.ORANGE, "score_content": draw.BLUE}
  lines = [
    draw.curves(
      scores.sel(which=head),
      name,
      x="distance",
      style={"marker": "", "lw": 1.4, "color": colour, "label": label},
      ylabel="mean score before the softmax",
      title=f"{head}: positions and content apart",
    )
    for (name, colour), label in zip(names.items(), VARIANTS, strict=True)
  ]
  return draw.together(*lines)


def _families(found: xr.Dataset) -> draw.Panel:
  """Returns how many heads each family describes best, trained and untrained."""
  rows, networks = tables_lib.rows(found, "heads"), list(NETWORKS[:2])
  names = [row["family"] for row in tables_lib.rows(found, "fits")] + [row["bic"] for row in rows]
  names = [name for name in dict.fromkeys(names) if name != kernels.MONOTONE]
  chosen = collections.Counter((row["bic"], row["network"]) for row in rows)
  count = [[chosen[name, network] for network in networks] for name in names]
  labels = [name.replace(" with", "\nwith") for name in names]
  counted = results.dataset(
    {"count": results.variable("family network", count, "heads of all seeds")},
    {"family": labels, "network": networks},
  )
  return draw.strips(
    counted, "count", y="family", colour="network", colours=COLOURS, title="Family chosen by BIC"
  )


def _flash(found: xr.Dataset) -> draw.Panel:
  """Returns the unmasked kernels over 1 / keys, which they average."""
  near = found.unmasked.isel(distance=slice(FLASH_REACH))
  ratio = near.values * found.all_keys
  text = {
    "ylim": (0, max(2.0, 1.1 * float(ratio.max()))),
    "title": "Softmax over all keys, no mask\n(as published)",
    "xlabel": results.label(found.distance),
    "ylabel": f"weight over 1 / {found.all_keys}",
  }
  return draw.together(
    draw.level(1, "uniform", ls=":"),
    _threads(near.distance, ratio, "heads of all seeds", draw.BLUE),
    lambda axes: axes.set(**text),
  )


def tables(runs) -> list[tables_lib.Table]:
  """Returns the published kernels, those of all runs, and what describes each head."""
  names = {"kernel": "published kernel", "distance": "distance", "form": "form", "r2": "R²"}
  return [
    tables_lib.Table(
      "Published kernels as reported: in sample, one network each, no null.",
      [{names[key]: value for key, value in row.items()} for row in FORMS],
      name="published",
    ),
    _family_table(runs),
    _between(runs),
    _winners(runs),
    _ripple_table(runs),
    _by_score(runs),
  ]


def _family_table(runs) -> tables_lib.Table:
  """Returns the published family fitted to each network's kernel."""
  body, dip = [], "dip in the first bin"
  for run, found in runs.items():
    for network in NETWORKS:
      own = _of(found, "fits", network=network, **FAMILY)
      if not own:
        continue
      mean = lambda key, own=own: float(np.mean([row[key] for row in own]))
      a, b, e = (mean(f"amplitude_{i + 1}") for i in range(AMPLITUDES))
      other = _of(found, "fits", network=network, family=kernels.MONOTONE)
      body.append(
        {
          "run": run,
          "network": network,
          "R²": mean("r2"),
          "held-out skill": mean("skill"),
          FORMULA: f"({a:.3f} d + {b:.3f}) exp(-{mean('rate_1'):.2f} √d) + {e:.4f}",
          dip: mean("dip"),
          "R² of the best monotone curve": float(np.mean([row["r2"] for row in other])),
        }
      )
  return tables_lib.Table(
    "The published kernel, weights after the softmax by unfolded distance, fitted by the published"
    " family; mean over seeds. The dip is a share of the highest value.",
    body,
    dict.fromkeys(("R²", "held-out skill", dip, "R² of the best monotone curve"), ".3f"),
    "family",
  )


def _between(runs) -> tables_lib.Table:
  """Returns how far the published kernels of runs are apart."""
  own = {run: found.kernel.sel(attention="trained").values for run, found in runs.items()}
  body = []
  for run, found in runs.items():
    row = {other: _apart(own[run], kernel) for other, kernel in own.items()}
    for network in NETWORKS[1:]:
      row[network] = _apart(own[run], found.kernel.sel(attention=network).values)
    body.append({"run": run} | row)
  return tables_lib.Table(
    "Distance between published kernels: root mean square difference over the spread of the row's"
    " own, mean over pairs of seeds (on the diagonal: of different seeds). Runs on shuffled or"
    " simulated spacings belong here: what they share with the zeros is not of the zeros.",
    body,
    dict.fromkeys((*runs, *NETWORKS[1:]), ".3f"),
    "between",
  )


def _apart(one_Sx59, other_Sx59) -> float:
  """Returns the mean distance of two runs' kernels over their pairs of seeds.

  NaN where there is no pair.
  """
  found = []
  for s, one in enumerate(one_Sx59):
    for t, other in enumerate(other_Sx59):
      if one_Sx59 is other_Sx59 and s == t:
        continue
      known = np.isfinite(one) & np.isfinite(other)
      if known.any() and one[known].std() > 0:
        gap = np.sqrt(np.mean((one - other)[known] ** 2))
        found.append(gap / one[known].std())
  return float(np.mean(found)) if found else float("nan")


def _winners(runs) -> tables_lib.Table:
  """Returns how many heads each criterion gives to each family."""
  body = []
  for run, found in runs.items():
    for network in NETWORKS[:2]:
      rows = _of(found, "heads", network=network)
      known = _explained(rows)
      r2 = float(np.median(known)) if known else np.nan
      for by in ("aic", "bic", "held_out"):
        count = collections.Counter(row[by] for row in rows)
        said = "; ".join(f"{name} {number}" for name, number in count.most_common())
        body.append(
          {
            "run": run,
            "network": network,
            "criterion": by.replace("_", " "),
            "heads by family, most first": said,
            "median R²": r2,
          }
        )
  windows = tables_lib.distinct(f"{found.windows:,}" for found in runs.values())
  return tables_lib.Table(
    "Families of the centred scores by index distance, all heads and seeds,"
    f" {windows} windows of test. AIC and BIC take distances for independent and give waves to"
    " untrained networks too.",
    body,
    {"median R²": ".3f"},
    "winners",
  )


def _ripple_table(runs) -> tables_lib.Table:
  body, columns = [], {"R²": "r2", "scale": "scale", "offset": "offset", "wavelength": "wavelength"}
  for run, found in runs.items():
    for network in NETWORKS[:2]:
      rows = _of(found, "ripples", network=network)
      best = rows[int(np.argmax(_explained(rows, none=-np.inf)))]
      peaks = [row["peak"] / row["uniform"] for row in rows]
      body.append(
        {"run": run, "network": network, "keys": found.all_keys}
        | {"peaks over 1 / keys": f"{min(peaks):.2f} … {max(peaks):.2f}"}
        | {name: best[key] for name, key in columns.items()}
        | {"R² of noise": float(found.noise_r2.median())}
      )
  return tables_lib.Table(
    "The published Flash kernel: softmax over all keys, no mask, and sinc² fitted to its first"
    f" {FLASH_REACH} distances; the head of the highest R². R² of noise is that of the best of"
    f" {FLASH_HEADS} curves of noise.",
    body,
    dict.fromkeys(columns, ".3f") | {"R² of noise": ".2f"},
    "flash",
  )


def _by_score(runs) -> tables_lib.Table:
  """Returns the heads of the highest published scores."""
  columns = {
    "published score": "physics_score_as_published",
    "family by BIC": "bic",
    "R²": "r2",
    "held-out skill": "skill",
    "R² damped sinusoid": "r2_wave",
    "R² sinc": "r2_sinc",
    "R² monotone": "monotone_r2",
    "correlation, positions alone": "positions_correlation",
    "content alone": "content_correlation",
  }
  body = []
  for run, found in runs.items():
    rows = _of(found, "heads", network="trained")
    for row in sorted(rows, key=lambda row: -row["physics_score_as_published"])[:16]:
      head = f"seed {row['seed']}, L{row['layer']}.H{row['head']}"
      body.append({"run": run, "head": head} | {name: row[key] for name, key in columns.items()})
  reach = [f"{_highest(found)[1]['physics_score_as_published']:.1f}" for found in runs.values()]
  return tables_lib.Table(
    "Heads in the order of the published score, which grows with scale and with noise: untrained"
    f" heads reach {', '.join(dict.fromkeys(reach))}.",
    body,
    dict.fromkeys(columns, ".3f") | {"published score": ".1f"},
    "by_score",
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
CLOSE = 0.95  # R2 from which a family is called a good description
CLEAR = 0.99  # of the published "physics head", whose own R2 is still higher


def _stretched(found: xr.Dataset, network: str) -> list[dict]:
  """Returns the published family's fits, one for each seed."""
  rows = _of(found, "fits", network=network, **FAMILY)
  if not rows:
    raise claims.Inapplicable(f"a kernel of the {network} network")
  return rows


def _least(found: xr.Dataset, network: str) -> float:
  return min(_explained(_stretched(found, network), none=0.0))


@CLAIMS.add(
  "kernels.stretched",
  f"The attention logits have the kernel {STRETCHED['form']} of unfolded distance: it is the"
  " operator.",
  reported=f"R2 {STRETCHED['r2']} on 59 bins, form chosen on the same points",
  source=f"{program.REPOSITORY}, symbolic regression of the kernel",
)
def stretched(results):
  """Returns the verdict: the published procedure on trained, untrained and no attention at all."""
  runs = program.on_published(results).of("kernels")
  values = {
    f"{name}: R2, {network}": _least(found, network)
    for name, found in runs.items()
    for network in NETWORKS
  }
  trained = [_least(found, "trained") for found in runs.values()]
  null = [
    max(_least(found, network) for network in ("untrained", "uniform")) for found in runs.values()
  ]
  because = (
    "Weights after the softmax were averaged over layers and heads, so these"
    " are no logits, and a causal row that sums to 1 falls with distance"
    " whatever it looks at. The same family under the same sampling has an R2"
    " of "
    + "; ".join(
      f"{_least(found, 'trained'):.3f} for the network, "
      f"{_least(found, 'untrained'):.3f} untrained and "
      f"{_least(found, 'uniform'):.3f} for 1 / (i + 1), attention to nothing"
      f" ({name})"
      for name, found in runs.items()
    )
    + ". The size of a network does not enter the last."
  )
  return claims.verdict(min(trained) >= CLOSE, because, values, artefact=max(null) >= CLOSE)


@CLAIMS.add(
  "kernels.repulsion",
  "Its linear term is the repulsion of levels.",
  reported="a = 0.127; 0.0637 at d = 0, 0.0570 at 0.5, 0.0630 at 2",
  source=f"{program.REPOSITORY}, symbolic regression of the kernel",
)
def repulsion(results):
  """Returns the verdict: the linear term of the published family, with attention to nothing."""
  runs = program.on_published(results).of("kernels")
  name, found = next(iter(runs.items()))
  slopes = {
    network: [row["amplitude_1"] for row in _stretched(found, network)] for network in NETWORKS
  }
  values = {f"{name}: a, {k}": float(np.mean(v)) for k, v in slopes.items()}
  dips = {"trained": _dip(found.unfolded), "untrained": _dip(found.untrained_unfolded)}
  values |= {f"{name}: scores below 0.75, {k}": v for k, v in dips.items()}
  first = float(found.kernel_distance[0])
  because = (
    f"The term has a = {np.mean(slopes['trained']):.3f} on {name}, "
    f"{np.mean(slopes['untrained']):.3f} untrained and "
    f"{slopes['uniform'][0]:.3f} for uniform attention, whose kernel is flat up"
    " to a distance of 10 since queries are drawn from 10 on: a fall that is"
    " flat at first needs the term. The dip of the published curve lies below"
    f" d = 0.5 and the first bin is at {first:.2f}, where the curve is 5 %"
    " below its highest value. Scores before the softmax can say more: below a"
    f" distance of 0.75 they are {dips['trained']:+.2f} from those between 1"
    f" and 4 (mean over heads; untrained {dips['untrained']:+.2f}), where the"
    " distance to the last key is the query's own spacing."
  )
  holds = min(slopes["trained"]) > 0
  return claims.verdict(holds, because, values, artefact=slopes["uniform"][0] > 0)


def _dip(curve: xr.DataArray) -> float:
  """Returns the mean score at distances below 0.75 less that in 1 .. 4."""
  distance_K, curve_xK = curve.unfolded_distance.values, curve.values
  near_K = distance_K < 0.75
  far_K = (distance_K > 1) & (distance_K < 4)
  return float(np.nanmean(curve_xK[..., near_K]) - np.nanmean(curve_xK[..., far_K]))


@CLAIMS.add(
  "kernels.physics_head",
  "A physics head computes a damped sine or sinc of distance, the kernel of random matrices.",
  reported=f"R2 {PHYSICS['r2']} (damped sine), 0.9999 (sinc), 0.9979 (exponential)",
  source=f"{program.REPOSITORY}, kernel of the 100M network",
)
def physics_head(results):
  """Returns the verdict on the head of the highest published score, and what else describes it."""
  runs = program.on_published(results).of("kernels")
  best = {name: _highest(found) for name, found in runs.items()}
  values: dict[str, float] = {}
  for name, (head, fresh) in best.items():
    values |= {
      f"{name}: R2, damped sinusoid": head["r2_wave"],
      f"{name}: R2, sinc": head["r2_sinc"],
      f"{name}: R2, monotone": head["monotone_r2"],
      f"{name}: score": head["physics_score_as_published"],
      f"{name}: score, untrained": fresh["physics_score_as_published"],
    }
  parts = (
    f"{name}: the published score chooses L{head['layer']}.H{head['head']} "
    f"({head['physics_score_as_published']:.1f}; untrained heads reach "
    f"{fresh['physics_score_as_published']:.1f}), R2 {head['r2_wave']:.3f} of a"
    f" damped sinusoid, {head['r2_sinc']:.3f} of a sinc, "
    f"{head['monotone_r2']:.3f} of any monotone curve, held-out skill "
    f"{head['skill']:.2f} of {head['bic']}"
    for name, (head, fresh) in best.items()
  )
  because = (
    "The source lists a damped sine, a sinc and an exponential at R2 .998 or"
    " more for one curve of 127 points: the form is not identified. " + "; ".join(parts) + "."
  )
  big = program.published_size(results, runs)
  heads = [best[name][0] for name in big or runs]
  waves = _explained(heads, "r2_wave", none=0.0)
  others = [
    r2 for key in ("monotone_r2", "r2_stretched") for r2 in _explained(heads, key, none=0.0)
  ]
  return claims.verdict(
    min(waves) >= CLEAR,
    because,
    values,
    artefact=max(others) >= CLEAR,
    undecided=program.undecided(big),
  )


def _highest(found: xr.Dataset) -> tuple[dict, ...]:
  """Returns the head of the highest score, trained and untrained."""
  score = lambda row: row["physics_score_as_published"]
  return tuple(max(_of(found, "heads", network=one), key=score) for one in NETWORKS[:2])


@CLAIMS.add(
  "kernels.flash",
  "Layer 1 of the Flash network attends by sinc squared.",
  reported=f"scale 0.102, offset 0.939, wavelength 2.533, R2 {FLASH['r2']} (L1.H2)",
  source=f"{program.REPOSITORY}, results/L1_analysis",
)
def flash(results):
  """Returns the verdict on sinc^2 of a softmax over all keys, which averages 1 / keys."""
  runs = program.on_published(results).of("kernels")
  values: dict[str, float] = {}
  parts = []
  for name, found in runs.items():
    own, fresh = (_ripple(found, network) for network in ("trained", "untrained"))
    peaks = [row["peak"] for row in _of(found, "ripples", network="trained")]
    peak, noise = max(peaks) * found.all_keys, float(np.median(found.noise_r2.values))
    values |= {
      f"{name}: R2": own,
      f"{name}: R2, untrained": fresh,
      f"{name}: R2, noise": noise,
      f"{name}: highest peak over 1 / keys": peak,
    }
    parts.append(
      f"{name}: the highest of all weights is {peak:.2f} of 1 / {found.all_keys},"
      f" the best R2 of sinc^2 {own:.2f} (untrained {fresh:.2f}; best of 16"
      f" curves of noise {noise:.2f})"
    )
  because = (
    "The published kernel is a softmax over all 264 keys without mask or rotary"
    " turn: no attention that the network computes, and 1 / 264 = 0.0038 on"
    " average whatever the weights; all reported peaks lie between 0.0034 and"
    " 0.0052. The sinc^2 is a ripple of 0.102 on 0.939. " + "; ".join(parts) + "."
  )
  big = program.published_size(results, runs)
  least = min(values[f"{name}: R2"] for name in big or runs)
  return claims.verdict(
    least >= FLASH["r2"], because, values, artefact=True, undecided=program.undecided(big)
  )


def _ripple(found: xr.Dataset, network: str) -> float:
  """Returns the best R2 of a sinc^2 that stands upright, NaN for none."""
  rows = _of(found, "ripples", network=network)
  return max(_explained(row for row in rows if row["scale"] > 0), default=float("nan"))
