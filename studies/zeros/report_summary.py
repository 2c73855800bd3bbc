"""The lines: who is behind which anchor, what remains of the claims."""

from collections.abc import Mapping

from primelens.lens import claims as trial
from primelens.lens import ledger as report_ledger


def lines(tables: Mapping, ledger: trial.Ledger) -> list[str]:
  """Returns the summary of `{run: {analysis: Stored}}`."""
  return [
    report_ledger.line(ledger),
  ]
