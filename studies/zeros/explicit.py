"""Spacings of zeros by the explicit formula (zeta spec, section 7.1)."""

import numpy as np
from primelens.analyses import prime_lines, prime_waves
from primelens.tasks import primes, riemann_siegel, zeros


def spacings(ordinate_N, number_N, limit: int) -> np.ndarray:
  """Returns the unfolded spacing after each zero, with primes up to a limit.

  `number_N` are the zeros' numbers, the first of all being 1. No fit.
  """
  next_N = prime_waves.following(
    ordinate_N, number_N, prime_waves.waves(primes.below(limit + 1), limit), smooth
  )
  return zeros.unfold(next_N) - zeros.unfold(ordinate_N)


def predictions(
  value_N, ordinate_N, number_N, limit: int, *, errors: int
) -> tuple[np.ndarray, float]:
  """Returns the formula's means after the first `errors`, and their variance.

  Nothing in a mean is fitted; the variance is the mean square of the first
  errors, those before what is scored, so that it does not know that.
  """
  mean_N = spacings(ordinate_N, number_N, limit)
  error_N = np.asarray(value_N, np.float64)[:errors] - mean_N[:errors]
  return mean_N[errors:], float(np.mean(error_N**2))


def smooth(t_N) -> np.ndarray:
  """Returns theta(t) / pi + 1, the smooth part of the number of zeros."""
  return riemann_siegel.theta(t_N) / np.pi + 1


def lines(limit: int) -> np.ndarray:
  """Returns m ln p of every prime power up to twice a limit, rising.

  A null below the limit has to keep off those just above it as well.
  """
  return prime_lines.every_line(primes.below(2 * limit), 2 * limit - 1)
