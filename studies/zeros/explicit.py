"""Spacings of zeros by the explicit formula (zeta spec, section 7.1)."""

import numpy as np
from primelens.analyses import prime_waves
from primelens.tasks import primes
from primelens.tasks import riemann_siegel
from primelens.tasks import zeros


def spacings(ordinate_N, number_N, limit: int) -> np.ndarray:
  """Returns the unfolded spacing after each zero, with primes up to a limit.

  `number_N` are the zeros' numbers, the first of all being 1. No fit.
  """
  next_N = prime_waves.following(
    ordinate_N,
    number_N,
    prime_waves.waves(primes.below(limit + 1), limit),
    smooth,
  )
  return zeros.unfold(next_N) - zeros.unfold(ordinate_N)


def smooth(t_N) -> np.ndarray:
  """Returns theta(t) / pi + 1, the smooth part of the number of zeros."""
  return riemann_siegel.theta(t_N) / np.pi + 1
