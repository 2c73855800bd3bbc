"""Singular values of a matrix, noise of its shape and scale, two clusters of rows.

`singular_xK` are the K = min(N, D) singular values of an N x D matrix, any
leading axes before them; the metrics reduce the last axis. On the host, in
float64. A metric without a value (of a matrix of zeros) is NaN. Source:
docs/sources/primes.md, sections 4 and 6.

Two means split any cloud: the quality of noise is 1.64 (256 x 256), and large
values are the sign of the rows along one outlying direction, the number that
the largest singular value gives. Source: docs/sources/primes.md, sections 6.4 and 7.3.

Draws are an axis R of one call. They are a host loop: each is an eigenvalue
problem of LAPACK, which a vmap would loop over too, in float32. A null depends
on the shape alone, so it is kept: hundreds of matrices of a language model
share a few shapes. Scale is the caller's (`spectra.bulk_std`).
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.special
import threadpoolctl
from primelens.analyses import counts, statistics

# --- singular values ------------------------------------------------------------------------------


# 99 % point of the Tracy-Widom law of real matrices (beta = 1).
_TRACY_WIDOM = 2.0234
# Singular values below this part of the largest are rounding: of weights in
# float32, and of the Gram route.
ROUNDING = 1e-7
_BLOCK = 1 << 20  # entries of a matrix held in float64 at once


def singular_values(weight_NxD: Any, *, method: Literal["svd", "gram"] = "svd") -> np.ndarray:
  """Returns the singular values of `...xNxD`, falling: `...xK`, K = min(N, D).

  "gram" takes the roots of the eigenvalues of the smaller Gram matrix, summed
  block by block: several times faster and without a float64 copy of the
  matrix, but a singular value below sqrt(epsilon) s_1 = 1.5e-8 s_1 is rounding.

  Raises ValueError for fewer than two axes, an empty one, or NaN.
  """
  weight_NxD = checked(weight_NxD)
  if method not in ("svd", "gram"):
    raise ValueError(f"method must be 'svd' or 'gram', got {method!r}.")
  if method == "svd":
    return np.linalg.svd(np.asarray(weight_NxD, np.float64), compute_uv=False)
  lead, (rows, columns) = weight_NxD.shape[:-2], weight_NxD.shape[-2:]
  flat_ExNxD = weight_NxD.reshape(-1, rows, columns)
  value_ExK = np.stack([_gram_values(each_NxD) for each_NxD in flat_ExNxD])
  return value_ExK.reshape(*lead, min(rows, columns))


def checked(weight_NxD: Any) -> np.ndarray:
  """Returns the matrices `...xNxD` as a numpy array of their own dtype.

  Raises ValueError for fewer than two axes, an empty one, or NaN.
  """
  weight_NxD = np.asarray(weight_NxD)
  if weight_NxD.ndim < 2 or not weight_NxD.size:
    raise ValueError(f"need matrices ...xNxD, got the shape {weight_NxD.shape}")
  bad = weight_NxD.size - np.count_nonzero(np.isfinite(weight_NxD))
  if bad:
    raise ValueError(f"{bad} of {weight_NxD.size} entries are not finite.")
  return weight_NxD


def effective_rank(singular_xK: Any, power: int = 1) -> np.ndarray:
  """Returns exp(H(p)), p = s^power / sum s^power, in 1..K (Roy, Vetterli 2007).

  H(p) = -sum p ln p in nats with 0 ln 0 = 0. The published p is of power 1; its
  1e-12 inside the logarithm changes no digit given. Power 2 weighs by variance.
  """
  part_xK = np.asarray(singular_xK, np.float64) ** power
  share_xK = _ratio(part_xK, part_xK.sum(-1, keepdims=True))
  return np.exp(scipy.special.entr(share_xK).sum(-1))


def stable_rank(singular_xK: Any) -> np.ndarray:
  """Returns |W|_F^2 / s_1^2, in 1..K."""
  square_xK = np.asarray(singular_xK, np.float64) ** 2
  return _ratio(square_xK.sum(-1), square_xK.max(-1))


def max_to_mean(singular_xK: Any) -> np.ndarray:
  """Returns s_1 / mean(s)."""
  singular_xK = np.asarray(singular_xK, np.float64)
  return _ratio(singular_xK.max(-1), singular_xK.mean(-1))


def ks_unit_as_published(singular_xK: Any) -> np.ndarray:
  """Returns the distance of s from those of one unit-variance normal matrix.

  Two-sample Kolmogorov-Smirnov statistic against the K x K standard normal
  matrix of numpy's legacy seed 42. Nothing is scaled: it says how small the
  weights are (.94 for noise of std .044). The source crops to squares; K x K
  is the reference of a whole N x D matrix too.
  """
  singular_xK = np.asarray(singular_xK, np.float64)
  reference_K = _reference(singular_xK.shape[-1])
  apart = lambda s_K: _two_sample(np.sort(s_K), reference_K)
  return np.apply_along_axis(apart, -1, singular_xK)


def marchenko_pastur_cdf(value: Any, shape: tuple[int, int]) -> np.ndarray:
  """Returns the share of singular values below `value`, for iid N x D entries.

  Of unit variance, N and D large: the law of Marchenko and Pastur (1967) of
  x = value^2 / max(N, D) on [(1 - sqrt y)^2, (1 + sqrt y)^2], y = K / max(N, D)
  and K = min(N, D), in closed form; the quarter circle for a square matrix.
  """
  short, long = sorted(shape)
  y = short / long
  low, high = (1 - np.sqrt(y)) ** 2, (1 + np.sqrt(y)) ** 2
  square = np.asarray(value, np.float64) ** 2 / long
  x = np.clip(square, max(low, 1e-300), high)
  arcsin = lambda z: np.arcsin(np.clip(z, -1, 1))
  total = np.sqrt((high - x) * (x - low))
  total -= (1 + y) * arcsin((low + high - 2 * x) / (high - low))
  total += (1 - y) * arcsin((2 * low * high / x - (low + high)) / (high - low))
  return np.clip(0.5 + total / (2 * np.pi * y), 0, 1)


def marchenko_pastur_edge(shape: tuple[int, int]) -> float:
  """Returns sqrt N + sqrt D, the largest singular value of unit noise."""
  return float(np.sqrt(shape[0]) + np.sqrt(shape[1]))


@functools.lru_cache(maxsize=1024)
def marchenko_pastur_median(shape: tuple[int, int]) -> float:
  """Returns the median singular value of unit noise of N x D."""
  low = abs(np.sqrt(shape[0]) - np.sqrt(shape[1]))
  excess = lambda value: float(marchenko_pastur_cdf(value, shape)) - 0.5
  return float(scipy.optimize.brentq(excess, low, marchenko_pastur_edge(shape)))


def bulk_std(singular_xK: Any, shape: tuple[int, int]) -> np.ndarray:
  """Returns the std of the noise whose median singular value is the matrix's.

  One outlier among K values moves it by about 1 / K of itself, however large;
  it dominates the std of the entries. 0 of a matrix that has less than half of
  its rank: a median below `ROUNDING` s_1 is rounding.
  """
  singular_xK = _of_shape(singular_xK, shape)
  median = np.median(singular_xK, -1)
  noise = np.where(median > ROUNDING * singular_xK.max(-1), median, 0)
  return noise / marchenko_pastur_median(tuple(shape))


def ks_matched(singular_xK: Any, shape: tuple[int, int]) -> np.ndarray:
  """Returns the distance of s / `bulk_std` from Marchenko-Pastur's law.

  One-sample Kolmogorov-Smirnov statistic. The values repel each other, so that
  tables of that statistic (for independent values) give no p-value: compare
  with `spectra_nulls`.
  """
  singular_xK = _of_shape(singular_xK, shape)
  std = bulk_std(singular_xK, shape)[..., None]
  scaled_xK = np.sort(_ratio(singular_xK, std), axis=-1)
  return ks_statistic(marchenko_pastur_cdf(scaled_xK, shape))


def ks_statistic(quantile_xN: Any) -> np.ndarray:
  """Returns the largest gap between two distribution functions, over the last
  axis: F(x_1) <= ... <= F(x_N) of the law at a sample, and the sample's own.
  """
  quantile_xN = np.asarray(quantile_xN, np.float64)
  count = quantile_xN.shape[-1]
  step_N = np.arange(count + 1) / count
  above = np.max(step_N[1:] - quantile_xN, axis=-1)
  return np.maximum(above, np.max(quantile_xN - step_N[:-1], axis=-1))


def noise_edge(shape: tuple[int, int]) -> float:
  """Returns the singular value that one unit-noise matrix in a hundred exceeds.

  The 99 % point of the Tracy-Widom law with Johnstone's (2001) centre and
  scale for s_1^2: (a + b)^2 + 2.02 (a + b) (1/a + 1/b)^(1/3), a = sqrt(N - 1),
  b = sqrt D, N >= D. It exceeds Marchenko-Pastur's edge by about 1 % at
  K = 300; the margin falls as K^(-2/3).
  """
  short, long = sorted(shape)
  a, b = np.sqrt(max(long - 1, 1)), np.sqrt(short)
  scale = (a + b) * (1 / a + 1 / b) ** (1 / 3)
  return float(np.sqrt((a + b) ** 2 + _TRACY_WIDOM * scale))


def outliers(singular_xK: Any, shape: tuple[int, int]) -> np.ndarray:
  """Returns how many singular values exceed `bulk_std` times `noise_edge`.

  None below `ROUNDING` s_1, so that it is the rank where there is no noise.
  The std being estimated, 1 noise matrix of N = D in 30 to 45 has one at
  K = 64..256, 1 in 10 below K = 10: compare with `spectra_nulls`.
  """
  singular_xK = _of_shape(singular_xK, shape)
  edge = bulk_std(singular_xK, shape) * noise_edge(shape)
  edge = np.maximum(edge, ROUNDING * singular_xK.max(-1))
  return np.sum(singular_xK > edge[..., None], axis=-1)


def distance(weight: Any, start: Any) -> float:
  """Returns |W - W0| / |W0| (Frobenius); NaN if W0 is zero.

  Raises ValueError if the shapes differ.
  """
  weight, start = np.asarray(weight), np.asarray(start)
  if weight.shape != start.shape:
    raise ValueError(f"W is {weight.shape}, its start is {start.shape}.")
  start = np.asarray(start, np.float64)
  return float(_ratio(np.linalg.norm(weight - start), np.linalg.norm(start)))


def eigenvalue_radius(weight_NxN: Any, std: Any = None) -> np.ndarray:
  """Returns max |lambda| / (std sqrt N) of square matrices `...xNxN`.

  About 1 for independent entries, by the circular law. `std` is that of the
  entries about 0 unless given: with an outlier, `bulk_std` is the one to give.

  Raises ValueError for a matrix that is not square.
  """
  weight_NxN = np.asarray(checked(weight_NxN), np.float64)
  if weight_NxN.shape[-1] != weight_NxN.shape[-2]:
    raise ValueError(f"eigenvalues need square matrices: {weight_NxN.shape}.")
  top = np.abs(np.linalg.eigvals(weight_NxN)).max(-1)
  if std is None:
    std = np.sqrt(np.mean(weight_NxN**2, (-2, -1)))
  return _ratio(top, std * np.sqrt(weight_NxN.shape[-1]))


def corner(weight_NxD: Any, size: int = 256) -> np.ndarray:
  """Returns the published crop: n rows by n columns, n = min(size, N, D)."""
  counts.whole(1, size=size)
  weight_NxD = np.asarray(weight_NxD)
  size = min(size, *weight_NxD.shape[-2:])
  return weight_NxD[..., :size, :size]


def _gram_values(weight_NxD):
  """Returns the roots of the smaller Gram matrix's eigenvalues, falling."""
  if weight_NxD.shape[0] < weight_NxD.shape[1]:
    weight_NxD = weight_NxD.T
  columns = weight_NxD.shape[1]
  # Its lower triangle, in place: a product would be a second such matrix.
  gram_DxD = np.zeros((columns, columns), order="F")
  step = max(1, _BLOCK // columns)
  for first in range(0, len(weight_NxD), step):
    block_NxD = np.ascontiguousarray(weight_NxD[first : first + step], np.float64)
    gram_DxD = scipy.linalg.blas.dsyrk(
      1.0, block_NxD.T, beta=1.0, c=gram_DxD, lower=1, overwrite_c=1
    )
  value_K = scipy.linalg.eigvalsh(gram_DxD, lower=True, overwrite_a=True, check_finite=False)
  return np.sqrt(np.maximum(value_K[::-1], 0))


@functools.lru_cache(maxsize=16)
def _reference(size):
  """Returns the rising singular values of the published normal matrix."""
  weight_NxN = np.random.RandomState(42).randn(size, size)
  # Beyond, the Gram route is several times faster, and near enough.
  if size > 512:
    return _gram_values(weight_NxN)[::-1]
  return singular_values(weight_NxN)[::-1]


def _two_sample(a_N, b_K):
  """Returns the largest gap of the empirical distributions of sorted values."""
  both = np.concatenate([a_N, b_K])
  below_a = np.searchsorted(a_N, both, side="right") / len(a_N)
  below_b = np.searchsorted(b_K, both, side="right") / len(b_K)
  return np.abs(below_a - below_b).max()


def _of_shape(singular_xK, shape):
  singular_xK = np.asarray(singular_xK, np.float64)
  if len(shape) != 2 or singular_xK.shape[-1:] != (min(shape),):
    raise ValueError(
      f"{singular_xK.shape[-1:]} singular values are not those of an N x D"
      f" matrix of shape {tuple(shape)}."
    )
  return singular_xK


def _ratio(above, below):
  """Returns above / below, NaN where below is 0."""
  below = np.asarray(below, np.float64)
  return above / np.where(below == 0, np.nan, below)


# --- two clusters among the rows ------------------------------------------------------------------


_TURNS = 64  # directions of a cut


class Clusters(NamedTuple):
  """Distance of the two centres; 1 - |n0 - n1| / n; distance over radius."""

  inter: float
  balance: float
  quality: float


def symmetry(weight_NxD: Any) -> Clusters:
  """Returns how well two means split the rows in their two first components.

  Principal scores of the centred rows, in float64, and the split of least squared
  distance to the two centres. The source has scikit-learn's k-means of 10
  starts, seed 42, which finds that split or a worse one. `inter` is the
  distance of the centres, `quality` that over the mean of the clusters' mean
  distances to their centres. NaN where all rows are equal.

  Raises ValueError for anything but one matrix of 2 x 2 or more.
  """
  weight_NxD = np.asarray(checked(weight_NxD), np.float64)
  if weight_NxD.ndim != 2 or min(weight_NxD.shape) < 2:
    raise ValueError(f"need a matrix of 2 x 2 or more, got {weight_NxD.shape}.")
  if np.all(weight_NxD == weight_NxD[0]):
    return Clusters(np.nan, np.nan, np.nan)
  centred_NxD = weight_NxD - weight_NxD.mean(0)
  # One thread: on matrices this small more of them wait for each other.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    score_Nx2 = centred_NxD @ _directions(centred_NxD)
  second_N = two_means(score_Nx2)
  centre_2x2 = np.stack([score_Nx2[second_N == one].mean(0) for one in (False, True)])
  away_N = np.linalg.norm(score_Nx2 - centre_2x2[second_N.astype(int)], axis=1)
  radius = np.mean([away_N[second_N == one].mean() for one in (False, True)])
  inter = np.linalg.norm(centre_2x2[0] - centre_2x2[1])
  second = np.mean(second_N)
  quality = inter / radius if radius > 0 else np.inf
  return Clusters(float(inter), float(2 * min(second, 1 - second)), float(quality))


def two_means(point_Nx2: Any) -> np.ndarray:
  """Returns which points of a plane are in the second of two means, N bool.

  A line parts the two clusters of least squared distance to their centres. The
  best cut along each of `_TURNS` directions is found exactly, and the best of
  them moved by Lloyd's steps until it stays.
  """
  point_Nx2 = np.asarray(point_Nx2, np.float64)
  point_Nx2 = point_Nx2 - point_Nx2.mean(0)
  count, angle_T = len(point_Nx2), np.pi / _TURNS * np.arange(_TURNS)
  along_TxN = (
    np.cos(angle_T)[:, None] * point_Nx2[:, 0] + np.sin(angle_T)[:, None] * point_Nx2[:, 1]
  )
  order_TxN = np.argsort(along_TxN, axis=1)
  # Between clusters of k and n - k points about 0 with the sum s: |s|^2 n / (k (n - k)).
  sum_TxKx2 = np.cumsum(point_Nx2[order_TxN[:, :-1]], axis=1)
  size_K = np.arange(1, count)
  between_TxK = np.sum(sum_TxKx2**2, -1) / (size_K * (count - size_K))
  turn, cut = np.unravel_index(np.argmax(between_TxK), between_TxK.shape)
  second_N = np.ones(count, bool)
  second_N[order_TxN[turn, : cut + 1]] = False
  for _ in range(100):
    first_2, second_2 = point_Nx2[~second_N].mean(0), point_Nx2[second_N].mean(0)
    moved_N = (point_Nx2 - (first_2 + second_2) / 2) @ (second_2 - first_2) > 0
    if np.array_equal(moved_N, second_N) or moved_N.all() or not moved_N.any():
      break
    second_N = moved_N
  return second_N


@functools.lru_cache(maxsize=64)
def symmetry_null(shape: tuple[int, int], draws: int = 99, seed: int = 0) -> dict[str, np.ndarray]:
  """Returns the clusters of R standard normal N x D matrices: field -> R.

  `inter` is in units of the entries' std.

  Raises ValueError as `symmetry` does, and for no draws.
  """
  counts.whole(1, draws=draws)
  counts.whole(seed=seed)
  if draws < 1:
    raise ValueError(f"need at least 1 draw, got {draws}.")
  rng = np.random.default_rng(seed)
  found = [symmetry(rng.normal(size=shape)) for _ in range(draws)]
  return {name: np.array([getattr(each, name) for each in found]) for name in Clusters._fields}


def _directions(centred_NxD):
  """Returns the two first principal directions, Dx2, the first one last."""
  columns = centred_NxD.shape[1]
  return scipy.linalg.eigh(centred_NxD.T @ centred_NxD, subset_by_index=(columns - 2, columns - 1))[
    1
  ]


# --- noise of the same shape and scale ------------------------------------------------------------


Metric = Callable[[np.ndarray, tuple[int, int]], np.ndarray]
# Of singular values ...xK and the matrix's shape, all free of its scale.
METRICS: dict[str, Metric] = {
  "effective_rank": lambda s_xK, shape: effective_rank(s_xK),
  "effective_rank_squares": lambda s_xK, shape: effective_rank(s_xK, 2),
  "stable_rank": lambda s_xK, shape: stable_rank(s_xK),
  "max_to_mean": lambda s_xK, shape: max_to_mean(s_xK),
  "ks_matched": ks_matched,
  "outliers": outliers,
}


# The key of a record's numbers and null draws by metric, see `corrected`.
DRAWS = "draws of nulls"


class AgainstNull(NamedTuple):
  """A number, the mean and std of its null draws, and its two-sided p.

  NaN where the number or a draw is: of a matrix of zeros, say.
  """

  observed: float
  null: float
  null_sd: float
  p: float


@functools.lru_cache(maxsize=64)
def singular_null(
  shape: tuple[int, int],
  draws: int = 200,
  seed: int = 0,
  law: Literal["gaussian", "uniform"] = "gaussian",
) -> np.ndarray:
  """Returns the singular values of R iid unit-variance N x D matrices: RxK.

  Falling, read only. "gaussian" is exact in law, from the bidiagonal form of
  N >= D: diagonal chi_N, ..., chi_{N-D+1}, beside it chi_{D-1}, ..., chi_1
  (Dumitriu and Edelman 2002), and as accurate as `gram`. "uniform" (Xavier's)
  decomposes whole matrices: milliseconds a draw up to K = 256. The law hardly
  matters: effective ranks of uniform entries lie half of their std higher.

  Raises ValueError if a side or the draws are below 1, or for another law.
  """
  _check(draws, *shape)
  rng = np.random.default_rng(seed)
  if law == "uniform":
    sample = lambda: rng.uniform(-np.sqrt(3), np.sqrt(3), shape)
    return _frozen(_decomposed(sample, draws))
  if law != "gaussian":
    raise ValueError(f"law must be 'gaussian' or 'uniform', got {law!r}.")
  short, long = sorted(shape)
  main_RxK = rng.chisquare(long - np.arange(short), (draws, short))
  beside_RxK = rng.chisquare(np.arange(short - 1, 0, -1), (draws, short - 1))
  # B^T B of the bidiagonal B.
  next_RxK = np.sqrt(main_RxK[:, :-1] * beside_RxK)
  main_RxK[:, 1:] += beside_RxK
  return _frozen(np.sqrt(np.maximum(_tridiagonal(main_RxK, next_RxK), 0)))


def shuffled_null(weight_NxD: Any, draws: int = 99, seed: int = 0) -> np.ndarray:
  """Returns the singular values of R shuffles of the matrix's entries: RxK.

  It keeps the law of the entries, whose heavy tail is an outlier by itself,
  and costs a whole decomposition a draw: 2 ms of 128 x 128, 8 ms of 256 x 256,
  0.1 s of 384 x 1536. By the Gram route: values below 1.5e-8 s_1 are rounding.

  Raises ValueError for what is no N x D matrix, or no draws.
  """
  values = lambda shuffled_NxD: singular_values(shuffled_NxD, method="gram")
  return over_shuffles(values, weight_NxD, draws, seed)


def over_shuffles(measure: Callable, weight_NxD: Any, draws: int, seed: int = 0) -> np.ndarray:
  """Returns `measure` of R shuffles of the matrix's entries, stacked.

  One seed has the same shuffles whatever is measured.

  Raises ValueError for what is no N x D matrix, or no draws.
  """
  weight_NxD = checked(weight_NxD)
  if weight_NxD.ndim != 2:
    raise ValueError(f"one N x D matrix is shuffled, got {weight_NxD.shape}.")
  _check(draws, 1)
  rng = np.random.default_rng(seed)
  shuffle = lambda: rng.permutation(weight_NxD.ravel()).reshape(weight_NxD.shape)
  with threadpoolctl.threadpool_limits(1, user_api="blas"):  # as `_decomposed`
    return np.stack([measure(shuffle()) for _ in range(draws)])


@functools.lru_cache(maxsize=64)
def goe_null(size: int, draws: int = 200, seed: int = 0) -> np.ndarray:
  """Returns the rising eigenvalues of R GOE matrices: RxN, N = `size`.

  Off-diagonal variance 1, on it 2: the tridiagonal form has the diagonal
  N(0, 2), beside it chi_{N-1}, ..., chi_1 (Dumitriu and Edelman 2002). Read
  only.

  Raises ValueError if the size or the draws are below 1.
  """
  _check(draws, size)
  rng = np.random.default_rng(seed)
  main_RxN = np.sqrt(2) * rng.normal(size=(draws, size))
  beside_RxN = np.sqrt(rng.chisquare(np.arange(size - 1, 0, -1), (draws, size - 1)))
  return _frozen(_tridiagonal(main_RxN, beside_RxN)[:, ::-1])


@functools.lru_cache(maxsize=64)
def radius_null(size: int, draws: int = 99, seed: int = 0) -> np.ndarray:
  """Returns `eigenvalue_radius` of R normal size x size matrices: R.

  In units of their `bulk_std`. Read only.

  Raises ValueError if the size or the draws are below 1.
  """
  _check(draws, size)
  rng = np.random.default_rng(seed)

  def radius():
    weight_NxN = rng.normal(size=(size, size))
    singular_N = singular_values(weight_NxN)
    std = bulk_std(singular_N, weight_NxN.shape)
    return float(eigenvalue_radius(weight_NxN, std))

  with threadpoolctl.threadpool_limits(1, user_api="blas"):  # as `_decomposed`
    return _frozen(np.array([radius() for _ in range(draws)]))


def against_null(
  singular_K: Any,
  shape: tuple[int, int],
  *,
  draws: int = 200,
  seed: int = 0,
  metrics: Mapping[str, Metric] = METRICS,
  null_RxK: Any = None,
) -> dict[str, AgainstNull]:
  """Returns every metric of one N x D matrix beside its null.

  `null_RxK` are other draws, of `shuffled_null` say, in place of
  `singular_null`'s. The p cannot fall below 2 / (R + 1), see `corrected`.
  """
  if null_RxK is None:
    null_RxK = singular_null(tuple(shape), draws, seed)
  return {
    name: compare(metric(np.asarray(singular_K), shape), metric(null_RxK, shape))
    for name, metric in metrics.items()
  }


def compare(observed: Any, null_R: Any) -> AgainstNull:
  """Returns the number beside its null draws, p by `permutation_p`.

  Draws equal to the number but for rounding are ties.
  """
  observed, null_R = float(observed), np.asarray(null_R, np.float64)
  tie_R = np.isclose(null_R, observed, rtol=1e-9, atol=0)
  null_R = np.where(tie_R, observed, null_R)
  p = np.nan
  if np.isfinite(observed) and np.isfinite(null_R).all():
    p = float(statistics.permutation_p(observed, null_R, tail="two-sided"))
  spread = null_R.std(ddof=1) if len(null_R) > 1 else np.nan
  return AgainstNull(observed, float(null_R.mean()), float(spread), p)


def holm(p_V: Any) -> np.ndarray:
  """Returns adjusted p-values that control the chance of any false finding.

  `p_(i)' = max_{j <= i} min(1, (V - j + 1) p_(j))` over all entries of any
  shape, whatever their dependence (Holm 1979).

  Raises ValueError if an entry is outside 0..1.
  """
  p_V = np.asarray(p_V, np.float64)
  if not np.all((p_V >= 0) & (p_V <= 1)):
    raise ValueError("p-values lie in 0..1 and are not NaN.")
  order_V = np.argsort(p_V, axis=None)
  factor_V = np.arange(p_V.size, 0, -1)
  adjusted_V = np.empty(p_V.size)
  scaled_V = np.minimum(1, factor_V * p_V.ravel()[order_V])
  adjusted_V[order_V] = np.maximum.accumulate(scaled_V)
  return adjusted_V.reshape(p_V.shape)


def needed(tests: int, level: float = 0.05) -> int:
  """Returns the draws R that one finding among V tests takes at a level.

  By `holm`, and by the false discovery rate: 2 V / (R + 1) <= level.
  """
  return int(np.ceil(2 * tests / level)) - 1


def corrected(records: list[dict], *, seed: int = 0) -> list[dict]:
  """Returns the records with every p-value corrected across the matrices.

  Beside `m_p`: `m_p_bh` for the false discovery rate, by Benjamini and
  Hochberg; `m_p_any` for the chance of any false finding. NaN where a matrix
  has no p. Where all records have draws of their own (`DRAWS`, which are taken
  out), `m_p_any` is by max-T over draws of all matrices together, so that it
  falls to 1 / (R + 1) whatever their number; else it is `holm`'s, which one
  finding among V reaches with `needed(V)` draws, as the rate does.
  """
  drawn_E = [record.get(DRAWS) for record in records]
  records = [{k: v for k, v in record.items() if k != DRAWS} for record in records]
  names = dict.fromkeys(key for r in records for key in r if key[-2:] == "_p")
  for name in names:
    p_E = np.array([record.get(name, np.nan) for record in records])
    at_V = np.flatnonzero(np.isfinite(p_E))
    adjusted = {"bh": np.zeros(0), "any": np.zeros(0)}
    if len(at_V):
      adjusted = {"bh": statistics.benjamini_hochberg(p_E[at_V])}
      both = [(drawn_E[at] or {}).get(name[:-2]) for at in at_V]
      joint = all(found is not None for found in both)
      adjusted["any"] = _max_t(both, seed) if joint else holm(p_E[at_V])
    for way, value_V in adjusted.items():
      found = dict(zip(at_V.tolist(), value_V, strict=True))
      for at, record in enumerate(records):
        if name in record:
          record[f"{name}_{way}"] = float(found.get(at, np.nan))
  return records


def _max_t(both, seed: int) -> np.ndarray:
  """Returns adjusted p-values V from each matrix's number and its draws.

  In deviations of the draws and the number together, which treats all alike.
  Draws of several matrices are paired at random: shuffles of independent
  matrices are independent.
  """
  rng = np.random.default_rng([seed, 1])
  count = min(len(null_R) for _, null_R in both)
  each_Vx1R = np.array(
    [np.append(observed, rng.permutation(null_R)[:count]) for observed, null_R in both]
  )
  gap_Vx1R = each_Vx1R - each_Vx1R.mean(1, keepdims=True)
  spread_Vx1 = each_Vx1R.std(1, keepdims=True)
  t_Vx1R = np.where(spread_Vx1 > 0, gap_Vx1R / np.where(spread_Vx1 > 0, spread_Vx1, 1), 0)
  return statistics.max_t(t_Vx1R[:, 0], t_Vx1R[:, 1:].T, tail="two-sided")


def _decomposed(sample, draws):
  """Returns the singular values of R samples: RxK."""
  # One thread: on matrices this small more of them wait for each other.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    return np.stack([singular_values(sample()) for _ in range(draws)])


def _tridiagonal(main_RxK, beside_RxK):
  """Returns the falling eigenvalues of R symmetric tridiagonal matrices."""
  values = lambda main_K, beside_K: scipy.linalg.eigvalsh_tridiagonal(
    main_K, beside_K, lapack_driver="sterf"
  )
  pairs = zip(main_RxK, beside_RxK, strict=True)
  return np.stack([values(*pair) for pair in pairs])[:, ::-1]


def _frozen(array):
  """Returns the array, which callers share, as one that cannot be changed."""
  array.flags.writeable = False
  return array


def _check(draws, *sides):
  counts.whole(draws=draws)
  if min(draws, *sides) < 1:
    raise ValueError(f"need 1 draw and sides of 1, got {draws} and {sides}.")
