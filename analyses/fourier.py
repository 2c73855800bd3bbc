"""Fourier analysis over residues and pairs; designs on all pairs; sinusoids beside chance.

Every design contains its constant, so least squares needs no intercept.

A frequency is its own index: arrays over Q = P // 2 + 1 frequencies start with
the constant, and their masks never touch it. `w_k = 2 pi k / P`; pairs are
a-major, row n = a P + b. All frequencies of even P are kept, the last of them
being the alternating vector, which has no sine.

A curve is a function of its place 0..V-1. Its similarity with a sinusoid is the
cosine of the angle between the two as vectors, without a sign. Everything is
traced but the frequencies and periods tried.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import precision

# --- designs on all pairs -------------------------------------------------------------------------


def pair_grid(x_N, P: int) -> jax.Array:
  """Returns the rows as a table over (a, b): PxP before the other axes of x.

  Raises ValueError unless there are P^2 rows.
  """
  x_N = jnp.asarray(x_N)
  if x_N.shape[:1] != (P * P,):
    raise ValueError(f"need {P * P} rows for P={P}, got shape {x_N.shape}.")
  return x_N.reshape(P, P, *x_N.shape[1:])


def pair_features(score_PxQ) -> jax.Array:
  """Returns the scores of a and of b, column by column: Nx2Q.

  Columns: first of a, first of b, second of a, second of b, ... With the
  first two principal scores of the embedding (p1, p2),
  `monomials(pairs(score_PxQ), 2)` are the 15 features called Poly2; with
  `jnp.linspace(-1, 1, P)[:, None]`, which keeps float32 well conditioned,
  `monomials(..., 4)` is the quartic in the raw (a, b).
  """
  score_PxQ = jnp.asarray(score_PxQ)
  P, Q = score_PxQ.shape
  first_NxQ = jnp.repeat(score_PxQ, P, axis=0)
  second_NxQ = jnp.tile(score_PxQ, (P, 1))
  return jnp.stack([first_NxQ, second_NxQ], axis=2).reshape(P * P, 2 * Q)


def monomials(x_NxQ, degree: int) -> jax.Array:
  """Returns all monomials of the columns up to a degree, constant first.

  binomial(Q + degree, degree) columns, in the order of `monomial_names`: by
  degree, then lexicographic (that of scikit-learn's PolynomialFeatures).
  """
  x_NxQ = precision.wide(x_NxQ)
  one_N = jnp.ones_like(x_NxQ[:, 0])
  columns = [
    math.prod((x_NxQ[:, q] for q in powers), start=one_N)
    for powers in _powers(x_NxQ.shape[1], degree)
  ]
  return jnp.stack(columns, axis=1)


def monomial_names(names: Sequence[str], degree: int) -> list[str]:
  """Returns the names of the columns of `monomials`: "1", "x", "x x", ..."""
  every = _powers(len(names), degree)
  return [" ".join(names[q] for q in powers) or "1" for powers in every]


def symmetric_features(pair_Nx2Q) -> jax.Array:
  """Returns all quadratics of `pair_features` unchanged by swapping a and b.

  With s = (of a) + (of b) and d = (of a) - (of b): 1, s, s s' and d d'. For
  two scores these are the constant and 8 features.
  """
  pair_Nx2Q = precision.wide(pair_Nx2Q)
  d_NxQ = pair_Nx2Q[:, 0::2] - pair_Nx2Q[:, 1::2]
  squares_NxE = monomials(d_NxQ, 2)[:, 1 + d_NxQ.shape[1] :]
  return jnp.concatenate([sum_features(pair_Nx2Q), squares_NxE], axis=1)


def sum_features(pair_Nx2Q) -> jax.Array:
  """Returns the quadratics of s = (of a) + (of b) alone: 1, s, s s'.

  For two scores the constant and the 5 features published as symmetric
  (docs/sources/addition.md, A50): 1, s1, s2, s1^2, s1 s2, s2^2. They do not see
  the difference a - b, which `symmetric_features` does.
  """
  pair_Nx2Q = precision.wide(pair_Nx2Q)
  return monomials(pair_Nx2Q[:, 0::2] + pair_Nx2Q[:, 1::2], 2)


def additive_design(P: int) -> jax.Array:
  """Returns one indicator per value of a, then of b: Nx2P, of rank 2P - 1.

  Its span is every f(a) + g(b), the baseline of no interaction.
  """
  one_PxP = jnp.eye(P)
  first_NxP = jnp.repeat(one_PxP, P, axis=0)
  return jnp.concatenate([first_NxP, jnp.tile(one_PxP, (P, 1))], axis=1)


def _powers(count: int, degree: int) -> list[tuple[int, ...]]:
  """The columns multiplied in each monomial."""
  if degree < 0:
    raise ValueError(f"degree must be 0 or more, got {degree}.")
  choose = itertools.combinations_with_replacement
  return [p for d in range(degree + 1) for p in choose(range(count), d)]


# --- transforms, key frequencies, cosine cubes ----------------------------------------------------


HIGHEST = jax.lax.Precision.HIGHEST


class CosineCube(NamedTuple):
  """Logits against cos(w_k (a + b - c)) of unit norm; norm is |logits|."""

  coefficient_Q: jax.Array
  similarity_Q: jax.Array
  norm: jax.Array


def basis(P: int) -> np.ndarray:
  """Returns the orthonormal real Fourier basis in its rows: PxP, float64.

  Constant, sin 1, cos 1, sin 2, cos 2, ...: row 2k - 1 is the sine of
  frequency k and row 2k its cosine. For even P the alternating vector ends it.
  """
  cos_QxP, sin_QxP = _waves(P, np.arange(P))
  row_VxP = np.stack([sin_QxP, cos_QxP], axis=1).reshape(-1, P)
  return row_VxP[np.any(row_VxP != 0, axis=1)]


def sum_waves(P: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns cos(w_k (a + b)) and sin(w_k (a + b)), of unit norm: QxN, float64.

  A wave that is identically 0 (the sine of the constant and of P / 2) stays 0.
  """
  return _waves(P, np.add.outer(np.arange(P), np.arange(P)).ravel())


def transform_1d(basis_QxP, x, axis: int = 0) -> jax.Array:
  """Returns the coefficients of x in the basis, along the axis in place."""
  x = jnp.moveaxis(precision.wide(x), axis, 0)
  basis_QxP = jnp.asarray(basis_QxP, x.dtype)
  coefficient = jnp.tensordot(basis_QxP, x, 1, precision=HIGHEST)
  return jnp.moveaxis(coefficient, 0, axis)


def transform_2d(basis_QxP, x_PxP) -> jax.Array:
  """Returns F x F^T over the first two axes; others (neurons) stay last."""
  return transform_1d(basis_QxP, transform_1d(basis_QxP, x_PxP, 0), 1)


def frequency_norms(coefficient, axis: int = 0) -> jax.Array:
  """Returns the norm of every frequency, sine, cosine and other axes: norm_Q.

  `axis` is that of the rows of `basis`.
  """
  energy = jnp.moveaxis(precision.wide(coefficient) ** 2, axis, 0)
  return jnp.sqrt(_by_frequency(energy.reshape(len(energy), -1).sum(1), 0))


def key_frequencies(norm_Q, threshold: float = 0.1) -> jax.Array:
  """Returns the mask of frequencies above threshold times the largest norm.

  The constant neither sets the largest norm nor is ever a key frequency.
  """
  norm_Q = _without_constant(precision.wide(norm_Q))
  return norm_Q > threshold * norm_Q.max()


def keep_sum_waves(h_NxF, mask_Q) -> jax.Array:
  """Returns the restricted activations: mean + the masked waves of a + b.

  mean h + sum_k (u_k . h) u_k + (v_k . h) v_k with the waves of `sum_waves`
  (docs/sources/addition.md, B27). Functions of (a + b) mod P are the means over equal sums, so a
  transform of length P does it.
  Raises ValueError unless N = P^2 and the mask has P // 2 + 1 entries.
  """
  h_NxF = precision.wide(h_NxF)
  return h_NxF.mean(0, keepdims=True) + _sum_part(h_NxF, mask_Q)


def remove_sum_waves(h_NxF, mask_Q) -> jax.Array:
  """Returns the excluded activations: h without the masked waves of a + b.

  The mean stays (docs/sources/addition.md, B29). Raises ValueError as `keep_sum_waves` does.
  """
  h_NxF = precision.wide(h_NxF)
  return h_NxF - _sum_part(h_NxF, mask_Q)


def neuron_frequency_energy(h_PxPxF) -> jax.Array:
  """Returns the share of each neuron's energy at one frequency: QxF.

  Squared 2-D coefficients of constant, sine and cosine of k along a and b (the
  3 x 3 block) over all of them, without the mean of the neuron (docs/sources/addition.md, B14); 0
  for a constant neuron, and for the constant.
  """
  coefficient_PxPxF = transform_2d(basis(len(h_PxPxF)), h_PxPxF)
  energy_PxPxF = (coefficient_PxPxF**2).at[0, 0].set(0)
  energy_QxQxF = _by_frequency(_by_frequency(energy_PxPxF, 0), 1)
  total_1xF = energy_QxQxF.sum((0, 1))[None]
  diagonal_QxF = jnp.diagonal(energy_QxQxF).T
  block_QxF = diagonal_QxF + energy_QxQxF[0] + energy_QxQxF[:, 0]
  return block_QxF / jnp.where(total_1xF > 0, total_1xF, 1)


def cosine_cube_coefficients(logit) -> CosineCube:
  """Returns how much of NxP or PxPxP logits is cos(w_k (a + b - c)).

  <L, K_k> / |K_k| and its cosine similarity, in O(P^3) for all frequencies:
  the sums of L over equal (a + b - c) mod P, then a transform of length P
  (docs/sources/addition.md, B25). Raises ValueError unless there are P^2 x P logits.
  """
  cube_PxPxP = _cube(logit)
  P = len(cube_PxPxP)
  sum_PxP = _over_sums(cube_PxPxP)
  lag, label = np.arange(P)[:, None], np.arange(P)[None]
  sum_P = sum_PxP[(lag + label) % P, label].sum(1)
  norm = jnp.linalg.norm(cube_PxPxP.ravel())
  unit_Q = jnp.asarray(_cube_norms(P), sum_P.dtype)
  coefficient_Q = jnp.fft.rfft(sum_P).real / unit_Q
  similarity_Q = coefficient_Q / jnp.where(norm > 0, norm, 1)
  return CosineCube(coefficient_Q, similarity_Q, norm)


def cosine_cube_approximation(logit, mask_Q) -> tuple[jax.Array, jax.Array]:
  """Returns the logits of the masked cubes and the fraction they leave.

  A = sum_k coefficient_k K_k, shaped as the logits, and |L - A| / |L|, without
  a cube per frequency. The constant, which shifts all logits alike, has no
  part. Raises ValueError as `cosine_cube_coefficients` and for another mask.
  """
  cube_PxPxP = _cube(logit)
  P = len(cube_PxPxP)
  cube = cosine_cube_coefficients(logit)
  kept_Q = cube.coefficient_Q * _mask(mask_Q, P)
  unit_Q = jnp.asarray(_cube_norms(P) / P**2, kept_Q.dtype)
  value_P = jnp.fft.irfft(kept_Q * unit_Q, n=P)
  lag_PxPxP = np.add.outer(_sums(P), -np.arange(P)) % P
  fitted_PxPxP = value_P[lag_PxPxP]
  residual = jnp.linalg.norm((cube_PxPxP - fitted_PxPxP).ravel())
  fraction = residual / jnp.where(cube.norm > 0, cube.norm, 1)
  return fitted_PxPxP.reshape(jnp.shape(logit)), fraction


def rfft_magnitude(x, axis: int = -1) -> jax.Array:
  """Returns |rfft| along the axis, not normalised: n // 2 + 1 frequencies."""
  return jnp.abs(jnp.fft.rfft(precision.wide(x), axis=axis))


def top_frequencies_reconstruct(x_N, count) -> jax.Array:
  """Returns `...xN` from its constant and exactly `count` other frequencies.

  The largest in magnitude, for each row of the last axis; `count` is traced.
  """
  magnitude = rfft_magnitude(x_N).at[..., 0].set(jnp.inf)
  return _reconstruct(x_N, _rank(magnitude) <= count)


def top_frequencies_as_published(x_N, count) -> jax.Array:
  """Returns `...xN` from its constant and its `count + 1` largest frequencies.

  The constant competes for a place it has anyway, so that `count + 1` others
  are kept unless it is among the largest (docs/sources/addition.md, A41, off by one).
  """
  keep = _rank(rfft_magnitude(x_N)) <= count
  return _reconstruct(x_N, keep.at[..., 0].set(True))


def label_waves(label_N, modulus: int, pairs: int) -> np.ndarray:
  """Returns cos and sin of 2 pi n r / k for labels r and n = 1..pairs, in turn: Nx2pairs.

  >>> label_waves([0, 1], 4, 1).round(3).tolist()
  [[1.0, 0.0], [0.0, 1.0]]
  """
  angle_NxQ = 2 * np.pi / modulus * np.outer(label_N, np.arange(1, pairs + 1))
  wave_NxQx2 = np.stack([np.cos(angle_NxQ), np.sin(angle_NxQ)], -1)
  return wave_NxQx2.reshape(len(angle_NxQ), -1).astype(np.float32)


def _waves(P: int, position_N):
  """Cosines and sines of unit norm at the positions, QxN."""
  if P < 1:
    raise ValueError(f"P must be at least 1, got {P}.")
  frequency_Q = np.arange(P // 2 + 1)
  angle_QxN = 2 * np.pi / P * (np.outer(frequency_Q, position_N) % P)
  cos_QxN, sin_QxN = np.cos(angle_QxN), np.sin(angle_QxN)
  sin_QxN[2 * frequency_Q % P == 0] = 0  # no rounding noise to be normalised
  norm_2xQ = np.linalg.norm([cos_QxN, sin_QxN], axis=2)
  norm_2xQ[norm_2xQ == 0] = 1
  return cos_QxN / norm_2xQ[0, :, None], sin_QxN / norm_2xQ[1, :, None]


def _by_frequency(energy, axis: int):
  """Sums of sine and cosine along the axis: P entries become P // 2 + 1."""
  energy = jnp.moveaxis(energy, axis, 0)
  first, rest = energy[:1], energy[1:]
  if len(rest) % 2:  # the alternating vector has no partner
    rest = jnp.concatenate([rest, jnp.zeros_like(first)])
  paired = rest.reshape(-1, 2, *rest.shape[1:]).sum(1)
  return jnp.moveaxis(jnp.concatenate([first, paired]), 0, axis)


def _without_constant(x_Q):
  return jnp.where(jnp.arange(len(x_Q)) > 0, x_Q, jnp.zeros_like(x_Q))


def _mask(mask_Q, P: int):
  mask_Q = jnp.asarray(mask_Q)
  if mask_Q.shape != (P // 2 + 1,):
    raise ValueError(f"need a mask of {P // 2 + 1} frequencies, got shape {mask_Q.shape}.")
  return _without_constant(mask_Q)


def _sums(P: int):
  return np.add.outer(np.arange(P), np.arange(P)) % P


def _over_sums(x_PxP):
  """Totals over the P pairs of each (a + b) mod P."""
  P = len(x_PxP)
  first, total = np.arange(P)[:, None], np.arange(P)[None]
  return x_PxP[first, (total - first) % P].sum(0)


def _sum_part(h_NxF, mask_Q):
  """The masked waves of a + b in h, without the mean."""
  P = int(np.sqrt(len(h_NxF)))
  mean_PxF = _over_sums(pair_grid(h_NxF, P)) / P
  keep_Q = _mask(mask_Q, P).reshape(-1, *[1] * (h_NxF.ndim - 1))
  wave_QxF = jnp.fft.rfft(mean_PxF, axis=0) * keep_Q
  return jnp.fft.irfft(wave_QxF, n=P, axis=0)[_sums(P).ravel()]


def _cube(logit):
  logit = precision.wide(logit)
  P = logit.shape[-1]
  if logit.shape not in ((P * P, P), (P, P, P)):
    raise ValueError(f"need P^2 x P or P x P x P logits, got {logit.shape}.")
  return logit.reshape(P, P, P)


def _cube_norms(P: int):
  frequency_Q = np.arange(P // 2 + 1)
  return np.where(2 * frequency_Q % P == 0, P**1.5, (P**3 / 2) ** 0.5)


def _rank(magnitude):
  """The place of each entry along the last axis, the largest being 0."""
  return jnp.argsort(jnp.argsort(-magnitude))


def _reconstruct(x_N, keep):
  x_N = precision.wide(x_N)
  return jnp.fft.irfft(jnp.fft.rfft(x_N) * keep, n=x_N.shape[-1])


# --- sinusoids, and how well they would do by chance ----------------------------------------------


_HIGHEST = jax.lax.Precision.HIGHEST
_TERMS = 64  # random sinusoids in a random curve
_NEIGHBOUR = (0.01, 0.999)  # from white noise to nearly constant


class Match(NamedTuple):
  """A sinusoid, scaled to fit a curve, and their cosine similarity.

  `period` is in places.
  """

  similarity: jax.Array
  period: jax.Array
  wave_V: jax.Array


def better_wave(curve_V, frequency) -> Match:
  """Returns the better of sin and cos (2 pi frequency v / V), phase fixed.

  The frequency is a whole number and may be traced.
  """
  wave_2xV = _sinusoids(len(curve_V), frequency)
  return _best(curve_V, wave_2xV[:, None], [len(curve_V) / frequency] * 2)


def free_wave(curve_V, frequency) -> Match:
  """Returns the best sinusoid of a whole frequency, its phase free."""
  wave_2xV = _sinusoids(len(curve_V), frequency)
  return _best(curve_V, wave_2xV[None], [len(curve_V) / frequency])


def best_period(curve_V, period_K) -> Match:
  """Returns the best sinusoid of free phase among periods above 2 places.

  Its period need not divide V: sin and cos of it span a plane, in which the
  curve is projected. Raises ValueError for a period of 2 or less.
  """
  period_K = np.asarray(period_K, float)
  if period_K.min() <= 2:
    raise ValueError(f"periods must exceed 2 places, got {period_K.min():g}.")
  angle_KxV = 2 * np.pi / period_K[:, None] * np.arange(len(curve_V))
  plane_KxVx2 = np.stack([np.cos(angle_KxV), np.sin(angle_KxV)], axis=2)
  unit_Kx2xV = np.linalg.qr(plane_KxVx2)[0].swapaxes(1, 2)
  return _best(curve_V, unit_Kx2xV, period_K)


def neighbour_correlation(curve_V) -> jax.Array:
  """Returns the mean product of neighbours over the mean square, 0 for 0."""
  curve_V = precision.wide(curve_V)
  square = jnp.mean(curve_V**2)
  product = jnp.mean(curve_V[1:] * curve_V[:-1])
  return jnp.where(square > 0, product / jnp.where(square > 0, square, 1), 0)


def smooth_curves(key, count: int, length: int, neighbour) -> jax.Array:
  """Returns `count` random curves RxV of mean 0, variance 1, as smooth as told.

  Places d apart correlate `neighbour ** d^2` (nearly Gaussian curves: sums of
  sinusoids with random phases and frequencies of a Gaussian spectrum).
  """
  width = jnp.sqrt(-2 * jnp.log(jnp.clip(neighbour, *_NEIGHBOUR)))
  frequency_key, phase_key = jax.random.split(key)
  shape = (count, _TERMS, 1)
  frequency = width * jax.random.normal(frequency_key, shape)
  phase = jax.random.uniform(phase_key, shape, maxval=2 * np.pi)
  angle = frequency * jnp.arange(length)[None, None] + phase
  return jnp.cos(angle).sum(1) * (2 / _TERMS) ** 0.5


def shuffle_phases(key, x) -> jax.Array:
  """Returns curves `...xV` with the same |rfft| and random phases.

  The constant stays, so the last coefficient of even V may change its sign.
  """
  x = precision.wide(x)
  length, lead = x.shape[-1], x.shape[:-1]
  shape = (*lead, length // 2 + 1)
  phase = jax.random.uniform(key, shape, maxval=2 * np.pi)
  turn = jnp.exp(1j * phase).at[..., 0].set(1)
  if length % 2 == 0:
    turn = turn.at[..., -1].set(jnp.where(phase[..., -1] < np.pi, 1, -1))
  return jnp.fft.irfft(jnp.fft.rfft(x) * turn, n=length)


def random_basis(length: int, seed) -> np.ndarray:
  """Returns an orthonormal VxV whose first row is constant, others random.

  Laid out as `basis`: a constant, then planes of two rows each.
  """
  draw_VxV = np.random.default_rng(seed).normal(size=(length, length))
  draw_VxV[:, 0] = 1
  return np.linalg.qr(draw_VxV)[0].T


def top_planes_reconstruct(basis_VxV, x, count) -> jax.Array:
  """Returns `...xV` from its constant and its `count` largest planes.

  `top_frequencies_reconstruct` in any basis laid out as
  `basis`, the largest by energy; `count` is traced.
  """
  x, basis_VxV = precision.wide(x), jnp.asarray(basis_VxV, jnp.float32)
  length = x.shape[-1]
  plane_V = (np.arange(length) + 1) // 2
  member_VxQ = (plane_V[:, None] == np.arange(plane_V[-1] + 1)).astype("f4")
  coefficient = jnp.matmul(x, basis_VxV.T, precision=_HIGHEST)
  energy = jnp.matmul(coefficient**2, member_VxQ, precision=_HIGHEST)
  energy = energy.at[..., 0].set(jnp.inf)
  least = jnp.take(jnp.sort(energy, descending=True), count, axis=-1)
  keep = (energy >= least[..., None])[..., plane_V]
  return jnp.matmul(coefficient * keep, basis_VxV, precision=_HIGHEST)


def _sinusoids(length: int, frequency):
  """Sine and cosine of unit norm, 2xV; one that is identically 0 stays 0."""
  angle_V = 2 * np.pi / length * (frequency * jnp.arange(length) % length)
  still = 2 * frequency % length == 0
  sin_V = jnp.where(still, 0, jnp.sin(angle_V))
  wave_2xV = jnp.stack([sin_V, jnp.cos(angle_V)])
  norm_2x1 = jnp.linalg.norm(wave_2xV, axis=1, keepdims=True)
  return wave_2xV / jnp.where(norm_2x1 > 0, norm_2x1, 1)


def _best(curve_V, unit_KxExV, period_K) -> Match:
  """The span of E orthonormal (or zero) rows that is closest to the curve."""
  curve_V = precision.wide(curve_V)
  unit_KxExV = jnp.asarray(unit_KxExV, curve_V.dtype)
  part_KxE = jnp.matmul(unit_KxExV, curve_V, precision=_HIGHEST)
  size_K = jnp.linalg.norm(part_KxE, axis=1)
  norm = jnp.linalg.norm(curve_V)
  at = jnp.argmax(size_K)
  return Match(
    similarity=size_K[at] / jnp.where(norm > 0, norm, 1),
    period=jnp.asarray(period_K, curve_V.dtype)[at],
    wave_V=jnp.matmul(part_KxE[at], unit_KxExV[at], precision=_HIGHEST),
  )
