"""Spectra of every weight matrix of a population, shared by the slices `spectra` of two studies.

At the end each matrix of each network is set beside noise of its shape and scale and beside its own
start; over the snapshots the same numbers stand beside the losses. Source: docs/sources/primes.md,
sections 4, 6.3 to 6.5, 7.3 and 7.4. Matrices are those of the literature, outputs by inputs as
PyTorch stores them: heads, which are an axis of the parameters, are joined.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import threadpoolctl
import xarray as xr
from primelens.analyses import sine_process, spacings, spectra, spectra_report, trees
from primelens.lens import figures as draw
from primelens.lens import results
from primelens.lens import tables as tables_lib

LEAST = 16  # a smaller side of a matrix has no spectrum to speak of
SYMMETRY = "query"  # the role whose rows the source clusters
KEPT = 256  # singular values of a matrix that are stored, evenly spaced
ATTENTION = ("query", "key", "value", "out")  # the roles that the source averages over
CURVES: dict[str, Callable] = spectra.METRICS | {
  "ks_unit_as_published": lambda s, shape: spectra.ks_unit_as_published(s)
}
WHEN = ("start", "end")

# --- the matrices of a network --------------------------------------------------------------------

_INTO = ("query", "key", "value")  # LxDxHxDh


class Matrix(NamedTuple):
  """One matrix of every member, outputs by inputs; `layer` is -1 outside the
  blocks."""

  name: str
  role: str
  layer: int
  weight_SxNxD: np.ndarray


def matrices_of(params_S: Any) -> list[Matrix]:
  """Returns the matrices with two sides of 16 or more, blocks first.

  Queries, keys and values are (heads times width) x D, the projection back is
  D x (heads times width); tables of an embedding are E x D.
  """
  found: list[Matrix] = []
  leaves = zip(trees.names(params_S), jax.tree.leaves(params_S), strict=True)
  for path, leaf in leaves:
    found += _leaf(path, np.asarray(leaf))
  large = [m for m in found if min(m.weight_SxNxD.shape[1:]) >= LEAST]
  return sorted(large, key=lambda m: (m.layer < 0, m.layer))


def _leaf(path: str, leaf: np.ndarray) -> Iterator[Matrix]:
  """Yields the matrices of one leaf of a population's parameters."""
  parts = path.split("/")
  if parts[-1] == "bias" or "norm" in path or leaf.ndim < 3:
    return
  if parts[0] == "blocks":
    role = parts[-2]
    if role in _INTO:  # SxLxDxHxDh
      joined = leaf.reshape(*leaf.shape[:3], -1)
    else:  # SxLxHxDhxD, or SxLxFxD
      joined = leaf.reshape(*leaf.shape[:2], -1, leaf.shape[-1])
    for layer in range(leaf.shape[1]):
      weight_SxNxD = joined[:, layer].swapaxes(1, 2)
      yield Matrix(f"{role}/{layer}", role, layer, weight_SxNxD)
  elif leaf.ndim == 3:
    table = parts[-1] == "embedding"
    weight_SxNxD = leaf if table else leaf.swapaxes(1, 2)
    name = parts[0] if len(parts) == 2 else "/".join(parts[:-1])
    yield Matrix(name, parts[0], -1, weight_SxNxD)


# --- what the numbers of a record mean ------------------------------------------------------------

MEANINGS = {
  "std": "standard deviation of the entries about 0",
  "bulk_std": "standard deviation that the bulk of the singular values says",
  "largest": "largest singular value",
  "edge": "largest singular value of noise as wide as the bulk",
  "effective_rank": "effective rank, exp of the entropy of the singular values",
  "effective_rank_squares": "effective rank of the squared singular values",
  "stable_rank": "stable rank, sum of squares over the largest square",
  "max_to_mean": "largest singular value over their mean",
  "ks_matched": "distance of the singular values from noise of the same scale",
  "outliers": "singular values above the edge of noise",
  "ks_unit_as_published": "distance of the singular values from noise of unit variance",
  "radius": "largest eigenvalue, in standard deviations of the bulk",
  "levels_of": "levels whose spacings are read",
  "r_ratio": "mean ratio of neighbouring spacings",
  "number_variance": "variance of the number of levels in two mean spacings",
  "form_factor": "mean form factor of the levels",
  "ks_goe": "distance of the spacings from GOE",
  "ks_gue": "distance of the spacings from GUE",
  "ks_poisson": "distance of the spacings from Poisson",
  "symmetry_inter": "distance of two clusters of rows",
  "symmetry_balance": "balance of two clusters of rows",
  "symmetry_quality": "quality of two clusters of rows",
  "distance": "distance from the start, over the size of the start",
}
# What stands behind a number's name; longer endings first.
ENDINGS = {
  "_p_gaussian": "p-value beside normal noise",
  "_null_sd": "standard deviation over draws of its null",
  "_gaussian": "mean over normal noise of the same scale",
  "_p_any": "p-value, corrected: any false finding",
  "_p_bh": "p-value, corrected: rate of false findings",
  "_spread": "largest of the three unfoldings less the smallest",
  "_local": "unfolded locally",
  "_null": "mean over draws of its null",
  "_law": "unfolded by the law of noise",
  "_p": "p-value",
}


