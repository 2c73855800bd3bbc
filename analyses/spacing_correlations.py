"""Correlations of neighbouring spacings with errors, and how they drift.

References are exact (`determinantal.spacing_moments`); variants that published
numbers came from carry `as_published`. On the host, in float64. Source: zeta
spec, section 4.14.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.stats
from primelens.analyses import counts, determinantal

# Of the zeros' two-point correlations (Bogomolny et al., J. Phys. A 39, 2006).
LAMBDA = 1.57314
GOE_LAG1 = -0.27  # of neighbouring spacings; published as that of GUE
_LARGE = 60  # a CUE whose distance from the limit is its leading term


class Correlations(NamedTuple):
  """Moments of spacings, correlations at lags 1..Q, and standard errors."""

  number: int
  mean: float
  variance: float
  variance_error: float
  correlation_Q: np.ndarray
  error_Q: np.ndarray


class Line(NamedTuple):
  """A weighted least-squares fit, its errors, and chi^2 of P - columns."""

  coefficient_V: np.ndarray
  error_V: np.ndarray
  chi2: float
  freedom: int


def correlations(spacing: Any, lags: int, *, block: int = 0) -> Correlations:
  """Returns the autocorrelations of spacings, with errors over blocks.

  rho_k = <r_n r_{n+k}> / <r_n^2>, r = s - mean s. Spacings N in a row are cut
  into blocks of about `block` neighbours, whose mean products are taken as
  independent; those across an edge count too. Rows RxN (matrices) are the
  blocks themselves. Errors are of the ratio, to first order.

  Raises ValueError unless there are two blocks, each longer than `lags`.
  """
  spacing = np.asarray(spacing, np.float64)
  rows_RxN = np.atleast_2d(spacing - spacing.mean())
  blocks = len(rows_RxN) if spacing.ndim == 2 else spacing.size // max(block, 1)
  if blocks < 2 or not 1 <= lags < spacing.size // blocks:
    raise ValueError(
      f"{spacing.shape} spacings, block={block}: need two blocks or more, each"
      f" longer than the {lags} lags."
    )
  product_QxE = _products(rows_RxN, lags, blocks // len(rows_RxN))
  power_E, total = product_QxE[0], product_QxE[0].mean()
  rho_Q = product_QxE[1:].mean(1) / total
  off_QxE = product_QxE[1:] - rho_Q[:, None] * power_E
  return Correlations(
    number=spacing.size,
    mean=float(spacing.mean()),
    variance=float(spacing.var()),
    variance_error=float(power_E.std(ddof=1) / np.sqrt(blocks)),
    correlation_Q=rho_Q,
    error_Q=off_QxE.std(1, ddof=1) / np.sqrt(blocks) / total,
  )


def _products(residual_RxN, lags: int, parts: int) -> np.ndarray:
  """Returns the mean product at lags 0..Q in each part of each row, QxE.

  Parts are as equal as they can be; those at a row's end have fewer products.
  """
  length = residual_RxN.shape[1]
  cut_E = np.linspace(0, length, parts + 1).astype(int)
  rows = []
  for lag in range(lags + 1):
    end = length - lag
    product_RxN = residual_RxN[:, :end] * residual_RxN[:, lag:]
    count_E = np.diff(np.minimum(cut_E, end))
    sum_RxE = np.add.reduceat(product_RxN, cut_E[:-1], axis=1)
    rows.append((sum_RxE / count_E).ravel())
  return np.array(rows)


def zeta_size(height: Any) -> np.ndarray:
  """Returns the size N of the CUE that zeros at a height resemble.

  N = ln(g / 2 pi) / sqrt(12 Lambda), Lambda = 1.57314: it matches the leading
  correction to the density of spacings (Bogomolny, Bohigas, Leboeuf and
  Monastra 2006). It is small, 2.8 at 10^6, so use it for that term alone.
  """
  turns = np.asarray(height, np.float64) / (2 * np.pi)
  return np.log(turns) / np.sqrt(12 * LAMBDA)


def leading_terms(lags: int) -> tuple[determinantal.Moments, np.ndarray]:
  """Returns the sine process's moments, and a_0..a_Q of CUE of large size N.

  Variance and correlations approach them as a / N^2: a_0 of the variance, then
  those of the correlations. With `zeta_size` they say how the zeros should:
  as 12 Lambda a / ln^2(g / 2 pi).
  """
  limit = determinantal.spacing_moments(lags)
  large = determinantal.spacing_moments(lags, _LARGE)
  first = np.append(large.variance, large.correlation_Q)
  last = np.append(limit.variance, limit.correlation_Q)
  return limit, (first - last) * _LARGE**2


def height_blocks(height_N: Any, blocks: int, least: int) -> np.ndarray:
  """Returns the indices that cut rising heights into log-spaced blocks, P + 1.

  At most `blocks` of equal ratio of their ends; one with fewer than `least`
  heights is joined to the next. Raises ValueError without two such blocks.
  """
  height_N = np.asarray(height_N, np.float64)
  edge = np.geomspace(height_N[0], height_N[-1], blocks + 1)[1:-1]
  cuts = [0]
  for index in np.searchsorted(height_N, edge):
    if index - cuts[-1] >= least and len(height_N) - index >= least:
      cuts.append(int(index))
  if len(cuts) < 2:
    raise ValueError(f"{len(height_N)} heights hold no two blocks of {least} or more.")
  return np.array([*cuts, len(height_N)])


def weighted_line(x_PxV: Any, y_P: Any, error_P: Any) -> Line:
  """Returns the least-squares fit of y with independent known errors.

  Raises ValueError unless there are more points than columns.
  """
  x_PxV, y_P = np.asarray(x_PxV, np.float64), np.asarray(y_P, np.float64)
  error_P = np.asarray(error_P, np.float64)
  if len(x_PxV) <= x_PxV.shape[1] or not np.all(error_P > 0):
    raise ValueError(f"need more points than {x_PxV.shape[1]} columns and positive errors.")
  design_PxV = x_PxV / error_P[:, None]
  beta_V, *_ = np.linalg.lstsq(design_PxV, y_P / error_P, rcond=None)
  left_P = y_P / error_P - design_PxV @ beta_V
  spread_VxV = np.linalg.inv(design_PxV.T @ design_PxV)
  return Line(
    coefficient_V=beta_V,
    error_V=np.sqrt(np.diag(spread_VxV)),
    chi2=float(left_P @ left_P),
    freedom=x_PxV.shape[0] - x_PxV.shape[1],
  )


def berry_as_published(spacing_N: Any, bins: int = 10) -> dict[str, Any]:
  """Returns the published regression of lag-1 correlations on 1 / ln(index).

  Equal bins of the sequence, x = 1 / ln(first index + 1000 + half a bin): an
  index within the file and no height. Unweighted; "supported" where p < 0.05
  and the slope is negative. `bin_error` is the standard error of one bin, over
  blocks, which the published fit left aside.
  """
  spacing_N = np.asarray(spacing_N, np.float64)
  size = len(spacing_N) // bins
  first_P = size * np.arange(bins)
  x_P = 1 / np.log(first_P + 1000 + size / 2)
  part_PxN = spacing_N[: bins * size].reshape(bins, size)
  rho_P = [_lag1(part_N) for part_N in part_PxN]
  block = max(4, min(1000, size // 20))
  error_P = [correlations(x, 1, block=block).error_Q[0] for x in part_PxN]
  fit = scipy.stats.linregress(x_P, rho_P)
  return {
    "intercept": float(fit.intercept),
    "slope": float(fit.slope),
    "r2": float(fit.rvalue**2),
    "p": float(fit.pvalue),
    "supported": bool(fit.pvalue < 0.05 and fit.slope < 0),
    "low": float(min(rho_P)),
    "high": float(max(rho_P)),
    "bin_error": float(np.mean(error_P)),
  }


def shuffle_score(spacing_N: Any, *, draws: int = 100, seed: int = 0) -> float:
  """Returns (rho_1 - mean) / std of rho_1 over shuffles of the spacings.

  About rho_1 sqrt(N) for any sequence: it says that there is an order, of any
  kind, and grows with the length.
  """
  counts.whole(2, draws=draws)
  counts.whole(seed=seed)
  spacing_N = np.asarray(spacing_N, np.float64)
  rng = np.random.default_rng(seed)
  null_R = [_lag1(rng.permutation(spacing_N)) for _ in range(draws)]
  return float((_lag1(spacing_N) - np.mean(null_R)) / np.std(null_R))


def prime_lags_as_published(spacing_N: Any, prime_Q: Any):
  """Returns the lags round(10 ln p) and the correlations there: Q each.

  A lag counts spacings and no height, so it is not the period of a prime; 29
  and 31 share one.
  """
  spacing_N = np.asarray(spacing_N, np.float64)
  lag_Q = np.round(10 * np.log(np.asarray(prime_Q))).astype(int)
  pair = lambda k: np.corrcoef(spacing_N[:-k], spacing_N[k:])[0, 1]
  return lag_Q, np.array([pair(lag) for lag in lag_Q])


def _lag1(spacing_N) -> float:
  return float(np.corrcoef(spacing_N[:-1], spacing_N[1:])[0, 1])
