"""Checkpoints survive damage by falling back; snapshots make a round trip."""

import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from absl.testing import absltest, parameterized
from primelens.models import checkpoints


def state(step):
  """Returns a state that differs from step to step."""
  rng = np.random.default_rng(step)
  return {
    "params": {"w": jnp.asarray(rng.normal(size=(2, 300)), jnp.float32)},
    "count": jnp.full((2,), step, jnp.int32),
  }


def shapes():
  place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), state(0))


def truncate(folder: Path):
  """Cuts every data file of a checkpoint in half."""
  for path in folder.rglob("*"):
    if path.is_file():
      path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scribble(folder: Path):
  """Overwrites every file with noise of the same length."""
  rng = np.random.default_rng(0)
  for path in folder.rglob("*"):
    if path.is_file():
      path.write_bytes(rng.bytes(path.stat().st_size))


def empty(folder: Path):
  """Removes every file, keeping the folders."""
  for path in folder.rglob("*"):
    if path.is_file():
      path.unlink()


class CheckpointsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

  def saved(self, *steps):
    """Saves states and reopens the folder."""
    first = checkpoints.Checkpoints(self.folder)
    for step in steps:
      first.save(step, state(step))
    first.close()
    again = checkpoints.Checkpoints(self.folder)
    self.addCleanup(again.close)
    return again

  def check(self, restored, step):
    self.assertEqual(restored[0], step)
    jax.tree.map(np.testing.assert_array_equal, restored[1], state(step))

  def test_newest_two_are_kept_and_the_newest_restored(self):
    found = self.saved(1, 2, 3)
    self.assertEqual(found.steps(), [2, 3])
    self.check(found.restore(shapes()), 3)

  def test_saving_a_step_again_keeps_the_first(self):
    found = self.saved(1)
    found.save(1, state(9))
    found.close()
    self.check(self.saved().restore(shapes()), 1)

  def test_nothing_to_restore(self):
    self.assertIsNone(self.saved().restore(shapes()))

  @parameterized.parameters(truncate, scribble, empty)
  def test_broken_newest_falls_back_with_a_warning(self, damage):
    found = self.saved(4, 8)
    damage(self.folder / "8")
    with self.assertLogs(logging.get_absl_logger(), "WARNING") as log:
      self.check(found.restore(shapes()), 4)
    text = "\n".join(log.output)
    self.assertRegex(text, r"Unreadable checkpoint \(step 8: .*; using 4\.")
    self.assertEqual(found.steps(), [4, 8])  # a reader deletes nothing

  @parameterized.parameters(truncate, scribble, empty)
  def test_a_damaged_step_is_saved_again(self, damage):
    found = self.saved(4, 8)
    damage(self.folder / "8")
    self.check(found.restore(shapes()), 4)
    self.assertEqual(found.steps(), [4, 8])  # deleted when there is another to save
    found.save(8, state(8))
    found.close()
    self.check(self.saved().restore(shapes()), 8)

  @parameterized.parameters(truncate, scribble, empty)
  def test_all_broken_is_one_clear_line(self, damage):
    found = self.saved(4, 8)
    for step in ("4", "8"):
      damage(self.folder / step)
    with self.assertRaises(ValueError) as caught:
      found.restore(shapes())
    message = str(caught.exception)
    self.assertNotIn("\n", message)
    self.assertRegex(message, "No readable checkpoint in .*step 8: .*step 4: ")
    self.assertIn(str(self.folder), message)
    self.assertTrue((self.folder / "4").is_dir())  # nothing was deleted

  def test_another_model_does_not_fit(self):
    found = self.saved(4)
    other = shapes()
    other["params"] = {"v": other["params"]["w"]}
    with self.assertRaisesRegex(ValueError, "No readable checkpoint"):
      found.restore(other)


class SnapshotTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    root = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.folder = root / "snapshots"

  def test_round_trip(self):
    params = state(5)
    path = checkpoints.write_snapshot(self.folder, 5, params)
    checkpoints.write_snapshot(self.folder, 12, state(12))
    self.assertEqual(checkpoints.snapshot_steps(self.folder), [5, 12])
    got = checkpoints.read_snapshot(self.folder, 5, jax.eval_shape(lambda: params))
    self.assertEqual(jax.tree.structure(got), jax.tree.structure(params))
    jax.tree.map(np.testing.assert_array_equal, got, params)
    self.assertEqual(
      [leaf.dtype for leaf in jax.tree.leaves(got)],
      [leaf.dtype for leaf in jax.tree.leaves(params)],
    )
    self.assertEqual(path.suffix, ".safetensors")
    self.assertEmpty(list(self.folder.glob("*.tmp")))

  def test_missing_step_names_those_there_are(self):
    checkpoints.write_snapshot(self.folder, 5, state(5))
    with self.assertRaisesRegex(ValueError, r"step 6; there are \[5\]"):
      checkpoints.read_snapshot(self.folder, 6, state(5))

  def test_another_networks_snapshot_is_named(self):
    params = state(5)
    checkpoints.write_snapshot(self.folder, 5, params)
    more = params | {"more": np.zeros(3)}
    with self.assertRaisesRegex(ValueError, "step_00000005.* it has no tensor 'more'"):
      checkpoints.read_snapshot(self.folder, 5, more)
    other = jax.tree.map(lambda leaf: np.zeros((*np.shape(leaf), 2)), params)
    with self.assertRaisesRegex(ValueError, "has the shape .*, not"):
      checkpoints.read_snapshot(self.folder, 5, other)

  def test_other_files_are_no_steps(self):
    checkpoints.write_snapshot(self.folder, 5, state(5))
    for name in ("step_x.safetensors", "step_.safetensors", "step_²3.safetensors"):
      (self.folder / name).write_bytes(b"")
    self.assertEqual(checkpoints.snapshot_steps(self.folder), [5])

  def test_broken_file_is_named(self):
    path = checkpoints.write_snapshot(self.folder, 5, state(5))
    path.write_bytes(path.read_bytes()[:100])
    with self.assertRaisesRegex(ValueError, "step_00000005.*not a readable"):
      checkpoints.read_snapshot(self.folder, 5, state(5))


if __name__ == "__main__":
  absltest.main()
