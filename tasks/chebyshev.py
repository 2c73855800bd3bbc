"""Chebyshev series on [-1, 1], many at a time, and all their real roots.

f(x) = sum_u c_u T_u(x). Roots are sought between the points of a grid: where
the sign changes, and where an extremum on the near side of zero shows that two
roots hide in one cell. Float64.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_NEWTON = 3
_HERMITE = 30  # bisections of a cell's cubic, and of a derivative
_WHOLE = 60  # bisections where Newton's method fails
_STEP = 1e-10  # of the last Newton step, at most


class Cells(NamedTuple):
  """Q intervals with a root each: of series `row_Q`, ends, values, slopes."""

  row_Q: np.ndarray
  end_2xQ: np.ndarray
  value_2xQ: np.ndarray
  slope_2xQ: np.ndarray


def degree(phase: float) -> int:
  """Returns how many terms a wave of `phase` radians from 0 to 1 takes."""
  return 16 * int(np.ceil((phase + 8 * np.cbrt(phase) + 16) / 16))


@functools.cache
def nodes(size: int) -> np.ndarray:
  """Returns the Chebyshev nodes cos(pi (k + 1/2) / U)."""
  return np.cos(np.pi * (np.arange(size) + 0.5) / size)


@functools.cache
def transform(size: int) -> np.ndarray:
  """Returns the matrix from values at the nodes to coefficients, UxU."""
  angle_U = np.pi * (np.arange(size) + 0.5) / size
  matrix_UxU = np.cos(angle_U[:, None] * np.arange(size)) * 2 / size
  matrix_UxU[:, 0] /= 2
  return matrix_UxU


@functools.cache
def spread(size: int, other: int) -> np.ndarray:
  """Returns the matrix from values at `size` nodes to those at `other`."""
  angle_U = np.pi * (np.arange(other) + 0.5) / other
  return transform(size) @ np.cos(np.arange(size)[:, None] * angle_U)


@functools.cache
def _grid(size: int, cells: int) -> tuple[np.ndarray, ...]:
  """Returns points x of cells + 1, and T_u and its derivative there."""
  x_G = np.linspace(-1, 1, cells + 1)
  angle_G, order_U = np.arccos(x_G), np.arange(size)[:, None]
  with np.errstate(divide="ignore", invalid="ignore"):
    slope_UxG = order_U * np.sin(order_U * angle_G) / np.sin(angle_G)
  slope_UxG[:, -1] = order_U[:, 0] ** 2
  slope_UxG[:, 0] = (-1.0) ** (order_U[:, 0] + 1) * order_U[:, 0] ** 2
  return x_G, np.cos(order_U * angle_G), slope_UxG


def at(coefficient_QxU, x_Q) -> tuple[np.ndarray, np.ndarray]:
  """Returns the values and slopes of Q series at a point each (Clenshaw)."""
  x_Q = np.asarray(x_Q)
  return _clenshaw(np.asarray(coefficient_QxU).T, x_Q, np.zeros_like(x_Q))


def _clenshaw(coefficient_UxB, x, zero):
  """The same, host or device; the recurrence and its derivative together."""
  high, higher, slope, steeper = zero, zero, zero, zero
  for row in coefficient_UxB[:0:-1]:
    high, higher, slope, steeper = _step(row, x, high, higher, slope, steeper)
  return coefficient_UxB[0] + x * high - higher, high + x * slope - steeper


def _step(row, x, high, higher, slope, steeper):
  return (row + 2 * x * high - higher, high, 2 * high + 2 * x * slope - steeper, slope)


def roots(coefficient_BxU, *, cells: int) -> np.ndarray:
  """Returns the roots of each series in [-1, 1], rising, padded by NaN: BxW.

  Complete where a cell holds at most two roots and one extremum.
  """
  coefficient_BxU = np.asarray(coefficient_BxU, np.float64)
  found = _cells(coefficient_BxU, cells)
  count_B = np.bincount(found.row_Q, minlength=len(coefficient_BxU))
  width = 16 * (int(count_B.max(initial=1)) // 16 + 1)
  first_B = np.cumsum(count_B) - count_B
  column_Q = np.arange(len(found.row_Q)) - first_B[found.row_Q]
  place = (found.row_Q, column_Q)

  def padded(value_2xQ):
    table = np.zeros((2, len(coefficient_BxU), width))
    table[:, *place] = value_2xQ
    return table

  with jax.enable_x64(True):
    x_BxW, step_BxW = _refined(coefficient_BxU, *map(padded, found[1:]))
  x_Q, step_Q = np.array(x_BxW)[place], np.asarray(step_BxW)[place]
  bad_Q = np.flatnonzero(~(np.abs(step_Q) < _STEP))
  x_Q[bad_Q] = _bisected(coefficient_BxU, found, bad_Q)
  root_BxW = np.full((len(coefficient_BxU), width), np.nan)
  root_BxW[place] = x_Q
  return root_BxW


def _cells(coefficient_BxU, cells: int) -> Cells:
  """Returns all intervals with a root, by series and place."""
  x_G, value_UxG, slope_UxG = _grid(coefficient_BxU.shape[1], cells)
  value_BxG = coefficient_BxU @ value_UxG
  slope_BxG = coefficient_BxU @ slope_UxG
  sign_BxG = np.where(value_BxG >= 0, 1.0, -1.0)
  same_BxG = sign_BxG[:, :-1] == sign_BxG[:, 1:]

  def taken(where_BxG) -> Cells:
    row_Q, cell_Q = np.nonzero(where_BxG)
    ends = lambda array: np.stack([array[row_Q, cell_Q], array[row_Q, cell_Q + 1]])
    end_2xQ = np.stack([x_G[cell_Q], x_G[cell_Q + 1]])
    return Cells(row_Q, end_2xQ, ends(value_BxG), ends(slope_BxG))

  toward_BxG = sign_BxG * slope_BxG
  dip_BxG = same_BxG & (toward_BxG[:, :-1] < 0) & (toward_BxG[:, 1:] > 0)
  plain, hidden = taken(~same_BxG), _pairs(coefficient_BxU, taken(dip_BxG))
  both = [np.concatenate(pair, -1) for pair in zip(plain, hidden, strict=True)]
  order_Q = np.lexsort((both[1][0], both[0]))
  return Cells(*(part[..., order_Q] for part in both))


def _pairs(coefficient_BxU, dip: Cells) -> Cells:
  """Returns both halves of the cells whose extremum lies beyond zero."""
  own_QxU = coefficient_BxU[dip.row_Q]
  sign_Q = np.sign(dip.value_2xQ[0])
  low_Q, high_Q = dip.end_2xQ
  for _ in range(_HERMITE):
    middle_Q = (low_Q + high_Q) / 2
    falls_Q = sign_Q * at(own_QxU, middle_Q)[1] < 0
    low_Q = np.where(falls_Q, middle_Q, low_Q)
    high_Q = np.where(falls_Q, high_Q, middle_Q)
  middle_Q = (low_Q + high_Q) / 2
  value_Q, slope_Q = at(own_QxU, middle_Q)
  keep_Q = sign_Q * value_Q < 0
  halves = lambda end_2xQ, inner_Q: np.concatenate(
    [np.stack([end_2xQ[0], inner_Q])[:, keep_Q], np.stack([inner_Q, end_2xQ[1]])[:, keep_Q]], 1
  )
  return Cells(
    np.tile(dip.row_Q[keep_Q], 2),
    halves(dip.end_2xQ, middle_Q),
    halves(dip.value_2xQ, value_Q),
    halves(dip.slope_2xQ, slope_Q),
  )


@jax.jit
def _refined(coefficient_BxU, end_2xBxW, value_2xBxW, slope_2xBxW):
  """Returns the root in each cell and the last Newton step.

  From the root of the cubic with the values and slopes of the cell's ends.
  """
  (low, high), (below, above) = end_2xBxW, value_2xBxW
  width = high - low
  left, right = slope_2xBxW * width[None]
  # below + left s + p s^2 + q s^3
  p = 3 * (above - below) - 2 * left - right
  q = 2 * (below - above) + left + right

  def halve(_, ends):
    first, last = ends
    s = (first + last) / 2
    value = below + s * (left + s * (p + s * q))
    before = value * below > 0
    return jnp.where(before, s, first), jnp.where(before, last, s)

  ends = (jnp.zeros_like(low), jnp.ones_like(low))
  first, last = jax.lax.fori_loop(0, _HERMITE, halve, ends)
  x = low + width * (first + last) / 2

  def newton(_, carry):
    x, _ = carry
    value, slope = _series(coefficient_BxU, x)
    step = value / jnp.where(slope == 0, 1.0, slope)
    return jnp.clip(x - step, low, high), step

  return jax.lax.fori_loop(0, _NEWTON, newton, (x, jnp.zeros_like(x)))


def _series(coefficient_BxU, x_BxW):
  """Returns values and slopes of B series at W points each."""
  start = (jnp.zeros_like(x_BxW),) * 4
  row_UxB = coefficient_BxU.T[:0:-1]
  step = lambda carry, row_B: (_step(row_B[:, None], x_BxW, *carry), None)
  (high, higher, slope, steeper), _ = jax.lax.scan(step, start, row_UxB)
  first_Bx1 = coefficient_BxU[:, :1]
  return first_Bx1 + x_BxW * high - higher, high + x_BxW * slope - steeper


def _bisected(coefficient_BxU, cells: Cells, at_Q) -> np.ndarray:
  """Returns the roots of cells where Newton's method did not settle."""
  own_QxU = coefficient_BxU[cells.row_Q[at_Q]]
  low_Q, high_Q = cells.end_2xQ[:, at_Q]
  sign_Q = np.sign(cells.value_2xQ[0, at_Q])
  for _ in range(_WHOLE):
    middle_Q = (low_Q + high_Q) / 2
    before_Q = sign_Q * at(own_QxU, middle_Q)[0] > 0
    low_Q = np.where(before_Q, middle_Q, low_Q)
    high_Q = np.where(before_Q, high_Q, middle_Q)
  return (low_Q + high_Q) / 2
