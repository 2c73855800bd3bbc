"""Claims on trial: what a study said, and what our runs say of it."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, get_args

# {analysis: {run: directory}}
Unread = Mapping[str, Mapping[str, str]]
Status = Literal[
  "reproduced",
  "reproduced, but an artefact",
  "not reproduced",
  "needs more compute",
  # No verdicts: nothing was decided, and the ledger counts them apart.
  "not run",
  "does not apply",
  "failed",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
  """A status, the sentence that justifies it, and the numbers behind it.

  `command` makes what a claim that was not run needs.
  """

  status: Status
  because: str
  numbers: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  command: str = ""

  def __post_init__(self):
    if self.status not in get_args(Status):
      raise ValueError(f"status={self.status!r} is not one of {', '.join(get_args(Status))}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
  """One published statement and the test that decides it.

  `test(results) -> Verdict` gets `{run: {analysis: Result}}`. Whatever it raises is a verdict:
  `Missing` means not run, `Inapplicable` does not apply, everything else that it failed.
  """

  id: str
  statement: str
  source: str
  reported: str
  test: Callable[[Mapping[str, Mapping[str, Any]]], Verdict]


@dataclasses.dataclass(frozen=True)
class Ledger:
  """The verdicts of one study, in the order of its claims."""

  rows: tuple[dict, ...]


def ledger(claims: tuple[Claim, ...], results, unread: Unread | None = None) -> Ledger:
  """Returns every claim with its verdict.

  `results` is `{run: {analysis: Result}}`, `unread` is `{analysis: {run: directory}}` of the
  analyses that could be run and were not: the commands name these directories.
  """
  rows = []
  for claim in claims:
    verdict = _decide(claim, results, unread or {})
    rows.append(
      {
        "id": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "reported": claim.reported,
        "status": verdict.status,
        "because": verdict.because,
        "numbers": dict(verdict.numbers),
        "command": verdict.command,
      }
    )
  return Ledger(rows=tuple(rows))


class Missing(LookupError):
  """A result that a claim's test needs is not there.

  `analysis` makes it; `runs` are those at hand that it could be made of.
  """

  def __init__(self, what: str, *, analysis: str = "", runs: tuple[str, ...] = ()):
    super().__init__(what)
    self.analysis, self.runs = analysis, runs


class Inapplicable(Missing):
  """A run is read, and what a claim speaks of is not in it."""


def need(results, analysis: str, accept: Callable[[Mapping], bool], of: str):
  """Returns `{run: result}` of `analysis` over the runs that a claim is about.

  `accept({analysis: Result})` says whether a run is one, `of` in words which
  runs are. Raises `Missing` when there is none.
  """
  found = {
    name: table[analysis] for name, table in results.items() if analysis in table and accept(table)
  }
  if not found:
    runs = tuple(
      name for name, table in results.items() if analysis not in table and _perhaps(accept, table)
    )
    raise Missing(f"{analysis} of a run {of}", analysis=analysis, runs=runs)
  return found


def _perhaps(accept, table) -> bool:
  """Returns whether a run may be one that a claim is about, as far as can be seen yet."""
  try:
    return accept(table)
  except LookupError:  # only the result that is missing would say
    return True


def row(rows: Iterable[Mapping], /, **where) -> Mapping:
  """Returns the record that has these values; raises `Inapplicable` for none."""
  for found in rows:
    if all(found[key] == value for key, value in where.items()):
      return found
  words = ", ".join(f"{key} {value}" for key, value in where.items())
  raise Inapplicable(f"a record of {words}")


def interval(found: Mapping) -> str:
  """Returns a record's mean over members with its interval."""
  ends = (found["mean"], found["mean_low"], found["mean_high"])
  return "{:.3f} [{:.3f}, {:.3f}]".format(*ends)


def verdict(holds: bool, because: str, numbers: Mapping[str, Any], *, artefact=False) -> Verdict:
  """Returns the verdict: an artefact where a control has it as well."""
  status: Status = "not reproduced"
  if holds:
    status = "reproduced, but an artefact" if artefact else "reproduced"
  return Verdict(status=status, because=because, numbers=numbers)


def _decide(claim: Claim, results, unread: Unread) -> Verdict:
  try:
    return claim.test(results)
  except Inapplicable as missing:
    return Verdict(status="does not apply", because=f"The runs at hand lack {missing}.")
  except Missing as missing:
    return _not_run(missing, unread)
  except Exception as error:  # one claim's fault must not cost the others
    return Verdict(
      status="failed",
      because=f"Its test ended in {type(error).__name__}: {error}. This is a fault of primelens.",
    )


def _not_run(missing: Missing, unread: Unread) -> Verdict:
  could = unread.get(missing.analysis, {})
  folders = [could[run] for run in missing.runs if run in could]
  because, command = f"It needs {missing}.", ""
  if missing.analysis:
    command = f"analyze.py --workdir={','.join(folders) or 'RUN'} --only={missing.analysis}"
    because += "" if folders else " No run at hand is one: train it first."
  return Verdict(status="not run", because=because, command=command)


def bounded(row: Mapping[str, Any], key: str) -> str:
  """Returns a number of a record with its interval, "0.700 [0.691, 0.708]"."""
  ends = (row[key], row[f"{key}_low"], row[f"{key}_high"])
  return "{:.3f} [{:.3f}, {:.3f}]".format(*ends)
