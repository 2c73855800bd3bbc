"""Analysis `slots`: the diagnostics of memory slots, A to K, and their nulls.

Published: one slot removed at a time, each pass under another random order of
the slot ids, on 500 random windows, and every reading held against a threshold
of the source's own. Here slots are also removed together, ids are fixed, and
every reading stands beside that of the same networks untrained and beside the
spread of one measurement repeated.
"""

import dataclasses

import numpy as np
import scipy.special
from primelens.analyses import duplicates, slot_diagnostics
from primelens.models import spacing
from primelens.studies.zeros import program, scoring, slots_table
from primelens.studies.zeros import slots_measures as measures


@dataclasses.dataclass(frozen=True)
class Result:
  """Diagnostics of M slots on test, of the spacing after a full window.

  `delta_SxE` is the change of the NLL in nats when the slots that `keep_ExM`
  has at 0 are removed, `untrained_SxE` the same on fresh networks; `joint_SxR`
  is its mean by count R removed, beside the sum of single changes
  (`sum_as_published_SxR`). `single_as_published_SxM` has random windows and
  another random order of the ids in each pass, where ids permute in training.
  `order_SxV` is the change under other fixed orders of the ids (V = 0 without
  ids), `remeasured_nll_SxN` and `remeasured_single_SxN` the NLL and the
  largest single change on N draws of `random_windows` windows. `effect_SxM` is
  the root mean square change of the prediction. `attention_SxMxT` is by
  position in the last layer, mean over heads. `block_*` are neighbouring
  windows of equal parts of test, `quarter_*` random ones, as published.
  `table` has every reading beside its null and the source's threshold
  (`slots_table.rows`).
  """

  keep_ExM: np.ndarray
  delta_SxE: np.ndarray
  delta_low_E: np.ndarray
  delta_high_E: np.ndarray
  untrained_SxE: np.ndarray
  joint_SxR: np.ndarray
  joint_low_R: np.ndarray
  joint_high_R: np.ndarray
  sum_as_published_SxR: np.ndarray
  single_as_published_SxM: np.ndarray
  order_SxV: np.ndarray
  remeasured_nll_SxN: np.ndarray
  remeasured_single_SxN: np.ndarray
  effect_SxM: np.ndarray
  readout_SxM: np.ndarray
  cosine_SxMxM: np.ndarray
  gradient_correlation_SxMxM: np.ndarray
  attention_SxMxT: np.ndarray
  untrained_attention_SxMxT: np.ndarray
  error_SxQ: np.ndarray
  horizon_Q: np.ndarray
  block_nll_SxP: np.ndarray
  block_error_SxP: np.ndarray
  quarter_nll_Sx4: np.ndarray
  quarter_error_Sx4: np.ndarray
  table: tuple[dict, ...]
  memory: str
  permuted: bool
  windows: int
  random_windows: int


def obstacle(experiment) -> str:
  """Returns why a run has no slots to diagnose, or ""."""
  other = program.no_mixtures(experiment)
  if other or experiment.model.memory != "none":
    return other
  return "it has no memory slots (model.memory='none')."


def run(run) -> Result:
  """Returns the diagnostics of a run's networks and of untrained ones."""
  settings, model = run.settings.slots, run.experiment.model
  keep_ExM = slot_diagnostics.removals(model.slots, draws=settings.draws, seed=settings.seed)
  mine = _measured(run, run.params_S, keep_ExM)
  null = _measured(run, run.untrained_S(), keep_ExM)
  removals = mine.pop("removals_SxExN")
  null.pop("removals_SxExN")
  _, start_N = measures.drawn(run, settings.windows)
  change = scoring.interval(run, removals, start_N)
  by_count = slot_diagnostics.by_count(np.moveaxis(removals, 1, -1), keep_ExM)
  joint = scoring.interval(run, np.moveaxis(by_count, -1, 1), start_N)
  table = slots_table.rows(mine, null, model)
  kept = {field.name for field in dataclasses.fields(Result)}
  return Result(
    **{name: value for name, value in mine.items() if name in kept},
    keep_ExM=keep_ExM,
    delta_low_E=change.low,
    delta_high_E=change.high,
    untrained_SxE=null["delta_SxE"],
    joint_low_R=joint.low,
    joint_high_R=joint.high,
    untrained_attention_SxMxT=null["attention_SxMxT"],
    horizon_Q=np.asarray(settings.horizons),
    table=table,
    memory=model.memory,
    permuted=model.slot_ids == "permute_per_batch",
    windows=settings.windows,
    random_windows=settings.random_windows,
  )


def _measured(run, params_S, keep_ExM) -> dict:
  """Returns every array of some networks by its name in the result, and what
  the table needs beside them."""
  error_SxQ = measures.rollout_errors(run, params_S)  # every step
  horizon_Q = np.asarray(run.settings.slots.horizons)
  return {
    **_changed(run, params_S, keep_ExM),
    **_random(run, params_S),
    **_weights(run, params_S),
    **_blocks(run, params_S),
    "attention_SxMxT": measures.attention(run, params_S),
    "error_SxQ": error_SxQ[:, horizon_Q - 1],
    "slope_S": measures.slope(run, error_SxQ),
  }


