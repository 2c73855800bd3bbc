"""Intervals and p-values for dependent data, few seeds and many tests.

On the host, in numpy float64; what is drawn is drawn from explicit seeds. Every
interval is one `Interval`, whose fields have the shape of the estimate. Means
over seeds and data have one definition, `seed_block_interval`.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.stats

# Resampled numbers held at once: 32 MB of float64.
_CHUNK = 4_000_000


class Interval(NamedTuple):
  """An estimate, the ends of its confidence interval, its standard error.

  >>> f"{Interval(0.012, -0.001, 0.024):+.3f}"
  '+0.012 [-0.001, +0.024]'

  Without an interval, as of one seed, it is the estimate alone.
  """

  estimate: Any
  low: Any
  high: Any
  standard_error: Any = np.nan

  def __format__(self, spec: str) -> str:
    estimate, low, high = (format(float(end), spec) for end in self[:3])
    known = not (np.isnan(self.low) and np.isnan(self.high))
    return f"{estimate} [{low}, {high}]" if known else estimate


def seed_block_interval(value_SxN: Any, *, block: int, level: float = 0.95) -> Interval:
  """Returns the interval of the mean over seeds and data, of values `Sx...xN`.

  The S seeds (trained networks, say) are scored on the same N values of a
  dependent series. The variance of their mean m has two parts:

    s^2 / S  seeds: s^2 the sample variance of the seeds' own means. It holds
             what sets the seeds apart, and the noise that each has for itself.
    c        data: the noise that the seeds share, the mean over pairs of
             seeds of the covariance of their means. A mean over more seeds
             has no less of it.

  so that nothing counts twice, and E[s^2 / S + c] is the variance of m whatever
  the seeds share. Each part has its own Student t:

    m +- sqrt(t_{S-1}^2 s^2 / S + t_f^2 c),  f = 1.5 (N / block - 1)

  c is that of the moving block bootstrap (Kunsch 1989), in closed form, times
  N / (N - block), since overlapping blocks scatter about their own mean; f are
  the degrees of freedom of overlapping blocks (Meketon and Schmeiser 1984). A c
  below 0 counts as 0. Blocks should be much longer than the correlation.

  With two seeds t is 12.7: they hardly say how seeds differ. With one seed
  the interval is that of the data alone, `block_interval`: it holds for this
  one network and says nothing of other seeds. One block or less of data says
  nothing of its noise: the ends are NaN.

  The difference of two things scored with the same seeds on the same data is
  the interval of the seeds' differences, `seed_block_interval(a - b, ...)`.

  Raises ValueError for values without both axes, empty or non-finite ones, or
  a block outside 1..N.
  """
  value_SxN = _series(value_SxN, block)
  if value_SxN.ndim < 2:
    raise ValueError(f"values need seeds and data, got {value_SxN.shape}.")
  _check_level(level)
  seeds, length = len(value_SxN), value_SxN.shape[-1]
  mean_N = value_SxN.mean(0)
  data = _block_variance(mean_N, block)
  seed, of_seeds = np.zeros(data.shape), 0.0
  if seeds > 1:
    # Of the mean over seeds, less what each seed has for itself, is the
    # covariance of pairs: var(m) - sum_s var(m_s - m) / (S (S - 1)).
    own_S = [_block_variance(value_N - mean_N, block) for value_N in value_SxN]
    data = np.maximum(0, data - np.sum(own_S, axis=0) / (seeds * (seeds - 1)))
    seed = value_SxN.mean(-1).var(0, ddof=1) / seeds
    of_seeds = _student(level, seeds - 1)
  of_data = _student(level, 1.5 * (length / block - 1))
  reach = np.sqrt(of_seeds**2 * seed + of_data**2 * data)
  estimate = mean_N.mean(-1)
  return Interval(estimate, estimate - reach, estimate + reach, np.sqrt(seed + data))


def block_interval(value_N: Any, *, block: int, level: float = 0.95) -> Interval:
  """Returns the interval of the mean of a dependent series `...xN`.

  `m +- t_f sqrt(c)`, c the variance of the moving block bootstrap in closed form
  and f = 1.5 (N / block - 1): `seed_block_interval` of one seed. The axes in
  front are separate series. The ends are NaN where `block` is all of N.

  Raises ValueError for an empty or non-finite series, or a block outside 1..N.
  """
  return seed_block_interval(_series(value_N, block)[None], block=block, level=level)


def moving_block_bootstrap(
  value_N: Any,
  *,
  block: int,
  seed: int,
  statistic: Callable[..., np.ndarray],
  samples: int = 2000,
  level: float = 0.95,
) -> Interval:
  """Returns the interval of `statistic(value, axis=-1)` of a series `...xN`.

  For statistics other than the mean, which has `block_interval`. Each replicate
  joins ceil(N / block) blocks of `block` neighbours that start anywhere (Kunsch
  1989), cut to N; the leading axes share their blocks, so that differences
  between them stay paired. Blocks should be much longer than the correlation
  and much shorter than N: percentiles of few blocks are too narrow. The
  interval is that of the percentiles, with the replicates centred on the
  estimate, since blocks that do not wrap around visit the ends of the series
  less often. It is of the data alone: seeds are not drawn.

  Raises ValueError for an empty or non-finite series, or a block outside 1..N.
  """
  value_N = _series(value_N, block)
  replicate_P = _replicates(value_N, block, samples, seed, statistic)
  return _percentiles(statistic(value_N, axis=-1), replicate_P, level)


def paired_difference(a_N: Any, b_N: Any, *, block: int, level: float = 0.95) -> Interval:
  """Returns the interval of mean(a - b) over the same N positions, `...xN`.

  Pairing removes what both have in common, such as the hard windows.

  Raises ValueError if the shapes differ (make a baseline's axes explicit).
  """
  a_N, b_N = np.asarray(a_N, np.float64), np.asarray(b_N, np.float64)
  if a_N.shape != b_N.shape:
    raise ValueError(f"paired values need one shape, got {a_N.shape} and {b_N.shape}.")
  return block_interval(a_N - b_N, block=block, level=level)


def seed_interval(value_S: Any, *, level: float = 0.95) -> Interval:
  """Returns the t interval of the mean over seeds, the first axis of `Sx...`.

  `mean +- t_{S-1} s / sqrt(S)`, for values whose noise of data is not shared, or
  for seeds on data that are taken as given (`seed_block_interval` has that
  noise too). With one seed nothing is known about seeds: the standard error and
  both ends are NaN.

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
  reach = _student(level, seeds - 1) * error
  return Interval(mean, mean - reach, mean + reach, error)


def percentiles(sample_Rx, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
  """Returns the central percentile interval over draws: (low, high)."""
  tail = (1 - level) / 2
  low, high = np.quantile(sample_Rx, [tail, 1 - tail], axis=0)
  return low, high


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


def _block_variance(value_N, block):
  """Returns the variance of the mean of a series, by overlapping blocks.

  That of the moving block bootstrap over all its draws: k - 1 whole blocks and
  the cut last one, drawn apart from each other, times N / (N - block). NaN for
  one block.
  """
  length = value_N.shape[-1]
  if block == length:
    return np.full(value_N.shape[:-1], np.nan)
  # Sums of deviations, lest a large mean drown them.
  total = np.cumsum(value_N - value_N.mean(-1, keepdims=True), axis=-1)
  total = np.concatenate([np.zeros((*total.shape[:-1], 1)), total], axis=-1)
  starts = length - block + 1
  blocks = -(-length // block)
  rest = length - (blocks - 1) * block  # length of the last, cut block
  whole = total[..., block:] - total[..., :starts]
  cut = total[..., rest : rest + starts] - total[..., :starts]
  variance = ((blocks - 1) * whole.var(-1) + cut.var(-1)) / length**2
  return variance * length / (length - block)


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


def _student(level, freedom):
  """Returns the two-sided quantile of Student's t; NaN without freedom."""
  return scipy.stats.t.ppf(0.5 + level / 2, freedom) if freedom > 0 else np.nan


def _check_level(level):
  if not 0 < level < 1:
    raise ValueError(f"level must lie between 0 and 1, got {level}.")
