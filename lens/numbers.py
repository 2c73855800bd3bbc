"""Numbers of a source beside recomputed ones and those found here, with members and controls.

The source's are data: `published.csv` of each study, a row for each number.
"""

import csv
import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from primelens.analyses import statistics
from primelens.lens import results as results_lib

# Smooth fits of a network trained anew repeat to this (docs/sources/addition.md, section 5).
SMOOTH = 0.005
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
  `tolerance` is how far the one found here may be from that; infinite for counts and neuron
  numbers, which are not portable. `null` is what the number is a share of where networks of other
  sizes are compared: noise, or a constant answer.
  """

  item: str
  quantity: str
  source: str
  recomputed: float | None
  tolerance: float = SMOOTH
  remark: str = ""
  null: float | None = None

  def shown(self) -> str:
    """Returns the source's number, as a share where it is one: "0.2142 (44.13 of 206)"."""
    if self.null is None:
      return self.source
    return f"{float(self.source) / self.null:.4g} ({self.source} of {self.null:g})"


def row(entry, value_S: np.ndarray, untrained_S, at: int | None) -> dict:
  """Returns the record of one number: what was reported, what is found here (of member `at`,
  if any), whether it agrees, and the members' spread."""
  here = float(value_S[at]) if at is not None else np.nan
  known = at is not None and entry.recomputed is not None
  gap = abs(here - entry.recomputed) if known else np.nan
  return {
    "item": entry.item,
    "quantity": entry.quantity,
    "source": entry.source,
    "recomputed": np.nan if entry.recomputed is None else entry.recomputed,
    "tolerance": entry.tolerance,
    "here": here,
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


# --- numbers as a slice stores them ---------------------------------------------------------------

NETWORKS = ("trained", "untrained")


def stored(
  value_S: Mapping[str, np.ndarray], untrained_S: Mapping[str, np.ndarray]
) -> dict[str, xr.Variable]:
  """Returns named numbers of each network, trained and untrained, as variables of a result.

  `number` has dimensions network, quantity and seed; NaN where an untrained network has none.
  """
  none_S = np.full(len(next(iter(value_S.values()))), np.nan)
  both = [
    [np.asarray(each.get(key, none_S), float) for key in value_S] for each in (value_S, untrained_S)
  ]
  return {
    "number": results_lib.variable("network quantity seed", both, "number that was reported"),
    "quantity": xr.Variable("quantity", list(value_S)),
    "network": xr.Variable("network", list(NETWORKS)),
  }


def of(found: xr.Dataset) -> dict[str, "Own"]:
  """Returns the numbers that `stored` put into a result, by key."""
  keys = found["quantity"].values.tolist()
  trained_NxS, untrained_NxS = (found["number"].sel(network=name).values for name in NETWORKS)
  return {key: Own(*pair) for key, *pair in zip(keys, trained_NxS, untrained_NxS, strict=True)}


# --- published.csv, and all numbers of a study in one table ---------------------------------------

COLUMNS = (
  "item",
  "quantity",
  "source",
  "recomputed",
  "here",
  "verdict",
  "runs",
  "median",
  "minimum",
  "maximum",
  "untrained",
)


class Beside(NamedTuple):
  """Which runs of a study are set beside the published numbers, by the words behind the first
  comma of their population.

  `main` are those that count where there are any (all but controls by default), `drift` are the
  source's own network again, shaken by rounding, `controls` are those that differ in one thing:
  a column each.
  """

  main: str = ""
  drift: str = ""
  controls: Mapping[str, str] = {}

  def columns(self) -> tuple[str, ...]:
    """Returns the columns of the table."""
    drift = ("drift_low", "drift_high") if self.drift else ()
    at = COLUMNS.index("verdict") + 1
    return (*COLUMNS[:at], *drift, *COLUMNS[at:], *self.controls)


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
    null=float(row["null"]) if row.get("null") else None,
  )


