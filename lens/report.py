"""The report: results of several runs in one self-contained HTML page.

What was found comes first: a picture, three sentences and the counts of verdicts. Then the claims,
then every question with its figures and tables, then where the numbers come from, and the words.
"""

import dataclasses
import functools
import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import xarray as xr
from primelens.lens import claims as claims_lib
from primelens.lens import cli, glossary, page, study
from primelens.lens import ledger as ledger_lib
from primelens.lens import numbers as numbers_lib
from primelens.lens.results import Stored
from primelens.tasks import files

Tables = Mapping[str, Mapping[str, Stored]]  # {run: {slice: Stored}}


def write(
  path: str | os.PathLike,
  its: study.Study,
  tables: Tables,
  ledger: claims_lib.Ledger,
  results: claims_lib.Results | None = None,
  damaged: Sequence[str] = (),
) -> Path:
  """Writes the page, replaced at once, and returns its path.

  Figures are embedded; an absent result is named with the command that makes it, and so is each
  `damaged` one.
  """
  path = Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  return files.write(path, html(its, tables, ledger, results, damaged, path.parent).encode())


def first_lines(
  its: study.Study, tables: Tables, ledger: claims_lib.Ledger, damaged: Sequence[str] = ()
) -> list[str]:
  """Returns what is read first: results and seeds that are left out, then the summary.

  The sentences of all slices, the most telling ones first, and the tally.
  """
  return [
    *_left_out(tables, damaged),
    *_sentences(its, tables),
    ledger_lib.line(ledger),
  ]


def _left_out(tables: Tables, damaged: Sequence[str]) -> list[str]:
  return [f"Left out: {line}" for line in damaged] + ledger_lib.left_out(tables)


def _sentences(its: study.Study, tables: Tables) -> list[str]:
  """Returns the sentences of the slices; a fault in one costs the summary alone."""
  lines = []
  try:
    for each in its.leading():
      found = datasets(tables, each.name)
      if each.line and found:
        lines.append(each.line(found))
  except Exception as error:
    said = f"The summary could not be made ({type(error).__name__}: {error})."
    cli.say(said, error=True)
    return [said]
  return lines


def html(
  its: study.Study,
  tables: Tables,
  ledger: claims_lib.Ledger,
  results: claims_lib.Results | None = None,
  damaged: Sequence[str] = (),
  folder: Path | None = None,
) -> str:
  """Returns the page itself; figures that compare runs lie in `folder`/figures.

  What was found comes first, then the claims, then every question with its figures and tables.
  """
  its_words = _Words(
    terms=glossary.Terms(its.glossary), folder=folder, cautions=cautions(its, results)
  )
  parts = {}
  if its.numbers and results is not None:
    rows = functools.partial(its.numbers, results)
    columns = its.number_columns
    parts["numbers"] = ("Every reported number", lambda tables: _numbers(rows(), columns))
  ordered = ledger_lib.ordered(ledger)
  for name, each in its.slices.items():
    mine = {claim.id for claim in each.claims}
    judged = [row for row in ordered if row["id"] in mine]
    parts[name] = (each.about, functools.partial(question, each, its_words, judged))
  sections = {
    claim.id: (name, each.about) for name, each in its.slices.items() for claim in each.claims
  }
  csv = _claims_table(tables, folder)
  body = {
    "ledger": ("Claims", ledger_lib.claims(ledger, its_words.terms, sections, csv)),
    "questions": ("Questions", _questions(its, tables)),
    **{
      key: (title, ledger_lib.section(title, functools.partial(part, tables)))
      for key, (title, part) in parts.items()
    },
    "provenance": ("Where the numbers come from", _provenance(tables)),
    "glossary": ("Glossary", _glossary(its, its_words.terms)),
  }
  shown = [key for key in CONTENTS if key in body]
  links = [page.link(body[key][0], key) for key in shown]
  left_out = [page.tag("li", line) for line in _left_out(tables, damaged)]
  return page.page(
    its.title,
    page.tag("h1", its.title),
    page.tag("p", " ".join(_paragraphs(its.about)[:1]), class_="lead"),
    *([page.tag("ul", *left_out, class_="none")] if left_out else []),
    _first_screen(its, tables, ledger, its_words),
    page.tag("div", _networks(tables, results), class_="networks"),
    page.tag("nav", *links, aria_label="contents"),
    *(page.section(key, *titled) for key, titled in body.items()),
  )


CONTENTS = ("ledger", "questions", "numbers", "provenance", "glossary")
SENTENCES = 3  # of the first screen; each section has its own
NAMED = 6  # runs that the first screen names without being asked


