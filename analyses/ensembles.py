"""Closed forms of level statistics in the three ensembles without parameters.

"goe" and "gue" are the eigenvalues of large real symmetric and complex
Hermitian noise (zeta zeros follow the second), "poisson" independent levels;
the mean spacing is 1. Source: Mehta, Random Matrices, 3rd ed. 2004.
"""

from typing import Any, Literal

import numpy as np
import scipy.special

Ensemble = Literal["goe", "gue", "poisson"]
ENSEMBLES: tuple[Ensemble, ...] = ("goe", "gue", "poisson")


def spacing_cdf(spacing: Any, ensemble: Ensemble) -> np.ndarray:
  """Returns the share of spacings below s, mean 1: 1 - exp(-s) of "poisson",
  Wigner's surmise 1 - exp(-pi s^2 / 4) of "goe", and of "gue"
  erf(2 s / sqrt pi) - (4 s / pi) exp(-4 s^2 / pi).
  """
  spacing = np.asarray(spacing, np.float64)
  square = spacing**2
  if ensemble == "poisson":
    return -np.expm1(-spacing)
  if ensemble == "goe":
    return -np.expm1(-np.pi / 4 * square)
  _check(ensemble)
  tail = 4 / np.pi * spacing * np.exp(-4 / np.pi * square)
  return scipy.special.erf(2 / np.sqrt(np.pi) * spacing) - tail


def number_variance(length: Any, ensemble: Ensemble) -> np.ndarray:
  """Returns the number variance of an endless spectrum (Mehta, chapter 16).

  L of "poisson"; of "gue" (ln 2 pi L + g + 1 - cos 2 pi L - Ci(2 pi L)) / pi^2
  + L (1 - (2 / pi) Si(2 pi L)), g Euler's constant; of "goe" twice that
  + (Si(pi L) / pi)^2 - Si(pi L) / pi.
  """
  _check(ensemble)
  length = np.asarray(length, np.float64)
  if ensemble == "poisson":
    return length
  turn = 2 * np.pi * length
  si, ci = scipy.special.sici(turn)
  slow = np.log(turn) + np.euler_gamma + 1 - np.cos(turn) - ci
  gue = slow / np.pi**2 + length * (1 - 2 / np.pi * si)
  half = scipy.special.sici(np.pi * length)[0] / np.pi
  return gue if ensemble == "gue" else 2 * gue + half**2 - half


def form_factor(tau: Any, ensemble: Ensemble) -> np.ndarray:
  """Returns the form factor of an endless spectrum at tau > 0.

  1 of "poisson", min(tau, 1) of "gue"; of "goe" 2 tau - tau ln(1 + 2 tau) below
  1 and 2 - tau ln((2 tau + 1) / (2 tau - 1)) above.
  """
  _check(ensemble)
  tau = np.asarray(tau, np.float64)
  if ensemble == "poisson":
    return np.ones_like(tau)
  if ensemble == "gue":
    return np.minimum(tau, 1)
  late = np.maximum(tau, 1)
  return np.where(
    tau < 1, 2 * tau - tau * np.log1p(2 * tau), 2 - late * np.log((2 * late + 1) / (2 * late - 1))
  )


def _check(ensemble):
  if ensemble not in ENSEMBLES:
    raise ValueError(f"ensemble must be one of {', '.join(ENSEMBLES)}, got {ensemble!r}.")
