"""States of every layer, of every member, some rows at a time; and what answers are worth.

Levels are the embeddings with their positions, the states after each block,
and the final ones, after the last norm, which the networks' answer is read
from.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import erasure, linear, statistics
from primelens.models import encoder


def levels(run) -> tuple[str, ...]:
  """Returns the names of the levels, as many as `all_levels` has."""
  layers = run.experiment.model.trunk.layers
  blocks = (f"block {i + 1}" for i in range(layers))
  return ("embeddings", *blocks, "final")


def all_levels(model: encoder.Config, params, token_BxT) -> jax.Array:
  """Returns the states of one member at every level, ExBxTxD."""
  final_BxTxD, site = encoder.states(
    model, params, token_BxT, sites=("residual/pre", "residual/post")
  )
  return jnp.concatenate([site["residual/pre"][:1], site["residual/post"], final_BxTxD[None]])


def pooled(model: encoder.Config, params, token_BxT) -> jax.Array:
  """Returns one member's states that the answer is read from, BxD."""
  final_BxTxD, _ = encoder.states(model, params, token_BxT)
  return encoder.pooled(final_BxTxD, token_BxT)


def outputs(model: encoder.Config, params, token_BxT) -> jax.Array:
  """Returns one member's answers, BxV."""
  return encoder.apply(model, params, token_BxT)[0]


def over_members(measure: Callable, run, token_NxT, params_S=None, *, axis: int = 0):
  """Returns `measure(model, params, token_BxT)` of every member and all rows.

  A pytree of numpy arrays with a leading S; rows are on `axis` of what
  `measure` gives, and `batch` of them are in memory at a time. `params_S` are
  by default the run's own.
  """
  params_S = run.params_S if params_S is None else params_S
  population = _population(measure, Model(run.experiment.model))
  size, chunks = run.settings.batch, []
  token_NxT = np.asarray(token_NxT)
  for start in range(0, len(token_NxT), size):
    chunk_BxT = token_NxT[start : start + size]
    chunks.append(jax.device_get(population(params_S, chunk_BxT)))
  join = lambda *parts: np.concatenate(parts, axis=1 + axis)
  return jax.tree.map(join, *chunks)


class Model:
  """A config that can be a key of a cache: equal where its fields are."""

  def __init__(self, config: encoder.Config):
    self.config = config

  def __hash__(self) -> int:
    return hash(repr(self.config))

  def __eq__(self, other) -> bool:
    return repr(self.config) == repr(other.config)


@functools.lru_cache(maxsize=32)
def _population(measure: Callable, model: Model):
  each = lambda params, token_BxT: measure(model.config, params, token_BxT)
  return jax.jit(jax.vmap(each, (0, None)))


# --- answers, and what they are worth beside a constant -------------------------------------------

ROWS = 2000  # of train and select, in evaluation mode; of fresh networks
# The shorter of the published files have the first half of all rows.
SHORT_TRAIN, SHORT_SELECT = 9000, 1000


class Part(NamedTuple):
  """Tokens and answers of some rows, and the answers that the constant is made
  of."""

  token_NxT: np.ndarray
  answer_N: np.ndarray
  train_N: np.ndarray


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
  output_SxNxV = over_members(outputs, run, part.token_NxT, params_S).astype(np.float64)
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
    "unit": "answers²" if run.regression else "nats",
    "loss": float(np.median(loss_SxN.mean(-1))),
    "constant": float(constant_N.mean()),
    "skill": float(skill_S.mean()),
    "skill_low": low,
    "skill_high": high,
    "excludes_zero": low > 0 or high < 0,
    "untrained": float(np.median(theirs["measure"]["skill"])),
  }


def _correlation(guess_N, truth_N) -> float:
  """Returns the correlation; NaN where one of both does not vary."""
  if not guess_N.std() or not truth_N.std():
    return float("nan")
  return float(np.corrcoef(guess_N, truth_N)[0, 1])


# --- the one rule by which rows come to folds -----------------------------------------------------

FOLDS = linear.FOLDS
FOLD_SEED = 0


def folds(count: int) -> list[np.ndarray]:
  """Returns the rows of every fold; the first have one more where 5 does not
  divide them.

  scikit-learn's `KFold(5, shuffle=True, random_state=0)`: with it numbers that the
  source's text has over folds repeat to the last digit.
  """
  return np.array_split(np.random.RandomState(FOLD_SEED).permutation(count), FOLDS)


def fold_of(count: int) -> np.ndarray:
  """Returns the fold 0..4 of every row, N."""
  fold_N = np.empty(count, int)
  for fold, scored_N in enumerate(folds(count)):
    fold_N[scored_N] = fold
  return fold_N


def moments_of_folds(state_SxNxD, target_NxF) -> tuple[erasure.Moments, erasure.Moments]:
  """Returns moments of the rows fitted and of those scored, with a leading axis
  of the folds.

  They have one size: the last row of a fold that has one more is in none.
  """
  size = len(target_NxF) // FOLDS
  fold_FOLDSxN = np.stack([scored_N[:size] for scored_N in folds(len(target_NxF))])
  rest = [np.delete(fold_FOLDSxN, i, 0).ravel() for i in range(FOLDS)]
  of = lambda index_FOLDSxN: erasure.moments(
    np.moveaxis(state_SxNxD[:, index_FOLDSxN], 1, 0), target_NxF[index_FOLDSxN][:, None]
  )
  return of(np.stack(rest)), of(fold_FOLDSxN)
