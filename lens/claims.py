"""Claims on trial: what a study said, and what the runs here say of it.

A slice puts its claims on trial with `@CLAIMS.add(...)`. Their tests get `Results`: the stored
results of all runs by name, with a card for each run that says what it is.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, get_args

import xarray as xr

# {analysis: {run: directory}}
Unread = Mapping[str, Mapping[str, str]]
Decided = Literal[
  "reproduced", "reproduced, but an artefact", "not reproduced", "needs more compute"
]
Undecided = Literal["not run", "does not apply", "failed"]  # no verdicts: they are counted apart
Status = Literal[Decided, Undecided]
VERDICTS, NO_VERDICT = get_args(Decided), get_args(Undecided)


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
    if self.status not in VERDICTS + NO_VERDICT:
      raise ValueError(f"status={self.status!r} is not one of {', '.join(VERDICTS + NO_VERDICT)}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
  """One published statement and the test that decides it.

  `test(results) -> Verdict` gets `Results`. Whatever it raises is a verdict:
  `Missing` means not run, `Inapplicable` does not apply, everything else that it failed.
  """

  id: str
  statement: str
  source: str
  reported: str
  test: Callable[[Any], Verdict]


class Claims(list[Claim]):
  """The claims of a slice, in the order in which they are written."""

  def add(self, id: str, statement: str, *, reported: str, source: str):
    """Returns a decorator for the test of a claim, `test(results) -> Verdict`."""

    def register(test: Callable[["Results"], Verdict]):
      self.append(Claim(id=id, statement=statement, reported=reported, source=source, test=test))
      return test

    return register


class Results(Mapping[str, Mapping[str, xr.Dataset]]):
  """Stored results, `{run: {slice: Dataset}}`, and the card of every run.

  A card says what a run is: study, kind, data, memory, size, seeds, population, words that the
  study adds, and every field of its config ("model.window"). Tests choose runs by cards:

    results.where(memory="postfix").of("masking")     # {run: Dataset}
    results.alike(but="memory")                       # runs that differ in one thing
  """

  def __init__(
    self,
    tables: Mapping[str, Mapping[str, xr.Dataset]],
    cards: Mapping[str, Mapping[str, Any]] | None = None,
    wanted: str = "",
  ):
    self._tables, self.cards = tables, dict(cards or {})
    self._wanted = wanted  # in words, of which runs these are

  def __getitem__(self, run: str) -> Mapping[str, xr.Dataset]:
    return self._tables[run]

  def __iter__(self) -> Iterator[str]:
    return iter(self._tables)

  def __len__(self) -> int:
    return len(self._tables)

  def where(self, wanted: str = "", **words: Any) -> "Results":
    """Returns the results of those runs whose cards have these words.

    A word may be a function that says whether the card's is one; `wanted` says in words which
    runs these are, for a claim that finds none. "__" stands for a point: `model__window=256`.
    """
    named = {name.replace("__", "."): word for name, word in words.items()}
    fits = lambda card: all(_is(card.get(name), word) for name, word in named.items())
    said = wanted or ", ".join(f"{name} {_word(word)}" for name, word in named.items())
    return self._only([run for run in self if fits(self.cards.get(run, {}))], said)

  def without(self, runs: Iterable[str]) -> "Results":
    """Returns the results of the other runs."""
    left_out = set(runs)
    return self._only([run for run in self if run not in left_out])

  def _only(self, runs: Iterable[str], said: str = "") -> "Results":
    runs = list(runs)
    return Results(
      {run: self._tables[run] for run in runs},
      {run: self.cards.get(run, {}) for run in runs},
      ", ".join(filter(None, [self._wanted, said])),
    )

  def of(self, name: str) -> dict[str, xr.Dataset]:
    """Returns `{run: Dataset}` of a slice; raises `Missing` where no run has it."""
    found = {run: table[name] for run, table in self.items() if name in table}
    if not found:
      of = f"{name} of a run" + (f" ({self._wanted})" if self._wanted else "")
      raise Missing(of, analysis=name, runs=tuple(self))
    return found

  def first(self, name: str) -> xr.Dataset:
    """Returns a slice's result of the first run that has it; raises `Missing` for none."""
    return next(iter(self.of(name).values()))

  def alike(self, *, but: str) -> list[dict[Any, str]]:
    """Returns groups of runs that differ in one word of their cards: `{word: run}`.

    What follows from the word (as the number of parameters) is not compared: fields of the
    config are. Of runs that are equal in everything the last one counts.
    """
    groups: dict[str, dict[Any, str]] = {}
    for run in self:
      card = self.cards[run]
      rest = {name: value for name, value in card.items() if "." in name and name != but}
      if "." not in but:
        rest = {name: value for name, value in rest.items() if name.rpartition(".")[2] != but}
      groups.setdefault(repr(sorted(rest.items(), key=str)), {})[card.get(but)] = run
    return [group for group in groups.values() if len(group) > 1]


def _is(value: Any, word: Any) -> bool:
  return bool(word(value)) if callable(word) else value == word


def _word(word: Any) -> str:
  return "as wanted" if callable(word) else repr(word)


@dataclasses.dataclass(frozen=True)
class Ledger:
  """The verdicts of one study, in the order of its claims."""

  rows: tuple[dict, ...]


def ledger(claims: tuple[Claim, ...], results, unread: Unread | None = None) -> Ledger:
  """Returns every claim with its verdict.

  `results` are those of all runs, `unread` is `{analysis: {run: directory}}` of the
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


def row(rows: Iterable[Mapping], /, **where) -> Mapping:
  """Returns the record that has these values; raises `Inapplicable` for none."""
  for found in rows:
    if all(found[key] == value for key, value in where.items()):
      return found
  words = ", ".join(f"{key} {value}" for key, value in where.items())
  raise Inapplicable(f"a record of {words}")


def verdict(
  holds: bool, because: str, numbers: Mapping[str, Any], *, artefact=False, undecided: str = ""
) -> Verdict:
  """Returns the verdict: an artefact where a control has it as well.

  `undecided` says why nothing can be decided yet: that needs more compute.
  """
  if undecided:
    return Verdict(status="needs more compute", because=f"{undecided} {because}", numbers=numbers)
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
