"""The addition study's part of the report."""

import functools
import math
from collections.abc import Mapping

from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.lens.legacy import Report
from primelens.studies.addition import numbers, report_summary, report_tables

VERDICTS = {"agrees": "good", "within drift": "good", "not portable": "open", "differs": "bad"}
CAPTIONS = {
  "embedding": "the digits' vectors: components, their plane, and the plane over training.",
  "progress": "losses and measures of the mechanism at every snapshot; thin:"
  " members, thick: their median, dashed: phases.",
  "probe": "a linear probe of the sum beside its controls.",
  "neurons": "neurons sorted by their correlation with the sum, their copies,"
  " and what is left of them with PC1 alone.",
  "subspace": "what is left without parts of the digits' vectors.",
  "polynomial": "fits of activations and logits, what they are worth, and the"
  " logits they simulate.",
  "readout": "what neurons write to the logits, by frequency and component.",
  "attention": "patterns of attention, and the network with frozen ones.",
  "fourier": "frequencies of embedding, neurons and logits; the products that"
  " neurons are made of, singular vectors, and what the readout reads.",
}
TITLES = {
  "progress": "Over training",
  "embedding": "The digits' vectors",
  "probe": "A linear probe",
  "neurons": "Single neurons",
  "subspace": "Without components, without the direct path",
  "polynomial": "Polynomial fits",
  "readout": "The readout",
  "attention": "Attention",
  "fourier": "Frequencies (modular addition)",
}


def joined(tables) -> page.Markup:
  """Returns every number of the source beside ours, in one table."""
  plain = report_ledger.results(tables)
  rows = numbers.joined(plain)
  if not rows:
    return report_ledger.absent("embedding")
  note = page.tag(
    "p",
    "The source stored no outputs, so its number is what its text says;"
    " recomputed is an independent program's for the same network. Ours is"
    " that network trained here; the twins are that network again, its start"
    " shaken by half a unit in the last place of a float32: where they differ,"
    " no two programs can agree. Median and range are over splits and starts,"
    " untrained over the same starts; the last columns are medians of runs"
    " with permuted labels, without weight decay, and with unordered pairs"
    " split.",
  )
  head = (
    "item",
    "quantity",
    "source",
    "recomputed",
    "ours",
    "",
    "twins",
    "median",
    "range",
    "untrained",
    *numbers.CONTROLS,
  )
  known = [row for row in rows if math.isfinite(row["recomputed"])]
  rest = [row for row in rows if not math.isfinite(row["recomputed"])]
  table = lambda rows, caption: page.table(
    head, map(_number, rows), caption=caption, text=(0, 1, 2, 5)
  )
  parts = [note]
  if known:
    parts.append(table(known, f"{len(known)} numbers that were recomputed."))
  if rest:
    caption = f"{len(rest)} numbers of the source or of controls alone."
    parts.append(page.details(caption, table(rest, caption)))
  return page.join(parts)


def _number(row) -> tuple:
  short = page.short
  quantity = row["quantity"]
  if row["remark"]:
    quantity = page.join([quantity, page.tag("small", row["remark"])])
  badge = page.badge(row["verdict"], VERDICTS.get(row["verdict"], "open"))
  return (
    row["item"],
    quantity,
    row["source"],
    short(row["recomputed"]),
    short(row["ours"]),
    badge if row["verdict"] else "",
    page.span(row["drift_low"], row["drift_high"]),
    short(row["median"]),
    page.span(row["minimum"], row["maximum"]),
    short(row["untrained"]),
    *(short(row[name]) for name in numbers.CONTROLS),
  )


def analysis(name: str, tables: Mapping) -> page.Markup:
  """Returns figure and tables of one analysis, of every run that has it.

  Runs that differ from the source's setting show the figure of `progress`
  alone: their numbers stand in the table above.
  """
  having = {run: table for run, table in tables.items() if name in table}
  main = {
    run: table
    for run, table in having.items()
    if name == "progress" or report_tables.is_main(table[name].result)
  }
  shown = main or having
  if not shown:
    return report_ledger.absent(name)
  body = functools.partial(report_tables.of, name)
  return report_ledger.each(shown, name, CAPTIONS[name], body)


REPORT = Report(
  title="One-layer transformers that add, on trial",
  about="One-layer transformers without norms or biases were trained on all"
  " sums of two digits, plain or modular, and the algorithm they had found was"
  " read out of their weights. This page repeats those readings on networks"
  " trained here, over seeds and training checkpoints, puts controls beside"
  " every number, and says of every claim what remains. Item numbers (A17,"
  " B24) are those of the addition spec.",
  sections={
    "numbers": ("Every reported number", joined),
    **{name: (title, functools.partial(analysis, name)) for name, title in TITLES.items()},
  },
  summary=report_summary.lines,
)
