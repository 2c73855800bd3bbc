"""Two clusters among the rows of a weight matrix: the published "symmetry".

Two means split any cloud: the quality of noise is 1.64 (256 x 256), and large
values are the sign of the rows along one outlying direction, the number that
the largest singular value gives. Source: primes spec, sections 6.4 and 7.3.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import threadpoolctl
from primelens.analyses import counts, spectra

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
  weight_NxD = np.asarray(spectra.checked(weight_NxD), np.float64)
  if weight_NxD.ndim != 2 or min(weight_NxD.shape) < 2:
    raise ValueError(f"need a matrix of 2 x 2 or more, got {weight_NxD.shape}.")
  if np.all(weight_NxD == weight_NxD[0]):
    return Clusters(np.nan, np.nan, np.nan)
  centred_NxD = weight_NxD - weight_NxD.mean(0)
  # One thread: on matrices this small more of them wait for each other.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    score_Nx2 = centred_NxD @ _directions(centred_NxD)
  second_N = split(score_Nx2)
  centre_2x2 = np.stack([score_Nx2[second_N == one].mean(0) for one in (False, True)])
  away_N = np.linalg.norm(score_Nx2 - centre_2x2[second_N.astype(int)], axis=1)
  radius = np.mean([away_N[second_N == one].mean() for one in (False, True)])
  inter = np.linalg.norm(centre_2x2[0] - centre_2x2[1])
  second = np.mean(second_N)
  quality = inter / radius if radius > 0 else np.inf
  return Clusters(float(inter), float(2 * min(second, 1 - second)), float(quality))


def split(point_Nx2: Any) -> np.ndarray:
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
