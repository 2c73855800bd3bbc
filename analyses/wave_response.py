"""What a predictor takes for a wave: its response, and the spectrum it implies.

A predictor of the next residual from those before, r_m = f(r_m-1, ...), that is
linear or linearised has the response H(w) = E_m sum_k J_mk exp(i w (g_k - g_m))
to a wave exp(i w g) in its inputs, J_mk = d f_m / d r_k: it is 1 where the wave
is expected to go on. 1 - H takes a wave to the prediction's error, so that a
predictor of white errors believes in the spectrum 1 / |1 - H(w)|^2, which for
an autoregression is its own (the maximum-entropy spectrum). Zeros that are read
so have peaks at m ln p. On the host, float64.
"""

from typing import Any, NamedTuple

import numpy as np

_CHUNK = 4_000_000  # waves' values held at once
_POINTS = 16  # of the grid in a resolution
_REACH = 2.0  # resolutions to either side that a peak is compared with


class Peaks(NamedTuple):
  """Peaks of a spectrum at Q frequencies, in nats above their surroundings.

  `above_Q`: higher than all between the lines. `apart_Q`: farther from its
  neighbours than the resolution; the others cannot be told apart and are never
  above. `chance` is how many at most if peaks fell anywhere: Q' / (n + 1), of
  Q' lines apart and n resolutions between lines.
  """

  height_Q: np.ndarray
  above_Q: np.ndarray
  apart_Q: np.ndarray
  chance: float


def response(jacobian_MxT: Any, height_MxT: Any, target_M: Any, frequency_F: Any) -> np.ndarray:
  """Returns H(w) = mean_m sum_k J_mk exp(i w (g_mk - g_m)), complex, F.

  `height_MxT` are the heights of the inputs and `target_M` of the predicted
  spacing. Raises ValueError if the shapes do not fit.
  """
  jacobian_MxT = np.asarray(jacobian_MxT, np.float64)
  height_MxT = np.asarray(height_MxT, np.float64)
  target_M = np.asarray(target_M, np.float64)
  frequency_F = np.asarray(frequency_F, np.float64)
  if jacobian_MxT.shape != height_MxT.shape or len(target_M) != len(height_MxT):
    raise ValueError(
      f"need a height per input, got {jacobian_MxT.shape}, {height_MxT.shape} and {target_M.shape}."
    )
  behind_N = (height_MxT - target_M[:, None]).ravel()
  weight_N = jacobian_MxT.ravel() / len(target_M)
  behind_N, weight_N = behind_N[weight_N != 0], weight_N[weight_N != 0]
  total_F = np.zeros(len(frequency_F), np.complex128)
  step = max(1, _CHUNK // max(1, len(frequency_F)))
  for first in range(0, len(behind_N), step):
    part = slice(first, first + step)
    phase_NxF = (behind_N[part, None] * frequency_F).astype(np.float32)
    total_F.real += weight_N[part] @ np.cos(phase_NxF)
    total_F.imag += weight_N[part] @ np.sin(phase_NxF)
  return total_F


def spectrum(response_F: Any) -> np.ndarray:
  """Returns ln(1 / |1 - H|^2), the spectrum that a response implies, in nats.

  Up to a constant: the variance of the errors.
  """
  return -2 * np.log(np.abs(1 - np.asarray(response_F)))


def resolution(height_MxT: Any) -> float:
  """Returns 2 pi over the span of heights that a prediction reads."""
  return float(2 * np.pi / np.mean(np.ptp(np.asarray(height_MxT), axis=1)))


def grid(low: float, high: float, width: float) -> np.ndarray:
  """Returns frequencies from low to high, 16 to a resolution `width`."""
  return np.linspace(low, high, int((high - low) / width * _POINTS) + 2)


def peaks(spectrum_F, frequency_F, line_Q, avoid_E, *, width: float) -> Peaks:
  """Returns how far a spectrum stands out at lines, and between them.

  The highest value within a quarter of a resolution `width`, above the median
  within two. Between lines: frequencies of the same range that are half a
  resolution or more from all of `avoid_E` (the lines and whatever else has
  one). Raises ValueError where nothing is left between them.
  """
  spectrum_F, frequency_F = np.asarray(spectrum_F), np.asarray(frequency_F)
  line_Q, avoid_E = np.asarray(line_Q), np.sort(np.asarray(avoid_E))
  distance_QxE = np.abs(line_Q[:, None] - avoid_E)
  distance_QxE[distance_QxE < 1e-9] = np.inf
  apart_Q = distance_QxE.min(1) > width
  height_Q = _prominence(spectrum_F, frequency_F, line_Q, width)
  if not apart_Q.any():
    return Peaks(height_Q, np.zeros(len(line_Q), bool), apart_Q, 0.0)
  top = line_Q[apart_Q].max() + width
  within_F = (frequency_F >= line_Q.min() - width) & (frequency_F <= top)
  nearest_F = np.abs(frequency_F[:, None] - avoid_E).min(1)
  free_F = within_F & (nearest_F >= width / 2)
  if not free_F.any():
    raise ValueError("no frequency is left beside the lines: read more inputs.")
  between = _prominence(spectrum_F, frequency_F, frequency_F[free_F], width)
  cells = free_F.sum() * np.diff(frequency_F).mean() / width
  return Peaks(
    height_Q, apart_Q & (height_Q > between.max()), apart_Q, float(apart_Q.sum() / (cells + 1))
  )


def _prominence(spectrum_F, frequency_F, at_Q, width: float) -> np.ndarray:
  found = []
  for at in at_Q:
    far_F = np.abs(frequency_F - at)
    near_F = far_F <= max(width / 4, far_F.min())
    around_F = far_F <= _REACH * width
    found.append(spectrum_F[near_F].max() - np.median(spectrum_F[around_F]))
  return np.array(found)
