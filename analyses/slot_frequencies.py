"""Do memory vectors hold frequencies? Their Fourier peak beside Gaussian ones.

The axis transformed is the width of the vectors, whose order means nothing: a
permutation of it changes no output of a network and changes this statistic.
Source: zeta spec, section 4.11.
"""

from typing import Any, NamedTuple

import numpy as np
from primelens.analyses import counts, statistics


class SlotTest(NamedTuple):
  """The mean dominant amplitude over slots, beside its null draws."""

  statistic: float
  null: float
  null_sd: float
  z: float
  p: float


def dominant(slot_xD: Any) -> tuple[np.ndarray, np.ndarray]:
  """Returns the largest |FFT| over positive frequencies, and its frequency.

  Frequencies are whole, 1 .. D // 2, in turns per D numbers.

  Raises `ValueError` for vectors of fewer than 4 numbers.
  """
  slot_xD = np.asarray(slot_xD, np.float64)
  if slot_xD.ndim < 1 or slot_xD.shape[-1] < 4:
    raise ValueError(f"need vectors of 4 numbers, got {slot_xD.shape}.")
  size_xQ = np.abs(np.fft.rfft(slot_xD, axis=-1))[..., 1:]
  return size_xQ.max(-1), 1 + size_xQ.argmax(-1)


def test(slot_MxD: Any, *, draws: int = 1000, seed: int = 0) -> SlotTest:
  """Returns the test against Gaussian slots, as many and of the same std.

  The null averages over M slots as the statistic does; p is
  `statistics.permutation_p` of a statistic as large.
  """
  counts.whole(1, draws=draws)
  counts.whole(seed=seed)
  return _test(slot_MxD, np.shape(slot_MxD)[0], draws, seed)


def test_as_published(slot_MxD: Any, *, draws: int = 1000, seed: int = 0) -> SlotTest:
  """Returns the published test: a mean over slots beside single vectors.

  Its null is sqrt(M) times too wide; p is the share of null >= observed.
  """
  counts.whole(1, draws=draws)
  counts.whole(seed=seed)
  return _test(slot_MxD, 1, draws, seed, published=True)


def _test(slot_MxD, averaged: int, draws: int, seed: int, published=False):
  slot_MxD = np.asarray(slot_MxD, np.float64)
  if slot_MxD.ndim != 2 or draws < 2:
    raise ValueError(f"need slots MxD and 2 draws, got {slot_MxD.shape} and {draws}.")
  rng = np.random.default_rng(seed)
  shape = (draws, averaged, slot_MxD.shape[1])
  null_R = dominant(slot_MxD.std() * rng.normal(size=shape))[0].mean(1)
  found = float(dominant(slot_MxD)[0].mean())
  p = float(np.mean(null_R >= found))
  if not published:
    p = float(statistics.permutation_p(found, null_R))
  spread = float(null_R.std(ddof=1))
  z = (found - float(null_R.mean())) / spread if spread else np.nan
  return SlotTest(found, float(null_R.mean()), spread, z, p)
