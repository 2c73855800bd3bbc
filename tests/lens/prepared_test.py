"""What takes long to make is made once, by whoever trains the run."""

import dataclasses
import io
import json
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import frozen_runs
import jax
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.lens import prepared, runs
from primelens.models import fit, guided
from primelens.studies.zeros import guides, program
from primelens.tasks import arrays, files


def get_config():
  """Returns the tiny experiment with a guided model."""
  experiment = tiny_study.get_config()
  model = experiment.model
  trunk = dataclasses.replace(model.trunk, layers=1)
  names = ("ar:2", "ar:1")
  experiment.model = guided.Config(window=model.window, guides=names, components=2, trunk=trunk)
  return experiment


def train(workdir: Path) -> None:
  code, _, err = tiny_study.call(
    tiny_study.train_lib.main, f"--config={__file__}", f"--workdir={workdir}"
  )
  if code:
    raise RuntimeError(err)


def same(a, b) -> None:
  jax.tree.map(np.testing.assert_array_equal, a, b)


def sealed(workdir: Path, change) -> None:
  """Puts other arrays in the place of those kept, with digests that are right."""
  path = workdir / prepared.ARRAYS
  kept = arrays.read(path)
  found = prepared.Found(change({name: array.copy() for name, array in kept.items()}), kept=False)
  prepared.keep(workdir, mock.Mock(data_hash=runs.read_manifest(workdir)["data_hash"]), found)


def a_nan(kept):
  first = np.flatnonzero(np.isfinite(kept[program.COLUMNS]).all(1))[0]
  kept[program.COLUMNS][first, 1] = np.nan
  return kept


def other_spacings(kept):
  kept[program.COLUMNS][7, 0] += 1
  return kept


def infinite_elsewhere(kept):
  kept[program.COLUMNS][-1, 1] = np.inf
  return kept


HOSTILE = {
  "another_shape": lambda kept: kept | {program.COLUMNS: kept[program.COLUMNS][:-1]},
  "another_type": lambda kept: {name: array.astype(np.float64) for name, array in kept.items()},
  "words": lambda kept: {name: array.astype(str) for name, array in kept.items()},
  "fewer": lambda kept: {program.COLUMNS: kept[program.COLUMNS]},
  "others": lambda kept: {"value_N": kept[program.COLUMNS]},
  "fewer_guides": lambda kept: kept | {program.COLUMNS: kept[program.COLUMNS][:, :-1]},
  "scales_that_are_none": lambda kept: kept | {program.LOG_SCALES: kept[program.LOG_SCALES] / 0},
  "a_nan": a_nan,
  "infinite_elsewhere": infinite_elsewhere,
  "other_spacings": other_spacings,
}


def cut(path: Path) -> None:
  path.write_bytes(path.read_bytes()[:-9])


def bent(path: Path) -> None:
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(bytes(content))


def pickled(path: Path) -> None:
  buffer = io.BytesIO()
  np.savez(buffer, **{program.COLUMNS: np.array([{}], object)}, allow_pickle=True)
  path.write_bytes(buffer.getvalue())
  about = path.with_name(prepared.ABOUT)
  document = files.unseal(json.loads(about.read_text())) | {"npz_sha256": files.sha256(path)}
  files.write_json(about, files.seal(document))


def of_another_run(path: Path) -> None:
  about = path.with_name(prepared.ABOUT)
  document = files.unseal(json.loads(about.read_text())) | {"config_sha256": "0" * 64}
  files.write_json(about, files.seal(document))


DAMAGED = {
  "cut": cut,
  "bent": bent,
  "empty": lambda path: path.write_bytes(b""),
  "gone": lambda path: path.unlink(),
  "a_folder": lambda path: (path.unlink(), path.mkdir()),
  "pickled": pickled,
  "of_another_run": of_another_run,
  "about_is_cut": lambda path: cut(path.with_name(prepared.ABOUT)),
  "about_is_edited": lambda path: path.with_name(prepared.ABOUT).write_text('{"schema": 1}'),
  "about_is_a_list": lambda path: path.with_name(prepared.ABOUT).write_text("[]"),
  "about_is_deep": lambda path: path.with_name(prepared.ABOUT).write_text("[" * 60_000),
}


class PreparedTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.made = Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "run"
    train(cls.made)
    cls.whole = runs.load(cls.made)

  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.workdir = Path(shutil.copytree(self.made, self.folder / "run"))
    wrapped = mock.patch.object(guides, "columns", wraps=guides.columns)
    self.columns = self.enterContext(wrapped)

  def kept(self) -> dict[str, bytes]:
    return {name: (self.workdir / name).read_bytes() for name in (prepared.ARRAYS, prepared.ABOUT)}

  def test_a_run_that_is_trained_has_it_and_reading_makes_none(self):
    before = tiny_study.files(self.folder)
    run = runs.load(self.workdir)
    self.assertEqual(self.columns.call_count, 0)
    self.assertEqual(tiny_study.files(self.folder), before)
    expected = guides.columns(run.series, run.experiment.model.guides)
    same(run.inputs, dict(zip((program.COLUMNS, program.LOG_SCALES), expected, strict=True)))

  def test_training_that_goes_on_makes_none_and_ends_at_the_same_numbers(self):
    shutil.rmtree(self.workdir / "checkpoints" / "20")
    train(self.workdir)
    self.assertEqual(self.columns.call_count, 0)
    same(runs.load(self.workdir).params_S, self.whole.params_S)

  def test_a_run_of_an_earlier_revision_gets_it(self):
    before = self.kept()
    for name in before:
      (self.workdir / name).unlink()
    with self.assertNoLogs(level="WARNING"):
      same(runs.load(self.workdir).inputs, self.whole.inputs)
      self.assertEqual(self.kept(), before)
      runs.load(self.workdir)
    self.assertEqual(self.columns.call_count, 1)

  def test_where_it_cannot_be_kept_it_is_made_and_that_is_said(self):
    for name in self.kept():
      (self.workdir / name).unlink()
    before = tiny_study.files(self.folder)
    full = mock.patch.object(prepared.files, "write", side_effect=OSError(28, "No space left"))
    with full, self.assertLogs(level="WARNING") as log:
      same(runs.load(self.workdir).inputs, self.whole.inputs)
    self.assertIn("made at every load: [Errno 28] No space left", log.output[0])
    self.assertEqual(tiny_study.files(self.folder), before)

  @parameterized.named_parameters(DAMAGED.items())
  def test_damaged(self, change):
    before = self.kept()
    change(self.workdir / prepared.ARRAYS)
    self.made_again(before)

  @parameterized.named_parameters(HOSTILE.items())
  def test_hostile(self, change):
    before = self.kept()
    with np.errstate(all="ignore"):
      sealed(self.workdir, change)
    self.assertNotEqual(self.kept(), before)
    self.made_again(before)

  def made_again(self, before):
    if (self.workdir / prepared.ARRAYS).is_dir():  # nothing takes the place of a folder
      before = None
    with self.assertLogs(level="WARNING") as log:
      same(runs.load(self.workdir).inputs, self.whole.inputs)
    self.assertRegex(log.output[0], r"run/inputs\.npz is made again: ")
    self.assertEqual(self.columns.call_count, 1)
    if before is not None:
      self.assertEqual(self.kept(), before)
      runs.load(self.workdir)
      self.assertEqual(self.columns.call_count, 1)

  @parameterized.parameters(prepared.ARRAYS, prepared.ABOUT)
  def test_a_link_is_not_followed(self, name):
    before, target = self.kept(), self.folder / "kept.txt"
    (self.workdir / name).rename(target)
    (self.workdir / name).symlink_to(target)
    with self.assertRaisesRegex(ValueError, "leads out of"):
      runs.load(self.workdir)
    shutil.rmtree(self.workdir / "checkpoints" / "20")
    with self.assertLogs(level="WARNING"):
      train(self.workdir)
    self.assertEqual(target.read_bytes(), before[name])
    self.assertFalse((self.workdir / name).is_symlink())
    self.assertEqual(self.kept(), before)

  def test_seeds_that_froze_make_none(self):
    experiment, its, data = frozen_runs.built(self.workdir)
    self.columns.reset_mock()
    step, state_S = fit.read_state(self.workdir, its, experiment.fit, data)
    frozen_runs.replace_state(self.workdir, step, frozen_runs.frozen(state_S, [0]))
    run = runs.load(self.workdir)
    self.assertEqual((run.seed_S.tolist(), self.columns.call_count), ([4], 0))
    same(run.inputs, self.whole.inputs)
    for name in self.kept():
      (self.workdir / name).unlink()
    runs.load(self.workdir)
    self.assertEqual(self.columns.call_count, 1)

  def test_another_run_in_its_place_is_refused_and_nothing_written(self):
    before = tiny_study.files(self.folder)
    other = "--config.fit.steps=7"
    code, _, err = tiny_study.call(
      tiny_study.train_lib.main, f"--config={__file__}", f"--workdir={self.workdir}", other
    )
    self.assertEqual(code, 2)
    self.assertIn("holds another run", err)
    self.assertEqual(tiny_study.files(self.folder), before)


if __name__ == "__main__":
  absltest.main()
