import contextlib
import dataclasses
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import tiny_study
import zeros_linear
from absl.testing import absltest, parameterized
from primelens.lens import analyze, results, study
from primelens.studies import zeros

ZEROS = study.find("zeros")
NAMES = ", ".join([*zeros.ORDER, "claims", "report"])


class CommandCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.run_ = self.folder / "one"
    shutil.copytree(tiny_study.trained(), self.run_)

  def analyze(self, *flags):
    return tiny_study.call(analyze.main, *flags)

  def store(self, revision="", step=20):
    """Writes a made-up result of `linear` into the run."""
    origin = {"checkpoint_step": step, "revision": revision}
    found = zeros_linear.by_hand()
    results.write(self.run_ / "results", "linear", found, provenance=origin)

  def assert_refused(self, result, message: str, before) -> None:
    """One line on stderr with the message, exit code 2, nothing written."""
    code, out, err = result
    self.assertEqual((code, out), (2, ""), err)
    self.assertRegex(err, f"^error: .*{message}")
    self.assertEqual(err.count("\n"), 1, err)
    self.assertEqual(tiny_study.files(self.folder), before)


class FaultTest(CommandCase):
  def test_a_comparison_of_the_folder_that_one_stands_in(self):
    self.enterContext(contextlib.chdir(self.run_))
    code, _, err = self.analyze("--workdir=.", "--only=claims")
    self.assertEqual(code, 0, err)
    _, origin = results.read(self.run_ / "results", "claims")
    self.assertEqual(origin["runs"], ["one"])

  def test_a_fault_in_one_analysis_costs_no_other(self):
    def fault(run):
      raise KeyError("lead")

    measure = lambda run: zeros_linear.by_hand()
    made = dataclasses.replace(ZEROS.slices["linear"], measure=measure)
    broken = dataclasses.replace(ZEROS.slices["heads"], measure=fault)
    with mock.patch.dict(ZEROS.slices, {"linear": made, "heads": broken}):
      code, out, err = self.analyze(f"--workdir={self.run_}", "--only=heads,linear,claims")
    self.assertEqual(code, 70)
    self.assertRegex(err, r"error: one: heads: unexpected KeyError: 'lead' \(a fault of primelens")
    self.assertTrue((self.run_ / "results" / "linear.json").exists())
    self.assertIn("claims.json", out)


class MissingTest(CommandCase):
  """--missing: what is not stored, is damaged, or is of another checkpoint."""

  NAMES = ("linear", "heads")

  def read_again(self, *flags) -> list[str]:
    """Returns what the command measures."""
    measured = []

    def measure(name):
      return lambda run: measured.append(name) or zeros_linear.by_hand()

    made = {
      name: dataclasses.replace(
        ZEROS.slices[name], measure=measure(name), figures=None, tables=None
      )
      for name in self.NAMES
    }
    with mock.patch.dict(ZEROS.slices, made):
      code, _, err = self.analyze(f"--workdir={self.run_}", "--only=linear,heads", *flags)
    self.assertEqual(code, 0, err)
    return measured

  def test_what_is_stored_of_the_newest_checkpoint_is_kept(self):
    self.store(revision="another")
    self.assertEqual(self.read_again("--missing"), ["heads"])
    self.assertEqual(self.read_again("--missing"), [])
    self.assertEqual(self.read_again(), ["heads", "linear"])  # the order of the study

  def test_of_another_checkpoint_it_is_made_again(self):
    self.read_again()
    self.store(step=10)
    self.assertEqual(self.read_again("--missing"), ["linear"])

  def test_a_damaged_one_is_made_again(self):
    self.read_again()
    path = self.run_ / "results" / "heads.npz"
    path.write_bytes(path.read_bytes()[:-9])
    self.assertEqual(self.read_again("--missing"), ["heads"])

  def test_other_settings_are_refused(self):
    before = tiny_study.files(self.folder)
    flags = (f"--workdir={self.run_}", "--missing", "--set=masking.windows=4")
    self.assert_refused(self.analyze(*flags), "leave out --set", before)


