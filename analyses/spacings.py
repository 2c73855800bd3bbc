"""Level statistics: how far apart levels lie, near and far, and how neighbours correlate.

Levels are sorted real numbers: eigenvalues, singular values, heights of zeta
zeros; one code path for all. Ensembles are "goe" and "gue" (eigenvalues of real
symmetric and complex Hermitian noise; zeta zeros follow the second) and
"poisson" (independent levels). On the host, in float64. Source:
docs/sources/primes.md, section 4.4; Mehta, Random Matrices, 3rd ed. 2004.

References are exact (`determinantal.spacing_moments`); variants that published
numbers came from carry `as_published`. On the host, in float64. Source:
docs/sources/zeros.md, section 4.14.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
from primelens.analyses import counts, sine_process, spectra

# --- levels and their spacings --------------------------------------------------------------------


Counts = Callable[[np.ndarray], np.ndarray]
CENTRAL = (0.15, 0.85)  # the published part of a spectrum
_PER_UNIT = 4  # window starts in a mean spacing
_CHUNK = 2_000_000  # values of waves in memory at a time


class Distances(NamedTuple):
  """Kolmogorov-Smirnov distance of spacings from each ensemble's law."""

  goe: float
  gue: float
  poisson: float


def central(level_N: Any, part: tuple[float, float] = CENTRAL) -> np.ndarray:
  """Returns the levels between two quantiles, sorted: int(part N) of each."""
  level_N = _levels(level_N, 1)
  first, last = (int(share * len(level_N)) for share in part)
  return level_N[first:last]


def unfold(
  level_N: Any, method: str | Counts = "polynomial", *, degree: int = 5, reach: int = 10
) -> np.ndarray:
  """Returns the levels on a scale on which their mean spacing is about 1.

  "polynomial": the polynomial of `degree` fitted to their count (cut the
  outliers off first: `central`). "local": spacings over the mean of the 2
  `reach` + 1 around them, fewer at the ends. "semicircle": `semicircle` of all
  levels given. "none": over the mean spacing, as published. Or any function
  that returns how many levels are expected below a level, the law of a model.

  Statistics over more levels than N / degree, or than 2 reach + 1, tell of the
  unfolding and not of the levels.

  Raises ValueError for too few or equal levels, NaN, or another method.
  """
  level_N = _levels(level_N, max(4, degree + 2))
  if level_N[0] == level_N[-1]:
    raise ValueError("levels that are all equal have no scale.")
  if callable(method):
    return np.asarray(method(level_N), np.float64)
  if method not in _UNFOLD:
    raise ValueError(f"method must be one of {', '.join(_UNFOLD)}, or a function; {method!r}.")
  return _UNFOLD[method](level_N, degree, reach)


def semicircle(level_N: Any) -> Counts:
  """Returns the count of levels below x that the semicircle law expects.

  Of the spectrum of symmetrised noise about 0; its radius is matched to the
  quartiles of the levels, which outliers do not move.

  Raises ValueError for too few levels, NaN, or equal quartiles.
  """
  level_N = _levels(level_N, 4)
  low, high = np.quantile(level_N, [0.25, 0.75])
  if low == high:
    raise ValueError("half of the levels are equal: no radius to match.")
  # |x| follows the quarter circle, the singular values of a square matrix.
  unit = spectra.marchenko_pastur_median((1, 1))
  scale = 2 * unit / (high - low)

  def counts(x):
    beside = spectra.marchenko_pastur_cdf(np.abs(x) * scale, (1, 1))
    return len(level_N) * (0.5 + 0.5 * np.sign(x) * beside)

  return counts


def distances(spacing_N: Any) -> Distances:
  """Returns the largest gap to each ensemble's distribution of spacings.

  Of mean spacing 1. Neighbours are not independent: compare with the same
  statistic of `spectra.goe_null`, not with a table.
  """
  spacing_N = _levels(spacing_N, 1)
  return Distances(
    *(
      float(spectra.ks_statistic(sine_process.spacing_cdf(spacing_N, ensemble)))
      for ensemble in sine_process.ENSEMBLES
    )
  )


def r_ratio(level_xN: Any) -> np.ndarray:
  """Returns the mean of min / max of neighbouring spacings of `...xN` levels.

  No unfolding is needed. 2 ln 2 - 1 = 0.3863 for "poisson"; 0.5307 for "goe"
  and 0.5996 for "gue" (Atas et al. 2013). Two spacings of 0 count as 0.

  Raises ValueError for fewer than 3 levels.
  """
  level_xN = np.sort(np.asarray(level_xN, np.float64), axis=-1)
  if level_xN.shape[-1:] < (3,) or not np.isfinite(level_xN).all():
    raise ValueError(f"need 3 finite levels ...xN, got {level_xN.shape}.")
  spacing_xN = np.diff(level_xN, axis=-1)
  left_xN, right_xN = spacing_xN[..., :-1], spacing_xN[..., 1:]
  top_xN = np.maximum(left_xN, right_xN)
  ratio_xN = np.minimum(left_xN, right_xN) / np.where(top_xN > 0, top_xN, 1)
  return ratio_xN.mean(-1)


