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
from primelens.analyses import spectra


class Clusters(NamedTuple):
  """Distance of the two centres; 1 - |n0 - n1| / n; distance over radius."""

  inter: float
  balance: float
  quality: float


def symmetry(weight_NxD: Any) -> Clusters:
  """Returns how well two means split the rows in their two first components.

  Principal scores of the centred rows, in float64; scikit-learn's k-means of 2
  clusters, 10 starts, seed 42. `inter` is the distance of the centres,
  `quality` that over the mean of the clusters' mean distances to their centres.
  NaN where all rows are equal.

  Raises ValueError for anything but one matrix of 2 x 2 or more.
  """
  # Here, so that importing the analyses stays light.
  from sklearn import cluster

  weight_NxD = np.asarray(spectra.checked(weight_NxD), np.float64)
  if weight_NxD.ndim != 2 or min(weight_NxD.shape) < 2:
    raise ValueError(f"need a matrix of 2 x 2 or more, got {weight_NxD.shape}.")
  if np.all(weight_NxD == weight_NxD[0]):
    return Clusters(np.nan, np.nan, np.nan)
  centred_NxD = weight_NxD - weight_NxD.mean(0)
  means = cluster.KMeans(n_clusters=2, random_state=42, n_init=10)
  # One thread: on points this few more of them wait for each other.
  with threadpoolctl.threadpool_limits(1):
    score_Nx2 = centred_NxD @ _directions(centred_NxD)
    label_N = means.fit_predict(score_Nx2)
  centre_2x2 = means.cluster_centers_
  away_N = np.linalg.norm(score_Nx2 - centre_2x2[label_N], axis=1)
  radius = np.mean([away_N[label_N == label].mean() for label in (0, 1)])
  inter = np.linalg.norm(centre_2x2[0] - centre_2x2[1])
  second = np.mean(label_N == 1)
  quality = inter / radius if radius > 0 else np.inf
  return Clusters(float(inter), float(2 * min(second, 1 - second)), float(quality))


@functools.lru_cache(maxsize=64)
def symmetry_null(shape: tuple[int, int], draws: int = 20, seed: int = 0) -> dict[str, np.ndarray]:
  """Returns the clusters of R standard normal N x D matrices: field -> R.

  `inter` is in units of the entries' std.

  Raises ValueError as `symmetry` does, and for no draws.
  """
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