class BadFlagsTest(CommandCase):
  @parameterized.parameters(
    ("--only=spectra", f"No analysis 'spectra'; valid: {NAMES}"),
    ("--only=masking,head", f"No analysis 'head'; valid: {NAMES}"),
    ("--set=masking.window=3", "No field 'window' in 'masking.window'; valid"),
    ("--set=fft.size=3", "No field 'fft' .* masking, heads, "),
    ("--set=masking.windows=all", "masking.windows='all' is not a int"),
    ("--set=masking.windows", "is not of the form a.b=value"),
    ("--set=symbolic.backend=gplearn", "'gplearn' is not one of pyoperon, py"),
    ("--set=parameters=worst", "'worst' is not one of best, last"),
    ("--set=masking.ratios=0.5,0.9", "masking.ratios=.* hold 0, the intact"),
    ("--set=masking.ratios=0,1.5", "has 1.5, which must be at least 0 and at most 1"),
    ("--set=evaluation.batch=0", "evaluation.batch=0 must be at least 1"),
    ("--set=bootstrap.samples=0", "bootstrap.samples=0 must be at least 20"),
    ("--set=symbolic.lags=3", "symbolic.lags=3 must be at least 5 and at most 8"),
    ("--set=linear.long_order=2", "linear.long_order=2 must be at least 3"),
    ("--onyl=masking", "Unknown command line flag 'onyl'.*only"),
    ("masking", "Unexpected argument 'masking'"),
    ("--workdir=", "has an empty name"),
  )
  def test_refused(self, flag, message):
    before = tiny_study.files(self.folder)
    result = self.analyze(f"--workdir={self.run_}", flag)
    self.assert_refused(result, message, before)

  def test_claims_alone_check_their_settings_too(self):
    before = tiny_study.files(self.folder)
    result = self.analyze(f"--workdir={self.run_}", "--only=claims", "--set=masking.window=3")
    self.assert_refused(result, "No field 'window'", before)


