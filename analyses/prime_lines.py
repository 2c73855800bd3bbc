"""Prime lines: waves at the logarithms of primes in a sequence along heights.

By the explicit formula the residual r_n of the spacing that starts at the zero
g_n holds a wave cos(g_n ln p + phase) for every prime p. The functions take
any numbers r_n at any heights g_n: spacings, or a network's predictions of
them. On the host. Source: docs/sources/zeros.md, section 7.1.
"""

from typing import Any

import numpy as np
from primelens.analyses import counts, prime_waves

_CHUNK = 4_000_000  # waves' values held at once


def coefficients(residual: Any, height_N: Any, frequency_Q: Any) -> np.ndarray:
  """Returns (2 / n) sum_n r_n exp(i g_n w) of every frequency: ...xQ, complex.

  Of one sequence N or of several at the same heights, RxN. The mean of each is
  taken off first, lest its own leakage be read as a wave. A wave A cos(w g + b)
  is found as A exp(-i b) where w spans many periods. Phases are reduced in
  float64 and their waves taken in float32: right to 1e-6 of the residuals.

  Raises ValueError if residuals and heights differ in number.
  """
  residual = np.asarray(residual, np.float64)
  height_N = np.asarray(height_N, np.float64)
  frequency_Q = np.asarray(frequency_Q, np.float64)
  if residual.shape[-1:] != height_N.shape:
    raise ValueError(f"need a residual per height, got {residual.shape} and {height_N.shape}.")
  residual = residual - residual.mean(-1, keepdims=True)
  residual = residual.astype(np.float32)
  total = np.zeros((*residual.shape[:-1], len(frequency_Q)), np.complex128)
  step = max(1, _CHUNK // max(1, len(frequency_Q)))
  for first in range(0, len(height_N), step):
    part = slice(first, first + step)
    phase_NxQ = _phases(height_N[part], frequency_Q)
    total.real += residual[..., part] @ np.cos(phase_NxQ)
    total.imag += residual[..., part] @ np.sin(phase_NxQ)
  return 2 / len(height_N) * total


def amplitudes(residual: Any, height_N: Any, frequency_Q: Any) -> np.ndarray:
  """Returns |(2 / n) sum_n r_n exp(i g_n w)| of every frequency: ...xQ.

  The moduli of `coefficients`, which see.
  """
  return np.abs(coefficients(residual, height_N, frequency_Q))


def displacements(spacing: Any, height_N: Any, gap_N: Any, frequency_Q: Any) -> np.ndarray:
  """Returns the waves in where the next zeros are put: ...xQ, complex.

  (2 / n w) sum_n [exp(i w (g_n + s_n d_n)) - exp(i w (g_n + d_n))] / d_n, of
  spacings s in mean gaps d. To first order in s - 1 these are `coefficients`,
  turned by a quarter and w d; but the sums of exp(i w g_n) over zeros are known
  exactly, -(T / 2 pi) ln p / sqrt p (Landau 1911), so that the true spacings
  have the modulus of `law` at every prime, large ones too.
  """
  spacing = np.asarray(spacing, np.float64)
  height_N, gap_N = np.asarray(height_N, float), np.asarray(gap_N, float)
  flat_RxN = spacing.reshape(-1, len(height_N))
  frequency_Q = np.asarray(frequency_Q, np.float64)
  weight_N = 1 / gap_N
  total_RxQ = np.array(
    [_sum(height_N + gap_N * row_N, weight_N, frequency_Q) for row_N in flat_RxN]
  )
  total_RxQ -= _sum(height_N + gap_N, weight_N, frequency_Q)
  total_RxQ *= 2 / (len(height_N) * frequency_Q)
  return total_RxQ.reshape(*spacing.shape[:-1], -1)


def _sum(place_N, weight_N, frequency_Q) -> np.ndarray:
  """Returns sum_n weight_n exp(i w place_n)."""
  total_Q = np.zeros(len(frequency_Q), np.complex128)
  step = max(1, _CHUNK // max(1, len(frequency_Q)))
  for first in range(0, len(place_N), step):
    part = slice(first, first + step)
    phase_NxQ = _phases(place_N[part], frequency_Q)
    weight = weight_N[part].astype(np.float32)
    total_Q.real += weight @ np.cos(phase_NxQ)
    total_Q.imag += weight @ np.sin(phase_NxQ)
  return total_Q


def _phases(place_N, frequency_Q) -> np.ndarray:
  """Returns place x frequency less whole turns, reduced before float32."""
  turn_NxQ = place_N[:, None] * (frequency_Q / (2 * np.pi))
  turn_NxQ -= np.rint(turn_NxQ)
  return (2 * np.pi * turn_NxQ).astype(np.float32)


def law(prime_Q: Any, height: float, *, power: int = 1) -> np.ndarray:
  """Returns the amplitude that S(t) gives residuals at the frequency m ln p.

  2 |sin(d m ln p / 2)| / (pi m p^(m/2)), d = 2 pi / ln(g / 2 pi) the mean gap:
  r_n = -[S(g_n+1) - S(g_n)] with the gap replaced by its mean: `coefficients`
  of the truth fall behind it at large primes (by a fifth below 3,000), as zeros
  are themselves displaced by more than a wave is long; `displacements` do not.
  """
  prime_Q = np.asarray(prime_Q, np.float64)
  gap = prime_waves.mean_spacing(height)
  turn_Q = np.sin(gap * power * np.log(prime_Q) / 2)
  return 2 * np.abs(turn_Q) / (np.pi * power * prime_Q ** (power / 2))


def powers(prime_Q: Any, limit: int) -> np.ndarray:
  """Returns the powers p^m, m >= 2, up to a limit, rising."""
  found = []
  for prime in np.asarray(prime_Q).tolist():
    power = prime**2
    while power <= limit:
      found.append(power)
      power *= prime
  return np.array(sorted(found), np.int64)


def composites(prime_Q: Any, limit: int) -> np.ndarray:
  """Returns the numbers 2..limit that are no prime and no power of one.

  `prime_Q` has all primes up to the limit. The explicit formula has no wave at
  their logarithms: a null with the same frequencies' density.
  """
  lone = np.ones(limit + 1, bool)
  lone[:2] = False
  lone[np.asarray(prime_Q)] = False
  lone[powers(prime_Q, limit)] = False
  return np.flatnonzero(lone)


def every_line(prime_Q: Any, limit: int) -> np.ndarray:
  """Returns m ln p of all prime powers p^m up to a limit, rising.

  `prime_Q` has all primes up to the limit.
  """
  prime_Q = np.asarray(prime_Q)
  return np.sort(np.log(np.concatenate([prime_Q, powers(prime_Q, limit)])))


def planted(
  residual_N: Any, height_N: Any, frequency_Q: Any, amplitude_Q: Any, *, seed: int
) -> np.ndarray:
  """Returns residuals with a wave A cos(w g + b) added per frequency.

  Phases b are random: the positive control of a reading.
  """
  counts.whole(seed=seed)
  rng = np.random.default_rng(seed)
  planted_N = np.array(residual_N, np.float64)
  for frequency, amplitude in zip(frequency_Q, amplitude_Q, strict=True):
    phase = rng.uniform(0, 2 * np.pi)
    wave_N = np.cos(np.asarray(height_N, np.float64) * frequency + phase)
    planted_N += amplitude * wave_N
  return planted_N
