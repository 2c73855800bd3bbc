"""Analysis `embedding`: the digits' vectors and their principal components.

Items A2-A9 of the addition spec (A43 is in `readout`, B5-B11 in `fourier`).
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
from primelens.analyses import least_squares, principal
from primelens.lens.numbers import Reported
from primelens.studies.addition import network, snapshots, tables

COMPONENTS = 4  # drawn; all of them have a share
REPORTED = {
  "pc1_share": Reported("A6", "share of variance, PC1", "0.73, elsewhere 0.75", 0.7266),
  "pc12_share": Reported("A6", "share of variance, PC1 + PC2", "0.994", 0.9945),
  "pc1_linear_r2": Reported("A5", "R2, PC1 on the digit", "a line", 0.992),
  "pc1_slope": Reported("A5", "slope of PC1 per digit", "negative", 0.506),
  "pc2_quadratic_r2": Reported("A7", "R2, PC2 on digit and digit^2", "a parabola", 0.996),
  "pc3_largest": Reported("A8", "largest |score| of PC3", "shown, as PC2", 0.16, 0.01),
}


@dataclasses.dataclass(frozen=True)
class Result:
  """Principal components of W_E without "=", signs fixed (A4).

  `score_SxPxQ` are the first components' scores, `share_SxR` all shares of
  the variance, `embedding_PxD` the reference member's table (A2, A3), else
  the first's, which is member `shown`. `untrained_share_SxR` is of the same
  seeds before training. `plane_CxPx2` are the vectors of that member at every
  snapshot, in the plane of its last two components.
  """

  table: tuple[dict, ...]
  score_SxPxQ: np.ndarray
  share_SxR: np.ndarray
  untrained_share_SxR: np.ndarray
  embedding_PxD: np.ndarray
  step_C: np.ndarray
  plane_CxPx2: np.ndarray
  shown: int


def measure(model, params, member, token_Nx3):
  """Returns the components and the numbers of the table, of one member."""
  embedding_PxD = params["embedding"]["embedding"][:-1]
  found = principal.oriented(principal.pca(embedding_PxD))
  digits = len(embedding_PxD)
  step_P = jnp.arange(digits, dtype=jnp.float32)
  scaled_P = jnp.linspace(-1, 1, digits)
  line_Px2 = jnp.stack([jnp.ones(digits), step_P], 1)
  bow_Px3 = jnp.stack([jnp.ones(digits), scaled_P, scaled_P**2], 1)
  score_PxQ = found.score_NxQ[:, :COMPONENTS]
  line = least_squares.fit(line_Px2, score_PxQ[:, :1])
  bow = least_squares.fit(bow_Px3, score_PxQ[:, 1:2])
  value = {
    "pc1_share": found.share_Q[0],
    "pc12_share": found.share_Q[:2].sum(),
    "pc1_linear_r2": least_squares.r2_overall(score_PxQ[:, :1], line.prediction_NxF),
    "pc1_slope": line.coefficient_QxF[1, 0],
    "pc2_quadratic_r2": least_squares.r2_overall(score_PxQ[:, 1:2], bow.prediction_NxF),
    "pc3_largest": jnp.abs(score_PxQ[:, 2]).max(),
  }
  return {
    "score": score_PxQ,
    "share": found.share_Q,
    "embedding": embedding_PxD,
    "direction": found.direction_QxD[:2],
    "value": value,
  }


def run(run) -> Result:
  """Returns the embedding's geometry of every member."""
  found = network.over_members(measure, run)
  null = network.over_members(measure, run, run.untrained_S())
  shown = tables.reference(run) or 0
  step_C, plane_CxPx2 = _over_training(run, found["direction"], shown)
  return Result(
    table=tables.rows(run, REPORTED, found["value"], null["value"]),
    score_SxPxQ=found["score"],
    share_SxR=found["share"],
    untrained_share_SxR=null["share"],
    embedding_PxD=found["embedding"][shown],
    step_C=step_C,
    plane_CxPx2=plane_CxPx2,
    shown=shown,
  )


def plane(model, params, member, token_Nx3, direction_2xD):
  """Returns the centred digits' vectors in a given plane, Px2."""
  embedding_PxD = params["embedding"]["embedding"][:-1]
  centred_PxD = embedding_PxD - embedding_PxD.mean(0, keepdims=True)
  return network.exact(centred_PxD, direction_2xD.T)


def _over_training(run, direction_Sx2xD, shown: int):
  """Returns the steps C and planes CxPx2 of a member; none without
  snapshots."""
  step_C = snapshots.found(run)
  if not step_C.size:
    return step_C, np.zeros((0, run.pairs.digits, 2))
  plane_SxCxPx2 = snapshots.over_members(plane, run, direction_Sx2xD)
  return step_C, plane_SxCxPx2[shown]