@dataclasses.dataclass(frozen=True)
class _Words:
  """What sections of one page share: terms, the folder of the page, why runs predict nothing."""

  terms: glossary.Terms
  folder: Path | None
  cautions: Mapping[str, str]


def _paragraphs(text: str) -> list[str]:
  return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def _first_screen(
  its: study.Study, tables: Tables, ledger: claims_lib.Ledger, words: _Words
) -> page.Markup:
  """Returns what was found: three sentences, the counts of verdicts, and one picture."""
  seen: set[str] = set()
  told = _foremost(its, tables)
  lines = [_first_sentence(line) for line in _sentences(its, told)[:SENTENCES]]
  said = [page.tag("li", words.terms.linked(line, seen)) for line in lines]
  rest = len(tables) - len(told)
  found = page.tag(
    "div",
    page.tag("ol", *said, class_="summary") if said else "",
    page.tag("p", f"{rest} more runs stand with each question.") if said and rest else "",
    ledger_lib.counts(ledger),
    class_="found",
  )
  picture = ledger_lib.section("the picture", lambda: _picture(its, tables, words.folder))
  return page.tag("div", picture, found, class_="first")


def _foremost(its: study.Study, tables: Tables) -> Tables:
  """Returns the runs that the first screen tells of: of many, those that the study picks."""
  if len(tables) <= NAMED:
    return tables
  for each in its.leading():
    found = datasets(tables, each.name)
    if found:
      return {run: tables[run] for run in found if its.foremost(found[run])} or tables
  return tables


def _first_sentence(text: str) -> str:
  """Returns the first sentence of a slice's words; its section has all of them.

  >>> _first_sentence("AR(24) has -0.1 nats. Trained here: none.")
  'AR(24) has -0.1 nats.'
  """
  return re.split(r"(?<=[.])\s+(?=[A-Z])", text, maxsplit=1)[0]


def _picture(its: study.Study, tables: Tables, folder: Path | None) -> page.Markup:
  """Returns the figure that leads: of the first slice that has one, of all runs if there is one."""
  for each in its.leading():
    found = datasets(tables, each.name)
    try:
      pages = list(each.figures(found)) if found and each.figures else []
    except Exception:
      continue  # the slice's own section says what is wrong with it
    place = {run: 1 for run in found}  # those that compare, those of a run, their details
    for name in sorted(pages, key=lambda name: place.get(name, 2 if _run_of(name, found) else 0)):
      path = _figure_path(each, name, found, folder, tables)
      if path.is_file():
        more = page.join([" ", page.link("More on this question.", each.name)])
        run = _run_of(name, found)
        runs = [run] if run else list(found)
        csv = _csv(each.name, {run: tables[run] for run in runs}, folder)
        return page.figure(path, f"{name}: {each.about}", more, csv, class_="lead")
  return page.join([])


def _networks(tables: Tables, results: claims_lib.Results | None) -> page.Markup:
  """Returns which runs are read on the page, how large their networks are and how many."""
  cards = results.cards if results is not None else {}
  said = []
  for run in tables:
    card = cards.get(run, {})
    known = "size" in card and "seeds" in card
    one = "seed" if card.get("seeds") == 1 else "seeds"
    what = f" ({card['size']:,} parameters, {card['seeds']} {one})" if known else ""
    said.append(f"{run}{what}")
  runs = page.tag("p", f"Runs on this page: {', '.join(said) or 'none'}.")
  numbers = "The numbers of every figure are CSV files, which are named and linked below it."
  if len(said) > NAMED:
    runs = page.details(f"{len(said)} runs on this page", runs)
  return page.join([runs, page.tag("p", numbers)])


def _questions(its: study.Study, tables: Tables) -> page.Markup:
  """Returns the list of questions, those that no run was asked folded."""
  asked = {name: bool(datasets(tables, name)) for name in its.slices}
  items = lambda there: [
    page.tag("li", page.link(each.about, name))
    for name, each in its.slices.items()
    if asked[name] == there
  ]
  read, rest = items(True), items(False)
  parts = [page.tag("ul", *read)] if read else []
  if rest:
    one = "question" if len(rest) == 1 else "questions"
    title = f"{len(rest)} {one} that no run on this page was asked"
    parts.append(page.details(title, page.tag("ul", *rest)))
  return page.tag("nav", *parts, class_="questions", aria_label="questions")


def _provenance(tables: Tables) -> page.Markup:
  return ledger_lib.section("provenance", lambda: ledger_lib.provenance(tables))


def _glossary(its: study.Study, terms: glossary.Terms) -> page.Markup:
  """Returns how numbers are to be read, and all terms."""
  reading = [page.tag("p", text) for text in _paragraphs(its.about)[1:]]
  return page.join([*reading, terms.section()])