def number_variance(unfolded_N: Any, length_Q: Any) -> np.ndarray:
  """Returns the variance of the number of levels in windows of each length.

  `variance_Q`, over windows that overlap, four starts to a mean spacing.

  Raises ValueError for a length that is not positive, or beyond half of the
  levels.
  """
  unfolded_N = _levels(unfolded_N, 4)
  length_Q = np.atleast_1d(np.asarray(length_Q, np.float64))
  first, span = unfolded_N[0], np.ptp(unfolded_N)
  if not np.all((length_Q > 0) & (length_Q <= span / 2)):
    raise ValueError(f"lengths lie in 0..{span / 2:.4g}, got {length_Q}.")

  def variance(length):
    start_B = first + np.arange(0, span - length, 1 / _PER_UNIT)
    below = np.searchsorted(unfolded_N, start_B)
    return np.var(np.searchsorted(unfolded_N, start_B + length) - below)

  return np.array([variance(length) for length in length_Q])


def form_factor(unfolded_xN: Any, tau_Q: Any) -> np.ndarray:
  """Returns the connected spectral form factor of `...xN` levels: `...xQ`.

  |sum_j w_j e^(2 pi i tau x_j) - integral w(x) e^(2 pi i tau x) dx|^2
  / sum_j w_j^2, with Hann's taper w over the levels; what is taken off is the
  Fourier transform of the mean density 1. A single value scatters as much as
  its mean: average over spectra, or over tau, in steps of 2 / N or more.
  """
  unfolded_xN = np.sort(np.asarray(unfolded_xN, np.float64), axis=-1)
  tau_Q = np.atleast_1d(np.asarray(tau_Q, np.float64))
  if unfolded_xN.shape[-1:] < (4,) or not np.isfinite(unfolded_xN).all():
    raise ValueError(f"need 4 finite levels ...xN, got {unfolded_xN.shape}.")
  each = lambda level_N: _form_factor(level_N, tau_Q)
  return np.apply_along_axis(each, -1, unfolded_xN)


