"""Analysis `neurons`: what single neurons do, and what is lost with PC1 alone.

A1, A11-A15, A28 (`neuron_correlations`), A16 (`neuron_components`), A62
(`neuron_blocks`), A29, A30, A38 (`neuron_changes`), A35 (`neuron_flips`) and
A31-A34 (`neuron_fits`) of the addition spec.
"""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
from primelens.studies.addition import (
  fits,
  network,
  neuron_blocks,
  neuron_changes,
  neuron_components,
  neuron_correlations,
  neuron_fits,
  neuron_fits_reported,
  neuron_flips,
  tables,
  untrained,
  variants,
)

_PARTS = (
  neuron_correlations,
  neuron_components,
  neuron_blocks,
  neuron_changes,
  neuron_flips,
  neuron_fits_reported,
)
REPORTED = {key: row for part in _PARTS for key, row in part.REPORTED.items()}
FITS = neuron_components.FITS | neuron_fits_reported.FITS


@dataclasses.dataclass(frozen=True)
class Result:
  """Neurons of every member; "reduced" is with PC1 alone of each digit.

  `r_SxF` correlates h with a + b, `contribution_SxF` is |column of W_L| times
  mean h, `top_Sx3` the neurons with the largest |r|, `busiest_S` those that
  contribute most. `rank_SxF` is each neuron's block of copies, numbered by
  contribution; `size_SxE` are the largest blocks' neurons, `share_SxE` the
  strongest blocks' shares of the contribution. `merged_accuracy_SxR`,
  `merged_same_SxR` and `merged_nll_SxR` are of networks of 1, 2, ... R merged
  units. `row_statistics_SxVx5` has ROW_STATISTICS of W_L's rows (A28).
  `change_Sx2x3xF` is the mean change of z and h on the three GROUPS of failing
  inputs. `sum_r2_Sx4xF` and `change_r2_Sx2xF` are R2 of each neuron in
  SUM_FITS and CHANGE_FITS. `pre_NxF`, `post_NxF` and `readout_VxF` are those
  of `member`, the reference or the first, `sum_N` the sums.
  """

  table: tuple[dict, ...]
  fits: tuple[dict, ...]
  rows: tuple[dict, ...]
  member: int
  r_SxF: np.ndarray
  contribution_SxF: np.ndarray
  top_Sx3: np.ndarray
  busiest_S: np.ndarray
  rank_SxF: np.ndarray
  size_SxE: np.ndarray
  share_SxE: np.ndarray
  merged_accuracy_SxR: np.ndarray
  merged_same_SxR: np.ndarray
  merged_nll_SxR: np.ndarray
  row_statistics_SxVx5: np.ndarray
  change_Sx2x3xF: np.ndarray
  sum_r2_Sx4xF: np.ndarray
  change_r2_Sx2xF: np.ndarray
  untrained_r_SxF: np.ndarray
  untrained_same_SxR: np.ndarray
  pre_NxF: np.ndarray
  post_NxF: np.ndarray
  readout_VxF: np.ndarray
  sum_N: np.ndarray


def measure(model, params, member, token_Nx3, *, draw_RxP) -> dict:
  """Returns all of one member; `draw_RxP` as in `neuron_fits.measure`."""
  full = network.read(model, params, token_Nx3)
  edit = variants.keep_first(full.embedding_PxD)
  reduced = network.read(model, params, token_Nx3, {"embed": edit})
  wrong_N = jnp.argmax(reduced.logit_NxV, axis=-1) != member.label_N
  pair = neuron_changes.Pair(full, reduced, wrong_N)
  up_DxF = params["blocks"]["mlp"]["up"]["kernel"][0]
  single = neuron_correlations.measure(full, member, token_Nx3)
  r_F, weight_F = single["r"], single["contribution"]
  block = neuron_blocks.measure(full, params, member, r_F, weight_F)
  parts = (
    single,
    block,
    neuron_components.measure(full, member, single["top"][0], single["busiest"]),
    neuron_changes.measure(pair, member, up_DxF, r_F, block["rank"]),
    neuron_flips.measure(pair, member.label_N),
    neuron_fits.measure(pair, member, token_Nx3, weight_F, draw_RxP),
  )
  merge = lambda key: {k: v for p in parts for k, v in p.get(key, {}).items()}
  return {
    **{key: value for part in parts for key, value in part.items()},
    "value": merge("value"),
    "fits": merge("fits"),
    "pre": full.pre_NxF,
    "post": full.post_NxF,
    "readout": full.readout_VxF,
  }


def run(run) -> Result:
  """Returns the neurons of every member, and of the untrained networks."""
  draw_RxP = neuron_fits.draws(run.pairs.digits, run.settings.random_directions, run.settings.seed)
  each = functools.partial(measure, draw_RxP=draw_RxP)
  found, null = untrained.beside(each, run)
  at = tables.reference(run) or 0
  token_Nx3 = np.asarray(run.pairs.token_Nx3)
  same = {
    f"{name}_{axes}": found[name]
    for name, axes in (
      ("r", "SxF"),
      ("contribution", "SxF"),
      ("top", "Sx3"),
      ("busiest", "S"),
      ("rank", "SxF"),
      ("size", "SxE"),
      ("share", "SxE"),
      ("row_statistics", "SxVx5"),
      ("change", "Sx2x3xF"),
      ("sum_r2", "Sx4xF"),
      ("change_r2", "Sx2xF"),
    )
  }
  return Result(
    table=tables.rows(run, REPORTED, found["value"], null["value"]),
    fits=fits.records(run, FITS, found["fits"], null["fits"]),
    rows=_rows(found["row_statistics"][at]),
    member=at,
    **same,
    **{f"merged_{k}_SxR": found["merged"][f"{k}_R"] for k in _MERGED},
    untrained_r_SxF=null["r"],
    untrained_same_SxR=null["merged"]["same_R"],
    pre_NxF=found["pre"][at],
    post_NxF=found["post"][at],
    readout_VxF=found["readout"][at],
    sum_N=token_Nx3[:, 0] + token_Nx3[:, 1],
  )


_MERGED = ("accuracy", "same", "nll")


def _rows(statistics_Vx5) -> tuple[dict, ...]:
  """A record per row of W_L (A28); the source covered the first half."""
  names = neuron_correlations.ROW_STATISTICS
  return tuple(
    {"logit": k} | dict(zip(names, map(float, row), strict=True))
    for k, row in enumerate(statistics_Vx5)
  )
