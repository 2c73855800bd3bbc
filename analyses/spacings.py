"""Level statistics: how far apart neighbouring levels lie, near and far.

Levels are sorted real numbers: eigenvalues, singular values, heights of zeta
zeros; one code path for all. Ensembles are "goe" and "gue" (eigenvalues of real
symmetric and complex Hermitian noise; zeta zeros follow the second) and
"poisson" (independent levels). On the host, in float64. Source: primes spec,
section 4.4; Mehta, Random Matrices, 3rd ed. 2004.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from primelens.analyses import ensembles, spectra

Counts = Callable[[np.ndarray], np.ndarray]
CENTRAL = (0.15, 0.85)  # the published part of a spectrum
_PER_UNIT = 4  # window starts in a mean spacing


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
  statistic of `spectra_nulls.goe_null`, not with a table.
  """
  spacing_N = _levels(spacing_N, 1)
  return Distances(
    *(
      float(spectra.ks_statistic(ensembles.spacing_cdf(spacing_N, ensemble)))
      for ensemble in ensembles.ENSEMBLES
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
  turn = 2j * np.pi * place_N
  sum_Q = np.array([np.sum(taper_N * np.exp(turn * tau)) for tau in tau_Q])
  return np.abs(sum_Q - mean_Q) ** 2 / np.sum(taper_N**2)


def _levels(level_N, least):
  level_N = np.asarray(level_N, np.float64)
  if level_N.ndim != 1 or len(level_N) < least:
    raise ValueError(f"need {least} levels in a row, got {level_N.shape}.")
  if not np.isfinite(level_N).all():
    raise ValueError("levels must be finite.")
  return np.sort(level_N)
