"""Nulls of prime lines: where no line is, and what chance gives there.

Two lines closer than a resolution, 2 pi over the range of heights, are one: a
null must not lie on another line. On the host. Source: docs/sources/zeros.md, section 7.1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from primelens.analyses import counts, prime_lines, statistics

# In resolutions: from any line, the zero of its main lobe being at 1 (on the
# first side lobe of that line, which makes a null large rather than small);
# from the own line, beyond its side lobes; the own neighbourhood; the step.
CLEAR, ASIDE, REACH, _STEP = 1.5, 3.0, 20.0, 0.25
_ROOM = 12  # places, at least, for a null: three resolutions


class Lines(NamedTuple):
  """Amplitudes with p-values against a null of the same frequencies.

  `max_t_Q` controls the chance of any false finding among them, `bh_Q` the
  share of false ones.
  """

  amplitude_Q: np.ndarray
  p_Q: np.ndarray
  max_t_Q: np.ndarray
  bh_Q: np.ndarray


class Tested(NamedTuple):
  """Amplitudes, their p-values, and those beside them: ...xRxW.

  The W of the Q frequencies that have a null; p is NaN at the others, which
  count for none of these.
  """

  amplitude: np.ndarray
  p: np.ndarray
  null: np.ndarray


def resolution(height_N: Any) -> float:
  """Returns 2 pi / (g_last - g_first): two closer frequencies are one line."""
  return float(2 * np.pi / np.ptp(np.asarray(height_N, np.float64)))


def distance(frequency_F: Any, line_A: Any) -> np.ndarray:
  """Returns how far each frequency is from the nearest of the lines: F."""
  line_A = np.sort(np.asarray(line_A, np.float64))
  edge_B = np.concatenate([[-np.inf], line_A, [np.inf]])
  right_F = np.searchsorted(line_A, frequency_F) + 1
  return np.minimum(frequency_F - edge_B[right_F - 1], edge_B[right_F] - frequency_F)


def beside(frequency_Q: Any, line_A: Any, height_N: Any, *, draws: int, seed: int) -> np.ndarray:
  """Returns `draws` sets of frequencies near the given ones and off all lines.

  RxQ: 1.5 resolutions or more from every line in `line_A`, 3 to 20 from the
  frequency itself, and NaN for all of a frequency that has no such room. No
  frequency is nearer to 0, the mean's, than to a line. The null of a sequence
  with an order of its own, whose amplitudes differ by frequency: each line
  beside its own neighbourhood.
  """
  counts.whole(1, draws=draws)
  counts.whole(seed=seed)
  rng = np.random.default_rng(seed)
  frequency_Q = np.asarray(frequency_Q, np.float64)
  width = resolution(height_N)
  lowest = max(CLEAR * width, frequency_Q.min() - REACH * width)
  grid_F = np.arange(lowest, frequency_Q.max(), _STEP * width)
  free_F = grid_F[distance(grid_F, line_A) >= CLEAR * width]
  beside_RxQ = np.full((draws, len(frequency_Q)), np.nan)
  for q, frequency in enumerate(frequency_Q):
    aside_F = np.abs(free_F - frequency) / width
    room_F = free_F[(aside_F >= ASIDE) & (aside_F <= REACH)]
    if len(room_F) >= _ROOM:
      beside_RxQ[:, q] = rng.choice(room_F, draws)
  return beside_RxQ


def split(
  of: Callable[[np.ndarray], np.ndarray], frequency_Q: Any, beside_RxQ: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns what `of` gives at the frequencies ...xQ, and beside them ...xRxW.

  And which of the Q frequencies are the W that `beside` found room for, Q.
  `of` maps frequencies F to ...xF.
  """
  beside_RxQ = np.asarray(beside_RxQ, np.float64)
  room_Q = ~np.isnan(beside_RxQ).any(0)
  null_RxW = beside_RxQ[:, room_Q]
  every = of(np.concatenate([np.asarray(frequency_Q), null_RxW.ravel()]))
  own, null = every[..., : len(room_Q)], every[..., len(room_Q) :]
  return own, null.reshape(*every.shape[:-1], *null_RxW.shape), room_Q


def test(size: Callable[[np.ndarray], np.ndarray], frequency_Q: Any, beside_RxQ: Any) -> Tested:
  """Returns the amplitudes ...xQ that `size` gives, with p-values of each.

  `size` maps frequencies F to ...xF, and `beside` made the null. The p-values
  are corrected over the Q frequencies of a row (`statistics.max_t`), and NaN in
  a row of amplitudes that are no numbers.
  """
  amplitude, null, room_Q = split(size, frequency_Q, beside_RxQ)
  p = np.full(amplitude.shape, np.nan)
  for row in np.ndindex(amplitude.shape[:-1] if room_Q.any() else (0,)):
    if np.isfinite(amplitude[row]).all() and np.isfinite(null[row]).all():
      p[(*row, room_Q)] = statistics.max_t(amplitude[row][room_Q], null[row])
  return Tested(amplitude, p, null)


def elsewhere(avoid_Q: Any, height_N: Any, count: int, *, seed: int) -> np.ndarray:
  """Returns random frequencies within the range of those to avoid, rising.

  Uniform, 3 resolutions or more from each of them. Raises ValueError where
  they leave less than a tenth of the range.
  """
  counts.whole(count=count)
  counts.whole(seed=seed)
  rng = np.random.default_rng(seed)
  drawn = rng.uniform(np.min(avoid_Q), np.max(avoid_Q), 10 * count)
  near = distance(drawn, avoid_Q)
  kept = drawn[near > ASIDE * resolution(height_N)][:count]
  if len(kept) < count:
    raise ValueError(f"{len(avoid_Q)} frequencies leave no room: use more data.")
  return np.sort(kept)


def shuffled(
  residual_N: Any, height_N: Any, frequency_Q: Any, *, draws: int, seed: int
) -> np.ndarray:
  """Returns the amplitudes of shuffled residuals at the same heights: RxQ."""
  rng = np.random.default_rng(seed)
  residual_N = np.asarray(residual_N, np.float64)
  null_RxN = np.stack([rng.permutation(residual_N) for _ in range(draws)])
  return prime_lines.amplitudes(null_RxN, height_N, frequency_Q)


def lines(amplitude_Q: Any, null_RxQ: Any) -> Lines:
  """Returns amplitudes with p-values corrected for all their frequencies.

  Without an order a sequence has the same law of amplitudes at every
  frequency, so p pools the null over them: the smallest is 1 / (R Q + 1).
  """
  amplitude_Q, null_RxQ = np.asarray(amplitude_Q), np.asarray(null_RxQ)
  pooled = np.sort(null_RxQ.ravel())
  below_Q = np.searchsorted(pooled, amplitude_Q, side="left")
  p_Q = (1 + len(pooled) - below_Q) / (len(pooled) + 1)
  return Lines(
    amplitude_Q=amplitude_Q,
    p_Q=p_Q,
    max_t_Q=statistics.max_t(amplitude_Q, null_RxQ),
    bh_Q=statistics.benjamini_hochberg(p_Q),
  )
