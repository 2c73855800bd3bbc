"""What bench/results says, as pages: docs/results/<study>.md, and tables in other pages.

README has a table of verdicts, docs/checks.md those of speed and reliability. Pages are functions
of the CSV and JSON files alone: made again of the same files, they are the same. `python
bench/results.py --write` makes them.
"""

import collections
import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from primelens.lens import results
from primelens.lens.claims import NO_VERDICT, VERDICTS

# A table that is made again between these lines, in a page of which the rest is written by hand.
BEGIN = "<!-- {}: made of bench/results by bench/results.py, not by hand -->"
END = "<!-- end of {} -->"
MEANING = """\
*Reproduced*: the claim holds here, and in none of the controls. *Reproduced, but an artefact*: what
was measured is measured here as well, and a control that cannot have what the claim speaks of has
it, too. *Not reproduced*: it does not hold. *Needs more compute*: the networks here are smaller, or
fewer, than the claim needs."""
AGREEMENT = """\
A number *agrees* where that of the source's own network, trained or read here, is within the
tolerance of what an independent program found; it is *within drift* where the source's network,
trained again from starts that differ by rounding, comes out on both sides of it; it is *not
portable* where it is a count or the number of a neuron, which no two programs share."""


class Found(NamedTuple):
  """What bench/results holds of a study; `about` is empty where there is nothing."""

  study: str
  about: Mapping[str, Any]
  claims: list[dict[str, str]]
  numbers: list[dict[str, str]]


def read(folder: Path, study: str) -> Found:
  """Returns what a folder holds of a study."""
  place = folder / f"{study}.json"
  if not place.exists():
    return Found(study, {}, [], [])
  about = json.loads(place.read_text(encoding="utf-8"))
  rows = {name: _rows(folder / f"{study}_{name}.csv") for name in ("claims", "numbers")}
  return Found(study, about, rows["claims"], rows["numbers"])


def _rows(place: Path) -> list[dict[str, str]]:
  if not place.exists():
    return []
  rows = csv.DictReader(io.StringIO(place.read_text(encoding="utf-8")))
  return [{key: _unquoted(text or "") for key, text in row.items()} for row in rows]


def _unquoted(text: str) -> str:
  """Returns the text of a cell that `results.quoted` made."""
  return text[1:] if text.startswith("'") and results.quoted(text[1:]) == text else text


# --- markdown -------------------------------------------------------------------------------------


def cell(text: object) -> str:
  """Returns a text as it is shown in a cell of a table."""
  said = " ".join(str(text).split())
  for sign in ("\\", "|", "*", "<", "`", "["):
    said = said.replace(sign, f"\\{sign}")
  return said


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
  """Returns a table; the cells of `rows` are text of no markup."""
  lines = [list(head), *([cell(each) for each in row] for row in rows)]
  return _lines(lines)


def _lines(lines: list[list[str]]) -> str:
  rule = ["---"] * len(lines[0])
  return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def number(value: object) -> str:
  """Returns a number with four digits, "–" for none, text as it is."""
  try:
    its = float(str(value))
  except ValueError:
    return str(value) or "–"
  if its != its:
    return "–"
  return f"{its:,.0f}" if 1e4 <= abs(its) < 1e9 else f"{its:.4g}"


# --- one study ------------------------------------------------------------------------------------


def page(found: Found) -> str:
  """Returns the page of a study."""
  about = found.about
  parts = [
    f"# `{found.study}`: {about['title']}",
    _made(about),
    "## Verdicts",
    MEANING,
    _tally(found.claims),
    "## Claims with a verdict",
    _decided(found.claims),
    *_undecided(found.claims),
    *_measured(about),
    *_numbers(found.numbers),
    *_runs(about),
    *_words(about),
    "## Files",
    _files(found),
  ]
  return "\n\n".join(parts) + "\n"


