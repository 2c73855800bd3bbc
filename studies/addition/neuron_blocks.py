"""Neurons that are copies of one another (A62 of the addition spec).

Columns of W_in with a cosine above .99 form blocks; within one, z is the same
up to scale. `merged` replaces every block by a single unit, which says what
the blocks are worth: how many units still do what the network does.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import duplicates
from primelens.lens.numbers import Reported
from primelens.studies.addition import network

ALIKE, SIZEABLE = 0.99, 5  # cosine of copies; neurons of a sizeable block
UNITS = 32  # merged units at most
KEPT = 20  # blocks whose sizes are kept
SAME = 0.99  # share of predictions that a merged network must repeat
SIZES = (108, 74, 73, 73, 68, 23, 22, 17, 6, 6)
_NOT_ASKED = "not asked"
_COUNT = np.inf  # not portable
REPORTED = {
  "largest_block_r": Reported(
    "A11", "|r| of the largest block, mean", "over 0.9", 0.84, 0.01
  ),
  "blocks": Reported(
    "A62", f"blocks of {SIZEABLE} neurons or more", _NOT_ASKED, 10, _COUNT
  ),
  **{
    f"size_{rank}": Reported(
      "A62", f"neurons of block {rank + 1} by size", _NOT_ASKED, size, _COUNT
    )
    for rank, size in enumerate(SIZES)
  },
  "lonely": Reported(
    "A62", "neurons without a copy", _NOT_ASKED, None, _COUNT
  ),
  "readout_cosine_min": Reported(
    "A62",
    "smallest cosine of W_L columns within a sizeable block",
    _NOT_ASKED,
    0.91,
    _COUNT,
    "Recomputed: a lower bound. Blocks are chains: their ends differ more.",
  ),
  "readout_cosine_alike": Reported(
    "A62", f"share of those cosines above {ALIKE}", _NOT_ASKED, None,
    remark="Recomputed: most.",
  ),
  "effective_neurons": Reported(
    "A62", "(sum c)^2 / sum c^2, c the neurons' contributions", _NOT_ASKED,
    None,
  ),
  "effective_blocks": Reported(
    "A62", "(sum c)^2 / sum c^2, c the blocks' contributions",
    "", 10, _COUNT, "Recomputed: about 10 ReLU units.",
  ),
  "units_needed": Reported(
    "A62",
    f"merged units that repeat {SAME:.0%} of the predictions",
    "", 10, _COUNT,
    f"Recomputed: about 10 ReLU units. {UNITS + 1}: more than {UNITS}.",
  ),
  "merged_accuracy": Reported(
    "A62", f"accuracy of {UNITS} merged units", _NOT_ASKED, None
  ),
  "merged_nll": Reported(
    "A62", f"loss of {UNITS} merged units, nats", _NOT_ASKED, None
  ),
}  # fmt: skip


class Merged(NamedTuple):
  """Functions of a network of the first 1, 2, ... R merged units."""

  accuracy_R: jnp.ndarray
  nll_R: jnp.ndarray
  same_R: jnp.ndarray


def measure(read: network.Network, params, member, r_F, weight_F) -> dict:
  """Returns a member's blocks by contribution, and what they can do."""
  up_DxF = params["blocks"]["mlp"]["up"]["kernel"][0]
  blocks = duplicates.blocks(up_DxF, weight_F, ALIKE)
  found = merged(read, up_DxF, blocks.rank_F, weight_F, member.label_N)
  kept = min(KEPT, len(weight_F))
  by_size_F = jnp.sort(blocks.size_F, descending=True)
  largest = blocks.rank_F == jnp.argmax(blocks.size_F)
  enough = found.same_R >= SAME
  value = {
    "largest_block_r": jnp.sum(jnp.where(largest, jnp.abs(r_F), 0)) / jnp.sum(largest),
    "blocks": jnp.sum(blocks.size_F >= SIZEABLE),
    **{f"size_{rank}": by_size_F[rank] for rank in range(len(SIZES))},
    "lonely": jnp.sum(blocks.size_F == 1),
    **_readout_cosines(read.readout_VxF, blocks),
    "effective_neurons": duplicates.effective_number(weight_F),
    "effective_blocks": duplicates.effective_number(blocks.weight_F),
    "units_needed": jnp.where(enough.any(), jnp.argmax(enough) + 1, len(enough) + 1),
    "merged_accuracy": found.accuracy_R[-1],
    "merged_nll": found.nll_R[-1],
  }
  return {
    "rank": blocks.rank_F,
    "size": by_size_F[:kept],
    "share": blocks.weight_F[:kept] / blocks.weight_F.sum(),
    "merged": found._asdict(),
    "value": value,
  }


def _readout_cosines(readout_VxF, blocks) -> dict:
  """Cosines of W_L columns, of every two neurons of a sizeable block."""
  cosine_FxF = duplicates.cosines(readout_VxF)
  count = len(cosine_FxF)
  same_FxF = blocks.rank_F[:, None] == blocks.rank_F[None]
  large_F = blocks.size_F[blocks.rank_F] >= SIZEABLE
  pair_FxF = same_FxF & large_F[:, None] & ~jnp.eye(count, dtype=bool)
  least = jnp.min(cosine_FxF, where=pair_FxF, initial=jnp.inf)
  return {
    "readout_cosine_min": jnp.where(pair_FxF.any(), least, jnp.nan),
    "readout_cosine_alike": jnp.mean(cosine_FxF > ALIKE, where=pair_FxF),
  }


def merged(read: network.Network, up_DxF, rank_F, weight_F, label_N, units: int = UNITS) -> Merged:
  """Returns what the first 1, 2, ... blocks do, each as one ReLU unit.

  A unit looks along the mean of its neurons' columns of W_in (and has that of
  their biases), weighted by `weight_F`; its readout is the sum of theirs, each
  times the length of its column of W_in. The direct path stays. `same_R` is the
  share of inputs with the network's own prediction.
  """
  units = min(units, len(rank_F))
  of_FxR = rank_F[:, None] == jnp.arange(units)[None]
  of_FxR = of_FxR.astype(jnp.float32)
  length_F = jnp.linalg.norm(up_DxF, axis=0)
  # A block that never acts looks nowhere.
  mean_FxR = of_FxR * weight_F[:, None]
  norm_R = jnp.linalg.norm(network.exact(up_DxF, mean_FxR), axis=0)
  mean_FxR = mean_FxR / jnp.where(norm_R > 0, norm_R, 1)[None]
  readout_VxR = network.exact(read.readout_VxF * length_F[None], of_FxR)
  # Of z, which has the biases too.
  post_NxR = jnp.maximum(network.exact(read.pre_NxF, mean_FxR), 0)
  fixed_NxV = network.direct(read) + read.bias_V[None]
  part_NxRxV = post_NxR[:, :, None] * readout_VxR.T[None]
  logit_RxNxV = fixed_NxV[None] + part_NxRxV.cumsum(1).swapaxes(0, 1)
  guess_RxN = jnp.argmax(logit_RxNxV, axis=-1)
  own_N = jnp.argmax(read.logit_NxV, axis=-1)
  return Merged(
    accuracy_R=jnp.mean(guess_RxN == label_N[None], axis=1),
    nll_R=jax.vmap(network.nll, (0, None))(logit_RxNxV, label_N),
    same_R=jnp.mean(guess_RxN == own_N[None], axis=1),
  )
