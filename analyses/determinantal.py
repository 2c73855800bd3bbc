"""Spacings of determinantal levels of mean spacing 1, exact, by quadrature.

The sine process (the limit of GUE and CUE, which zeta zeros follow) and CUE of
a given size. An interval's operator becomes a matrix at Gauss-Legendre nodes,
which converges exponentially (Bornemann, Math. Comp. 79, 2010). On the host,
in float64.
"""

from typing import Any, NamedTuple

import numpy as np

_REACH = 6.0  # mean spacings beyond the mean length of the longest sum
_LEAST = 1e-18  # eigenvalues below change nothing in float64


class Moments(NamedTuple):
  """Variance of a spacing, and correlations of spacings 1..Q apart."""

  variance: float
  correlation_Q: np.ndarray

  @property
  def autocovariance_Q(self) -> np.ndarray:
    """c_0..c_Q, as `autoregression.yule_walker` takes them."""
    return self.variance * np.append(1.0, self.correlation_Q)


def kernel(distance: Any, size: int = 0) -> np.ndarray:
  """Returns K(x) = sin(pi x) / (N sin(pi x / N)), or sin(pi x) / (pi x).

  Of CUE of `size` N, or of the sine process (size 0); K(0) = 1.
  """
  distance = np.asarray(distance, np.float64)
  if not size:
    return np.sinc(distance)
  safe = np.where(distance == 0, 0.5, distance)
  ratio = np.sin(np.pi * safe) / (size * np.sin(np.pi * safe / size))
  return np.where(distance == 0, 1.0, ratio)


def counts(length: float, most: int, size: int = 0) -> np.ndarray:
  """Returns E_0..E_most, the chances of j levels in an interval.

  The number of levels is a sum of independent choices with the eigenvalues of
  the kernel on the interval as chances (Hough et al. 2006).
  """
  node_B, weight_B = np.polynomial.legendre.leggauss(int(4 * length) + 24)
  x_B, root_B = node_B / 2 * length, np.sqrt(weight_B / 2 * length)
  matrix_BxB = kernel(x_B[:, None] - x_B[None, :], size)
  matrix_BxB = root_B[:, None] * matrix_BxB * root_B[None, :]
  chance = np.array([1.0])
  for value in np.clip(np.linalg.eigvalsh(matrix_BxB), 0, 1):
    if value > _LEAST:
      chance = np.convolve(chance, [1 - value, value])[: most + 1]
  return np.pad(chance, (0, most + 1 - len(chance)))


def spacing_moments(lags: int, size: int = 0) -> Moments:
  """Returns the variance and the correlations at lags 1..Q of spacings.

  The sum of k spacings has the second moment 2 sum_{j<k} (k - j) int E_j(s) ds
  and second differences of its variance are twice the covariances. The sine
  process (size 0): variance 0.17999388 (Gaudin), lag 1 -0.30837.

  Raises ValueError unless 1 <= lags, and lags <= size - 2 for CUE.
  """
  if lags < 1 or (size and lags > size - 2):
    raise ValueError(f"lags={lags} must lie in 1..size - 2 (size={size}).")
  top = lags + 1 + _REACH
  top = min(top, float(size)) if size else top
  node_B, weight_B = np.polynomial.legendre.leggauss(int(6 * top) + 24)
  mean_Q = np.zeros(lags + 1)
  for node, weight in zip(node_B, weight_B, strict=True):
    mean_Q += weight * top / 2 * counts((node + 1) / 2 * top, lags, size)
  order_Q = np.arange(1, lags + 2)
  moment_Q = [2 * np.arange(k, 0, -1) @ mean_Q[:k] for k in order_Q]
  variance_Q = np.append(0.0, moment_Q - order_Q**2)
  variance = variance_Q[1]
  return Moments(float(variance), np.diff(variance_Q, 2) / 2 / variance)
