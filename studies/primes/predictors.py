"""What a network on gaps is compared with: answers that need no network.

All are made of trained gaps alone, in gap units. Source: primes spec, 6.5.
"""

import numpy as np
from primelens.tasks import primes

NEAR = 10  # trained gaps on either side of a local mean


def answers(gaps: primes.Gaps, row_N) -> dict[str, np.ndarray]:
  """Returns every predictor's answers to the rows, N each.

  The mean and the median of the trained gaps; a line in ln p; the mean of the
  20 trained gaps next to a row, itself left out; and, where there is a
  context, least squares on all that its tokens say.
  """
  trained_N = gaps.gap_N[gaps.train_N].astype(float)
  ones_N = np.ones(len(row_N))
  found = {
    "mean": trained_N.mean() * ones_N,
    "median": np.median(trained_N) * ones_N,
    "line in ln p": _line(gaps, row_N),
    "local mean": local_mean(gaps, row_N),
  }
  if gaps.config.context:
    found["least squares"] = _least_squares(gaps, row_N)
  return found


def _line(gaps: primes.Gaps, row_N) -> np.ndarray:
  """Returns the line in ln(what stands before the gap) that fits best."""
  size_N = np.log(np.maximum(gaps.prime_N, 2).astype(float))
  design = lambda rows: np.stack([np.ones(len(rows)), size_N[rows]], axis=1)
  trained_N = gaps.train_N
  coefficient_2, *_ = np.linalg.lstsq(design(trained_N), gaps.gap_N[trained_N], rcond=None)
  return design(row_N) @ coefficient_2


def local_mean(gaps: primes.Gaps, row_N) -> np.ndarray:
  """Returns the mean of up to NEAR trained gaps on either side of each row."""
  trained_N = gaps.train_N
  total_N = np.concatenate([[0.0], np.cumsum(gaps.gap_N[trained_N])])
  left_N = np.searchsorted(trained_N, row_N, side="left")
  right_N = np.searchsorted(trained_N, row_N, side="right")
  low_N = np.maximum(left_N - NEAR, 0)
  high_N = np.minimum(right_N + NEAR, len(trained_N))
  near_N = total_N[high_N] - total_N[low_N]
  own_N = total_N[right_N] - total_N[left_N]
  count_N = (high_N - low_N) - (right_N - left_N)
  return (near_N - own_N) / count_N


def _least_squares(gaps: primes.Gaps, row_N) -> np.ndarray:
  """Returns the line in all features of a context that fits best."""
  token_NxF = primes.tokens(gaps).astype(float)
  length = gaps.config.context

  def design(rows):
    at_BxT = rows[:, None] - length + np.arange(length)[None]
    said_BxF = token_NxF[at_BxT].reshape(len(rows), -1)
    return np.concatenate([np.ones((len(rows), 1)), said_BxF], axis=1)

  design_NxF = design(gaps.train_N)
  answer_N = gaps.gap_N[gaps.train_N].astype(float)
  weight_F, *_ = np.linalg.lstsq(design_NxF, answer_N, rcond=None)
  return design(row_N) @ weight_F
