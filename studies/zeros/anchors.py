"""Analysis `anchors`: the model beside what anyone can predict without it."""

import dataclasses

import numpy as np
from primelens.analyses import anchors
from primelens.analyses import statistics
from primelens.models import mixture as mixture_lib
from primelens.models import transformer
from primelens.studies.zeros import program
from primelens.studies.zeros import scoring

ORDERS = (3, 16, 24, 64, 256)
BLOCKS = 8
RECENT = 100_000


@dataclasses.dataclass(frozen=True)
class Result:
  """NLL in nats per spacing of the model and every anchor, same positions.

  `table` has one row per predictor: nll_nats with its interval, r2 of its
  mean, and how far the model is below it (`model_minus_nats`, paired).
  `nll_S` is the model by seed and `block_nll_ExP` every row of the table by
  height block P; `height_P` is where a block starts.
  """

  table: tuple[dict, ...]
  nll_S: np.ndarray
  block_nll_ExP: np.ndarray
  height_P: np.ndarray
  memory: str
  parameters: int
  scored: int
  min_context: int
  split: str


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
  return fitted


def _inside(run) -> tuple[int, ...]:
  """Returns the orders of filters that see no more than a model always does."""
  context = program.scored_context(
    run.experiment.model, run.settings.evaluation.min_context
  )
  return tuple(range(8, min(context, 128) + 1, 8)) or (context,)


def run(run) -> Result:
  """Returns the anchors table of a run on its test split."""
  evaluation = run.settings.evaluation
  window_NxT1, start_N = run.batches("test", evaluation.windows)
  index_NxU = scoring.targets(run, start_N)
  _, select_start_N = run.batches("select", evaluation.select_windows)
  select_N = scoring.targets(run, select_start_N).ravel()
  nll_SxN, row = _model(run, f"model ({run.name})", window_NxT1, start_N)
  fresh_SxN, fresh_row = _model(
    run, "untrained network", window_NxT1, start_N, run.untrained_S()
  )
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
    block_nll_ExP=np.array(
      [[nll_N[part].mean() for part in edges] for nll_N in by_window]
    ),
    height_P=np.array(first if heights is None else heights[first], float),
    memory=run.experiment.model.memory,
    parameters=rows[0]["parameters"],
    scored=int(index_NxU.size),
    min_context=int(window_NxT1.shape[1] - index_NxU.shape[1]),
    split="test",
  )


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
  mixture = scoring.mixtures(run, window_NxT1, params_S)
  nll_SxN = scoring.nll(mixture, window_NxT1).mean(-1)
  mean_SxNxU = np.asarray(mixture_lib.mean(mixture))
  truth_NxU = window_NxT1[:, -mean_SxNxU.shape[-1] :]
  error = np.mean((mean_SxNxU - truth_NxU[None]) ** 2)
  count = transformer.parameter_count(run.params_S) // len(nll_SxN)
  interval = scoring.interval(run, nll_SxN, start_N)
  r2 = float(1 - error / truth_NxU.var())
  seeds = statistics.seed_interval(nll_SxN.mean(1))
  error = float(seeds.standard_error)
  row = _row(name, int(count), interval, r2, seed_standard_error=error)
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
