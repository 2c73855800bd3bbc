"""Rows of 256 spacings, as the published scripts cut and chose them."""

from typing import NamedTuple

import numpy as np

WIDTH = 256
SEED = 42


class Rows(NamedTuple):
  """Rows in order of height, the index of each one's first spacing."""

  value_NxT: np.ndarray
  start_N: np.ndarray

  def pick(self, index_N) -> "Rows":
    """Returns the rows of these numbers, in order of height."""
    index_N = np.sort(index_N)
    return Rows(self.value_NxT[index_N], self.start_N[index_N])


def of(run) -> Rows:
  """Returns the disjoint rows of the test split, from its first spacing on.

  Raises ValueError if it holds none.
  """
  first, last = run.series.bounds("test")
  count = (last - first) // WIDTH
  if not count:
    raise ValueError(f"the test split holds {last - first} spacings, no row of {WIDTH}.")
  start_N = first + WIDTH * np.arange(count)
  value_NxT = run.series.value_N[first : first + WIDTH * count]
  return Rows(value_NxT.reshape(count, WIDTH), start_N)


def leading(rows: Rows, limit: int) -> Rows:
  """Returns at most `limit` rows, the first ones of the tail."""
  return rows.pick(np.arange(min(limit, len(rows.start_N))))


def chosen(rows: Rows, limit: int) -> Rows:
  """Returns at most `limit` rows, drawn as the published rollouts drew them.

  Without replacement, by numpy's legacy generator seeded with 42; fewer are
  the first of those drawn. Source: zeta spec, section 4.5.
  """
  count = len(rows.start_N)
  order = np.random.RandomState(SEED).choice(count, size=min(limit, count), replace=False)
  return rows.pick(order)
