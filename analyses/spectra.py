"""Singular values of a weight matrix, and what they say beside pure noise.

`singular_xK` are the K = min(N, D) singular values of an N x D matrix, any
leading axes before them; the metrics reduce the last axis. On the host, in
float64. A metric without a value (of a matrix of zeros) is NaN. Source: primes
spec, sections 4 and 6.
"""

import functools
from typing import Any, Literal

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.special
from primelens.analyses import counts

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
