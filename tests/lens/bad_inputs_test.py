"""Every bad input of bench/bad_inputs.py, in one process: one line, exit 2, nothing written."""

import collections
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import tiny_study
from absl.testing import absltest
from primelens.lens import analyze, train

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import bad_inputs

MAINS = {"train": train.main, "analyze": analyze.main}


def written(folder: Path) -> dict[str, tuple[int, int]]:
  """Returns the size and the time of everything below a folder, links not followed."""
  found, folders = {}, [str(folder)]
  while folders:
    for entry in os.scandir(folders.pop()):
      state = entry.stat(follow_symlinks=False)
      found[entry.path] = (state.st_size, state.st_mtime_ns)
      if entry.is_dir(follow_symlinks=False):
        folders.append(entry.path)
  return found


class BadInputsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    run, made = cls.folder / "run", cls.folder / "made"
    shutil.copytree(tiny_study.trained(), run)
    made.mkdir()
    cls.places = bad_inputs.prepare(made, Path(tiny_study.__file__), run)

  def test_every_case(self):
    wrong = []
    before = written(self.folder)
    for case in bad_inputs.CASES:
      argv = bad_inputs.filled(case, self.places)
      code, out, err = tiny_study.call(MAINS[case.command], *argv)
      after = written(self.folder)
      one_line = err.endswith("\n") and all(c.isprintable() for c in err[:-1])
      said = re.search(rf"\Aerror: .*(?:{case.said})", err)
      if not (code == 2 and not out and one_line and said and before == after):
        new = sorted(after.keys() - before.keys())
        wrong.append(f"{case.command} {argv}: exit {code}, {err!r:.300}, {out!r:.100}, new {new}")
      before = after
    self.assertEmpty(wrong, "\n".join(each[:900] for each in wrong))

  def test_cases_are_many_and_differ(self):
    self.assertGreater(len(bad_inputs.CASES), 300)
    twice = [c for c, count in collections.Counter(bad_inputs.CASES).items() if count > 1]
    self.assertEmpty(twice)
    for case in bad_inputs.CASES:
      re.compile(case.said)


if __name__ == "__main__":
  absltest.main()
