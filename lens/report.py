"""The report: results of several runs in one self-contained HTML page."""

import functools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr
from primelens.lens import claims as claims_lib
from primelens.lens import cli, page, study
from primelens.lens import ledger as ledger_lib
from primelens.lens import numbers as numbers_lib
from primelens.lens.results import Stored
from primelens.tasks import files

Tables = Mapping[str, Mapping[str, Stored]]  # {run: {slice: Stored}}


def write(
  path: str | os.PathLike,
  its: study.Study,
  tables: Tables,
  ledger: claims_lib.Ledger,
  results: claims_lib.Results | None = None,
  damaged: Sequence[str] = (),
) -> Path:
  """Writes the page, replaced at once, and returns its path.

  Figures are embedded; an absent result is named with the command that makes it, and so is each
  `damaged` one.
  """
  path = Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  return files.write(path, html(its, tables, ledger, results, damaged, path.parent).encode())


def first_lines(
  its: study.Study, tables: Tables, ledger: claims_lib.Ledger, damaged: Sequence[str] = ()
) -> list[str]:
  """Returns what is read first: results and seeds that are left out, then the summary.

  A fault in the summary costs the summary alone.
  """
  left_out = [f"Left out: {line}" for line in damaged] + ledger_lib.left_out(tables)
  try:
    return [*left_out, *_summary(its, tables, ledger)]
  except Exception as error:
    said = f"The summary could not be made ({type(error).__name__}: {error})."
    cli.say(said, error=True)
    return [*left_out, said, ledger_lib.line(ledger)]


def _summary(its: study.Study, tables: Tables, ledger: claims_lib.Ledger) -> list[str]:
  lines = []
  for name, each in its.slices.items():
    found = datasets(tables, name)
    if each.line and found:
      lines.append(each.line(found))
  return [*lines, ledger_lib.line(ledger)]


def html(
  its: study.Study,
  tables: Tables,
  ledger: claims_lib.Ledger,
  results: claims_lib.Results | None = None,
  damaged: Sequence[str] = (),
  folder: Path | None = None,
) -> str:
  """Returns the page itself; figures that compare runs lie in `folder`/figures."""
  parts = {}
  if its.numbers and results is not None:
    rows = functools.partial(its.numbers, results)
    columns = its.number_columns
    parts["numbers"] = ("Every reported number", lambda tables: _numbers(rows(), columns))
  said = cautions(its, results)
  for name, each in its.slices.items():
    parts[name] = (each.about, functools.partial(question, each, folder, said))
  body = {
    "ledger": ("Ledger of claims", ledger_lib.claims(ledger)),
    **{
      key: (title, ledger_lib.section(title, functools.partial(part, tables)))
      for key, (title, part) in parts.items()
    },
    "provenance": ("Where the numbers come from", ledger_lib.provenance(tables)),
  }
  links = [page.tag("a", title, href=f"#{key}") for key, (title, _) in body.items()]
  lines = [page.tag("li", line) for line in first_lines(its, tables, ledger, damaged)]
  runs = ", ".join(tables) or "none"
  return page.page(
    its.title,
    page.tag("h1", its.title),
    page.tag("p", f"{' '.join(its.about.split())} Runs on this page: {runs}.", class_="lead"),
    page.tag("ol", *lines, class_="summary"),
    page.tag("nav", *links, aria_label="contents"),
    *(page.section(key, *titled) for key, titled in body.items()),
  )


def datasets(tables: Tables, name: str) -> dict[str, xr.Dataset]:
  """Returns `{run: Dataset}` of a slice, of those runs that have it."""
  return {run: table[name].result for run, table in tables.items() if name in table}


def cautions(its: study.Study, results: claims_lib.Results | None) -> dict[str, str]:
  """Returns why a network must not be read as it stands, of those runs where there is a reason."""
  if results is None:
    return {}
  found = {run: its.caution(results.cards.get(run, {}), table) for run, table in results.items()}
  return {run: said for run, said in found.items() if said}