# --- files beside the page ------------------------------------------------------------------------


def _claims_table(tables: Tables, folder: Path | None) -> tuple[Path, Path] | None:
  """Returns the CSV of all claims with the folder of the page, None where there is no such file."""
  if folder is None:
    return None
  places = (folder / "claims.csv", folder / "results" / "claims.csv")
  path = next((path for path in places if _lies_in(path, folder)), None)
  return (path, folder) if path else None


def _csv(name: str, tables: Mapping[str, Mapping[str, Stored]], folder: Path | None) -> page.Markup:
  """Returns links to the CSV files of a slice, those that are there, run by run."""
  homes = [table[name].figure_path.parent.parent for table in tables.values() if name in table]
  found = [paths for home in homes if (paths := _csv_of(name, home))]
  if folder is None or not found:
    return page.join([])
  parts = []
  for paths in found:
    place = Path(os.path.relpath(paths[0].parent, folder)).as_posix()
    parts.append(page.tag("p", f"In {place}/: ", page.files_beside(paths, folder)))
  count = sum(map(len, found))
  said = "1 CSV file" if count == 1 else f"{count} CSV files"
  return page.details(f"The numbers: {said} beside this file", *parts)


def _csv_of(name: str, home: Path) -> list[Path]:
  """Returns the CSV files that a slice wrote in a run: of curves, of tables."""
  folder = home / "results"
  there = [folder / f"{name}.csv", *folder.glob(f"{glob.escape(name)}.*.csv")]
  return [path for path in sorted(set(there)) if _lies_in(path, home)]


def _lies_in(path: Path, home: Path) -> bool:
  """Returns whether a path is a file, and of this folder when links are followed."""
  return path.is_file() and files.inside(home, path)


# --- sections -------------------------------------------------------------------------------------


def datasets(tables: Tables, name: str) -> dict[str, xr.Dataset]:
  """Returns `{run: Dataset}` of a slice, of those runs that have it."""
  return {run: table[name].result for run, table in tables.items() if name in table}


def cautions(its: study.Study, results: claims_lib.Results | None) -> dict[str, str]:
  """Returns why a network must not be read as it stands, of those runs where there is a reason."""
  if results is None:
    return {}
  found = {run: its.caution(results.cards.get(run, {}), table) for run, table in results.items()}
  return {run: said for run, said in found.items() if said}


MANY = 2  # runs whose figures are shown one below the other; of more, those that compare them


def question(each: study.Slice, words: _Words, judged: list[dict], tables: Tables) -> page.Markup:
  """Returns the section of a slice: its words, figures of all runs, of each, and tables.

  Where there are many runs, all but what compares them is folded. Where no run was read, the words
  are folded.
  """
  found, seen = datasets(tables, each.name), set[str]()
  about = [page.tag("p", words.terms.linked(text, seen)) for text in _paragraphs(each.text)]
  claims = ledger_lib.judged(judged)
  if not found:
    folded = [page.details("What is asked and how", *about)] if about else []
    return page.join([ledger_lib.absent(each.name), *folded, claims])
  parts = [*about, claims]
  if each.line:
    parts.append(page.tag("p", words.terms.linked(each.line(found), seen), class_="finding"))
  for run, said in words.cautions.items():
    if run in found:
      parts.append(page.tag("p", f"The network of {run} predicts nothing: {said}."))
  pages = list(each.figures(found)) if each.figures else []
  shared = [name for name in pages if not _run_of(name, found)]
  compared = [
    page.join([page.tag("h3", name), _shown(each, name, found, words.folder, tables)])
    for name in shared
  ]
  alone = [_run(each, run, pages, words.folder, tables) for run in found]
  made = [table.html() for table in (each.tables(found) if each.tables else [])]
  lacking = _lacking(each, tables)
  if len(found) <= MANY:
    return page.join([*parts, *compared, *alone, lacking, *made])
  shown = [] if compared else alone[:1]
  stale = sum(tables[run][each.name].stale for run in found)
  said = f"Run by run: {len(alone) - len(shown)} runs{f', {stale} stale' if stale else ''}"
  rest = page.details(said, *alone[len(shown) :])
  return page.join([*parts, *compared, *shown, *made, rest, lacking])


def _lacking(each: study.Slice, tables: Tables) -> page.Markup:
  """Returns which runs were not asked, folded where they are many."""
  notes = [ledger_lib.absent(each.name, run) for run in tables if each.name not in tables[run]]
  if len(notes) <= MANY:
    return page.join(notes)
  return page.details(f"{len(notes)} runs that were not asked", *notes)


