"""Diagnostics of memory slots: what they hold, copies, frequencies, level statistics.

Slots are M vectors of width D that a network reads beside its data. Masks are
`keep_RxM`: 1 keeps a slot, 0 removes it. On the host, in float64. Letters are
those of the source: docs/sources/zeros.md, section 4.13; the growth of rollout errors (G)
is in `rollout`, cosines (B) in `duplicates`.

The axis transformed is the width of the vectors, whose order means nothing: a
permutation of it changes no output of a network and changes this statistic.
Source: docs/sources/zeros.md, section 4.11.

A trajectory is a row of spacings, a block of its own: rows are independent, so
errors are those over rows. Means are taken off by the arm: a bias on the
logits changes the mean spacing first. On the host, in float64. Source:
docs/sources/zeros.md, sections 4.9 and 6.5.
"""

import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import scipy.stats
from primelens.analyses import counts, form_factors, precision, spacings, spectra, statistics

# --- columns that point the same way --------------------------------------------------------------


class Copies(NamedTuple):
  """Groups of columns, numbered by falling weight.

  `rank_F` is the number of each column's group; `size_F` and `weight_F` are
  of the groups, in that order, 0 beyond the last.
  """

  rank_F: jax.Array
  size_F: jax.Array
  weight_F: jax.Array


def cosines(x_DxF) -> jax.Array:
  """Returns the cosine of every two columns: FxF, 0 with a zero column."""
  x_DxF = precision.wide(x_DxF)
  norm_F = jnp.linalg.norm(x_DxF, axis=0)
  unit_DxF = x_DxF / jnp.where(norm_F > 0, norm_F, 1)[None]
  return jnp.matmul(unit_DxF.T, unit_DxF, precision=jax.lax.Precision.HIGHEST)


def components(adjacent_FxF) -> jax.Array:
  """Returns each node's connected component, named by its lowest node: F.

  `adjacent_FxF` is symmetric; a node is its own neighbour.
  """
  count = len(adjacent_FxF)
  near_FxF = jnp.asarray(adjacent_FxF, bool) | jnp.eye(count, dtype=bool)

  def lowest(state):
    label_F, _ = state
    near_F = jnp.where(near_FxF, label_F[None], count).min(1)
    # The label is a node too: jump to that node's own label.
    return near_F[near_F], label_F

  start = (jnp.arange(count), jnp.full(count, -1))
  moving = lambda state: jnp.any(state[0] != state[1])
  return jax.lax.while_loop(moving, lowest, start)[0]


def copies(x_DxF, weight_F, threshold: float = 0.99) -> Copies:
  """Returns the groups of columns linked by cosines above the threshold.

  The components of the graph, so that two columns of a group may be less
  alike than the threshold. `weight_F` of the columns is summed in each group.
  """
  label_F = components(cosines(x_DxF) > threshold)
  count = len(label_F)
  total = lambda value_F: jnp.zeros(count, value_F.dtype).at[label_F].add(value_F)
  size_F, weight_F = total(jnp.ones_like(label_F)), total(precision.wide(weight_F))
  # Names that are no group's come last.
  order_F = jnp.lexsort((-weight_F, size_F == 0))
  rank_F = jnp.zeros_like(label_F).at[order_F].set(jnp.arange(count))
  return Copies(rank_F[label_F], size_F[order_F], weight_F[order_F])


def effective_number(weight_F) -> jax.Array:
  """Returns (sum w)^2 / sum w^2: n for n equal weights, the rest 0."""
  weight_F = precision.wide(weight_F)
  return jnp.sum(weight_F) ** 2 / jnp.sum(weight_F**2)


# --- what slots hold, and what is lost without them -----------------------------------------------


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


# --- frequencies of memory vectors ----------------------------------------------------------------


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


def frequency_test(slot_MxD: Any, *, draws: int = 1000, seed: int = 0) -> SlotTest:
  """Returns the test against Gaussian slots, as many and of the same std.

  The null averages over M slots as the statistic does; p is
  `statistics.permutation_p` of a statistic as large.
  """
  counts.whole(1, draws=draws)
  counts.whole(seed=seed)
  return _test(slot_MxD, np.shape(slot_MxD)[0], draws, seed)


def frequency_test_as_published(slot_MxD: Any, *, draws: int = 1000, seed: int = 0) -> SlotTest:
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


# --- level statistics of generated trajectories ---------------------------------------------------


PUBLISHED_TRAJECTORY = (50, 512)  # trajectories, tokens of each


class Trajectories(NamedTuple):
  """Of every row: K(tau), its plateau and ramp slope, and number variance."""

  k_NxQ: np.ndarray
  plateau_N: np.ndarray
  slope_N: np.ndarray
  variance_NxQ: np.ndarray
  mean: float


def trajectory_statistics(spacing_NxG: Any, tau_Q: Any, length_Q: Any) -> Trajectories:
  """Returns the statistics of rows of spacings, over their common mean.

  K is `spacings.form_factor` of each row (Hann's taper, mean density off), the
  plateau its mean on 1.2 < tau < 1.8, the slope that of `form_factors.ramp`.

  Raises ValueError for rows of fewer than 4, and as those do.
  """
  spacing_NxG = np.asarray(spacing_NxG, np.float64)
  mean = float(spacing_NxG.mean())
  unfolded_NxG = spacing_NxG / mean
  k_NxQ = spacings.form_factor(np.cumsum(unfolded_NxG, axis=1), tau_Q)
  return Trajectories(
    k_NxQ=k_NxQ,
    plateau_N=form_factors.plateau(k_NxQ, tau_Q),
    slope_N=form_factors.ramp(k_NxQ, tau_Q).slope_R,
    variance_NxQ=form_factors.number_variance(unfolded_NxG, length_Q),
    mean=mean,
  )


def plateau_as_published(spacing_NxG: Any) -> float:
  """Returns the published plateau of all rows joined end to end.

  One K over 11 values of tau, tau = 2 pi (the resonance) among them.
  """
  return form_factors.plateau_as_published(np.ravel(spacing_NxG), "elephant")


def matched_bias(target_N: Any, own_N: Any, classes: int) -> np.ndarray:
  """Returns the bias on logits that takes one marginal of tokens to another.

  b_v = ln p_target(v) - ln p_own(v), with (count + 1/2) for p; mean 0 over the
  target. A constant bias has no memory, so what an arm with it shows, the
  marginal does.
  """
  count = lambda token: np.bincount(np.ravel(token), minlength=classes) + 0.5
  p_V, q_V = (x / x.sum() for x in map(count, (target_N, own_N)))
  bias_V = np.log(p_V / q_V)
  return bias_V - p_V @ bias_V


def gain_percent_as_published(plateau: Any, base: Any) -> Any:
  """Returns 100 (plateau / base - 1), the published size of an effect."""
  return 100 * (np.asarray(plateau) / np.asarray(base) - 1)
