"""What the trial's tests share: whose results, which record, in words."""

from collections.abc import Callable

from primelens.lens import claims as trial
from primelens.lens.claims import Claim

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


def named(id: str, item: str, statement: str, reported: str, test: Callable) -> Claim:
  """Returns a claim of the source; `item` are sections of the arithmetic
  spec."""
  source = f"{REPOSITORY} ({item})"
  return Claim(id=id, source=source, statement=statement, reported=reported, test=test)
