"""The text study's part of the report."""

import dataclasses
import functools
import math
import numbers as numbers_lib
from collections.abc import Mapping

from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.lens.legacy import Report
from primelens.studies.text import numbers, report_summary

FEW = 16  # rows of a table that is not folded
CAPTIONS = {
  "answers": "losses over training, skill by part, and the errors.",
  "probes": "what a line reads of the sum, by level and position, from trained"
  " and untrained networks and from the characters alone.",
  "nonlinear_probes": "what probes with hidden layers read, from states and"
  " from what needs no network; and sums of digits.",
  "fourier_probes": "every frequency on fresh pairs beside permuted labels,"
  " removed subspaces, and the published probes beside their nulls.",
  "geometry": "the first principal components of the states, coloured by what"
  " was asked, and how much of a circle is in them.",
  "causal": "what is left of the answer without directions, by the network's own readout.",
  "patching": "states of another prompt put in place, by level and position.",
  "invariance": "the answer under changes that keep the sum, and under matched ones that do not.",
  "heads_text": "what every head attends to, and what it is worth.",
  "scale": "one cell of the grid of sizes.",
}
TITLES = {
  "answers": "Answers",
  "probes": "Linear probes",
  "nonlinear_probes": "Probes with hidden layers",
  "fourier_probes": "Waves of the residue",
  "geometry": "Geometry",
  "causal": "Directions removed",
  "patching": "States exchanged",
  "invariance": "Invariance",
  "heads_text": "Heads",
  "scale": "Sizes",
}


def joined(tables) -> page.Markup:
  """Returns every number of the source beside ours, in one table."""
  plain = report_ledger.results(tables)
  rows = numbers.joined(plain)
  if not rows:
    return report_ledger.absent("answers")
  note = page.tag(
    "p",
    "Source is what its files say; recomputed is an independent program's"
    " number for the same network and rows; ours is that network's, imported."
    " Median and range are over networks trained here, untrained over fresh"
    " ones.",
  )
  head = (
    "item",
    "quantity",
    "source",
    "recomputed",
    "ours",
    "",
    "median",
    "range",
    "untrained",
    "runs",
  )
  known = [row for row in rows if math.isfinite(row["recomputed"])]
  rest = [row for row in rows if not math.isfinite(row["recomputed"])]
  table = lambda rows, caption: page.table(
    head, map(_number, rows), caption=caption, text=(0, 1, 2, 5, 9)
  )
  parts = [note]
  if known:
    parts.append(table(known, f"{len(known)} numbers that were recomputed."))
  if rest:
    caption = f"{len(rest)} numbers of the source or of controls alone."
    parts.append(page.details(caption, table(rest, caption)))
  return page.join(parts)


def _number(row) -> tuple:
  quantity = row["quantity"]
  if row["remark"]:
    quantity = page.join([quantity, page.tag("small", row["remark"])])
  kind = {"agrees": "good", "differs": "bad"}.get(row["verdict"], "open")
  badge = page.badge(row["verdict"], kind) if row["verdict"] else ""
  return (
    row["item"],
    quantity,
    row["source"],
    page.short(row["recomputed"]),
    page.short(row["ours"]),
    badge,
    page.short(row["median"]),
    page.span(row["minimum"], row["maximum"]),
    page.short(row["untrained"]),
    row["runs"],
  )


def records(result) -> page.Markup:
  """Returns a table for every kind of record that a result has, but for those
  of the joined numbers; long ones are folded."""
  parts = []
  for field in dataclasses.fields(result):
    rows = getattr(result, field.name)
    if field.name == "table" or not (isinstance(rows, tuple) and rows):
      continue
    if not isinstance(rows[0], Mapping):
      continue
    columns = list(rows[0])
    words = [i for i, c in enumerate(columns) if isinstance(rows[0][c], str)]
    body = [[_cell(row.get(column)) for column in columns] for row in rows]
    title = f"{field.name.replace('_', ' ').capitalize()} ({len(rows)})"
    head = [column.replace("_", " ") for column in columns]
    table = page.table(head, body, caption=title, text=words)
    parts.append(table if len(rows) <= FEW else page.details(title, table))
  return page.join(parts)


def _cell(value) -> str:
  if isinstance(value, bool) or value is None:
    return {True: "yes", False: "no", None: "–"}[value]
  if isinstance(value, numbers_lib.Real):
    return page.short(value)
  return str(value)


def analysis(name: str, tables: Mapping) -> page.Markup:
  """Returns figure and tables of one analysis, of every run that has it."""
  having = {run: table for run, table in tables.items() if name in table}
  if not having:
    return report_ledger.absent(name)
  return report_ledger.each(having, name, CAPTIONS[name], records)


REPORT = Report(
  title="Transformers that read sums, on trial",
  about="Small encoders were trained to answer sums written out in characters,"
  " as a number, modulo 97, or as right or wrong, and probes, removed"
  " directions and attention were taken for the algorithm inside. This page"
  " repeats those readings on the published network and on networks trained"
  " here, with held-out pairs, untrained networks, permuted labels and the"
  " network's own readout beside them. Item numbers are sections of the"
  " arithmetic spec.",
  sections={
    "numbers": ("Every reported number", joined),
    **{name: (title, functools.partial(analysis, name)) for name, title in TITLES.items()},
  },
  summary=report_summary.lines,
)
