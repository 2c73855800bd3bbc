"""Sections of the report that any study has: claims and provenance."""

import collections
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from primelens.lens import claims as trial
from primelens.lens import cli, glossary, page, study

# The badge of each status in the order of the page: what is decided comes first.
KINDS = {
  "not reproduced": "bad",
  "reproduced, but an artefact": "odd",
  "reproduced": "good",
  "needs more compute": "open",
  "failed": "bad",
  "not run": "none",
  "does not apply": "none",
}


def tally(ledger: trial.Ledger) -> dict[str, int]:
  """Returns how many claims have each status, in the order of the page."""
  count = collections.Counter(row["status"] for row in ledger.rows)
  return {status: count[status] for status in KINDS if count[status]}


def verdicts(ledger: trial.Ledger) -> tuple[dict[str, int], dict[str, int]]:
  """Returns the tally of verdicts, and apart from it that of claims that have none."""
  counted = tally(ledger)
  of = lambda none: {key: n for key, n in counted.items() if (key in trial.NO_VERDICT) == none}
  return of(False), of(True)


def counts(ledger: trial.Ledger) -> page.Markup:
  """Returns the tally as badges; below it, apart, how many claims have no verdict and why."""
  decided, rest = verdicts(ledger)
  badges = [page.badge(f"{count} {status}", KINDS[status]) for status, count in decided.items()]
  parts = [page.tag("div", *badges, class_="tally")] if badges else []
  if rest:
    said = ", ".join(f"{count} {status}" for status, count in rest.items())
    parts.append(page.tag("p", f"Without a verdict: {said}.", class_="apart"))
  return page.join(parts)


def ordered(ledger: trial.Ledger) -> list[dict]:
  """Returns the claims in the order of the page: by status, then as they are written."""
  return sorted(ledger.rows, key=lambda row: list(KINDS).index(row["status"]))


def claims(
  ledger: trial.Ledger,
  terms: glossary.Terms | None = None,
  sections: Mapping[str, tuple[str, str]] | None = None,
  tables: tuple[Path, Path] | None = None,
) -> page.Markup:
  """Returns the ledger: a card per claim, those with a verdict first, and what chooses among them.

  `sections` has the section that reads each claim, `{claim: (id, title)}`, and `tables` a CSV of
  all claims with the folder of the page.
  """
  if not ledger.rows:
    return absent("claims")
  note = page.tag(
    "p",
    "A claim about the published networks is decided by networks of that size"
    " with enough seeds, or by smaller ones where its verdict says why size"
    " does not matter; until then the status is “needs more compute”, and the"
    " verdict gives the smaller networks' numbers. A claim whose analysis was"
    " not run has no verdict, and names the command that decides it.",
  )
  parts = [note]
  if tables:
    path, folder = tables
    links = page.files_beside([path], folder)
    parts.append(page.tag("p", "All claims as a table, beside this file: ", links, "."))
  terms = terms or glossary.Terms({})
  cards = [_claim(row, terms, (sections or {}).get(row["id"])) for row in ordered(ledger)]
  return page.join([*parts, _filter(ledger), *cards])


ALL, JUDGED = "all", "with a verdict"  # what else may be chosen


def _filter(ledger: trial.Ledger) -> page.Markup:
  """Returns radio buttons that choose which claims are shown; the style sheet does the rest."""
  counted, (decided, _) = tally(ledger), verdicts(ledger)
  choices = {JUDGED: sum(decided.values())} if decided else {}
  choices |= {ALL: len(ledger.rows), **counted}
  buttons = []
  for i, (name, count) in enumerate(choices.items()):
    box = page.radio("show", shows(name), checked=i == 0)
    kind = KINDS.get(name, "open")
    buttons.append(page.tag("label", box, f"{name} ", page.tag("b", f"{count}"), class_=kind))
  return page.tag("fieldset", page.tag("legend", "Show claims"), *buttons, class_="filter")


def shows(name: str) -> str:
  """Returns the id of the button that shows the claims of a status alone."""
  return f"show-{page.slug(name)}"


def target(claim: str) -> str:
  """Returns the id of a claim's card on the page."""
  return f"claim-{page.slug(claim)}"


def _claim(row, terms: glossary.Terms, section: tuple[str, str] | None) -> page.Markup:
  line = lambda name, text: page.tag("p", page.tag("b", name + " "), text)
  status = row["status"]
  judged = status not in trial.NO_VERDICT
  because = terms.linked(row["because"], set()) if judged else row["because"]
  parts = [
    page.tag(
      "header",
      page.badge(status, KINDS.get(status, "open")),
      page.tag("code", row["id"]),
    ),
    page.tag("h3", row["statement"]),
    line("Reported:", row["reported"]),
    line("Verdict:" if judged else "No verdict:", because),
    line("Source:", row["source"]),
  ]
  if row["command"]:
    parts.append(line("Decided by:", page.tag("code", row["command"])))
  if section:
    key, title = section
    parts.append(line("Read in:", page.link(title, key)))
  if row["numbers"]:
    rows = [(key, exact(value)) for key, value in row["numbers"].items()]
    numbers = page.table(("quantity", "value"), rows, caption="Behind it")
    parts.append(page.details(f"Numbers ({len(rows)})", numbers))
  kinds = [page.slug(status), *([page.slug(JUDGED)] if judged else [])]
  return page.tag("article", *parts, id=target(row["id"]), class_=" ".join(kinds))


def judged(rows: list[dict]) -> page.Markup:
  """Returns links from a section to the claims that it decides, each with its status."""
  if not rows:
    return page.join([])
  items = [
    page.tag(
      "li",
      page.badge(row["status"], KINDS.get(row["status"], "open")),
      " ",
      page.link(row["statement"], target(row["id"])),
    )
    for row in rows
  ]
  title = "The claim that it decides:" if len(rows) == 1 else "Claims that it decides:"
  return page.tag("div", page.tag("p", title), page.tag("ul", *items), class_="judged")


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
  """Returns the tally as a line of the summary, claims without a verdict apart."""
  decided, rest = verdicts(ledger)
  said = lambda counted: "; ".join(f"{count} {status}" for status, count in counted.items())
  apart = f" Without a verdict: {said(rest)}." if rest else ""
  return f"Claims: {said(decided) or 'none judged'}.{apart}"


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
  shown = page.table(
    (*head, "seconds", "state"),
    rows,
    caption="Code is a git revision, data the start of its sha256.",
    text=(0, 1, 3, 4, 5, 7),
  )
  stale = sum(stored.stale for table in tables.values() for stored in table.values())
  folded = page.details(f"{len(rows)} results{f', {stale} stale' if stale else ''}", shown)
  return page.tag("footer", folded, *map(_settings, tables.items()))


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
