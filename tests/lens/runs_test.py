import errno
import functools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.lens import runs
from primelens.models import spacing
from primelens.tasks import files, windows

T = tiny_study.T


class FolderCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.workdir = self.folder / "deep" / "run"

  def copy(self) -> Path:
    return Path(shutil.copytree(tiny_study.trained(), self.workdir))


class WritingTest(FolderCase):
  def setUp(self):
    super().setUp()
    self.experiment = tiny_study.get_config()
    self.series = tasks.load(self.experiment.task)

  def writing(self, experiment=None):
    return runs.writing(self.workdir, experiment or self.experiment, self.series, ["train.py"])

  def make(self, experiment=None):
    with self.writing(experiment) as begin:
      begin()

  def test_makes_the_directory_when_the_first_steps_are_done(self):
    with self.writing() as begin:
      self.assertFalse(self.workdir.parent.exists())
      begin()
    self.assertEqual(runs.read_experiment(self.workdir), self.experiment)
    manifest = runs.read_manifest(self.workdir)
    self.assertEqual(manifest["data_hash"], self.series.data_hash)
    self.assertEqual(manifest["seeds"], [3, 4])
    self.assertEqual(manifest["command"], ["train.py"])
    self.assertEqual(manifest["versions"]["jax"], jax.__version__)
    self.assertEqual(manifest["splits"]["test"], [3584, 3840])
    self.assertEqual(manifest["config_sha256"], files.sha256(self.workdir / "config.json"))
    found = {path.name: path.stat().st_size for path in self.workdir.iterdir()}
    self.assertEqual(set(found), {"config.json", "lock", "manifest.json"})
    self.assertEqual(found["lock"], 0)

  @parameterized.parameters(
    (),
    ("manifest.json",),
    (".manifest.json.999999999.tmp", "lock"),
    ("manifest.json", ".config.json.999999999.tmp", "lock"),
    ("manifest.json.tmp",),
  )
  def test_takes_over_what_a_killed_process_had_begun(self, *names):
    self.workdir.mkdir(parents=True)
    for name in names:
      (self.workdir / name).write_text("{")
    self.make()
    self.assertEqual(runs.read_experiment(self.workdir), self.experiment)
    self.assertEmpty(list(self.workdir.glob(".*.tmp")))

  def test_the_same_run_changes_nothing(self):
    self.make()
    before = tiny_study.files(self.folder)
    self.experiment.analyses.masking.windows = 3
    self.make()
    self.assertEqual(tiny_study.files(self.folder), before)

  def test_another_run_or_other_data_are_refused(self):
    self.make()
    before = tiny_study.files(self.folder)
    other = tiny_study.get_config()
    other.fit.steps = 7
    with self.assertRaisesRegex(ValueError, "fit.steps: 20 there, 7 here"):
      self.make(other)
    self.series = tasks.load(tiny_study.get_config().task.__class__(window=T, count=5000, gap=20))
    with self.assertRaisesRegex(ValueError, "was trained on other data"):
      self.make()
    self.assertEqual(tiny_study.files(self.folder), before)

  def test_other_files_are_refused(self):
    self.workdir.mkdir(parents=True)
    (self.workdir / "notes.txt").write_text("")
    with self.assertRaisesRegex(ValueError, "not empty and has no config.json"):
      self.make()
    self.assertLen(list(self.workdir.iterdir()), 1)

  def test_a_parent_that_is_a_file_is_refused(self):
    self.workdir.parent.write_text("")
    with self.assertRaisesRegex(ValueError, "deep is a file; choose another --workdir"):
      self.make()

  def test_a_directory_that_cannot_be_written_is_refused(self):
    with mock.patch.object(runs.os, "access", return_value=False):
      with self.assertRaisesRegex(ValueError, "cannot be written; choose another --workdir"):
        self.make()
    self.assertFalse(self.workdir.exists())

  def test_a_run_that_is_trained_is_refused_with_who_trains_it(self):
    with self.writing() as begin, self.writing() as late:
      begin()
      said = rf"being trained by another process \(process {os.getpid()} on .* since 2"
      with self.assertRaisesRegex(ValueError, said):
        self.make()
      with self.assertRaisesRegex(ValueError, said):  # it began when there was nothing
        late()
    self.make()  # released

  def test_a_run_made_meanwhile_is_not_taken_for_ones_own(self):
    with self.writing() as late:
      self.make()
      before = tiny_study.files(self.folder)
      with self.assertRaisesRegex(ValueError, "Another process has begun a run"):
        late()
    self.assertEqual(tiny_study.files(self.folder), before)

  def test_where_the_file_system_has_no_locks_that_is_said(self):
    lacks = OSError(errno.ENOLCK, "No locks available")
    with mock.patch.object(files.fcntl, "flock", side_effect=lacks):
      with self.assertLogs(level="WARNING") as log:
        self.make()
    self.assertLen(log.output, 1)
    self.assertIn("this file system has no locks", log.output[0])


