"""`make results`: the plan, runs that are made and made on, and pages that say what tables say."""

import csv
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

from absl.testing import absltest

sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))
sys.path.insert(0, str(Path(__file__).parent / "studies"))
import result_pages as pages
import results as bench
import tiny_study
from primelens.lens import analyze, cli, runs, study, train
from primelens.lens import experiment as experiment_lib

ROOT = Path(__file__).parent.parent
COUNTS = ("--config.fit.steps=20", "--config.fit.dispatch=10", "--config.fit.snapshot_every=10")
SMALL = ("--config.task.digits=7", "--config.model.vocabulary=8", "--config.model.classes=7")
ADDER = bench.Run(
  config="addition:p53,2",
  train=1,
  read=1,
  only=("progress",),
  changes=(*COUNTS, *SMALL, "--config.fit.checkpoint_every=20"),
)
ZEROS = bench.Run(config=tiny_study.__file__, train=1, read=1, only=("form_factor", "operators"))
BROKEN = bench.Run(config="addition:p113", train=1, read=1, changes=("--config.fit.steps=-1",))
FILE = bench.Run(config="text:imported", train=1, read=1, file="model.checkpoint")


def page_of(*names: str) -> str:
  """Returns a page with room for tables."""
  rooms = [f"{pages.BEGIN.format(name)}\n{pages.END.format(name)}" for name in names]
  return "\n\n".join(["Before.", *rooms, "After.\n"])


class PlanTest(absltest.TestCase):
  def test_every_run_is_one_that_can_be_trained_and_read(self):
    for name, plan in bench.PLAN.items():
      its = study.find(name)
      for run in plan:
        with self.subTest(run.config):
          (config,) = cli.load_configs(run.config).values()
          self.assertEqual(config.study, name)
          self.assertContainsSubset(run.only, its.slices)
          settings = experiment_lib.of_study(config.analyses, its)
          experiment_lib.validated(cli.assign(settings, list(run.settings)))
          able = [key for key in run.only or its.slices if not its.slices[key].obstacle(config)]
          self.assertNotEmpty(able)

  def test_names_of_a_study_differ(self):
    for name, plan in bench.PLAN.items():
      names = [bench.name_of(run) for run in plan]
      self.assertLen(set(names), len(names), name)

  def test_every_question_is_asked_of_some_run(self):
    for name, plan in bench.PLAN.items():
      slices = study.find(name).slices
      asked = {key for run in plan for key in run.only or slices}
      self.assertEqual(asked, set(slices), name)

  def test_tables_of_a_page_are_of_questions_and_runs_of_the_plan(self):
    self.assertContainsSubset(bench.SHOWN, bench.PLAN)
    for name, shown in bench.SHOWN.items():
      asked = {bench.name_of(run): run.only for run in bench.PLAN[name]}
      for each in shown:
        with self.subTest(each):
          self.assertIn(each.question, study.find(name).slices)
          for run in each.apart:
            self.assertTrue(not asked[run] or each.question in asked[run])

  def test_a_study_that_is_none(self):
    with self.assertRaisesRegex(ValueError, "'zeta'.*; valid: zeros, addition"):
      bench._main(["results.py", "--studies=zeta"])