def meaning(key: str) -> str:
  """Returns what a number of `spectra_report.measure` is.

  >>> meaning("max_to_mean_p")
  'largest singular value over their mean: p-value'
  """
  for ending, words in ENDINGS.items():
    if key.endswith(ending):
      return f"{meaning(key.removesuffix(ending))}: {words}"
  if key.startswith("moved_"):
    return f"of the change since the start: {meaning(key.removeprefix('moved_'))}"
  return MEANINGS.get(key, key.replace("_", " "))


def variables(
  records: Iterable[Mapping[str, Any]], dims: str, shape: tuple[int, ...], but: Iterable[str]
) -> dict[str, xr.Variable]:
  """Returns a variable for every key of the records but some; NaN, or "", where one lacks it."""
  records = list(records)
  keys = [key for key in dict.fromkeys(key for row in records for key in row) if key not in but]
  found = {}
  for key in keys:
    text = any(isinstance(row.get(key), str) for row in records)
    values = [row.get(key, "" if text else np.nan) for row in records]
    found[key] = results.variable(dims, np.array(values).reshape(shape), meaning(key))
  return found


# --- the result -----------------------------------------------------------------------------------


class Scores(NamedTuple):
  """What the networks are worth at the snapshots, SxC; NaN where unknown."""

  train_SxC: np.ndarray
  test_SxC: np.ndarray
  unit: str  # "accuracy", say


ABOUT = {
  "role": "what the matrix does",
  "layer": "layer of the matrix; -1 outside the layers",
  "rows": "outputs of the matrix",
  "columns": "inputs of the matrix",
  "live": "whether the matrix has any effect on the answer",
}
# The source's numbers of the first layer's queries: a corner of 256 x 256, or all of a smaller one.
AS_PUBLISHED = {
  "effective_rank": MEANINGS["effective_rank"],
  "max_to_mean": MEANINGS["max_to_mean"],
  "ks": MEANINGS["ks_unit_as_published"],
  "inter_cluster": MEANINGS["symmetry_inter"],
  "balance": MEANINGS["symmetry_balance"],
  "quality": MEANINGS["symmetry_quality"],
  "goe_distance": "mean distance of the histogram of spacings from that of GOE",
  "ks_goe": MEANINGS["ks_goe"],
  "ks_gue": MEANINGS["ks_gue"],
  "ks_poisson": MEANINGS["ks_poisson"],
}


class Parts(NamedTuple):
  """What a result is made of."""

  variables: dict[str, xr.Variable]
  coords: dict[str, Any]
  attrs: dict[str, Any]


