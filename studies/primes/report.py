"""The primes study's part of the report."""

import functools
import math
import pathlib
import statistics
import tempfile
from collections.abc import Mapping

from primelens.lens import figures, page
from primelens.lens import ledger as report_ledger
from primelens.lens.legacy import Report
from primelens.studies import report_spectra
from primelens.studies.primes import evidence, numbers, report_summary

CAPTIONS = {
  "memory": "what networks answer, beside constants and neighbours; errors of"
  " trained and of left-out gaps.",
  "spectra": "singular values at the start and at the end, every matrix beside"
  " noise of its shape and scale, and the way there.",
}
TITLES = {"memory": "What is remembered", "spectra": "Spectra of the weights"}
SETTING = (
  "sequence",
  "primes",
  "embedding",
  "embedding_std",
  "order",
  "held_out",
  "context",
  "flows",
  "kernel",
  "batch_size",
  "accumulation",
  "seeds",
)
ERRORS = ("mae", "mae_low", "mae_high", "z_mse", "z_mse_low", "z_mse_high")


def joined(tables: Mapping) -> page.Markup:
  """Returns the published table beside ours."""
  rows = numbers.joined(report_ledger.results(tables))
  note = page.tag(
    "p",
    "Each number as a share of its null, since sizes differ: a rank, ratio or"
    " cluster over that of noise of its shape, an error over the better"
    " constant's. Exact gradients of queries and keys are 0 with one token;"
    " mismatched are those of a backward pass that does not fit its forward"
    " pass, from 2^13 gaps. The last rows are those of the spec's own networks"
    " with such a kernel (6.2), as they are.",
  )
  head = (
    "model",
    "quantity",
    "published",
    "as a share",
    "ours, exact",
    "range",
    "ours, mismatched",
    "runs",
  )
  body = [
    (
      row["model"],
      row["quantity"],
      page.short(row["published"]),
      page.short(row["published_share"]),
      page.short(row["share"]),
      page.span(row["minimum"], row["maximum"]),
      page.short(row["mismatched_share"]),
      row["runs"],
    )
    for row in rows
  ]
  caption = "The published table (spec 5) beside ours."
  table = page.table(head, body, caption=caption, text=(0, 1, 7))
  return page.join([note, table])


def settings(tables: Mapping) -> page.Markup:
  """Returns what every run is and how far its answers are off."""
  body = []
  for name, table in report_ledger.results(tables).items():
    if "memory" not in table:
      continue
    setting = table["memory"].setting[0]
    body.append((name, *(report_spectra.cell(setting[key]) for key in SETTING)))
  if not body:
    return report_ledger.absent("memory")
  head = ("run", *(key.replace("_", " ") for key in SETTING))
  listed = page.table(head, body, caption="The runs.", text=(0, 1, 3, 5, 6))
  return page.join([_overview(tables), listed])


def _overview(tables: Mapping) -> page.Markup:
  """Returns the figure of all runs in rows."""
  from primelens.studies.primes import plots_memory

  records = overview(report_ledger.results(tables))
  with tempfile.TemporaryDirectory() as folder:
    drawn = plots_memory.overview(records)
    path = figures.save(drawn, pathlib.Path(folder) / "runs.png")
    return page.figure(path, "every run: what it remembers, and its spectra.")


def overview(results) -> list[dict]:
  """Returns a record per run of `{run: {analysis: Result}}`; NaN: unknown."""
  records = []
  for run, table in results.items():
    if "memory" not in table:
      continue
    memory = table["memory"]
    own = evidence.error(memory, "last trained", "network")
    record = {"run": run, "query": math.nan, "live": math.nan}
    null = evidence.constant(memory, "last trained")
    record["error"] = own / null if null else math.nan  # a constant sequence
    record["held"] = evidence.held_out(memory)
    if "spectra" in table:
      record |= _ranks(table["spectra"])
    records.append(record)
  return records


def _ranks(spectra) -> dict[str, float]:
  """Returns the first query matrix's rank over noise, and the least one of
  the matrices in the blocks that matter."""
  share = lambda row: row["effective_rank"] / row["effective_rank_null"]
  first = evidence.records(spectra, matrix="query/0")
  live = [r for r in evidence.records(spectra, live=True) if r["layer"] >= 0]
  return {"query": statistics.median(map(share, first)), "live": min(map(share, live))}


def _memory(result) -> page.Markup:
  """Returns every predictor's errors, part by part."""
  body = [
    (
      row["part"],
      row["predictor"],
      row["rows"],
      page.short(row["mae"]),
      page.span(row["mae_low"], row["mae_high"]),
      page.short(row["z_mse"]),
      page.span(row["z_mse_low"], row["z_mse_high"]),
    )
    for row in result.errors
  ]
  head = ("part", "answers", "rows", "absolute error", "", "z-scores squared", "")
  table = page.table(head, body, caption="Errors.", text=(0, 1))
  return page.details(f"Errors ({len(body)})", table)


def analysis(name: str, tables: Mapping) -> page.Markup:
  """Returns figure and tables of one analysis, of every run that has it."""
  having = {run: table for run, table in tables.items() if name in table}
  if not having:
    return report_ledger.absent(name)
  rows = {"memory": _memory, "spectra": report_spectra.matrices}[name]
  return report_ledger.each(having, name, CAPTIONS[name], rows)


REPORT = Report(
  title="Networks that remember prime gaps, on trial",
  about="A small transformer was given the number of a prime gap as its one"
  " token, and the spectrum of one of its weight matrices was taken for what"
  " it learned of the primes. This page repeats the training at CPU size, with"
  " several members, beside shuffled, random and chaotic sequences and gaps"
  " left out, and reads every matrix beside noise of its shape and scale, its"
  " own start, and a kernel with the mismatch that makes the published"
  " fingerprint. Item numbers are sections of the primes spec.",
  sections={
    "numbers": ("The published table", joined),
    "settings": ("The runs", settings),
    **{name: (title, functools.partial(analysis, name)) for name, title in TITLES.items()},
  },
  summary=report_summary.lines,
)
