"""The source's detector of "grokking", which only watched (primes spec, 3).

It says yes where two of three hold. Two of them have no meaning for numbers:
logarithms of z-scores, and a Fourier transform over gaps in random order.
"""

from collections.abc import Mapping

import numpy as np

BEFORE = 20  # epochs that a loss is compared with
FALL, LEAST = 0.3, 0.01  # relative and absolute
CORRELATED = 0.9
PEAK = 5.0  # times the mean amplitude
ITEMS = 1000  # trained gaps, drawn at random
NAMES = ("drop", "logarithms", "waves")


def drop(loss_N: np.ndarray) -> bool:
  """Returns whether the last loss is 30 %, and by .01, below the mean of the
  20 before it."""
  if len(loss_N) <= BEFORE:
    return False
  before = float(np.mean(loss_N[-BEFORE - 1 : -1]))
  fall = before - float(loss_N[-1])
  return fall >= FALL * before and fall > LEAST


def logarithms(answer_N: np.ndarray, target_N: np.ndarray) -> bool:
  """Returns whether the logarithms of the sizes of answers and targets, both
  z-scores, are correlated above .9."""
  size = lambda z: np.log(np.abs(np.asarray(z, float)) + 1e-6)
  a_N, b_N = size(answer_N), size(target_N)
  if not (a_N.std() and b_N.std()):
    return False
  return bool(np.corrcoef(a_N, b_N)[0, 1] > CORRELATED)


def waves(answer_N: np.ndarray) -> bool:
  """Returns whether the largest amplitude of the answers' differences, in the
  order given, is above five times the mean."""
  amplitude_Q = np.abs(np.fft.rfft(np.diff(np.asarray(answer_N, float))))
  return bool(amplitude_Q.max() > PEAK * amplitude_Q.mean())


def held(loss_N, answer_N, target_N) -> Mapping[str, bool]:
  """Returns which of the three hold after the epoch of the last loss."""
  return {
    "drop": drop(loss_N),
    "logarithms": logarithms(answer_N, target_N),
    "waves": waves(answer_N),
  }


def watched(run, step_C, params_of, loss_of) -> list[dict]:
  """Returns a record per snapshot and member: which hold, and the verdict.

  `params_of(step)` are the parameters, `loss_of(step)` the losses per epoch up
  to a step, SxN. Answers are with dropout, as in the source.
  """
  rng = np.random.default_rng(run.settings.seed)
  trained_N = run.gaps.train_N
  row_N = rng.permutation(trained_N)[:ITEMS]
  records = []
  for step in step_C:
    answer_SxN = run.predicted(params_of(step), row_N, dropout=True)
    pairs = zip(answer_SxN, loss_of(step), strict=True)
    for member, (answer_N, loss_N) in enumerate(pairs):
      found = held(loss_N, answer_N, run.gaps.target_N[row_N])
      says = sum(found.values()) >= 2
      records.append({"step": int(step), "member": member, **found, "says": says})
  return records
