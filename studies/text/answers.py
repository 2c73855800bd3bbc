"""Analysis `answers`: how right the networks are, beside a constant answer.

Every loss stands beside that of the mean (or the frequencies) of the train
answers: skill is 1 minus their ratio. Source: arithmetic spec, sections 1.6, 3
and 6.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import numpy as np
from primelens.analyses import statistics
from primelens.lens import numbers as reported_lib
from primelens.models import encoder
from primelens.studies.text import answers_reported, reported, states

ROWS = 2000  # of train and select, in evaluation mode; of fresh networks
# The shorter of the published files have the first half of all rows.
SHORT_TRAIN, SHORT_SELECT = 9000, 1000
_STARTS: dict[str, Callable] = {}  # compiled once for all analyses
REPORTED = answers_reported.REPORTED
CURVES = ("train", "select")  # losses over training, V of the curves


@dataclasses.dataclass(frozen=True)
class Result:
  """Losses and hits of every member on every part.

  `skills` has a record per part with the interval of the skill, `measures`
  one per part and measure; `value_PxExS` are their numbers, P parts, E
  measures, and `untrained_PxExR` those of R fresh networks, on the first ROWS
  rows. `answer_SxN` and `truth_N` are of the select rows: numbers, or the best
  class.
  `curve_VxSxC` are the losses of train (with dropout) and select at `step_C`,
  `history` the published ones.
  """

  table: tuple[dict, ...]
  skills: tuple[dict, ...]
  measures: tuple[dict, ...]
  value_PxExS: np.ndarray
  untrained_PxExR: np.ndarray
  truth_N: np.ndarray
  answer_SxN: np.ndarray
  step_C: np.ndarray
  curve_VxSxC: np.ndarray
  history: tuple[dict, ...]
  question: str
  regression: bool
  scale: float


class Part(NamedTuple):
  """Tokens and answers of some rows, and the answers that the constant is made
  of."""

  token_NxT: np.ndarray
  answer_N: np.ndarray
  train_N: np.ndarray


def untrained_S(run):
  """Returns fresh parameters of at least `untrained` networks.

  Drawn from the settings' seed: members of an imported network start from it,
  so that `run.untrained_S()` would be no null there.
  """
  count = max(run.settings.untrained, run.experiment.fit.seeds)
  keys_S = jax.random.split(jax.random.key(run.settings.seed), count)
  start = functools.partial(encoder.init, run.experiment.model)
  compiled = jax.jit(jax.vmap(start))
  return _STARTS.setdefault(repr(run.experiment.model), compiled)(keys_S)


def run(run) -> Result:
  """Returns the accuracy of every member, and of fresh networks."""
  parts, fresh_S = part_rows(run), untrained_S(run)
  mine = {name: scored(run, part) for name, part in parts.items()}
  theirs = {}
  for name, part in parts.items():
    some = Part(part.token_NxT[:ROWS], part.answer_N[:ROWS], part.train_N)
    theirs[name] = scored(run, some, fresh_S)
  step_C, curve_VxSxC = curves(run)
  task = run.experiment.task
  stacked = lambda found: np.stack([np.stack([*one["measure"].values()]) for one in found.values()])
  return Result(
    table=_table(run, mine, curve_VxSxC),
    skills=tuple({"part": name} | skill(run, mine[name], theirs[name]) for name in parts),
    measures=tuple(_records(mine, theirs)),
    value_PxExS=stacked(mine),
    untrained_PxExR=stacked(theirs),
    truth_N=parts["select"].answer_N,
    answer_SxN=mine["select"]["answer_SxN"],
    step_C=step_C,
    curve_VxSxC=curve_VxSxC,
    history=answers_reported.history(task.question) if run.regression else (),
    question=task.question,
    regression=run.regression,
    scale=float(task.scale),
  )


def part_rows(run) -> dict[str, Part]:
  """Returns the parts: train, select, the published short select, fresh."""
  own, probes = run.prompts, run.probes()
  some = lambda prompts, row_N, train_N: Part(
    prompts.token_NxT[row_N], prompts.answer_N[row_N], own.answer_N[train_N]
  )
  train_N, select_N = own.train_N, own.select_N
  parts = {
    "train": some(own, train_N[:ROWS], train_N),
    "select": some(own, select_N[:ROWS], train_N),
  }
  if run.experiment.task.split == "published":
    parts["select_1000"] = some(own, select_N[:SHORT_SELECT], train_N[:SHORT_TRAIN])
  return parts | {"fresh": some(probes, probes.test_N, train_N)}


def scored(run, part: Part, params_S=None) -> dict:
  """Returns the measures, rows' losses and answers of networks on a part; by
  default of the members."""
  output_SxNxV = states.over_members(states.outputs, run, part.token_NxT, params_S).astype(
    np.float64
  )
  if run.regression:
    scale = float(run.experiment.task.scale)
    guess_SxN = output_SxNxV[..., 0] * scale
    return numbers(guess_SxN, part.answer_N, float(part.train_N.mean()), scale)
  return classes(output_SxNxV, part.answer_N, part.train_N)


def numbers(guess_SxN, truth_N, constant: float, scale: float) -> dict:
  """Returns the measures of answers by number, in raw units.

  skill = 1 - MSE / MSE of `constant`; exact after rounding.
  """
  error_SxN = guess_SxN - truth_N
  mse_S = np.mean(error_SxN**2, -1)
  constant_N = (truth_N - constant) ** 2.0
  same_S = np.ones(len(guess_SxN))
  return {
    "measure": {
      "mse": mse_S,
      "scaled_mse": mse_S / scale**2,
      "constant_mse": constant_N.mean() * same_S,
      "constant_scaled_mse": constant_N.mean() / scale**2 * same_S,
      "skill": 1 - mse_S / constant_N.mean(),
      "rmse": np.sqrt(mse_S),
      "mae": np.mean(np.abs(error_SxN), -1),
      "bias": error_SxN.mean(-1),
      "exact": np.mean(np.round(guess_SxN) == truth_N, -1),
      "correlation": np.array([_correlation(g, truth_N) for g in guess_SxN]),
      "answer_mean": guess_SxN.mean(-1),
      "answer_deviation": guess_SxN.std(-1),
    },
    "loss_SxN": error_SxN**2,
    "constant_N": constant_N,
    "answer_SxN": guess_SxN.astype(np.float32),
  }


def classes(score_SxNxV, label_N, train_N) -> dict:
  """Returns the measures of answers by class, in nats.

  The constant answers with the frequencies of the train answers, each counted
  once more so that none is 0; skill = 1 - NLL / its NLL. `majority_accuracy`
  is the share of the part's own most frequent answer, `constant_accuracy`
  that of the most frequent of train.
  """
  count_V = np.bincount(train_N, minlength=score_SxNxV.shape[-1])
  share_V = (count_V + 1) / (count_V + 1).sum()
  top_SxNx1 = score_SxNxV.max(-1, keepdims=True)
  norm_SxN = np.log(np.exp(score_SxNxV - top_SxNx1).sum(-1)) + top_SxNx1[..., 0]
  own_SxN = score_SxNxV[:, np.arange(len(label_N)), label_N]
  loss_SxN, constant_N = norm_SxN - own_SxN, -np.log(share_V[label_N])
  best_SxN = score_SxNxV.argmax(-1)
  nll_S, same_S = loss_SxN.mean(-1), np.ones(len(score_SxNxV))
  return {
    "measure": {
      "nll_nats": nll_S,
      "constant_nll_nats": constant_N.mean() * same_S,
      "skill": 1 - nll_S / constant_N.mean(),
      "accuracy": np.mean(best_SxN == label_N, -1),
      "majority_accuracy": np.bincount(label_N).max() / len(label_N) * same_S,
      "constant_accuracy": np.mean(label_N == count_V.argmax()) * same_S,
    },
    "loss_SxN": loss_SxN,
    "constant_N": constant_N,
    "answer_SxN": best_SxN,
  }


def skill_interval(loss_SxN, constant_N) -> statistics.Interval:
  """Returns the interval of the mean skill over seeds and rows.

  By the ratio's first-order terms: a row has 1 - r - (loss - r c) / mean c,
  r = mean loss / mean c, whose mean is the skill. Of one network it is over
  rows alone.
  """
  ratio_Sx1 = loss_SxN.mean(-1, keepdims=True) / constant_N.mean()
  gap_SxN = (loss_SxN - ratio_Sx1 * constant_N) / constant_N.mean()
  return statistics.seed_block_interval(1 - ratio_Sx1 - gap_SxN, block=1)


def skill(run, mine: Mapping, theirs: Mapping) -> dict:
  """Returns the mean skill of networks scored on a part, with its interval over
  seeds and rows (of one network, over rows alone). `theirs` are untrained."""
  skill_S = mine["measure"]["skill"]
  loss_SxN, constant_N = mine["loss_SxN"], mine["constant_N"]
  found = skill_interval(loss_SxN, constant_N)
  low, high = float(found.low), float(found.high)
  return {
    "rows": len(constant_N),
    "seeds": len(skill_S),
    "unit": "raw mse" if run.regression else "nll_nats",
    "loss": float(np.median(loss_SxN.mean(-1))),
    "constant": float(constant_N.mean()),
    "skill": float(skill_S.mean()),
    "skill_low": low,
    "skill_high": high,
    "excludes_zero": low > 0 or high < 0,
    "untrained": float(np.median(theirs["measure"]["skill"])),
  }


def _records(mine: Mapping, theirs: Mapping) -> Iterator[dict]:
  """Yields a record per part and measure."""
  for part, found in mine.items():
    for name, value_S in found["measure"].items():
      row = {"part": part, "measure": name, "rows": len(found["constant_N"])}
      null = float(np.median(theirs[part]["measure"][name]))
      yield row | reported_lib.spread(value_S) | {"untrained": null}


def _correlation(guess_N, truth_N) -> float:
  """Returns the correlation; NaN where one of both does not vary."""
  if not guess_N.std() or not truth_N.std():
    return float("nan")
  return float(np.corrcoef(guess_N, truth_N)[0, 1])


def curves(run) -> tuple[np.ndarray, np.ndarray]:
  """Returns the logged steps C and losses VxSxC; none without a log.

  Train is the mean since the row before, with dropout; select is NaN at steps
  where nobody evaluated.
  """
  seeds = run.experiment.fit.seeds
  log = run.metrics()
  unit = "mse" if run.regression else "nll_nats"
  curve_VxSxC = np.full((len(CURVES), seeds, len(log)), np.nan)
  for c, row in enumerate(log):
    for v, part in enumerate(CURVES):
      logged = row.get(f"{part}/{unit}") or [None] * seeds
      curve_VxSxC[v, :, c] = [np.nan if x is None else x for x in logged]
  return np.array([row["step"] for row in log], int), curve_VxSxC


def _table(run, mine: Mapping, curve_VxSxC) -> tuple[dict, ...]:
  if not answers_reported.as_published(run):
    return ()
  task = run.experiment.task
  found = {
    f"{task.question}_{part}_{name}": value_S
    for part, one in mine.items()
    for name, value_S in one["measure"].items()
  }
  select_SxC = curve_VxSxC[1][:, ~np.isnan(curve_VxSxC[1]).all(0)]
  if select_SxC.size and run.regression:
    found[f"{task.question}_best_scaled_mse"] = np.nanmin(select_SxC, 1)
  known = {key: value_S for key, value_S in found.items() if key in REPORTED}
  return reported.rows(run, REPORTED, known)