def read(run, *, dead: tuple[str, ...], scores: Callable) -> Parts:
  """Returns variables, coordinates and attributes of the spectra of a run.

  `dead` are the roles without effect on the answer; `scores(run, step_C)` gives the `Scores` at the
  snapshots. Along `matrix` and `seed` lie the keys of `spectra_report.measure` at the end of
  training, every p-value corrected over all of them: `<metric>_p_any` (any false finding) and
  `<metric>_p_bh` (their rate, which one finding among V matrices reaches with
  `spectra.needed(V)` draws). `as_published_...` are the source's own numbers of the first
  layer's queries, at the start and at the end. `metric_value` is every metric at every snapshot,
  `metric_null` that of noise of the same shape. `singular` and `start_singular` fall, and are NaN
  beyond the last.
  """
  draws, seed = run.settings.draws, run.settings.seed
  start, end = matrices_of(run.untrained_S()), matrices_of(run.params_S)
  singular = [_singular(matrix) for matrix in end]
  records = []
  for matrix, before, known in zip(end, start, singular, strict=True):
    live = matrix.role not in dead
    tests = len(end) * len(matrix.weight_SxNxD)
    records += _records(matrix, before, known, live, draws, seed, tests)
  step_C = np.array(run.snapshot_steps(), int)
  score = scores(run, step_C)
  curve_VxSxCxE, distance_SxCxE = _over_snapshots(run, start, step_C.tolist())
  about = [_about(matrix) | {"live": matrix.role not in dead} for matrix in end]
  shape = (len(end), len(end[0].weight_SxNxD))
  apart = {"matrix", "member", "draws", *ABOUT}
  make = results.variable
  found = {
    **{key: make("matrix", [row[key] for row in about], said) for key, said in ABOUT.items()},
    **variables(spectra.corrected(records), "matrix seed", shape, apart),
    **_as_published(start, end),
    "as_published_spacing": make(
      "when seed gap", [_spacings(start), _spacings(end)], "spacing of levels over their mean"
    ),
    "metric_value": make("metric seed step matrix", curve_VxSxCxE, "metric of the matrix"),
    "metric_null": make("metric matrix", _nulls(end, draws, seed), "metric of noise of its shape"),
    "distance_then": make("seed step matrix", distance_SxCxE, MEANINGS["distance"]),
    "train": make("seed step", score.train_SxC, "on what was trained", score.unit),
    "test": make("seed step", score.test_SxC, "on what was left out", score.unit),
    "singular": make("seed matrix place", _stored(singular), "singular value at the end"),
    "start_singular": make(
      "seed matrix place",
      _stored([_singular(matrix) for matrix in start]),
      "singular value at the start",
    ),
  }
  coords = {
    "matrix": make("matrix", [matrix.name for matrix in end], "matrix"),
    "metric": list(CURVES),
    "when": list(WHEN),
    "step": make("step", step_C, "step"),
  }
  return Parts(found, coords, {"draws": draws, "score": score.unit})


def _about(matrix: Matrix) -> dict:
  rows, columns = matrix.weight_SxNxD.shape[1:]
  return {
    "matrix": matrix.name,
    "role": matrix.role,
    "layer": matrix.layer,
    "rows": rows,
    "columns": columns,
  }


def _records(
  matrix, before, singular_SxK, live: bool, draws: int, seed: int, tests: int
) -> list[dict]:
  """Returns the record of one matrix of every member, of so many in all."""
  found = []
  pairs = zip(matrix.weight_SxNxD, before.weight_SxNxD, strict=True)
  for member, (weight_NxD, start_NxD) in enumerate(pairs):
    measured = spectra_report.measure(
      weight_NxD,
      start=start_NxD,
      singular_K=singular_SxK[member],
      draws=draws,
      seed=seed,
      symmetry=matrix.role == SYMMETRY,
      tests=tests,
      keep_draws=True,
    )
    found.append(_about(matrix) | {"member": member, "live": live} | measured)
  return found


def as_published(found: list[Matrix], when: str) -> list[dict]:
  """Returns the source's numbers of every member's first query matrix.

  Its corner of 256 x 256: effective rank, largest over mean, distance from one
  unit-variance matrix; two clusters of its rows; distances of the spacings of
  its symmetric part. Source: docs/sources/primes.md, sections 4.1, 4.4 and 7.3.
  """
  records = []
  for member, weight_NxD in enumerate(_first_queries(found)):
    corner_NxN = spectra.corner(weight_NxD)
    singular_K = spectra.singular_values(corner_NxN)
    spacing_N = spacings.central_spacings_as_published(corner_NxN)
    levels = spacings.distances_as_published(spacing_N)
    symmetry = spectra.symmetry(weight_NxD)
    records.append(
      {
        "when": when,
        "member": member,
        "effective_rank": float(spectra.effective_rank(singular_K)),
        "max_to_mean": float(spectra.max_to_mean(singular_K)),
        "ks": float(spectra.ks_unit_as_published(singular_K)),
        "inter_cluster": symmetry.inter,
        "balance": symmetry.balance,
        "quality": symmetry.quality,
        "goe_distance": spacings.goe_distance_as_published(spacing_N),
        "ks_goe": levels.goe,
        "ks_gue": levels.gue,
        "ks_poisson": levels.poisson,
      }
    )
  return records