class Joined:
  """The table of all numbers of a study, made of `numbers(found)` of its slices.

  Runs of one population (its words in front of the first comma) are joined. A run's card says
  which of its networks is the source's own (`reference`, a place among its seeds), and whether
  it is none that was trained here (`imported`): that is no part of the distribution.
  """

  def __init__(self, place: Path, slices: Mapping[str, Any], beside: Beside | None = None):
    self._place, self._beside = place, beside or Beside()
    self._numbers = {key: each.numbers for key, each in slices.items() if each.numbers}

  def __call__(self, results) -> tuple[dict, ...]:
    """Returns a record per number of `{run: {slice: Dataset}}`."""
    found: dict[tuple[str, str, str], list[_One]] = {}
    for run, table in results.items():
      population, _, variant = results.cards[run]["population"].partition(", ")
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
            one = _One(run, variant, results.cards[run], value)
            found.setdefault((population, name, key), []).append(one)
    return tuple(self._record(where, ones) for where, ones in found.items())

  def _record(self, where: tuple[str, str, str], ones: list["_One"]) -> dict:
    population, name, key = where
    entry, beside = published(self._place, name)[key], self._beside
    rows = self._main(ones)
    own = [value for one in rows if math.isfinite(value := one.own())]
    trained = [one for one in rows if not one.card.get("imported") or not own]
    record = {
      "population": population,
      "slice": name,
      "key": key,
      "item": entry.item,
      "quantity": entry.quantity,
      "source": entry.shown(),
      "recomputed": math.nan if entry.recomputed is None else entry.recomputed,
      "here": own[0] if own else math.nan,
      "runs": ", ".join(one.run for one in trained),
      **spread(_values(trained)),
      "untrained": median([np.nan if v is None else median(v) for v in _untrained(rows)]),
      "remark": entry.remark,
    }
    of_variant = lambda words: spread(_values([one for one in ones if one.variant == words]))
    if beside.drift:
      shaken = of_variant(beside.drift)
      record |= {"drift_low": shaken["minimum"], "drift_high": shaken["maximum"]}
    for column, words in beside.controls.items():
      record[column] = of_variant(words)["median"]
    return record | {"verdict": agreement(record, entry.tolerance)}

  def _main(self, ones: list["_One"]) -> list["_One"]:
    """Returns the runs that count: the published setting, else all but controls, else all."""
    beside = self._beside
    apart = {beside.drift, *beside.controls.values()} - {""}
    for some in (
      [one for one in ones if beside.main and one.variant == beside.main],
      [one for one in ones if one.variant not in apart],
    ):
      if some:
        return some
    return ones


class _One(NamedTuple):
  """A number of one run."""

  run: str
  variant: str
  card: Mapping[str, Any]
  value: Own

  def own(self) -> float:
    """Returns the number of the source's own network; NaN where none is."""
    at = self.card.get("reference")
    return math.nan if at is None else float(np.asarray(self.value.value_S, float)[at])


def _values(ones: list[_One]) -> list[float]:
  return [x for one in ones for x in np.asarray(one.value.value_S, float).tolist()]


def _untrained(ones: list[_One]) -> list:
  return [one.value.untrained_S for one in ones]


def agreement(record: Mapping[str, Any], tolerance: float) -> str:
  """Returns how the number found here stands to the recomputed one.

  "agrees": within the tolerance; "within drift": not, but the recomputed one lies in the range of
  the source's network shaken by rounding; "not portable": a count or a neuron's number that no two
  programs share; "differs"; "" without both numbers.
  """
  here, recomputed = record["here"], record["recomputed"]
  if not (math.isfinite(here) and math.isfinite(recomputed)):
    return ""
  if math.isinf(tolerance):
    return "agrees" if here == recomputed else "not portable"
  if abs(here - recomputed) <= tolerance:
    return "agrees"
  low, high = (record.get(f"drift_{end}", math.nan) for end in ("low", "high"))
  return "within drift" if low - tolerance <= recomputed <= high + tolerance else "differs"
