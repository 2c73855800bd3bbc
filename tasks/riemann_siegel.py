"""Hardy's function Z(t) = e^(i theta(t)) zeta(1/2 + i t), real on the line.

By the Riemann-Siegel formula with Gabcke's five terms,

  Z(t) = 2 sum_{n <= m} cos(theta(t) - t ln n) / sqrt n + (-1)^(m-1) x^(-1/4)
    sum_k C_k(p) x^(-k/2),  x = t / 2 pi,  m = floor(sqrt x),  p = sqrt x - m,

and by Euler-Maclaurin summation where t is small. A phase t ln n has t / 10^16
of rounding in float64; here t ln n / 2 pi is reduced in two floats first.
Sources: W. Gabcke, dissertation, Goettingen 1979; H. M. Edwards, Riemann's Zeta
Function, chapters 6 and 7.
"""

import decimal
import functools

import numpy as np
import scipy.special

LEAST = 1500.0  # five terms leave 0.017 t^(-11/4), 3e-11, from here on
_PI = decimal.Decimal("3.14159265358979323846264338327950288419716939937511")
_DIGITS = decimal.Context(prec=44)
_SPLIT = 134217729.0  # 2^27 + 1: halves of a float64 that multiply exactly
_TAIL = ((1 / 48, 1), (7 / 5760, 3), (31 / 80640, 5), (127 / 430080, 7))


def theta(t):
  """Returns the Riemann-Siegel theta function, for t >= 9, float64.

  t/2 ln(t / 2 pi e) - pi/8 + 1/(48 t) + 7/(5760 t^3) + ...
  """
  t = np.asarray(t, np.float64)
  return t / 2 * (np.log(t / (2 * np.pi)) - 1) - np.pi / 8 + tail(t)


def tail(t):
  """Returns the part of theta that vanishes at infinity."""
  return sum(share / t**power for share, power in _TAIL)


def gram(index_N) -> np.ndarray:
  """Returns the Gram points, theta(g_n) = n pi, of indices n >= -1."""
  index_N = np.asarray(index_N, np.float64)
  argument_N = (index_N + 1 / 8) / np.e
  t_N = 2 * np.pi * np.exp(1 + scipy.special.lambertw(argument_N).real)
  for _ in range(3):  # the start leaves out the tail alone
    slope_N = np.log(t_N / (2 * np.pi)) / 2
    t_N = t_N - (theta(t_N) - np.pi * index_N) / slope_N
  return t_N


def theta_turns(t: float) -> float:
  """Returns theta(t) / 2 pi mod 1, with 28 digits taken before the mod."""
  exact = _DIGITS.create_decimal(t)
  with decimal.localcontext(_DIGITS):
    x = exact / (2 * _PI)
    turns = x / 2 * (x.ln() - 1) - decimal.Decimal(1) / 16
    turns -= turns.to_integral_value()
  return float(turns) + tail(t) / (2 * np.pi)


@functools.lru_cache(maxsize=4)
def _log_turns(count: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns ln n / 2 pi of n = 1..count in two floats, high and low."""
  high_K, low_K = np.empty(count), np.empty(count)
  with decimal.localcontext(_DIGITS):
    turn = 1 / (2 * _PI)
    for n in range(1, count + 1):
      exact = decimal.Decimal(n).ln() * turn
      high_K[n - 1] = float(exact)
      low_K[n - 1] = float(exact - decimal.Decimal(high_K[n - 1]))
  return high_K, low_K


def turns(t_B, count: int) -> np.ndarray:
  """Returns t ln n / 2 pi less a whole number, n = 1..count, BxK.

  Correct to some 1e-16 turns for t below 10^14: the product is taken in two
  floats (Dekker's), and the whole turns are dropped from the first.
  """
  high_K, low_K = _log_turns(1 << max(6, (count - 1).bit_length()))
  high_K, low_K = high_K[:count], low_K[:count]
  t_Bx1 = np.asarray(t_B, np.float64)[:, None]
  upper_Bx1, lower_Bx1 = _halves(t_Bx1)
  upper_K, lower_K = _halves(high_K)
  product = t_Bx1 * high_K
  error = upper_Bx1 * upper_K - product
  error += upper_Bx1 * lower_K
  error += lower_Bx1 * upper_K
  error += lower_Bx1 * lower_K
  error += t_Bx1 * low_K
  return (product - np.rint(product)) + error


def _halves(a):
  far = _SPLIT * a
  upper = far - (far - a)
  return upper, a - upper


@functools.cache
def remainder_series() -> np.ndarray:
  """Returns C_0..C_4 as polynomials in p - 1/2: rows, lowest power first.

  Psi(p) = cos(2 pi (p^2 - p - 1/16)) / cos(2 pi p) is entire; its Taylor
  coefficients are its Fourier coefficients on the unit circle around 1/2.
  """
  size = 256
  y_N = np.exp(2j * np.pi * (np.arange(size) + 0.5) / size)
  psi_N = -np.cos(2 * np.pi * y_N**2 - 5 * np.pi / 8) / np.cos(2 * np.pi * y_N)
  power_N = np.arange(size)
  value_N = np.fft.fft(psi_N) / size * np.exp(-1j * np.pi * power_N / size)
  psi_N = np.where(power_N % 2 == 0, value_N.real, 0.0)[:80]
  slope = lambda order: np.polynomial.polynomial.polyder(psi_N, order)
  pi = np.pi
  parts = (
    ((1.0, 0),),
    ((-1 / (96 * pi**2), 3),),
    ((1 / (18432 * pi**4), 6), (1 / (64 * pi**2), 2)),
    ((-1 / (5308416 * pi**6), 9), (-1 / (3840 * pi**4), 5), (-1 / (64 * pi**2), 1)),
    (
      (1 / (2038431744 * pi**8), 12),
      (11 / (5898240 * pi**6), 8),
      (19 / (24576 * pi**4), 4),
      (1 / (128 * pi**2), 0),
    ),
  )
  rows = np.zeros((5, len(psi_N)))
  for row, terms in zip(rows, parts, strict=True):
    for weight, order in terms:
      derivative = slope(order)
      row[: len(derivative)] += weight * derivative
  # On |p - 1/2| <= 1/2 the rest is below 1e-17.
  return rows[:, :56]


def low(t_N, *, terms: int = 900, corrections: int = 16) -> np.ndarray:
  """Returns Z(t) by Euler-Maclaurin summation, for t up to about `terms` * 2.

  Raises ValueError above, where the sum no longer converges fast.
  """
  t_N = np.atleast_1d(np.asarray(t_N, np.float64))
  if len(t_N) and t_N.max() > 2 * terms:
    raise ValueError(f"t={t_N.max():g} needs more than {terms} terms.")
  s_N = 0.5 + 1j * t_N
  log_K = np.log(np.arange(1, terms))
  zeta_N = np.array([np.exp(-s * log_K).sum() for s in s_N])
  end_N = np.exp(-s_N * np.log(terms))
  zeta_N += end_N * terms / (s_N - 1) + end_N / 2
  bernoulli = scipy.special.bernoulli(2 * corrections)
  term_N = s_N * end_N / terms
  for k in range(1, corrections + 1):
    zeta_N += bernoulli[2 * k] * term_N / scipy.special.factorial(2 * k)
    term_N = term_N * (s_N + 2 * k - 1) * (s_N + 2 * k) / terms**2
  return (np.exp(1j * theta(t_N)) * zeta_N).real
