"""Calibration of predictive distributions: PIT, intervals, CRPS, conformal.

The probability integral transform (PIT) of a spacing y is F(y), F the CDF it
was predicted by: uniform, and independent from step to step, where the
predictions are the true conditional distributions (Diebold, Gunther and Tay
1998). On the host in float64, but for `quantile`.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

UNIFORM_STD = 1 / math.sqrt(12)  # 0.2887


def quantile(cdf, level, low, high, *, steps: int = 50):
  """Returns y with cdf(y) = level, by bisection of [low, high].

  `cdf` is increasing and works elementwise on arrays of the shape of `low` and
  `high`, which must hold the quantile between them; `level` broadcasts to it.
  """

  def halve(_, ends):
    low, high = ends
    middle = 0.5 * (low + high)
    below = cdf(middle) < level
    return jnp.where(below, middle, low), jnp.where(below, high, middle)

  low, high = jax.lax.fori_loop(0, steps, halve, (low, high))
  return 0.5 * (low + high)


def ks_distance(pit_N) -> np.ndarray:
  """Returns sup_u |F_N(u) - u|, the distance of PITs from uniform: ....

  No p-value is given: over many dependent points it says nothing.
  Raises ValueError for values outside 0..1.
  """
  pit_N = np.sort(_pit(pit_N), axis=-1)
  count = pit_N.shape[-1]
  rank_N = np.arange(1, count + 1) / count
  above = (rank_N - pit_N).max(-1)
  below = (pit_N - rank_N + 1 / count).max(-1)
  return np.maximum(above, below)


def ks_ideal(count: int) -> float:
  """Returns the distance that `count` ideal PITs exceed once in 20 times.

  1.358 / sqrt(N) (Kolmogorov): what a perfect forecaster would show.
  """
  return 1.358 / math.sqrt(count)


def coverage(pit_N, level_V) -> np.ndarray:
  """Returns the share of PITs inside each central interval, ...xV.

  The central interval of level c holds (1 - c)/2 < F(y) < (1 + c)/2; where the
  predictions are calibrated its coverage is c.
  Raises ValueError for levels or PITs outside 0..1.
  """
  return inside(pit_N, level_V).mean(-2)


def inside(pit_N, level_V) -> np.ndarray:
  """Returns 1 where a PIT lies in a central interval, else 0: ...xNxV."""
  level_V = np.asarray(level_V, np.float64)
  if level_V.size and not 0 <= level_V.min() <= level_V.max() <= 1:
    raise ValueError(f"levels {level_V.tolist()} must lie in 0..1.")
  far = np.abs(_pit(pit_N) - 0.5)[..., None]
  return (far <= 0.5 * level_V).astype(np.float64)


def crps_as_published(sample_RxN, y_N) -> np.ndarray:
  """Returns E|X - y| - E|X - X'|/2 from R draws of each prediction: N.

  As published the draws are clipped at 0 (plus 1e-6), and X' runs over the same
  draws as X, X itself among them, which shortens the second term by the factor
  1 - 1/R. The closed form needs no draws (`models.mixture.crps`).
  """
  x_RxN = np.maximum(np.asarray(sample_RxN, np.float64), 0) + 1e-6
  first_N = np.abs(x_RxN - np.asarray(y_N, np.float64)[None]).mean(0)
  draws = len(x_RxN)
  weight_R = 2 * np.arange(1, draws + 1) - draws - 1
  pairs_N = 2 * np.tensordot(weight_R, np.sort(x_RxN, axis=0), (0, 0))
  return first_N - 0.5 * pairs_N / draws**2


class Interval(NamedTuple):
  """An interval prediction of each target, ends low_N and high_N."""

  low_N: np.ndarray
  high_N: np.ndarray

  def widened(self, by) -> "Interval":
    """Returns the interval with both ends moved out by `by`."""
    return Interval(self.low_N - by, self.high_N + by)

  @property
  def width_N(self) -> np.ndarray:
    """The widths; none is below 0, an interval that was moved in is empty."""
    return np.maximum(self.high_N - self.low_N, 0)

  def holds(self, y_N) -> np.ndarray:
    """Returns 1 where the target lies in the interval, else 0."""
    return ((y_N >= self.low_N) & (y_N <= self.high_N)).astype(np.float64)


def conformal_scores(interval: Interval, y_N) -> np.ndarray:
  """Returns max(low - y, y - high): how far a target is outside, < 0 inside.

  Source: Romano, Patterson and Candes 2019 (conformalized quantiles).
  """
  return np.maximum(interval.low_N - y_N, y_N - interval.high_N)


def conformal_adjustment(score_N, alpha: float) -> float:
  """Returns the k-th smallest score, k = ceil((1 - alpha)(n + 1)).

  Intervals widened by it hold an exchangeable new target with probability
  k / (n + 1) >= 1 - alpha, at most 1 - alpha + 1/(n + 1) without ties;
  infinite where k > n. Raises ValueError for no scores or alpha outside 0..1.
  """
  score_N = _scores(score_N, alpha)
  rank = math.ceil((1 - alpha) * (len(score_N) + 1) - 1e-9)
  if rank > len(score_N):
    return math.inf
  return float(np.partition(score_N, max(rank, 1) - 1)[max(rank, 1) - 1])


def conformal_adjustment_as_published(score_N, alpha: float) -> float:
  """Returns the interpolated quantile at min(1, (1 - alpha)(1 + 1/n)).

  Interpolation falls short of the order statistic that the guarantee needs, by
  less than one gap between scores. Source: docs/sources/zeros.md, section 4.13.
  """
  score_N = _scores(score_N, alpha)
  level = min(1.0, (1 - alpha) * (1 + 1 / len(score_N)))
  return float(np.quantile(score_N, level))


def sharpness(mean_N, variance_N, y_N) -> dict[str, np.ndarray]:
  """Returns bias, mean squared error and the variances behind a forecast.

  `bias` = mean(m - y), `mse` = mean (m - y)^2, `variance_of_means` of the
  predicted means m, `mean_variance` of the predicted variances and
  `data_variance` of y. Where the predictions are calibrated the bias is 0,
  mean_variance = mse and variance_of_means = data_variance - mse. Over the
  last axis, in spacings.
  """
  mean_N, variance_N, y_N = (np.asarray(x, np.float64) for x in (mean_N, variance_N, y_N))
  return {
    "bias": (mean_N - y_N).mean(-1),
    "mse": ((mean_N - y_N) ** 2).mean(-1),
    "variance_of_means": mean_N.var(-1),
    "mean_variance": variance_N.mean(-1),
    "data_variance": y_N.var(-1),
  }


def _pit(pit_N) -> np.ndarray:
  pit_N = np.asarray(pit_N, np.float64)
  if not pit_N.size or not 0 <= pit_N.min() <= pit_N.max() <= 1:
    raise ValueError("PITs are values of a CDF: give some, all in 0..1.")
  return pit_N


def _scores(score_N, alpha: float) -> np.ndarray:
  score_N = np.asarray(score_N, np.float64).ravel()
  if not len(score_N) or not 0 <= alpha <= 1:
    raise ValueError(f"need scores and alpha in 0..1, got {len(score_N)} and {alpha}.")
  return score_N
