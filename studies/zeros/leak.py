"""Analysis `leak`: what a network is told of its targets by its own window.

Published: the slots of a memory bank read the whole window and every position
read the slots, so that all positions but the last were told their targets.
Here the same targets are scored with the window in sight and with it hidden
from the target on: equal context, and the future is all that differs.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import regression, sweeps, trees
from primelens.models import mixture as mixture_lib
from primelens.models import spacing, transformer
from primelens.studies.zeros import program, scoring

HIDDEN = -1e30  # a score whose softmax is 0
ALL, LAST = "all positions", "last position"
OWN, BLIND, UNTRAINED = "as trained", "memory blind", "untrained network"


@dataclasses.dataclass(frozen=True)
class Result:
  """NLL in nats on test with the window in sight, and with its future hidden.

  `full_SxR` and `cut_SxR` are the NLL of the targets of `position_R` with the
  whole window in sight and with the inputs up to the position alone, and
  `leak_R` is cut minus full, paired over windows, with its interval: exactly
  0 where no output reads later inputs, and at the last position, whose target
  is not in the window. A leaky network was never trained on windows that end
  early, so it may lose more by the cut than it was told.

  `nll_VxSxT` is the NLL by position, V as `evaluated` says: as trained, of a
  bank also with slots that read slots alone, and of an untrained network.
  `scores` has NLL, R2 and correlation over all positions and at the last,
  `changes` their paired differences; `all_SxN` and `last_SxN` are the NLL by
  window, in blocks of `block` windows.

  `mass_SxLxH` is the attention of data positions to the slots in front of
  them, `uniform_mass` that of a uniform pattern (L = 0 without such slots).
  """

  position_R: np.ndarray
  full_SxR: np.ndarray
  cut_SxR: np.ndarray
  leak_R: np.ndarray
  leak_low_R: np.ndarray
  leak_high_R: np.ndarray
  nll_VxSxT: np.ndarray
  all_SxN: np.ndarray
  last_SxN: np.ndarray
  mass_SxLxH: np.ndarray
  untrained_mass_SxLxH: np.ndarray
  uniform_mass: float
  evaluated: tuple[dict, ...]
  scores: tuple[dict, ...]
  changes: tuple[dict, ...]
  setting: tuple[dict, ...]
  block: int


@functools.cache
def _score(apply_fn, slots: int, batch: int):
  """Returns `f(params, visible, windows) -> NLL and mean`, each NxU.

  The window's inputs from number `visible` on are hidden from every query, in
  every layer. Outputs up to there are those of a window that ends there.
  """

  def score(params, visible, window_NxT1):
    def hide(scores_BxHxTxT, _):
      seen_T = jnp.arange(scores_BxHxTxT.shape[-1]) < slots + visible
      return jnp.where(seen_T[None, None, None], scores_BxHxTxT, HIDDEN)

    def one(row_T1):
      mixture, _ = apply_fn(params, row_T1[None, :-1], edits={"attention/scores": hide})
      truth_1xU = row_T1[None, -mixture.mean.shape[1] :]
      nll_1xU = -mixture_lib.log_density(mixture, truth_1xU)
      return {"nll": nll_1xU[0], "mean": mixture_lib.mean(mixture)[0]}

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return score


@functools.cache
def _mass(apply_fn, slots: int, batch: int):
  """Returns `f(params, windows) -> LxH`, the attention of data to slots."""

  def mass(params, window_NxT1):
    def one(row_T1):
      _, seen = apply_fn(params, row_T1[None, :-1], sites=(_PATTERN,))
      pattern_LxHxTxT = seen[_PATTERN][:, 0]
      return pattern_LxHxTxT[:, :, slots:, :slots].sum(-1).mean(-1)

    return jax.lax.map(one, window_NxT1, batch_size=batch).mean(0)

  return jax.jit(jax.vmap(mass, (0, None)))


_PATTERN = "attention/pattern"


def obstacle(experiment) -> str:
  """Returns why a run cannot be read so, or ""."""
  if experiment.model.kind == "spacing":
    return ""
  kind = experiment.model.kind
  return f"model.kind={kind!r} is not 'spacing', the only one read here"


def positions(model: spacing.Config) -> np.ndarray:
  """Returns the positions at which a future may be told: the quarters of the
  window and its last, or the last alone where no other is predicted."""
  last = model.window - 1
  if model.memory == "postfix":
    return np.array([last])
  return np.unique([last // 4, last // 2, 3 * last // 4, last])


def uniform_mass(slots: int, window: int) -> float:
  """Returns the mean over t < T of M / (M + t + 1): equal attention to the M
  slots and to the inputs up to t."""
  return float(np.mean(slots / (slots + np.arange(1, window + 1))))


def _evaluated(run, visible_R, windows, *, params_S=None, apply_fn=None):
  """Returns NLL and mean of every target, SxRxNxU, R inputs in sight."""
  model = run.experiment.model
  slots = 0 if model.memory == "none" else model.slots
  found = sweeps.over(
    _score(apply_fn or run.apply, slots, run.settings.evaluation.batch),
    run.params_S if params_S is None else params_S,
    jnp.asarray(visible_R),
    data=(jnp.asarray(windows),),
    batch_size=trees.length(run.params_S),
  )
  return {name: np.asarray(leaf, np.float64) for name, leaf in found.items()}


def _blind(run):
  """Returns the forward pass in which a bank's slots read slots alone."""
  model = run.experiment.model
  trunk = dataclasses.replace(model.trunk, mask="memory_blind")
  model = dataclasses.replace(model, trunk=trunk)
  return program.bind(dataclasses.replace(run.experiment, model=model))


