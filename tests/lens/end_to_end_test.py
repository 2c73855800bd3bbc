"""Two runs from a text file of ordinates to the report, as a user would."""

import csv
import os
import tempfile
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import scipy.special
import tiny_study
from absl.testing import absltest
from primelens.lens import analyze, results, runs, study
from primelens.lens import claims as trial
from primelens.models import checkpoints, fit
from primelens.tasks import files
from primelens.tasks import zeros as zeros_task

PNG = b"\x89PNG\r\n\x1a\n"
COUNT = 4003  # spacings are as many as those of `tiny_study`, whose programs fit
# The others are stored and drawn by tests of their own.
READ = ("anchors", "masking", "heads", "linear")


def ordinates() -> np.ndarray:
  """Returns heights of regular zeros with jitter: u_n = n - 11/8 + noise.

  Spacings are 1 + e_{n+1} - e_n, so r = s - 1 is a moving average whose lag-1
  correlation is -1/2, and the best predictor of one lag is 1 - r / 2.
  """
  noise_N = np.random.default_rng(0).normal(0, 0.12, COUNT)
  u_N = np.arange(1, COUNT + 1) - 1.375 + noise_N
  x_N = np.exp(1 + scipy.special.lambertw(u_N / np.e).real)
  return 2 * np.pi * x_N[2:]  # above the first zero


class EndToEndTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    np.savetxt(cls.folder / "zeros.txt", ordinates(), fmt="%.17g")
    config = cls.folder / "config.py"
    config.write_text(
      "import dataclasses\nimport tiny_study\n"
      "from primelens.tasks import zeros\n"
      "def get_config(memory):\n"
      "  task = zeros.Config(source='text', window=16, gap=20,\n"
      f"    split='published_tail', path={str(cls.folder / 'zeros.txt')!r},\n"
      f"    cache={str(cls.folder / 'cache')!r})\n"
      "  config = tiny_study.get_config(memory)\n"
      "  return dataclasses.replace(config, task=task)\n"
    )
    # Where an analysis keeps zeros: what a config.json says of it is not followed.
    cache = {"PRIMELENS_CACHE": str(cls.folder / "default")}
    cls.enterClassContext(mock.patch.dict(os.environ, cache))
    cls.trained = {
      name: tiny_study.train(cls.run_(name), f"--config={config}:{memory}")
      for name, memory in (("plain", "none"), ("postfix", "postfix"))
    }
    cls.config = config
    cls.workdirs = f"{cls.run_('plain')},{cls.run_('postfix')}"
    only = f"--only={','.join((*READ, 'claims', 'report'))}"
    flags = (f"--workdir={cls.workdirs}", only, "--set=masking.windows=12")
    cls.analysed = tiny_study.call(analyze.main, *flags)

  @classmethod
  def run_(cls, name: str) -> Path:
    return cls.folder / "runs" / name

  def each(self):
    for name in ("plain", "postfix"):
      with self.subTest(name):
        yield name, self.run_(name)

  def test_training_leaves_a_run_directory(self):
    for name, workdir in self.each():
      code, out, err = self.trained[name]
      self.assertEqual(code, 0, err)
      self.assertIn("finished at step 20", out)
      self.assertRegex(err, "step 20/20  train/nll_nats .* select/nll_nats")
      rows = fit.read_metrics(workdir / "metrics.jsonl")
      self.assertEqual([row["step"] for row in rows], [5, 10, 15, 20])
      self.assertLen(rows[-1]["select/nll_nats"], 2)
      steps = checkpoints.snapshot_steps(workdir / "snapshots")
      self.assertEqual(steps, [10, 20])
      self.assertEqual(runs.latest_step(workdir), 20)
      manifest = runs.read_manifest(workdir)
      self.assertEqual(manifest["seeds"], [3, 4])
      self.assertEqual(
        manifest["data_hash"], zeros_task.load(runs.load(workdir).experiment.task).data_hash
      )

  def test_the_manifest_knows_the_zeros_and_no_others_are_read(self):
    workdir, path = self.run_("plain"), self.folder / "zeros.txt"
    [known] = runs.read_manifest(workdir)["sources"]
    self.assertEqual(known, files.fingerprint(path))
    self.assertEqual(len(list((self.folder / "default").iterdir())), 1)
    moved = path.rename(self.folder / "moved.txt")
    self.addCleanup(moved.rename, path)
    with self.assertRaisesRegex(ValueError, "is not known to be what it was trained on"):
      runs.load(workdir)
    found = runs.load(workdir, source=str(moved))
    self.assertEqual(found.data.data_hash, found.manifest["data_hash"])

  def test_the_same_command_does_nothing_more(self):
    workdir = self.run_("plain")
    before = tiny_study.files(workdir)
    code, out, _ = tiny_study.train(workdir, f"--config={self.config}:none")
    self.assertEqual(code, 0)
    self.assertIn("finished at step 20", out)
    self.assertEqual(tiny_study.files(workdir), before)

  def test_a_snapshot_holds_the_last_parameters(self):
    def last(settings):
      settings.parameters = "last"
      return settings

    run = runs.load(self.run_("plain"), last)
    snapshot_S = checkpoints.read_snapshot(run.workdir / "snapshots", 20, run.params_S)
    jax.tree.map(np.testing.assert_array_equal, snapshot_S, run.params_S)

  def test_analyses_ran(self):
    code, out, err = self.analysed
    self.assertEqual(code, 0, err)
    self.assertRegex(err, r"\[4/4\] postfix: linear took [0-9.]+ s\n")
    parent = self.folder / "runs"
    for name in ("claims.json", "report.html"):
      self.assertIn(f"wrote {parent.resolve() / name}", out)

  def test_every_result_and_figure_can_be_read(self):
    for _, workdir in self.each():
      for name in READ:
        found, origin = results.read(workdir / "results", name)
        self.assertEqual(origin["checkpoint_step"], 20)
        self.assertEqual(origin["seeds"], [3, 4])
        self.assertEqual(origin["settings"]["masking"]["windows"], 12)
        self.assertEqual(origin["command"][-1], "--set=masking.windows=12")
        figure = (workdir / "figures" / f"{name}.png").read_bytes()
        self.assertEqual(figure[:8], PNG)
        self.assertGreater(len(figure), 5000)
      for path in (workdir / "results").glob("*.csv"):
        with path.open() as file:
          self.assertNotEmpty(list(csv.DictReader(file)), path.name)

  def test_numbers_are_those_of_the_data(self):
    for name, workdir in self.each():
      anchors, _ = results.read(workdir / "results", "anchors")
      # A moving average of two: AR(p) explains p / (2 (p + 1)).
      self.assertBetween(float(anchors.r2.sel(predictor="AR(3)")), 0.3, 0.45)
      self.assertBetween(float(anchors.r2.sel(predictor="AR(16)")), 0.4, 0.55)
      linear, _ = results.read(workdir / "results", "linear")
      first = linear.coefficient_sum.sel(regressed="truth", order=1)
      self.assertAlmostEqual(float(first), -0.5, delta=0.15)
      masking, _ = results.read(workdir / "results", "masking")
      self.assertEqual(masking.windows, 12)
      np.testing.assert_allclose(masking.delta[:4, 0], 0, atol=1e-5)
      self.assertEqual(anchors.memory, {"plain": "none"}.get(name, name))

  def test_the_ledger_has_every_claim(self):
    found, origin = results.read(self.folder / "runs", "claims")
    self.assertEqual(origin["runs"], ["plain", "postfix"])
    rows = {row["id"]: row for row in found.attrs["rows"]}
    self.assertEqual(list(rows), [claim.id for claim in study.find("zeros").claims])
    for row in rows.values():
      self.assertIn(row["status"], trial.get_args(trial.Status))
    for row in rows.values():  # 4,000 made-up zeros decide nothing
      self.assertEqual(row["status"], "not run")
      self.assertIn("2,001,051 spacings of zeros", row["because"])

  def test_the_report_is_one_page_with_its_figures(self):
    page = (self.folder / "runs" / "report.html").read_text()
    for claim in study.find("zeros").claims:
      self.assertIn(claim.id, page)
    self.assertGreaterEqual(page.count("data:image/png;base64,"), 5)
    self.assertNotRegex(page, r"(src|href)=.https?://")
    self.assertNotIn("stale</span>", page)

  def test_other_code_makes_a_result_stale(self):
    workdirs = [self.run_("plain"), self.run_("postfix")]
    fresh, damaged = analyze.stored(workdirs, study.find("zeros"))
    self.assertEqual(damaged, [])
    self.assertFalse(any(x.stale for t in fresh.values() for x in t.values()))
    manifest = self.run_("plain") / "manifest.json"
    good = manifest.read_text()
    self.addCleanup(manifest.write_text, good)
    older = runs.read_manifest(self.run_("plain")) | {"revision": "older"}
    files.write_json(manifest, files.seal(older))
    stale, _ = analyze.stored(workdirs, study.find("zeros"))
    self.assertTrue(all(x.stale for x in stale["plain"].values()))
    self.assertFalse(any(x.stale for x in stale["postfix"].values()))

  def test_one_run_alone_has_a_report_of_its_own(self):
    workdir = self.run_("postfix")
    code, out, err = tiny_study.call(analyze.main, f"--workdir={workdir}", "--only=claims,report")
    self.assertEqual((code, err), (0, ""))
    self.assertIn(f"wrote {workdir / 'report.html'}", out)
    self.assertTrue((workdir / "results" / "claims.json").exists())


if __name__ == "__main__":
  absltest.main()
