"""Exact laws of determinantal levels, the exact next-spacing predictor, closed forms.

The sine process (the limit of GUE and CUE, which zeta zeros follow) and CUE of
a given size. An interval's operator becomes a matrix at Gauss-Legendre nodes,
which converges exponentially (Bornemann, Math. Comp. 79, 2010). On the host,
in float64.

"goe" and "gue" are the eigenvalues of large real symmetric and complex
Hermitian noise (zeta zeros follow the second), "poisson" independent levels;
the mean spacing is 1. Source: Mehta, Random Matrices, 3rd ed. 2004.

Given the last k spacings, points x_0 < ... < x_k with nothing between them, the
next point of the sine process comes later than s with chance
J(X; [x_0, x_k + s]) / J(X; [x_0, x_k]), where the Janossy density of points X
in an interval that holds no others is det K(X, X) det(1 - K^X), with the kernel
K^X(x, y) = K(x, y) - K(x, X) K(X, X)^-1 K(X, y) of the process given X (Palm).
Unlike det(1 - K), the second determinant is far from 0 on a long interval.
Gauss-Legendre quadrature (Bornemann, Math. Comp. 79, 2010), float64, host.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.special
import threadpoolctl

# --- spacings of determinantal levels -------------------------------------------------------------


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


# --- closed forms of the ensembles ----------------------------------------------------------------


Ensemble = Literal["goe", "gue", "poisson"]
ENSEMBLES: tuple[Ensemble, ...] = ("goe", "gue", "poisson")


def spacing_cdf(spacing: Any, ensemble: Ensemble) -> np.ndarray:
  """Returns the share of spacings below s, mean 1: 1 - exp(-s) of "poisson",
  Wigner's surmise 1 - exp(-pi s^2 / 4) of "goe", and of "gue"
  erf(2 s / sqrt pi) - (4 s / pi) exp(-4 s^2 / pi). Below 0 there is none; a
  polynomial that unfolds may give such spacings.
  """
  spacing = np.maximum(np.asarray(spacing, np.float64), 0)
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


# --- the next spacing, given the last ones --------------------------------------------------------


TOP = 5.0  # a longer spacing has a chance of about exp(-(5 pi)^2 / 8)
_AHEAD = 16  # values of s at which the survival is computed
_PANEL = 4  # nodes between two of them
_CHUNK = 2_000_000  # matrix entries held at once


def next_mean(history_NxQ, *, chunk: int = _CHUNK) -> np.ndarray:
  """Returns E[s | the last Q spacings] of every row, most recent first.

  int_0^top P(next > s) ds, by one Cholesky factor per row: its leading minors
  are the determinants of the growing intervals. Q = 0 columns give 1.
  Raises ValueError for spacings that are not positive, no matrix, or spacings
  that the process all but excludes (above 5; several far below 0.01).
  """
  history_NxQ = _checked(history_NxQ)
  node_B, weight_B = np.polynomial.legendre.leggauss(_AHEAD)
  stop_B, share_B = (node_B + 1) / 2 * TOP, weight_B / 2 * TOP
  ahead, ahead_weight = _panels(np.append(0.0, stop_B))
  found_N = np.empty(len(history_NxQ))
  nodes = _behind(history_NxQ.shape[1]) + len(ahead)
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    for rows in _chunks(len(history_NxQ), nodes, chunk):
      point_NxP = _points(history_NxQ[rows])
      x_NxB, w_NxB = _past(point_NxP)
      log_N, log_NxB = _log_minors(point_NxP, x_NxB, w_NxB, ahead, ahead_weight)
      ends_NxB = log_NxB[:, _PANEL - 1 :: _PANEL] - log_N[:, None]
      found_N[rows] = np.exp(ends_NxB) @ share_B
  return found_N


def next_log_density(history_NxQ, spacing_N, *, chunk: int = _CHUNK) -> np.ndarray:
  """Returns ln p(s_N | the last Q spacings), in nats.

  The ratio of the Janossy densities with and without the next point.
  Raises ValueError as `next_mean` does.
  """
  history_NxQ = _checked(history_NxQ)
  spacing_N = np.asarray(spacing_N, np.float64)
  longer_NxQ = _checked(np.column_stack([spacing_N, history_NxQ]))
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    return _log_janossy(longer_NxQ, chunk) - _log_janossy(history_NxQ, chunk)


def _log_janossy(history_NxQ, chunk) -> np.ndarray:
  """Returns the log density of runs of Q spacings times that of a point, 1."""
  found_N = np.empty(len(history_NxQ))
  nodes = _behind(history_NxQ.shape[1])
  for rows in _chunks(len(history_NxQ), max(nodes, 1), chunk):
    point_NxP = _points(history_NxQ[rows])
    gram_NxPxP = kernel(_differences(point_NxP, point_NxP))
    x_NxB, w_NxB = _past(point_NxP)
    log_N, _ = _log_minors(point_NxP, x_NxB, w_NxB, np.zeros(0), np.zeros(0))
    found_N[rows] = np.linalg.slogdet(gram_NxPxP)[1] + log_N
  return found_N


def _log_minors(point_NxP, x_NxB, w_NxB, ahead, ahead_weight):
  """Returns ln det(1 - K^X) behind, N, and at every node ahead, NxB."""
  rows, behind = x_NxB.shape
  spread = lambda more: np.broadcast_to(more, (rows, len(more)))
  x_NxB = np.concatenate([x_NxB, spread(ahead)], axis=1)
  root_NxB = np.sqrt(np.concatenate([w_NxB, spread(ahead_weight)], axis=1))
  gram_NxPxP = kernel(_differences(point_NxP, point_NxP))
  cross_NxPxB = kernel(_differences(point_NxP, x_NxB))
  half_NxPxB = np.linalg.solve(_cholesky(gram_NxPxP), cross_NxPxB)
  palm_NxBxB = kernel(_differences(x_NxB, x_NxB))
  palm_NxBxB -= half_NxPxB.swapaxes(1, 2) @ half_NxPxB
  palm_NxBxB *= root_NxB[:, :, None] * root_NxB[:, None, :]
  factor = _cholesky(np.eye(x_NxB.shape[1])[None] - palm_NxBxB)
  diagonal_NxB = np.diagonal(factor, axis1=1, axis2=2)
  log_NxB = 2 * np.cumsum(np.log(diagonal_NxB), axis=1)
  before_N = log_NxB[:, behind - 1] if behind else np.zeros(rows)
  return before_N, log_NxB[:, behind:]


def _points(history_NxQ) -> np.ndarray:
  """Returns the points behind, the last one at 0: x_k, ..., x_0."""
  return -np.pad(np.cumsum(history_NxQ, axis=1), ((0, 0), (1, 0)))


def _past(point_NxP):
  """Returns quadrature nodes and weights on [x_0, 0]: NxB each."""
  count = _behind(point_NxP.shape[1] - 1)
  node_B, weight_B = np.polynomial.legendre.leggauss(max(count, 1))
  node_B, weight_B = node_B[:count], weight_B[:count]
  length_Nx1 = -point_NxP[:, -1:]
  return (node_B - 1) / 2 * length_Nx1, weight_B / 2 * length_Nx1


def _behind(lags: int) -> int:
  return 4 * lags + 12 if lags else 0


def _panels(edge_E) -> tuple[np.ndarray, np.ndarray]:
  """Returns nodes and weights of Gauss-Legendre between neighbouring edges."""
  node_B, weight_B = np.polynomial.legendre.leggauss(_PANEL)
  width_Ex1 = np.diff(edge_E)[:, None]
  node_ExB = edge_E[:-1, None] + (node_B + 1) / 2 * width_Ex1
  return node_ExB.ravel(), (weight_B / 2 * width_Ex1).ravel()


def _cholesky(matrix_NxBxB) -> np.ndarray:
  try:
    return np.linalg.cholesky(matrix_NxBxB)
  except np.linalg.LinAlgError:
    raise ValueError(
      "spacings that the sine process all but excludes have no prediction:"
      " use those of a sequence that repels."
    ) from None


def _differences(x_NxB, y_NxP) -> np.ndarray:
  return x_NxB[:, :, None] - y_NxP[:, None, :]


def _chunks(rows: int, nodes: int, chunk: int) -> Iterator[slice]:
  step = max(1, chunk // nodes**2)
  for first in range(0, rows, step):
    yield slice(first, first + step)


def _checked(history_NxQ) -> np.ndarray:
  history_NxQ = np.asarray(history_NxQ, np.float64)
  if history_NxQ.ndim != 2 or not np.all(history_NxQ > 0):
    raise ValueError(f"need positive spacings NxQ, got the shape {history_NxQ.shape}.")
  return history_NxQ