class MadeTest(absltest.TestCase):
  """A tiny plan, from nothing to pages, in this process."""

  def setUp(self):
    super().setUp()
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    names = ("runs", "tables", "docs", "README.md", "checks.md")
    self.place = bench.Place(*(folder / name for name in names))
    self.place.readme.write_text(page_of("verdicts"))
    self.place.checks.write_text(page_of("speed", "reliability"))
    self.called: list[tuple[str, str]] = []

  def call(self, command, flags, log):
    self.called.append((command, next(f for f in flags if not f.startswith("--workdir"))))
    main = {"train": train.main, "analyze": analyze.main}[command]
    code, _, err = tiny_study.call(main, *flags)
    self.said = err
    return code

  def make(self, plan):
    maker = bench.Maker(plan, self.call, self.place)
    with mock.patch.object(cli, "say") as said:
      code = maker.run()
    self.lines = [str(args[0]) for args, _ in said.call_args_list]
    return code, maker.failed

  def test_from_nothing_to_pages_and_on(self):
    plan = {"zeros": (ZEROS,), "addition": (BROKEN, ADDER), "text": (FILE,)}
    sequences = bench.Shown(
      "form_factor", "sequences", ("tiny_study", "another"), "zeros|CUE", picture="tiny_study"
    )
    shown = {"zeros": (sequences,), "addition": (bench.Shown("progress", "phases"),)}
    self.enterContext(mock.patch.dict(bench.SHOWN, shown))
    code, failed = self.make(plan)
    with self.subTest("a part that fails is named, and the others are made"):
      self.assertEqual(code, cli.USER_ERROR)
      self.assertLen(failed, 1)
      self.assertRegex(failed[0], r"addition \[1/2\] p113: training ended with exit code 2")
      self.assertIn(f"not made: {failed[0]}", self.lines)
      trained = [name for command, name in self.called if command == "train"]
      self.assertEqual(trained, [f"--config={run.config}" for run in (ZEROS, BROKEN, ADDER)])
    with self.subTest("what lacks a file is said"):
      self.assertTrue(any("--reference=FILE" in line for line in self.lines))
    with self.subTest("what is written"):
      names = sorted(path.name for path in self.place.tables.iterdir())
      tables = ["addition.json", "addition_claims.csv", "addition_numbers.csv"]
      tables += ["addition_progress_phases.csv", "zeros.json", "zeros_claims.csv"]
      self.assertEqual(names, [*tables, "zeros_form_factor_sequences_tiny_study.csv"])
      self.assertEqual(
        sorted(path.name for path in self.place.pages.iterdir()),
        ["addition.md", "zeros.md", "zeros_form_factor.png"],
      )
      made = self.place.runs / "zeros" / "tiny_study" / "figures" / "form_factor.png"
      kept = self.place.pages / "zeros_form_factor.png"
      self.assertEqual(kept.read_bytes(), made.read_bytes())
    with self.subTest("no path of this machine, and what was run"):
      for path in (*self.place.tables.iterdir(), *self.place.pages.glob("*.md")):
        self.assertNotIn(str(self.place.runs), path.read_text())
        self.assertNotIn(str(ROOT), path.read_text())
      about = json.loads((self.place.tables / "addition.json").read_text())
      (run,) = about["runs"]
      self.assertEqual(run["config"], "addition:p53,2")
      self.assertEqual((run["seeds"], run["step"]), ([0, 1], 20))
      self.assertEqual(run["read_at"], [runs.revision()])
      self.assertRegex(about["device"], f"^{cli.cores()} CPU cores?$")
      self.assertEqual(about["left_out"], [{"config": "addition:p113", "why": "not made"}])
      self.assertIn("[addition](docs/results/addition.md)", self.place.readme.read_text())
    with self.subTest("tables of the report stand on the page, those rows that are named"):
      told = (self.place.pages / "zeros.md").read_text()
      self.assertIn("](zeros_form_factor.png)", told)
      text = (self.place.tables / "zeros_form_factor_sequences_tiny_study.csv").read_text()
      rows = list(csv.DictReader(text.splitlines()))
      wanted = [row["sequence"] for row in rows if re.search("zeros|CUE", row["sequence"])]
      self.assertBetween(len(wanted), 1, len(rows) - 1)
      part = told[told.index("zeros_form_factor_sequences_tiny_study.csv") :].partition("\n\n")[2]
      lines = part.partition("\n\n")[0].splitlines()[2:]
      self.assertLen(lines, len(wanted))
      for line, name in zip(lines, wanted, strict=True):
        self.assertIn(name, line)
    before = tiny_study.files(self.place.tables.parent)
    with self.subTest("once more: nothing is trained, read or changed"):
      self.called.clear()
      code, _ = self.make({"zeros": (ZEROS,), "addition": (ADDER,)})
      self.assertEqual(code, 0)
      only = {name for _, name in self.called}
      self.assertEqual(only, {"--only=report"})
      again = tiny_study.files(self.place.tables.parent)
      changed = {name for name in before if before[name] != again.get(name)}
      self.assertContainsSubset(
        changed,
        {"tables/addition.json", "docs/addition.md"}
        | {name for name in before if "report" in name or "/figures/" in name},
      )
    with self.subTest("a result that is gone is made again, alone"):
      (self.place.runs / "zeros" / "tiny_study" / "results" / "operators.json").unlink()
      self.called.clear()
      self.assertEqual(self.make({"zeros": (ZEROS,)})[0], 0)
      self.assertEqual(self.called[0], ("analyze", "--only=operators"))
    with self.subTest("the list says what is there"):
      listed = bench.listing({"zeros": (ZEROS,), "addition": (BROKEN,)}, self.place)
      self.assertRegex(listed, r"tiny_study +0\.0 +0\.0  is there")
      self.assertRegex(listed, r"p113 +1\.0 +1\.0\n0\.0 hours")

  def test_the_user_ends_it(self):
    calls = []

    def interrupted(command, flags, log):
      calls.append(command)
      return cli.INTERRUPTED

    maker = bench.Maker({"zeros": (ZEROS, ADDER)}, interrupted, self.place)
    with mock.patch.object(cli, "say"):
      self.assertEqual(maker.run(), cli.INTERRUPTED)
    self.assertEqual(calls, ["train"])

  def test_the_longest_starts_first(self):
    began = []

    def fails(command, flags, log):
      began.append(flags[0])
      return 1

    long = dataclasses.replace(BROKEN, read=5)
    maker = bench.Maker({"addition": (ADDER, long)}, fails, self.place)
    with mock.patch.object(cli, "say"):
      maker.run()
    self.assertEqual(began, ["--config=addition:p113", "--config=addition:p53,2"])

  def test_side_by_side(self):
    both = threading.Barrier(2, timeout=30)
    logs = []

    def meets(command, flags, log):
      both.wait()
      logs.append(log.name)
      return 1

    plan = {"addition": (ADDER, BROKEN)}
    maker = bench.Maker(plan, meets, self.place, jobs=2)
    with mock.patch.object(cli, "say"):
      self.assertEqual(maker.run(), 1)
    self.assertLen(maker.failed, 2)
    self.assertCountEqual(logs, ["p53-2.log", "p113.log"])


