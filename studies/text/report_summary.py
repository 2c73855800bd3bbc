"""The five lines: who answers, which numbers agree, what remains."""

import collections
from collections.abc import Mapping

from primelens.lens import claims as trial
from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.text import numbers


def lines(tables: Mapping, ledger: trial.Ledger) -> list[str]:
  """Returns the summary of `{run: {analysis: Stored}}`, always five lines."""
  plain = report_ledger.results(tables)
  return [
    _by_run(plain, "Skill on fresh pairs", "answers", _skill),
    _by_run(plain, "Answers on fresh pairs", "answers", _measures),
    _numbers(plain),
    _read(plain),
    report_ledger.line(ledger),
  ]


def _by_run(plain, title: str, name: str, say) -> str:
  found = {run: table[name] for run, table in plain.items() if name in table}
  if not found:
    return f"{title}: not run: analyze.py --only={name}."
  said = [f"{run} {say(result)}" for run, result in found.items()]
  return f"{title}: {'; '.join(said)}."


def _skill(result) -> str:
  row = next(row for row in result.skills if row["part"] == "fresh")
  ends = page.span(row["skill_low"], row["skill_high"])
  return f"{page.short(row['skill'])} ({ends}; {row['seeds']} seeds)"


def _measures(result) -> str:
  value = {row["measure"]: row["median"] for row in result.measures if row["part"] == "fresh"}
  if not result.regression:
    return f"accuracy {page.short(value['accuracy'])}"
  exact = 100 * value["exact"]
  return f"root of squared error {page.short(value['rmse'])}, {exact:.1f} % exact"


def _numbers(plain) -> str:
  counted = collections.Counter(row["verdict"] for row in numbers.joined(plain))
  said = [
    f"{counted[name]} {name}" for name in ("agrees", "differs", "not portable") if counted[name]
  ]
  return f"Recomputed numbers beside ours: {', '.join(said) or 'none'}."


def _read(plain) -> str:
  names = sorted({name for table in plain.values() for name in table})
  return f"Analyses at hand: {', '.join(names) or 'none'}."