def _first_queries(found: list[Matrix]) -> np.ndarray:
  """Returns the first layer's query matrix of every member."""
  return next(m for m in found if (m.role, m.layer) == (SYMMETRY, 0)).weight_SxNxD


def _spacings(found: list[Matrix]) -> list[np.ndarray]:
  """Returns the spacings that `as_published` measures, of every member."""
  each = [spectra.corner(weight_NxD) for weight_NxD in _first_queries(found)]
  return [spacings.central_spacings_as_published(corner_NxN) for corner_NxN in each]


def _as_published(start: list[Matrix], end: list[Matrix]) -> dict[str, xr.Variable]:
  both = [as_published(start, "start"), as_published(end, "end")]
  return {
    f"as_published_{key}": results.variable(
      "when seed", [[row[key] for row in rows] for rows in both], said
    )
    for key, said in AS_PUBLISHED.items()
  }


def _nulls(found, draws: int, seed: int) -> np.ndarray:
  """Returns the mean of every curve's metric over noise, VxE."""
  of_shape = {}
  for matrix in found:
    shape = matrix.weight_SxNxD.shape[1:]
    if shape not in of_shape:
      null_RxK = spectra.singular_null(shape, draws=draws, seed=seed)
      # The published distance is not free of scale, and has no null here.
      of_shape[shape] = [
        np.nan if "published" in name else np.mean(metric(null_RxK, shape))
        for name, metric in CURVES.items()
      ]
  return np.array([of_shape[m.weight_SxNxD.shape[1:]] for m in found]).T


def _singular(matrix: Matrix) -> np.ndarray:
  """Returns the singular values of every member, SxK."""
  # Threads wait for each other on matrices as small as these.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    each = [spectra_report.singular_values(w) for w in matrix.weight_SxNxD]
  return np.stack(each)


def _stored(each: list[np.ndarray]) -> np.ndarray:
  """Returns up to KEPT singular values of every matrix, SxExK."""
  length = min(KEPT, max(s.shape[1] for s in each))
  stored = np.full((len(each[0]), len(each), length), np.nan)
  for e, singular_SxK in enumerate(each):
    count = singular_SxK.shape[1]
    at_K = np.linspace(0, count - 1, min(count, length)).round().astype(int)
    stored[:, e, : len(at_K)] = singular_SxK[:, at_K]
  return stored


def _over_snapshots(run, start, steps: list[int]) -> tuple[np.ndarray, np.ndarray]:
  """Returns every metric VxSxCxE and the distance from the start SxCxE at every snapshot."""
  seeds = run.experiment.fit.seeds
  shape = (seeds, len(steps), len(start))
  curve_VxSxCxE = np.full((len(CURVES), *shape), np.nan)
  distance_SxCxE = np.full(shape, np.nan)
  for c, found in enumerate(_snapshots(run, steps)):
    for e, (matrix, before) in enumerate(zip(found, start, strict=True)):
      singular_SxK = _singular(matrix)
      size = matrix.weight_SxNxD.shape[1:]
      for v, metric in enumerate(CURVES.values()):
        curve_VxSxCxE[v, :, c, e] = metric(singular_SxK, size)
      pairs = zip(matrix.weight_SxNxD, before.weight_SxNxD, strict=True)
      distance_SxCxE[:, c, e] = [spectra.distance(w, w0) for w, w0 in pairs]
  return curve_VxSxCxE, distance_SxCxE


def _snapshots(run, steps: list[int]) -> Iterator[list[Matrix]]:
  """Yields the matrices of one snapshot after another."""
  for step in steps:
    yield matrices_of(run.snapshot(step))


# --- reading a result -----------------------------------------------------------------------------


def of_matrices(found: xr.Dataset, **where: Any) -> xr.Dataset:
  """Returns the part of a result of those matrices that have these values, as `role="query"`."""
  its = np.ones(found.sizes["matrix"], bool)
  for name, value in where.items():
    its &= found[name].values == value
  return found.isel(matrix=np.flatnonzero(its))


def over_noise(found: xr.Dataset) -> xr.DataArray:
  """Returns the effective rank of every matrix over that of noise of its shape and scale."""
  share = found["effective_rank"] / found["effective_rank_null"]
  share.attrs = {"long_name": "effective rank over that of noise"}
  return share