class CallTest(absltest.TestCase):
  """Child processes: their exit codes, and a signal that is passed on."""

  def setUp(self):
    super().setUp()  # in the background of a shell an interrupt is ignored
    self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
    signal.signal(signal.SIGINT, signal.default_int_handler)

  def child(self, text):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    (folder / "train.py").write_text(text)
    log = folder / "log"
    with mock.patch.object(bench, "ROOT", folder), bench.Children() as children:
      return children.call("train", ["7"], log)

  def test_exit_codes(self):
    self.assertEqual(self.child("import sys; sys.exit(int(sys.argv[1]))"), 7)
    kill = "import os, signal; os.kill(os.getpid(), signal.{})"
    self.assertEqual(self.child(kill.format("SIGKILL")), 137)
    self.assertEqual(self.child(kill.format("SIGTERM")), cli.INTERRUPTED)

  def test_a_signal_reaches_the_child(self):
    # A process of pytest-xdist ignores SIGINT.
    text = (
      "import os, signal, sys, time\n"
      "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
      "os.kill(os.getppid(), signal.SIGTERM)\n"
      "time.sleep(60)\n"
    )
    before = signal.getsignal(signal.SIGTERM)
    self.assertEqual(self.child(text), 9)
    self.assertEqual(signal.getsignal(signal.SIGTERM), before)

  def test_one_that_comes_before_the_child_too(self):
    ready = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with bench.Children() as children:
      os.kill(os.getpid(), signal.SIGTERM)
      children.follow(ready)
      self.assertEqual(ready.wait(), -signal.SIGTERM)

  def test_every_process_has_its_share_of_the_cores(self):
    with mock.patch.object(os, "sched_getaffinity", lambda _: {0, 2, 3, 5, 6}, create=True):
      self.assertEqual(bench.shares(1), [set()])
      self.assertEqual(bench.shares(2), [{0, 2}, {3, 5}])
      self.assertEqual(bench.shares(7), [{0}, {2}, {3}, {5}, {6}, {0}, {2}])

  @unittest.skipUnless(hasattr(os, "sched_setaffinity"), "no cores are named on this system")
  def test_a_child_runs_on_its_share_and_says_so_into_its_file(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    text = "import os, time\ntime.sleep(0.5)\nprint(sorted(os.sched_getaffinity(0)))\n"
    (folder / "train.py").write_text(text)
    (core,) = sorted(os.sched_getaffinity(0))[:1]
    with (
      mock.patch.object(bench, "ROOT", folder),
      mock.patch.object(bench, "shares", lambda _: [{core}]),
      bench.Children(2) as children,
    ):
      self.assertEqual(children.call("train", [], folder / "log"), 0)
    self.assertEqual((folder / "log").read_text(), f"[{core}]\n")


class PagesTest(absltest.TestCase):
  """Pages are what the tables say, and nothing else."""

  def setUp(self):
    super().setUp()
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    tables = folder / "tables"
    shutil.copytree(ROOT / "bench" / "results", tables)
    shutil.copytree(ROOT / "docs" / "results", folder / "pages")
    for name in ("README.md", "docs/checks.md"):
      shutil.copy(ROOT / name, folder)
    written = (folder / name for name in ("pages", "README.md", "checks.md"))
    self.place = bench.Place(folder / "runs", tables, *written)

  def other(self) -> list[str]:
    """Returns the files that are not what the tables say."""
    made = bench.made_of(self.place)
    return sorted(path.name for path, text in made.items() if path.read_text() != text)

  def test_made_again_they_are_the_same(self):
    self.assertEmpty(self.other(), "run: python bench/results.py --write")
    generated = {path.name for path in bench.made_of(self.place)}
    for path in self.place.pages.glob("*.md"):
      self.assertIn(path.name, generated)

  def test_another_verdict_or_number_is_another_page(self):
    place = self.place.tables / "text_claims.csv"
    with place.open(newline="") as file:
      rows = list(csv.DictReader(file))
    rows[0]["status"] = "needs more compute"
    place.write_text(bench.results.table(rows))
    self.assertEqual(self.other(), ["README.md", "text.md"])

  def test_another_date_too(self):
    place = self.place.tables / "primes.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"date": "1999-12-31"}))
    self.assertEqual(self.other(), ["README.md", "primes.md"])

  def test_another_speed_too(self):
    place = self.place.tables / "probes_cpu.json"
    place.write_text(place.read_text().replace("scikit-learn, one by one", "another"))
    self.assertEqual(self.other(), ["checks.md"])

  def test_a_page_without_room(self):
    with self.assertRaisesRegex(ValueError, "The page lacks the lines"):
      pages.within("nothing", "verdicts", "made")


class TextTest(absltest.TestCase):
  """Text of others in tables of markdown."""

  def test_markup_is_shown_as_it_is(self):
    self.assertEqual(pages.cell("a|b\n *c* <d> `e` [f]"), r"a\|b \*c\* \<d> \`e\` \[f]")

  def test_numbers(self):
    shown = [pages.number(text) for text in ("0.123456", "nan", "", "by eye", "12")]
    self.assertEqual(shown, ["0.1235", "–", "–", "by eye", "12"])

  def test_ranges(self):
    self.assertEqual(pages.ranges([0, 1, 2, 5, 7, 8]), "0 to 2, 5, 7 to 8")

  def test_quotes_of_formulas_are_undone(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    texts = ["=1+1", "'quoted'", "plain", "-0.5"]
    rows = [{"statement": text} for text in texts]
    (folder / "x_claims.csv").write_text(bench.results.table(rows))
    (folder / "x.json").write_text("{}")
    self.assertEqual([row["statement"] for row in pages.read(folder, "x").claims], texts)

  def test_claims_that_are_decided_come_first(self):
    row = lambda status: dict(statement=status, reported="1", status=status, because="so")
    order = ("not run", "needs more compute", "reproduced")
    about = {"title": "X", "date": "today", "device": "a core", "revision": "abc", "versions": {}}
    about |= {"runs": [], "words": {"z": "In."}}
    text = pages.page(pages.Found("x", about, [row(status) for status in order], []))
    where = [text.index(f"| {status} | 1 |") for status in reversed(order)]
    self.assertEqual(where, sorted(where))
    self.assertIn("## Claims without a verdict", text)
    self.assertIn("## Words\n\n* **z.** In.\n", text)


if __name__ == "__main__":
  absltest.main()
