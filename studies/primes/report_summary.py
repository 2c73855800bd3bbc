"""The five lines: what is remembered, what is not, what moved."""

import math
from collections.abc import Mapping

from primelens.lens import claims as trial
from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.primes import evidence

NEAR = 0.1  # of the ratio of noise


def lines(tables: Mapping, ledger: trial.Ledger) -> list[str]:
  """Returns the summary of `{run: {analysis: Stored}}`, always five lines."""
  plain = report_ledger.results(tables)
  return [
    _by_run(plain, "Error of the last trained gaps", "memory", _trained),
    _by_run(plain, "Squared error of gaps left out", "memory", _held),
    _by_run(plain, "Largest over mean, where not as noise", "spectra", _ratio),
    f"Runs at hand: {', '.join(plain) or 'none'}.",
    report_ledger.line(ledger),
  ]


def _by_run(plain, title: str, name: str, say) -> str:
  """Returns a line of what `say(result)` says of every run, "" left out."""
  found = {run: table[name] for run, table in plain.items() if name in table}
  if not found:
    return f"{title}: not run: analyze.py --only={name}."
  words = {run: say(result) for run, result in found.items()}
  said = [f"{run} {word}" for run, word in words.items() if word]
  return f"{title}: {'; '.join(said) or 'none'}."


def _trained(found) -> str:
  own = evidence.error(found, "last trained", "network")
  constant = evidence.constant(found, "last trained")
  return f"{page.short(own)} of {page.short(constant)}"


def _held(found) -> str:
  own = evidence.held_out(found)
  return page.short(own) if math.isfinite(own) else ""


def _ratio(found) -> str:
  own = evidence.published(found, "max_to_mean")
  null = evidence.noise(found, "max_to_mean")
  if abs(own / null - 1) < NEAR:
    return ""
  return f"{page.short(own)} (noise {page.short(null)})"