def _made(about: Mapping[str, Any]) -> str:
  head = "This page is made by `make results`, of the files named at its end."
  if about.get("words"):
    head += " Its words are explained [below](#words)."
  versions = about["versions"]
  of = ", ".join(f"{name} {versions[name]}" for name in ("python", "jax") if name in versions)
  revision = f"`{shortened(about['revision'])}`"
  seeds = sum(len(run["seeds"]) for run in about["runs"])
  return (
    f"{head}\n\nMade on {about['date']} on {about['device']}, with revision {revision} ({of}): "
    f"{len(about['runs'])} runs, {seeds} networks."
  )


def shortened(revision: str) -> str:
  """Returns the start of a revision, with the mark of changes that were not committed."""
  name, dash, _ = revision.partition("-dirty")
  return name[:12] + (" with changes" if dash else "")


def counted(claims: Iterable[Mapping[str, str]]) -> dict[str, int]:
  """Returns how many claims have each verdict, or none, in the order of the tables."""
  count = collections.Counter(row["status"] for row in claims)
  return {status: count[status] for status in (*VERDICTS, *NO_VERDICT)}


def _tally(claims: list[dict[str, str]]) -> str:
  count = counted(claims)
  shown = [name for name in count if name in VERDICTS or count[name]]
  return table(["verdict", "claims"], [*((n, count[n]) for n in shown), ("all", len(claims))])


def _decided(claims: list[dict[str, str]]) -> str:
  rows = [row for row in claims if row["status"] in VERDICTS]
  rows.sort(key=lambda row: row["status"] == "needs more compute")  # the decided ones come first
  return table(
    ("claim", "reported", "verdict", "because"),
    ((row["statement"], row["reported"], row["status"], row["because"]) for row in rows),
  )


def _undecided(claims: list[dict[str, str]]) -> list[str]:
  rows = [row for row in claims if row["status"] not in VERDICTS]
  if not rows:
    return []
  cells = ((row["statement"], row["reported"], row["status"], row["because"]) for row in rows)
  return ["## Claims without a verdict", table(("claim", "reported", "state", "because"), cells)]


def _measured(about: Mapping[str, Any]) -> list[str]:
  tables = about.get("tables", ())
  parts = ["## What was measured"] if tables else []
  for its in tables:
    link = f"[{its['csv']}](../../bench/results/{its['csv']})"
    if "picture" in its:
      parts.append(f"![{cell(its['alt'])}]({its['picture']})")
    parts += [f"{cell(its['caption'])} All of it: {link}.", table(its["head"], its["rows"])]
  return parts


def _numbers(numbers: list[dict[str, str]]) -> list[str]:
  if not numbers or "verdict" not in numbers[0]:
    return []
  count = collections.Counter(row["verdict"] for row in numbers)
  known = ("agrees", "within drift", "not portable", "differs")
  judged = sum(count[name] for name in known)
  if not judged:
    said = f"None of {len(numbers)} numbers is of the source's own network, so none is judged."
    return ["## Numbers beside the source's", said]
  parts = [
    "## Numbers beside the source's",
    AGREEMENT,
    f"Of {len(numbers)} numbers {judged} can be compared so; the others were not given by the "
    "source, or are of other networks than its own.",
    table(("", "numbers"), ((name, count[name]) for name in known)),
  ]
  differs = [row for row in numbers if row["verdict"] == "differs"]
  if differs:
    head = ("item", "quantity", "source", "recomputed", "here", "median of the runs", "remark")
    keys = ("source", "recomputed", "here", "median")
    cells = (
      (row["item"], row["quantity"], *(number(row[key]) for key in keys), row.get("remark", ""))
      for row in differs
    )
    parts += ["Those that differ:", table(head, cells)]
  return parts


