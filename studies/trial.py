"""Claims on trial: what a study said, and what our runs say of it."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, get_args

Status = Literal[
  "reproduced", "reproduced, but an artefact", "not reproduced", "needs more compute"
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
  """A status, the sentence that justifies it, and the numbers behind it.

  `absent` says that nothing was decided for want of a result.
  """

  status: Status
  because: str
  numbers: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  absent: bool = False

  def __post_init__(self):
    if self.status not in get_args(Status):
      raise ValueError(f"status={self.status!r} is not one of {', '.join(get_args(Status))}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
  """One published statement and the test that decides it.

  `test(results) -> Verdict` gets `{run: {analysis: Result}}`.
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


def ledger(claims: tuple[Claim, ...], results) -> Ledger:
  """Returns every claim with its verdict; an absent run or analysis decides
  nothing, so such a claim needs more compute."""
  rows = []
  for claim in claims:
    verdict = _decide(claim, results)
    rows.append(
      {
        "id": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "reported": claim.reported,
        "status": verdict.status,
        "because": verdict.because,
        "numbers": dict(verdict.numbers),
        "absent": verdict.absent,
      }
    )
  return Ledger(rows=tuple(rows))


class Missing(LookupError):
  """A run or an analysis that a claim's test needs is not there."""


def need(results, analysis: str, accept: Callable[[Mapping], bool], of: str):
  """Returns `{run: result}` of `analysis` over the runs that a claim is about.

  `accept({analysis: Result})` says whether a run is one, `of` in words which
  runs are. Raises `Missing` when there is none.
  """
  found = {
    name: table[analysis] for name, table in results.items() if analysis in table and accept(table)
  }
  if not found:
    raise Missing(f"{analysis} of a run {of}")
  return found


def row(rows: Iterable[Mapping], /, **where) -> Mapping:
  """Returns the record that has these values; `Missing` for none."""
  for found in rows:
    if all(found[key] == value for key, value in where.items()):
      return found
  words = ", ".join(f"{key} {value}" for key, value in where.items())
  raise Missing(f"a record of {words}")


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


def _decide(claim: Claim, results) -> Verdict:
  try:
    return claim.test(results)
  except Missing as missing:
    return Verdict(
      status="needs more compute",
      because=f"The result it needs is not at hand: {missing}.",
      absent=True,
    )


def bounded(row: Mapping[str, Any], key: str) -> str:
  """Returns a number of a record with its interval, "0.700 [0.691, 0.708]"."""
  ends = (row[key], row[f"{key}_low"], row[f"{key}_high"])
  return "{:.3f} [{:.3f}, {:.3f}]".format(*ends)
