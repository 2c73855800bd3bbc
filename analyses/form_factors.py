"""Form factors of a long sequence of spacings, with errors and their nulls.

tau is in Heisenberg units: K(tau) of levels x_n of mean spacing 1 reads
e^(2 pi i tau x_n), rises until tau = 1 for the GUE, and is 1 for independent
levels. The published scripts left out the 2 pi, so that their Heisenberg time
is 2 pi; only names with `as_published` take their units.

A single K(tau) scatters as much as its mean, so a sequence is cut into blocks
and errors are those of the mean over blocks. On the host, in float64. Source:
docs/sources/zeros.md, sections 4.8 and 6.6.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.stats
from primelens.analyses import spacings, statistics

BLOCK = 512  # levels
ENOUGH = 400  # blocks
RAMP = (0.02, 0.5)
PLATEAU = (1.2, 1.8)


class Ramp(NamedTuple):
  """Least squares of K(tau) = intercept + slope tau, block by block.

  The GUE has 0 and 1; without correlations between spacings the intercept is
  their variance and the slope starts at 0; independent levels have 1 and 0.
  """

  intercept_R: np.ndarray
  slope_R: np.ndarray


def cut(spacing_N: Any, block: int = BLOCK) -> np.ndarray:
  """Returns the levels of R neighbouring blocks, RxN with N = `block`.

  Every block starts at its first level; the rest of the sequence is left out.

  Raises ValueError for fewer than 2 blocks, or blocks of fewer than 4 levels.
  """
  spacing_N = _finite(spacing_N)
  rows = len(spacing_N) // max(block, 1)
  if block < 4 or rows < 2:
    raise ValueError(
      f"block={block} must be 4 or more and fit twice in the {len(spacing_N)} spacings."
    )
  return np.cumsum(spacing_N[: rows * block].reshape(rows, block), axis=1)


def blocks(spacing_N: Any, tau_Q: Any, block: int = BLOCK) -> np.ndarray:
  """Returns the connected form factor of every block, k_RxQ.

  `spacings.form_factor` (Hann's taper) of `cut`. Its mean over blocks is K, its
  interval `statistics.seed_interval(k_RxQ)`; 400 blocks give an error of 5 %.
  A block resolves tau to 2 / `block`.

  Raises ValueError as `cut` does.
  """
  return spacings.form_factor(cut(spacing_N, block), tau_Q)


def characteristic(spacing_N: Any, tau_Q: Any) -> np.ndarray:
  """Returns phi(tau) = mean of e^(2 pi i tau s) over the spacings, complex."""
  spacing_N = _finite(spacing_N)
  return spacings.waves(spacing_N, tau_Q) / len(spacing_N)


def renewal(phi_Q: Any) -> np.ndarray:
  """Returns K = Re[(1 + phi) / (1 - phi)] of independent spacings, tau > 0.

  phi is the characteristic function of one spacing (mean 1). It is the exact
  null of shuffled spacings: their marginal and nothing else. At tau -> 0 it is
  their variance. Source: docs/sources/zeros.md, section 4.8 (Cox and Lewis 1966).
  """
  phi_Q = np.asarray(phi_Q, np.complex128)
  return np.real((1 + phi_Q) / (1 - phi_Q))


def ramp(k_RxQ: Any, tau_Q: Any, part: tuple[float, float] = RAMP) -> Ramp:
  """Returns the straight line through every block's K on `part`.

  Intervals of both are those of the mean over blocks
  (`statistics.seed_interval`).

  Raises ValueError where `part` holds fewer than 2 of the tau.
  """
  k_RxQ, tau_Q = _inside(k_RxQ, tau_Q, part, 2)
  centred_Q = tau_Q - tau_Q.mean()
  slope_R = k_RxQ @ centred_Q / np.sum(centred_Q**2)
  return Ramp(k_RxQ.mean(1) - slope_R * tau_Q.mean(), slope_R)


def plateau(k_RxQ: Any, tau_Q: Any, part: tuple[float, float] = PLATEAU) -> np.ndarray:
  """Returns the mean K of every block over `part`, beyond tau = 1.

  It is 1 for the GUE and for independent levels; the published windows lie in
  the ramp, or hold tau = 1 (`PLATEAUS_AS_PUBLISHED`).

  Raises ValueError where `part` holds none of the tau.
  """
  return _inside(k_RxQ, tau_Q, part, 1)[0].mean(1)


def squared_distance(k_RxQ: Any, reference_Q: Any) -> statistics.Interval:
  """Returns the mean over tau of (K - reference)^2, freed of noise.

  sum over pairs r != s of (k_r - K0)(k_s - K0) / (R (R - 1)), which averages to
  0 where the mean K is the reference, and may be negative. The error is that of
  the jackknife over blocks, the interval normal.

  Raises ValueError for fewer than 3 blocks.
  """
  gap_RxQ = np.asarray(k_RxQ, np.float64) - np.asarray(reference_Q, np.float64)
  rows = len(gap_RxQ)
  if rows < 3:
    raise ValueError(f"need 3 blocks, got {rows}.")
  total_Q, square_RxQ = gap_RxQ.sum(0), gap_RxQ**2
  squares_Q = square_RxQ.sum(0)
  left = (total_Q - gap_RxQ) ** 2 - (squares_Q - square_RxQ)
  left_R = left.mean(1) / ((rows - 1) * (rows - 2))
  estimate = np.mean(total_Q**2 - squares_Q) / (rows * (rows - 1))
  error = np.sqrt((rows - 1) / rows * np.sum((left_R - left_R.mean()) ** 2))
  reach = scipy.stats.norm.ppf(0.975) * error
  return statistics.Interval(estimate, estimate - reach, estimate + reach, error)


def number_variance(spacing_RxN: Any, length_Q: Any) -> np.ndarray:
  """Returns `spacings.number_variance` of every row of spacings, RxQ.

  About the row's own mean count, which takes off a share of about L / N.
  """
  rows = np.cumsum(np.asarray(spacing_RxN, np.float64), axis=1)
  return np.stack([spacings.number_variance(row, length_Q) for row in rows])


def unconnected(level_N: Any, tau_Q: Any) -> np.ndarray:
  """Returns |sum_n e^(2 pi i tau x_n)|^2 / N of one whole sequence.

  Neither tapered, nor averaged, nor freed of the mean density: a value
  scatters as much as its mean.
  """
  level_N = _finite(level_N)
  return np.abs(spacings.waves(level_N, tau_Q)) ** 2 / len(level_N)


class PlateauAsPublished(NamedTuple):
  """A published grid of tau (Heisenberg time 2 pi) and its "plateau"."""

  tau_Q: np.ndarray
  low: float
  high: float


_LOGARITHMIC = np.geomspace(0.1, 2 * np.pi, 100)
# Means of K over low < tau < high; the first two hold the resonance tau = 2 pi
# and the third lies in the ramp.
PLATEAUS_AS_PUBLISHED = {
  "elephant": PlateauAsPublished(_LOGARITHMIC, 4, np.inf),
  "scaling": PlateauAsPublished(_LOGARITHMIC, 2, np.inf),
  "null test": PlateauAsPublished(_LOGARITHMIC, 3, 5.5),
}


def form_factor_as_published(spacing_N: Any, tau_Q: Any) -> np.ndarray:
  """Returns |sum e^(i tau u_n)|^2 / N, u the sum of spacings from 0."""
  level_N = np.append(0.0, np.cumsum(_finite(spacing_N)))
  return unconnected(level_N, np.asarray(tau_Q) / (2 * np.pi))


def plateau_as_published(spacing_N: Any, measure: str) -> float:
  """Returns the mean of K over one of `PLATEAUS_AS_PUBLISHED`.

  Raises ValueError for another measure.
  """
  if measure not in PLATEAUS_AS_PUBLISHED:
    raise ValueError(f"measure must be one of {', '.join(PLATEAUS_AS_PUBLISHED)}, got {measure!r}.")
  tau_Q, low, high = PLATEAUS_AS_PUBLISHED[measure]
  tau_Q = tau_Q[(tau_Q > low) & (tau_Q < high)]
  return float(form_factor_as_published(spacing_N, tau_Q).mean())


def gue_error_as_published(spacing_N: Any) -> float:
  """Returns the mean of (K - tau)^2 on 0.01 <= tau < 1, as published.

  100 points of tau to 2, here in Heisenberg units, of one unaveraged K of the
  centred levels: about 1/3 for GUE levels, since K scatters by itself.
  """
  tau_Q = np.linspace(0.01, 2, 100)
  tau_Q = tau_Q[tau_Q < 1]
  level_N = np.cumsum(_finite(spacing_N))
  k_Q = unconnected(level_N - level_N.mean(), tau_Q)
  return float(np.mean((k_Q - tau_Q) ** 2))


def _inside(k_RxQ, tau_Q, part, least):
  tau_Q, (low, high) = np.asarray(tau_Q, np.float64), part
  inside_Q = (tau_Q >= low) & (tau_Q <= high)
  if inside_Q.sum() < least:
    raise ValueError(f"tau in {low}..{high} needs {least} values or more.")
  return np.asarray(k_RxQ, np.float64)[:, inside_Q], tau_Q[inside_Q]


def _finite(value_N):
  value_N = np.asarray(value_N, np.float64)
  if value_N.ndim != 1 or not len(value_N) or not np.isfinite(value_N).all():
    raise ValueError(f"need finite numbers in a row, got {value_N.shape}.")
  return value_N
