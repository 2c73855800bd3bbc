"""A question, a task and a study of one's own, without an edit in the package."""

import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path
from unittest import mock

import tiny_study
from absl.testing import absltest
from primelens.lens import analyze, plugins, results, train

WORKSPACE = (Path(__file__).parents[2] / "WORKSPACE.md").read_text()


def recipe(name: str, folder: Path) -> None:
  """Writes the file that WORKSPACE.md shows under this name."""
  (text,) = re.findall(rf"^```python {re.escape(name)}\n(.*?)^```$", WORKSPACE, re.M | re.S)
  path = folder / name
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)


class OutsideCase(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.enterContext(contextlib.chdir(self.folder))
    self.addCleanup(plugins._LOADED.clear)

  def call(self, main, *argv):
    return tiny_study.call(main, *map(str, argv))


class SliceTest(OutsideCase):
  """`analyze.py --only=./my_question.py`, on a study that has slices and on one that has not."""

  def setUp(self):
    super().setUp()
    self.run = self.folder / "runs" / "one"
    shutil.copytree(tiny_study.trained(), self.run)
    recipe("my_question.py", self.folder)

  def test_a_question_of_ones_own(self):
    code, out, err = self.call(
      analyze.main, f"--workdir={self.run}", "--only=./my_question.py,claims,report"
    )
    self.assertEqual(code, 0, err)
    found, origin = results.read(self.run / "results", "my_question")
    self.assertEqual(found.norm.dims, ("seed",))
    self.assertEqual(origin["settings"]["my_question"], {"power": 2})
    table = (self.run / "results" / "my_question.norms.csv").read_text()
    self.assertStartsWith(table, "run,seed,norm\none,")
    self.assertIn("Norms: one ", out)
    page = (self.run / "report.html").read_text()
    self.assertIn("How large are the weights of every network?", page)
    self.assertIn("own: the norm of all weights beside", page)
    self.assertIn('alt="one: How large', page)
    self.assertIn("mine.grows", page)
    self.assertTrue((self.run / "figures" / "my_question.png").exists())

  def test_its_settings_and_several_runs(self):
    other = self.folder / "runs" / "two"
    shutil.copytree(self.run, other)
    only = ("--only=./my_question.py,report", "--set=my_question.power=1")
    code, _, err = self.call(analyze.main, f"--workdir={self.folder / 'runs'}", *only)
    self.assertEqual(code, 0, err)
    for run in (self.run, other):
      found, _ = results.read(run / "results", "my_question")
      self.assertEqual(found.attrs["power"], 1)
    page = (self.folder / "runs" / "report.html").read_text()
    self.assertIn('alt="all runs: How large', page)
    self.assertTrue((self.folder / "runs" / "figures" / "my_question.all-runs.png").exists())

  def test_files_that_are_no_question(self):
    cases = {
      "absent.py": "No file absent.py",
      "empty.py": "has no function measure",
      "broken.py": "cannot be read: SyntaxError",
      "masking.py": "has a slice 'masking' of its own",
    }
    (self.folder / "empty.py").write_text("")
    (self.folder / "broken.py").write_text("def measure(:")
    shutil.copy("my_question.py", "masking.py")
    before = tiny_study.files(self.folder)
    for name, message in cases.items():
      with self.subTest(name):
        code, _, err = self.call(analyze.main, f"--workdir={self.run}", f"--only=./{name}")
        self.assertEqual(code, 2, err)
        self.assertRegex(err, rf"^error: .*{message}.*\n$")
        self.assertEqual(tiny_study.files(self.folder), before)


class PluginTest(OutsideCase):
  SMALL = ("--config.model.trunk.width=16", "--config.model.trunk.hidden=32")

  def test_a_task_with_its_own_question(self):
    recipe("multiplication.py", self.folder)
    mine = "--plugin=multiplication.py"
    code, _, err = self.call(
      train.main, mine, "--config=multiplication.py", "--workdir=run", *self.SMALL
    )
    self.assertEqual(code, 0, err)
    plugins._LOADED.clear()

    code, _, err = self.call(analyze.main, "--workdir=run")  # without, it is refused
    self.assertEqual(code, 2)
    self.assertRegex(err, "task.kind='multiplication' is not one of .*--plugin=multiplication.py")
    code, out, err = self.call(analyze.main, "--workdir=run", mine, "--set=draws=4")
    self.assertEqual(code, 0, err)
    self.assertIn("run is not read by 'embedding': it is about", err)
    found, _ = results.read("run/results", "multiplication")
    self.assertEqual(found.accuracy.shape, (2,))
    page = Path("run/report.html").read_text()
    self.assertIn("Are products modulo P learned?", page)
    self.assertIn('alt="run: Are products', page)
    self.assertIn("spectra", out + err)

  def test_plugins_that_bring_nothing(self):
    (self.folder / "empty.py").write_text("x = 1")
    for name, message in {
      "empty.py": "brings nothing: define TASKS, MODELS, STUDIES or measure",
      "no_such_module": "is no file, and no module that can be imported",
      "./gone.py": "No file ./gone.py",
    }.items():
      with self.subTest(name):
        code, _, err = self.call(analyze.main, f"--plugin={name}", "--list")
        self.assertEqual(code, 2, err)
        self.assertIn(message, err)

  def test_a_model(self):
    recipe("my_model.py", self.folder)
    argv = ("--plugin=my_model.py", "--config=my_model.py", "--workdir=run")
    code, _, err = self.call(train.main, *argv, *self.SMALL)
    self.assertEqual(code, 0, err)
    self.assertIn('"my_model"', Path("run/config.json").read_text())
    plugins._LOADED.clear()
    code, _, err = self.call(analyze.main, "--workdir=run", "--only=spectra")
    self.assertEqual(code, 2)
    self.assertIn("model.kind='my_model' is not one of", err)
    only = ("--only=spectra", "--set=draws=4")
    code, _, err = self.call(analyze.main, "--workdir=run", argv[0], *only)
    self.assertEqual(code, 0, err)

  def test_a_study_that_is_a_package(self):
    for name in ("__init__.py", "program.py"):
      recipe(f"quotients/{name}", self.folder)
    recipe("my_question.py", self.folder / "quotients")
    recipe("multiplication.py", self.folder)
    config = "from multiplication import *\nimport dataclasses\nimport multiplication\n"
    config += "def get_config():\n  of = multiplication.get_config()\n"
    config += "  return dataclasses.replace(of, study='quotients', analyses=None)\n"
    (self.folder / "config.py").write_text(config)
    self.enterContext(mock.patch("sys.path", [str(self.folder), *sys.path]))
    self.enterContext(mock.patch.dict("sys.modules"))
    mine = ("--plugin=quotients", "--plugin=multiplication")
    code, out, err = self.call(analyze.main, mine[0], "--list")
    self.assertEqual(code, 0, err)
    self.assertIn("quotients:\n  my_question       How large are the weights", out)
    code, out, err = self.call(
      train.main, *mine, "--config=config.py", "--workdir=run", *self.SMALL
    )
    self.assertEqual(code, 0, err)
    code, out, err = self.call(analyze.main, *mine, "--workdir=run")
    self.assertEqual(code, 0, err)
    page = Path("run/report.html").read_text()
    self.assertIn("<h1>Quotients, on trial</h1>", page)
    self.assertIn("How large are the weights of every network?", page)


class PopulationTest(OutsideCase):
  """`--config=FAMILY:all` trains every variant, `--workdir=PARENT` reads them all."""

  FAMILY = (
    "import sys\n"
    f"sys.path.insert(0, {str(Path(tiny_study.__file__).parent)!r})\n"
    "import tiny_study\n"
    "VARIANTS = ('none', 'postfix')\n"
    "def get_config(memory='none'):\n"
    "  if memory not in VARIANTS:\n"
    "    raise ValueError(f'{memory!r} is not one of none, postfix.')\n"
    "  return tiny_study.get_config(memory)\n"
  )

  def test_every_variant_has_a_folder(self):
    (self.folder / "family.py").write_text(self.FAMILY)
    code, out, err = self.call(train.main, "--config=family.py:all", "--workdir=runs")
    self.assertEqual(code, 0, err)
    self.assertIn("[1/2] none: runs/none", err)
    self.assertIn("finished at step 20", out)
    self.assertEqual(sorted(p.name for p in Path("runs").iterdir()), ["none", "postfix"])
    code, out, err = self.call(analyze.main, "--workdir=runs", "--only=claims")
    self.assertEqual(code, 0, err)
    found, origin = results.read("runs", "claims")
    self.assertEqual(origin["runs"], ["none", "postfix"])
    self.assertNotEmpty(found.attrs["rows"])

  def test_a_wrong_field_is_refused_before_the_first_run(self):
    (self.folder / "family.py").write_text(self.FAMILY)
    code, _, err = self.call(
      train.main, "--config=family.py:all", "--workdir=runs", "--config.model.slots=0"
    )
    self.assertEqual(code, 2)  # of the second variant alone
    self.assertRegex(err, r"^error: .*slots=0 must be at least 1.*\n$")
    self.assertFalse(Path("runs").exists())

  def test_a_config_without_variants(self):
    (self.folder / "one.py").write_text(
      self.FAMILY.replace("VARIANTS = ('none', 'postfix')\n", "VARIANTS = ()\n")
    )
    code, _, err = self.call(train.main, "--config=one.py:all", "--dry_run")
    self.assertEqual(code, 2)
    self.assertIn("has no tuple VARIANTS of arguments", err)

  def test_a_folder_without_runs(self):
    Path("empty").mkdir()
    code, _, err = self.call(analyze.main, "--workdir=empty")
    self.assertEqual(code, 2)
    self.assertRegex(err, "No run in empty: train one with train.py --workdir=empty")


if __name__ == "__main__":
  absltest.main()
