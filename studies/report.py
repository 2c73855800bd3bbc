"""Results of several runs in one self-contained HTML page."""

from collections.abc import Mapping
import dataclasses
import os
from pathlib import Path
from typing import Any

from primelens.studies import report_ledger
from primelens.studies import report_losses
from primelens.studies import report_page as page
from primelens.studies import report_readings
from primelens.studies import report_summary
from primelens.studies import trial
from primelens.studies.zeros import published

TITLE = "Transformers on the zeros of zeta, on trial"
SECTIONS = {
  "ledger": "Ledger of claims",
  "losses": "Models and anchors",
  "comparison": "All models in one table",
  "masking": "Removing weights",
  "heads": "Removing attention heads",
  "formula": "Short formulas",
  "linear": "The linear operator",
  "provenance": "Where the numbers come from",
}

summary = report_summary.lines


@dataclasses.dataclass(frozen=True)
class Stored:
  """A result as it lies in a run directory; `stale` when its checkpoint or
  code is not the run's latest."""

  result: Any
  provenance: Mapping[str, Any]
  stale: bool
  figure_path: Path


def write(
  path: str | os.PathLike,
  tables: Mapping[str, Mapping[str, Stored]],
  ledger: trial.Ledger,
) -> Path:
  """Writes the page of `{run: {analysis: Stored}}`, replaced at once, and
  returns its path. Figures are embedded; an absent analysis is named with the
  command that makes it."""
  path = Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
  try:
    temporary.write_text(html(tables, ledger), encoding="utf-8")
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)
  return path


def html(
  tables: Mapping[str, Mapping[str, Stored]], ledger: trial.Ledger
) -> str:
  """Returns the page itself."""
  body = {
    "ledger": report_ledger.claims(ledger),
    "losses": report_losses.runs(tables),
    "comparison": report_losses.comparison(tables),
    "masking": report_readings.masking(tables),
    "heads": report_readings.heads(tables),
    "formula": report_readings.formula(tables),
    "linear": report_readings.linear(tables),
    "provenance": report_ledger.provenance(tables),
  }
  links = [
    page.tag("a", title, href=f"#{key}") for key, title in SECTIONS.items()
  ]
  lines = [page.tag("li", line) for line in summary(tables, ledger)]
  return page.page(
    TITLE,
    page.tag("h1", TITLE),
    _introduction(tables),
    page.tag("ol", *lines, class_="summary"),
    page.tag("nav", *links, aria_label="contents"),
    *(page.section(key, SECTIONS[key], part) for key, part in body.items()),
  )


def _introduction(tables) -> page.Markup:
  runs = ", ".join(tables) or "none"
  return page.tag(
    "p",
    "Small transformers were trained to predict the spacings between zeros of"
    " the Riemann zeta function, and what they had learned was read out of"
    f" their weights, in {published.STUDY}. This page repeats those readings on"
    " networks trained here, puts every network beside linear filters and"
    " null models on the same spacings, and says of every claim what remains."
    " Losses are negative log-likelihoods (NLL) in nats per spacing, lower is"
    " better, and changes of a loss are in nats. Intervals are 95 %, over seeds"
    f" and blocks of data. Runs on this page: {runs}.",
    class_="lead",
  )
