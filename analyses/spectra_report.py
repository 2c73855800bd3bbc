"""One flat record of a weight matrix: every spectral number beside its null.

The same record serves small networks and language models. A metric m comes as
m, m_null (the mean of the null's draws), m_null_sd and m_p (two-sided, not
below 2 / (draws + 1)); `+` marks those that do:

* rows, columns, std (about 0), bulk_std, largest (s_1), edge (Marchenko-
  Pastur's, of noise of bulk_std); + `spectra_nulls.METRICS`;
  + ks_unit_as_published (K up to 2048, against noise of bulk_std); + radius (in
  units of bulk_std; square, side up to 256).
* with `levels`, K of 32 or more, and not of a matrix that lacks rank: levels_of
  ("symmetrised" for a square matrix of side up to 512, else "singular");
  + r_ratio, number_variance (of 2 mean spacings), form_factor (mean over tau of
  .1 to .5), ks_goe, ks_gue, ks_poisson, all of polynomially unfolded levels of
  the central part; ks_goe_local and ks_goe_law, the other unfoldings, and
  ks_goe_spread, the largest of the three less the smallest; so for the others.
* with `symmetry`: + symmetry_inter, symmetry_balance, symmetry_quality.
* with a `start` W0: distance; moved_m and moved_m_p of W - W0 for the METRICS.

Keys that do not apply are absent. A number without a value (of a matrix of
zeros) is NaN, and its p. Correct the p of many matrices with
`statistics.benjamini_hochberg` or `spectra_nulls.holm`.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import jax
import numpy as np
import threadpoolctl
from primelens.analyses import clusters, spacings, spectra, spectra_nulls, trees

Record = dict[str, Any]
NULLS = ("gaussian", "uniform", "shuffled")
# The source's largest crop; a larger reference would cost more than the rest.
LARGEST_AS_PUBLISHED = 2048
_LARGEST_SVD = 512 * 512  # entries; beyond, the Gram matrix is far faster
_LARGEST_EIGENVALUES = 512  # side of a symmetrised matrix
_LARGEST_RADIUS = 256  # side; the null decomposes whole matrices
_LEAST_LEVELS = 32
_FEW = 20  # draws, at most, of the nulls that decompose whole matrices
_TAU_Q = np.linspace(0.1, 0.5, 17)
_WINDOW = 2.0  # mean spacings, of the number variance


def measure(
  weight_NxD: Any,
  *,
  start: Any = None,
  draws: int = 200,
  seed: int = 0,
  levels: bool = True,
  symmetry: bool = False,
  null: Literal["gaussian", "uniform", "shuffled"] = "gaussian",
  singular_K: Any = None,
) -> Record:
  """Returns the spectral record of one N x D matrix: the module names its keys.

  `start` is W0, for the record of W - W0. The null is noise of a law, or the
  matrix's own entries "shuffled", which as "uniform" costs a decomposition a
  draw; levels, radius and symmetry keep the normal one. `singular_K` spares
  the decomposition where `singular_values` is known.

  Raises ValueError for anything but one N x D matrix of finite numbers.
  """
  weight_NxD = _one(weight_NxD)
  if null not in NULLS:
    raise ValueError(f"null must be one of {', '.join(NULLS)}, got {null!r}.")
  # More threads than one wait for each other on a small matrix: up to 50 times
  # slower on two busy cores.
  limit = 1 if weight_NxD.size <= _LARGEST_SVD else None
  with threadpoolctl.threadpool_limits(limit, user_api="blas"):
    if singular_K is None:
      singular_K = singular_values(weight_NxD)
    null_RxK = _null(weight_NxD, draws, seed, null)
    record = _sizes(singular_K, weight_NxD.shape)
    scale = record["bulk_std"]
    record |= _against(singular_K, weight_NxD, null_RxK)
    own_scale = 1 if null == "shuffled" else scale
    record |= _published(singular_K, null_RxK * own_scale)
    record |= _radius(weight_NxD, scale, draws, seed)
    if levels:
      record |= _levels(weight_NxD, singular_K, draws, seed)
    if symmetry:
      record |= _symmetry(weight_NxD, scale, draws, seed)
    if start is not None:
      record |= _moved(weight_NxD, start, null_RxK)
  return record


def singular_values(weight_NxD: Any) -> np.ndarray:
  """Returns the falling singular values by the method that its size asks for.

  Exact to 512 x 512 entries, from the Gram matrix beyond.
  """
  weight_NxD = np.asarray(weight_NxD)
  large = weight_NxD.size > _LARGEST_SVD
  return spectra.singular_values(weight_NxD, method="gram" if large else "svd")


def matrices_of(
  params: Any, split: Callable[[str, np.ndarray], Iterable[tuple[str, Any]]] | None = None
) -> Iterator[tuple[str, np.ndarray]]:
  """Yields (path, matrix) of every leaf of a pytree with two axes or more.

  The last two axes are the matrix; leading ones (layers, seeds) become numbers
  of the path: `blocks/mlp/up/kernel/3`. `split(path, leaf)` gives the (path,
  matrix) pairs of a leaf in its place, where heads are axes, say.
  """
  for path, leaf in zip(trees.names(params), jax.tree.leaves(params), strict=True):
    leaf = np.asarray(leaf)
    if leaf.ndim < 2:
      continue
    if split is not None:
      yield from split(path, leaf)
      continue
    for index in np.ndindex(leaf.shape[:-2]):
      yield "/".join([path, *map(str, index)]), leaf[index]


def level_numbers(level_N: Any, law: spacings.Counts | None = None) -> dict[str, float]:
  """Returns the level statistics of the central part of a spectrum.

  `law` is the count that a model expects below a level, a third unfolding.
  Names as in `measure`, without nulls.
  """
  cut_N = spacings.central(level_N)
  unfolded = {"": spacings.unfold(cut_N), "_local": spacings.unfold(cut_N, "local")}
  if law is not None:
    unfolded["_law"] = spacings.unfold(cut_N, law)
  number = {
    "r_ratio": float(spacings.r_ratio(cut_N)),
    "number_variance": float(spacings.number_variance(unfolded[""], _WINDOW)[0]),
    "form_factor": float(spacings.form_factor(unfolded[""], _TAU_Q).mean()),
  }
  found = {way: spacings.distances(np.diff(each_N)) for way, each_N in unfolded.items()}
  for field in spacings.Distances._fields:
    values = {way: getattr(each, field) for way, each in found.items()}
    number |= {f"ks_{field}{way}": value for way, value in values.items()}
    spread = max(values.values()) - min(values.values())
    number[f"ks_{field}_spread"] = spread
  return number


def _one(weight_NxD):
  weight_NxD = spectra.checked(weight_NxD)
  if weight_NxD.ndim != 2:
    raise ValueError(f"one N x D matrix is measured, got {weight_NxD.shape}.")
  return weight_NxD


def _null(weight_NxD, draws, seed, null):
  if null == "shuffled":
    return spectra_nulls.shuffled_null(weight_NxD, draws, seed)
  short, long = sorted(weight_NxD.shape)  # its transpose shares the draws
  return spectra_nulls.singular_null((short, long), draws, seed, null)


def _sizes(singular_K, shape):
  std = float(spectra.bulk_std(singular_K, shape))
  total = float(np.sum(np.square(singular_K)))
  return {
    "rows": shape[0],
    "columns": shape[1],
    "std": float(np.sqrt(total / (shape[0] * shape[1]))),
    "bulk_std": std,
    "largest": float(singular_K[0]),
    "edge": std * spectra.marchenko_pastur_edge(shape),
  }


def _beside(name, found):
  return {
    name: found.observed,
    f"{name}_null": found.null,
    f"{name}_null_sd": found.null_sd,
    f"{name}_p": found.p,
  }


def _against(singular_K, weight_NxD, null_RxK):
  found = spectra_nulls.against_null(singular_K, weight_NxD.shape, null_RxK=null_RxK)
  rows = [_beside(name, compared) for name, compared in found.items()]
  return {name: value for row in rows for name, value in row.items()}


def _published(singular_K, null_RxK):
  if len(singular_K) > LARGEST_AS_PUBLISHED:
    return {}
  found = spectra_nulls.compare(
    spectra.ks_unit_as_published(singular_K), spectra.ks_unit_as_published(null_RxK)
  )
  return _beside("ks_unit_as_published", found)


def _radius(weight_NxD, std, draws, seed):
  rows, columns = weight_NxD.shape
  if rows != columns or rows > _LARGEST_RADIUS:
    return {}
  null_R = spectra_nulls.radius_null(rows, min(draws, _FEW), seed)
  found = spectra.eigenvalue_radius(weight_NxD, std)
  return _beside("radius", spectra_nulls.compare(found, null_R))


def _symmetry(weight_NxD, std, draws, seed):
  draws = min(draws, _FEW)
  null = dict(clusters.symmetry_null(weight_NxD.shape, draws, seed))
  null["inter"] = null["inter"] * std
  record: Record = {}
  for name, value in clusters.symmetry(weight_NxD)._asdict().items():
    compared = spectra_nulls.compare(value, null[name])
    record |= _beside(f"symmetry_{name}", compared)
  return record


def _moved(weight_NxD, start, null_RxK):
  record = {"distance": spectra.distance(weight_NxD, start)}
  step_NxD = np.asarray(weight_NxD, np.float64) - np.asarray(start, np.float64)
  found = _against(singular_values(step_NxD), step_NxD, null_RxK)
  kept = [name for name in found if not name.endswith(("_null", "_null_sd"))]
  return record | {f"moved_{name}": found[name] for name in kept}


def _levels(weight_NxD, singular_K, draws, seed):
  """Returns the level statistics of the matrix with their nulls, if any."""
  shape, count = weight_NxD.shape, len(singular_K)
  low = singular_K[int(spacings.CENTRAL[1] * count)] if count > 1 else 0
  # Values of a matrix that lacks rank are rounding.
  if count < _LEAST_LEVELS or low <= spectra.ROUNDING * singular_K[0]:
    return {}
  square = shape[0] == shape[1] <= _LARGEST_EIGENVALUES
  if square:
    level_N = spacings.symmetrised_levels(weight_NxD)
    middle = np.ptp(np.quantile(level_N, [0.25, 0.75]))
    if middle <= spectra.ROUNDING * np.abs(level_N).max():
      return {}
  else:
    level_N = singular_K
  found = level_numbers(level_N, _law(level_N, shape, square))
  null = _level_null(tuple(sorted(shape)), square, draws, seed)
  record: Record = {"levels_of": "symmetrised" if square else "singular"}
  for name, value in found.items():
    if name in null:
      record |= _beside(name, spectra_nulls.compare(value, null[name]))
    else:
      record[name] = value
  return record


def _law(level_N, shape, square):
  """Returns the count of levels that noise of the same scale expects."""
  if square:
    return spacings.semicircle(level_N)
  std = spectra.bulk_std(level_N, shape)
  count = len(level_N)
  return lambda x: count * spectra.marchenko_pastur_cdf(x / std, shape)


@functools.lru_cache(maxsize=64)
def _level_null(shape, square, draws, seed):
  """Returns the level statistics of noise, R of each; one unfolding."""
  level_RxN = (
    spectra_nulls.goe_null(shape[0], draws, seed)
    if square
    else spectra_nulls.singular_null(shape, draws, seed)
  )
  each = [level_numbers(level_N) for level_N in level_RxN]
  names = [n for n in each[0] if not n.endswith(("_local", "_spread"))]
  return {name: np.array([found[name] for found in each]) for name in names}
