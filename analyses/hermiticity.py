"""Is a bilinear form of queries and keys symmetric? Beside Gaussian pairs.

H = W_q W_k^T of one head (D x D, of rank Dh), so that a score is x_i^T H x_j.
On the host, in float64. Source: zeta spec, section 4.7.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
import threadpoolctl
from primelens.analyses import counts


class Symmetry(NamedTuple):
  """`asymmetry` |H - H^T|_F / |H + H^T|_F and `rotation` max|Im| / mean|Re|."""

  asymmetry: np.ndarray
  rotation: np.ndarray


class Test(NamedTuple):
  """A score beside its null: z, and p of a score as small as it."""

  z: np.ndarray
  p: np.ndarray


def symmetry(query_xDxK: Any, key_xDxK: Any) -> Symmetry:
  """Returns how far H = W_q W_k^T is from symmetric, over leading axes.

  Asymmetry is 0 for a symmetric H, infinite for an antisymmetric one and
  about 1 for independent factors, whatever their scale. Rotation is of the
  eigenvalues that are not 0 by the rank: those of W_k^T W_q.

  Raises `ValueError` where the two shapes differ.
  """
  query_xDxK, key_xDxK = _pair(query_xDxK, key_xDxK)
  # |H|^2 = tr(Q^T Q K^T K) and tr(H H) = tr(A A), A = K^T Q: no D x D matrix.
  transposed = lambda value: np.swapaxes(value, -1, -2)
  inner_xKxK = transposed(key_xDxK) @ query_xDxK
  gram = lambda value: transposed(value) @ value
  norm_x = np.sum(gram(query_xDxK) * gram(key_xDxK), axis=(-2, -1))
  trace_x = np.sum(inner_xKxK * transposed(inner_xKxK), axis=(-2, -1))
  with np.errstate(divide="ignore", invalid="ignore"):
    ratio_x = np.maximum(norm_x - trace_x, 0) / np.maximum(norm_x + trace_x, 0)
    value_xK = np.linalg.eigvals(inner_xKxK)
    turn_x = np.abs(value_xK.imag).max(-1) / np.abs(value_xK.real).mean(-1)
  return Symmetry(np.sqrt(ratio_x), turn_x)


@functools.lru_cache(maxsize=16)
def null(width: int, head_width: int, draws: int = 200, seed: int = 0):
  """Returns the `Symmetry` of R pairs of D x K Gaussian matrices.

  Both numbers are free of scale, so that matching the shape matches the pair.
  Raises `ValueError` if a side or the draws are below 1.
  """
  counts.whole(width=width, head_width=head_width, draws=draws)
  counts.whole(seed=seed)
  if min(width, head_width, draws) < 1:
    raise ValueError(f"need a draw and sides of 1, got {draws}, {width} and {head_width}.")
  rng = np.random.default_rng(seed)
  shape = (2, width, head_width)
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    found = [symmetry(*rng.normal(size=shape)) for _ in range(draws)]
  return Symmetry(*(np.array(x) for x in zip(*found, strict=True)))


def against_null(score_x: Any, null_R: Any) -> Test:
  """Returns z = (score - mean) / std and p = (1 + #{null <= score}) / (R + 1).

  One-sided: a form that became symmetric scores low. z of 0 / 0 is NaN.
  """
  score_x, null_R = np.asarray(score_x), np.asarray(null_R, np.float64)
  with np.errstate(divide="ignore", invalid="ignore"):
    z_x = (score_x - null_R.mean()) / null_R.std(ddof=1)
  below_x = np.searchsorted(np.sort(null_R), score_x, side="right")
  return Test(z_x, (1 + below_x) / (len(null_R) + 1))


def _pair(query_xDxK, key_xDxK):
  query_xDxK = np.asarray(query_xDxK, np.float64)
  key_xDxK = np.asarray(key_xDxK, np.float64)
  if query_xDxK.ndim < 2 or query_xDxK.shape != key_xDxK.shape:
    raise ValueError(
      f"queries and keys need one shape ...xDxK, got {query_xDxK.shape} and {key_xDxK.shape}."
    )
  return query_xDxK, key_xDxK
