import base64
import contextlib
import dataclasses
import io
import pathlib
import re
import tempfile
from html import parser

import report_examples as examples
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.lens import legacy, report
from primelens.lens import page as report_page
from primelens.studies.zeros import published, report_losses
from primelens.studies.zeros import report as zeros_report

PAGE = legacy.presented(zeros_report.REPORT)
PNG = b"\x89PNG\r\n\x1a\n not a picture, but bytes to embed"
VOID = {"meta", "img", "input"}
NAMES = ("anchors",)


class _Reader(parser.HTMLParser):
  """Collects text, links and tables, and fails on unbalanced tags."""

  def __init__(self, text):
    super().__init__()
    self.open, self.links, self.text, self.tables = [], [], [], []
    self.feed(text)
    self.close()
    assert not self.open, self.open

  def handle_starttag(self, tag, attrs):
    self.links += [v for k, v in attrs if k in ("src", "href", "action")]
    if tag == "table":
      self.tables.append((dict(attrs).get("aria-label", ""), []))
    if tag == "tr":
      self.tables[-1][1].append([])
    if tag in ("td", "th"):
      self.tables[-1][1][-1].append("")
    if tag not in VOID:
      self.open.append(tag)

  def handle_endtag(self, tag):
    assert self.open.pop() == tag, tag

  def handle_data(self, data):
    if "style" not in self.open:
      self.text.append(data)
    if {"td", "th"} & set(self.open):
      self.tables[-1][1][-1][-1] += data

  def table(self, start):
    (rows,) = (rows for label, rows in self.tables if label.startswith(start))
    return rows


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
    return {run: {"anchors": self._stored("anchors", examples.anchors_result())}}

  def _read(self, tables=None, ledger=examples.LEDGER):
    tables = self._tables() if tables is None else tables
    path = report.write(self.folder / "new" / "report.html", PAGE, tables, ledger)
    self.assertEqual([path], list(path.parent.iterdir()))
    return _Reader(path.read_text(encoding="utf-8"))

  def test_tags_balance_and_nothing_is_fetched(self):
    page = self._read()
    for link in page.links:
      self.assertRegex(link, r"^(#[a-z]+|data:image/png;base64,)")
    html = report.html(PAGE, self._tables(), examples.LEDGER)
    self.assertNotRegex(html, r"https?:|@import|url\(|<script|<link")

  def test_contents_point_to_sections(self):
    html = report.html(PAGE, self._tables(), examples.LEDGER)
    targets = [link[1:] for link in self._read().links if link[0] == "#"]
    self.assertEqual(targets, ["ledger", *PAGE.sections, "provenance"])
    for target in targets:
      self.assertIn(f'<section id="{target}"', html)

  def test_every_claim_is_there_with_its_numbers(self):
    page = self._read()
    text = "\n".join(page.text)
    for row in examples.LEDGER.rows:
      for key in ("id", "statement", "source", "reported", "because", "status"):
        self.assertIn(row[key], text)
    numbers = [rows for label, rows in page.tables if label == "Behind it"]
    for rows in numbers:
      self.assertEqual(rows[1], ["gain, run <e0>", "0.123457"])
    shown = [rows[2] for rows in numbers]
    self.assertCountEqual(shown, [["heads", str(7 + i)] for i in range(len(examples.LEDGER.rows))])

  def test_a_fault_in_one_section_costs_no_other(self):
    def fault(tables):
      raise KeyError("lead")

    broken = dataclasses.replace(
      zeros_report.REPORT,
      sections=PAGE.sections | {"losses": ("Losses", fault)},
      summary=lambda *_: fault(None),
    )
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
      html = report.html(legacy.presented(broken), self._tables(), examples.LEDGER)
    self.assertIn("the report's section 'Losses' failed: KeyError: 'lead'", err.getvalue())
    text = "".join(_Reader(html).text)
    self.assertIn("This section could not be made (KeyError: 'lead').", text)
    self.assertIn("The summary could not be made", text)
    for other in set(PAGE.sections) - {"losses"}:
      self.assertIn(f'<section id="{other}"', html)

  def test_text_is_escaped(self):
    hostile = '<img src=x onerror="alert(1)">&amp;'
    html = report.html(PAGE, self._tables(run=hostile), examples.LEDGER)
    self.assertNotIn("<img src=x", html)
    self.assertIn(hostile, "\n".join(_Reader(html).text))

  def test_figures_are_embedded_byte_for_byte(self):
    data = [link for link in self._read().links if link.startswith("data:")]
    found = [base64.b64decode(link.partition(",")[2]) for link in data]
    self.assertEqual(found, [PNG + name.encode() for name in NAMES])

  def test_missing_figure_is_named(self):
    tables = self._tables()
    tables["e0"]["anchors"].figure_path.unlink()
    self.assertIn("anchors.png is missing", "\n".join(self._read(tables).text))

  def test_anchors_table_equals_the_stored_numbers(self):
    stored = examples.anchors_result()
    rows = self._read().table("NLL in nats per spacing on 98,765 spacings")[1:]
    self.assertLen(rows, len(stored.table))
    by_name = {row["name"]: row for row in stored.table}
    order = [by_name[row[0]]["nll_nats"] for row in rows]
    self.assertEqual(order, sorted(order))
    for name, count, nll, interval, r2, change, _ in rows:
      want = by_name[name]
      self.assertEqual(int(count.replace(",", "")), want["parameters"])
      self.assertAlmostEqual(float(nll), want["nll_nats"], delta=5.1e-5)
      self.assertAlmostEqual(float(r2), want["r2"], delta=5.1e-4)
      low, high = map(float, interval.strip("[]").split(","))
      self.assertAlmostEqual(low, want["low"], delta=5.1e-5)
      self.assertAlmostEqual(high, want["high"], delta=5.1e-5)
      if not name.startswith("model"):
        change, low, _ = map(float, re.findall(r"[+-][\d.]+", change))
        self.assertAlmostEqual(change, want["model_minus_nats"], delta=5.1e-5)
        self.assertAlmostEqual(low, want["model_minus_low"], delta=5.1e-5)

  @parameterized.parameters((-0.2, -0.1, "ahead"), (0.1, 0.2, "behind"), (-0.1, 0.1, "undecided"))
  def test_standing_is_by_the_paired_interval(self, low, high, expected):
    row = {"model_minus_low": low, "model_minus_high": high}
    self.assertEqual(report_losses.standing(row), expected)

  def test_comparison_has_published_networks_filters_and_our_runs(self):
    tables = self._tables()
    tables["postfix"] = {
      "anchors": self._stored("anchors", examples.anchors_result("postfix", 0.1501))
    }
    rows = self._read(tables).table("NLL in nats per spacing, best first")[1:]
    losses = [float(row[1]) for row in rows]
    self.assertEqual(losses, sorted(losses))
    found = {row[0]: (float(row[1]), row[2]) for row in rows}
    self.assertEqual(found["model (postfix)"], (0.150, "this page"))
    self.assertEqual(found["E4, POSTFIX, seed 7"], (0.188, "published"))
    self.assertEqual(found["AR(24)"], (0.124, "linear filter"))
    others = len(published.NETWORKS) + len(published.FILTERS)
    self.assertLen(rows, others + 2)

  @parameterized.parameters(*((name,) for name in NAMES))
  def test_absent_analysis_says_what_to_run(self, name):
    tables = self._tables()
    del tables["e0"][name]
    text = "".join(self._read(tables).text)
    self.assertIn(f"e0: not run: analyze.py --only={name}", text)

  def test_page_and_summary_without_any_result(self):
    empty = trial.Ledger(rows=())
    for tables in ({}, {"e0": {}}):
      text = "".join(self._read(tables, empty).text)
      self.assertIn("not run: analyze.py --only=anchors", text)
      self.assertLen(zeros_report.REPORT.summary(tables, empty), 3)

  def test_stale_results_are_marked(self):
    tables = self._tables()
    self.assertNotIn(">stale<", report.html(PAGE, tables, examples.LEDGER))
    tables["e0"]["anchors"] = dataclasses.replace(tables["e0"]["anchors"], stale=True)
    self.assertEqual(report.html(PAGE, tables, examples.LEDGER).count(">stale<"), 2)

  def test_provenance(self):
    page = self._read()
    rows = page.table("Code is a git revision")
    self.assertEqual([row[1] for row in rows[1:]], list(NAMES))
    want = ["1,234", "abcdef012345-dirty", "1cebd3bf17c7", "3, 4", "6.5"]
    self.assertEqual(rows[1][2:], [*want, "current"])
    self.assertIn('"jax": "9.8.7"', "".join(page.text))

  def test_no_percentage_but_that_of_the_intervals(self):
    text = "".join(self._read(ledger=trial.Ledger(rows=())).text)
    self.assertEqual(set(re.findall(r"[\d.]+ ?%", text)), {"95 %"})

  def test_summary_has_three_lines_with_the_stored_numbers(self):
    lines = zeros_report.REPORT.summary(self._tables(), examples.LEDGER)
    self.assertLen(lines, 3)
    for part in ("4,802,336", "+0.188", "24", "+0.124", "-0.561", "-0.625"):
      self.assertIn(part, lines[0])
    self.assertIn("+0.251 [+0.231, +0.281]", lines[1])
    self.assertIn("ahead of AR(3) (+0.422)", lines[1])
    self.assertIn("behind adaptive AR(256) (-0.912)", lines[1])
    self.assertNotIn("AR(64)", lines[1])  # undecided
    self.assertIn("1 not reproduced; 1 needs more compute", lines[2])

  def test_headline_is_true_of_the_published_numbers(self):
    better = published.AR24["nll_nats"], published.ADAPTIVE_128["nll_nats"]
    worse = published.E4["nll_nats"], published.E0["nll_nats"]
    self.assertLess(better[0], worse[0])
    self.assertLess(better[1], worse[1])

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
