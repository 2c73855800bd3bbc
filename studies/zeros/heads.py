"""Analysis `heads`: removing attention heads, done right and as published.

Published: channels of the output projection's result were zeroed, the wrong
side of the projection, so no head was removed. Here each head is removed at
its own output (to zero, and to its mean), and the published slice is kept
beside it under its own name.
"""

import dataclasses

import numpy as np
from primelens.analyses import ablation, statistics
from primelens.studies.zeros import scoring

MODES = ("zero", "mean", "residual_slice_as_published")


@dataclasses.dataclass(frozen=True)
class Result:
  """Change of the NLL in nats on test when heads are removed.

  `delta_VxSxLxH` by mode V (`modes`), one head at a time, with its interval
  over seeds and blocks of data in `low`, `high`. `slice_gap_low_SxLxH` and `high`
  bound the effect of the published slice minus that of the head it is said to
  remove, in each network, over blocks of data: heads are not the same by
  number in other seeds. `untrained_VxSxLxH` is the effect on freshly drawn
  networks: the null. `joint_PxSxR` removes the
  `count_R` heads together whose single removal cost least on select, P by
  zero and by mean.
  """

  delta_VxSxLxH: np.ndarray
  delta_low_VxLxH: np.ndarray
  delta_high_VxLxH: np.ndarray
  slice_gap_low_SxLxH: np.ndarray
  slice_gap_high_SxLxH: np.ndarray
  untrained_VxSxLxH: np.ndarray
  joint_PxSxR: np.ndarray
  joint_low_PxR: np.ndarray
  joint_high_PxR: np.ndarray
  count_R: np.ndarray
  rank_SxLxH: np.ndarray
  intact_S: np.ndarray
  modes: tuple[dict, ...]
  windows: int


def run(run) -> Result:
  """Returns the head maps of a run, its null, and the joint removals."""
  settings, trunk = run.settings.heads, run.experiment.model.trunk
  test, start_N = run.batches("test", settings.windows)
  select, _ = run.batches("select", settings.windows)
  rows = ablation.removals(trunk.layers, trunk.heads)
  bundle_S = scoring.head_bundle(run, run.params_S, select, rows)
  fresh_S = scoring.head_bundle(run, run.untrained_S(), select, rows)
  singles = 1 + 3 * trunk.layers * trunk.heads
  alone = {name: row[:singles] for name, row in rows.items()}
  trained = scoring.head_sweep(run, bundle_S, rows, test)
  untrained = scoring.head_sweep(run, fresh_S, alone, test)
  return Result(
    **_arrays(run, trained, untrained, start_N),
    count_R=ablation.removal_counts(trunk.layers * trunk.heads),
    rank_SxLxH=np.asarray(bundle_S["rank_LxH"]),
    intact_S=trained[:, 0].mean(-1),
    modes=tuple({"mode": mode} for mode in MODES),
    windows=len(start_N),
  )


def _arrays(run, trained, untrained, start_N):
  """Returns the arrays of the result from NLL SxRxN."""
  trunk = run.experiment.model.trunk
  grid = (trunk.layers, trunk.heads)
  end = 1 + 3 * trunk.layers * trunk.heads
  change = lambda nll: nll[:, 1:] - nll[:, :1]
  cut = lambda x, modes: np.stack(np.split(x, modes, axis=1))
  single = cut(change(trained[:, :end]), 3)
  null = cut(change(untrained), 3).mean(-1)
  joint = cut(trained[:, end:] - trained[:, :1], 2)
  over = lambda delta: scoring.interval(run, np.moveaxis(delta, 1, 0), start_N)
  one, many = over(single), over(joint)
  block = scoring.block_windows(run, start_N)
  gap = statistics.block_interval(single[2] - single[0], block=block)
  shape = lambda x: x.reshape(*x.shape[:-1], *grid)
  return {
    "delta_VxSxLxH": shape(single.mean(-1)),
    "delta_low_VxLxH": shape(one.low),
    "delta_high_VxLxH": shape(one.high),
    "slice_gap_low_SxLxH": shape(gap.low),
    "slice_gap_high_SxLxH": shape(gap.high),
    "untrained_VxSxLxH": shape(null),
    "joint_PxSxR": joint.mean(-1),
    "joint_low_PxR": many.low,
    "joint_high_PxR": many.high,
  }