def run(run) -> Result:
  """Returns the leak of a run on its test split."""
  model, settings = run.experiment.model, run.settings.leak
  windows, start_N = run.batches("test", settings.windows, min_context=1)
  position_R = positions(model)
  cut = _evaluated(run, position_R + 1, windows)
  # The last of the cuts leaves the whole window in sight.
  found = {OWN: {name: leaf[:, -1] for name, leaf in cut.items()}}
  whole = [model.window]
  if model.memory == "bank":
    blind = _evaluated(run, whole, windows, apply_fn=_blind(run))
    found[BLIND] = {name: leaf[:, 0] for name, leaf in blind.items()}
  fresh = _evaluated(run, whole, windows, params_S=run.untrained_S())
  found[UNTRAINED] = {name: leaf[:, 0] for name, leaf in fresh.items()}
  own_SxNxU = found[OWN]["nll"]
  leak = _leak(run, position_R, cut["nll"], start_N)
  leak_SxN = leak.pop("leak_SxN")
  return Result(
    position_R=position_R,
    **leak,
    nll_VxSxT=np.stack([leaf["nll"].mean(1) for leaf in found.values()]),
    all_SxN=own_SxNxU.mean(-1),
    last_SxN=own_SxNxU[..., -1],
    **_masses(run),
    evaluated=tuple({"evaluated": name} for name in found),
    scores=_scores(run, found, windows, start_N),
    changes=_changes(run, found, leak_SxN, start_N),
    setting=(_setting(run),),
    block=scoring.block_windows(run, start_N),
  )


def _leak(run, position_R, cut_SxRxNxU, start_N) -> dict:
  """Returns the NLL at each position, cut and whole, and their differences.

  `leak_SxN` is the mean over the positions that have a future in the window.
  """
  at_R = position_R - position_R[-1] - 1  # from the end, as outputs are
  pick = lambda nll_RxSxN: np.moveaxis(np.stack(nll_RxSxN), 0, 1)
  cut_SxRxN = pick([cut_SxRxNxU[:, r, :, at] for r, at in enumerate(at_R)])
  full_SxRxN = pick([cut_SxRxNxU[:, -1, :, at] for at in at_R])
  leak_SxRxN = cut_SxRxN - full_SxRxN
  interval = scoring.interval(run, leak_SxRxN, start_N)
  return {
    "full_SxR": full_SxRxN.mean(-1),
    "cut_SxR": cut_SxRxN.mean(-1),
    "leak_R": interval.estimate,
    "leak_low_R": interval.low,
    "leak_high_R": interval.high,
    "leak_SxN": leak_SxRxN[:, : max(1, len(at_R) - 1)].mean(1),
  }


def _masses(run) -> dict:
  """Returns the attention to the slots, trained, fresh and uniform."""
  model, settings = run.experiment.model, run.settings
  if model.memory not in ("prefix", "bank"):
    nothing = np.zeros((trees.length(run.params_S), 0, 0))
    return {"mass_SxLxH": nothing, "untrained_mass_SxLxH": nothing, "uniform_mass": 0.0}
  count = min(settings.leak.pattern_windows, settings.leak.windows)
  windows = jnp.asarray(run.batches("test", count, min_context=1)[0])
  mass = _mass(run.apply, model.slots, settings.evaluation.batch)
  return {
    "mass_SxLxH": np.asarray(mass(run.params_S, windows)),
    "untrained_mass_SxLxH": np.asarray(mass(run.untrained_S(), windows)),
    "uniform_mass": uniform_mass(model.slots, model.window),
  }


def _scores(run, found, windows, start_N) -> tuple[dict, ...]:
  """Returns a record for each network and each place it is scored at."""
  rows = []
  for evaluated, of in found.items():
    for where, at in ((ALL, slice(None)), (LAST, slice(-1, None))):
      nll_SxN = of["nll"][..., at].mean(-1)
      mean_SxNxU = of["mean"][..., at]
      truth_NxU = windows[:, -of["mean"].shape[-1] :][:, at]
      each = [regression.scores(truth_NxU.ravel(), mean_NxU.ravel()) for mean_NxU in mean_SxNxU]
      rows.append(
        {"evaluated": evaluated, "where": where}
        | _bounded(run, nll_SxN, start_N)
        | {name: float(np.mean([row[name] for row in each])) for name in ("r2", "correlation")}
      )
  return tuple(rows)


def _changes(run, found, leak_SxN, start_N) -> tuple[dict, ...]:
  """Returns paired differences: the leak, and what hiding it costs."""
  own = found[OWN]["nll"]
  changes = {"leak": leak_SxN, "last minus all": own[..., -1] - own.mean(-1)}
  if BLIND in found:
    change = found[BLIND]["nll"] - own
    changes[f"blind minus as trained, {ALL}"] = change.mean(-1)
    changes[f"blind minus as trained, {LAST}"] = change[..., -1]
  return tuple(
    {"change": name} | _bounded(run, value_SxN, start_N) for name, value_SxN in changes.items()
  )


def _bounded(run, value_SxN, start_N) -> dict[str, float]:
  interval = scoring.interval(run, value_SxN, start_N)
  names = ("nats", "low", "high")
  return {name: float(x) for name, x in zip(names, interval[:3], strict=True)}


def _setting(run) -> dict:
  """Returns what tells the runs of one comparison apart."""
  model, fit = run.experiment.model, run.experiment.fit
  trunk = model.trunk
  total = transformer.parameter_count(run.params_S)
  return {
    "mode": trunk.mask if model.memory == "bank" else model.memory,
    "residual": model.residual,
    "positions": trunk.positions,
    "window": model.window,
    "layers": trunk.layers,
    "width": trunk.width,
    "steps": fit.steps,
    "seeds": trees.length(run.params_S),
    "parameters": total // trees.length(run.params_S),
  }
