"""How well sinusoids describe curves, and how well they would by chance.

A curve is a function of its place 0..V-1. Its similarity with a sinusoid is the
cosine of the angle between the two as vectors, without a sign. Everything is
traced but the frequencies and periods tried.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import precision

HIGHEST = jax.lax.Precision.HIGHEST
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
  wave_2xV = _waves(len(curve_V), frequency)
  return _best(curve_V, wave_2xV[:, None], [len(curve_V) / frequency] * 2)


def free_wave(curve_V, frequency) -> Match:
  """Returns the best sinusoid of a whole frequency, its phase free."""
  wave_2xV = _waves(len(curve_V), frequency)
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

  Laid out as `fourier.basis`: a constant, then planes of two rows each.
  """
  draw_VxV = np.random.default_rng(seed).normal(size=(length, length))
  draw_VxV[:, 0] = 1
  return np.linalg.qr(draw_VxV)[0].T


def top_planes_reconstruct(basis_VxV, x, count) -> jax.Array:
  """Returns `...xV` from its constant and its `count` largest planes.

  `fourier.top_frequencies_reconstruct` in any basis laid out as
  `fourier.basis`, the largest by energy; `count` is traced.
  """
  x, basis_VxV = precision.wide(x), jnp.asarray(basis_VxV, jnp.float32)
  length = x.shape[-1]
  plane_V = (np.arange(length) + 1) // 2
  member_VxQ = (plane_V[:, None] == np.arange(plane_V[-1] + 1)).astype("f4")
  coefficient = jnp.matmul(x, basis_VxV.T, precision=HIGHEST)
  energy = jnp.matmul(coefficient**2, member_VxQ, precision=HIGHEST)
  energy = energy.at[..., 0].set(jnp.inf)
  least = jnp.take(jnp.sort(energy, descending=True), count, axis=-1)
  keep = (energy >= least[..., None])[..., plane_V]
  return jnp.matmul(coefficient * keep, basis_VxV, precision=HIGHEST)


def _waves(length: int, frequency):
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
  part_KxE = jnp.matmul(unit_KxExV, curve_V, precision=HIGHEST)
  size_K = jnp.linalg.norm(part_KxE, axis=1)
  norm = jnp.linalg.norm(curve_V)
  at = jnp.argmax(size_K)
  return Match(
    similarity=size_K[at] / jnp.where(norm > 0, norm, 1),
    period=jnp.asarray(period_K, curve_V.dtype)[at],
    wave_V=jnp.matmul(part_KxE[at], unit_KxExV[at], precision=HIGHEST),
  )
