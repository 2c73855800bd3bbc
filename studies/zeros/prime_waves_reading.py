"""Predictions projected on the primes' waves, beside the truth and a null."""

from typing import NamedTuple

import numpy as np
from primelens.analyses import line_nulls, prime_lines
from primelens.studies.zeros import prime_waves_known as known_lib

LEVEL = 0.05


class Reading(NamedTuple):
  """Amplitudes of E sequences at Q primes; see `prime_waves.Result`."""

  knowledge: known_lib.Knowledge
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
    knowledge=known_lib.knowledge(
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
    "cutoff": known_lib.cutoff(known.known_ExQ[e], known.stands_Q, prime_Q),
    "correlation": _correlation(amplitude_Q, law_Q),
    "slope": float(amplitude_Q @ law_Q / (law_Q @ law_Q)),
  }


def _correlation(x_Q, y_Q) -> float:
  if np.ptp(x_Q) == 0:
    return np.nan
  return float(np.corrcoef(x_Q, y_Q)[0, 1])
