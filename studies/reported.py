"""Reported numbers beside ours: one number, its members and its controls."""

from typing import NamedTuple

import numpy as np
from primelens.analyses import statistics

SMOOTH = 0.005  # smooth fits of a network trained anew repeat to this (addition spec, section 5)
_UNIT = 2.0**-24  # what rounding a number to float32 changes of it


def tolerance(printed: str, *, rows: int = 0, total: float = 1.0) -> float:
  """Returns how far an exact number may be from one that was printed.

  The rule for every number of a given network, whatever we get: half a unit of
  the last digit printed and, where the source computed in float32, what its
  arithmetic loses. A mean of `rows` squares, and what is left of it or explained
  of it by a regression, is rounded about sqrt(rows) times: sqrt(rows) 2^-24 of
  the mean square `total` that was decomposed (the target's variance; 1 of R2).
  """
  digits = printed.lstrip("+-").partition("e")
  exponent = int(digits[2] or 0) - len(digits[0].partition(".")[2])
  return 0.5 * 10.0**exponent + np.sqrt(rows) * _UNIT * total


class Reported(NamedTuple):
  """One number of the source: what it is, in words and recomputed.

  `source` is what its text or its files say, `recomputed` an independent
  program's number for the same network, None where nobody made one.
  `tolerance` is how far ours may be from that; infinite for counts and neuron
  numbers, which are not portable.
  """

  item: str
  quantity: str
  source: str
  recomputed: float | None
  tolerance: float = SMOOTH
  remark: str = ""


def row(entry, value_S: np.ndarray, untrained_S, at: int | None) -> dict:
  """Returns the record of one number: what was reported, ours (of member `at`,
  if any), whether it agrees, and the members' spread."""
  ours = float(value_S[at]) if at is not None else np.nan
  known = at is not None and entry.recomputed is not None
  gap = abs(ours - entry.recomputed) if known else np.nan
  return {
    "item": entry.item,
    "quantity": entry.quantity,
    "source": entry.source,
    "recomputed": np.nan if entry.recomputed is None else entry.recomputed,
    "tolerance": entry.tolerance,
    "ours": ours,
    "agrees": bool(gap <= entry.tolerance) if known else None,
    **spread(value_S),
    "untrained": np.nan if untrained_S is None else median(untrained_S),
    "values": value_S.tolist(),
    "remark": entry.remark,
  }


def median(value_S) -> float:
  """Returns the median of the members that have a value; NaN for none."""
  return spread(value_S)["median"]


def spread(value_S) -> dict[str, float]:
  """Returns median, minimum, maximum, mean and its 95 % interval, over the
  members that have a value; all NaN where none has one."""
  known_S = np.asarray(value_S, float)
  known_S = known_S[np.isfinite(known_S)]
  names = ("median", "minimum", "maximum", "mean", "mean_low", "mean_high")
  if not known_S.size:
    return dict.fromkeys(names, np.nan)
  interval = statistics.seed_interval(known_S)
  ends = (interval.estimate, interval.low, interval.high)
  found = (np.median(known_S), known_S.min(), known_S.max(), *ends)
  return dict(zip(names, map(float, found), strict=True))


def columns(name: str, value_S, untrained_S, at: int | None) -> dict:
  """Returns the columns of one measure, as those of `fits.records`.

  `at` is the reference member, None where there is none.
  """
  found = spread(value_S)
  return {
    name: found["median"],
    f"{name}_min": found["minimum"],
    f"{name}_max": found["maximum"],
    f"{name}_ours": float("nan") if at is None else float(value_S[at]),
    f"{name}_untrained": median(untrained_S),
  }
