"""The explicit formula as a predictor of the next zero: no parameter is fitted.

N(t) = theta(t) / pi + 1 + S(t), and S is nearly a sum of waves at m ln p,

  S(t) = -(1/pi) sum_p w(p) sin(t ln p) / sqrt p
         -(1/pi) sum_p w(p^2) sin(2 t ln p) / (2 p),  w(q) = 1 - ln q / ln X,

so that the zero after number n, at g, is where the right side is n + 1/2 next.
Around g the waves are a matrix product of their phases at g with their course
over some mean spacings, which all zeros share. JAX and numpy, float64. Source:
docs/sources/zeros.md, section 7.1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

REACH = 6.0  # mean spacings that are searched
_HALVINGS = 22
_ZEROS, _WAVES = 1024, 4096  # in one piece


class Waves(NamedTuple):
  """S(t) = sum_q amplitude_q sin(frequency_q t)."""

  frequency_Q: np.ndarray
  amplitude_Q: np.ndarray


def waves(prime_Q: Any, limit: float) -> Waves:
  """Returns the tapered waves of the primes and their squares up to `limit`.

  `prime_Q` has all primes up to the limit.
  """
  prime_Q = np.asarray(prime_Q, np.float64)
  prime_Q = prime_Q[prime_Q <= limit]
  square_Q = prime_Q[prime_Q**2 <= limit]
  taper = lambda power: 1 - np.log(power) / np.log(limit)
  alone_Q = -taper(prime_Q) / (np.pi * np.sqrt(prime_Q))
  twice_Q = -taper(square_Q**2) / (2 * np.pi * square_Q)
  return Waves(
    np.concatenate([np.log(prime_Q), 2 * np.log(square_Q)]), np.concatenate([alone_Q, twice_Q])
  )


def following(
  height_N: Any, number_N: Any, sum_of: Waves, smooth: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
  """Returns where the explicit formula puts the zero after each, float64.

  The root t > g_n of smooth(t) + S(t) = n + 1/2 by 22 bisections of [g_n, g_n +
  6 mean spacings]; `smooth` is theta(t) / pi + 1 and `number_N` are the n, the
  first zero's 1. Raises ValueError if heights and numbers differ in shape.
  """
  height_N = np.asarray(height_N, np.float64)
  number_N = np.asarray(number_N)
  if height_N.ndim != 1 or height_N.shape != number_N.shape:
    raise ValueError(f"need a number per height, got {height_N.shape}, {number_N.shape}.")
  parts = [
    _following(height_N[i : i + _ZEROS], number_N[i : i + _ZEROS], sum_of, smooth)
    for i in range(0, len(height_N), _ZEROS)
  ]
  return np.concatenate(parts) if parts else height_N


def _following(height_N, number_N, sum_of: Waves, smooth) -> np.ndarray:
  reach_N = REACH * mean_spacing(height_N)
  series_JxN = _series(height_N, float(reach_N.max()), sum_of)
  low_N, high_N = np.zeros_like(height_N), reach_N
  scale = 2 / reach_N.max()
  for _ in range(_HALVINGS):
    middle_N = (low_N + high_N) / 2
    wave_N = np.polynomial.chebyshev.chebval(scale * middle_N - 1, series_JxN, tensor=False)
    before_N = smooth(height_N + middle_N) + wave_N < number_N + 0.5
    low_N = np.where(before_N, middle_N, low_N)
    high_N = np.where(before_N, high_N, middle_N)
  return height_N + (low_N + high_N) / 2


def mean_spacing(height: Any) -> np.ndarray:
  """Returns 2 pi / ln(t / 2 pi)."""
  return 2 * np.pi / np.log(np.asarray(height, np.float64) / (2 * np.pi))


def _series(height_N, reach: float, sum_of: Waves) -> np.ndarray:
  """Returns S(g_n + (1 + x) reach / 2) as Chebyshev series in x, JxN."""
  phase = reach / 2 * float(sum_of.frequency_Q.max(initial=0.0))
  size = int(phase + 8 * np.cbrt(phase) + 16)
  node_J = np.polynomial.chebyshev.chebpts1(size)
  fill = -len(sum_of.frequency_Q) % min(_WAVES, len(sum_of.frequency_Q) or 1)
  wave_2xQ = np.pad(np.stack(sum_of), ((0, 0), (0, fill)))
  piece_Cx2xW = wave_2xQ.reshape(2, -1, min(_WAVES, wave_2xQ.shape[1]))
  padded_N = np.pad(height_N, (0, _ZEROS - len(height_N)), mode="edge")
  with jax.enable_x64(True):
    value_NxJ = _near(padded_N, (node_J + 1) * reach / 2, piece_Cx2xW.swapaxes(0, 1))
  vander_JxJ = np.polynomial.chebyshev.chebvander(node_J, size - 1)
  return np.linalg.solve(vander_JxJ, np.asarray(value_NxJ)[: len(height_N)].T)


@jax.jit
def _near(height_N, ahead_J, piece_Cx2xW):
  """Returns S at all distances ahead of all heights, NxJ, piece by piece."""

  def add(total_NxJ, wave_2xW):
    frequency_1xW, amplitude_1xW = wave_2xW[:1], wave_2xW[1:]
    phase_NxW = height_N[:, None] * frequency_1xW
    course_JxW = ahead_J[:, None] * frequency_1xW
    sine = jnp.sin(phase_NxW) * amplitude_1xW
    cosine = jnp.cos(phase_NxW) * amplitude_1xW
    part_NxJ = sine @ jnp.cos(course_JxW).T + cosine @ jnp.sin(course_JxW).T
    return total_NxJ + part_NxJ, None

  start = jnp.zeros((len(height_N), len(ahead_J)))
  return jax.lax.scan(add, start, piece_Cx2xW)[0]
