"""Coefficients of the polynomial fits: of neurons, and of the best logit.

Items A47, A48 and A56-A58 of the addition spec. PC1 rises with the digit
(`principal.oriented`); with the other sign, which is as good, every odd power
of it changes sign.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import features, least_squares, regression
from primelens.studies.addition import network
from primelens.studies.addition.polynomial_fits import FEATURES, SUMS

# Neurons by their correlation r with a + b: low <= r < high (A47).
GROUPS = {
  "all neurons": (-2.0, 2.0),
  "r >= 0.9": (0.9, 2.0),
  "0.5 <= r < 0.9": (0.5, 0.9),
  "-0.9 <= r < -0.5": (-0.9, -0.5),
  "r < -0.9": (-2.0, -0.9),
}
NEURONS = ("strongest neuron at (0, 0)", "second neuron at (0, 0)")
ROWS = (*GROUPS, *NEURONS)


def measure(read: network.Network, member, pair_Nx4, sum_N) -> dict:
  """Returns the coefficients on Poly2 by group, and of the best logit, traced.

  `pair_Nx4` are the principal scores of a and b (`features.pairs`), `sum_N`
  is a + b. Statistics of a group without neurons are NaN. Of the logits: R2
  each (A56), the best one's coefficients (A57), and the same logit on the
  features published as symmetric (A58).
  """
  design_NxQ, sums_Nx6 = (features.monomials(pair_Nx4, 2), features.sums(pair_Nx4))
  target = _Parts(read.pre_NxF, read.post_NxF, read.logit_NxV)
  both = jnp.concatenate(target, axis=1)
  poly = least_squares.fit(design_NxQ, both)
  sums = least_squares.fit(sums_Nx6, both)
  prediction = _parts(read, poly.prediction_NxF)
  coefficient = _parts(read, poly.coefficient_QxF)
  r2 = _parts(read, _r2(both, poly.prediction_NxF))
  sums_r2 = _parts(read, _r2(both, sums.prediction_NxF))
  weight_ExF, neuron_2 = _rows(read, sum_N)
  mean, deviation, magnitude = _statistics(coefficient.pre, weight_ExF)
  outside = least_squares.fit(design_NxQ, read.logit_NxV, member.train_N)
  best = jnp.nanargmax(r2.logit)
  without = lambda post_NxF: network.readout(read, post_NxF, skip=False)
  return {
    "mean_ExQ": mean,
    "deviation_ExQ": deviation,
    "magnitude_ExQ": magnitude,
    "size_E": weight_ExF.sum(1),
    "neuron_2": neuron_2,
    "pre_r2_F": r2.pre,
    "post_r2_F": r2.post,
    "sums_r2_F": sums_r2.pre,
    "simulated_pre_NxV": without(jax.nn.relu(prediction.pre)),
    "simulated_post_NxV": without(prediction.post),
    "mlp_NxV": without(read.post_NxF),
    "logit_r2_V": r2.logit,
    "logit_heldout_V": _r2(read.logit_NxV[member.test_N], outside.prediction_NxF[member.test_N]),
    "best": best,
    "worst": jnp.nanargmin(r2.logit),
    "best_r2": r2.logit[best],
    "best_Q": coefficient.logit[:, best],
    "best_sums_6": _parts(read, sums.coefficient_QxF).logit[:, best],
    "best_sums_r2": sums_r2.logit[best],
  }


def values(found: dict) -> dict:
  """Returns the numbers of the table, from `measure` of every member."""
  mean, high = found["mean_ExQ"], list(GROUPS).index("r >= 0.9")
  at = lambda name: FEATURES.index(name)
  spread_SxQ = found["deviation_ExQ"][:, high] / abs(mean[:, high])
  value = {f"magnitude/{name}": found["magnitude_ExQ"][:, 0, q] for q, name in enumerate(FEATURES)}
  for row, group in enumerate(GROUPS):
    value[f"size/{group}"] = found["size_E"][:, row]
    for name in ("p1a", "p2a", "p1a p1b"):
      value[f"mean/{group}/{name}"] = mean[:, row, at(name)]
  value |= {f"neuron/{place + 1}": found["neuron_2"][:, place] for place in range(2)}
  value |= {f"best_sums/{name}": found["best_sums_6"][:, q] for q, name in enumerate(SUMS)}
  return value | {
    # Of the features but the constant; NaN where the group is empty.
    "spread": np.median(spread_SxQ[:, 1:], axis=1),
    "best_logit": found["best"],
    "worst_logit": found["worst"],
    "best_sums/r2": found["best_sums_r2"],
    "best_sums/drop": found["best_r2"] - found["best_sums_r2"],
  }


class _Parts(NamedTuple):
  """What belongs to z, to h and to the logits."""

  pre: jax.Array
  post: jax.Array
  logit: jax.Array


def _parts(read: network.Network, both) -> _Parts:
  """Returns the columns of z, h and the logits, which were fitted at once."""
  hidden = read.pre_NxF.shape[1]
  return _Parts(*jnp.split(both, [hidden, 2 * hidden], axis=-1))


def _r2(truth_NxF, prediction_NxF):
  return least_squares.r2_columns(truth_NxF, prediction_NxF)


def _rows(read: network.Network, sum_N):
  """Returns which neurons are in each of ROWS, and the two strongest.

  Groups by r(h, a + b), 0 for a neuron that never varies (A11); the two by
  their contribution sum_k |W_L[k, i] h_i| at (0, 0), the first pair (A38).
  """
  r_F = regression.pearson(read.post_NxF, sum_N)
  group_ExF = [(low <= r_F) & (r_F < high) for low, high in GROUPS.values()]
  share_F = jnp.abs(read.readout_VxF).sum(0) * read.post_NxF[0]
  _, neuron_2 = jax.lax.top_k(share_F, 2)
  single_2xF = jax.nn.one_hot(neuron_2, len(share_F))
  weight_ExF = jnp.concatenate([jnp.stack(group_ExF) * 1.0, single_2xF])
  return weight_ExF, neuron_2


def _statistics(coefficient_QxF, weight_ExF):
  """Returns mean, standard deviation and mean absolute value by row: ExQ."""
  share_ExF = weight_ExF / weight_ExF.sum(1, keepdims=True)
  mean_ExQ = network.exact(share_ExF, coefficient_QxF.T)
  far_ExQxF = coefficient_QxF[None] - mean_ExQ[:, :, None]
  variance_ExQ = jnp.sum(share_ExF[:, None] * far_ExQxF**2, axis=2)
  magnitude_ExQ = network.exact(share_ExF, jnp.abs(coefficient_QxF).T)
  return mean_ExQ, jnp.sqrt(variance_ExQ), magnitude_ExQ
