"""Level statistics of generated trajectories, arm by arm.

A trajectory is a row of spacings, a block of its own: rows are independent, so
errors are those over rows. Means are taken off by the arm: a bias on the
logits changes the mean spacing first. On the host, in float64. Source: zeta
spec, sections 4.9 and 6.5.
"""

from typing import Any, NamedTuple

import numpy as np
from primelens.analyses import form_factors, spacings

PUBLISHED_RUN = (50, 512)  # trajectories, tokens of each


class Statistics(NamedTuple):
  """Of every row: K(tau), its plateau and ramp slope, and number variance."""

  k_NxQ: np.ndarray
  plateau_N: np.ndarray
  slope_N: np.ndarray
  variance_NxQ: np.ndarray
  mean: float


def statistics(spacing_NxG: Any, tau_Q: Any, length_Q: Any) -> Statistics:
  """Returns the statistics of rows of spacings, over their common mean.

  K is `spacings.form_factor` of each row (Hann's taper, mean density off), the
  plateau its mean on 1.2 < tau < 1.8, the slope that of `form_factors.ramp`.

  Raises ValueError for rows of fewer than 4, and as those do.
  """
  spacing_NxG = np.asarray(spacing_NxG, np.float64)
  mean = float(spacing_NxG.mean())
  unfolded_NxG = spacing_NxG / mean
  k_NxQ = spacings.form_factor(np.cumsum(unfolded_NxG, axis=1), tau_Q)
  return Statistics(
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
