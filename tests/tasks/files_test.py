"""Files are regular, whole, and inside the folder they are said to be in."""

import contextlib
import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from absl.testing import absltest, parameterized
from primelens.tasks import files


class FilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

  def test_what_is_no_regular_file_is_refused_without_waiting(self):
    os.mkfifo(self.folder / "pipe")
    for path in (self.folder / "pipe", self.folder, "/dev/zero"):
      with self.assertRaisesRegex(ValueError, "not a regular file"):
        files.read(path)
    with self.assertRaises(FileNotFoundError):
      files.read(self.folder / "nothing")

  def test_limit(self):
    path = files.write(self.folder / "a", b"12345")
    self.assertEqual(files.read(path, limit=5), b"12345")
    with self.assertRaisesRegex(ValueError, "has 5 bytes; at most 4"):
      files.read(path, limit=4)

  @parameterized.parameters(b"{", b"\xff{}", b"[" * 200_000, b"1" * 5000, b'{"secret')
  def test_broken_json_is_named_and_not_quoted(self, content):
    path = files.write(self.folder / "a.json", content)
    with self.assertRaisesRegex(ValueError, r"a\.json is not readable JSON") as caught:
      files.read_json(path)
    self.assertNotIn("secret", str(caught.exception))

  def test_failed_write_leaves_the_old_file_and_nothing_else(self):
    path = files.write(self.folder / "a", b"old")
    with self.assertRaises(TypeError):
      files.write(path, "not bytes")
    self.assertEqual(path.read_bytes(), b"old")
    self.assertEqual(os.listdir(self.folder), ["a"])

  def test_sweep_takes_what_dead_processes_left(self):
    dead = subprocess.run(
      [sys.executable, "-c", "import os; print(os.getpid())"],
      capture_output=True,
      text=True,
      check=True,
    ).stdout.strip()
    left, ours, other = (
      self.folder / f".a.{dead}.tmp",
      self.folder / f".a.{os.getpid()}.tmp",
      self.folder / "b.tmp",
    )
    for path in (left, ours, other):
      path.write_bytes(b"")
    files.sweep(self.folder)
    self.assertEqual([left.exists(), ours.exists(), other.exists()], [False, True, True])

  def test_sweep_takes_folders_too(self):
    (self.folder / ".a.999999999.tmp" / "b").mkdir(parents=True)
    files.sweep(self.folder)
    self.assertEqual(os.listdir(self.folder), [])

  def test_remove(self):
    for name in ("file", "link", "folder", "nothing"):
      path = self.folder / name
      {"file": path.touch, "link": lambda p=path: p.symlink_to("/"), "folder": path.mkdir}.get(
        name, lambda: None
      )()
      files.remove(path)
      self.assertEqual(os.listdir(self.folder), [])
    self.assertTrue(os.path.isdir("/"))

  def test_a_failed_write_names_its_path(self):
    full = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch.object(files.os, "fsync", side_effect=full):
      with self.assertRaises(OSError) as caught:
        files.write(self.folder / "a", b"x")
    self.assertEqual(caught.exception.errno, errno.ENOSPC)
    self.assertEqual(caught.exception.filename, str(self.folder / "a"))
    self.assertEqual(os.listdir(self.folder), [])

  def test_a_lock_is_held_once_and_released_when_its_process_dies(self):
    path = self.folder / "lock"
    script = (
      "import os, sys\n"
      "from primelens.tasks import files\n"
      "with files.locked(sys.argv[1], note='process 7'):\n"
      "  print('held', flush=True)\n"
      "  sys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, "-c", script, path], stdin=pipe, stdout=pipe)
    with child:
      child.stdout.readline()
      for shared in (False, True):
        with self.assertRaisesRegex(files.Held, "held by another process .process 7."):
          with files.locked(path, shared=shared):
            pass
      child.kill()
    with files.locked(path, note="mine"):
      self.assertEqual(path.read_text(), "mine")
    self.assertEqual(path.read_text(), "")
    with files.locked(path, shared=True), files.locked(path, shared=True):
      with self.assertRaises(files.Held):
        with files.locked(path):
          pass

  def test_what_lies_behind_a_link_is_not_locked(self):
    target = files.write(self.folder / "target", b"precious")
    (self.folder / "lock").symlink_to(target)
    with self.assertRaises(OSError):
      with files.locked(self.folder / "lock", note="mine"):
        pass
    self.assertEqual(target.read_bytes(), b"precious")

  def test_a_reader_makes_no_lock(self):
    with files.locked(self.folder / "lock", shared=True):
      self.assertEqual(os.listdir(self.folder), [])

  @parameterized.parameters(
    lambda x: x | {"a": 2},
    lambda x: x | {"b": 1},
    lambda x: x | {"sha256": x["sha256"][:-1]},
    lambda x: {"a": 1},
    lambda x: x | {"sha256": None},
  )
  def test_a_seal_that_is_broken(self, change):
    sealed = files.seal({"a": 1, "c": [0.1, None, "x"]})
    self.assertEqual(files.unseal(json.loads(json.dumps(sealed))), {"a": 1, "c": [0.1, None, "x"]})
    with self.assertRaisesRegex(ValueError, "do not agree"):
      files.unseal(change(sealed))

  def test_within(self):
    (self.folder / "in").mkdir()
    (self.folder / "secret").write_text("")
    (self.folder / "in" / "link").symlink_to(self.folder / "secret")
    files.write(self.folder / "in" / "a", b"")
    self.assertEqual(files.within(self.folder / "in", "a"), self.folder / "in" / "a")
    for name in ("../secret", str(self.folder / "secret"), "link", "x/../../secret"):
      with self.assertRaisesRegex(ValueError, "lies outside"):
        files.within(self.folder / "in", name)

  def test_names_of_folders(self):
    self.assertEqual(files.name_of("runs/demo/"), "demo")
    self.assertEqual(files.name_of("runs/demo/../other"), "other")
    with contextlib.chdir(self.folder):
      self.assertEqual(files.name_of("."), self.folder.name)
      self.assertEqual(files.name_of("x/.."), self.folder.name)

  def test_homes(self):
    self.assertEqual(files.home("~/x"), Path.home() / "x")
    self.assertEqual(files.home("a~b"), Path("a~b"))
    with self.assertRaisesRegex(ValueError, "~nosuchuser/x: no such user"):
      files.home("~nosuchuser/x")

  def test_text(self):
    self.assertTrue(files.is_text("r\u00f6hre \U0001f600"))
    self.assertFalse(files.is_text("\udcff"))
    self.assertFalse(files.is_text("a\0b"))

  def test_control_characters_are_shown(self):
    self.assertEqual(files.shown("a\x1b]0;b\x07\n\u202e"), "a\\x1b]0;b\\x07\\n\\u202e")
    self.assertEqual(files.shown("π ä"), "π ä")


if __name__ == "__main__":
  absltest.main()
