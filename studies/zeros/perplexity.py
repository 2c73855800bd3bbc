"""Analysis `perplexity`: binned networks beside what bounds them, and leaks.

The published floor is the entropy of the marginal, a bound for a sequence
without correlations alone; filters of a few coefficients are below it. A
network that reads the future is better in a window that holds it than in one
that ends before. Source: zeta spec, sections 2.7, 5.12 and 6.9.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import perplexity
from primelens.models import binned
from primelens.studies.zeros import scoring
from primelens.tasks import binned as task

ORDERS = (1, 3, 24, 64)
EDGE_E = np.arange(task.BINS + 1) * task.WIDTH


@dataclasses.dataclass(frozen=True)
class Result:
  """Perplexity and NLL in nats per spacing of every predictor, same tokens.

  `table` has a record each, with intervals and, but for the model, how far the
  model is below (`model_minus_nats`, paired). `floor` is the perplexity of the
  train marginal on train itself, as published. `leak_SxP` is how much lower
  the NLL of a window's spacing at `position_P` is than with the window cut off
  there, in nats: 0 unless the future is read.
  """

  table: tuple[dict, ...]
  floor: float
  nll_S: np.ndarray
  leak_SxP: np.ndarray
  leak_low_P: np.ndarray
  leak_high_P: np.ndarray
  position_P: np.ndarray
  last_nll_S: np.ndarray
  variant: str
  scored: int
  windows: int


def _row(run, name: str, nll_SxN, model_SxN, start_N) -> dict:
  """Returns a predictor's record, of NLL by window in nats per spacing."""
  found = scoring.interval(run, nll_SxN, start_N)
  ends = {"nll_nats": float(found.estimate), "low": float(found.low), "high": float(found.high)}
  row = {"predictor": name, **ends}
  for key, nll in zip(("", "_low", "_high"), ends.values(), strict=True):
    row[f"perplexity{key}"] = float(perplexity.perplexity(nll, task.WIDTH))
  if model_SxN is not nll_SxN:
    paired = scoring.interval(run, model_SxN - nll_SxN, start_N)
    row["model_minus_nats"] = float(paired.estimate)
    row["model_minus_low"] = float(paired.low)
    row["model_minus_high"] = float(paired.high)
  return row


def _anchors(run, index_NxU):
  """Returns {name: NLL in nats per spacing of every token, NxU}."""
  series = run.series
  token_N = np.asarray(task.encode(series.value_N))
  train = series.splits.get("train_published", series.splits["train"])
  own_N = token_N[slice(*train)]
  index_N = index_NxU.ravel()
  scored_N = token_N[index_N]
  found = {
    "all bins alike": np.full(len(index_N), np.log(task.BINS)),
    "marginal of train": perplexity.marginal_nll(own_N, scored_N, task.BINS),
  }
  for order in ORDERS:
    nll_N = perplexity.autoregressive_nll(series.value_N, train, index_N, scored_N, EDGE_E, order)
    found[f"AR({order})"] = nll_N
  floor = perplexity.marginal_nll(own_N, own_N, task.BINS).mean()
  shape = index_NxU.shape
  density = lambda nll_N: perplexity.density_nll(nll_N, task.WIDTH)
  nats = {name: density(x).reshape(shape) for name, x in found.items()}
  return nats, float(np.exp(floor))


@functools.cache
def _cut(apply_fn, position: int, batch: int):
  """Returns `f(params, windows) -> NLL of the spacing at position + 1`, of
  whole windows and of windows that end at it, Nx2."""

  def each(params, window_NxT1):
    def one(row):
      score = lambda row: binned.score(apply_fn, params, row[None])[0]
      return jnp.stack([score(row)[position], score(row[: position + 2])[-1]])

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return jax.jit(jax.vmap(each, (0, None)))


def _leaks(run):
  """Returns where windows are cut, and the NLL whole and cut, SxPxNx2."""
  settings, model = run.settings.perplexity, run.experiment.model
  there = len(run.batches("test")[1])
  window_NxT1, start_N = run.batches("test", min(there, settings.windows))
  ends_P = np.linspace(0, model.window - 1, settings.positions + 1)[1:]
  # Before the last spacing but one: the next input is the target, and no more.
  ends_P = np.unique([*ends_P.astype(int), max(model.window - 2, 0)])
  batch = run.settings.evaluation.batch
  found = [
    _cut(run.apply, int(end), batch)(run.params_S, jnp.asarray(window_NxT1)) for end in ends_P
  ]
  return ends_P, np.stack(found, axis=1).astype(np.float64), start_N


def run(run) -> Result:
  """Returns the perplexities of a run on its test split, and its leak."""
  window_NxT1, start_N = run.batches("test", run.settings.evaluation.windows)
  index_NxU = scoring.targets(run, start_N)
  nll = lambda params_S: scoring.predictions(run, window_NxT1, params_S)[0]
  model_SxN = nll(None).mean(-1)
  rows = [
    _row(run, f"model ({run.name})", model_SxN, model_SxN, start_N),
    _row(run, "untrained network", nll(run.untrained_S()).mean(-1), model_SxN, start_N),
  ]
  anchors, floor = _anchors(run, index_NxU)
  for name, nll_NxU in anchors.items():
    alone_SxN = np.broadcast_to(nll_NxU.mean(-1)[None], model_SxN.shape)
    rows.append(_row(run, name, alone_SxN, model_SxN, start_N))
  ends_P, cut_SxPxNx2, cut_start_N = _leaks(run)
  leak_SxPxN = cut_SxPxNx2[..., 1] - cut_SxPxNx2[..., 0]
  found = scoring.interval(run, leak_SxPxN, cut_start_N)
  return Result(
    table=tuple(rows),
    floor=floor,
    nll_S=model_SxN.mean(1),
    leak_SxP=leak_SxPxN.mean(-1),
    leak_low_P=found.low,
    leak_high_P=found.high,
    position_P=ends_P + 1,
    last_nll_S=cut_SxPxNx2[:, -1, :, 1].mean(-1),
    variant=run.experiment.model.variant,
    scored=int(index_NxU.size),
    windows=len(cut_start_N),
  )
