"""Diagnostics of memory slots: what they hold, and what is lost without them.

Slots are M vectors of width D that a network reads beside its data. Masks are
`keep_RxM`: 1 keeps a slot, 0 removes it. On the host, in float64. Letters are
those of the source: zeta spec, section 4.13; the growth of rollout errors (G)
is in `rollout`, cosines (B) in `duplicates`.
"""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import scipy.special
import scipy.stats
from primelens.analyses import spectra, statistics


def removals(slots: int, *, draws: int, seed: int) -> np.ndarray:
  """Returns masks of joint removals (A'), keep_RxM, by rising count.

  None removed, each slot alone, then `draws` distinct subsets of every size
  up to M - 1 (all of them where there are no more), and all slots.
  Raises ValueError for fewer than one slot or draw.
  """
  if slots < 1 or draws < 1:
    raise ValueError(f"got {slots} slots and {draws} draws, need >= 1 each.")
  rng = np.random.default_rng(seed)
  rows = []
  for count in range(slots + 1):
    most = draws if 1 < count < slots else slots
    if math.comb(slots, count) <= most:
      subsets = set(itertools.combinations(range(slots), count))
    else:
      subsets = set()
      while len(subsets) < draws:
        drawn = np.sort(rng.choice(slots, count, replace=False))
        subsets.add(tuple(drawn.tolist()))
    for subset in sorted(subsets):
      rows.append(np.ones(slots, np.float32))
      rows[-1][list(subset)] = 0
  return np.stack(rows)


def by_count(value_xR: Any, keep_RxM: Any) -> np.ndarray:
  """Returns the mean over the removals of each count 0..M: `...xP`, P = M + 1.

  Raises ValueError if a count has no removal.
  """
  value_xR, keep_RxM = np.asarray(value_xR, np.float64), np.asarray(keep_RxM)
  slots = keep_RxM.shape[1]
  removed_R = np.sum(keep_RxM == 0, axis=1)
  missing = sorted(set(range(slots + 1)) - set(removed_R.tolist()))
  if missing:
    raise ValueError(f"no mask removes {missing} of the {slots} slots.")
  means = [value_xR[..., removed_R == p].mean(-1) for p in range(slots + 1)]
  return np.stack(means, axis=-1)


def sums_as_published(single_xM: Any, keep_RxM: Any) -> np.ndarray:
  """Returns the sum of the single effects of the slots removed: `...xR`.

  The published curve of k slots: no two slots were ever removed together, so
  whatever one slot can do in place of another is left out of it.
  """
  removed_RxM = 1 - np.asarray(keep_RxM, np.float64)
  return np.asarray(single_xM, np.float64) @ removed_RxM.T


def off_diagonal(matrix_xMxM: Any) -> np.ndarray:
  """Returns the mean of the entries off the diagonal; NaN for one slot."""
  matrix_xMxM = np.asarray(matrix_xMxM, np.float64)
  slots = matrix_xMxM.shape[-1]
  if slots == 1:
    return np.full(matrix_xMxM.shape[:-2], np.nan)
  total = matrix_xMxM.sum((-2, -1)) - np.trace(matrix_xMxM, axis1=-2, axis2=-1)
  return total / (slots * (slots - 1))


def gradient_correlation(gradient_RxMxD: Any) -> np.ndarray:
  """Returns the correlation of every two slots' gradients (C): MxM.

  Over the R D numbers of R batches, as published; 0 with a slot whose
  gradient is constant. Take the mean of the absolute values off the diagonal.
  """
  gradient_RxMxD = np.asarray(gradient_RxMxD, np.float64)
  flat_MxE = np.moveaxis(gradient_RxMxD, 1, 0).reshape(gradient_RxMxD.shape[1], -1)
  flat_MxE = flat_MxE - flat_MxE.mean(1, keepdims=True)
  norm_Mx1 = np.linalg.norm(flat_MxE, axis=1, keepdims=True)
  unit_MxE = flat_MxE / np.where(norm_Mx1 > 0, norm_Mx1, 1)
  return unit_MxE @ unit_MxE.T


def entropy(weight_xM: Any) -> np.ndarray:
  """Returns -sum p ln p in nats of the shares p = w / sum w, in 0..ln M.

  Of the readout's weights (D) and of the slots' effects (E); NaN without any
  weight. Raises ValueError for a negative weight.
  """
  weight_xM = np.asarray(weight_xM, np.float64)
  if (weight_xM < 0).any():
    raise ValueError("shares need weights that are not negative.")
  total = weight_xM.sum(-1, keepdims=True)
  share_xM = weight_xM / np.where(total > 0, total, np.nan)
  return scipy.special.entr(share_xM).sum(-1)


def uniformity(weight_xM: Any) -> np.ndarray:
  """Returns exp(H) / M, H the `entropy`: the effective part of M slots."""
  weight_xM = np.asarray(weight_xM)
  return np.exp(entropy(weight_xM)) / weight_xM.shape[-1]


