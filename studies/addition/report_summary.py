"""The five lines: who generalises, which numbers agree, what remains."""

import collections
from collections.abc import Mapping

import numpy as np
from primelens.lens import claims as trial
from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.addition import evidence, numbers
from primelens.studies.addition import tables as tables_lib


def lines(tables: Mapping, ledger: trial.Ledger) -> list[str]:
  """Returns the summary of `{run: {analysis: Stored}}`, always five lines."""
  plain = report_ledger.results(tables)
  return [
    _by_run(plain, "Generalisation", _members),
    _by_run(plain, "Test loss below a guess for good, median step (range)", _delay),
    _numbers(plain),
    _mechanism(plain),
    report_ledger.line(ledger),
  ]


def _progress(plain) -> dict:
  return {run: table["progress"] for run, table in plain.items() if "progress" in table}


def _by_run(plain, title: str, say) -> str:
  """Returns a line: what is said of every run with `progress`."""
  found = _progress(plain)
  if not found:
    return f"{title}: not run: analyze.py --only=progress."
  said = [f"{run} {say(result)}" for run, result in found.items()]
  return f"{title}: {'; '.join(said)}."


def _members(result) -> str:
  all_S = evidence.generalises(result)
  median = np.median(evidence.curve(result, "test/accuracy")[:, -1])
  return (
    f"({result.population}) {int(all_S.sum())} of {len(all_S)} members get all"
    f" test pairs right, median test accuracy {median:.3f}"
  )


def _delay(result) -> str:
  row = {row["boundary"]: row for row in result.phases}["formed"]
  if not row["reached"]:
    return "never"
  return (
    f"{page.short(row['median'])}"
    f" ({page.span(row['minimum'], row['maximum'])};"
    f" {row['reached']} of {row['members']} members)"
  )


def _numbers(plain) -> str:
  rows = numbers.joined(plain)
  counted = collections.Counter(row["verdict"] for row in rows)
  said = [
    f"{counted[name]} {name}"
    for name in ("agrees", "within drift", "not portable", "differs")
    if counted[name]
  ]
  return f"Recomputed numbers beside ours: {', '.join(said) or 'none'}."


def _mechanism(plain) -> str:
  said = []
  for run, result in _progress(plain).items():
    if not tables_lib.is_setting(result.population):
      continue
    said.append(f"{run}: {_waves(result) if result.modular else _plain(result)}")
  return f"Mechanism: {'; '.join(said) or 'no run of the published setting'}."


def _plain(result) -> str:
  last = lambda name: np.median(evidence.curve(result, name)[:, -1])
  return (
    f"z is {last('pre_additive_r2'):.3f} additive in a and b, with frozen"
    f" attention wholly so, and accuracy falls to {last('frozen_accuracy'):.2f}"
  )


def _waves(result) -> str:
  keys = [", ".join(map(str, np.flatnonzero(key_Q))) for key_Q in result.key_SxQ[:3]]
  lead = {row["boundary"]: row for row in result.phases}["lead_heldout"]
  return (
    f"key frequencies {' / '.join(keys)}; the held-out restricted loss gets"
    f" below half a guess {page.short(lead['median'])} steps before"
    " the test loss"
  )
