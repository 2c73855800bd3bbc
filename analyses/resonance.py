"""The coherent peak of levels that follow a lattice, and what jitter leaves.

Levels x_n = n + d_n with bounded d_n, such as unfolded zeta zeros (d = -S), add
up in step at tau = 1: K(1) = N |mean of e^(2 pi i d)|^2, a peak of width 1 / N
that grows with the length N. tau is in Heisenberg units (the published 2 pi is
1 here) but for names with `as_published`. Source: docs/sources/zeros.md, sections 4.10 and
6.7.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.signal
from primelens.analyses import counts, form_factors

BIN = 1 / 64  # width of the published bins, and of their widest jitter
_FLOOR = 0.001  # of jittered spacings, as published
_GRID = (0.5, 9.5 / 1999, 2000)  # first, step, count of tau, as published
_PEAK, _BACKGROUND = (5.5, 7.0), (3.0, 5.0)


class Peak(NamedTuple):
  """Where K is largest, and how large."""

  tau: float
  height: float


class SpikeAsPublished(NamedTuple):
  """Largest K on (5.5, 7), mean K on (3, 5), and their ratio."""

  peak: float
  background: float
  ratio: float


def grid(count: int, reach: float = 10.0) -> np.ndarray:
  """Returns tau around 1, `tau_T`: six steps to a peak's width 1 / `count`.

  1 +- `reach` / count in steps of 1 / (2 pi count), the published unit's 1 / N.
  """
  half = int(np.ceil(2 * np.pi * reach))
  return 1 + np.arange(-half, half + 1) / (2 * np.pi * count)


def curve(spacing_N: Any, tau_T: Any) -> np.ndarray:
  """Returns the unconnected K of the whole sequence on `grid`, even steps."""
  return form_factors.unconnected(np.cumsum(np.asarray(spacing_N, np.float64)), tau_T)


def peak(k_T: Any, tau_T: Any) -> Peak:
  """Returns the largest K on `grid`.

  Of T exponential values of mean 1, without any coherence, the largest is
  about ln T: read it beside shuffled spacings.
  """
  top = int(np.argmax(k_T))
  return Peak(float(tau_T[top]), float(k_T[top]))


def jittered(spacing_N: Any, width: float, seed: int) -> np.ndarray:
  """Returns s_n + e_n with e_n uniform on +- width / 2.

  The levels, their sums, walk away at random: what was in step falls out.
  """
  counts.whole(seed=seed)
  spacing_N = np.asarray(spacing_N, np.float64)
  rng = np.random.default_rng(seed)
  return spacing_N + rng.uniform(-width / 2, width / 2, len(spacing_N))


def expected(spacing_N: Any, tau_T: Any, width: float) -> np.ndarray:
  """Returns the mean of K over all jitters of that width, exactly.

  (1 / N) sum_{n,m} z_n conj(z_m) psi^|n - m|, z_n = e^(2 pi i tau x_n), and psi
  = sin(pi tau w) / (pi tau w) the characteristic function of one jitter. With
  y_n = z_n + psi y_{n-1} it is (2 Re sum_n conj(z_n) y_n - N) / N.
  """
  turn_N = 2j * np.pi * np.cumsum(np.asarray(spacing_N, np.float64))

  def at(tau):
    z_N = np.exp(turn_N * tau)
    y_N = scipy.signal.lfilter([1], [1, -np.sinc(tau * width)], z_N)
    return 2 * np.real(np.vdot(z_N, y_N)) / len(z_N) - 1

  return np.array([at(tau) for tau in np.atleast_1d(tau_T)])


def jittered_as_published(middle_N: Any, part: float, seed: int) -> np.ndarray:
  """Returns spacings, middles of bins, jittered by a part of a bin.

  0.001 at least, as published.
  """
  counts.whole(seed=seed)
  if not part:
    return np.asarray(middle_N, np.float64)
  return np.maximum(jittered(middle_N, part * BIN, seed), _FLOOR)


def spike_as_published(spacing_N: Any) -> SpikeAsPublished:
  """Returns the published measure of spacings over their mean.

  2000 values of tau from 0.5 to 10 (Heisenberg time 2 pi): a step is N / 1322
  widths 2 pi / N of the peak, so that it is met by accident.
  """
  top = peak_as_published(spacing_N)
  background = float(_published(spacing_N, _BACKGROUND, 0.0).mean())
  return SpikeAsPublished(top, background, top / background)


def peak_as_published(spacing_N: Any, offset: float = 0.0) -> float:
  """Returns the peak of `spike_as_published`, the grid moved by `offset` steps.

  What depends on the offset is no property of the spacings.
  """
  return float(_published(spacing_N, _PEAK, offset).max())


def _published(spacing_N, window, offset: float) -> np.ndarray:
  """Returns K on the part of the published grid that lies in a window."""
  spacing_N = np.asarray(spacing_N, np.float64)
  level_N = np.cumsum(spacing_N / spacing_N.mean())
  first, step, count = _GRID
  tau_Q = first + step * (np.arange(count) + offset)
  tau_Q = tau_Q[(tau_Q > window[0]) & (tau_Q < window[1])]
  return form_factors.unconnected(level_N, tau_Q / (2 * np.pi))
