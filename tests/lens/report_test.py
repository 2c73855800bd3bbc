import base64
import contextlib
import dataclasses
import io
import pathlib
import re
import tempfile
import urllib.parse
from typing import get_args

import pages
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.lens import page as report_page
from primelens.lens import page_style, report, results, study
from primelens.lens import tables as tables_lib

PNG = b"\x89PNG\r\n\x1a\n not a picture, but bytes to embed"
NAMES = ("masking", "heads", "formula")
LEDGER = trial.Ledger(
  rows=tuple(
    {
      "id": f"claim.{i}",
      "statement": f"Statement number {i}.",
      "source": f"source {i}",
      "reported": f"{i} nats",
      "status": status,
      "because": f"Because of <reason {i}>.",
      "numbers": {"gain, run <e0>": 0.1234567, "heads": 7 + i},
      "command": "",
    }
    for i, status in enumerate(get_args(trial.Status))
  )
)


def a_slice(name: str) -> study.Slice:
  """Returns a slice that shows the numbers of its result."""
  return study.Slice(
    name=name,
    about=f"What of {name}?",
    text="What was published.\n\nWhat is done & said here.",
    measure=lambda run: None,
    figures=lambda runs: dict.fromkeys(runs),
    tables=lambda runs: [tables_lib.of_runs(runs, "each", f"Every number of {name}.")],
    line=lambda runs: (
      f"{name}: {', '.join(f'{run} {float(x.gain):.3f}' for run, x in runs.items())}"
    ),
  )


def a_study(**changes) -> study.Study:
  """Returns a study of three slices."""
  nothing = lambda *args: None
  return study.Study(
    name="made",
    title="Networks on trial",
    about="What this is about.",
    settings=object,
    slices={name: a_slice(name) for name in NAMES},
    check=nothing,
    build=nothing,
    bind=nothing,
    cost=nothing,
    **changes,
  )


def a_result(gain=0.25):
  rows = [{"seed": "all", "loss": gain}, {"seed": "<3>", "loss": 0.5}]
  meanings = {"seed": "seeds", "loss": "NLL [nats]"}
  variables = {"gain": results.variable("", gain, "gain"), **results.rows("each", rows, meanings)}
  return results.dataset(variables)


def a_claim(name: str) -> trial.Claim:
  """Returns a claim that the report finds in a slice; the ledger has its verdict."""
  return trial.Claim(id=name, statement=name, source="", reported="", test=lambda results: None)


def with_claims(its: study.Study, **slices: str) -> study.Study:
  """Returns a study whose slices have claims: `heads="claim.1 claim.2"`."""
  changed = {
    name: dataclasses.replace(
      its.slices[name], claims=tuple(a_claim(claim) for claim in claims.split())
    )
    for name, claims in slices.items()
  }
  return dataclasses.replace(its, slices=its.slices | changed)


PAGE = a_study()


class ReportTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = pathlib.Path(folder.name)

  def _stored(self, name, result, stale=False):
    path = self.folder / f"{name}.png"
    path.write_bytes(PNG + name.encode())
    origin = {"checkpoint_step": 1234, "revision": "abcdef0123456789-dirty"}
    origin |= {"data_hash": "1cebd3bf17c77958", "seeds": [3, 4]}
    origin |= {"versions": {"jax": "9.8.7"}, "settings": {"windows": 55}}
    return report.Stored(result, origin | {"seconds": 6.5}, stale, path)

  def _tables(self, run="e0"):
    return {run: {name: self._stored(name, a_result()) for name in NAMES}}

  def _read(self, tables=None, ledger=LEDGER):
    tables = self._tables() if tables is None else tables
    path = report.write(self.folder / "new" / "report.html", PAGE, tables, ledger)
    self.assertEqual([path], list(path.parent.iterdir()))
    return pages.Reader(path.read_text(encoding="utf-8"))

  def test_tags_balance_and_nothing_is_fetched(self):
    page = self._read()
    for link in page.links:
      self.assertRegex(link, r"^(#[a-z]|data:image/png;base64,)")
    html = report.html(PAGE, self._tables(), LEDGER)
    self.assertNotRegex(html, r"https?:|@import|url\(|<script|<link")

  def test_contents_point_to_sections(self):
    html = report.html(PAGE, self._tables(), LEDGER)
    page = self._read()
    targets = [link[1:] for link in page.links if link[0] == "#"]
    self.assertLess(set(NAMES) | {"ledger", "questions", "provenance", "glossary"}, set(page.ids))
    self.assertEqual(set(targets) - set(page.ids), set())
    self.assertLen(set(page.ids), len(page.ids))
    for target in ("ledger", *NAMES, "provenance", "glossary"):
      self.assertIn(target, targets)
      self.assertIn(f'<section id="{target}"', html)

  def test_every_claim_is_there_with_its_numbers(self):
    page = self._read()
    text = "\n".join(page.text)
    for row in LEDGER.rows:
      for key in ("id", "statement", "source", "reported", "because", "status"):
        self.assertIn(row[key], text)
    numbers = [rows for label, rows in page.tables if label == "Behind it"]
    for rows in numbers:
      self.assertEqual(rows[1], ["gain, run <e0>", "0.123457"])
    shown = [rows[2] for rows in numbers]
    self.assertCountEqual(shown, [["heads", str(7 + i)] for i in range(len(LEDGER.rows))])

  def test_a_fault_in_one_section_costs_no_other(self):
    def fault(runs):
      raise KeyError("lead")

    broken = dataclasses.replace(PAGE.slices["heads"], tables=fault, line=fault)
    broken = dataclasses.replace(PAGE, slices=PAGE.slices | {"heads": broken})
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
      html = report.html(broken, self._tables(), LEDGER)
    self.assertIn("the report's section 'What of heads?' failed: KeyError: 'lead'", err.getvalue())
    text = "".join(pages.Reader(html).text)
    self.assertIn("This section could not be made (KeyError: 'lead').", text)
    self.assertIn("The summary could not be made", text)
    for other in set(NAMES) - {"heads"}:
      self.assertIn(f'<section id="{other}"', html)

  def test_text_is_escaped(self):
    hostile = '<img src=x onerror="alert(1)">&amp;'
    html = report.html(PAGE, self._tables(run=hostile), LEDGER)
    self.assertNotIn("<img src=x", html)
    self.assertIn(hostile, "\n".join(pages.Reader(html).text))

  def test_figures_are_embedded_byte_for_byte(self):
    data = [link for link in self._read().links if link.startswith("data:")]
    found = [base64.b64decode(link.partition(",")[2]) for link in data]
    # The first leads the page, and is in its own section, too.
    self.assertEqual(found, [PNG + name.encode() for name in (NAMES[0], *NAMES)])

  def test_missing_figure_is_named(self):
    tables = self._tables()
    tables["e0"]["heads"].figure_path.unlink()
    self.assertIn("heads.png is missing", "\n".join(self._read(tables).text))

  def test_a_section_has_the_words_the_tables_and_the_numbers(self):
    page = self._read()
    text = "\n".join(page.text)
    for words in ("What of heads?", "What was published.", "What is done & said here."):
      self.assertIn(words, text)
    rows = page.table("Every number of heads.")
    self.assertEqual(rows, [["run", "seed", "loss"], ["e0", "all", "0.25"], ["e0", "<3>", "0.5"]])

  def test_a_network_that_predicts_nothing_is_marked_wherever_it_is_read(self):
    its = a_study(caution=lambda card, table: card.get("why", ""))
    tables = self._tables() | self._tables("e4")
    datasets = {run: {name: a_result() for name in table} for run, table in tables.items()}
    cards = {"e0": {}, "e4": {"why": "it reads its target"}}
    html = report.html(its, tables, LEDGER, trial.Results(datasets, cards))
    self.assertEqual(html.count("The network of e4 predicts nothing: it reads its target."), 3)
    self.assertNotIn("The network of e0", html)

  @parameterized.parameters(*((name,) for name in NAMES))
  def test_absent_analysis_says_what_to_run(self, name):
    tables = self._tables()
    del tables["e0"][name]
    text = "".join(self._read(tables).text)
    self.assertIn(f"not run: analyze.py --only={name}", text)
    text = "".join(self._read(tables | self._tables("e4")).text)
    self.assertIn(f"e0: not run: analyze.py --only={name}", text)

  def test_page_and_summary_without_any_result(self):
    empty = trial.Ledger(rows=())
    for tables in ({}, {"e0": {}}):
      text = "".join(self._read(tables, empty).text)
      self.assertIn("not run: analyze.py --only=masking", text)
      self.assertLen(report.first_lines(PAGE, tables, empty), 1)

  def test_stale_results_are_marked(self):
    tables = self._tables()
    self.assertNotIn("stale</span>", report.html(PAGE, tables, LEDGER))
    tables["e0"]["heads"] = dataclasses.replace(tables["e0"]["heads"], stale=True)
    self.assertEqual(report.html(PAGE, tables, LEDGER).count("stale</span>"), 2)

  def test_provenance(self):
    page = self._read()
    rows = page.table("Code is a git revision")
    self.assertEqual([row[1] for row in rows[1:]], list(NAMES))
    want = ["1,234", "abcdef012345-dirty", "1cebd3bf17c7", "3, 4", "6.5"]
    self.assertEqual(rows[1][2:], [*want, "current"])
    self.assertIn('"jax": "9.8.7"', "".join(page.text))

  def test_the_summary_has_a_line_of_every_slice_and_the_tally(self):
    *lines, tally = report.first_lines(PAGE, self._tables(), LEDGER)
    self.assertEqual(lines, [f"{name}: e0 0.250" for name in NAMES])
    self.assertEqual(
      tally,
      "Claims: 1 not reproduced; 1 reproduced, but an artefact; 1 reproduced; 1 needs more"
      " compute. Without a verdict: 1 failed; 1 not run; 1 does not apply.",
    )

  def test_what_says_most_comes_first(self):
    its = dataclasses.replace(PAGE, lead=("formula", "absent", "heads"))
    lines = report.first_lines(its, self._tables(), LEDGER)
    self.assertEqual(
      [line.split(":")[0] for line in lines], ["formula", "heads", "masking", "Claims"]
    )
    page = pages.Reader(report.html(its, self._tables(), LEDGER, folder=self.folder))
    first = next(link for link in page.links if link.startswith("data:"))
    self.assertEqual(base64.b64decode(first.partition(",")[2]), PNG + b"formula")

  def test_the_first_picture_is_of_all_runs_where_there_is_one(self):
    shared = dataclasses.replace(
      PAGE.slices["heads"], figures=lambda runs: dict.fromkeys([*runs, "all runs"])
    )
    its = dataclasses.replace(PAGE, slices=PAGE.slices | {"heads": shared}, lead=("heads",))
    tables = self._tables() | self._tables("e4")
    (self.folder / "figures").mkdir()
    (self.folder / "figures" / "heads.all-runs.png").write_bytes(PNG + b"shared")
    page = pages.Reader(report.html(its, tables, LEDGER, folder=self.folder))
    first = next(link for link in page.links if link.startswith("data:"))
    self.assertEqual(base64.b64decode(first.partition(",")[2]), PNG + b"shared")

  def test_parts_of_a_run_are_shown_with_it_and_lead_last(self):
    names = lambda runs: [*(f"{run}, parts" for run in runs), *runs]
    parted = dataclasses.replace(
      PAGE.slices["heads"], figures=lambda runs: dict.fromkeys(names(runs))
    )
    its = dataclasses.replace(PAGE, slices=PAGE.slices | {"heads": parted}, lead=("heads",))
    tables = self._in_runs("e0", "e4")
    for run in tables:
      (self.folder / run / "figures" / f"heads.{run}-parts.png").write_bytes(PNG + run.encode())
    html = report.html(its, tables, LEDGER, folder=self.folder)
    self.assertIn('<figure class="lead"><label><input type="checkbox"', html)
    lead = html.partition('class="lead">')[2].partition('<figure class="lead">')[2]
    self.assertIn('alt="e0: What of heads?"', lead.partition("</figure>")[0])
    section = html.partition('<section id="heads"')[2].partition("</section>")[0]
    self.assertEqual(
      re.findall('<h3>(.*?)</h3>|alt="(.*?):', section),
      [("e0", ""), ("", "e0"), ("", "e0, parts"), ("e4", ""), ("", "e4"), ("", "e4, parts")],
    )

  def test_a_slice_whose_figures_fail_does_not_lead(self):
    def fault(runs):
      raise KeyError("lead")

    broken = dataclasses.replace(PAGE.slices["masking"], figures=fault)
    its = dataclasses.replace(PAGE, slices=PAGE.slices | {"masking": broken})
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
      page = pages.Reader(report.html(its, self._tables(), LEDGER))
    self.assertIn("'What of masking?' failed: KeyError: 'lead'", err.getvalue())
    first = next(link for link in page.links if link.startswith("data:"))
    self.assertEqual(base64.b64decode(first.partition(",")[2]), PNG + b"heads")

  def test_the_first_screen_has_three_sentences_and_others_their_section(self):
    more = {name: a_slice(name) for name in ("four", "five")}
    its = dataclasses.replace(PAGE, slices=PAGE.slices | more)
    tables = {"e0": {name: self._stored(name, a_result()) for name in its.slices}}
    text = "\n".join(pages.Reader(report.html(its, tables, LEDGER)).text)
    first, _, rest = text.partition("Claims")
    said = lambda text, name: text.count(f"{name}: e0 0.250")
    self.assertEqual([said(first, name) for name in its.slices], [1, 1, 1, 0, 0])
    self.assertEqual([said(rest, name) for name in its.slices], [1] * 5)

  def test_of_many_runs_the_first_screen_tells_of_the_foremost(self):
    its = dataclasses.replace(PAGE, foremost=lambda found: found.gain > 1)
    stored = lambda run: {
      name: self._stored(name, a_result().assign(gain=1.25 if run == "e3" else 0.25))
      for name in PAGE.slices
    }
    for count, told in ((3, ["e0", "e1", "e2"]), (9, ["e3"])):
      tables = {run: stored(run) for run in (f"e{i}" for i in range(count))}
      text = "\n".join(pages.Reader(report.html(its, tables, LEDGER)).text)
      first = text.partition("Claims")[0]
      said = [run for run in tables if f"{run} 0.250" in first or f"{run} 1.250" in first]
      self.assertEqual(said, told)
      self.assertEqual("8 more runs stand with each question." in first, count == 9)

  def test_of_several_sentences_the_first_screen_has_the_first(self):
    lines = {"heads": lambda _: "Heads: 0.5 to 1.5 nats. Of E0: 2."}
    slices = {name: dataclasses.replace(PAGE.slices[name], line=lines[name]) for name in lines}
    its = dataclasses.replace(PAGE, slices=PAGE.slices | slices)
    text = "\n".join(pages.Reader(report.html(its, self._tables(), LEDGER)).text)
    first, _, rest = text.partition("Claims")
    self.assertIn("Heads: 0.5 to 1.5 nats.", first)
    self.assertNotIn("Of E0", first)
    self.assertIn("Heads: 0.5 to 1.5 nats. Of E0: 2.", rest)

  def test_verdicts_are_counted_apart_from_what_was_not_run(self):
    html = report.html(PAGE, self._tables(), LEDGER)
    badges = html.partition('class="tally">')[2].partition("</div>")[0]
    self.assertIn("1 needs more compute", badges)
    for status in trial.NO_VERDICT:
      self.assertNotIn(status, badges)
    self.assertIn("Without a verdict: 1 failed, 1 not run, 1 does not apply.", html)

  def test_decided_claims_come_first(self):
    shown = [attributes["id"] for attributes, _ in self._read().cards]
    status = {row["id"]: row["status"] for row in LEDGER.rows}
    self.assertEqual(
      [status[name.removeprefix("claim-")] for name in shown],
      [
        "not reproduced",
        "reproduced, but an artefact",
        "reproduced",
        "needs more compute",
        "failed",
        "not run",
        "does not apply",
      ],
    )

  def test_claims_are_chosen_by_verdict_without_a_program(self):
    page = self._read()
    buttons = {each["id"]: each for each in page.buttons}
    self.assertEqual({each["name"] for each in page.buttons}, {"show"})
    self.assertEqual(
      [each["id"] for each in page.buttons if "checked" in each], ["show-with-a-verdict"]
    )
    self.assertIn("show-all", buttons)
    self.assertNotIn("#show-all:checked", page_style.CSS)  # nothing is hidden
    of_card = {attributes["id"]: attributes["class"].split() for attributes, _ in page.cards}
    for row in LEDGER.rows:
      kind = report_page.slug(row["status"])
      self.assertIn(f"show-{kind}", buttons)
      rule = rf"#ledger:has\(#show-{kind}:checked\)\s+article:not\(\.{kind}, :target\)"
      self.assertRegex(page_style.CSS, rule)
      its = of_card[f"claim-{row['id']}"]
      self.assertIn(kind, its)
      self.assertEqual("with-a-verdict" in its, row["status"] not in trial.NO_VERDICT)
    html = report.html(PAGE, self._tables(), LEDGER)
    self.assertRegex(html, "<fieldset[^>]*><legend>Show claims</legend><label")

  def test_without_a_verdict_all_claims_are_shown(self):
    rows = tuple(row for row in LEDGER.rows if row["status"] == "not run")
    page = pages.Reader(report.html(PAGE, self._tables(), trial.Ledger(rows)))
    self.assertEqual([each["id"] for each in page.buttons if "checked" in each], ["show-all"])
    self.assertNotIn("show-with-a-verdict", [each["id"] for each in page.buttons])

  def test_a_claim_and_the_section_that_decides_it_are_linked(self):
    its = with_claims(PAGE, heads="claim.0 claim.2", formula="claim.1")
    html = report.html(its, self._tables(), LEDGER)
    card = html.partition('id="claim-claim.2"')[2].partition("</article>")[0]
    self.assertIn('<a href="#heads">What of heads?</a>', card)
    section = html.partition('<section id="heads"')[2].partition("</section>")[0]
    links = [link for link in pages.Reader(section).links if link.startswith("#claim")]
    # As in the ledger: what is not reproduced first.
    self.assertEqual(links, ["#claim-claim.2", "#claim-claim.0"])
    other = html.partition('id="claim-claim.3"')[2].partition("</article>")[0]
    self.assertNotIn("Read in:", other)

  def test_numbers_of_a_figure_are_named_and_linked(self):
    tables = self._in_runs("e0", "e4")
    for run in tables:
      for name in ("heads.seed.csv", "heads.csv", "headstrong.csv", "heads.json"):
        (self.folder / run / "results" / name).write_text("x")
    (self.folder / "e0" / "results" / "heads.link.csv").symlink_to("/etc/hostname")
    html = report.html(PAGE, tables, LEDGER, folder=self.folder)
    links = {link for link in pages.Reader(html).links if link.endswith("csv")}
    wanted = {f"./{run}/results/heads{end}.csv" for run in tables for end in (".seed", "")}
    self.assertEqual(links, wanted)
    for link in links:
      self.assertTrue((self.folder / link).is_file())
    caption = html.partition('alt="e4: What of heads?"')[2].partition("</figcaption>")[0]
    self.assertIn("The numbers: 2 CSV files beside this file", caption)
    self.assertIn("In e4/results/: ", caption)
    self.assertNotIn("e0/results", caption)

  def test_a_run_called_like_an_address_is_a_folder(self):
    name = 'javascript:alert(1)&"<b>'
    tables = self._in_runs(name)
    (self.folder / name / "results" / "heads.seed.csv").write_text("x")
    page = pages.Reader(report.html(PAGE, tables, LEDGER, folder=self.folder))
    (link,) = [link for link in page.links if link.endswith("csv")]
    self.assertEqual(link, f"./{urllib.parse.quote(name)}/results/heads.seed.csv")
    self.assertNotIn(":", link)

  def _in_runs(self, *names):
    """Returns tables whose figures lie in the folders of their runs."""
    tables = {}
    for run in names:
      for part in ("figures", "results"):
        (self.folder / run / part).mkdir(parents=True)
      tables[run] = {}
      for name in NAMES:
        path = self.folder / run / "figures" / f"{name}.png"
        path.write_bytes(PNG)
        origin = {"seeds": [0]}
        tables[run][name] = report.Stored(a_result(), origin, False, path)
    return tables

  def test_all_claims_are_linked_as_a_table_that_exists(self):
    html = lambda: report.html(PAGE, self._tables(), LEDGER, folder=self.folder)
    self.assertNotIn("claims.csv", html())
    (self.folder / "claims.csv").write_text("x")
    self.assertIn('<a href="./claims.csv">claims.csv</a>', html())

  def test_of_many_runs_all_but_the_comparison_is_folded(self):
    runs = [f"run{i}" for i in range(report.MANY + 1)]
    tables = {run: self._tables(run)[run] for run in runs}
    html = report.html(PAGE, tables, LEDGER)
    section = html.partition('<section id="heads"')[2].partition("</section>")[0]
    page = pages.Reader(section)
    self.assertIn("Run by run: 2 runs", section)
    self.assertLess({"run1", "run2"}, set(page.folded))
    self.assertNotIn("Every number of heads.", "".join(page.folded))
    self.assertNotIn("stale", section)
    tables["run1"]["heads"] = dataclasses.replace(tables["run1"]["heads"], stale=True)
    html = report.html(PAGE, tables, LEDGER)
    self.assertIn("<summary>Run by run: 2 runs, 1 stale</summary>", html)
    self.assertIn("<summary>9 results, 1 stale</summary>", html)
    few = dict(list(tables.items())[: report.MANY])
    self.assertNotIn("Run by run", report.html(PAGE, few, LEDGER))

  def test_terms_are_linked_where_a_text_uses_them_first(self):
    terms = {"mask": "Weights set to 0.", "AR": "A <filter>.", "known": "Of a prime."}
    its = dataclasses.replace(PAGE, glossary=terms)
    text = "Masks of AR(24), masked, unknown; a mask is known & <b>."
    slice_ = dataclasses.replace(its.slices["heads"], text=text)
    html = report.html(
      dataclasses.replace(its, slices=its.slices | {"heads": slice_}), self._tables(), LEDGER
    )
    section = html.partition('<section id="heads"')[2].partition("</section>")[0]
    link = lambda word, term: f'<a href="#term-{term}" class="term">{word}</a>'
    self.assertIn(
      f"{link('Mask', 'mask')}s of {link('AR', 'AR')}(24), masked, unknown; a mask is"
      f" {link('known', 'known')} &amp; &lt;b&gt;.",
      section,
    )
    words = html.partition('<section id="glossary"')[2]
    for term in (*terms, "not run", "stale", "null"):
      self.assertIn(f'id="term-{report_page.slug(term)}">{term}</dt>', words)
    self.assertIn("A &lt;filter&gt;.", words)

  def test_the_first_paragraph_leads_and_the_others_are_read_with_the_words(self):
    its = dataclasses.replace(PAGE, about="What it is.\n\nHow it is\nread.")
    html = report.html(its, self._tables(), LEDGER)
    self.assertIn('<p class="lead">What it is.</p>', html)
    self.assertIn("<p>How it is read.</p>", html.partition('<section id="glossary"')[2])

  def test_the_list_of_questions_folds_those_that_no_run_was_asked(self):
    tables = self._tables()
    del tables["e0"]["heads"]
    html = report.html(PAGE, tables, LEDGER)
    section = html.partition('<section id="questions"')[2].partition("</section>")[0]
    self.assertIn("1 question that no run on this page was asked", section)
    self.assertEqual("".join(pages.Reader(section).folded), "What of heads?")

  def test_the_page_may_run_nothing_and_fetch_nothing(self):
    text = report_page.page("a")
    self.assertRegex(text, "<head>.*Content-Security-Policy[^>]*default-src 'none'")
    self.assertNotIn("script-src", text)

  def test_text_and_attributes_are_escaped_and_printable(self):
    text = report_page.tag("p", "<b>\x1b[2J\ud800\n", title="\"'<\x07", class_='a"')
    self.assertEqual(
      text,
      '<p title="&quot;&#x27;&lt;\\x07" class="a&quot;">&lt;b&gt;\\x1b[2J\\ud800\n</p>',
    )

  def test_a_long_cell_of_brackets_takes_no_time(self):
    report_page.table(("a",), [("<" * 200_000,)], caption="c")

  def test_only_a_picture_of_the_run_is_shown(self):
    figures = self.folder / "run" / "figures"
    figures.mkdir(parents=True)
    (self.folder / "secret.png").write_bytes(PNG)
    shown = lambda name: report_page.figure(figures / name, "c")
    (figures / "a.png").write_bytes(PNG)
    self.assertIn(base64.b64encode(PNG).decode(), shown("a.png"))
    (figures / "words.png").write_text("words")
    (figures / "link.png").symlink_to(self.folder / "secret.png")
    (figures / "inside.png").symlink_to("a.png")
    with open(figures / "large.png", "wb") as file:
      file.write(PNG)
      file.truncate(report_page.LARGEST + 1)
    for name in ("words.png", "link.png", "large.png"):
      self.assertIn("is no PNG file of this run", shown(name))
    self.assertIn("data:image/png", shown("inside.png"))
    self.assertIn("missing", shown("none.png"))

  def test_numbers_that_are_not_there_are_dashes(self):
    self.assertEqual(report_page.number(float("nan")), "–")
    self.assertEqual(report_page.number(None), "–")
    self.assertEqual(report_page.interval(float("nan"), 1.0), "–")
    self.assertEqual(report_page.number(4802336), "4,802,336")
    self.assertEqual(report_page.number(-0.00001), "0.0000")


if __name__ == "__main__":
  absltest.main()
