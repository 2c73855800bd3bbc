"""What neurons do differently when the digits keep PC1 alone.

Items A29, A30 and A38 of the addition spec. The network in full is
compared with itself, each digit's vector reduced to its first component; an
input fails where the reduced network's prediction is wrong.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from primelens.analyses import duplicates
from primelens.lens.numbers import Reported
from primelens.studies.addition import network

GROUPS = ("all failing inputs", "failing, a = 0", "failing, a = P - 1")
LISTED, STRONG = 5, 20  # neurons listed, neurons compared in shape
FOLLOWS = 0.9  # cosine of contributions of one shape
_NUMBER = np.inf  # neuron numbers and counts are not portable
_NOT_ASKED = "not asked"
_CHANGED = (398, 241, 175, 480, 382)
_ACTIVE = (357, 184, 298, 49, 69, 398)
_STRENGTH = (312, 296, 198, 185, 162, 159)
REPORTED = {
  "failing": Reported(
    "A29", "failing inputs", "58 (accuracy 0.42)", 61, 3,
    "Tolerance: that of the accuracy.",
  ),
  **{
    f"delta_post_{rank}": Reported(
      "A29", f"neuron {rank + 1} by mean |change of h|, failing inputs",
      "shown", number, _NUMBER,
    )
    for rank, number in enumerate(_CHANGED)
  },
  **{
    f"delta_post_{rank}_r": Reported(
      "A29", f"r of neuron {rank + 1} by mean |change of h|", "shown", r,
      _NUMBER, "Which block comes at this place is not portable.",
    )
    for rank, r in ((2, -0.855), (4, 0.837))
  },
  "delta_post_blocks": Reported(
    "A29",
    "share of the variance of the change of h per input weight, between blocks",
    "changes come in groups", None,
    remark="Neurons with a copy; near 1 because blocks are copies (A62).",
  ),
  "delta_pre_blocks": Reported(
    "A30",
    "share of the variance of the change of z per input weight, between blocks",
    "as h", None, remark="Neurons with a copy.",
  ),
  **{
    f"active_{rank}": Reported(
      "A38", f"neuron {rank + 1} by contribution at (0, 0)",
      str(number) if rank < 2 else "shown", number, _NUMBER,
    )
    for rank, number in enumerate(_ACTIVE)
  },
  **{
    f"active_{rank}_strength": Reported(
      "A38", f"contribution of neuron {rank + 1} at (0, 0)", "shown", number,
      0.1 * number, "Tolerance: a tenth.",
    )
    for rank, number in enumerate(_STRENGTH)
  },
  "active": Reported(
    "A38", "active neurons at (0, 0)", _NOT_ASKED, 221, _NUMBER
  ),
  "same_direction": Reported(
    "A38",
    f"of the {STRONG} strongest, those with a positive cosine with the first",
    "19", 19, _NUMBER, "Recomputed: the source's 19; 398 the odd one.",
  ),
  "same_shape": Reported(
    "A38",
    f"of the {STRONG} strongest, those with a cosine > {FOLLOWS}",
    "19", None, _NUMBER,
  ),
  "outlier": Reported(
    "A38", f"of the {STRONG} strongest, the one least like the first", "398",
    398, _NUMBER,
  ),
  "outlier_peak": Reported("A38", "class where it peaks", "5", 5, _NUMBER),
  "outlier_true": Reported(
    "A38", "its contribution to the true logit", "negative", None
  ),
}  # fmt: skip


class Pair(NamedTuple):
  """The network in full and with PC1 alone, and the inputs that then fail."""

  full: network.Network
  reduced: network.Network
  failing_N: jnp.ndarray


def measure(pair: Pair, member, up_DxF, r_F, rank_F) -> dict:
  """Returns mean changes of z and h, and the strongest neurons at (0, 0)."""
  change_2xNxF = jnp.stack(
    [pair.full.pre_NxF - pair.reduced.pre_NxF, pair.full.post_NxF - pair.reduced.post_NxF]
  )
  mean_2x3xF = _grouped(change_2xNxF, pair.failing_N)
  value = _most_changed(change_2xNxF[1], pair.failing_N, r_F)
  length_F = jnp.linalg.norm(up_DxF, axis=0)
  per_weight_2xF = mean_2x3xF[:, 0] / jnp.where(length_F > 0, length_F, 1)[None]
  value |= {
    "delta_pre_blocks": between(per_weight_2xF[0], rank_F),
    "delta_post_blocks": between(per_weight_2xF[1], rank_F),
  }
  value |= _strongest(pair.full, member.label_N)
  return {"change": mean_2x3xF, "value": value}


def _grouped(change_2xNxF, failing_N):
  """Mean change over each of GROUPS, 0 for an empty one (A29, A30)."""
  rows = len(failing_N)
  digits = int(rows**0.5)
  a_N = np.arange(rows) // digits
  group_3xN = jnp.stack(
    [failing_N, failing_N & (a_N == 0), failing_N & (a_N == digits - 1)]
  ).astype(change_2xNxF.dtype)
  total = jnp.einsum("gn,cnf->cgf", group_3xN, change_2xNxF, precision="highest")
  return total / jnp.maximum(group_3xN.sum(1), 1)[None, :, None]


def _most_changed(change_NxF, failing_N, r_F) -> dict:
  """The neurons whose h changes most on failing inputs (A29)."""
  size_F = jnp.sum(jnp.abs(change_NxF) * failing_N[:, None], axis=0)
  order_F = jnp.argsort(-size_F, stable=True)
  found = {f"delta_post_{rank}": order_F[rank] for rank in range(LISTED)}
  found |= {f"delta_post_{rank}_r": r_F[order_F[rank]] for rank in (2, 4)}
  return found | {"failing": failing_N.sum()}


def between(x_F, rank_F):
  """Returns the share of the variance that lies between groups.

  Over the members of groups of two or more; NaN where there are none.
  """
  count = len(x_F)
  of_FxR = (rank_F[:, None] == jnp.arange(count)[None]).astype(x_F.dtype)
  size_R = of_FxR.sum(0)
  copied_F = size_R[rank_F] > 1
  middle_R = network.exact(x_F, of_FxR) / jnp.maximum(size_R, 1)
  middle_F = middle_R[rank_F]
  total = jnp.sum((x_F - jnp.mean(x_F, where=copied_F)) ** 2, where=copied_F)
  return 1 - jnp.sum((x_F - middle_F) ** 2, where=copied_F) / total


def _strongest(full: network.Network, label_N) -> dict:
  """Neurons ranked by sum over classes |W_L h| at (0, 0) (A38)."""
  part_VxF = full.readout_VxF * full.post_NxF[:1]
  strength_F = jnp.abs(part_VxF).sum(0)
  order_F = jnp.argsort(-strength_F, stable=True)[:STRONG]
  part_VxR = part_VxF[:, order_F]
  cosine_R = duplicates.cosines(part_VxR)[0]
  odd = jnp.argmin(cosine_R)
  listed = range(len(_ACTIVE))
  return {
    **{f"active_{rank}": order_F[rank] for rank in listed},
    **{f"active_{rank}_strength": strength_F[order_F[rank]] for rank in listed},
    "active": jnp.sum(full.post_NxF[0] > 0),
    "same_direction": jnp.sum(cosine_R > 0),
    "same_shape": jnp.sum(cosine_R > FOLLOWS),
    "outlier": order_F[odd],
    "outlier_peak": jnp.argmax(part_VxR[:, odd]),
    "outlier_true": part_VxR[label_N[0], odd],
  }
