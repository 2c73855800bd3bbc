"""Families of kernels fitted to a curve of distance, and what tells them apart.

Every family is linear in its amplitudes and offset, which are solved exactly;
scipy searches the one or two parameters inside (rates, all positive, by their
logarithm) from the published starts and seeded restarts. On the host, float64.
Source: zeta spec, sections 4.4 and 6.4.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
from primelens.analyses import counts, linear

MONOTONE = "monotone (isotonic)"
STRETCHED = "stretched exponential with linear term"
WAVE = "damped sinusoid"
SINC2 = "sinc squared"
CONSTANT = "constant"
LEAST = 6  # points of a curve
_RANGES = 8  # contiguous parts of the distances, every second held out
_REFINED = 2  # starts refined, the best of all
_FLOOR = 1e-24  # of the total sum of squares: below it a fit is exact


@dataclasses.dataclass(frozen=True)
class Family:
  """`basis(d, rates) -> NxP`, one column per amplitude; `starts` as published.

  `low`, `high` bound each rate times the span of the distances, and `limit`
  the rate itself: above it a wave on whole distances is one of a lower rate.
  """

  basis: Callable[..., Any]
  starts: tuple[tuple[float, ...], ...] = ((),)
  low: tuple[float, ...] = ()
  high: tuple[float, ...] = ()
  limit: float = math.pi


class Fit(NamedTuple):
  """One family's fit: `rates` inside, `amplitudes` by column of the basis.

  `r2`, `aic` and `bic` in sample, over all distances; `skill` on held-out
  distances by the fit of the others: 1 - SSE / SSE of their mean. A curve that
  is constant there has neither r2 nor skill: NaN (`linear.explained`).
  """

  family: str
  rates: tuple[float, ...]
  amplitudes: tuple[float, ...]
  parameters: int
  r2: float
  aic: float
  bic: float
  skill: float


def _columns(*columns):
  return np.stack(np.broadcast_arrays(*columns), axis=1)


def _stretched(d, rates):
  decay = np.exp(-rates[0] * np.sqrt(d))
  return _columns(d * decay, decay, 1.0)


def _wave(d, rates):
  frequency, decay = rates
  envelope = np.exp(-decay * d)
  return _columns(envelope * np.cos(frequency * d), envelope * np.sin(frequency * d), 1.0)


def _offset(curve):
  return lambda d, rates: _columns(curve(d, *rates), 1.0)


# The damped cosine of one source and the damped sine of another differ in
# nothing: the phase is free. Rates: 1 / sqrt d, radians, 1 / d, 1 / d^2.
FAMILIES: dict[str, Family] = {
  STRETCHED: Family(_stretched, ((1.16,),), (0.05,), (300.0,)),
  "stretched exponential": Family(
    _offset(lambda d, c: np.exp(-c * np.sqrt(d))), ((1.16,),), (0.05,), (300,)
  ),
  WAVE: Family(
    _wave, ((0.357, 0.0024), (0.35, 0.002), (0.0145, 0.01)), (0.5, 0.01), (math.inf, 300)
  ),
  "sinc": Family(
    _offset(lambda d, w: np.sinc(w * d / np.pi)),
    ((0.1,), (2 * np.pi / 18,)),
    (0.5,),
    (math.inf,),
    3.0,
  ),
  SINC2: Family(
    _offset(lambda d, w: np.sinc(w * d / np.pi) ** 2), ((np.pi / 2.533,),), (0.5,), (math.inf,), 1.5
  ),
  "Gaussian": Family(_offset(lambda d, c: np.exp(-c * d**2)), ((0.01,),), (1e-3,), (3e4,)),
  "exponential": Family(
    _offset(lambda d, c: np.exp(-c * d)), ((1 / 5,), (1 / 20,)), (0.05,), (300,)
  ),
  "power law": Family(_offset(lambda d, c: np.exp(-c * np.log(d))), ((1.0,),), (0.05,), (500,)),
  CONSTANT: Family(lambda d, rates: np.ones((len(d), 1))),
}


def held_out(count: int, ranges: int = _RANGES) -> np.ndarray:
  """Returns which distances are held out: every second of `ranges` parts."""
  return np.arange(count) * ranges // max(count, 1) % 2 == 1


def predict(fit: Fit, distance_Q) -> np.ndarray:
  """Returns the fitted family at other distances.

  Raises `ValueError` for the monotone curve, which has no formula.
  """
  if fit.family not in FAMILIES:
    raise ValueError(f"{fit.family!r} has no formula; valid: {', '.join(FAMILIES)}.")
  distance_Q = np.asarray(distance_Q, np.float64)
  basis_QxP = FAMILIES[fit.family].basis(distance_Q, fit.rates)
  return basis_QxP @ np.array(fit.amplitudes)


def fits(
  distance_Q,
  value_Q,
  *,
  families: Mapping[str, Family] = FAMILIES,
  restarts: int = 24,
  seed: int = 0,
) -> dict[str, Fit]:
  """Returns the fit of every family and of the best monotone curve, by name.

  NaN values are left out. AIC is `n ln(SSE / n) + 2 (k + 1)`, BIC has ln n in
  place of 2, k all parameters (for the monotone curve: its levels). Both take
  the points for independent. AIC does not pay for the search over frequencies:
  it gives a wave to every second curve of pure noise. Read BIC and skill too.

  Raises `ValueError` for fewer than 6 points, or a distance of 0 or less.
  """
  counts.whole(restarts=restarts, seed=seed)
  distance_Q = np.asarray(distance_Q, np.float64)
  value_Q = np.asarray(value_Q, np.float64)
  known_Q = np.isfinite(value_Q)
  distance_Q, value_Q = distance_Q[known_Q], value_Q[known_Q]
  if len(value_Q) < LEAST or distance_Q.min() <= 0:
    raise ValueError(f"need 6 values at positive distances, got {len(value_Q)}.")
  rng = np.random.default_rng(seed)
  train_Q = ~held_out(len(value_Q))
  found = {}
  for name, family in families.items():
    starts = _starts(family, np.ptp(distance_Q), rng, restarts)
    found[name] = _fit(name, family, distance_Q, value_Q, train_Q, starts)
  found[MONOTONE] = _monotone(distance_Q, value_Q, train_Q)
  return found


def winner(found: Mapping[str, Fit], by: str = "aic") -> Fit:
  """Returns the formula of least "aic" or "bic", or of most "skill", the first
  one where none has any.

  The monotone curve is a null, no formula: it has about as many levels as the
  curve has points. Raises `ValueError` for another criterion.
  """
  if by not in ("aic", "bic", "skill"):
    raise ValueError(f"by must be one of aic, bic, skill, got {by!r}.")
  sign = -1 if by == "skill" else 1
  formulas = [fit for name, fit in found.items() if name != MONOTONE]
  value = lambda fit: sign * getattr(fit, by)
  return min(formulas, key=lambda fit: value(fit) if np.isfinite(value(fit)) else np.inf)


def _fit(name, family, distance_Q, value_Q, train_Q, starts) -> Fit:
  part, (rates, amplitude_P) = (
    _search(family, distance_Q[rows], value_Q[rows], starts) for rows in (train_Q, slice(None))
  )
  parameters = len(rates) + len(amplitude_P)
  fitted_Q = family.basis(distance_Q, rates) @ amplitude_P
  held_Q = family.basis(distance_Q[~train_Q], part[0]) @ part[1]
  r2, aic, bic = _scores(value_Q, fitted_Q, parameters)
  return Fit(
    family=name,
    rates=tuple(map(float, rates)),
    amplitudes=tuple(map(float, amplitude_P)),
    parameters=parameters,
    r2=r2,
    aic=aic,
    bic=bic,
    skill=_skill(value_Q, train_Q, held_Q),
  )


def _bounds(family: Family, span: float):
  high = [min(top / span, family.limit) for top in family.high]
  return np.log(np.array(family.low) / span), np.log(high)


def _starts(family: Family, span, rng, restarts: int) -> list:
  """Returns the published starts and seeded ones, within the bounds."""
  low, high = _bounds(family, span)
  drawn = [np.exp(rng.uniform(low, high)) for _ in range(restarts)]
  return [*family.starts, *drawn]


def _search(family: Family, distance_Q, value_Q, starts):
  """Returns the best rates and the amplitudes at them.

  The best `_REFINED` of the starts are refined; a sine keeps every logarithm
  of a rate within its bounds.
  """

  def solve(rates):
    basis_QxP = family.basis(distance_Q, rates)
    amplitude_P = np.linalg.lstsq(basis_QxP, value_Q, rcond=1e-10)[0]
    return amplitude_P, basis_QxP @ amplitude_P - value_Q

  if not family.low:
    return (), solve(())[0]
  scale = np.std(value_Q) or 1.0
  low, high = _bounds(family, np.ptp(distance_Q))
  rates = lambda turn: np.exp(low + (high - low) * (1 + np.sin(turn)) / 2)
  error = lambda turn: solve(rates(turn))[1] / scale
  place = np.clip((np.log(starts) - low) / (high - low), 0.001, 0.999)
  turns = sorted(np.arcsin(2 * place - 1), key=lambda turn: np.sum(error(turn) ** 2))
  ends = [
    scipy.optimize.least_squares(error, turn, method="lm", max_nfev=80) for turn in turns[:_REFINED]
  ]
  best = rates(min(ends, key=lambda end: end.cost).x)
  return best, solve(best)[0]


def _scores(value_Q, fitted_Q, parameters: int) -> tuple[float, float, float]:
  """Returns R2, AIC and BIC; a constant curve has no R2."""
  error = float(np.sum((value_Q - fitted_Q) ** 2))
  r2 = float(linear.r2(value_Q, fitted_Q))
  count = len(value_Q)
  least = _FLOOR * float(np.sum(value_Q**2)) or 1.0
  loss = count * math.log(max(error, least) / count)
  return (r2, loss + 2 * (parameters + 1), loss + math.log(count) * (parameters + 1))


def _skill(value_Q, train_Q, held_Q) -> float:
  """Returns 1 - SSE / SSE of the training mean, on the held-out distances."""
  truth_Q = value_Q[~train_Q]
  null = np.mean((truth_Q - value_Q[train_Q].mean()) ** 2)
  return float(linear.explained(np.mean((truth_Q - held_Q) ** 2), null))


def _monotone(distance_Q, value_Q, train_Q) -> Fit:
  """Returns the better of the best rising and the best falling curve."""

  def best(value_Q):
    ways = [
      scipy.optimize.isotonic_regression(value_Q, increasing=rising).x for rising in (False, True)
    ]
    return min(ways, key=lambda curve_Q: np.sum((curve_Q - value_Q) ** 2))

  held_Q = np.interp(distance_Q[~train_Q], distance_Q[train_Q], best(value_Q[train_Q]))
  fitted_Q = best(value_Q)
  levels = len(np.unique(fitted_Q))
  r2, aic, bic = _scores(value_Q, fitted_Q, levels)
  skill = _skill(value_Q, train_Q, held_Q)
  return Fit(MONOTONE, (), (), levels, r2, aic, bic, skill)