def _changed(run, params_S, keep_ExM) -> dict:
  """Returns what removals, other orders, and half a token change, paired over
  windows that lie evenly on test."""
  settings, model = run.settings.slots, run.experiment.model
  orders = run.settings.evaluation.permutations
  window_NxT1, _ = measures.drawn(run, settings.windows)
  one_1xM = np.ones((1, model.slots))
  parts = [measures.changes(keep_ExM), measures.changes(one_1xM, content=0)]
  ids = measures.has_ids(model)
  if ids:
    order_VxM = spacing.slot_orders(model.slots, orders, first_seed=settings.seed)
    every_VxM = np.repeat(one_1xM, orders, axis=0)
    parts.append(measures.changes(one_1xM, ids=0))
    parts.append(measures.changes(every_VxM, order_RxM=order_VxM))
  nll, mean = measures.nll_and_mean(run, params_S, measures.joined(*parts), window_NxT1)
  count, slots = len(keep_ExM), model.slots
  delta = nll - nll[:, :1]
  single = slice(1, 1 + slots)
  nothing_S = np.full(len(nll), np.nan)
  summed = slot_diagnostics.sums_as_published(delta[:, single].mean(-1), keep_ExM)
  mean_R = delta[:, :count].mean(-1)
  draw = lambda value: slot_diagnostics.remeasured(
    value, settings.random_windows, draws=settings.remeasurements, seed=settings.seed
  )
  return {
    "removals_SxExN": delta[:, :count],
    "delta_SxE": mean_R,
    "joint_SxR": slot_diagnostics.by_count(mean_R, keep_ExM),
    "sum_as_published_SxR": slot_diagnostics.by_count(summed, keep_ExM),
    "effect_SxM": np.sqrt(np.mean((mean[:, single] - mean[:, :1]) ** 2, axis=-1)),
    "intact_S": nll[:, 0].mean(-1),
    "content_zeroed_S": delta[:, count].mean(-1),
    "ids_off_S": delta[:, count + 1].mean(-1) if ids else nothing_S,
    "order_SxV": delta[:, count + 2 :].mean(-1),
    "remeasured_nll_SxN": draw(nll[:, 0]),
    "remeasured_single_SxN": draw(delta[:, single]).max(1),
  }


def _random(run, params_S) -> dict:
  """Returns single removals as published: on random windows, and where ids
  permute in training under another order in every pass."""
  settings, model = run.settings.slots, run.experiment.model
  window_NxT1, _ = measures.drawn(run, settings.random_windows, settings.seed)
  keep_ExM = np.concatenate([np.ones((1, model.slots)), 1 - np.eye(model.slots)])
  change_R = measures.changes(keep_ExM, order_RxM=measures.training_orders(run, len(keep_ExM)))
  nll, _ = measures.nll_and_mean(run, params_S, change_R, window_NxT1)
  single_SxM = (nll[:, 1:] - nll[:, :1]).mean(-1)
  return {"single_as_published_SxM": single_SxM}


def _weights(run, params_S) -> dict:
  """Returns cosines, gradients and readout weights of the slots."""
  token_SxMxD = measures.leaf(params_S, measures.CONTENT)
  if measures.has_ids(run.experiment.model):
    token_SxMxD = token_SxMxD + measures.leaf(params_S, measures.IDS)
  logit_SxM = measures.leaf(params_S, measures.READOUT)
  gradient_SxRxMxD = measures.gradients(run, params_S)
  each = lambda f, x: np.array([f(part) for part in x])
  return {
    "cosine_SxMxM": each(lambda x: duplicates.cosines(x.T), token_SxMxD),
    "gradient_SxRxMxD": gradient_SxRxMxD,
    "gradient_correlation_SxMxM": each(slot_diagnostics.gradient_correlation, gradient_SxRxMxD),
    "readout_SxM": np.full(token_SxMxD.shape[:2], np.nan)
    if logit_SxM is None
    else scipy.special.softmax(logit_SxM, axis=-1),
  }


def _blocks(run, params_S) -> dict:
  """Returns the NLL of blocks of test, with errors: our blocks, the source's
  quarters."""
  settings = run.settings.slots
  count = settings.blocks * settings.block_windows
  window_NxT1, start_N = measures.drawn(run, count)
  nll_SxN = measures.last_nll(run, params_S, window_NxT1)
  split = lambda nll_N: nll_N.reshape(settings.blocks, -1)
  near = min(scoring.block_windows(run, start_N), settings.block_windows // 4)
  found = [slot_diagnostics.blocks(split(nll_N), block=max(1, near)) for nll_N in nll_SxN]
  quarter_PxNxT1 = measures.quarters(run)
  nll_SxPxN = measures.last_nll(
    run, params_S, quarter_PxNxT1.reshape(-1, quarter_PxNxT1.shape[-1])
  ).reshape(len(nll_SxN), *quarter_PxNxT1.shape[:2])
  drawn = np.sqrt(nll_SxPxN.shape[-1])  # windows drawn apart: no blocks
  return {
    "block_nll_SxP": np.array([one.mean_P for one in found]),
    "block_error_SxP": np.array([one.error_P for one in found]),
    "quarter_nll_Sx4": nll_SxPxN.mean(-1),
    "quarter_error_Sx4": nll_SxPxN.std(-1, ddof=1) / drawn,
  }