def attention_ranks(found: xr.Dataset) -> np.ndarray:
  """Returns the mean effective rank of all attention matrices over that of noise, SxC, as the
  source averages them."""
  share_SxCxE = found["metric_value"].sel(metric="effective_rank").values
  share_SxCxE = share_SxCxE / found["metric_null"].sel(metric="effective_rank").values
  return over_attention(found, share_SxCxE)


def over_attention(found: xr.Dataset, value_SxCxE: np.ndarray) -> np.ndarray:
  """Returns the mean of a value over all attention matrices, SxC."""
  its = [e for e, role in enumerate(found["role"].values.tolist()) if role in ATTENTION]
  return value_SxCxE[..., its].mean(-1)


# --- figures and the table of all matrices --------------------------------------------------------

DRAWN = ("query", "value", "out", "up")  # roles whose spectra are drawn
ROLES = (*ATTENTION, "up", "down", "embedding", "unembed", "head")
RANK_TITLE = "Effective rank over that of noise"


def page(run: str, found: xr.Dataset) -> draw.Page:
  """Returns spectra, effective ranks beside noise, and both over training."""
  steps = found.sizes["step"]
  training: tuple[draw.Panel, ...] = (draw.empty("no snapshots"),)
  worth: tuple[draw.Panel, ...] = (draw.empty("no snapshots"),)
  if steps:
    training = (
      _curves(
        found, "effective_rank", over_noise=True, title=RANK_TITLE, ylabel="share of noise's"
      ),
      _curves(found, "max_to_mean", title="Largest singular value over the mean", ylabel="ratio"),
    )
    worth = (_moved(found), _worth(found))
  limits = _limits(found)
  return draw.page(
    tuple(_spectrum(found, role, limits, run if role == DRAWN[0] else "") for role in DRAWN),
    _matrices(found),
    training,
    worth,
    heights=[2.7, 1.3 + 0.19 * found.sizes["matrix"], 3.4, 3.0],
  )


def levels_page(run: str, found: xr.Dataset) -> draw.Page:
  """Returns how far apart levels of weights lie, beside what random matrices have."""
  start, end = (_gaps(found, when, run if when == "start" else "") for when in WHEN)
  height = 1.5 + 0.19 * found.sizes["matrix"]
  return draw.page(
    (start, end), _published_distances(found), _distances(found), heights=[3.7, 2.0, height]
  )


# The published ensembles: names, colours, dashes.
ENSEMBLES: dict[sine_process.Ensemble, tuple[str, str, str]] = {
  "goe": ("GOE, real symmetric noise", draw.GREEN, "-"),
  "gue": ("GUE, complex Hermitian noise", draw.PURPLE, "--"),
  "poisson": ("Poisson, independent levels", draw.ORANGE, ":"),
}
SHORT = ("GOE", "GUE", "Poisson")
GAP_EDGES = np.linspace(0, 4, 33)


def _gaps(found: xr.Dataset, when: str, run: str) -> draw.Panel:
  """Returns the density of the published spacings of all networks, and that of each ensemble."""
  gap_N = found["as_published_spacing"].sel(when=when).values.ravel()
  width_B = np.diff(GAP_EDGES)
  density_B = np.histogram(gap_N, GAP_EDGES)[0] / (gap_N.size * width_B)
  words = {"start": "before training", "end": "at the end"}[when]

  def panel(axes):
    count = found.sizes["seed"]
    said = f"first queries, {gap_N.size:,} spacings of {count} network{'s' if count > 1 else ''}"
    colour = draw.COLOUR_OF["untrained" if when == "start" else "trained"]
    axes.bar(GAP_EDGES[:-1], density_B, width_B, align="edge", color=colour, alpha=0.45, label=said)
    middle_B = (GAP_EDGES[1:] + GAP_EDGES[:-1]) / 2
    for ensemble, (name, shade, dash) in ENSEMBLES.items():
      law_B = np.diff(sine_process.spacing_cdf(GAP_EDGES, ensemble)) / width_B
      axes.plot(middle_B, law_B, color=shade, ls=dash, lw=1.8, label=name)
    axes.set(
      title=f"{run}: spacings of levels {words}" if run else f"Spacings of levels {words}",
      xlabel="spacing of neighbouring levels over their mean",
      ylabel="density",
    )

  return panel


