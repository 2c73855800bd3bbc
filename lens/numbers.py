"""Numbers of a source beside recomputed ones and ours: one number, its members, its controls.

The source's are data: `published.csv` of each study, a row for each number.
"""

import csv
import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

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


def cells(value_S) -> dict[str, Any]:
  """Returns the spread as cells of a table: the mean has its interval."""
  found = spread(value_S)
  mean = statistics.Interval(*(found.pop(key) for key in ("mean", "mean_low", "mean_high")))
  return found | {"mean": mean}


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


# --- published.csv, and all numbers of a study in one table ---------------------------------------

COLUMNS = (
  "item",
  "quantity",
  "source",
  "recomputed",
  "ours",
  "verdict",
  "runs",
  "median",
  "minimum",
  "maximum",
  "untrained",
)


class Own(NamedTuple):
  """A number of each member, and of fresh networks."""

  value_S: Any
  untrained_S: Any = None


@functools.cache
def _rows(place: Path) -> tuple[dict[str, str], ...]:
  with place.open(newline="", encoding="utf-8") as file:
    return tuple(csv.DictReader(file))


def published(module: str | Path, name: str = "") -> dict[str, Reported]:
  """Returns the published numbers of a slice by key, from published.csv beside its file.

  >>> from primelens.studies import text
  >>> published(text.__file__, "answers")["sum_select_bias"].recomputed
  9.3
  """
  place = Path(module).with_name("published.csv")
  name = name or Path(module).stem
  return {row["key"]: _reported(row) for row in _rows(place) if row["slice"] == name}


def records(module: str | Path, table: str, name: str = "") -> list[dict[str, Any]]:
  """Returns a table of numbers of others, {column: value} for each row.

  From published.csv beside a slice's file, whose columns are then slice, table, row, column and
  value: a number where it reads as one, None where it is empty, else text.
  """
  found: dict[str, dict[str, Any]] = {}
  for row in _rows(Path(module).with_name("published.csv")):
    if (row["slice"], row["table"]) == (name or Path(module).stem, table):
      found.setdefault(row["row"], {})[row["column"]] = _read(row["value"])
  if not found:
    raise KeyError(f"published.csv has no table {table!r} of {name or Path(module).stem!r}.")
  return list(found.values())


def _read(text: str) -> Any:
  for kind in (int, float):
    try:
      return kind(text)
    except ValueError:
      continue
  return text or None


def _reported(row: Mapping[str, str]) -> Reported:
  return Reported(
    item=row["item"],
    quantity=row["quantity"],
    source=row["source"],
    recomputed=float(row["recomputed"]) if row["recomputed"] else None,
    tolerance=float(row["tolerance"]),
    remark=row["remark"],
  )


class Joined:
  """The table of all numbers of a study, made of `numbers(found)` of its slices.

  Runs of one population (its words in front of the first comma) are joined: networks whose card
  says `imported` are the source's own, the others are the distribution beside them.
  """

  def __init__(self, place: Path, slices: Mapping[str, Any]):
    self._place = place
    self._numbers = {key: each.numbers for key, each in slices.items() if each.numbers}

  def __call__(self, results) -> tuple[dict, ...]:
    """Returns a record per number of `{run: {slice: Dataset}}`, by COLUMNS."""
    found: dict[tuple[str, str, str], list[tuple[str, bool, Own]]] = {}
    for run, table in results.items():
      card = results.cards[run]
      for name, its in self._numbers.items():
        if name not in table:
          continue
        values, known = its(table[name]), published(self._place, name)
        unknown = sorted(set(values) - set(known))
        if unknown:
          raise KeyError(f"{unknown[0]!r} is not among what was reported.")
        for key in known:
          if key in values:
            value = values[key] if isinstance(values[key], Own) else Own(values[key])
            where = (card["population"].partition(",")[0], name, key)
            found.setdefault(where, []).append((run, bool(card.get("imported")), value))
    return tuple(self._record(where, rows) for where, rows in found.items())

  def _record(self, where: tuple[str, str, str], rows) -> dict:
    population, name, key = where
    entry = published(self._place, name)[key]
    own = [float(np.asarray(its.value_S, float)[0]) for _, imported, its in rows if imported]
    own = [value for value in own if math.isfinite(value)]
    trained = [(run, its) for run, imported, its in rows if not imported or not own]
    values = [v for _, its in trained for v in np.asarray(its.value_S, float).tolist()]
    null = [np.nan if its.untrained_S is None else median(its.untrained_S) for *_, its in rows]
    record = {
      "population": population,
      "slice": name,
      "key": key,
      "item": entry.item,
      "quantity": entry.quantity,
      "source": entry.source,
      "recomputed": math.nan if entry.recomputed is None else entry.recomputed,
      "ours": own[0] if own else math.nan,
      "runs": ", ".join(run for run, _ in trained),
      **spread(values),
      "untrained": median(null),
      "remark": entry.remark,
    }
    return record | {"verdict": agreement(record, entry.tolerance)}


def agreement(record: Mapping[str, Any], tolerance: float) -> str:
  """Returns "agrees" or "differs" of ours and the recomputed number, within the tolerance.

  "" without both, "not portable" where no tolerance is given.
  """
  ours, recomputed = record["ours"], record["recomputed"]
  if not (math.isfinite(ours) and math.isfinite(recomputed)):
    return ""
  if math.isinf(tolerance):
    return "agrees" if ours == recomputed else "not portable"
  return "agrees" if abs(ours - recomputed) <= tolerance else "differs"
