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
from primelens.analyses import ablation
from primelens.analyses import sweeps
from primelens.models import spacing
from primelens.studies.zeros import scoring

MODES = ("zero", "mean", "residual_slice_as_published")


@dataclasses.dataclass(frozen=True)
class Result:
  """Change of the NLL in nats on test when heads are removed.

  `delta_VxSxLxH` by mode V (`modes`), one head at a time, with its interval
  over seeds and blocks of data in `low`, `high`. `untrained_VxSxLxH` is the
  same on freshly drawn networks: the null. `joint_VxSxR` removes the
  `count_R` heads together whose single removal cost least on select.
  """

  delta_VxSxLxH: np.ndarray
  delta_low_VxLxH: np.ndarray
  delta_high_VxLxH: np.ndarray
  untrained_VxSxLxH: np.ndarray
  joint_VxSxR: np.ndarray
  joint_low_VxR: np.ndarray
  joint_high_VxR: np.ndarray
  count_R: np.ndarray
  rank_SxLxH: np.ndarray
  intact_S: np.ndarray
  modes: tuple[dict, ...]
  windows: int


@functools.cache
def _score(apply_fn, min_context: int, batch: int, mode: str):
  """Returns `f(bundle, keep_LxH, windows) -> nll_N`, and the joint one.

  The bundle holds the params, the mean head outputs and the rank of each head
  (0 is the least important), so that all of them have a seed axis.
  """

  def edits(bundle, keep_LxH):
    if mode == "zero":
      return {"attention/head": ablation.zero_heads(keep_LxH)}
    if mode == "mean":
      edit = ablation.mean_heads(keep_LxH, bundle["mean_LxHxDh"])
      return {"attention/head": edit}
    return {"attention/out": ablation.residual_slices(keep_LxH)}

  def single(bundle, keep_LxH, window_NxT1):
    def one(row):
      return spacing.score(
        apply_fn,
        bundle["params"],
        row[None],
        min_context=min_context,
        edits=edits(bundle, keep_LxH),
      ).mean()

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  def joint(bundle, count, window_NxT1):
    keep_LxH = (bundle["rank_LxH"] >= count).astype(jnp.float32)
    return single(bundle, keep_LxH, window_NxT1)

  return single, joint


@functools.cache
def _mean_heads(apply_fn, batch: int):
  def mean(params, window_NxT1):
    def one(row):
      _, activations = apply_fn(params, row[None, :-1], sites=_HEAD)
      return activations["attention/head"].mean((1, 2))  # over B and T

    return jax.lax.map(one, window_NxT1, batch_size=batch).mean(0)

  return jax.jit(jax.vmap(mean, (0, None)))


_HEAD = ("attention/head",)


def _sweep(run, bundle_S, strengths, windows, mode, *, joint=False):
  """Returns the NLL of each window under each removal, SxRxN."""
  evaluation = run.settings.evaluation
  scores = _score(run.apply, evaluation.min_context, evaluation.batch, mode)
  nll = sweeps.over(
    scores[int(joint)],
    bundle_S,
    jnp.asarray(strengths),
    data=(jnp.asarray(windows),),
    batch_size=run.settings.heads.sweep_batch,
  )
  return np.asarray(nll, np.float64)


def _bundle(run, params_S, select):
  """Returns params, mean head outputs (over select) and ranks, by seed."""
  trunk = run.experiment.model.trunk
  mean = _mean_heads(run.apply, run.settings.evaluation.batch)
  seeds = jax.tree.leaves(params_S)[0].shape[0]
  bundle_S = {
    "params": params_S,
    "mean_LxHxDh": mean(params_S, jnp.asarray(select)),
    "rank_LxH": jnp.zeros((seeds, trunk.layers, trunk.heads), jnp.int32),
  }
  keep_RxLxH = ablation.each_head(trunk.layers, trunk.heads)
  cost_SxR = _sweep(run, bundle_S, keep_RxLxH, select, "mean").mean(-1)
  rank_SxR = np.argsort(np.argsort(cost_SxR, axis=1), axis=1)
  rank = rank_SxR.reshape(seeds, trunk.layers, trunk.heads)
  return bundle_S | {"rank_LxH": jnp.asarray(rank, jnp.int32)}


def _counts(total: int) -> np.ndarray:
  """Returns how many heads to remove jointly, at most 17 numbers."""
  return np.unique(np.linspace(0, total, min(total, 16) + 1).astype(int))


def run(run) -> Result:
  """Returns the head maps of a run, its null, and the joint removals."""
  settings, trunk = run.settings.heads, run.experiment.model.trunk
  test, start_N = run.batches("test", settings.windows)
  select, _ = run.batches("select", settings.windows)
  grid = (trunk.layers, trunk.heads)
  keep_RxLxH = np.concatenate(
    [np.ones((1, *grid)), ablation.each_head(*grid)]
  ).astype(np.float32)
  bundle_S = _bundle(run, run.params_S, select)
  fresh_S = _bundle(run, run.untrained_S(), select)
  count_R = _counts(trunk.layers * trunk.heads)
  single, null, joint = [], [], []
  for mode in MODES:
    single.append(_sweep(run, bundle_S, keep_RxLxH, test, mode))
    null.append(_sweep(run, fresh_S, keep_RxLxH, test, mode))
    joint.append(_sweep(run, bundle_S, count_R, test, mode, joint=True))
  change = lambda nll: np.stack(nll) - np.stack(nll)[:, :, :1]
  return Result(
    **_arrays(run, *map(change, (single, null, joint)), start_N),
    count_R=count_R,
    rank_SxLxH=np.asarray(bundle_S["rank_LxH"]),
    intact_S=single[0][:, 0].mean(-1),
    modes=tuple({"mode": mode} for mode in MODES),
    windows=len(start_N),
  )


def _arrays(run, single, null, joint, start_N):
  """Returns the arrays of the result from changes VxSxRxN."""
  trunk = run.experiment.model.trunk
  grid = (trunk.layers, trunk.heads)
  shape = lambda x: x[..., 1:].reshape(*x.shape[:-1], *grid)
  over = lambda delta: scoring.interval(run, np.moveaxis(delta, 1, 0), start_N)
  one, many = over(single), over(joint)
  return {
    "delta_VxSxLxH": shape(single.mean(-1)),
    "delta_low_VxLxH": shape(one.low),
    "delta_high_VxLxH": shape(one.high),
    "untrained_VxSxLxH": shape(null.mean(-1)),
    "joint_VxSxR": joint.mean(-1),
    "joint_low_VxR": many.low,
    "joint_high_VxR": many.high,
  }
