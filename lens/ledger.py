"""Sections of the report that any study has: claims and provenance."""

import collections
import json
from collections.abc import Callable
from typing import Any

from primelens.lens import claims as trial
from primelens.lens import cli, page, study

# The badge of each status, verdicts first, in the order of the tally.
KINDS = {
  "reproduced": "good",
  "reproduced, but an artefact": "odd",
  "not reproduced": "bad",
  "needs more compute": "open",
  "failed": "bad",
  "not run": "open",
  "does not apply": "open",
}


def tally(ledger: trial.Ledger) -> dict[str, int]:
  """Returns how many claims have each status, verdicts first."""
  count = collections.Counter(row["status"] for row in ledger.rows)
  return {status: count[status] for status in KINDS if count[status]}


def claims(ledger: trial.Ledger) -> page.Markup:
  """Returns the ledger: a card per claim, its numbers folded in.

  Claims that were not run, or do not apply to the runs, are folded behind the others.
  """
  if not ledger.rows:
    return absent("claims")
  counted = [
    page.badge(f"{count} {status}", KINDS[status]) for status, count in tally(ledger).items()
  ]
  note = page.tag(
    "p",
    "A claim about the published networks is decided by networks of that size"
    " with enough seeds, or by smaller ones where its verdict says why size"
    " does not matter; until then the status is “needs more compute”, and the"
    " verdict gives the smaller networks' numbers. A claim whose analysis was"
    " not run has no verdict, and names the command that decides it.",
  )
  cards: dict[str, list[page.Markup]] = {}
  for row in ledger.rows:
    folded = row["status"] if row["status"] in ("not run", "does not apply") else ""
    cards.setdefault(folded, []).append(_claim(row))
  parts = [page.tag("div", *counted, class_="tally"), note, *cards.pop("", [])]
  parts += [
    page.details(f"{len(folded)} claims: {status}", page.join(folded))
    for status, folded in sorted(cards.items(), reverse=True)
  ]
  return page.join(parts)


def _claim(row) -> page.Markup:
  line = lambda name, text: page.tag("p", page.tag("b", name + " "), text)
  parts = [
    page.tag(
      "header",
      page.badge(row["status"], KINDS.get(row["status"], "open")),
      page.tag("code", row["id"]),
    ),
    page.tag("h3", row["statement"]),
    line("Reported:", row["reported"]),
    line("Verdict:", row["because"]),
    line("Source:", row["source"]),
  ]
  if row["command"]:
    parts.append(line("Decided by:", page.tag("code", row["command"])))
  if row["numbers"]:
    rows = [(key, exact(value)) for key, value in row["numbers"].items()]
    numbers = page.table(("quantity", "value"), rows, caption="Behind it")
    parts.append(page.details(f"Numbers ({len(rows)})", numbers))
  return page.tag("article", *parts)


def exact(value) -> str:
  """Returns a stored value with six digits, text as it is."""
  if isinstance(value, float):
    return f"{value:.6g}"
  if isinstance(value, (dict, list, tuple)):
    return json.dumps(value)
  return str(value)


def absent(name: str, run: str = "") -> page.Markup:
  """Returns the note in place of an analysis that was not run."""
  where = f"{run}: " if run else ""
  return page.tag(
    "p", f"{where}not run: ", page.tag("code", f"analyze.py --only={name}"), class_="none"
  )


def heading(run: str, stored) -> page.Markup:
  """Returns a run's heading, marked where its result is stale."""
  mark = [" ", page.badge("stale", "bad")] if stored.stale else []
  return page.tag("h3", run, *mark)


def each(tables, name: str, caption: str, body: Callable[[Any], page.Markup]) -> page.Markup:
  """Returns heading, figure and `body(result)` of an analysis, run by run."""
  parts = []
  for run, table in tables.items():
    if name not in table:
      parts.append(absent(name, run))
      continue
    stored = table[name]
    parts.append(heading(run, stored))
    parts.append(page.figure(stored.figure_path, f"{run}: {caption}"))
    parts.append(body(stored.result))
  return page.join(parts or [absent(name)])


def left_out(tables) -> list[str]:
  """Returns a line for every run whose results leave out seeds that froze."""
  lines: dict[str, None] = {}  # each once, in order
  for run, table in tables.items():
    for stored in table.values():
      frozen = stored.provenance.get("frozen_seeds") or ()
      if frozen:
        trained = len(frozen) + len(stored.provenance["seeds"])
        are = "is" if len(frozen) == 1 else "are"
        lines[f"{run}: {study.stopped(frozen, trained)} and {are} left out."] = None
  return list(lines)


def line(ledger: trial.Ledger) -> str:
  """Returns the tally as a line of the summary."""
  counted = tally(ledger).items()
  text = "; ".join(f"{count} {status}" for status, count in counted)
  return f"Claims: {text or 'none judged'}."


def section(title: str, make: Callable[[], page.Markup]) -> page.Markup:
  """Returns what `make` gives; a fault in it costs this section and no other."""
  try:
    return make()
  except Exception as error:
    said = f"{type(error).__name__}: {error}"
    cli.say(f"the report's section {title!r} failed: {said}", error=True)
    return page.tag("p", f"This section could not be made ({said}).", class_="none")


def provenance(tables) -> page.Markup:
  """Returns the footer: checkpoints, code, data, seeds and settings."""
  rows = [
    (run, name, *_origin(stored)) for run, table in tables.items() for name, stored in table.items()
  ]
  if not rows:
    return page.tag("p", "No result is stored.", class_="none")
  head = ("run", "analysis", "checkpoint step", "code", "data", "seeds")
  table = page.table(
    (*head, "seconds", "state"),
    rows,
    caption="Code is a git revision, data the start of its sha256.",
    text=(0, 1, 3, 4, 5, 7),
  )
  return page.tag("footer", table, *map(_settings, tables.items()))


def _origin(stored):
  origin = stored.provenance
  seeds = ", ".join(map(str, origin.get("seeds", ()))) or "–"
  state = page.badge("stale", "bad") if stored.stale else "current"
  return (
    page.number(origin.get("checkpoint_step")),
    page.tag("code", _short(origin.get("revision"))),
    page.tag("code", _short(origin.get("data_hash"))),
    seeds,
    page.number(origin.get("seconds"), digits=1),
    state,
  )


def _short(text) -> str:
  """Returns the start of a hash, with the mark of uncommitted changes."""
  text = str(text or "–")
  dirty = "-dirty" if text.endswith("-dirty") else ""
  return text.removesuffix("-dirty")[:12] + dirty


def _settings(item) -> page.Markup:
  """Returns versions and settings of each of a run's analyses, folded."""
  run, table = item
  said = {
    name: {
      key: stored.provenance[key]
      for key in ("command", "versions", "settings", "data_hash", "revision")
      if key in stored.provenance
    }
    for name, stored in table.items()
  }
  text = json.dumps(said, indent=2, default=str)
  return page.details(f"Versions and settings of {run}", page.tag("pre", text))
