"""Autoregressive filters of a one-dimensional sequence, float64, on the host.

Filters act on the residual r = s - 1 of unit-mean spacings and list the most
recent lag first. They read the whole past of the flat sequence.
"""

import dataclasses
import functools

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.signal
from primelens.analyses import linear, sine_process

LOG_2PI = float(np.log(2 * np.pi))


@dataclasses.dataclass(frozen=True)
class YuleWalker:
  """Filters of every order: row q - 1 of the table is the AR(q) filter."""

  coefficient_QxQ: np.ndarray
  variance_Q: np.ndarray
  power: float

  def order(self, order: int) -> tuple[np.ndarray, float]:
    """Returns the coefficients and the innovation variance of one order."""
    if not 1 <= order <= len(self.variance_Q):
      raise ValueError(f"order {order} is not in 1..{len(self.variance_Q)}.")
    row = order - 1
    return self.coefficient_QxQ[row, :order], float(self.variance_Q[row])

  @property
  def r2_Q(self) -> np.ndarray:
    """In-sample R2 of every order, 1 - v_q / c_0."""
    return linear.explained(self.variance_Q, np.full(len(self.variance_Q), self.power))

  @property
  def nll_Q(self) -> np.ndarray:
    """In-sample Gaussian NLL of every order, (ln 2 pi v_q + 1) / 2, in nats."""
    return 0.5 * (LOG_2PI + np.log(self.variance_Q) + 1)


def autocovariance(residual_N, lags: int) -> np.ndarray:
  """Returns c_0..c_lags, biased (1/n) and without removing the mean.

  c_k = (1/n) sum_n r_n r_{n-k}, by FFT: shape (lags + 1,). Dividing by n keeps
  the Toeplitz matrix of c positive definite, so that Yule-Walker is stable.
  Raises ValueError unless 0 <= lags < n.
  """
  x_N = np.asarray(residual_N, np.float64)
  if not 0 <= lags < len(x_N):
    raise ValueError(f"lags={lags} must lie in 0..{len(x_N) - 1}.")
  size = scipy.fft.next_fast_len(len(x_N) + lags, real=True)
  spectrum = scipy.fft.rfft(x_N, size)
  power = (spectrum * spectrum.conj()).real
  return scipy.fft.irfft(power, size)[: lags + 1] / len(x_N)


def yule_walker(autocovariance_Q) -> YuleWalker:
  """Returns the Yule-Walker filters of every order, by Levinson's recursion.

  phi_q = T_q^-1 (c_1..c_q) and v_q = c_0 - phi_q . (c_1..c_q), with T_q the
  Toeplitz matrix of c_0..c_{q-1}; c_0..c_Q give q = 1..Q in one pass.
  Raises ValueError without a positive c_0 and at least one lag.
  """
  c = np.asarray(autocovariance_Q, np.float64)
  order = len(c) - 1
  if order < 1 or c[0] <= 0:
    raise ValueError(f"need c_0 > 0 and one lag or more, got {c[:2]}.")
  phi_QxQ, variance_Q = np.zeros((order, order)), np.zeros(order)
  phi, variance = np.zeros(0), c[0]
  for q in range(order):
    reflection = (c[q + 1] - phi @ c[q:0:-1]) / variance
    phi = np.append(phi - reflection * phi[::-1], reflection)
    variance = variance * (1 - reflection**2)
    phi_QxQ[q, : q + 1], variance_Q[q] = phi, variance
  return YuleWalker(phi_QxQ, variance_Q, float(c[0]))


def fitted(residual_N, order: int) -> YuleWalker:
  """Returns the Yule-Walker filters up to an order of a sequence's own."""
  return yule_walker(autocovariance(residual_N, order))


@functools.cache
def of_sine_process(order: int) -> YuleWalker:
  """Returns the Yule-Walker filters up to an order of the sine process.

  Of the exact covariances, `sine_process.spacing_moments`: those who know no
  primes. Raises ValueError without at least one lag.
  """
  return yule_walker(sine_process.spacing_moments(order).autocovariance_Q)


