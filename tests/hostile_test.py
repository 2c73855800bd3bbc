"""Run directories and weights from elsewhere are data: what bench/hostile.py makes does nothing."""

import json
import sys
import tempfile
from pathlib import Path

from absl.testing import absltest, parameterized
from primelens.configs import text as text_configs
from primelens.lens import sources
from primelens.tasks import files
from primelens.tasks import zeros as zeros_task

sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))
import hostile

TRIALS = hostile.trials()


class FolderCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))


class TrialsTest(FolderCase):
  @parameterized.named_parameters(*TRIALS.items())
  def test_nothing_happens(self, trial):
    self.assertEmpty(trial(self.folder))

  def test_there_are_enough(self):
    self.assertGreaterEqual(len(hostile.HOSTILE), 20)
    self.assertGreaterEqual(len(hostile.BAD) + len(hostile.ARRAYS), 40)


class AttemptTest(FolderCase):
  """What a trial looks for is found where it happens."""

  def attempt(self, happens, **expected):
    def case(folder):
      hostile.secret(folder)
      hostile.outside(folder)
      return []

    return hostile.attempt(case, self.folder, main=lambda argv: happens(self.folder), **expected)

  @parameterized.parameters(
    (lambda folder: print("error: no", file=sys.stderr) or 2, []),
    (lambda folder: 0, ["exit code 0"]),
    (lambda folder: print("error: no", file=sys.stderr) or 1, ["exit code 1"]),
    (lambda folder: 2, ["not one line"]),
    (lambda folder: print("error: a\nerror: b", file=sys.stderr) or 2, ["not one line"]),
    (lambda folder: print("Traceback\nerror: b", file=sys.stderr) or 2, ["a traceback"]),
    (lambda folder: print("error: \x1b[2J", file=sys.stderr) or 2, ["a control character"]),
    (
      lambda folder: print(f"error: {hostile.SECRET}", file=sys.stderr) or 2,
      ["a secret was shown"],
    ),
  )
  def test_of_broken_files(self, happens, found):
    wrong = self.attempt(happens)
    self.assertEqual(len(wrong), len(found), wrong)
    for what, part in zip(wrong, found, strict=True):
      self.assertIn(part, what)

  @parameterized.parameters(
    ("ran", "", "a payload ran"),
    ("run/report.html", "<script", "raw markup"),
    ("run/report.html", hostile.SECRET, "a secret was copied"),
    ("outside/kept.txt", "", "something outside was changed"),
    ("outside/more.txt", "", "something outside was changed"),
  )
  def test_of_hostile_ones(self, name, text, found):
    def happens(folder):
      (folder / name).parent.mkdir(exist_ok=True)
      (folder / name).write_text(text)
      return 0

    [wrong] = self.attempt(happens, hostile=True)
    self.assertIn(found, wrong)

  def test_of_what_is_said(self):
    refuse = lambda argv: print("error: no", file=sys.stderr) or 2
    for said, wrong in (("no", 0), ("yes", 1), (hostile.READ, 1)):
      with tempfile.TemporaryDirectory() as folder:
        found = hostile.attempt(
          lambda folder: [], Path(folder), said=said, hostile=True, main=refuse
        )
      self.assertLen(found, wrong)


class SourcesTest(FolderCase):
  """A file that a config.json names is read where it is known."""

  def setUp(self):
    super().setUp()
    self.run_, self.path = self.folder / "run", self.folder / "zeros.txt"
    self.run_.mkdir()
    self.path.write_text("14.1\n21.0\n")

  def config(self, path, **task):
    return hostile.small(source="text", path=str(path), cache="elsewhere", **task)

  def checked(self, path, recorded, source=""):
    return sources.checked(self.config(path), self.run_, recorded, source).task

  def test_it_is_read_where_the_manifest_knows_it(self):
    known = {"sources": sources.fingerprints(self.config(self.path))}
    self.assertEqual(json.loads(json.dumps(known)), known)
    found = self.checked(self.path, known)
    self.assertEqual((found.path, found.cache), (str(self.path), ""))
    for other in ("14.1\n21.1\n", "14.1\n", ""):
      self.path.write_text(other)
      with self.assertRaisesRegex(ValueError, "not known to be what it was trained on"):
        self.checked(self.path, known)

  def test_it_is_read_inside_the_run(self):
    inside = self.run_ / "zeros.txt"
    inside.write_text("14.1\n")
    self.assertEqual(self.checked(inside, {}).path, str(inside))
    inside.unlink()
    inside.symlink_to(self.path)
    with self.assertRaisesRegex(ValueError, "--source="):
      self.checked(inside, {})

  @parameterized.parameters(
    "null", "3", '"a"', "[]", "[3]", "[{}]", '[{"bytes": 10}]', "[[]]", '{"bytes": 10}'
  )
  def test_a_manifest_that_knows_nothing(self, recorded):
    with self.assertRaisesRegex(ValueError, f"names {self.path}, which is not known"):
      self.checked(self.path, {"sources": json.loads(recorded)})

  def test_what_is_there_is_not_told_from_what_is_not(self):
    said = set()
    for path in (self.path, self.folder / "nothing", self.run_ / ".." / "run" / ".."):
      with self.assertRaises(ValueError) as caught:
        self.checked(path, {"sources": [{"bytes": 1, "sha256": "0"}]})
      said.add(str(caught.exception).replace(str(path), "PATH"))
    self.assertLen(said, 1)

  def test_the_user_may_name_another(self):
    self.assertEqual(self.checked("/nowhere", {}, "mine.txt").path, "mine.txt")

  def test_zeros_that_are_installed_or_computed_are_not_named(self):
    for task in ({"source": "odlyzko"}, {"source": "computed", "limit": 9, "path": "/nowhere"}):
      config = hostile.small(**task)
      self.assertFalse(sources.names_file(config))
      self.assertEqual(sources.checked(config, self.run_, {}).task, config.task)

  def test_a_published_network_is_read_where_it_is_known(self):
    config = text_configs.get_config("imported")
    config.model.checkpoint = str(self.path)
    known = {"sources": sources.fingerprints(config)}
    self.assertEqual(sources.checked(config, self.run_, known), config)
    self.assertEqual(sources.checked(config, self.run_, {}, "mine").model.checkpoint, "mine")
    with self.assertRaisesRegex(ValueError, "is not known"):
      sources.checked(config, self.run_, {})

  def test_the_base_of_a_control_names_one_too(self):
    config = hostile.small()
    config.task.base = zeros_task.Config(source="text", path=str(self.path))
    self.assertFalse(sources.names_file(config))  # poisson has no base
    config.task.ensemble = "shuffled"
    self.assertEqual(sources.of(config), [self.path])
    with self.assertRaisesRegex(ValueError, "is not known"):
      sources.checked(config, self.run_, {})


class FolderOfFilesTest(FolderCase):
  def test_links_that_stay_inside_are_followed(self):
    (self.folder / "a").write_text("")
    (self.folder / "b").symlink_to("a")
    (self.folder / "c").symlink_to("nothing")
    files.check_folder(self.folder)
    files.check_folder(self.folder / "nothing")
    (self.folder / "d").symlink_to("..")
    with self.assertRaisesRegex(ValueError, "d is a link that leads out of"):
      files.check_folder(self.folder)


if __name__ == "__main__":
  absltest.main()