def _run(each, run: str, pages: Sequence[str], folder, tables: Tables) -> page.Markup:
  """Returns a run's own part of a section: its heading and its figures.

  `pages` are those of all runs; of this one are `run` and "run, part".
  """
  found = datasets(tables, each.name)
  mine = sorted((name for name in pages if _run_of(name, found) == run), key=lambda x: x != run)
  head = ledger_lib.heading(run, tables[run][each.name])
  return page.join([head, *(_shown(each, name, [run], folder, tables) for name in mine)])


def _run_of(name: str, runs: Iterable[str]) -> str:
  """Returns the run that a page is of, "" for one that compares runs.

  >>> _run_of("e0", ["e0"]), _run_of("e0, heads", ["e0"]), _run_of("all runs", ["e0"])
  ('e0', 'e0', '')
  """
  of = [run for run in runs if name == run or name.startswith(f"{run}, ")]
  return max(of, key=len, default="")


def _shown(each, name: str, runs, folder, tables: Tables) -> page.Markup:
  """Returns the figure of a page of these runs, with the files of its numbers."""
  path = _figure_path(each, name, runs, folder, tables)
  csv = _csv(each.name, {run: tables[run] for run in runs}, folder)
  return page.figure(path, f"{name}: {each.about}", csv)


def _figure_path(each, name: str, runs, folder: Path | None, tables: Tables) -> Path:
  """Returns where a page of a slice is drawn: in its run's folder, or where runs are compared."""
  if name in runs:
    return tables[name][each.name].figure_path
  file = study.figure_name(each.name, name)
  first, *others = runs
  own = tables[_run_of(name, runs) or first][each.name].figure_path.with_name(file)
  compared = folder / "figures" / file if folder else own
  if _run_of(name, runs):
    return own if own.is_file() else compared
  return compared if others else own


def _numbers(rows: Sequence[Mapping], columns: Sequence[str]) -> page.Markup:
  """Returns every number of the source beside that found here, the recomputed ones first."""
  if not rows:
    return page.tag("p", "No number of the source is beside one of these runs.", class_="none")
  controls = [name for name in columns if name not in numbers_lib.COLUMNS]
  said = (
    "Source is what its text or its files say; recomputed is an independent program's number for"
    " the same network and rows; here is that network's: its published weights, or the same data"
    " and the same start trained again. Median and range are over the networks trained here,"
    " untrained over fresh ones."
  )
  if "drift_low" in controls:
    controls = [name for name in controls if name not in DRIFT]
    said += (
      " Shaken: the range over that network trained again from its start, changed by half a unit"
      " in the last place of a float32; where these differ, no two programs can agree."
    )
  if controls:
    said += " The last columns are medians of runs that differ in one thing."
  known = [row for row in rows if row["recomputed"] == row["recomputed"]]
  rest = [row for row in rows if row["recomputed"] != row["recomputed"]]
  parts = [page.tag("p", said)]
  if known:
    caption = f"{len(known)} numbers that were recomputed."
    parts.append(_number_table(known, caption, controls))
  if rest:
    caption = f"{len(rest)} numbers of the source or of controls alone."
    parts.append(page.details(caption, _number_table(rest, caption, controls)))
  return page.join(parts)


DRIFT = ("drift_low", "drift_high")


def _number_table(rows: Sequence[Mapping], caption: str, controls: Sequence[str]) -> page.Markup:
  shaken = ["shaken"] if DRIFT[0] in rows[0] else []
  first = ["item", "quantity", "source", "recomputed", "here", ""]
  middle = ["median", "range", "untrained"]
  head = [*first, *shaken, *middle, *(name.replace("_", " ") for name in controls), "runs"]
  body = [_number(row, controls) for row in rows]
  return page.table(head, body, caption=caption, text=(0, 1, 2, 5, len(head) - 1))


def _number(row: Mapping, controls: Sequence[str]) -> list:
  quantity = row["quantity"]
  if row["remark"]:
    quantity = page.join([quantity, page.tag("small", row["remark"])])
  kind = {"agrees": "good", "within drift": "good", "differs": "bad"}.get(row["verdict"], "open")
  return [
    row["item"],
    quantity,
    row["source"],
    page.short(row["recomputed"]),
    page.short(row["here"]),
    page.badge(row["verdict"], kind) if row["verdict"] else "",
    *([page.span(row[DRIFT[0]], row[DRIFT[1]])] if DRIFT[0] in row else []),
    page.short(row["median"]),
    page.span(row["minimum"], row["maximum"]),
    page.short(row["untrained"]),
    *(page.short(row[name]) for name in controls),
    row["runs"],
  ]
