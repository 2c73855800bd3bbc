"""Records as terminal text, CSV and HTML: how a number, a range, an interval is shown."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from primelens.analyses import statistics
from primelens.lens import page, results
from primelens.tasks import files

NONE = "–"  # where there is no number
FEW = 16  # rows of a table that is not folded on a page
Interval = statistics.Interval


def interval(found: xr.Dataset, name: str, **where: Any) -> Interval:
  """Returns the value of one variable at one place, with the ends of its interval."""
  one = found[[name, f"{name}_interval"]].sel(where)
  low, high = one[f"{name}_interval"].sel({results.END: list(results.ENDS)}).values.tolist()
  return Interval(one[name].item(), low, high)


def records(found: xr.Dataset, columns: Mapping[str, str], dim: str = "row") -> list[dict]:
  """Returns a record for each place along `dim`: {column: variable}, with its interval if any."""
  places = [found.isel({dim: i}) for i in range(found.sizes[dim])]
  return [{column: _value(one, name) for column, name in columns.items()} for one in places]


def rows(found: xr.Dataset, name: str) -> list[dict]:
  """Returns the records that `results.rows(name, ...)` made variables of."""
  prefix = f"{name}_"
  names = [str(key) for key in found.data_vars if found[key].dims[:1] == (name,)]
  columns = {
    key.removeprefix(prefix): key
    for key in names
    if key.startswith(prefix) and results.END not in found[key].dims
  }
  return records(found, columns, name)


def distinct(words: Iterable[str]) -> str:
  """Returns what runs say in a caption, each once.

  >>> distinct(["512", "64", "512"])
  '512, 64'
  """
  return ", ".join(dict.fromkeys(words))


def by_run(
  runs: Mapping[str, xr.Dataset], make: Callable[[xr.Dataset], Iterable[Mapping[str, Any]]]
) -> list[dict]:
  """Returns the records that `make` gives of every run, the run in front."""
  return [{"run": run} | dict(row) for run, found in runs.items() for row in make(found)]


def of_runs(
  runs: Mapping[str, xr.Dataset],
  name: str,
  caption: str,
  formats: Mapping[str, str] | None = None,
  heads: Mapping[str, str] | None = None,
) -> "Table":
  """Returns the records `name` of all runs in one table, the run in front.

  `heads` are the columns that are shown and what they are of: {head: column}; all by default.
  """
  shown = lambda row: {head: row[key] for head, key in heads.items()} if heads else row
  body = by_run(runs, lambda found: map(shown, rows(found, name)))
  return Table(caption, body, formats or {}, name)


def _value(one: xr.Dataset, name: str):
  return interval(one, name) if f"{name}_interval" in one else one[name].item()


@dataclasses.dataclass(frozen=True)
class Table:
  """Records with a caption; `formats` has those columns that need a format of their own.

  `name` tells the tables of one slice apart: its CSV is `<slice>.<name>.csv`. `words` are columns
  that are left out of the terminal and the page, and are in the CSV.
  """

  caption: str
  rows: Sequence[Mapping[str, Any]]
  formats: Mapping[str, str] = dataclasses.field(default_factory=dict)
  name: str = ""
  hidden: tuple[str, ...] = ()

  def columns(self) -> list[str]:
    """Returns the names of all columns shown, in the order in which they first appear."""
    names = dict.fromkeys(key for row in self.rows for key in row)
    return [name for name in names if name not in self.hidden]

  def cells(self) -> list[list[str]]:
    """Returns what is shown, without the head."""
    return [[self._cell(key, row.get(key)) for key in self.columns()] for row in self.rows]

  def _cell(self, key: str, value: Any) -> str:
    return shown(value, self.formats.get(key, ""))

  def _is_text(self, key: str) -> bool:
    return any(isinstance(row.get(key), str) for row in self.rows)

  def text(self) -> str:
    """Returns lines for a terminal: words flush left, numbers flush right."""
    lines = [[files.shown(cell) for cell in line] for line in (self.columns(), *self.cells())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = [self._is_text(key) for key in self.columns()]
    place = lambda cell, width, left: cell.ljust(width) if left else cell.rjust(width)
    body = ["  ".join(map(place, line, widths, left)).rstrip() for line in lines]
    return "\n".join([*filter(None, [files.shown(self.caption)]), *body])

  def html(self) -> page.Markup:
    """Returns a table of the page, folded where it is long; every cell is escaped."""
    if not self.rows:
      return page.tag("p", f"{self.caption} None.", class_="none")
    words = [i for i, key in enumerate(self.columns()) if self._is_text(key)]
    head = [column.replace("_", " ") for column in self.columns()]
    whole = page.table(head, self.cells(), caption=self.caption, text=words)
    if len(self.rows) <= FEW:
      return whole
    return page.details(f"{self.caption} ({len(self.rows)} rows)", whole)

  def csv(self) -> str:
    """Returns all columns with all digits; an interval takes three."""
    return results.table(map(flat, self.rows))


def shown(value: Any, form: str = "") -> str:
  """Returns a value as a cell of a table: four digits of a number, "–" where there is none.

  >>> shown(0.123456), shown(True), shown(None), shown(Interval(0.5, 0.4, 0.6), "+.2f")
  ('0.1235', 'yes', '–', '+0.50 [+0.40, +0.60]')
  """
  if value is None:
    return NONE
  if isinstance(value, (bool, np.bool_)):
    return "yes" if value else "no"
  if isinstance(value, statistics.Interval):
    return NONE if math.isnan(value.estimate) else format(value, form or ".4g")
  if isinstance(value, (int, np.integer)):
    return format(int(value), form or ",")
  if isinstance(value, (float, np.floating)):
    return format(float(value), form) if form and math.isfinite(value) else page.short(value)
  return str(value)


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a record in which an interval is three numbers."""
  flat: dict[str, Any] = {}
  for key, value in row.items():
    if isinstance(value, statistics.Interval):
      flat |= {key: value.estimate, f"{key}_low": value.low, f"{key}_high": value.high}
    else:
      flat[key] = value
  return flat


def aligned(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
  """Returns some columns of records as lines for a terminal, under a line of names."""
  return Table("", [{name: row[name] for name in columns} for row in rows]).text()