class LoadTest(FolderCase):
  def test_rebuilds_the_run_from_the_directory_alone(self):
    run = runs.load(self.copy())
    self.assertEqual((run.name, run.step), ("run", 20))
    self.assertEqual(run.experiment, tiny_study.get_config())
    self.assertEqual((run.seed_S.tolist(), run.frozen), ([3, 4], ()))
    leaves = jax.tree.leaves(run.params_S)
    self.assertEqual({leaf.shape[0] for leaf in leaves}, {2})
    window_NxT1, start_N = run.batches("test", 4)
    expected = windows.take(run.series.value_N, start_N, T)
    np.testing.assert_array_equal(window_NxT1, expected)
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[0], run.params_S)
    mixture, _ = jax.jit(run.apply)(params, window_NxT1[:, :-1])
    self.assertEqual(mixture.mean.shape, (4, T, 2))

  def test_the_parameters_are_the_best_or_the_last(self):
    self.copy()

    def last(settings):
      settings.parameters = "last"
      return settings

    best, newest = runs.load(self.workdir), runs.load(self.workdir, last)
    self.assertEqual(newest.settings.parameters, "last")
    rows = [json.loads(line) for line in (self.workdir / "metrics.jsonl").read_text().splitlines()]
    nll_CxS = np.array([r["select/nll_nats"] for r in rows[1::2]])
    kernels = (np.asarray(each.params_S["head"]["kernel"]) for each in (best, newest))
    same_S = [bool((a == b).all()) for a, b in zip(*kernels, strict=True)]
    np.testing.assert_array_equal(same_S, nll_CxS.argmin(0) == 1)

  def test_what_is_missing_or_broken_is_named(self):
    with self.assertRaisesRegex(FileNotFoundError, "No run in .*/run: train on"):
      runs.load(self.workdir)
    self.copy()
    manifest = self.workdir / "manifest.json"
    good = manifest.read_text()
    other = runs.read_manifest(self.workdir) | {"data_hash": "00"}
    files.write_json(manifest, files.seal(other))
    with self.assertRaisesRegex(ValueError, "other data than is here now"):
      runs.load(self.workdir)
    manifest.write_text(good)
    shutil.rmtree(self.workdir / "checkpoints")
    with self.assertRaisesRegex(ValueError, "no checkpoint yet: run train.py"):
      runs.load(self.workdir)

  def test_reading_writes_nothing(self):
    self.copy()
    before = tiny_study.files(self.folder)
    runs.load(self.workdir)
    self.assertEqual(tiny_study.files(self.folder), before)


class ResumedTest(FolderCase):
  def test_the_manifest_says_which_code_went_on(self):
    self.copy()
    path = self.workdir / "manifest.json"
    manifest = runs.read_manifest(self.workdir)
    files.write_json(path, files.seal(manifest | {"revision": "older"}))
    before = path.read_bytes()
    code, _, err = tiny_study.train(self.workdir)
    self.assertEqual(code, 0, err)
    self.assertEqual(path.read_bytes(), before)  # nothing was left to train
    shutil.rmtree(self.workdir / "checkpoints" / "20")
    code, _, err = tiny_study.train(self.workdir)
    self.assertEqual(code, 0, err)
    after = runs.read_manifest(self.workdir)
    self.assertEqual(after["revision"], runs.revision())
    self.assertEqual([e["revision"] for e in after["earlier"]], ["older"])
    self.assertEqual(after["earlier"][0]["created"], manifest["created"])
    self.assertEqual(after["data_hash"], manifest["data_hash"])


