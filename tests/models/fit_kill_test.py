"""Kill and resume: a child process is really killed, again and again.

SIGKILL hits at random moments and while a checkpoint is being written; the
final state must equal that of a run nobody touched, bit for bit. Children are
forked from a process that has imported all and started nothing.
"""

import contextlib
import io
import multiprocessing
import os
import random
import signal
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
import tiny_fit
from absl.testing import absltest
from primelens.models import fit

STEPS = 75
DEADLINE = 300.0


def unfinished(folder: Path) -> set[tuple[str, int]]:
  """Returns the checkpoints on their way to the disk, by name and inode."""
  found = set()
  for path in (folder / "checkpoints").glob("*tmp*"):
    with contextlib.suppress(FileNotFoundError):  # renamed since
      found.add((path.name, path.stat().st_ino))
  return found


def rows(folder: Path) -> int:
  """Returns how many lines metrics.jsonl has."""
  path = folder / "metrics.jsonl"
  return path.read_bytes().count(b"\n") if path.exists() else 0


def written(folder: Path) -> int:
  """Returns when metrics.jsonl was written last, which is the first that a child writes."""
  path = folder / "metrics.jsonl"
  return path.stat().st_mtime_ns if path.exists() else 0


class KillTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.root = Path(self.enterContext(tempfile.TemporaryDirectory()))
    options = {
      "JAX_PLATFORMS": "cpu",
      "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiling takes all the time
      "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
      "PYTHONPATH": str(Path(tiny_fit.__file__).parent),
    }
    self.enterContext(mock.patch.dict(os.environ, options))
    self.processes = multiprocessing.get_context("forkserver")
    self.processes.set_forkserver_preload(["tiny_fit"])

  def child(self, folder: Path):
    child = self.processes.Process(target=tiny_fit.train, args=(str(folder), str(STEPS)))
    child.start()
    self.addCleanup(child.kill)
    return child

  def kill_when(self, folder: Path, ready) -> bool:
    """Kills a child once `ready()`; returns whether it was still at work."""
    before = written(folder)
    child = self.child(folder)
    end = time.monotonic() + DEADLINE
    at_work = lambda: child.exitcode is None and time.monotonic() < end
    while at_work() and written(folder) == before:  # it starts, seconds
      time.sleep(0.005)
    while at_work() and not ready():
      time.sleep(0.0005)
    self.assertLess(time.monotonic(), end, "the child never came that far")
    child.kill()
    child.join()
    return child.exitcode == -signal.SIGKILL

  def test_killed_runs_end_as_untouched_ones(self):
    whole, killed = self.root / "whole", self.root / "killed"
    self.finish(whole)
    hits = self.kill_often(killed, random.Random(0))
    self.assertGreaterEqual(hits["kills"], 4)
    self.assertGreaterEqual(hits["while writing"], 2)
    self.assertFalse((killed / "final.npz").exists())
    self.finish(killed)
    self.same_state(whole, killed)
    self.same_metrics(whole, killed)

  def finish(self, folder: Path) -> None:
    """Trains to the end, in this process."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
      tiny_fit.train(str(folder), str(STEPS))
    self.assertEqual(output.getvalue(), f"finished {STEPS}\n")

  def kill_often(self, folder: Path, rng: random.Random) -> dict[str, int]:
    """Returns how many kills there were, and how many hit a write."""
    hits = {"kills": 0, "while writing": 0}
    for turn in range(5):
      target = rows(folder) + rng.randint(1, 2)
      moved = lambda target=target: rows(folder) >= target
      before = unfinished(folder)  # left by an earlier kill
      writing = lambda before=before: bool(unfinished(folder) - before)
      if turn % 2:  # a random moment after that row
        delay = rng.uniform(0, 0.1)
        ready = lambda d=delay, m=moved: m() and (time.sleep(d) or True)
      else:
        ready = lambda m=moved, w=writing: m() and w()
      hits["kills"] += self.kill_when(folder, ready)
      hits["while writing"] += writing()
    return hits

  def same_state(self, whole: Path, killed: Path) -> None:
    expected, got = (np.load(f / "final.npz") for f in (whole, killed))
    self.assertEqual(set(expected.files), set(got.files))
    self.assertGreater(len(got.files), 40)  # params, moments, best, frozen
    for name in expected.files:
      self.assertEqual(expected[name].tobytes(), got[name].tobytes(), name)

  def same_metrics(self, whole: Path, killed: Path) -> None:
    expected, got = (fit.read_metrics(f / "metrics.jsonl") for f in (whole, killed))
    for row in (*expected, *got):
      row.pop("seconds_per_step")
    self.assertEqual(expected, got)


if __name__ == "__main__":
  absltest.main()
