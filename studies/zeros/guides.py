"""Guides: causal guesses of every next spacing, made once from the sequence.

The guide of spacing n uses the spacings before n and the height at which
spacing n starts, which those spacings lead to, and no later one:

* `adaptive`: AR(256) by least squares on the 20,000 spacings before each block
  of 5,000 (`anchors.adaptive`);
* `ar:Q`: AR(Q) by Yule-Walker on train, so on spacings of train in sample;
* `waves:X`: the explicit formula with the primes up to X, nothing fitted;
* `height`: 1 / ln(g / 2 pi), the mean spacing in turns, which is no guess;
  standardised on train.

They are made for the ranges that a run reads: where training windows are drawn,
select and test. Source: zeta spec, sections 7 and 7.1.
"""

import numpy as np
from primelens.analyses import anchors
from primelens.models import guided
from primelens.studies.zeros import explicit
from primelens.tasks import windows, zeros

ADAPTIVE = 20_000  # spacings that the adaptive filter is fitted on
COUNTED = 1_000  # zeros whose mean tells the number of the first


def past(name: str) -> int:
  """Returns how many spacings a guide needs before the one it guesses."""
  kind, number = guided.parsed(name)
  return {"adaptive": ADAPTIVE, "ar": number}.get(kind, 0)


def drawn(series: windows.Series, names: tuple[str, ...]) -> tuple[int, int]:
  """Returns the range that training windows are drawn from: `series.drawn`
  without spacings that have too short a past. Raises `ValueError` if none is
  left."""
  first, last = series.drawn
  first = max([first, *map(past, names)])
  if last - first < series.window + 1:
    raise ValueError(
      f"guides {', '.join(names)} need {first:,} spacings before the first "
      f"window, but train ends at {last:,}: take more spacings."
    )
  return first, last


def columns(series: windows.Series, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
  """Returns spacings beside their guides Nx(1 + J), and the guesses' scales.

  Row n is s_n and what the J guides say of s_{n+1} (guesses of s_{n+1} - 1), in
  float32; NaN outside the ranges. The scale of a guess is the logarithm of its
  root mean square error on `drawn`; without a guess there is one, of a guess
  of 1. Raises `ValueError` for a guide that lacks heights or a past.
  """
  own = drawn(series, names)
  ranges = (own, series.bounds("select"), series.bounds("test"))
  parts = [np.arange(first + 1, last) for first, last in ranges]
  residual_N = series.value_N.astype(np.float64) - 1
  column_NxJ1 = np.full((len(residual_N), 1 + len(names)), np.nan, np.float32)
  column_NxJ1[:, 0] = series.value_N
  log_scales = []
  for j, name in enumerate(names):
    for part, index_N in enumerate(parts):
      guide_N = guide(series, name, index_N)
      column_NxJ1[index_N - 1, 1 + j] = guide_N
      if part == 0 and name not in guided.INPUTS:
        log_scales.append(_log_scale(residual_N[index_N] - guide_N))
  log_scales = log_scales or [_log_scale(residual_N[parts[0]])]
  return column_NxJ1, np.array(log_scales, np.float32)


def _log_scale(error_N) -> float:
  return float(0.5 * np.log(np.mean(error_N**2)))


def guide(series: windows.Series, name: str, index_N) -> np.ndarray:
  """Returns one guide of the consecutive spacings `index_N`, float64.

  Guesses are of s - 1. Raises `ValueError` as `columns`, and for another name.
  """
  kind, number = guided.parsed(name)
  if kind in ("waves", "height") and series.ordinate_N is None:
    raise ValueError(f"guide {name!r} needs heights: take task.kind='zeros'.")
  if index_N.min() < past(name):
    raise ValueError(
      f"guide {name!r} needs {past(name):,} spacings before the first that it "
      f"guesses, not {index_N.min():,}: take more spacings."
    )
  return _GUIDES[kind](series, index_N, number)


def _adaptive(series, index_N, number) -> np.ndarray:
  del number
  found = anchors.adaptive(series.value_N, index_N, window=ADAPTIVE)
  return found.prediction_N - 1


def _ar(series, index_N, order) -> np.ndarray:
  train = series.bounds("train")
  (found,) = anchors.autoregressive(
    series.value_N, train, index_N, (order,), method=anchors.YULE_WALKER
  )
  return found.prediction_N - 1


def _waves(series, index_N, limit) -> np.ndarray:
  # Counted once, at the sequence's beginning, where many zeros give the number
  # of the first: no guess depends on a later zero, but for those of the first
  # thousand, by that one number.
  number = zeros.number(series.ordinate_N[:COUNTED])
  return explicit.spacings(series.ordinate_N[index_N], number + index_N, limit) - 1


def _height(series, index_N, number) -> np.ndarray:
  del number
  level = lambda t_N: 1 / np.log(np.asarray(t_N, np.float64) / (2 * np.pi))
  train_N = level(series.ordinate_N[slice(*series.bounds("train"))])
  return (level(series.ordinate_N[index_N]) - train_N.mean()) / train_N.std()


_GUIDES = {"adaptive": _adaptive, "ar": _ar, "waves": _waves, "height": _height}
