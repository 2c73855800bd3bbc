"""Predictions projected on the primes' waves, beside the truth and a null."""

from typing import NamedTuple

import numpy as np
from primelens.analyses import line_nulls
from primelens.analyses import prime_lines
from primelens.analyses import prime_waves
from primelens.analyses import regression

LEVEL = 0.05
# Of a wave's modulus, in the errors. Who knows the number of a zero knows how
# far that zero is displaced: a gain of a half without any prime, which leaves
# half of a wave or more.
KNOWN = 1 / 3


def known(left_ExQ, r2_E) -> np.ndarray:
  """Returns where less than a third of a wave is left, ExQ, of predictions
  that are better than the mean.

  |1 - H| is small in one band at the price of others: a fresh network whose
  prediction swings against the last spacing leaves little near the Nyquist
  frequency, and errors twice as large as the spacings' own spread.
  """
  return (left_ExQ < KNOWN) & (r2_E[:, None] > 0)


def r2(mean_ExN, truth_N) -> np.ndarray:
  """Returns R2 of every sequence of predictions: E."""
  return regression.r2(np.asarray(truth_N)[None], np.asarray(mean_ExN), axis=-1)


class Reading(NamedTuple):
  """Amplitudes of E sequences at Q primes; see `prime_waves.Result`."""

  amplitude_ExQ: np.ndarray
  gain_ExQ: np.ndarray
  left_ExQ: np.ndarray
  line_ExQ: np.ndarray
  max_t_ExQ: np.ndarray
  null_E: np.ndarray  # the median amplitude beside the primes

  @property
  def found_ExQ(self) -> np.ndarray:
    """Where a wave stands out after max-T correction over all primes.

    Not at a prime that has no frequency free of lines near it.
    """
    return self.max_t_ExQ < LEVEL


def waves(mean_ExN, truth_N, height_N, prime_Q) -> tuple[np.ndarray, ...]:
  """Returns amplitudes, gains and what is left of the truth's waves, ExQ.

  By where the next zeros are put (`prime_lines.displacements`), after every
  predictor is given the truth's mean: who says 0 puts each zero on the one
  before, which has all of the waves.
  """
  gap_N = prime_waves.mean_spacing(height_N)
  mean_ExN = np.asarray(mean_ExN, np.float64)
  offset_E = mean_ExN.mean(-1) - np.mean(truth_N)
  wave = prime_lines.displacements(
    np.concatenate([mean_ExN - offset_E[:, None], np.asarray(truth_N)[None]]),
    height_N,
    gap_N,
    np.log(np.asarray(prime_Q, np.float64)),
  )
  own_ExQ, true_Q = wave[:-1], wave[-1]
  size_Q = np.abs(true_Q)
  gain_ExQ = (own_ExQ * true_Q.conj()).real / size_Q**2
  return np.abs(own_ExQ), gain_ExQ, np.abs(true_Q - own_ExQ) / size_Q


def read(
  mean_ExN, truth_N, height_N, prime_Q, *, line_A, draws: int, seed: int
) -> Reading:
  """Returns the waves of predicted spacings at ln p, and p-values of each.

  The null has `draws` frequencies beside every prime and off all lines
  `line_A` (`line_nulls.beside`), of the same predictions: its largest over all
  primes corrects for their number.
  """
  log_Q = np.log(np.asarray(prime_Q, np.float64))
  line = line_nulls.test(
    lambda w_F: prime_lines.amplitudes(mean_ExN, height_N, w_F),
    log_Q,
    line_nulls.beside(log_Q, line_A, height_N, draws=draws, seed=seed),
  )
  amplitude_ExQ, gain_ExQ, left_ExQ = waves(
    mean_ExN, truth_N, height_N, prime_Q
  )
  null_E = np.full(len(line.null), np.nan)
  if line.null.size:
    null_E = np.median(line.null, (1, 2))
  return Reading(
    amplitude_ExQ=amplitude_ExQ,
    gain_ExQ=gain_ExQ,
    left_ExQ=left_ExQ,
    line_ExQ=line.amplitude,
    max_t_ExQ=line.p,
    null_E=null_E,
  )


def record(read: Reading, e: int, mean_N, truth_N, prime_Q, law_Q) -> dict:
  """Returns what one sequence's waves come to, as a row of the table.

  `judged` counts the primes that have a null, `reach` is the first of them that
  is not found, `known` counts primes as the function of that name.
  """
  found_Q = read.found_ExQ[e]
  amplitude_Q = read.amplitude_ExQ[e]
  judged_Q = ~np.isnan(read.max_t_ExQ[e])
  missed_Q = prime_Q[judged_Q & ~found_Q]
  constant, r2_1 = np.ptp(mean_N) == 0, r2(mean_N[None], truth_N)
  return {
    "r2": float(r2_1[0]),
    "primes": len(law_Q),
    "judged": int(judged_Q.sum()),
    "found": 0 if constant else int(found_Q.sum()),
    "known": int(known(read.left_ExQ[[e]], r2_1).sum()),
    "reach": int(missed_Q[0]) if len(missed_Q) else int(prime_Q[-1]),
    "correlation": _correlation(amplitude_Q, law_Q),
    "slope": float(amplitude_Q @ law_Q / (law_Q @ law_Q)),
    "null": float(read.null_E[e]),
  }


def _correlation(x_Q, y_Q) -> float:
  if np.ptp(x_Q) == 0:
    return np.nan
  return float(np.corrcoef(x_Q, y_Q)[0, 1])