def waves(level_N: Any, tau_Q: Any, weight_N: Any = 1.0) -> np.ndarray:
  """Returns sum_n w_n e^(2 pi i tau x_n) at every tau, complex.

  Where Q values of tau are evenly spaced, each is one of sqrt(Q) coarse ones and one of sqrt(Q)
  fine ones: the sum is a matrix product of 2 sqrt(Q) waves, some ten times faster.
  """
  turn_Nx1 = 2j * np.pi * np.asarray(level_N, np.float64)[:, None]
  tau_Q = np.atleast_1d(np.asarray(tau_Q, np.float64))
  weight_Nx1 = np.broadcast_to(np.asarray(weight_N, np.float64), len(turn_Nx1))[:, None]
  step = (tau_Q[-1] - tau_Q[0]) / max(len(tau_Q) - 1, 1)
  steps = step * np.arange(len(tau_Q))
  even = np.allclose(tau_Q - tau_Q[0], steps, rtol=0, atol=1e-13 * np.abs(tau_Q).max())
  width = int(np.ceil(np.sqrt(len(tau_Q)))) if even else 1
  coarse, fine = tau_Q[::width], step * np.arange(width)
  total = np.zeros((len(coarse), width), np.complex128)
  rows = max(1, _CHUNK // max(total.shape))
  for start in range(0, len(turn_Nx1), rows):
    part = slice(start, start + rows)
    each = np.exp(turn_Nx1[part] * fine) * weight_Nx1[part]
    total += np.exp(turn_Nx1[part] * coarse).T @ each
  return total.reshape(-1)[: len(tau_Q)]


def central_spacings_as_published(weight_NxN: Any) -> np.ndarray:
  """Returns spacings of (W + W^T) / 2 over their mean, as published.

  Of the eigenvalues from 15 % to 85 %, not unfolded.

  Raises ValueError for a matrix that is not square.
  """
  spacing_N = np.diff(central(symmetrised_levels(weight_NxN)))
  return spacing_N / spacing_N.mean()


def symmetrised_levels(weight_NxN: Any) -> np.ndarray:
  """Returns the rising eigenvalues of (W + W^T) / 2.

  Raises ValueError for a matrix that is not square.
  """
  weight_NxN = np.asarray(spectra.checked(weight_NxN), np.float64)
  if weight_NxN.ndim != 2 or len(weight_NxN) != len(weight_NxN.T):
    raise ValueError(f"need one square matrix, got {weight_NxN.shape}.")
  return np.linalg.eigvalsh((weight_NxN + weight_NxN.T) / 2)


def goe_distance_as_published(spacing_N: Any) -> float:
  """Returns the mean |histogram - density| of 100 bins of spacings on [0, 3].

  The density is Wigner's surmise (pi / 2) s exp(-pi s^2 / 4) at the middle of
  the bin. With a hundred spacings it is mostly the noise of the histogram.
  """
  height_B, edge_B = np.histogram(spacing_N, 100, (0, 3), density=True)
  s_B = (edge_B[1:] + edge_B[:-1]) / 2
  density_B = np.pi / 2 * s_B * np.exp(-np.pi / 4 * s_B**2)
  return float(np.mean(np.abs(height_B - density_B)))


def distances_as_published(spacing_N: Any) -> Distances:
  """Returns the distances of the spacings up to 4, the others dropped."""
  spacing_N = np.asarray(spacing_N, np.float64)
  return distances(spacing_N[spacing_N <= 4])


def _polynomial(level_N, degree, reach):
  count_N = np.arange(len(level_N)) + 0.5
  return np.polynomial.Polynomial.fit(level_N, count_N, degree)(level_N)


def _local(level_N, degree, reach):
  spacing_N = np.diff(level_N)
  width_N = np.ones(2 * reach + 1)
  total_N = np.convolve(spacing_N, width_N)[reach : len(spacing_N) + reach]
  count_N = np.convolve(np.ones_like(spacing_N), width_N)
  count_N = count_N[reach : len(spacing_N) + reach]
  # Among equal levels 0 / 0: no spacing.
  total_N = np.where(total_N > 0, total_N, 1)
  return np.append(0, np.cumsum(spacing_N * count_N / total_N))


_UNFOLD: dict[str, Callable[..., np.ndarray]] = {
  "polynomial": _polynomial,
  "local": _local,
  "semicircle": lambda level_N, degree, reach: semicircle(level_N)(level_N),
  "none": lambda level_N, degree, reach: level_N / np.diff(level_N).mean(),
}


def _form_factor(level_N, tau_Q):
  length = np.ptp(level_N)
  place_N = level_N - level_N[0]
  taper_N = np.sin(np.pi * place_N / length) ** 2
  # Of e^(2 pi i f x) over 0..length.
  wave = lambda f: length * np.exp(1j * np.pi * f * length) * np.sinc(f * length)
  sides_Q = wave(tau_Q + 1 / length) + wave(tau_Q - 1 / length)
  mean_Q = wave(tau_Q) / 2 - sides_Q / 4
  return np.abs(waves(place_N, tau_Q, taper_N) - mean_Q) ** 2 / np.sum(taper_N**2)


def _levels(level_N, least):
  level_N = np.asarray(level_N, np.float64)
  if level_N.ndim != 1 or len(level_N) < least:
    raise ValueError(f"need {least} levels in a row, got {level_N.shape}.")
  if not np.isfinite(level_N).all():
    raise ValueError("levels must be finite.")
  return np.sort(level_N)


# --- correlations of neighbouring spacings, and how they drift ------------------------------------


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


def pair_correlation(spacing: Any, edge: Any, *, parts: int = 20) -> tuple[np.ndarray, np.ndarray]:
  """Returns R2(x) between the edges of bins, and its standard error over parts of the data.

  R2(x) dx is the mean number of levels at a distance x to x + dx above a level, of mean spacing 1:
  the sum over k of the densities of s_1 + ... + s_k. 1 - sinc^2 for the sine process, 1 for
  independent levels. `spacing` are those of one sequence, N, or of independent ones, RxN. Each k
  counts the levels that have a k-th one above them, so that short sequences lose nothing.

  Raises ValueError unless the edges rise from 0 or above.
  """
  edge_P1 = np.asarray(edge, np.float64)
  if len(edge_P1) < 2 or edge_P1[0] < 0 or np.any(np.diff(edge_P1) <= 0):
    raise ValueError(f"edges of bins rise from 0 or above, got {edge_P1}.")
  spacing_RxN = np.atleast_2d(np.asarray(spacing, np.float64))
  if len(spacing_RxN) == 1:
    length = spacing_RxN.shape[1] // parts
    spacing_RxN = spacing_RxN[0, : parts * length].reshape(parts, length)
  groups = np.array_split(spacing_RxN, min(parts, len(spacing_RxN)))
  each_RxP = np.stack([_pairs(group, edge_P1) for group in groups])
  return each_RxP.mean(0), each_RxP.std(0, ddof=1) / np.sqrt(len(each_RxP))


def _pairs(spacing_RxN, edge_P1) -> np.ndarray:
  sum_RxN1 = np.concatenate([np.zeros((len(spacing_RxN), 1)), np.cumsum(spacing_RxN, 1)], 1)
  found_P = np.zeros(len(edge_P1) - 1)
  for k in range(1, sum_RxN1.shape[1]):
    apart_RxN = sum_RxN1[:, k:] - sum_RxN1[:, :-k]
    count_P, _ = np.histogram(apart_RxN, edge_P1)
    found_P += count_P / apart_RxN.size
    if apart_RxN.min() > edge_P1[-1]:
      break
  return found_P / np.diff(edge_P1)


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


def leading_terms(lags: int) -> tuple[sine_process.Moments, np.ndarray]:
  """Returns the sine process's moments, and a_0..a_Q of CUE of large size N.

  Variance and correlations approach them as a / N^2: a_0 of the variance, then
  those of the correlations. With `zeta_size` they say how the zeros should:
  as 12 Lambda a / ln^2(g / 2 pi).
  """
  limit = sine_process.spacing_moments(lags)
  large = sine_process.spacing_moments(lags, _LARGE)
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
