"""Analysis `anchors`: the model beside what anyone can predict without it."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import scipy.special
from primelens.analyses import anchors, regression, statistics, sweeps, trees
from primelens.models import spacing, transformer
from primelens.studies.zeros import guides, program, reads_ahead, scoring

ORDERS = (3, 16, 24, 64, 256)
BLOCKS = 8
RECENT = 100_000


@dataclasses.dataclass(frozen=True)
class Result:
  """NLL in nats per spacing of the model and every anchor, same positions.

  `table` has one row per predictor: nll_nats with its interval, r2 of its
  mean, and how far the model is below it (`model_minus_nats`, paired). The
  model's row, the first, says how far its scored predictions move when later
  inputs are replaced (`reads_ahead.measured`).
  `permuted_nll_SxR` is the model under R seeded permutations of its slot ids
  and `ensemble_nll_S` the average density over them, on `permuted_windows`
  windows (R = 0 without ids; the table uses the fixed ids).
  `nll_S` is the model by seed and `block_nll_ExP` every row of the table by
  height block P; `height_P` is where a block starts. `data` says what the
  run was trained and scored on (`program.data_name`).
  """

  table: tuple[dict, ...]
  nll_S: np.ndarray
  block_nll_ExP: np.ndarray
  height_P: np.ndarray
  permuted_nll_SxR: np.ndarray
  ensemble_nll_S: np.ndarray
  permuted_windows: int
  memory: str
  parameters: int
  scored: int
  min_context: int
  split: str
  data: str


def _all(run, index_N, select_N) -> list[anchors.Anchor]:
  """Returns every anchor, scored at `index_N`.

  Those fitted once use the whole published train part on the published split
  (as the published comparison would), and the train split elsewhere.
  """
  value_N, splits = run.series.value_N, run.series.splits
  train = splits.get("train_published", splits["train"])
  own = splits["train"]
  fitted = [
    anchors.constant(value_N, train, index_N),
    anchors.marginal(value_N, train, index_N),
    *anchors.autoregressive(value_N, train, index_N, ORDERS),
    anchors.windowed(value_N, train, select_N, index_N, _inside(run)),
  ]
  for last, name in ((own[1], "the model's train"), (train[1], "train")):
    if last - RECENT > train[0]:
      near = (last - RECENT, last)
      (anchor,) = anchors.autoregressive(value_N, near, index_N, (64,))
      name = f"AR(64), last {RECENT:,} of {name}"
      fitted.append(dataclasses.replace(anchor, name=name))
    if own == train:
      break
  if index_N.min() >= 20_000:
    fitted.append(anchors.adaptive(value_N, index_N))
  return fitted + guides.linear_anchors(run, index_N, select_N)


def _inside(run) -> tuple[int, ...]:
  """Returns the orders of filters that see no more than a model always does."""
  context = program.scored_context(run.experiment.model, run.settings.evaluation.min_context)
  return tuple(range(8, min(context, 128) + 1, 8)) or (context,)


def run(run) -> Result:
  """Returns the anchors table of a run on its test split."""
  evaluation = run.settings.evaluation
  window_NxT1, start_N = run.batches("test", evaluation.windows)
  index_NxU = scoring.targets(run, start_N)
  _, select_start_N = run.batches("select", evaluation.select_windows)
  select_N = scoring.targets(run, select_start_N).ravel()
  nll_SxN, row = _model(run, f"model ({run.name})", window_NxT1, start_N)
  fresh_SxN, fresh_row = _model(run, "untrained network", window_NxT1, start_N, run.untrained_S())
  rows = [row, fresh_row | _paired(run, nll_SxN - fresh_SxN, start_N)]
  by_window = [nll_SxN.mean(0), fresh_SxN.mean(0)]
  for anchor in _all(run, index_NxU.ravel(), select_N):
    nll_N = anchor.nll_N.reshape(index_NxU.shape).mean(1)
    by_window.append(nll_N)
    rows.append(_anchor_row(run, anchor, nll_N, nll_SxN, start_N))
  edges = np.array_split(np.arange(len(start_N)), min(BLOCKS, len(start_N)))
  heights = run.series.ordinate_N
  first = [start_N[part[0]] for part in edges]
  return Result(
    table=tuple(rows),
    nll_S=nll_SxN.mean(1),
    block_nll_ExP=np.array([[nll_N[part].mean() for part in edges] for nll_N in by_window]),
    height_P=np.array(first if heights is None else heights[first], float),
    **_permuted(run),
    memory=program.memory_name(run.experiment.model),
    parameters=rows[0]["parameters"],
    scored=int(index_NxU.size),
    min_context=int(window_NxT1.shape[1] - index_NxU.shape[1]),
    split="test",
    data=program.data_name(run.experiment.task, run.series),
  )


def _permuted(run) -> dict:
  """Returns the NLL under seeded slot orders, and of their average density."""
  model, evaluation = run.experiment.model, run.settings.evaluation
  seeds = trees.length(run.params_S)
  if model.memory == "none" or not model.has_slot_ids:
    nothing = np.zeros((seeds, 0))
    alone = np.full(seeds, np.nan)
    return _permutations(nothing, alone, 0)
  there = len(run.batches("test")[1])
  count = min(there, evaluation.permutation_windows)
  window_NxT1, _ = run.batches("test", count)
  nll_SxRxN = sweeps.over(
    scoring.order_score(run.apply, evaluation.batch),
    run.params_S,
    jnp.asarray(spacing.slot_orders(model.slots, evaluation.permutations)),
    data=(jnp.asarray(window_NxT1),),
    batch_size=4,
  )
  nll_SxRxN = np.asarray(nll_SxRxN, np.float64)
  orders = nll_SxRxN.shape[1]
  density = scipy.special.logsumexp(-nll_SxRxN, axis=1) - np.log(orders)
  return _permutations(nll_SxRxN.mean(-1), -density.mean(-1), count)


def _permutations(nll_SxR, ensemble_S, count: int) -> dict:
  return {"permuted_nll_SxR": nll_SxR, "ensemble_nll_S": ensemble_S, "permuted_windows": count}


def _row(name, parameters, interval, r2, **more) -> dict:
  estimate, low, high, _ = (float(x) for x in interval)
  return {
    "name": name,
    "parameters": parameters,
    "nll_nats": estimate,
    "low": low,
    "high": high,
    "r2": r2,
  } | more


def _model(run, name: str, window_NxT1, start_N, params_S=None):
  """Returns a network's NLL by window, SxN, and its row of the table."""
  nll_SxNxU, mean_SxNxU = scoring.predictions(run, window_NxT1, params_S)
  nll_SxN = nll_SxNxU.mean(-1)
  truth_NxU = scoring.spacings(window_NxT1)[:, -mean_SxNxU.shape[-1] :]
  error = np.mean((mean_SxNxU - truth_NxU[None]) ** 2)
  count = transformer.parameter_count(run.params_S) // len(nll_SxN)
  interval = scoring.interval(run, nll_SxN, start_N)
  r2 = float(regression.explained(error, truth_NxU.var()))
  seeds = statistics.seed_interval(nll_SxN.mean(1))
  error = float(seeds.standard_error)
  row = _row(name, int(count), interval, r2, seed_standard_error=error)
  if params_S is None:
    row |= reads_ahead.measured(run, window_NxT1, nll_SxNxU, mean_SxNxU)
    row["name"] += ", reads its target" if reads_ahead.moved(row) else ""
  return nll_SxN, row


def _paired(run, difference_SxN, start_N) -> dict:
  """Returns how far the model is below a predictor, paired over windows."""
  paired = scoring.interval(run, difference_SxN, start_N)
  return {
    "model_minus_nats": float(paired.estimate),
    "model_minus_low": float(paired.low),
    "model_minus_high": float(paired.high),
  }


def _anchor_row(run, anchor, nll_N, nll_SxN, start_N) -> dict:
  alone = scoring.interval(run, nll_N[None], start_N)
  r2 = anchors.r2(anchor, run.series.value_N)
  paired = _paired(run, nll_SxN - nll_N[None], start_N)
  return _row(anchor.name, anchor.parameters, alone, r2, **paired)