def question(
  each: study.Slice, folder: Path | None, cautions: Mapping[str, str], tables: Tables
) -> page.Markup:
  """Returns the section of a slice: its words, figures of all runs, of each, and tables."""
  found = datasets(tables, each.name)
  parts = [
    page.tag("p", " ".join(text.split())) for text in re.split(r"\n\s*\n", each.text) if text
  ]
  if not found:
    return page.join([*parts, ledger_lib.absent(each.name)])
  pages = list(each.figures(found)) if each.figures else []
  for name in pages:
    if name not in found:
      parts += _compared(each, name, found, folder, tables)
  for run, table in tables.items():
    if each.name not in table:
      parts.append(ledger_lib.absent(each.name, run))
      continue
    parts.append(ledger_lib.heading(run, table[each.name]))
    if run in cautions:
      parts.append(page.tag("p", f"The network of {run} predicts nothing: {cautions[run]}."))
    if run in pages:
      parts.append(page.figure(table[each.name].figure_path, f"{run}: {each.about}"))
  made = each.tables(found) if each.tables else []
  return page.join([*parts, *(table.html() for table in made)])


def _compared(each, name, found, folder, tables) -> list[page.Markup]:
  """Returns the figure of a page that compares runs, under a heading."""
  file = study.figure_name(each.name, name)
  (run, *others) = found
  alone = tables[run][each.name].figure_path.with_name(file)
  path = folder / "figures" / file if others and folder else alone
  return [page.tag("h3", name), page.figure(path, f"{name}: {each.about}")]


def _numbers(rows: Sequence[Mapping], columns: Sequence[str]) -> page.Markup:
  """Returns every number of the source beside that here, those that were recomputed first."""
  if not rows:
    return page.tag("p", "No number of the source is beside one of these runs.", class_="none")
  controls = [name for name in columns if name not in numbers_lib.COLUMNS]
  said = (
    "Source is what its text or its files say; recomputed is an independent program's number for"
    " the same network and rows; here is that network's: its published weights, or the same data"
    " and the same start trained again. Median and range are over the networks trained here,"
    " untrained over fresh ones."
  )
  if "drift_low" in controls:
    controls = [name for name in controls if name not in DRIFT]
    said += (
      " Shaken: the range over that network trained again from its start, changed by half a unit"
      " in the last place of a float32; where these differ, no two programs can agree."
    )
  if controls:
    said += " The last columns are medians of runs that differ in one thing."
  known = [row for row in rows if row["recomputed"] == row["recomputed"]]
  rest = [row for row in rows if row["recomputed"] != row["recomputed"]]
  parts = [page.tag("p", said)]
  if known:
    caption = f"{len(known)} numbers that were recomputed."
    parts.append(_number_table(known, caption, controls))
  if rest:
    caption = f"{len(rest)} numbers of the source or of controls alone."
    parts.append(page.details(caption, _number_table(rest, caption, controls)))
  return page.join(parts)


DRIFT = ("drift_low", "drift_high")


def _number_table(rows: Sequence[Mapping], caption: str, controls: Sequence[str]) -> page.Markup:
  shaken = ["shaken"] if DRIFT[0] in rows[0] else []
  first = ["item", "quantity", "source", "recomputed", "here", ""]
  middle = ["median", "range", "untrained"]
  head = [*first, *shaken, *middle, *(name.replace("_", " ") for name in controls), "runs"]
  body = [_number(row, controls) for row in rows]
  return page.table(head, body, caption=caption, text=(0, 1, 2, 5, len(head) - 1))


def _number(row: Mapping, controls: Sequence[str]) -> list:
  quantity = row["quantity"]
  if row["remark"]:
    quantity = page.join([quantity, page.tag("small", row["remark"])])
  kind = {"agrees": "good", "within drift": "good", "differs": "bad"}.get(row["verdict"], "open")
  return [
    row["item"],
    quantity,
    row["source"],
    page.short(row["recomputed"]),
    page.short(row["here"]),
    page.badge(row["verdict"], kind) if row["verdict"] else "",
    *([page.span(row[DRIFT[0]], row[DRIFT[1]])] if DRIFT[0] in row else []),
    page.short(row["median"]),
    page.span(row["minimum"], row["maximum"]),
    page.short(row["untrained"]),
    *(page.short(row[name]) for name in controls),
    row["runs"],
  ]
