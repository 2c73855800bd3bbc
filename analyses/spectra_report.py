"""One flat record of a weight matrix: every spectral number beside its null.

The same record serves small networks and language models. A metric m comes as
m, m_null (the mean of the null's draws), m_null_sd and m_p (two-sided, not
below 2 / (draws + 1)); `+` marks those that do. The null that judges is by
default the matrix's own entries, shuffled: independent entries of heavy tails
are no structure, but are not normal either (nor is a mean that all entries
share, which stays). `*` marks metrics with, beside it,
m_gaussian, the mean of normal noise of the same scale, and m_p_gaussian:

* rows, columns, std (about 0), bulk_std, largest (s_1), edge (Marchenko-
  Pastur's, of noise of bulk_std); draws; +* `spectra.METRICS`;
  + ks_unit_as_published (K up to 2048, against a null of bulk_std); +* radius (in
  units of bulk_std; square, side up to 256).
* with `levels`, K of 32 or more, and not of a matrix that lacks rank: levels_of
  ("symmetrised" for a square matrix of side up to 512, else "singular");
  + r_ratio, number_variance (of 2 mean spacings), form_factor (mean over tau of
  .1 to .5), ks_goe, ks_gue, ks_poisson, all of polynomially unfolded levels of
  the central part; ks_goe_local and ks_goe_law, the other unfoldings, and
  ks_goe_spread, the largest of the three less the smallest; so for the others.
  Their null is normal whatever the entries: spacings of neighbours are those
  of any independent entries.
* with `symmetry`: + symmetry_inter (its null of bulk_std), symmetry_balance,
  symmetry_quality.
* with a `start` W0: distance; moved_m and moved_m_p of W - W0 for the METRICS.

Keys that do not apply are absent. A number without a value (of a matrix of
zeros) is NaN, and its p. Correct the p of many matrices with
`spectra.corrected`.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import threadpoolctl
from primelens.analyses import spacings, spectra, trees

Record = dict[str, Any]
NULLS = ("shuffled", "gaussian", "uniform")
# The source's largest crop; a larger reference would cost more than the rest.
LARGEST_AS_PUBLISHED = 2048
_LARGEST_SVD = 512 * 512  # entries; beyond, the Gram matrix is far faster
_LARGEST_EIGENVALUES = 512  # side of a symmetrised matrix
_LARGEST_RADIUS = 256  # side; the null decomposes whole matrices
_LEAST_LEVELS = 32
_TAU_Q = np.linspace(0.1, 0.5, 17)
_WINDOW = 2.0  # mean spacings, of the number variance


def measure(
  weight_NxD: Any,
  *,
  start: Any = None,
  draws: int = 99,
  seed: int = 0,
  levels: bool = True,
  symmetry: bool = False,
  null: Literal["shuffled", "gaussian", "uniform"] = "shuffled",
  singular_K: Any = None,
  tests: int = 0,
  keep_draws: bool = False,
) -> Record:
  """Returns the spectral record of one N x D matrix: the module names its keys.

  `start` is W0, for the record of W - W0, whose null are its own entries. The
  null is those entries "shuffled", or noise of a law; the shuffled and the
  "uniform" one cost a decomposition a draw, the "gaussian" one next to nothing
  but for radius and symmetry, and is shared by matrices of a shape.
  `singular_K` spares the decomposition where `singular_values` is known.

  For p-values that stand corrections over many matrices: `keep_draws` keeps the
  shuffled draws under `spectra.DRAWS`, for `spectra.corrected`;
  `tests` is how many matrices there are, so that the "gaussian" null of singular
  values, without draws of their own, has at least `spectra.needed(tests)`.
  The levels' null has `draws` and no more.

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
    about = _Nulls(draws, seed, null, tests, {}, weight_NxD.shape)
    record = _sizes(singular_K, weight_NxD.shape) | {"draws": draws}
    null_RxK = _null(weight_NxD, about)
    record |= _against(singular_K, weight_NxD, null_RxK, about)
    record |= _published(singular_K, null_RxK, record["bulk_std"], about)
    record |= _radius(weight_NxD, null_RxK, record["bulk_std"], about)
    if levels:
      record |= _levels(weight_NxD, singular_K, about)
    if symmetry:
      record |= _symmetry(weight_NxD, null_RxK, record["bulk_std"], about)
    if start is not None:
      record |= _moved(weight_NxD, start, about)
  return record | {spectra.DRAWS: about.drawn} if keep_draws else record


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


