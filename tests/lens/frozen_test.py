import functools
import json
import shutil
import tempfile
from pathlib import Path

import adder
import jax
import numpy as np
import tiny_study
from absl.testing import absltest
from frozen_runs import STEP, built, frozen, replace_state
from primelens import tasks
from primelens.analyses import trees
from primelens.lens import analyze, runs
from primelens.models import checkpoints, fit
from primelens.models import optimizer as optimizer_lib
from primelens.studies.addition import program as addition
from primelens.tasks import files


def leave_out(workdir: Path, row: int) -> None:
  """Makes of a run the one that was never trained with the member `row`, the
  last: its config, its state and what it has written."""
  experiment, program, data = built(workdir)
  step, state_S = fit.read_state(workdir, program, experiment.fit, data)
  some = lambda leaf_S: np.asarray(leaf_S)[:row]
  replace_state(workdir, step, jax.tree.map(some, state_S))
  for number in checkpoints.snapshot_steps(workdir / "snapshots"):
    params_S = checkpoints.read_snapshot(workdir / "snapshots", number, state_S.params)
    checkpoints.write_snapshot(workdir / "snapshots", number, jax.tree.map(some, params_S))
  config = files.read_json(workdir / "config.json")
  config["fit"]["seeds"] = row
  files.write_json(workdir / "config.json", config)
  manifest = files.read_json(workdir / "manifest.json")
  del manifest["sha256"]
  manifest["config_sha256"] = files.sha256(workdir / "config.json")
  manifest["seeds"] = manifest["seeds"][:row]
  files.write_json(workdir / "manifest.json", files.seal(manifest))


class FolderCase(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

  def copy(self, name: str, *rows: int) -> Path:
    """Returns a copy of the tiny run, of seeds 3 and 4, in which rows froze."""
    workdir = self.folder / name / "run"
    shutil.copytree(tiny_study.trained(), workdir)
    if rows:
      experiment, program, data = built(workdir)
      step, state_S = fit.read_state(workdir, program, experiment.fit, data)
      replace_state(workdir, step, frozen(state_S, rows))
    return workdir

  def same(self, a, b):
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
      np.testing.assert_array_equal(one, other)


class LoadTest(FolderCase):
  def test_all_that_has_a_seed_axis_is_of_the_others(self):
    whole, run = runs.load(self.copy("whole")), runs.load(self.copy("some", 0))
    self.assertEqual(run.frozen, ({"seed": 3, "step": STEP},))
    self.assertEqual((run.seed_S.tolist(), run.experiment.fit.seeds), ([4], 1))
    second = lambda tree: jax.tree.map(lambda leaf_S: np.asarray(leaf_S)[1:], tree)
    self.same(run.params_S, second(whole.params_S))
    self.same(run.untrained_S(), second(whole.untrained_S()))
    self.same(run.snapshot(10), second(whole.snapshot(10)))
    for mine, row in zip(run.metrics(), whole.metrics(), strict=True):
      self.assertEqual(mine["train/nll_nats"], row["train/nll_nats"][1:])
      self.assertEqual(mine["step"], row["step"])

  def test_without_any_other_there_is_nothing_to_read(self):
    workdir = self.copy("none", 0, 1)
    code, out, err = tiny_study.call(analyze.main, f"--workdir={workdir}", "--only=anchors,report")
    self.assertEqual((code, out), (2, ""))
    self.assertEqual(
      err,
      f"error: {workdir} has nothing to read: 2 of 2 seeds stopped at a loss that was not finite"
      f" (seed 3 at step {STEP}, seed 4 at step {STEP}).\n",
    )
    self.assertFalse((workdir / "results").exists())


class AnalysisTest(FolderCase):
  def test_numbers_are_those_of_the_population_without_the_frozen_seed(self):
    some, fewer = self.copy("some", 1), self.copy("fewer")
    leave_out(fewer, 1)
    said = []
    for workdir in (some, fewer):
      code, out, err = tiny_study.call(
        analyze.main, f"--workdir={workdir}", "--only=anchors,masking,report"
      )
      self.assertEqual(code, 0, err)
      said.append(out)
    origins = []
    for name in ("anchors", "masking"):
      mine, theirs = (
        json.loads((workdir / "results" / f"{name}.json").read_text()) for workdir in (some, fewer)
      )
      origins.append((mine.pop("provenance"), theirs.pop("provenance")))
      mine.pop("sha256"), theirs.pop("sha256")  # of all, the provenance too
      self.assertEqual(mine, theirs)  # the digest of the arrays among them
    for origin, without in origins:
      self.assertEqual(origin["seeds"], [3])
      self.assertEqual(origin["frozen_seeds"], [{"seed": 4, "step": STEP}])
      self.assertEqual((without["seeds"], without["frozen_seeds"]), ([3], []))
    line = (
      "run: 1 of 2 seeds stopped at a loss that was not finite (seed 4 at step 7) and is left out."
    )
    self.assertEqual(said[0].splitlines()[0], line)
    self.assertNotIn("not finite", said[1])
    page = (some / "report.html").read_text()
    self.assertIn(f'<ul class="none"><li>{line}</li></ul>', page)
    self.assertNotIn("left out.", (fewer / "report.html").read_text())


class AdditionTest(FolderCase):
  """Members with a split and a start of their own keep them."""

  PAIRS = ((1, 999), (598, 999), (4, 4))

  def test_splits_and_starts_are_those_of_the_others(self):
    config = adder.experiment(self.PAIRS)
    data, workdir = tasks.load(config.task), self.folder / "run"
    with runs.writing(workdir, config, data, []) as begin:
      begin()
    program, inputs, _ = addition.build(config, data)
    optimizer = optimizer_lib.build(config.fit.optimizer, config.fit.steps)
    init = jax.jit(functools.partial(fit.init, program, optimizer))
    state_S = init(inputs, fit.seed_keys(config.fit))
    replace_state(workdir, 5, frozen(state_S, [0]))
    run = runs.load(workdir)
    expected = adder.handmade(adder.experiment(self.PAIRS[1:]))
    self.assertEqual(run.experiment.task, expected.experiment.task)
    self.assertEqual(run.experiment.model, expected.experiment.model)
    self.same(run.inputs, expected.inputs)
    self.same(run.pairs.train_SxN, expected.pairs.train_SxN)
    self.same(run.params_S, expected.params_S)
    self.same(run.untrained_S(), expected.params_S)
    self.assertEqual(trees.length(run.params_S), 2)
    self.assertEqual(addition.reference(run.experiment), 0)


if __name__ == "__main__":
  absltest.main()
