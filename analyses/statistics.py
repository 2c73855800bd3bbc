"""Intervals and p-values for dependent data, few seeds and many tests.

On the host, in numpy float64, with explicit seeds. Every interval is one
`Interval`, whose fields have the shape of the estimate.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.stats

# Resampled numbers held at once: 32 MB of float64.
_CHUNK = 4_000_000


class Interval(NamedTuple):
  """An estimate, the ends of its confidence interval, its standard error."""

  estimate: np.ndarray
  low: np.ndarray
  high: np.ndarray
  standard_error: np.ndarray


def moving_block_bootstrap(
  value_N: Any,
  *,
  block: int,
  seed: int,
  samples: int = 2000,
  level: float = 0.95,
  statistic: Callable[..., np.ndarray] = np.mean,
) -> Interval:
  """Returns the interval of a statistic of a dependent series `...xN`.

  Each replicate joins ceil(N / block) blocks of `block` neighbours that start
  anywhere (Kunsch 1989), cut to N; the leading axes share their blocks, so
  that differences between them stay paired. Blocks should be much longer than
  the correlation and much shorter than N. The interval is that of the
  percentiles, with the replicates centred on the estimate, since blocks that
  do not wrap around visit the ends of the series less often.

  `statistic(value, axis=-1)` is the mean by default, for which a replicate
  costs N / block additions and not N.

  Raises ValueError for an empty or non-finite series, or a block outside 1..N.
  """
  value_N = _series(value_N, block)
  if statistic is np.mean:
    replicate_P = _mean_replicates(value_N, block, samples, seed)
  else:
    replicate_P = _replicates(value_N, block, samples, seed, statistic)
  return _percentiles(statistic(value_N, axis=-1), replicate_P, level)


def paired_difference(
  a_N: Any, b_N: Any, *, block: int, seed: int, samples: int = 2000, level: float = 0.95
) -> Interval:
  """Returns the interval of mean(a - b) over the same N positions, `...xN`.

  Pairing removes what both have in common, such as the hard windows.

  Raises ValueError if the shapes differ (make a baseline's axes explicit).
  """
  a_N, b_N = np.asarray(a_N, np.float64), np.asarray(b_N, np.float64)
  if a_N.shape != b_N.shape:
    raise ValueError(f"paired values need one shape, got {a_N.shape} and {b_N.shape}.")
  return moving_block_bootstrap(a_N - b_N, block=block, seed=seed, samples=samples, level=level)


def cluster_bootstrap(
  value_SxN: Any, *, block: int, seed: int, samples: int = 2000, level: float = 0.95
) -> Interval:
  """Returns the interval of the mean over seeds and data, `Sx...xN`.

  Each replicate draws S seeds with replacement and, for all of them alike
  (they are scored on the same positions), blocks of the data: its variance is
  about `(S - 1) / S  s_S^2 / S + s_data^2`, s_S the spread of the seed means.

  The seed part is short by the factor (S - 1) / S: with 2 seeds the interval
  is very rough (read `seed_interval` beside it), with 1 seed it holds the data
  part alone.

  Raises ValueError as `moving_block_bootstrap` does.
  """
  value_SxN = _series(value_SxN, block)
  if value_SxN.ndim < 2:
    raise ValueError(f"values need seeds and data, got {value_SxN.shape}.")
  seeds = len(value_SxN)
  replicate_SxP = _mean_replicates(value_SxN, block, samples, seed)
  # Another stream than that of the blocks, from the same seed.
  rng = np.random.default_rng([seed, 1])
  weight_PxS = rng.multinomial(seeds, np.full(seeds, 1 / seeds), samples) / seeds
  replicate_P = np.einsum("s...p,ps->...p", replicate_SxP, weight_PxS)
  return _percentiles(value_SxN.mean((0, -1)), replicate_P, level)


def seed_interval(value_S: Any, *, level: float = 0.95) -> Interval:
  """Returns the t interval of the mean over seeds, the first axis of `Sx...`.

  `mean +- t_{S-1} s / sqrt(S)`. With one seed nothing is known about seeds:
  the standard error and both ends are NaN.

  Raises ValueError if there is no seed.
  """
  value_S = np.asarray(value_S, np.float64)
  if not value_S.ndim or not len(value_S):
    raise ValueError(f"need at least one seed, got shape {value_S.shape}.")
  _check_level(level)
  mean, seeds = value_S.mean(0), len(value_S)
  if seeds == 1:
    unknown = np.full_like(mean, np.nan)
    return Interval(mean, unknown, unknown, unknown)
  error = value_S.std(0, ddof=1) / np.sqrt(seeds)
  reach = scipy.stats.t.ppf(0.5 + level / 2, seeds - 1) * error
  return Interval(mean, mean - reach, mean + reach, error)


def permutation_p(
  observed: Any, null_R: Any, *, tail: Literal["greater", "less", "two-sided"] = "greater"
) -> np.ndarray:
  """Returns `(1 + count) / (R + 1)`, count of R null draws as extreme.

  `null_R` has the draws on its first axis and the shape of `observed` after
  it. Two-sided is twice the smaller tail, at most 1.

  Raises ValueError for no draws, other shapes, or another tail.
  """
  observed, null_R = _observed(observed, null_R)
  greater = (1 + np.sum(null_R >= observed, axis=0)) / (len(null_R) + 1)
  less = (1 + np.sum(null_R <= observed, axis=0)) / (len(null_R) + 1)
  p_of = {
    "greater": greater,
    "less": less,
    "two-sided": np.minimum(1, 2 * np.minimum(greater, less)),
  }
  if tail not in p_of:
    raise ValueError(f"tail must be one of {', '.join(p_of)}, got {tail!r}.")
  return p_of[tail]


def benjamini_hochberg(p_V: Any) -> np.ndarray:
  """Returns adjusted p-values that control the false discovery rate.

  `p_(i)' = min_{j >= i} p_(j) V / j` over all entries of any shape, for
  independent or positively dependent tests (Benjamini and Hochberg 1995).

  Raises ValueError if an entry is outside 0..1.
  """
  return scipy.stats.false_discovery_control(p_V, axis=None, method="bh")


def max_t(
  observed_V: Any, null_RxV: Any, *, tail: Literal["greater", "two-sided"] = "greater"
) -> np.ndarray:
  """Returns adjusted p-values that control the chance of any false finding.

  Single-step max-T (Westfall and Young 1993):
  `p_v = (1 + #{r: max_u null_ru >= observed_v}) / (R + 1)`, with |.| if
  two-sided. The V statistics should be on one scale (t values, say): the
  widest one otherwise decides for all.

  Raises ValueError for no draws, other shapes, or another tail.
  """
  observed_V, null_RxV = _observed(observed_V, null_RxV)
  if tail not in ("greater", "two-sided"):
    raise ValueError(f"tail must be 'greater' or 'two-sided', got {tail!r}.")
  if tail == "two-sided":
    observed_V, null_RxV = np.abs(observed_V), np.abs(null_RxV)
  top_R = np.sort(null_RxV.reshape(len(null_RxV), -1).max(-1))
  count_V = len(top_R) - np.searchsorted(top_R, observed_V, side="left")
  return (1 + count_V) / (len(top_R) + 1)


def _series(value_N, block):
  value_N = np.asarray(value_N, np.float64)
  if not value_N.ndim or not value_N.size:
    raise ValueError(f"need a series ...xN, got the shape {value_N.shape}.")
  if not 1 <= block <= value_N.shape[-1]:
    raise ValueError(f"block must lie in 1..{value_N.shape[-1]} (the length), got {block}.")
  bad = np.argwhere(~np.isfinite(value_N))
  if len(bad):
    first = tuple(bad[0].tolist())
    raise ValueError(f"{len(bad)} values are not finite, first at {first}.")
  return value_N


def _observed(observed, null_R):
  observed, null_R = np.asarray(observed), np.asarray(null_R)
  if not null_R.ndim or not null_R.size or null_R.shape[1:] != observed.shape:
    raise ValueError(f"null draws need the shape R x {observed.shape}, got {null_R.shape}.")
  if np.isnan(observed).any() or np.isnan(null_R).any():
    raise ValueError("a p-value of NaN statistics is meaningless: drop them.")
  return observed, null_R


def _starts(
  length: int, block: int, samples: int, seed: int, cost: int
) -> Iterator[tuple[slice, np.ndarray]]:
  """Yields block starts, PxB, for as many replicates as fit in memory."""
  if samples < 2:
    raise ValueError(f"samples must be at least 2, got {samples}.")
  rng = np.random.default_rng(seed)
  blocks = -(-length // block)
  step = max(1, _CHUNK // cost)
  for first in range(0, samples, step):
    rows = slice(first, min(first + step, samples))
    shape = (rows.stop - rows.start, blocks)
    yield rows, rng.integers(0, length - block + 1, shape)


def _mean_replicates(value_N, block, samples, seed):
  """Returns the replicates of the mean, ...xP, from sums of whole blocks."""
  length, lead = value_N.shape[-1], value_N.shape[:-1]
  # Sums of deviations, lest a large mean drown them.
  centre = value_N.mean(-1, keepdims=True)
  total = np.cumsum(value_N - centre, axis=-1).reshape(-1, length)
  total = np.concatenate([np.zeros((len(total), 1)), total], axis=-1)
  blocks = -(-length // block)
  rest = length - (blocks - 1) * block  # length of the last, cut block
  whole = total[:, block:] - total[:, : length - block + 1]
  cut = total[:, rest:] - total[:, : length - rest + 1]
  replicate = np.empty((len(total), samples))
  for rows, start_PxB in _starts(length, block, samples, seed, blocks):
    for row in range(len(total)):  # the same blocks for all rows
      sums = whole[row][start_PxB[:, :-1]].sum(-1)
      replicate[row, rows] = (sums + cut[row][start_PxB[:, -1]]) / length
  return replicate.reshape(*lead, samples) + centre


def _replicates(value_N, block, samples, seed, statistic):
  """Returns the replicates of any statistic, ...xP."""
  length, lead = value_N.shape[-1], value_N.shape[:-1]
  replicate = np.empty((*lead, samples))
  cost = value_N.size
  for rows, start_PxB in _starts(length, block, samples, seed, cost):
    index = (start_PxB[:, :, None] + np.arange(block)).reshape(len(start_PxB), -1)
    replicate[..., rows] = statistic(value_N[..., index[:, :length]], axis=-1)
  return replicate


def _percentiles(estimate, replicate_P, level):
  _check_level(level)
  centred_P = replicate_P - replicate_P.mean(-1, keepdims=True)
  tails = np.array([0.5 - level / 2, 0.5 + level / 2])
  low, high = estimate + np.quantile(centred_P, tails, axis=-1)
  return Interval(np.asarray(estimate), low, high, np.asarray(replicate_P.std(-1, ddof=1)))


def _check_level(level):
  if not 0 < level < 1:
    raise ValueError(f"level must lie between 0 and 1, got {level}.")