def uniformity_as_published(weight_xM: Any) -> np.ndarray:
  """Returns H / ln M, H the `entropy`; 1 for equal weights, NaN for one."""
  weight_xM = np.asarray(weight_xM)
  return entropy(weight_xM) / (np.log(weight_xM.shape[-1]) or np.nan)


class Blocks(NamedTuple):
  """Means of P blocks of data and what their scatter is worth (H).

  `sd` is the standard deviation of the means, `noise` what it would be from
  the scatter within blocks alone, and `p` the chance of a scatter as large
  from equal blocks (chi squared with P - 1 degrees of freedom).
  """

  mean_P: np.ndarray
  error_P: np.ndarray
  sd: float
  noise: float
  p: float


def blocks(nll_PxN: Any, *, block: int) -> Blocks:
  """Returns the means of P blocks, with errors from the windows inside them.

  `nll_PxN` are P blocks of N neighbouring windows, which depend on each other
  over `block` of them (`statistics.block_interval`). In the unit of the values:
  a loss has no natural zero to divide by. Raises ValueError as that does.
  """
  found = statistics.block_interval(nll_PxN, block=block)
  return homogeneity(found.estimate, found.standard_error)


def homogeneity(mean_P: Any, error_P: Any) -> Blocks:
  """Returns what the scatter of means with known standard errors is worth.

  X^2 = sum (m_p - m)^2 / e_p^2 with m the mean weighted by 1 / e_p^2
  (Cochran 1954). Raises ValueError for fewer than two blocks or no error.
  """
  mean_P, error_P = (np.asarray(x, np.float64) for x in (mean_P, error_P))
  if mean_P.shape != error_P.shape or mean_P.size < 2 or (error_P <= 0).any():
    raise ValueError("need two means or more, each with an error above 0.")
  weight_P = 1 / error_P**2
  centre = np.sum(weight_P * mean_P) / weight_P.sum()
  chi2 = np.sum(weight_P * (mean_P - centre) ** 2)
  return Blocks(
    mean_P,
    error_P,
    float(mean_P.std(ddof=1)),
    float(np.sqrt(np.mean(error_P**2))),
    float(scipy.stats.chi2.sf(chi2, mean_P.size - 1)),
  )


def variation_as_published(mean_xP: Any) -> np.ndarray:
  """Returns sd / mean of the blocks' NLL, "block CV", sd with ddof 0.

  It grows without bound where the mean NLL is near 0, and changes sign with
  it: another unit of length for the spacings gives another value.
  """
  mean_xP = np.asarray(mean_xP, np.float64)
  return mean_xP.std(-1) / mean_xP.mean(-1)


def centre_of_mass(attention_xT: Any) -> np.ndarray:
  """Returns sum t p_t / sum p_t over positions t = 0..T-1 (I); NaN for none."""
  attention_xT = np.asarray(attention_xT, np.float64)
  total = attention_xT.sum(-1)
  moment = attention_xT @ np.arange(attention_xT.shape[-1])
  return moment / np.where(total > 0, total, np.nan)


class Rank(NamedTuple):
  """Components with 90 % of the squares, and exp(entropy of their shares)."""

  r90: int
  effective: float


def gradient_rank(gradient_RxMxD: Any) -> Rank:
  """Returns the rank of the slots' gradients (K), averaged over R batches.

  Rows are the M slots, so neither number exceeds M; nothing is centred, so
  that slots with one common gradient have rank 1. See `spectra` for the
  effective rank.
  """
  return _rank(np.asarray(gradient_RxMxD, np.float64).mean(0))


def gradient_rank_as_published(gradient_RxMxD: Any) -> Rank:
  """Returns the published rank: rows are batch x slot, centred over rows.

  Noise of the batches counts as rank, so r90 / M can exceed 1.
  """
  gradient_RxMxD = np.asarray(gradient_RxMxD, np.float64)
  row_ExD = gradient_RxMxD.reshape(-1, gradient_RxMxD.shape[-1])
  return _rank(row_ExD - row_ExD.mean(0))


def _rank(x_NxD) -> Rank:
  value_K = spectra.singular_values(x_NxD)
  part_K = np.cumsum(value_K**2)
  r90 = int(np.searchsorted(part_K, 0.9 * part_K[-1])) + 1
  return Rank(r90, float(spectra.effective_rank(value_K, 2)))


def remeasured(value_xN: Any, size: int, *, draws: int, seed: int) -> np.ndarray:
  """Returns the mean over `size` windows drawn again and again: `...xR`.

  With replacement out of N, R = `draws`, the same windows for all leading
  axes: how far one measurement is from the next, of the same weights.
  Raises ValueError for no windows or no draws.
  """
  value_xN = np.asarray(value_xN, np.float64)
  if size < 1 or draws < 1 or not value_xN.shape[-1]:
    raise ValueError(f"got size={size} and draws={draws}, need >= 1 each.")
  rng = np.random.default_rng(seed)
  count = value_xN.shape[-1]
  weight_RxN = rng.multinomial(size, np.full(count, 1 / count), draws) / size
  return value_xN @ weight_RxN.T