def _published_distances(found: xr.Dataset) -> tuple[draw.Panel, ...]:
  """Returns the distances of the same spacings from each ensemble, as the source measured them."""
  colours = {"start": draw.COLOUR_OF["untrained"], "end": draw.COLOUR_OF["trained"]}
  words = {"start": "before training", "end": "at the end (large: median)"}
  named = {words[when]: colours[when] for when in WHEN}
  each = [found[f"as_published_ks_{law}"] for law in ENSEMBLES]
  both = xr.concat(each, xr.Variable("law", list(SHORT)))
  far = both.rename("far").assign_coords(when=list(named)).to_dataset()
  far["far"].attrs = {"long_name": "Kolmogorov-Smirnov distance of the spacings"}
  one = found["as_published_goe_distance"].assign_coords(when=list(named))
  near = xr.concat([one], xr.Variable("law", ["GOE"])).to_dataset()
  look = {"colour": "when", "colours": named}
  return (
    draw.strips(far, "far", y="law", title="Distance from each law", **look),
    draw.strips(
      near,
      "as_published_goe_distance",
      y="law",
      xlabel="mean |histogram less density|",
      title="Published distance from GOE",
      **look,
    ),
  )


def _distances(found: xr.Dataset) -> draw.Panel:
  """Returns the distance of every matrix's unfolded spacings from each law, in all networks."""
  if "ks_goe" not in found or not np.isfinite(found["ks_goe"].values).any():
    return draw.empty("no matrix has enough levels")
  known = np.isfinite(found["ks_goe"].values).any(axis=found["ks_goe"].dims.index("seed"))
  its = found.isel(matrix=np.flatnonzero(known))
  both = xr.concat([its[f"ks_{law}"] for law in ENSEMBLES], xr.Variable("law", list(SHORT)))
  far = both.rename("far").to_dataset()
  far["far"].attrs = {"long_name": "Kolmogorov-Smirnov distance, unfolded levels"}
  shades = [shade for _, shade, _ in ENSEMBLES.values()]
  colours = dict(zip(SHORT, shades, strict=True))
  title = "Every matrix at the end of training (small: networks, large: median)"
  return draw.strips(far, "far", y="matrix", colour="law", colours=colours, title=title)


def over_training(runs: Mapping[str, xr.Dataset]) -> draw.Page:
  """Returns the rank of the attention matrices and the test scores of several runs."""
  its = {run: found for run, found in runs.items() if found.sizes["step"]}
  if not its:
    return draw.page(draw.empty("no run has snapshots"), heights=[2.0])
  score = next(iter(its.values())).attrs["score"]

  def drawn(value: Callable, **text):
    def panel(axes):
      for number, (run, found) in enumerate(its.items()):
        shown = draw.look_of("run", number, run)
        look = {"color": shown.colour, "ls": shown.dash}
        value_SxC = value(found)
        if np.isfinite(value_SxC).any():
          axes.plot(found["step"], np.median(value_SxC, axis=0), label=run, lw=1.6, **look)
        else:
          axes.plot([], label=run, **look)
      axes.set(xlabel="step", **text)

    return panel

  return draw.page(
    (
      drawn(attention_ranks, title="Attention matrices, median seed", ylabel=RANK_TITLE.lower()),
      drawn(
        lambda found: found["test"].values, title="On what was left out, median seed", ylabel=score
      ),
    ),
    heights=[3.8],
  )


def _colour(role: str) -> str:
  return draw.COLOURS[ROLES.index(role) % len(draw.COLOURS)] if role in ROLES else draw.GREY


def _repeats(role: str) -> bool:
  """Returns whether a role's colour is another one's too."""
  return role in ROLES and ROLES.index(role) >= len(draw.COLOURS)


def _limits(found: xr.Dataset) -> tuple[float, float]:
  """Returns the range of the singular values that are drawn, for all panels."""
  rows = [row for role in DRAWN if (row := _first(found, role)) is not None]
  both = [found[name].isel(matrix=rows).values for name in ("start_singular", "singular")]
  known = np.concatenate([value.ravel() for value in both])
  known = known[np.isfinite(known) & (known > 0)]
  if not known.size:
    return 0.1, 1.0
  return 0.8 * max(known.min(), 1e-4 * known.max()), 1.25 * known.max()