@dataclasses.dataclass(frozen=True)
class LeastSquares:
  """Normal equations of one stretch: filters of every order, on one set of
  targets. `moment_Q` and `gram_QxQ` are sums over `targets` targets."""

  gram_QxQ: np.ndarray
  moment_Q: np.ndarray
  power: float
  targets: int

  def order(self, order: int) -> tuple[np.ndarray, float]:
    """Returns the coefficients of one order and the variance of its errors.

    `phi = G^-1 m`, and the mean square of the residuals times (1 + p / n)^2, what
    p coefficients fitted on n targets may be expected to miss next (Akaike's
    final prediction error, to first order). Raises ValueError for an order
    outside 1..Q.
    """
    if not 1 <= order <= len(self.moment_Q):
      raise ValueError(f"order {order} is not in 1..{len(self.moment_Q)}.")
    moment_Q = self.moment_Q[:order]
    factor = scipy.linalg.cho_factor(self.gram_QxQ[:order, :order])
    phi_Q = scipy.linalg.cho_solve(factor, moment_Q)
    left = (self.power - phi_Q @ moment_Q) / self.targets
    return phi_Q, float(left * (1 + order / self.targets) ** 2)


def least_squares(residual_N, start: int, stop: int, order: int) -> LeastSquares:
  """Returns the least-squares filters up to an order, without intercept.

  Targets are r_start..r_{stop-1}, regressors the values before each, up to
  `order` of them. Raises ValueError if they do not fit in the sequence.
  """
  x_N = np.asarray(residual_N, np.float64)
  if start < order or stop > len(x_N) or stop - start <= order:
    raise ValueError(
      f"targets [{start}, {stop}) of {len(x_N)} values cannot fit AR({order}):"
      f" it needs {order} values before them and more than {order} of them."
    )
  target_W = x_N[start:stop]
  return LeastSquares(
    gram_QxQ=lag_gram(x_N, start, stop, order),
    moment_Q=_products(x_N[start - order : stop - 1], target_W),
    power=float(target_W @ target_W),
    targets=stop - start,
  )


def lag_gram(residual_N, start: int, stop: int, order: int) -> np.ndarray:
  """Returns G_ij = sum_{start <= n < stop} r_{n-1-i} r_{n-1-j}, (order, order).

  Moving both lags back by one shifts the stretch by one, so
  G_{i+1,j+1} = G_ij + r_{start-2-i} r_{start-2-j} - r_{stop-2-i} r_{stop-2-j}:
  one row of correlations gives the rest, O(W p + p^2) instead of O(W p^2).
  """
  x_N = np.asarray(residual_N, np.float64)
  row_Q = _products(x_N[start - order : stop - 1], x_N[start - 1 : stop - 1])
  enter = x_N[start - order : start - 1][::-1]
  leave = x_N[stop - order : stop - 1][::-1]
  change = np.outer(enter, enter) - np.outer(leave, leave)
  gram_QxQ = np.empty((order, order))
  gram_QxQ[0] = gram_QxQ[:, 0] = row_Q
  for i in range(order - 1):
    gram_QxQ[i + 1, 1:] = gram_QxQ[i, :-1] + change[i]
  return gram_QxQ


def predict(residual_N, coefficient_Q, index_N) -> np.ndarray:
  """Returns the one-step predictions sum_k phi_k r_{n-k} for n in `index_N`.

  Raises ValueError if a target has fewer values behind it than the filter.
  """
  x_N = np.asarray(residual_N, np.float64)
  phi_Q = np.asarray(coefficient_Q, np.float64)
  index_N = np.asarray(index_N)
  if not len(index_N):
    return np.zeros(0)
  start, stop = int(index_N.min()), int(index_N.max()) + 1
  if start < len(phi_Q) or stop > len(x_N):
    raise ValueError(
      f"targets {start}..{stop - 1} of {len(x_N)} values: each needs {len(phi_Q)} values before it."
    )
  return _filtered(x_N, phi_Q, start, stop)[index_N - start]


def gaussian_nll(error_N, variance) -> np.ndarray:
  """Returns ln(2 pi v) / 2 + e^2 / (2 v) for every error, in nats.

  `variance` is one number or one per error. Raises ValueError unless v > 0.
  """
  variance = np.asarray(variance, np.float64)
  if not np.all(variance > 0):
    raise ValueError(f"variance must be positive, got {variance.min()}.")
  error_N = np.asarray(error_N, np.float64)
  return 0.5 * (LOG_2PI + np.log(variance) + error_N**2 / variance)


def _filtered(x_N, phi_Q, start: int, stop: int) -> np.ndarray:
  return np.convolve(x_N[start - len(phi_Q) : stop - 1], phi_Q, mode="valid")


def _products(past_M, last_W) -> np.ndarray:
  """Returns the dot products of `last_W` with the past, nearest lag first."""
  return scipy.signal.correlate(past_M, last_W, "valid", method="fft")[::-1]
