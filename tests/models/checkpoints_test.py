"""Checkpoints survive damage by falling back; snapshots make a round trip."""

import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from absl.testing import absltest, parameterized
from primelens.models import checkpoints
from safetensors import numpy as safetensors_numpy


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


def flip(path: Path, at: float = 0.5):
  """Flips one bit of a file."""
  content = bytearray(path.read_bytes())
  content[int(at * (len(content) - 1))] ^= 4
  path.write_bytes(content)


def flip_payload(folder: Path):
  """Flips a bit of the numbers, which tensorstore does not notice."""
  flip(max((folder / "default").rglob("*"), key=lambda path: path.stat().st_size * path.is_file()))


def without_state(folder: Path):
  shutil.rmtree(folder / "default")


def without_digests_of_damage(folder: Path):
  """Replaces the digests by those of another step."""
  shutil.copy(folder.parent / "4" / "digests.json", folder / "digests.json")


def of_the_step_before(folder: Path):
  shutil.rmtree(folder)
  shutil.copytree(folder.parent / "4", folder)


def a_file(folder: Path):
  shutil.rmtree(folder)
  folder.write_text("x")


def a_pipe(folder: Path):
  (folder / "digests.json").unlink()
  os.mkfifo(folder / "digests.json")


def an_empty_later_one(folder: Path):
  shutil.rmtree(folder)
  (folder.parent / "999999").mkdir()


DAMAGES = (
  truncate,
  scribble,
  empty,
  flip_payload,
  without_state,
  without_digests_of_damage,
  of_the_step_before,
  a_file,
  a_pipe,
  an_empty_later_one,
)


class CheckpointsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "checkpoints"

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

  @parameterized.parameters(*DAMAGES)
  def test_a_damaged_newest_one_falls_back_with_one_warning(self, damage):
    found = self.saved(4, 8)
    damage(self.folder / "8")
    steps = found.steps()
    self.assertEqual(found.newest(), 4)
    with self.assertLogs(level="WARNING") as log:
      self.check(found.restore(shapes()), 4)
    [line] = log.output
    self.assertRegex(line, rf"Unreadable checkpoint \(step {steps[-1]}: .*; using 4\.")
    self.assertEqual(found.steps(), steps)  # a reader deletes nothing
    found.save(8, state(8))
    found.close()
    self.check(self.saved().restore(shapes()), 8)
    self.assertEqual(sorted(os.listdir(self.folder)), ["4", "8"])

  @parameterized.parameters("8.bak", "08", "step_8", "-8", "\u0668")
  def test_what_is_named_otherwise_is_no_checkpoint(self, name):
    found = self.saved(4, 8)
    os.rename(self.folder / "8", self.folder / name)
    self.assertEqual(found.steps(), [4])
    self.check(found.restore(shapes()), 4)

  def test_a_flipped_bit_of_any_file_is_noticed(self):
    found = self.saved(4, 8)
    paths = [path for path in (self.folder / "8").rglob("*") if path.is_file()]
    self.assertGreater(len(paths), 10)
    for path in paths:
      for at in (0.0, 0.7, 1.0):
        whole = path.read_bytes()
        flip(path, at)
        self.assertEqual(found.newest(), 4, path)
        path.write_bytes(whole)
    self.assertEqual(found.newest(), 8)

  def test_checkpoints_of_an_earlier_revision_are_read_and_that_is_said_once(self):
    options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=True)
    with ocp.CheckpointManager(self.folder, options=options) as manager:
      for step in (4, 8):
        manager.save(step, args=ocp.args.StandardSave(state(step)))
    with self.assertLogs(level="WARNING") as log:
      found = self.saved()
      self.assertEqual(found.newest(), 8)
      self.check(found.restore(shapes()), 8)
    [line] = log.output
    self.assertIn("files of an earlier revision, without digests", line)
    truncate(self.folder / "8")
    with self.assertLogs(level="WARNING") as log:
      self.check(found.restore(shapes()), 4)
    self.assertLen(log.output, 1)  # and none of the tracebacks of orbax
    found.save(12, state(12))
    found.close()
    self.assertEqual(sorted(os.listdir(self.folder)), ["12", "4"])
    self.check(self.saved().restore(shapes()), 12)

  def test_what_a_killed_process_left_is_swept(self):
    self.saved(4)
    for name in (
      "8.tmp",
      "8.orbax-checkpoint-tmp-17",
      "8.tmp.orbax-checkpoint-tmp",
      ".6.99999.tmp",
    ):
      (self.folder / name / "default").mkdir(parents=True)
    self.check(self.saved(8).restore(shapes()), 8)
    self.assertEqual(sorted(os.listdir(self.folder)), ["4", "8"])

  def test_one_that_is_deleted_while_it_is_read_is_read_again(self):
    found, other = self.saved(4, 8), self.saved()
    read = found._read

    def slowly(step, abstract):
      if step == 8 and 16 not in other.steps():
        for later in (12, 16):  # another process goes on: 4 and 8 are deleted
          other.save(later, state(later))
        other.wait()
      return read(step, abstract)

    with mock.patch.object(found, "_read", slowly), self.assertNoLogs(level="WARNING"):
      self.check(found.restore(shapes()), 16)

  @parameterized.parameters(
    ("RESOURCE_EXHAUSTED: Error writing: No space left on device [os_error_code='28']", 28),
    ("OUT_OF_RANGE: Failed to write 3 bytes to file 7: File too large [os_error_code='27']", 27),
    ("[Errno 122] Disk quota exceeded", 122),
    ("No space left on device", 28),
  )
  def test_a_full_disk_has_the_errno_of_a_full_disk(self, text, code):
    found = self.saved(4)
    with mock.patch.object(
      ocp.AsyncCheckpointer, "wait_until_finished", side_effect=ValueError(text)
    ):
      with self.assertRaises(OSError) as caught:
        found.save(8, state(8))
        found.wait()
    self.assertEqual((caught.exception.errno, caught.exception.filename), (code, str(self.folder)))
    self.check(self.saved().restore(shapes()), 4)
    self.check(self.saved(8).restore(shapes()), 8)

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

  def test_any_changed_byte_is_noticed(self):
    path = checkpoints.write_snapshot(self.folder, 5, state(5))
    whole = path.read_bytes()
    for at in (0.0, 0.01, 0.03, 0.06, 0.1, 0.5, 1.0):
      flip(path, at)
      with self.assertRaisesRegex(ValueError, "step_00000005"):
        checkpoints.read_snapshot(self.folder, 5, state(5))
      path.write_bytes(whole)
    checkpoints.read_snapshot(self.folder, 5, state(5))

  def test_another_steps_file_is_noticed(self):
    path = checkpoints.write_snapshot(self.folder, 5, state(5))
    shutil.copy(checkpoints.write_snapshot(self.folder, 6, state(6)), path)
    with self.assertRaisesRegex(ValueError, "step_00000005.* holds the snapshot of step 6"):
      checkpoints.read_snapshot(self.folder, 5, state(5))

  def test_one_of_an_earlier_revision_is_read_and_that_is_said_once(self):
    params = state(5)
    path = checkpoints.write_snapshot(self.folder, 5, params)
    safetensors_numpy.save_file({"count": np.asarray(params["count"])}, path)
    with self.assertLogs(level="WARNING") as log:
      for _ in range(2):
        got = checkpoints.read_snapshot(self.folder, 5, {"count": params["count"]})
        np.testing.assert_array_equal(got["count"], params["count"])
    self.assertLen(log.output, 1)
    with self.assertRaisesRegex(ValueError, "step_00000005.* it has no tensor 'params/w'"):
      checkpoints.read_snapshot(self.folder, 5, params)

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
