"""Turing's method: no zero of zeta is missing from a list.

A proof as far as the signs of Z are right, which are computed in float64.

Where K consecutive Gram blocks [g_n, g_p) hold at least as many zeros as
intervals (Rosser's rule) and K >= 0.0061 ln(g_p)^2 + 0.08 ln(g_p), it follows
that N(g_n) <= n + 1 and N(g_p) >= p + 1. Such blocks below and above a stretch
fix N at its ends, and the zeros found between are all there are.
Source: R. P. Brent, Math. Comp. 33 (1979), theorem 3.2, after Turing (1953).
"""

from typing import NamedTuple

import numpy as np
from primelens.tasks import riemann_siegel


class Unproven(ValueError):
  """Zeros are missing, or the blocks that would prove otherwise."""


class Proof(NamedTuple):
  """N(g_first) = first + 1 and N(g_last) = last + 1; between, what was found.

  `blocks` Gram blocks on either side prove it; `number` is that of the first
  zero above g_first, and `start` its place in the list.
  """

  first: int
  last: int
  blocks: int
  number: int
  start: int


def needed(height: float) -> int:
  """Returns how many Gram blocks below a height a proof takes."""
  return int(np.ceil(0.0061 * np.log(height) ** 2 + 0.08 * np.log(height)))


def prove(ordinate_N, first: int, last: int, *, sign: int) -> Proof:
  """Returns the proof for zeros found between Gram points first and last.

  `sign` is that of Z at g_first; the others follow, as Z changes its sign at
  every zero. g_-1 = 9.67 needs no blocks below it: there N = 0.
  Raises Unproven if blocks that prove it are not there, or zeros are missing.
  """
  index_P = np.arange(first, last + 1)
  below_P = np.searchsorted(ordinate_N, riemann_siegel.gram(index_P))
  # Good: (-1)^n Z(g_n) > 0. A zero less turns every sign that follows.
  good_P = (below_P + index_P) % 2 == (0 if sign > 0 else 1)
  place_K = np.flatnonzero(good_P)
  kept_K = np.diff(below_P[place_K]) >= np.diff(place_K)
  least = needed(float(riemann_siegel.gram(last)))
  start = 0 if first == -1 else _run(kept_K, least)
  stop = len(kept_K) - _run(kept_K[::-1], least)
  if start >= stop:
    raise Unproven(f"Gram points {first}..{last} are too few for a proof.")
  low, high = place_K[start], place_K[stop]
  found = int(below_P[high] - below_P[low])
  if found != high - low:
    word = "missing" if found < high - low else "surplus"
    raise Unproven(
      f"{abs(high - low - found)} zeros are {word} between Gram points "
      f"{index_P[low]} and {index_P[high]}."
    )
  return Proof(
    first=int(index_P[low]),
    last=int(index_P[high]),
    blocks=least,
    number=int(index_P[low]) + 2,
    start=int(below_P[low]),
  )


def _run(kept_K, least: int) -> int:
  """Returns how many blocks reach the end of the first `least` that keep on."""
  length = 0
  for k, kept in enumerate(kept_K):
    length = length + 1 if kept else 0
    if length == least:
      return k + 1
  raise Unproven(f"fewer than {least} Gram blocks in a row keep the rule.")
