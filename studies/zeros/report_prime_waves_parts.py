"""The report's table of the primes known by context and by training."""

import itertools

import numpy as np
from primelens.studies import report_page as page
from primelens.studies.zeros import prime_waves_known as known_lib

_BANDS = (30, 300, 1_000)


def when(result) -> page.Markup:
  """Returns which primes are known with less context, and at snapshots."""
  edges = np.searchsorted(result.prime_Q, (0, *_BANDS, np.inf))
  rows = [
    (name, *_cells(*known, result.prime_Q, edges))
    for name, *known in (*_contexts(result), *_snapshots(result))
  ]
  below, *rest = (f"{band:,}" for band in _BANDS)
  between = [f"{a} to {b}" for a, b in itertools.pairwise((below, *rest))]
  windows = ""
  if len(result.context_T):
    windows = (
      f" By context: of {result.context_windows:,} windows, each one spacing"
      " after the last."
    )
  return page.table(
    (
      *("predictions", "R²", f"primes below {below}", *between),
      *(f"above {rest[-1]}", "beside them", "half known to"),
    ),
    rows,
    caption="Primes known of those whose wave stands out, by size, and how many"
    " of as many frequencies off all lines would pass: means over seeds; R² and"
    f" the prime up to which half are known, by seed.{windows}",
  )


def _contexts(result):
  """Yields a name, R2, known primes, those that stand out, and beside."""
  for t, context in enumerate(result.context_T):
    stands_Q = result.context_stands_TxQ[t]
    yield (
      f"{context} spacings in sight",
      result.context_r2_SxT[:, t],
      result.context_known_SxTxQ[:, t],
      stands_Q,
      result.context_beside_SxT[:, t],
    )
    yield (
      f"AR({context})",
      result.filter_r2_T[t : t + 1],
      result.filter_known_TxQ[t : t + 1],
      stands_Q,
      result.filter_beside_T[t : t + 1],
    )


def _snapshots(result):
  """Yields the same of every snapshot."""
  for c, step in enumerate(result.step_C):
    yield (
      f"step {step:,}",
      result.r2_SxC[:, c],
      result.known_SxCxQ[:, c],
      result.stands_Q,
      result.beside_SxC[:, c],
    )


def _cells(r2_S, known_SxQ, stands_Q, beside_S, prime_Q, edges) -> list[str]:
  bands = [slice(a, b) for a, b in itertools.pairwise(edges)]
  halves = (known_lib.cutoff(each, stands_Q, prime_Q) for each in known_SxQ)
  return [
    ", ".join(page.number(r2, digits=3) for r2 in r2_S),
    *(
      f"{known_SxQ[:, band].sum(-1).mean():.0f} of {stands_Q[band].sum()}"
      for band in bands
    ),
    f"{np.mean(beside_S):.0f}",
    ", ".join(f"{half:,}" for half in halves),
  ]
