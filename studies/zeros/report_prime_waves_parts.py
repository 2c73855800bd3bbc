"""The report's table of the primes known by context and by training."""

import itertools
from typing import NamedTuple

import numpy as np
from primelens.lens import page
from primelens.studies.zeros import prime_waves_known as known_lib

_BANDS = (30, 300, 1_000)


class _Known(NamedTuple):
  """What S predictors know, and how many frequencies beside it would pass."""

  name: str
  r2_S: np.ndarray
  known_SxQ: np.ndarray
  stands_Q: np.ndarray
  beside_S: np.ndarray


def when(result) -> page.Markup:
  """Returns which primes are known with less context, and at snapshots."""
  edges = np.searchsorted(result.prime_Q, (0, *_BANDS, np.inf))
  rows = [_row(known, result.prime_Q, edges) for known in (*_contexts(result), *_snapshots(result))]
  below, *rest = (f"{band:,}" for band in _BANDS)
  between = [f"{a} to {b}" for a, b in itertools.pairwise((below, *rest))]
  windows = ""
  if len(result.context_T):
    windows = (
      f" By context: of {result.context_windows:,} windows, each one spacing after the last."
    )
  return page.table(
    (
      "predictions",
      "R²",
      f"primes below {below}",
      *between,
      f"above {rest[-1]}",
      "beside them",
      "half known to",
    ),
    rows,
    caption="Primes known of those whose wave stands out, by size, and how many"
    " of as many frequencies off all lines would pass: means over seeds; R² and"
    f" the prime up to which half are known, by seed.{windows}",
  )


def _contexts(result):
  """Yields networks and the filter of that order, by context."""
  for t, context in enumerate(result.context_T):
    stands_Q = result.context_stands_TxQ[t]
    yield _Known(
      f"{context} spacings in sight",
      result.context_r2_SxT[:, t],
      result.context_known_SxTxQ[:, t],
      stands_Q,
      result.context_beside_SxT[:, t],
    )
    yield _Known(
      f"AR({context})",
      result.filter_r2_T[t : t + 1],
      result.filter_known_TxQ[t : t + 1],
      stands_Q,
      result.filter_beside_T[t : t + 1],
    )


def _snapshots(result):
  """Yields networks at every snapshot."""
  for c, step in enumerate(result.step_C):
    yield _Known(
      f"step {step:,}",
      result.r2_SxC[:, c],
      result.known_SxCxQ[:, c],
      result.stands_Q,
      result.beside_SxC[:, c],
    )


def _row(known: _Known, prime_Q, edges) -> list[str]:
  bands = [slice(a, b) for a, b in itertools.pairwise(edges)]
  stands_Q = known.stands_Q
  halves = [known_lib.cutoff(each, stands_Q, prime_Q) for each in known.known_SxQ]
  return [
    known.name,
    ", ".join(page.number(r2, digits=3) for r2 in known.r2_S),
    *(f"{known.known_SxQ[:, band].sum(-1).mean():.0f} of {stands_Q[band].sum()}" for band in bands),
    f"{np.mean(known.beside_S):.0f}",
    ", ".join(f"{half:,}" for half in halves),
  ]