class RunTest(FolderCase):
  def test_untrained_networks_are_those_of_the_seeds(self):
    run = runs.load(tiny_study.trained())
    fresh_S = jax.tree.map(np.asarray, run.untrained_S())
    init = jax.jit(functools.partial(spacing.init, run.experiment.model))
    for s, seed in enumerate((3, 4)):
      key = jax.random.fold_in(jax.random.key(seed), 0)
      expected = init(key)
      found = jax.tree.map(lambda leaf, s=s: leaf[s], fresh_S)
      jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), found, expected)
    moved = np.abs(fresh_S["head"]["kernel"] - run.params_S["head"]["kernel"])
    self.assertGreater(moved.max(axis=(1, 2)).min(), 1e-2)

  @parameterized.parameters(
    ({}, 27, 9),  # (256 - 16) / 9 windows of 16 with 8 spacings of context
    ({"min_context": T}, 240, 1),
    ({"count": 5}, 5, 58.5),
  )
  def test_batches(self, options, count, step):
    run = runs.load(tiny_study.trained())
    window_NxT1, start_N = run.batches("test", **options)
    self.assertEqual(window_NxT1.shape, (count, T + 1))
    self.assertEqual(start_N[0], 3584)
    self.assertLess(start_N[-1] + T, 3840)
    np.testing.assert_allclose(np.diff(start_N), step, atol=4.5 * (count == 5))

  def test_random_batches(self):
    run = runs.load(tiny_study.trained())
    draws = [run.batches("test", 5, seed)[1] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    self.assertFalse((draws[0] == draws[2]).all())
    self.assertLen(set(draws[0]), 5)


class RevisionTest(FolderCase):
  def setUp(self):
    super().setUp()
    runs.revision.cache_clear()
    self.addCleanup(runs.revision.cache_clear)

  def _git(self, *args):
    done = subprocess.run(
      ["git", "-C", self.folder, "-c", "user.name=a", "-c", "user.email=a@b"] + list(args),
      check=True,
      capture_output=True,
      text=True,
    )
    return done.stdout.strip()

  def test_of_a_checkout(self):
    (self.folder / "studies").mkdir()
    file = self.folder / "studies" / "runs.py"
    file.write_text("")
    page = self.folder / "docs" / "results" / "text.md"
    page.parent.mkdir(parents=True)
    page.write_text("")
    self._git("init", "-q")
    self._git("add", ".")
    self._git("commit", "-q", "-m", "x")
    head = self._git("rev-parse", "HEAD")
    with mock.patch.object(runs, "__file__", str(file)):
      self.assertEqual(runs.revision(), head)
      runs.revision.cache_clear()
      (self.folder / "new.txt").write_text("untracked files do not count")
      page.write_text("no more does what is no code")
      self.assertEqual(runs.revision(), head)
      runs.revision.cache_clear()
      index = (self.folder / ".git" / "index").read_bytes()
      os.utime(file, (1, 1))  # `git status` would store that it has looked, under a lock
      self.assertEqual(runs.revision(), head)
      self.assertEqual((self.folder / ".git" / "index").read_bytes(), index)
      runs.revision.cache_clear()
      file.write_text("changed")
      self.assertEqual(runs.revision(), head + "-dirty")

  def test_of_an_installed_package(self):
    with mock.patch.object(runs, "__file__", str(self.folder / "a" / "b.py")):
      self.assertEqual(runs.revision(), "0.1.0")


class LatestStepTest(FolderCase):
  def test_without_checkpoints(self):
    self.assertEqual(runs.latest_step(self.workdir), 0)

  def test_of_a_trained_run(self):
    self.assertEqual(runs.latest_step(tiny_study.trained()), 20)


if __name__ == "__main__":
  absltest.main()