def _runs(about: Mapping[str, Any]) -> list[str]:
  parts = []
  if about["runs"]:
    head = ("run", "config", "seeds", "steps", "minutes", "code that trained", "code that read")
    cells = (
      (
        run["run"],
        run["config"],
        ranges(run["seeds"]),
        run["step"],
        run["minutes"] or "–",
        shortened(run["trained_at"]),
        ", ".join(map(shortened, run["read_at"])),
      )
      for run in about["runs"]
    )
    parts += ["## Runs", table(head, cells)]
  if about.get("left_out"):
    cells = ((each["config"], each["why"]) for each in about["left_out"])
    parts += ["## Runs that are not here", table(("config", "why"), cells)]
  return parts


def _words(about: Mapping[str, Any]) -> list[str]:
  """Returns the study's own glossary, as its report shows it."""
  words = about.get("words", {})
  lines = [f"* **{cell(word)}.** {cell(said)}" for word, said in words.items()]
  return ["## Words", "\n".join(lines)] if lines else []


def ranges(numbers: list[int]) -> str:
  """Returns numbers in words, neighbours together.

  >>> ranges([0, 1, 2, 5])
  '0 to 2, 5'
  """
  groups: list[list[int]] = []
  for each in numbers:
    if groups and each == groups[-1][-1] + 1:
      groups[-1].append(each)
    else:
      groups.append([each])
  return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]} to {g[-1]}" for g in groups)


def _files(found: Found) -> str:
  names = [f"{found.study}_claims.csv"]
  names += [f"{found.study}_numbers.csv"] if found.numbers else []
  files = [f"[{name}](../../bench/results/{name})" for name in (*names, f"{found.study}.json")]
  return (
    f"{', '.join(files)}. What the source did: [{found.study}]"
    f"(../sources/{found.study}.md). Words of all studies: [glossary](../glossary.md)."
  )


# --- README ---------------------------------------------------------------------------------------


def verdicts(studies: Iterable[Found]) -> str:
  """Returns README's table: how many claims of each study have which verdict."""
  head = ["study", "claims", *VERDICTS, "not run", "measured"]
  lines = [head]
  for found in studies:
    if not found.about:
      blank = ["–"] * (len(head) - 2)
      lines.append([found.study, *blank, "`make results`"])
      continue
    count = counted(found.claims)
    cells = [count[name] for name in VERDICTS] + [sum(count[name] for name in NO_VERDICT)]
    link = f"[{found.study}](docs/results/{found.study}.md)"
    lines.append([link, *map(str, (len(found.claims), *cells)), found.about["date"]])
  return _lines(lines)


def within(text: str, name: str, made: str) -> str:
  """Returns a page with what stands between the lines of a name made again.

  Raises `ValueError` where the page lacks these lines.
  """
  first, last = BEGIN.format(name), END.format(name)
  before, begin, rest = text.partition(first)
  _, end, after = rest.partition(last)
  if not (begin and end):
    raise ValueError(f"The page lacks the lines {first!r} and {last!r}.")
  return f"{before}{begin}\n{made}\n{end}{after}"


# --- speed and reliability ------------------------------------------------------------------------


def speed(folder: Path) -> str:
  """Returns the table of what was measured beside other libraries."""
  rows = []
  for place in sorted(folder.glob("*.json")):
    measured = json.loads(place.read_text(encoding="utf-8"))
    for row in measured.get("rows", ()):
      here, peer = number(row["ours"]), f"{number(row['peer'])} ({row['peer_name']})"
      rows.append((row["name"], row["unit"], here, peer, measured["date"]))
  return table(("what", "unit", "primelens", "beside it", "measured"), rows)


def reliability(folder: Path) -> str:
  """Returns the table of the campaign of kills, damage and nonsense."""
  place = folder / "reliability_cpu.json"
  found = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
  bad = ("lost", "silent", "tracebacks", "hangs")
  rows = [
    (name, its.get("cases", its.get("kills")), *(its[key] for key in bad))
    for name, its in found.items()
    if isinstance(its, dict) and "lost" in its
  ]
  return table(("what is done", "cases", *bad), rows)
