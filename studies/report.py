"""Results of several runs in one self-contained HTML page."""

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from primelens.studies import cli, report_ledger, study, trial
from primelens.studies import report_page as page
from primelens.tasks import files


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
  its: study.Report,
  tables: Mapping[str, Mapping[str, Stored]],
  ledger: trial.Ledger,
  damaged: Sequence[str] = (),
) -> Path:
  """Writes the page of `{run: {analysis: Stored}}`, replaced at once, and
  returns its path. Figures are embedded; an absent analysis is named with the
  command that makes it, and so is each `damaged` one."""
  path = Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  return files.write(path, html(its, tables, ledger, damaged).encode())


def first_lines(
  its: study.Report, tables, ledger: trial.Ledger, damaged: Sequence[str] = ()
) -> list[str]:
  """Returns what is read first: results and seeds that are left out, then the summary.

  A fault in the summary costs the summary alone.
  """
  left_out = [f"Left out: {line}" for line in damaged] + report_ledger.left_out(tables)
  try:
    return [*left_out, *its.summary(tables, ledger)]
  except Exception as error:
    said = f"The summary could not be made ({type(error).__name__}: {error})."
    cli.say(said, error=True)
    return [*left_out, said, report_ledger.line(ledger)]


def html(
  its: study.Report,
  tables: Mapping[str, Mapping[str, Stored]],
  ledger: trial.Ledger,
  damaged: Sequence[str] = (),
) -> str:
  """Returns the page itself."""
  body = {
    "ledger": ("Ledger of claims", report_ledger.claims(ledger)),
    **{
      key: (title, report_ledger.section(title, functools.partial(part, tables)))
      for key, (title, part) in its.sections.items()
    },
    "provenance": ("Where the numbers come from", report_ledger.provenance(tables)),
  }
  links = [page.tag("a", title, href=f"#{key}") for key, (title, _) in body.items()]
  lines = [page.tag("li", line) for line in first_lines(its, tables, ledger, damaged)]
  runs = ", ".join(tables) or "none"
  return page.page(
    its.title,
    page.tag("h1", its.title),
    page.tag("p", f"{its.about} Runs on this page: {runs}.", class_="lead"),
    page.tag("ol", *lines, class_="summary"),
    page.tag("nav", *links, aria_label="contents"),
    *(page.section(key, *titled) for key, titled in body.items()),
  )