class _Nulls(NamedTuple):
  """How a record's nulls are drawn, and what was drawn: metric -> (m, R)."""

  draws: int
  seed: int
  null: str
  tests: int  # matrices, over which p-values will be corrected
  drawn: dict
  shape: tuple[int, int]

  def std_R(self, null_RxK) -> np.ndarray:
    """Returns the scale of the draws: their bulk std, 1 of unit noise."""
    if self.null != "shuffled":
      return np.ones(len(null_RxK))
    std_R = spectra.bulk_std(null_RxK, self.shape)
    return np.where(std_R > 0, std_R, np.nan)

  def beside(self, name: str, observed, null_R, gaussian_R=None, *, own=None) -> Record:
    """Returns the entries of a metric; `own` says that no other matrix has
    these draws, by default those of the shuffled null."""
    found = spectra.compare(observed, null_R)
    own = self.null == "shuffled" if own is None else own
    if own and np.isfinite(found.p):
      self.drawn[name] = (found.observed, np.asarray(null_R, float))
    record = {
      name: found.observed,
      f"{name}_null": found.null,
      f"{name}_null_sd": found.null_sd,
      f"{name}_p": found.p,
    }
    if self.null != "gaussian" and gaussian_R is not None:
      other = spectra.compare(observed, gaussian_R)
      record |= {f"{name}_gaussian": other.null, f"{name}_p_gaussian": other.p}
    return record


def _null(weight_NxD, about):
  if about.null == "shuffled":
    return spectra.shuffled_null(weight_NxD, about.draws, about.seed)
  return _noise(weight_NxD.shape, about, about.null)


def _noise(shape, about, law="gaussian"):
  """Returns singular values of unit noise; a transpose shares the draws."""
  short, long = sorted(shape)
  draws = about.draws
  if about.null == law == "gaussian":  # the cheap one: enough for one finding
    draws = max(draws, spectra.needed(about.tests))
  return spectra.singular_null((short, long), draws, about.seed, law)


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


def _against(singular_K, weight_NxD, null_RxK, about):
  shape = weight_NxD.shape
  record: dict = {}
  normal_RxK = _noise(shape, about)
  for name, metric in spectra.METRICS.items():
    value = metric(np.asarray(singular_K), shape)
    record |= about.beside(name, value, metric(null_RxK, shape), metric(normal_RxK, shape))
  return record


def _published(singular_K, null_RxK, std, about):
  if len(singular_K) > LARGEST_AS_PUBLISHED:
    return {}
  distance = spectra.ks_unit_as_published
  null_R = distance(null_RxK * std / about.std_R(null_RxK)[:, None])
  return about.beside("ks_unit_as_published", distance(singular_K), null_R)


def _radius(weight_NxD, null_RxK, std, about):
  rows, columns = weight_NxD.shape
  if rows != columns or rows > _LARGEST_RADIUS:
    return {}
  normal_R = spectra.radius_null(rows, about.draws, about.seed)
  null_R = normal_R
  if about.null == "shuffled":
    plain = lambda shuffled_NxN: spectra.eigenvalue_radius(shuffled_NxN, 1.0)
    null_R = spectra.over_shuffles(plain, weight_NxD, about.draws, about.seed)
    null_R = null_R / about.std_R(null_RxK)
  return about.beside("radius", spectra.eigenvalue_radius(weight_NxD, std), null_R, normal_R)


def _symmetry(weight_NxD, null_RxK, std, about):
  if about.null == "shuffled":
    each_RxV = spectra.over_shuffles(spectra.symmetry, weight_NxD, about.draws, about.seed)
    null = dict(zip(spectra.Clusters._fields, each_RxV.T, strict=True))
    null["inter"] = null["inter"] / about.std_R(null_RxK)
  else:
    null = dict(spectra.symmetry_null(weight_NxD.shape, about.draws, about.seed))
  null["inter"] = null["inter"] * std
  record: Record = {}
  for name, value in spectra.symmetry(weight_NxD)._asdict().items():
    record |= about.beside(f"symmetry_{name}", value, null[name])
  return record


def _moved(weight_NxD, start, about):
  record = {"distance": spectra.distance(weight_NxD, start)}
  step_NxD = np.asarray(weight_NxD, np.float64) - np.asarray(start, np.float64)
  shape, singular_K = step_NxD.shape, singular_values(step_NxD)
  null_RxK = _null(step_NxD, about)
  for name, metric in spectra.METRICS.items():
    found = about.beside(f"moved_{name}", metric(singular_K, shape), metric(null_RxK, shape))
    record |= {key: found[key] for key in (f"moved_{name}", f"moved_{name}_p")}
  return record


def _levels(weight_NxD, singular_K, about):
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
  null = _level_null(tuple(sorted(shape)), square, about.draws, about.seed)
  record: Record = {"levels_of": "symmetrised" if square else "singular"}
  for name, value in found.items():
    if name in null:
      record |= about.beside(name, value, null[name], own=False)
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
    spectra.goe_null(shape[0], draws, seed) if square else spectra.singular_null(shape, draws, seed)
  )
  each = [level_numbers(level_N) for level_N in level_RxN]
  names = [n for n in each[0] if not n.endswith(("_local", "_spread"))]
  return {name: np.array([found[name] for found in each]) for name in names}
