"""Analysis `heads`: removing attention heads, done right and as published.

Published: channels of the output projection's result were zeroed, the wrong
side of the projection, so no head was removed. Here each head is removed at
its own output (to zero, and to its mean), and the published slice is kept
beside it under its own name.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import ablation, statistics, sweeps
from primelens.models import spacing
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


@functools.cache
def _score(apply_fn, min_context: int, batch: int):
  """Returns `f(bundle, removal, windows) -> nll_N`, one for every removal.

  The bundle holds the params, the mean head outputs and the rank of each head
  (0 is the least important), so that all of them have a seed axis. A removal
  says which heads stay, how many of the lowest ranks go, whether the removed
  are replaced by their mean, and which residual slices stay.
  """

  def score(bundle, removal, window_NxT1):
    by_rank_LxH = (bundle["rank_LxH"] >= removal["count"]).astype(jnp.float32)
    fill_LxHxDh = removal["use_mean"] * bundle["mean_LxHxDh"]
    edits = {
      "attention/head": ablation.mean_heads(removal["keep_LxH"] * by_rank_LxH, fill_LxHxDh),
      "attention/out": ablation.residual_slices(removal["slice_LxH"]),
    }

    def one(row):
      return spacing.score(
        apply_fn, bundle["params"], row[None], min_context=min_context, edits=edits
      ).mean()

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return score


def removals(layers: int, heads: int) -> dict[str, np.ndarray]:
  """Returns all removals of the analysis, stacked along R.

  First none, then every head alone by zero, by mean and as the published
  slice, then the joint removals of `_counts`, by zero and by mean.
  """
  each_RxLxH = ablation.each_head(layers, heads)
  count_R = _counts(layers * heads)
  singles, joint = len(each_RxLxH), len(count_R)
  total = 1 + 3 * singles + 2 * joint
  rows = {
    "keep_LxH": np.ones((total, layers, heads), np.float32),
    "slice_LxH": np.ones((total, layers, heads), np.float32),
    "use_mean": np.zeros(total, np.float32),
    "count": np.zeros(total, np.int32),
  }
  zero, mean, cut = (slice(1 + k * singles, None) for k in range(3))
  rows["keep_LxH"][zero][:singles] = each_RxLxH
  rows["keep_LxH"][mean][:singles] = each_RxLxH
  rows["slice_LxH"][cut][:singles] = each_RxLxH
  rows["use_mean"][mean][:singles] = 1
  rows["count"][1 + 3 * singles :] = np.concatenate([count_R, count_R])
  rows["use_mean"][1 + 3 * singles + joint :] = 1
  return rows


@functools.cache
def mean_heads(apply_fn, batch: int):
  """Returns `f(params_S, windows)`: heads' mean outputs, SxLxHxDh."""

  def mean(params, window_NxT1):
    def one(row):
      _, activations = apply_fn(params, row[None, :-1], sites=_HEAD)
      return activations["attention/head"].mean((1, 2))  # over B and T

    return jax.lax.map(one, window_NxT1, batch_size=batch).mean(0)

  return jax.jit(jax.vmap(mean, (0, None)))


_HEAD = ("attention/head",)


def _sweep(run, bundle_S, rows, windows):
  """Returns the NLL of each window under each removal, SxRxN."""
  evaluation = run.settings.evaluation
  nll = sweeps.over(
    _score(run.apply, evaluation.min_context, evaluation.batch),
    bundle_S,
    jax.tree.map(jnp.asarray, rows),
    data=(jnp.asarray(windows),),
    batch_size=run.settings.heads.sweep_batch,
  )
  return np.asarray(nll, np.float64)


def bundle(run, params_S, select, rows):
  """Returns params, mean head outputs (over select) and ranks, by seed."""
  trunk = run.experiment.model.trunk
  grid = (trunk.layers, trunk.heads)
  singles = trunk.layers * trunk.heads
  mean = mean_heads(run.apply, run.settings.evaluation.batch)
  seeds = jax.tree.leaves(params_S)[0].shape[0]
  bundle_S = {
    "params": params_S,
    "mean_LxHxDh": mean(params_S, jnp.asarray(select)),
    "rank_LxH": jnp.zeros((seeds, *grid), jnp.int32),
  }
  by_mean = slice(1 + singles, 1 + 2 * singles)
  some = {name: row[by_mean] for name, row in rows.items()}
  cost_SxR = _sweep(run, bundle_S, some, select).mean(-1)
  rank_SxR = np.argsort(np.argsort(cost_SxR, axis=1), axis=1)
  rank = rank_SxR.reshape(seeds, *grid).astype(np.int32)
  return bundle_S | {"rank_LxH": jnp.asarray(rank)}


def _counts(total: int) -> np.ndarray:
  """Returns how many heads to remove jointly, at most 17 numbers."""
  return np.unique(np.linspace(0, total, min(total, 16) + 1).astype(int))


def run(run) -> Result:
  """Returns the head maps of a run, its null, and the joint removals."""
  settings, trunk = run.settings.heads, run.experiment.model.trunk
  test, start_N = run.batches("test", settings.windows)
  select, _ = run.batches("select", settings.windows)
  rows = removals(trunk.layers, trunk.heads)
  bundle_S = bundle(run, run.params_S, select, rows)
  fresh_S = bundle(run, run.untrained_S(), select, rows)
  singles = 1 + 3 * trunk.layers * trunk.heads
  alone = {name: row[:singles] for name, row in rows.items()}
  trained = _sweep(run, bundle_S, rows, test)
  untrained = _sweep(run, fresh_S, alone, test)
  return Result(
    **_arrays(run, trained, untrained, start_N),
    count_R=_counts(trunk.layers * trunk.heads),
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
