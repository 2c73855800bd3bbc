"""Attention by distance, families of kernels fitted to it, symmetry of bilinear forms.

A causal attention map has queries i and keys j <= i. Its distance is d = i - j
(by index) or u_i - u_j with u the running sum of the spacings (unfolded): the
sum s_{j+1} + ... + s_i. Curves are traced; sampling and binning are on the
host, in float64. Source: docs/sources/zeros.md, sections 4.4 and 6.4.

Every family is linear in its amplitudes and offset, which are solved exactly;
scipy searches the one or two parameters inside (rates, all positive, by their
logarithm) from the published starts and seeded restarts. On the host, float64.
Source: docs/sources/zeros.md, sections 4.4 and 6.4.

H = W_q W_k^T of one head (D x D, of rank Dh), so that a score is x_i^T H x_j.
On the host, in float64. Source: docs/sources/zeros.md, section 4.7.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
import threadpoolctl
from primelens.analyses import counts, linear, precision

# --- attention by distance ------------------------------------------------------------------------


# Of the published kernel: distances up to 100 in 59 bins, queries from 10 on.
PUBLISHED_EDGES = np.linspace(0, 100, 60)
PUBLISHED_FIRST = 10
PUBLISHED_PAIRS = 30
LEAST = 5  # samples a bin must exceed


class Pairs(NamedTuple):
  """Queries and keys drawn in each of N windows: NxP."""

  query_NxP: np.ndarray
  key_NxP: np.ndarray


def centred(scores_xTxT) -> jax.Array:
  """Returns `s_ij - mean_{j <= i} s_ij` for j <= i, and 0 elsewhere.

  The softmax of a row is the same for s and s + c: only what differs within a
  row, over the keys its query may read, is attention.
  """
  score_ExTxT = jnp.tril(_flat(scores_xTxT))
  keys_T = jnp.arange(1, score_ExTxT.shape[-1] + 1)
  mean_ExT = score_ExTxT.sum(-1) / keys_T[None]
  return jnp.tril(score_ExTxT - mean_ExT[:, :, None]).reshape(jnp.shape(scores_xTxT))


def by_index(value_xTxT) -> jax.Array:
  """Returns the mean of `value[i, i - d]` over i, for d = 1 .. T - 1: `...xQ`.

  Distance d has T - d pairs.
  """
  value_ExTxT = jnp.tril(_flat(value_xTxT))
  length = value_ExTxT.shape[-1]
  # Rows of T in rows of T + 1: entry (i, i - d) comes to column T - d.
  flat = jnp.pad(value_ExTxT.reshape(-1, length**2), ((0, 0), (length, 0)))
  sum_ExT1 = flat.reshape(-1, length, length + 1).sum(1)
  pairs_Q = jnp.arange(length - 1, 0, -1)
  mean_ExQ = sum_ExT1[:, length - 1 : 0 : -1] / pairs_Q[None]
  return mean_ExQ.reshape(*jnp.shape(value_xTxT)[:-2], length - 1)


def by_unfolded(value_xTxT, spacing_T, edge_K1):
  """Returns sums `...xK` and pair counts K of the values of j < i by distance.

  Bin k holds edge_k <= u_i - u_j < edge_{k+1}. Sums of windows may be added
  before they are divided.
  """
  value_ExTxT = _flat(value_xTxT)
  bins = len(edge_K1) - 1
  place_T = jnp.cumsum(precision.wide(spacing_T))
  apart_TxT = place_T[:, None] - place_T[None]
  bin_TxT = jnp.searchsorted(jnp.asarray(edge_K1), apart_TxT, side="right") - 1
  length = value_ExTxT.shape[-1]
  behind_TxT = jnp.tril(jnp.ones((length, length), bool), -1)
  inside_TxT = behind_TxT & (bin_TxT >= 0) & (bin_TxT < bins)
  bin_E = jnp.where(inside_TxT, bin_TxT, bins).ravel()
  add = lambda value_E: jax.ops.segment_sum(value_E, bin_E, bins + 1)[:bins]
  sum_ExK = jax.vmap(add)(value_ExTxT.reshape(-1, length**2))
  lead = jnp.shape(value_xTxT)[:-2]
  return sum_ExK.reshape(*lead, bins), add(jnp.ones(length**2))


def pairs_as_published(
  windows: int, length: int, *, seed: int, pairs: int = PUBLISHED_PAIRS
) -> Pairs:
  """Returns the published draw: i ~ U[10, T), then j ~ U[0, i).

  Near distances come from all queries, far ones from late queries alone.
  Raises `ValueError` for windows of 10 or fewer positions.
  """
  counts.whole(1, windows=windows, length=length, pairs=pairs)
  counts.whole(seed=seed)
  if length <= PUBLISHED_FIRST:
    raise ValueError(f"windows of {length} have no query after the first {PUBLISHED_FIRST}.")
  rng = np.random.default_rng(seed)
  query_NxP = rng.integers(PUBLISHED_FIRST, length, (windows, pairs))
  return Pairs(query_NxP, rng.integers(0, query_NxP))


def unfolded(spacing_NxT, pairs: Pairs) -> np.ndarray:
  """Returns the unfolded distance u_i - u_j of each drawn pair, NxP."""
  place_NxT = np.cumsum(np.asarray(spacing_NxT, np.float64), axis=1)
  at = lambda index_NxP: np.take_along_axis(place_NxT, index_NxP, axis=1)
  return at(pairs.query_NxP) - at(pairs.key_NxP)


def binned(distance_N, value_N, edge_K1=PUBLISHED_EDGES, *, least: int = LEAST):
  """Returns the mean value of each bin of distance, and the counts: both K.

  NaN where a bin has `least` samples or fewer.
  """
  value_N = np.asarray(value_N, np.float64).ravel()
  distance_N = np.asarray(distance_N, np.float64).ravel()
  count_K, _ = np.histogram(distance_N, edge_K1)
  sum_K, _ = np.histogram(distance_N, edge_K1, weights=value_N)
  mean_K = sum_K / np.maximum(count_K, 1)
  return np.where(count_K > least, mean_K, np.nan), count_K


def centres(edge_K1=PUBLISHED_EDGES) -> np.ndarray:
  """Returns the middle of each bin."""
  edge_K1 = np.asarray(edge_K1)
  return (edge_K1[1:] + edge_K1[:-1]) / 2


def uniform_expected(distance, length: int) -> np.ndarray:
  """Returns the mean of 1 / (i + 1) at index distance d under the draw above.

  P(i, d) is proportional to 1 / i for i >= m = max(10, d), so the mean is
  `(1/m - 1/T) / (1/m + ... + 1/(T-1))`: flat up to d = 10, then falling. Of
  attention that looks at nothing.
  """
  least = np.maximum(PUBLISHED_FIRST, np.asarray(distance, np.int64))
  total = np.append(0, np.cumsum(1 / np.arange(1, length)))
  return (1 / least - 1 / length) / (total[length - 1] - total[least - 1])


def physics_score_as_published(curve_xQ) -> np.ndarray:
  """Returns the published score that chose the "physics head", by head.

  0.5 (sign changes of the first difference) + 100 variance + 10 max(0, mu(4) -
  mu(1)), of scores at d = 1, 2, ... It grows with noise and with scale.
  """
  curve_xQ = np.asarray(curve_xQ, np.float64)
  sign_xQ = np.sign(np.diff(curve_xQ, axis=-1))
  turns_x = np.sum(sign_xQ[..., 1:] != sign_xQ[..., :-1], axis=-1)
  rise_x = np.maximum(0, curve_xQ[..., 3] - curve_xQ[..., 0])
  return 0.5 * turns_x + 100 * curve_xQ.var(-1) + 10 * rise_x


def unmasked_as_published(query_TxHxDh, key_TxHxDh) -> jax.Array:
  """Returns softmax(q.k / sqrt Dh) over all T keys, HxTxT: no mask, no rotary.

  The published Flash kernel. Every row sums to 1 over all keys, the future
  too, so that its mean is 1 / T whatever the network.
  """
  query_TxHxDh, key_TxHxDh = precision.wide(query_TxHxDh), precision.wide(key_TxHxDh)
  scale = query_TxHxDh.shape[-1] ** -0.5
  score_HxTxT = scale * jnp.einsum("qhd,khd->hqk", query_TxHxDh, key_TxHxDh)
  return jax.nn.softmax(score_HxTxT, axis=-1)


def extract_operator_as_published(pattern_BxTxT, spacing_BxT) -> dict:
  """Returns correlations of weights with sinc(s_i - s_j) and exp(-d / scale).

  Every fourth query, keys j in [i - 20, i]. What sinc is given is a difference
  of two spacings, 0 between equal spacings however far apart: no distance.
  """
  pattern_BxTxT = np.asarray(pattern_BxTxT, np.float64)
  spacing_BxT = np.asarray(spacing_BxT, np.float64)
  length = pattern_BxTxT.shape[-1]
  query, key = np.array(
    [(i, j) for i in range(0, length, 4) for j in range(max(0, i - 20), i + 1)]
  ).T
  weight_N = pattern_BxTxT[:, query, key].ravel()
  value_BxN = spacing_BxT[:, query] - spacing_BxT[:, key]
  index_N = np.broadcast_to(query - key, value_BxN.shape).ravel()
  feature = {"sinc(s_i - s_j)": np.sinc(value_BxN.ravel())}
  for scale in (5, 10, 20):
    feature[f"exp(-d / {scale})"] = np.exp(-index_N / scale)
  found = {name: float(linear.pearson(x_N, weight_N)) for name, x_N in feature.items()}
  return found | {"samples": len(weight_N)}


def _flat(value_xTxT) -> Any:
  """Returns the matrices along one leading axis E."""
  value_xTxT = precision.wide(value_xTxT)
  return value_xTxT.reshape(-1, *value_xTxT.shape[-2:])


# --- families of kernels --------------------------------------------------------------------------


MONOTONE = "monotone (isotonic)"
STRETCHED = "stretched exponential with linear term"
WAVE = "damped sinusoid"
SINC2 = "sinc squared"
CONSTANT = "constant"
LEAST_POINTS = 6  # points of a curve
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


def held_out_error(count: int, ranges: int = _RANGES) -> np.ndarray:
  """Returns which distances are held out: every second of `ranges` parts."""
  return np.arange(count) * ranges // max(count, 1) % 2 == 1


def family_values(fit: Fit, distance_Q) -> np.ndarray:
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
  if len(value_Q) < LEAST_POINTS or distance_Q.min() <= 0:
    raise ValueError(f"need 6 values at positive distances, got {len(value_Q)}.")
  rng = np.random.default_rng(seed)
  train_Q = ~held_out_error(len(value_Q))
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


# --- symmetry of queries and keys -----------------------------------------------------------------


class Symmetry(NamedTuple):
  """`asymmetry` |H - H^T|_F / |H + H^T|_F and `rotation` max|Im| / mean|Re|."""

  asymmetry: np.ndarray
  rotation: np.ndarray


class SymmetryTest(NamedTuple):
  """A score beside its null: z, and p of a score as small as it."""

  z: np.ndarray
  p: np.ndarray


def symmetry(query_xDxK: Any, key_xDxK: Any) -> Symmetry:
  """Returns how far H = W_q W_k^T is from symmetric, over leading axes.

  Asymmetry is 0 for a symmetric H, infinite for an antisymmetric one and
  about 1 for independent factors, whatever their scale. Rotation is of the
  eigenvalues that are not 0 by the rank: those of W_k^T W_q.

  Raises `ValueError` where the two shapes differ.
  """
  query_xDxK, key_xDxK = _pair(query_xDxK, key_xDxK)
  # |H|^2 = tr(Q^T Q K^T K) and tr(H H) = tr(A A), A = K^T Q: no D x D matrix.
  transposed = lambda value: np.swapaxes(value, -1, -2)
  inner_xKxK = transposed(key_xDxK) @ query_xDxK
  gram = lambda value: transposed(value) @ value
  norm_x = np.sum(gram(query_xDxK) * gram(key_xDxK), axis=(-2, -1))
  trace_x = np.sum(inner_xKxK * transposed(inner_xKxK), axis=(-2, -1))
  with np.errstate(divide="ignore", invalid="ignore"):
    ratio_x = np.maximum(norm_x - trace_x, 0) / np.maximum(norm_x + trace_x, 0)
    value_xK = np.linalg.eigvals(inner_xKxK)
    turn_x = np.abs(value_xK.imag).max(-1) / np.abs(value_xK.real).mean(-1)
  return Symmetry(np.sqrt(ratio_x), turn_x)


@functools.lru_cache(maxsize=16)
def symmetry_null(width: int, head_width: int, draws: int = 200, seed: int = 0):
  """Returns the `Symmetry` of R pairs of D x K Gaussian matrices.

  Both numbers are free of scale, so that matching the shape matches the pair.
  Raises `ValueError` if a side or the draws are below 1.
  """
  counts.whole(width=width, head_width=head_width, draws=draws)
  counts.whole(seed=seed)
  if min(width, head_width, draws) < 1:
    raise ValueError(f"need a draw and sides of 1, got {draws}, {width} and {head_width}.")
  rng = np.random.default_rng(seed)
  shape = (2, width, head_width)
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    found = [symmetry(*rng.normal(size=shape)) for _ in range(draws)]
  return Symmetry(*(np.array(x) for x in zip(*found, strict=True)))


def symmetry_against_null(score_x: Any, null_R: Any) -> SymmetryTest:
  """Returns z = (score - mean) / std and p = (1 + #{null <= score}) / (R + 1).

  One-sided: a form that became symmetric scores low. z of 0 / 0 is NaN.
  """
  score_x, null_R = np.asarray(score_x), np.asarray(null_R, np.float64)
  with np.errstate(divide="ignore", invalid="ignore"):
    z_x = (score_x - null_R.mean()) / null_R.std(ddof=1)
  below_x = np.searchsorted(np.sort(null_R), score_x, side="right")
  return SymmetryTest(z_x, (1 + below_x) / (len(null_R) + 1))


def _pair(query_xDxK, key_xDxK):
  query_xDxK = np.asarray(query_xDxK, np.float64)
  key_xDxK = np.asarray(key_xDxK, np.float64)
  if query_xDxK.ndim < 2 or query_xDxK.shape != key_xDxK.shape:
    raise ValueError(
      f"queries and keys need one shape ...xDxK, got {query_xDxK.shape} and {key_xDxK.shape}."
    )
  return query_xDxK, key_xDxK
