"""Zeros of the Riemann zeta function at any height, computed and counted.

In stretches of 128 Gram intervals Z is a Chebyshev series: the main sum of the
Riemann-Siegel formula is a matrix product of the terms' phases at the middle
with waves that all stretches share. Sign changes of the series, and pairs of
zeros that hide between two points of equal sign, are refined by Newton's
method. Turing's method proves that none is missing. JAX, float64.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from primelens.tasks import chebyshev, riemann_siegel, turing

HIGHEST = 1e10  # a float64 is 2e-6 there, a mean spacing 0.3
_INTERVALS = 128  # of Gram, in a stretch
_STRETCHES = 128  # in one call
_CELLS = (4, 16, 64)  # of a Gram interval, between whose ends roots are sought
_BLOCK = 100_000  # zeros proven together
_GUARD = 64  # Gram intervals beside what is asked for, for the proof


class Stretches(NamedTuple):
  """Chebyshev series of Z on B stretches: Z(centre + half x), -1 <= x <= 1.

  A stretch answers for its zeros in [low, high).
  """

  coefficient_BxU: np.ndarray
  centre_B: np.ndarray
  low_B: np.ndarray
  high_B: np.ndarray
  half: float


def compute(first: int, count: int) -> np.ndarray:
  """Returns the ordinates of zeros number first..first + count - 1, float64.

  Zero 1 is at 14.13. Right to about 1e-9, and to one unit in the last place
  above 10^7. None is missing and the numbers are theirs, by Turing's method.
  Raises ValueError unless first and count are positive and the heights below
  `HIGHEST`, or if the proof fails.
  """
  if first < 1 or count < 1:
    raise ValueError(f"first={first} and count={count} must be at least 1.")
  if riemann_siegel.gram(first + count + _GUARD) > HIGHEST:
    raise ValueError(f"zero {first + count - 1} lies above {HIGHEST:g}.")
  parts = []
  for begin in range(0, count, _BLOCK):
    parts.append(_block(first + begin, min(_BLOCK, count - begin)))
    done = begin + len(parts[-1])
    logging.log_every_n_seconds(logging.INFO, "zeros: %d of %d", 10, done, count)
  return np.concatenate(parts)


def _block(first: int, count: int) -> np.ndarray:
  """Returns so many zeros, each grid finer than the last until none is missing.

  One pair in some hundred thousand shares a cell with another extremum.
  """
  start, stop = max(-1, first - 2 - _GUARD), first + count + _GUARD
  for cells in _CELLS:
    sign, parts = 0, []
    for part in stretches(start, stop):
      sign = sign or (1 if _start(part) > 0 else -1)
      parts.append(zeros_of(part, cells))
    ordinate_N = np.concatenate(parts)
    try:
      proof = turing.prove(ordinate_N, start, stop, sign=sign)
      break
    except turing.Unproven:
      if cells == _CELLS[-1]:
        raise
  begin = proof.start + first - proof.number
  if begin < proof.start or begin + count > proof.start + proof.last - proof.first:
    raise ValueError(f"no Gram blocks prove zeros {first} + {count}.")
  return ordinate_N[begin : begin + count]


def _start(part: Stretches) -> float:
  """Returns Z at the lower end of the first stretch."""
  x = (part.low_B[0] - part.centre_B[0]) / part.half
  value_N, _ = chebyshev.at(part.coefficient_BxU[:1], np.array([x]))
  return float(value_N[0])


def stretches(start: int, stop: int) -> Iterator[Stretches]:
  """Yields the series between two Gram points, many stretches at a time."""
  edge_P = np.append(np.arange(start, stop, _INTERVALS), stop)
  t_P = riemann_siegel.gram(edge_P)
  first = 0
  lowest = int(np.searchsorted(t_P, riemann_siegel.LEAST))
  while first < len(t_P) - 1:
    # Below LEAST the sum is another, and lengths differ too much to share.
    many = 1 if first < lowest else _STRETCHES
    part_P = t_P[first : first + many + 1]
    yield _stretches(part_P[:-1], part_P[1:])
    first += len(part_P) - 1


def _stretches(low_B, high_B) -> Stretches:
  centre_B = (low_B + high_B) / 2
  half = float((high_B - low_B).max() / 2)
  root = float(np.sqrt((high_B[-1] + half) / (2 * np.pi)))
  size = chebyshev.degree(half * max(1.0, np.log(root)))
  if low_B[0] < riemann_siegel.LEAST:
    t_BxU = centre_B[:, None] + half * chebyshev.nodes(size)
    z_BxU = riemann_siegel.low(t_BxU.ravel()).reshape(t_BxU.shape)
    return Stretches(z_BxU @ chebyshev.transform(size), centre_B, low_B, high_B, half)
  # One size of arrays for all calls, and one term more than is summed.
  full_B = np.pad(centre_B, (0, _STRETCHES - len(centre_B)), mode="edge")
  with jax.enable_x64(True):
    coefficient_BxU = _series(
      riemann_siegel.turns(full_B, 64 * (int(root) // 64 + 1)),
      np.array([riemann_siegel.theta_turns(t) for t in full_B]),
      full_B,
      half,
      riemann_siegel.remainder_series(),
      chebyshev.spread(chebyshev.degree(half * np.log(root) / 2), size),
      chebyshev.transform(size),
    )
  kept_BxU = np.asarray(coefficient_BxU)[: len(centre_B)]
  return Stretches(kept_BxU, centre_B, low_B, high_B, half)


def zeros_of(part: Stretches, cells: int = _CELLS[0]) -> np.ndarray:
  """Returns the zeros that stretches answer for, rising."""
  x_BxW = chebyshev.roots(part.coefficient_BxU, cells=cells * _INTERVALS)
  t_BxW = part.centre_B[:, None] + part.half * x_BxW  # NaN where there is none
  own_BxW = (t_BxW >= part.low_B[:, None]) & (t_BxW < part.high_B[:, None])
  return t_BxW[own_BxW]


@jax.jit
def _series(turn_BxK, theta_B, centre_B, half, tail_5xP, spread_JxU, to_UxU):
  """Returns the Chebyshev coefficients of Z by the Riemann-Siegel formula.

  `turn_BxK` and `theta_B` are t ln n and theta(t) at the centres, in turns.
  """
  terms_B = _terms((centre_B - half) / (2 * jnp.pi))
  h_1xU = half * chebyshev.nodes(len(to_UxU))[None]
  x_BxU = (centre_B[:, None] + h_1xU) / (2 * jnp.pi)
  count_BxU = _terms(x_BxU)
  theta_BxU = 2 * jnp.pi * theta_B[:, None] + _drift(centre_B[:, None], h_1xU)
  main_BxU = _main(turn_BxK, theta_BxU, terms_B, half, h_1xU, spread_JxU)
  # The term that joins the sum within the stretch.
  joins_BxU = count_BxU > terms_B[:, None]
  next_Bx1 = terms_B[:, None] + 1
  turn_Bx1 = jnp.take_along_axis(turn_BxK, terms_B[:, None].astype(int), 1)
  angle_BxU = theta_BxU - 2 * jnp.pi * turn_Bx1 - h_1xU * jnp.log(next_Bx1)
  joining_BxU = joins_BxU * 2 * next_Bx1**-0.5 * jnp.cos(angle_BxU)
  rest_BxU = _remainder(x_BxU, count_BxU, tail_5xP)
  return (main_BxU + joining_BxU + rest_BxU) @ to_UxU


def _main(turn_BxK, theta_BxU, terms_B, half, h_1xU, spread_JxU):
  """Returns the sum of the terms that all of a stretch has.

  Turned back by the middle frequency the sum is as slow as can be, so that it
  is taken at J nodes and spread to U.
  """
  n_1xK = jnp.arange(1.0, turn_BxK.shape[1] + 1)[None]
  middle = jnp.log(terms_B.max()) / 2
  size_BxK = jnp.where(n_1xK <= terms_B[:, None], n_1xK**-0.5, 0.0)
  real_BxK = size_BxK * jnp.cos(2 * jnp.pi * turn_BxK)
  imag_BxK = -size_BxK * jnp.sin(2 * jnp.pi * turn_BxK)
  h_1xJ = half * chebyshev.nodes(len(spread_JxU))[None]
  wave_KxJ = (jnp.log(n_1xK).T - middle) * h_1xJ
  cos_KxJ, sin_KxJ = jnp.cos(wave_KxJ), -jnp.sin(wave_KxJ)
  real_BxU = (real_BxK @ cos_KxJ - imag_BxK @ sin_KxJ) @ spread_JxU
  imag_BxU = (real_BxK @ sin_KxJ + imag_BxK @ cos_KxJ) @ spread_JxU
  angle_BxU = theta_BxU - h_1xU * middle
  return 2 * (real_BxU * jnp.cos(angle_BxU) - imag_BxU * jnp.sin(angle_BxU))


def _terms(x):
  return jnp.floor(jnp.sqrt(x))


def _drift(t, h):
  """Returns theta(t + h) - theta(t) without their common digits."""
  change = (t + h) / 2 * jnp.log1p(h / t)
  change = change + h / 2 * (jnp.log(t / (2 * jnp.pi)) - 1)
  return change + riemann_siegel.tail(t + h) - riemann_siegel.tail(t)


def _remainder(x, count, tail_5xP):
  """Returns (-1)^(m-1) x^(-1/4) sum_k C_k(p) x^(-k/2)."""
  root = jnp.sqrt(x)
  y = root - count - 0.5
  total = jnp.zeros_like(x)
  for row_P in tail_5xP[::-1]:
    total = total / root + jnp.polyval(row_P[::-1], y)
  sign = jnp.where(count % 2 == 0, -1.0, 1.0)
  return sign * x**-0.25 * total