class BadRunTest(CommandCase):
  @parameterized.parameters("--only=linear", "--only=claims", "--only=report")
  def test_a_missing_run(self, only):
    before = tiny_study.files(self.folder)
    absent = self.folder / "absent"
    for workdir in (absent, f"{self.run_},{absent}", self.run_ / "snapshots"):
      with self.subTest(str(workdir)):
        result = self.analyze(f"--workdir={workdir}", only)
        self.assert_refused(result, "No run in .*: train one with", before)

  def test_two_runs_of_one_name(self):
    other = self.folder / "other" / "one"
    shutil.copytree(self.run_, other)
    before = tiny_study.files(self.folder)
    result = self.analyze(f"--workdir={self.run_},{other}", "--only=report")
    self.assert_refused(result, "Two run directories are called 'one'", before)

  @parameterized.parameters(
    ("config.json", lambda x: x[: len(x) // 2], "config.json is not readable"),
    (
      "config.json",
      lambda x: x.replace(b'"kind": "spacing"', b'"kind": "rnn"'),
      "config.json: model.kind='rnn' is not one of binned, encoder",
    ),
    (
      "config.json",
      lambda x: x.replace(b'"batch_size"', b'"batchsize"'),
      "config.json: Unknown field fit.batchsize; valid: steps, batch_size",
    ),
    ("manifest.json", lambda x: x[:40], "manifest.json is not readable JSON"),
    ("manifest.json", lambda x: b"[]", "manifest.json is not a JSON object"),
    (
      "manifest.json",
      lambda x: x.replace(b'"data_hash": "', b'"data_hash": "00'),
      "manifest.json: its content and its sha256 do not agree",
    ),
    (
      "config.json",
      lambda x: x.replace(b'"rate": 0.01', b'"rate": 0.02'),
      "config.json is not the one that the run was trained with",
    ),
  )
  def test_a_broken_run(self, name, damage, message):
    path = self.run_ / name
    path.write_bytes(damage(path.read_bytes()))
    before = tiny_study.files(self.folder)
    result = self.analyze(f"--workdir={self.run_}", "--only=linear")
    self.assert_refused(result, message, before)

  def test_no_checkpoint(self):
    shutil.rmtree(self.run_ / "checkpoints")
    before = tiny_study.files(self.folder)
    result = self.analyze(f"--workdir={self.run_}", "--only=linear")
    self.assert_refused(result, "no checkpoint yet: run train.py", before)


class BadResultTest(CommandCase):
  @parameterized.parameters(
    (".json", lambda x: x[:99], "linear.json is not readable: .*analyze.py "),
    (".json", lambda x: b"{}", "schema None, this program reads 3"),
    (".json", lambda x: x.replace(b"samples", b"rows"), "content and its sha256 do not agree"),
    (
      ".json",
      lambda x: x.replace(b'"samples": 7', b'"samples": 8'),
      "content and its sha256 do not agree",
    ),
    (".npz", lambda x: x[: len(x) // 2], "linear.npz is damaged"),
    (".npz", None, "linear.npz"),
  )
  def test_is_left_out_and_named_with_what_makes_it_again(self, suffix, damage, message):
    self.store()
    path = (self.run_ / "results" / "linear").with_suffix(suffix)
    if damage is None:
      path.unlink()
    else:
      path.write_bytes(damage(path.read_bytes()))
    tables, [line] = analyze.stored([self.run_], ZEROS)
    self.assertEqual(tables, {"one": {}})
    self.assertRegex(line, message)
    self.assertEndsWith(line, f"run analyze.py --only=linear --workdir={self.run_}")

  def test_does_not_end_the_report_of_the_others(self):
    path = self.run_ / "results" / "anchors.json"
    path.parent.mkdir()
    path.write_text("{}")
    code, _, err = self.analyze(f"--workdir={self.run_}", "--only=claims,report")
    self.assertEqual(code, 0, err)
    self.assertEqual(err.count("left out: "), 1, err)
    again = f"run analyze.py --only=anchors --workdir={self.run_}"
    self.assertIn(again, err)
    page = (self.run_ / "report.html").read_text()
    self.assertIn(again, page)


class StoredTest(CommandCase):
  def linear(self):
    tables, damaged = analyze.stored([self.run_], ZEROS)
    self.assertEqual(damaged, [])
    return tables["one"]["linear"]

  def test_results_come_back_with_their_origin(self):
    recorded = analyze.runs.read_manifest(self.run_)["revision"]
    self.store(recorded)
    item = self.linear()
    self.assertEqual(item.result.samples, 7)
    self.assertEqual(item.provenance["checkpoint_step"], 20)
    self.assertFalse(item.stale)
    self.assertEqual(item.figure_path, self.run_ / "figures" / "linear.png")

  @parameterized.parameters((None, 10), ("another", 20))
  def test_of_another_checkpoint_or_revision_they_are_stale(self, revision, step):
    recorded = analyze.runs.read_manifest(self.run_)["revision"]
    self.store(revision or recorded, step)
    self.assertTrue(self.linear().stale)

  def test_of_a_checkpoint_that_is_damaged_now_they_are_stale(self):
    recorded = analyze.runs.read_manifest(self.run_)["revision"]
    file = self.run_ / "checkpoints" / "20" / "default" / "_METADATA"
    file.write_bytes(file.read_bytes()[:-1])
    self.store(recorded)
    self.assertTrue(self.linear().stale)
    self.store(recorded, step=10)  # what a run is read by from now on
    self.assertFalse(self.linear().stale)


class NamesTest(absltest.TestCase):
  def test_all_by_default_and_in_order(self):
    every = [*zeros.ORDER, "claims", "report"]
    self.assertEqual(analyze.chosen([], ZEROS), every)
    self.assertEqual(
      analyze.chosen(["report", "heads", "masking"], ZEROS), ["masking", "heads", "report"]
    )

  def test_comparisons_stand_in_the_common_parent(self):
    one, two = Path("/runs/demo/e0"), Path("/runs/demo/postfix")
    self.assertEqual(analyze.parent([one]), one)
    self.assertEqual(analyze.parent([one, two]), Path("/runs/demo"))


if __name__ == "__main__":
  absltest.main()
