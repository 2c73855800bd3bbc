"""The first principal components of many networks' states, and circles in them.

In float64 on the host, all networks in one product.
"""

from typing import NamedTuple

import numpy as np
from primelens.analyses import regression

COMPONENTS = 4


class Plane(NamedTuple):
  """Scores of the first COMPONENTS on all rows, and shares of the variance of all components."""

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
  """Returns the targets of every row, SxNx2, by an affine map of the scores.

  By least squares on the rows fitted.
  """
  design = np.concatenate([np.ones_like(score_SxNxF[..., :1]), score_SxNxF], -1)
  some = design[:, fitted_N]
  turned = np.swapaxes(some, 1, 2)
  # Scores may lie on a line: the shortest coefficients.
  inverse = np.linalg.pinv(turned @ some, rcond=1e-10, hermitian=True)
  return design @ (inverse @ (turned @ target_Nx2[fitted_N]))


def circularity(state_SxNxD, angle_N) -> np.ndarray:
  """Returns R2 of a circle in the plane of the first two components of z-scored states, S.

  Fitted and scored on all rows.
  """
  every_N = np.ones(len(angle_N), bool)
  z_SxNxD = standardised(np.asarray(state_SxNxD, float), every_N)
  score_SxNx2 = plane(z_SxNxD, every_N).score_SxNxQ[..., :2]
  guess_SxNx2 = affine(score_SxNx2, circle(angle_N), every_N)
  return r2(circle(angle_N), guess_SxNx2)


def r2(truth_NxF, guess_SxNxF) -> np.ndarray:
  """Returns the mean over targets of their R2, S."""
  return regression.r2(truth_NxF[None], guess_SxNxF, axis=1).mean(-1)
