"""The lines: who is behind which anchor, what remains of the claims."""

from collections.abc import Mapping

from primelens.lens import claims as trial
from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.zeros import published, reads_ahead, report_losses


def lines(tables: Mapping, ledger: trial.Ledger) -> list[str]:
  """Returns the summary of `{run: {analysis: Stored}}`."""
  return [
    _published(),
    _joined("Our models", tables, "anchors", _anchors),
    report_ledger.line(ledger),
  ]


def _three(value: float) -> str:
  return page.number(float(value), digits=3, signed=True)


def _published() -> str:
  e4, ar = published.E4, published.AR24
  e0, adaptive = published.E0, published.ADAPTIVE_128
  return (
    f"Published: POSTFIX E4 ({e4['parameters']:,} parameters) at"
    f" {_three(e4['nll_nats'])} nats per spacing is behind a linear filter of"
    f" {ar['parameters']} coefficients ({_three(ar['nll_nats'])}); E0 at"
    f" {_three(e0['nll_nats'])} is behind an adaptive filter of"
    f" {adaptive['parameters']} ({_three(adaptive['nll_nats'])})."
  )


def _joined(title: str, tables, analysis: str, line) -> str:
  """Returns one line over all runs; the absent ones say so."""
  missing = f"not run: analyze.py --only={analysis}"
  parts = [
    f"{run}: {line(table[analysis].result)}" if analysis in table else f"{run}: {missing}"
    for run, table in tables.items()
  ]
  return f"{title}: {'; '.join(parts) or missing}."


def _anchors(result) -> str:
  model, *rows = sorted(result.table, key=lambda row: (row is not result.table[0], row["nll_nats"]))
  behind = [row for row in rows if report_losses.standing(row) == "behind"]
  ahead = [row for row in rows if report_losses.standing(row) == "ahead"]
  name = lambda row: f"{row['name']} ({_three(row['nll_nats'])})"
  said = [
    f"{_three(model['nll_nats'])}"
    f" {page.interval(model['low'], model['high'], digits=3)} nats"
    f" ({report_losses.seeds(result)}) with {model['parameters']:,} parameters"
  ]
  caution = reads_ahead.caution(result)
  if caution:
    return ", ".join([*said, f"no prediction, as {caution}"])
  if ahead:
    said.append(f"ahead of {name(ahead[0])}")
  if behind:
    said.append(f"behind {name(behind[-1])}")
  return ", ".join(said)
