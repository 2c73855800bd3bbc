"""Analysis `memory`: what the networks answer, beside constants and neighbours.

Errors of trained and of held-out gaps without dropout, in gap units and as
mean squares of z-scores. Source: primes spec, 2, 3, 6.1 and 6.5.
"""

import dataclasses

import jax
import numpy as np
from primelens.analyses import statistics
from primelens.studies.primes import detector, predictors, program

SHOWN = 200  # gaps of the figure, as published
SAMPLE = 4096  # trained rows of a curve


@dataclasses.dataclass(frozen=True)
class Result:
  """Errors of every member and predictor on every part.

  `setting` says what the run is, by which claims and tables find it. `errors`
  has a record per part (the last 1000 trained gaps, as published; all trained;
  held out) and predictor; those of networks have the interval over members.
  `gap_N` and `answer_SxN` are of the last trained gaps, in gap units. Curves
  at the snapshots' `step_C`: `logged_SxC` the training loss, with dropout,
  `trained_SxC` without, `held_SxC` of held-out gaps (NaN: none), in squared
  z-scores, and `..._mae_SxC` in gap units. `detected` are what the source's
  detector of "grokking" says at the snapshots.
  """

  setting: tuple[dict, ...]
  errors: tuple[dict, ...]
  gap_N: np.ndarray
  answer_SxN: np.ndarray
  step_C: np.ndarray
  logged_SxC: np.ndarray
  trained_SxC: np.ndarray
  held_SxC: np.ndarray
  trained_mae_SxC: np.ndarray
  held_mae_SxC: np.ndarray
  detected: tuple[dict, ...]
  epoch_steps: int
  mean: float
  deviation: float


def run(run) -> Result:
  """Returns what the networks answer, and what they are to be compared with."""
  gaps, parts = run.gaps, rows(run.gaps)
  fresh_S = run.untrained_S()
  errors = []
  for name, row_N in parts.items():
    if not len(row_N):
      continue
    networks = {"network": run.params_S, "untrained": fresh_S}
    for kind, params_S in networks.items():
      answer_SxN = unscaled(gaps, run.predicted(params_S, row_N))
      errors.append(_record(name, kind, gaps, row_N, answer_SxN))
    for kind, answer_N in predictors.answers(gaps, row_N).items():
      errors.append(_record(name, kind, gaps, row_N, answer_N[None]))
  last_N = parts["last trained"][:SHOWN]
  return Result(
    setting=(setting(run),),
    errors=tuple(errors),
    gap_N=gaps.gap_N[last_N].astype(float),
    answer_SxN=unscaled(gaps, run.predicted(run.params_S, last_N)),
    epoch_steps=program.epoch_steps(run.experiment),
    mean=gaps.mean,
    deviation=gaps.deviation,
    detected=tuple(_detected(run)),
    **curves(run),
  )


def _detected(run) -> list[dict]:
  steps = run.snapshot_steps()
  return detector.watched(
    run, steps, lambda step: snapshot(run, step), lambda step: logged(run, step)
  )


def rows(gaps) -> dict[str, np.ndarray]:
  """Returns the parts: the last trained gaps as published, all, held out."""
  return {
    "last trained": gaps.train_N[-program.LAST :],
    "trained": gaps.train_N,
    "held out": gaps.held_N,
  }


def unscaled(gaps, z_SxN) -> np.ndarray:
  """Returns z-scores as gaps."""
  return gaps.mean + gaps.deviation * np.asarray(z_SxN, float)


def setting(run) -> dict:
  """Returns what tells one run from another, in one record."""
  task, model = run.experiment.task, run.experiment.model
  fit = run.experiment.fit
  return {
    "sequence": task.sequence,
    "primes": task.primes,
    "embedding": model.embedding.partition("_")[0],
    "embedding_std": model.embedding_std,
    "order": task.order,
    "held_out": task.held_out,
    "context": task.context,
    "flows": model.flows,
    "kernel": model.trunk.implementation == "mismatched",
    "batch_size": fit.batch_size,
    "accumulation": fit.accumulation,
    "width": model.trunk.width,
    "layers": model.trunk.layers,
    "seeds": fit.seeds,
    "steps": run.step,
  }


def _record(part: str, kind: str, gaps, row_N, answer_SxN) -> dict:
  """Returns the errors of answers on the rows of a part."""
  error_SxN = answer_SxN - gaps.gap_N[row_N][None]
  mae_S = np.abs(error_SxN).mean(1)
  square_S = ((error_SxN / gaps.deviation) ** 2).mean(1)
  found = {"part": part, "predictor": kind, "rows": len(row_N)}
  for name, value_S in (("mae", mae_S), ("z_mse", square_S)):
    interval = statistics.seed_interval(value_S)
    found |= {
      name: float(interval.estimate),
      f"{name}_low": float(interval.low),
      f"{name}_high": float(interval.high),
    }
  return found


def curves(run) -> dict[str, np.ndarray]:
  """Returns the errors at the snapshots; none where there is none."""
  step_C = np.array(run.snapshot_steps(), int)
  seeds, gaps = run.experiment.fit.seeds, run.gaps
  parts = {"trained": _some(gaps.train_N), "held": _some(gaps.held_N)}
  names = [f"{name}{kind}_SxC" for name in parts for kind in ("", "_mae")]
  found = {name: np.full((seeds, len(step_C)), np.nan) for name in names}
  for c, step in enumerate(step_C.tolist()):
    params_S = snapshot(run, step)
    for name, row_N in parts.items():
      if len(row_N):
        error_SxN = run.predicted(params_S, row_N) - gaps.target_N[row_N][None]
        error_SxN = np.asarray(error_SxN, float)
        found[f"{name}_SxC"][:, c] = np.mean(error_SxN**2, axis=1)
        mae_S = gaps.deviation * np.mean(np.abs(error_SxN), axis=1)
        found[f"{name}_mae_SxC"][:, c] = mae_S
  last = [logged(run, step)[:, -1:] for step in step_C.tolist()]
  empty = np.zeros((seeds, 0))
  return {"step_C": step_C, "logged_SxC": np.concatenate([empty, *last], axis=1), **found}


def _some(row_N: np.ndarray) -> np.ndarray:
  """Returns up to SAMPLE rows, evenly spaced."""
  count = min(SAMPLE, len(row_N))
  return row_N[np.linspace(0, len(row_N) - 1, count).astype(int)]


def snapshot(run, step: int):
  """Returns the population's parameters at a step."""
  return jax.tree.map(jax.numpy.asarray, run.snapshot(step))


def logged(run, step: int) -> np.ndarray:
  """Returns the training losses of the epochs up to a step, SxN; one NaN where
  none is logged."""
  seeds = run.experiment.fit.seeds
  rows = [row["train/mse"] for row in run.metrics() if row["step"] <= step and "train/mse" in row]
  return np.array(rows or [[np.nan] * seeds], float).T
