"""Which primes a predictor knows: what is left of their waves in its errors.

Predicted spacings are projected on the waves at ln p along the heights, beside frequencies that are
no prime's and beside the waves of the true spacings. On the host, in float64. Source:
docs/sources/zeros.md, section 7.1.
"""

from typing import NamedTuple

import numpy as np
from primelens.analyses import line_nulls, linear, prime_lines, prime_waves

KNOWN = 1 / 3  # of a wave's modulus, in the errors
STANDS = 3.0  # times the waves beside it: a wave that can be known or not
LEVEL = 0.05  # of the p-value of a line
_BESIDE = 4  # frequencies beside every prime, for the count there


def r2(mean_ExN, truth_N) -> np.ndarray:
  """Returns R2 of every sequence of predictions: E."""
  return linear.r2(np.asarray(truth_N)[None], np.asarray(mean_ExN), axis=-1)


class Waves(NamedTuple):
  """Waves of E predictions and of the truth, complex, at F frequencies."""

  own_ExF: np.ndarray
  true_F: np.ndarray

  @property
  def amplitude_ExF(self) -> np.ndarray:
    return np.abs(self.own_ExF)

  @property
  def gain_ExF(self) -> np.ndarray:
    """The share of the truth's wave that is predicted in phase."""
    in_phase_ExF = (self.own_ExF * self.true_F.conj()).real
    return in_phase_ExF / np.abs(self.true_F) ** 2

  @property
  def left_ExF(self) -> np.ndarray:
    """What is left of the truth's wave, as a share of its modulus."""
    return np.abs(self.true_F - self.own_ExF) / np.abs(self.true_F)


def waves(mean_ExN, truth_N, height_N, frequency_F) -> Waves:
  """Returns the waves in where the next zeros are put.

  `prime_lines.displacements`, after every predictor is given the truth's mean:
  who says 0 puts each zero on the one before, which has all of the waves.
  """
  gap_N = prime_waves.mean_spacing(height_N)
  mean_ExN = np.asarray(mean_ExN, np.float64)
  offset_E = mean_ExN.mean(-1) - np.mean(truth_N)
  wave = prime_lines.displacements(
    np.concatenate([mean_ExN - offset_E[:, None], np.asarray(truth_N)[None]]),
    height_N,
    gap_N,
    frequency_F,
  )
  return Waves(wave[:-1], wave[-1])


class Knowledge(NamedTuple):
  """Which of Q primes E predictors know, and what passes where no line is.

  Judged are the primes whose wave in the truth stands out, `stands_Q`: more
  than three times the waves beside it. `beside_E` counts, on average, how many
  of as many frequencies beside these primes and off all lines would pass for
  known: near 0 for large errors, near all for tiny ones.
  """

  left_ExQ: np.ndarray
  gain_ExQ: np.ndarray
  amplitude_ExQ: np.ndarray
  known_ExQ: np.ndarray
  stands_Q: np.ndarray
  beside_E: np.ndarray
  r2_E: np.ndarray

  @property
  def count_E(self) -> np.ndarray:
    return self.known_ExQ.sum(-1)


def cutoff(known_Q, stands_Q, prime_Q) -> int:
  """Returns the largest prime up to which half are known, 0 if there is none.

  Half of the primes whose wave stands out in the truth, from the smallest on.
  """
  share_Q = np.cumsum(known_Q & stands_Q) / np.maximum(np.cumsum(stands_Q), 1)
  half_Q = np.asarray(prime_Q)[stands_Q & (share_Q >= 0.5)]
  return int(half_Q.max(initial=0))