def _spectrum(found: xr.Dataset, role: str, limits: tuple[float, float], run: str) -> draw.Panel:
  """Returns the singular values of the first layer's matrix of a role, at the end and at first."""
  at = _first(found, role)
  title = f"{run}:\n{role}, layer 0" if run else f"{role}, layer 0"
  if at is None:
    return draw.empty(f"no matrix {role}/0")

  def panel(axes):
    for name, colour, label in (
      ("start_singular", draw.GREY, "start"),
      ("singular", _colour(role), "end"),
    ):
      axes.plot(found[name].isel(matrix=at).values.T, color=colour, lw=0.8)
      axes.plot([], color=colour, label=label)
    axes.set(title=title, xlabel="place, by size", yscale="log", ylim=limits)
    axes.legend(loc="lower left")
    if role == DRAWN[0]:
      axes.set_ylabel("singular value")

  return panel


def _first(found: xr.Dataset, role: str) -> int | None:
  """Returns the row of the first layer's matrix of a role, if there is one."""
  for row, its in enumerate(zip(found["role"].values, found["layer"].values, strict=True)):
    if its == (role, 0):
      return row
  return None


def _matrices(found: xr.Dataset) -> tuple[draw.Panel, ...]:
  """Returns effective rank, outliers and distance of every matrix at the end."""
  names = found["matrix"].values.tolist()
  ratio = "1: as noise"
  if not found["live"].values.all():
    ratio += "\nhollow: without effect on the answer"

  def drawn(value, first: bool, **text):
    def panel(axes):
      for at in range(len(names)):
        one = value.isel(matrix=at)
        role, live = found["role"].values[at].item(), bool(found["live"].values[at])
        axes.plot(
          one.values,
          np.full(one.size, at),
          ls="",
          marker="s" if _repeats(role) else "o",
          ms=4.5,
          mfc=_colour(role) if live else "none",
          mec=_colour(role),
        )
      if first:
        axes.axvline(1, color=draw.GREY, lw=0.8, ls="--")
      axes.set_yticks(range(len(names)), names if first else [""] * len(names), fontsize=7)
      axes.set_ylim(len(names) - 0.4, -0.6)
      axes.set(**text)
      if "xscale" in text:
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(-0.3, 2 * float(value.max()))  # the scale leaves the largest no margin

    return panel

  above = found["outliers"]
  wide = {"xscale": "symlog"} if above.size and float(above.max()) > 3 else {}
  return (
    drawn(over_noise(found), True, title=RANK_TITLE, xlabel=ratio),
    drawn(above, False, title="Singular values above noise", xlabel="singular values", **wide),
    drawn(
      found["distance"], False, title="Distance from the start", xlabel="over the start's size"
    ),
  )


def _curves(found: xr.Dataset, name: str, *, over_noise: bool = False, **text) -> draw.Panel:
  """Returns one metric: the median of the seeds by role, layers averaged, and the mean of all
  attention matrices, as published."""
  value_SxCxE = found["metric_value"].sel(metric=name).values.astype(float)
  if over_noise:
    value_SxCxE = value_SxCxE / found["metric_null"].sel(metric=name).values
  return _by_role(found, value_SxCxE, **text)


def _moved(found: xr.Dataset) -> draw.Panel:
  """Returns the distance from the start by role over training."""
  return _by_role(
    found,
    found["distance_then"].values,
    title="Distance from the start (colours: above)",
    ylabel="over the start's size",
    named=False,
  )


def _by_role(found: xr.Dataset, value_SxCxE: np.ndarray, named: bool = True, **text) -> draw.Panel:
  roles, step_C = found["role"].values.tolist(), found["step"].values

  def panel(axes):
    for role in dict.fromkeys(roles):
      here = [e for e, other in enumerate(roles) if other == role]
      median_C = np.median(value_SxCxE[..., here].mean(-1), axis=0)
      look = {"color": _colour(role), "ls": draw.DASHES[role not in ATTENTION], "lw": 1.2}
      axes.plot(step_C, median_C, marker="o", ms=2.5, label=role if named else None, **look)
    here = [e for e, role in enumerate(roles) if role in ATTENTION]
    if here:
      mean_SxC = value_SxCxE[..., here].mean(-1)
      thick = {"color": "black", "lw": 1.8, "marker": "o", "ms": 3}
      axes.plot(step_C, mean_SxC.T, color="black", lw=0.6, alpha=0.4)
      axes.plot(
        step_C, np.median(mean_SxC, axis=0), label="attention, mean" if named else None, **thick
      )
    axes.set(xlabel="step", **text)

  return panel


