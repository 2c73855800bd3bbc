"""Principal components of many networks' states, and maps of their scores.

In float64 on the host, all networks in one product.
"""

from typing import NamedTuple

import numpy as np
from primelens.analyses import regression

COMPONENTS = 4


class Plane(NamedTuple):
  """Scores of the first components on all rows, and shares of all."""

  score_SxNxQ: np.ndarray
  share_SxQ: np.ndarray


def standardised(state_SxNxD, fitted_N) -> np.ndarray:
  """Returns states in deviations of the rows fitted, about their mean."""
  some = state_SxNxD[:, fitted_N]
  deviation_Sx1xD = some.std(1, keepdims=True)
  deviation_Sx1xD[deviation_Sx1xD < 1e-12] = 1
  return (state_SxNxD - some.mean(1, keepdims=True)) / deviation_Sx1xD


def plane(state_SxNxD, fitted_N) -> Plane:
  """Returns the COMPONENTS first principal components of the rows fitted.

  The largest coefficient of a component is positive, as scikit-learn has it.
  """
  some = state_SxNxD[:, fitted_N]
  mean_Sx1xD = some.mean(1, keepdims=True)
  centred = some - mean_Sx1xD
  value_SxQ, basis_SxDxQ = np.linalg.eigh(np.swapaxes(centred, 1, 2) @ centred)
  value_SxQ, basis_SxDxQ = value_SxQ[:, ::-1], basis_SxDxQ[..., ::-1]
  largest_Sx1xQ = np.abs(basis_SxDxQ).argmax(1)[:, None]
  sign_Sx1xQ = np.sign(np.take_along_axis(basis_SxDxQ, largest_Sx1xQ, axis=1))
  first_SxDxQ = (basis_SxDxQ * sign_Sx1xQ)[..., :COMPONENTS]
  share_SxQ = np.maximum(value_SxQ, 0)
  return Plane(
    (state_SxNxD - mean_Sx1xD) @ first_SxDxQ, share_SxQ / share_SxQ.sum(1, keepdims=True)
  )


def circle(angle_N) -> np.ndarray:
  """Returns cos and sin of angles, Nx2."""
  return np.stack([np.cos(angle_N), np.sin(angle_N)], -1)


def affine(score_SxNxF, target_Nx2, fitted_N) -> np.ndarray:
  """Returns the least-squares affine map of scores to targets on the rows
  fitted, of every row, SxNx2."""
  design = np.concatenate([np.ones_like(score_SxNxF[..., :1]), score_SxNxF], -1)
  some = design[:, fitted_N]
  turned = np.swapaxes(some, 1, 2)
  # Scores may lie on a line: the shortest coefficients.
  inverse = np.linalg.pinv(turned @ some, rcond=1e-10, hermitian=True)
  return design @ (inverse @ (turned @ target_Nx2[fitted_N]))


def circularity(state_SxNxD, angle_N) -> np.ndarray:
  """Returns R2 of a circle in the plane of the first two components of
  z-scored states, fitted and scored on all rows, S."""
  every_N = np.ones(len(angle_N), bool)
  z_SxNxD = standardised(np.asarray(state_SxNxD, float), every_N)
  score_SxNx2 = plane(z_SxNxD, every_N).score_SxNxQ[..., :2]
  guess_SxNx2 = affine(score_SxNx2, circle(angle_N), every_N)
  return r2(circle(angle_N), guess_SxNx2)


def r2(truth_NxF, guess_SxNxF) -> np.ndarray:
  """Returns the mean over targets of their R2, S."""
  return regression.r2(truth_NxF[None], guess_SxNxF, axis=1).mean(-1)


def squared_correlation(score_SxNxQ, value_N) -> np.ndarray:
  """Returns r^2 of every score with a number, SxQ; 0 for a flat score."""
  value_N = (value_N - value_N.mean()) / value_N.std()
  centred = score_SxNxQ - score_SxNxQ.mean(1, keepdims=True)
  deviation_SxQ = centred.std(1)
  product_SxQ = np.einsum("snq,n->sq", centred, value_N) / len(value_N)
  flat_SxQ = deviation_SxQ < 1e-9
  return np.where(flat_SxQ, 0, product_SxQ / np.where(flat_SxQ, 1, deviation_SxQ)) ** 2


def between(score_SxN, kind_N) -> np.ndarray:
  """Returns the share of a score's variance that is between kinds of rows, S;
  NaN for a flat score."""
  kind_V, at_N, count_V = np.unique(kind_N, return_inverse=True, return_counts=True)
  is_NxV = at_N[:, None] == np.arange(len(kind_V))
  centred_SxN = score_SxN - score_SxN.mean(1, keepdims=True)
  mean_SxV = centred_SxN @ is_NxV / count_V
  total_S = np.mean(centred_SxN**2, 1)
  share_S = mean_SxV**2 @ count_V / len(kind_N)
  return np.where(total_S > 0, share_S / np.where(total_S > 0, total_S, 1), np.nan)