def knowledge(
  mean_ExN, truth_N, height_N, prime_Q, *, line_A, floor: float, seed: int
) -> Knowledge:
  """Returns where less than a third of a prime's wave is left in the errors.

  The line is gone from the errors: no more is said. Who predicts all of the
  spacing alike has taken it out as well, and so has a filter too short to tell
  p from its neighbours; `wave_response.peaks` says who can. Small errors leave
  little of any wave, which the count beside the primes shows. And |1 - H| is
  small in one band at the price of others (a prediction that swings against the
  last spacing has H = 1 at the Nyquist frequency): who explains no more than a
  predictor without primes knows none. R2 must exceed the `floor`, that of the
  sine kernel's filter of 20 lags on the stretch.
  """
  log_Q = np.log(np.asarray(prime_Q, np.float64))
  beside_RxQ = line_nulls.beside(log_Q, line_A, height_N, draws=_BESIDE, seed=seed)

  def own_and_true(frequency_F):
    each = waves(mean_ExN, truth_N, height_N, frequency_F)
    return np.concatenate([each.own_ExF, each.true_F[None]])

  at, beside, room_Q = line_nulls.split(own_and_true, log_Q, beside_RxQ)
  own, off = Waves(at[:-1], at[-1]), Waves(beside[:-1], beside[-1])
  stands_Q = room_Q.copy()
  around_W = np.sqrt(np.mean(np.abs(off.true_F) ** 2, 0))
  stands_Q[room_Q] = np.abs(own.true_F[room_Q]) > STANDS * around_W
  r2_E = r2(mean_ExN, truth_N)
  able_E = r2_E > floor
  passes = off.left_ExF[..., stands_Q[room_Q]] < KNOWN
  return Knowledge(
    left_ExQ=own.left_ExF,
    gain_ExQ=own.gain_ExF,
    amplitude_ExQ=own.amplitude_ExF,
    known_ExQ=(own.left_ExF < KNOWN) & stands_Q & able_E[:, None],
    stands_Q=stands_Q,
    beside_E=able_E * passes.sum((1, 2)) / _BESIDE,
    r2_E=r2_E,
  )


class Reading(NamedTuple):
  """Waves of E sequences at Q primes.

  `line_ExQ` are amplitudes of the predicted spacings themselves, with max-T p-values `max_t_ExQ`
  against frequencies beside the primes and off all lines, NaN where the primes leave no room for
  one; `knowledge` says which of them are predicted.
  """

  knowledge: Knowledge
  line_ExQ: np.ndarray
  max_t_ExQ: np.ndarray

  @property
  def amplitude_ExQ(self) -> np.ndarray:
    return self.knowledge.amplitude_ExQ

  @property
  def found_ExQ(self) -> np.ndarray:
    """Where a wave stands out after max-T correction over all primes.

    Not at a prime that has no frequency free of lines near it.
    """
    return self.max_t_ExQ < LEVEL


def read(
  mean_ExN, truth_N, height_N, prime_Q, *, line_A, floor: float, draws: int, seed: int
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
  return Reading(
    knowledge=knowledge(
      mean_ExN, truth_N, height_N, prime_Q, line_A=line_A, floor=floor, seed=seed
    ),
    line_ExQ=line.amplitude,
    max_t_ExQ=line.p,
  )


def record(read: Reading, e: int, mean_N, law_Q, prime_Q) -> dict:
  """Returns what one sequence's waves come to, as a row of the table.

  `judged` counts the primes that have a null for lines, `known` primes of the
  `stands` whose wave stands out, `beside` as many frequencies beside them that
  would pass, and `beyond` is the difference; `cutoff` is how far half of the
  primes are known.
  """
  found_Q, known = read.found_ExQ[e], read.knowledge
  amplitude_Q = known.amplitude_ExQ[e]
  judged_Q = ~np.isnan(read.max_t_ExQ[e])
  count, beside = int(known.count_E[e]), float(known.beside_E[e])
  return {
    "r2": float(known.r2_E[e]),
    "primes": len(law_Q),
    "judged": int(judged_Q.sum()),
    "found": 0 if np.ptp(mean_N) == 0 else int(found_Q.sum()),
    "stands": int(known.stands_Q.sum()),
    "known": count,
    "beside": beside,
    "beyond": count - beside,
    "cutoff": cutoff(known.known_ExQ[e], known.stands_Q, prime_Q),
    "correlation": _correlation(amplitude_Q, law_Q),
    "slope": float(amplitude_Q @ law_Q / (law_Q @ law_Q)),
  }


def _correlation(x_Q, y_Q) -> float:
  if np.ptp(x_Q) == 0:
    return np.nan
  return float(np.corrcoef(x_Q, y_Q)[0, 1])


def smooth(value_Q, width: int) -> np.ndarray:
  """Returns running medians, of fewer neighbours at the ends."""
  half = width // 2
  return np.array(
    [
      np.median(value_Q[max(0, i - min(half, i)) : i + min(half, i) + 1])
      for i in range(len(value_Q))
    ]
  )