def _worth(found: xr.Dataset) -> draw.Panel:
  """Returns what the networks are worth at the same steps."""
  look = {"yscale": "log"} if "error" in found.attrs["score"] else {}
  both = {"train": draw.BLUE, "test": draw.ORANGE}
  panels = [
    draw.curves(
      found,
      name,
      x="step",
      thin="seed",
      zero=False,
      names={None: "what was trained" if name == "train" else "what was left out"},
      style={"color": colour},
      **{"title": "Scores of the networks at these steps", "ylabel": found.attrs["score"]} | look,
    )
    for name, colour in both.items()
    if np.isfinite(found[name].values).any()
  ]
  return draw.together(*panels) if panels else draw.empty("no scores")


# Columns of the table of all matrices.
MATRIX = (
  "effective_rank",
  "effective_rank_null",
  "effective_rank_p_bh",
  "effective_rank_squares",
  "stable_rank",
  "max_to_mean",
  "outliers",
  "ks_matched",
  "distance",
  "moved_effective_rank",
  "r_ratio",
  "ks_goe",
  "ks_gue",
  "ks_poisson",
)


def table(runs: Mapping[str, xr.Dataset]) -> tables_lib.Table:
  """Returns every matrix of every network of all runs."""
  columns = [
    key
    for key in MATRIX
    if any(key in found and np.isfinite(found[key].values).any() for found in runs.values())
  ]
  rows = tables_lib.by_run(runs, lambda found: _rows(found, columns))
  return tables_lib.Table(
    "Every matrix of every network beside noise of its shape and scale. A matrix that is not live"
    " has no effect on the answer. Every other number, its null and its p-values are in"
    " spectra.matrix.seed.csv.",
    rows,
    name="matrices",
  )


# Statistics of levels that are beside those of noise.
LEVELS = ("r_ratio", "number_variance", "form_factor", "ks_goe", "ks_gue", "ks_poisson")


def level_table(runs: Mapping[str, xr.Dataset]) -> tables_lib.Table:
  """Returns the statistics of the levels of every matrix, beside those of noise."""
  said = "; ".join(f"{key}: {MEANINGS[key]}" for key in LEVELS)
  return tables_lib.Table(
    "Levels of every matrix at the end, median over networks, and in brackets the mean of normal"
    f" noise of its shape. Of matrices with enough levels. {said}. Unfolding: the largest"
    " difference of ks_goe between three ways to unfold.",
    tables_lib.by_run(runs, _level_rows),
    name="levels",
  )


def _level_rows(found: xr.Dataset) -> Iterator[dict[str, Any]]:
  if "levels_of" not in found:
    return
  for name in found["matrix"].values.tolist():
    one = found.sel(matrix=name)
    of = max(one["levels_of"].values.tolist())  # "" of a network whose matrix lacks rank
    if not of:
      continue
    median = lambda key, one=one: float(np.nanmedian(one[key].values))
    row: dict[str, Any] = {
      "matrix": name,
      "levels of": f"{of} values",
      "networks": one.sizes["seed"],
    }
    for key in LEVELS:
      row[key] = median(key)
      row[f"({key})"] = median(f"{key}_null")
    yield row | {"unfolding": median("ks_goe_spread")}


def published_table(runs: Mapping[str, xr.Dataset]) -> tables_lib.Table:
  """Returns the source's own numbers of the first query matrix, at the start and at the end."""
  rows = []
  for run, found in runs.items():
    for key, meaning_of in AS_PUBLISHED.items():
      start, end = (found[f"as_published_{key}"].sel(when=when).values for when in WHEN)
      rows.append(
        {
          "run": run,
          "number": meaning_of,
          "networks": found.sizes["seed"],
          "start": float(np.median(start)),
          "end": float(np.median(end)),
          "least": float(end.min()),
          "largest": float(end.max()),
        }
      )
  return tables_lib.Table(
    "The source's own numbers of the first layer's queries (a corner of 256 x 256, or all of a"
    " smaller matrix): medians over networks, and the range at the end.",
    rows,
    name="published",
  )


def _rows(found: xr.Dataset, columns: list[str]) -> Iterator[dict[str, Any]]:
  for e, name in enumerate(found["matrix"].values.tolist()):
    for s, seed in enumerate(found["seed"].values.tolist()):
      row = {"matrix": name, "seed": seed}
      row |= {key: found[key].values[e].item() for key in ("live", "rows", "columns")}
      yield row | {
        key: found[key].values[e, s].item() if key in found else np.nan for key in columns
      }
