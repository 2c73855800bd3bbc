"""The five lines: who is behind which anchor, what remains of the claims."""

import math
from collections.abc import Mapping

from primelens.lens import claims as trial
from primelens.lens import ledger as report_ledger


def lines(tables: Mapping, ledger: trial.Ledger) -> list[str]:
  """Returns the summary of `{run: {analysis: Stored}}`."""
  return [
    _constant(tables),
    report_ledger.line(ledger),
  ]


def three_lags(result) -> dict[str, dict]:
  """Returns the records of c / (s1 + s2 + s3) by target."""
  return {row["target"]: row for row in result.closed if row["family"] == "c / sum of 3 lags"}


def _constant(tables) -> str:
  """Returns c of three lags: every model's, and the nulls of the first run."""
  found = {
    run: three_lags(table["formula"].result) for run, table in tables.items() if "formula" in table
  }
  if not any(found.values()):
    return "pi: not run: analyze.py --only=formula."
  said = [f"{run} {_c(rows['model'])}" for run, rows in found.items()]
  first = next(iter(found.values()))
  said += [f"{name} {_c(first[name])}" for name in ("truth", "CUE", "shuffled") if name in first]
  return f"pi: c of c / (s1 + s2 + s3), least squares, is {', '.join(said)}; pi is {math.pi:.3f}."


def _c(row) -> str:
  return f"{row['c']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
