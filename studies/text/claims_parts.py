"""What the trial's tests share: whose results, which record, in words."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from primelens.studies import trial
from primelens.studies.trial import Claim
from primelens.studies.trial import Verdict

REPOSITORY = "liuzhimei/symmetry_circuit at 25883a5"
SEEDS = 5  # members that decide a claim about the published setting


def of(results, analysis: str, question: str):
  """Returns an analysis of the population trained as published.

  The published prompts and size, `question` and at least SEEDS members. Raises
  `trial.Missing` where there is no such run.
  """
  accept = lambda table: (
    "answers" in table
    and table["answers"].question == question
    and bool(table["answers"].table)  # numbers of the source to compare
    and table["answers"].answer_SxN.shape[0] >= SEEDS
  )
  wanted = f"of {question!r} with {SEEDS} members"
  return next(iter(trial.need(results, analysis, accept, wanted).values()))


def row(rows: Iterable[Mapping], /, **where) -> Mapping:
  """Returns the record that has these values; `trial.Missing` for none."""
  for found in rows:
    if all(found[key] == value for key, value in where.items()):
      return found
  words = ", ".join(f"{key} {value}" for key, value in where.items())
  raise trial.Missing(f"a record of {words}")


def cells(results) -> list[Mapping]:
  """Returns the records of all sizes that are at hand."""
  return [
    found
    for table in results.values()
    if "scale" in table
    for found in table["scale"].cell
  ]


def interval(found: Mapping) -> str:
  """Returns a record's mean over members with its interval."""
  ends = (found["mean"], found["mean_low"], found["mean_high"])
  return "{:.3f} [{:.3f}, {:.3f}]".format(*ends)


def verdict(
  holds: bool, because: str, numbers: Mapping[str, Any], *, artefact=False
) -> Verdict:
  """Returns the verdict: an artefact where a control has it as well."""
  status: trial.Status = "not reproduced"
  if holds:
    status = "reproduced, but an artefact" if artefact else "reproduced"
  return Verdict(status=status, because=because, numbers=numbers)


def named(
  id: str, item: str, statement: str, reported: str, test: Callable
) -> Claim:
  """Returns a claim of the source; `item` are sections of the arithmetic
  spec."""
  source = f"{REPOSITORY} ({item})"
  return Claim(
    id=id, source=source, statement=statement, reported=reported, test=test
  )
