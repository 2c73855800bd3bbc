"""The next spacing, for one who knows only the sine kernel: exact.

Given the last k spacings, points x_0 < ... < x_k with nothing between them, the
next point of the sine process comes later than s with chance
J(X; [x_0, x_k + s]) / J(X; [x_0, x_k]), where the Janossy density of points X
in an interval that holds no others is det K(X, X) det(1 - K^X), with the kernel
K^X(x, y) = K(x, y) - K(x, X) K(X, X)^-1 K(X, y) of the process given X (Palm).
Unlike det(1 - K), the second determinant is far from 0 on a long interval.
Gauss-Legendre quadrature (Bornemann, Math. Comp. 79, 2010), float64, host.
"""

from collections.abc import Iterator

import numpy as np
import threadpoolctl
from primelens.analyses import determinantal

TOP = 5.0  # a longer spacing has a chance of about exp(-(5 pi)^2 / 8)
_AHEAD = 16  # values of s at which the survival is computed
_PANEL = 4  # nodes between two of them
_CHUNK = 2_000_000  # matrix entries held at once


def mean(history_NxQ, *, chunk: int = _CHUNK) -> np.ndarray:
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


def log_density(history_NxQ, spacing_N, *, chunk: int = _CHUNK) -> np.ndarray:
  """Returns ln p(s_N | the last Q spacings), in nats.

  The ratio of the Janossy densities with and without the next point.
  Raises ValueError as `mean` does.
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
    gram_NxPxP = determinantal.kernel(_differences(point_NxP, point_NxP))
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
  gram_NxPxP = determinantal.kernel(_differences(point_NxP, point_NxP))
  cross_NxPxB = determinantal.kernel(_differences(point_NxP, x_NxB))
  half_NxPxB = np.linalg.solve(_cholesky(gram_NxPxP), cross_NxPxB)
  palm_NxBxB = determinantal.kernel(_differences(x_NxB, x_NxB))
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
