"""The wheel holds every room, and nothing of the tests or the mains."""

import ast
import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from absl.testing import absltest, parameterized
from primelens.lens import analyze, cli, study, train

ROOT = Path(__file__).parent.parent
ROOMS = ("primelens", "tasks", "models", "analyses", "lens", "studies", "configs")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
PYTHON = r"```python\n(.*?)```"


def folders() -> list[str]:
  """Returns every folder of a room that holds Python files."""
  found = {p.parent for room in ROOMS for p in (ROOT / room).rglob("*.py")}
  return sorted(p.relative_to(ROOT).as_posix() for p in found)


def package(folder: str) -> str:
  return "primelens" if folder == "primelens" else "primelens." + folder.replace("/", ".")


class MappingTest(parameterized.TestCase):
  def test_packages_are_the_folders(self):
    expected = sorted(package(folder) for folder in folders())
    self.assertEqual(sorted(SETUPTOOLS["packages"]), expected)

  def test_package_dir_maps_each_to_its_folder(self):
    expected = {package(folder): folder for folder in folders()}
    self.assertEqual(SETUPTOOLS["package-dir"], expected)

  @parameterized.parameters(*((folder,) for folder in folders()))
  def test_each_package_is_typed_and_marked(self, folder):
    for name in ("__init__.py", "py.typed"):
      self.assertTrue((ROOT / folder / name).exists(), name)

  @parameterized.parameters(*PROJECT["project"]["scripts"].values())
  def test_commands_exist(self, target):
    module, function = target.split(":")
    self.assertTrue(callable(getattr(importlib.import_module(module), function)))

  def test_peers_stay_out_of_the_environment(self):
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(d for e in extras for d in e)]
    peers = ("torch", "transformer-lens", "tensorflow")
    self.assertEmpty([d for d in wanted if d.startswith(peers)])


class WheelTest(absltest.TestCase):
  def build(self) -> list[str]:
    """Returns the names in a wheel built from a clean copy."""
    copy = Path(self.enterContext(tempfile.TemporaryDirectory()))
    clean = shutil.ignore_patterns("__pycache__", "*.pyc")
    for room in ROOMS:
      shutil.copytree(ROOT / room, copy / room, ignore=clean)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
      shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    done = subprocess.run(
      [*command, "--outdir", copy / "dist", copy],
      env=os.environ | {"PYTHONWARNINGS": "default"},
      capture_output=True,
      text=True,
    )
    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    (wheel,) = (copy / "dist").glob("primelens-*.whl")
    return zipfile.ZipFile(wheel).namelist()

  def test_content_is_the_rooms_and_metadata(self):
    names = self.build()
    shipped = {n for n in names if ".dist-info/" not in n}
    expected = set()
    for folder in folders():
      data = (ROOT / folder).glob("*.csv")
      files = [*(ROOT / folder).glob("*.py"), *data, ROOT / folder / "py.typed"]
      place = package(folder).replace(".", "/")
      expected |= {f"{place}/{p.name}" for p in files}
    self.assertEqual(shipped, expected)
    self.assertTrue(any(n.endswith("licenses/LICENSE") for n in names))


def pages() -> dict[str, str]:
  """Returns README, WORKSPACE and the pages of docs by name; what the sources did is no page."""
  found = [ROOT / "README.md", ROOT / "WORKSPACE.md", *(ROOT / "docs").rglob("*.md")]
  found = [path for path in found if "sources" not in path.parts]
  return {path.relative_to(ROOT).as_posix(): path.read_text() for path in found}


def anchors(text: str) -> set[str]:
  """Returns what links to the headings of a page end with."""
  headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
  return {re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-") for line in headings}


def commands(text: str) -> list[list[str]]:
  """Returns the words of every command of a page: lines of code that are no Python."""
  text = re.sub(r"```python.*?```", "", text, flags=re.DOTALL).replace("\\\n", " ")
  fenced = re.findall(r"```\n(.*?)```", text, re.DOTALL)
  lines = [line for block in fenced for line in block.splitlines()]
  lines += re.findall(
    r"^ {4}(\S.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
  )
  lines += re.findall(r"`(make [^`]*)`", text)
  # A line that is no command, as one of a listing, may have an odd quote.
  known = [line for line in lines if re.match(r"(python|train\.py|analyze\.py|make)\b", line)]
  words = [shlex.split(line, comments=True) for line in known]
  return [each[1:] if each[0] == "python" else each for each in words]


class ExamplesTest(absltest.TestCase):
  """What pages import is there, by the name that they use (WORKSPACE's files are run)."""

  def test_modules_and_their_functions_exist(self):
    texts = [text for name, text in pages().items() if name != "WORKSPACE.md"]
    blocks = [block for text in texts for block in re.findall(PYTHON, text, re.DOTALL)]
    asked = 0
    for block in blocks:
      tree, modules = ast.parse(block), {}
      for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("primelens."):
          for each in node.names:
            place = f"{node.module}.{each.name}"
            if importlib.util.find_spec(place):
              modules[each.asname or each.name] = importlib.import_module(place)
            else:
              self.assertTrue(hasattr(importlib.import_module(node.module), each.name), place)
      for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
          module = modules.get(node.value.id)
          if module is not None:
            asked += 1
            self.assertTrue(hasattr(module, node.attr), f"{module.__name__}.{node.attr}")
    self.assertGreaterEqual(asked, 6)


class CommandsTest(absltest.TestCase):
  """Every command of a page is one: its flags, its config, the analyses that it names."""

  def test_of_every_page(self):
    checks = {"train.py": self.train, "analyze.py": self.analyze, "make": self.make}
    count = 0
    for name, text in pages().items():
      for words in commands(text):
        if words[0] in checks:
          count += 1
          with self.subTest(f"{name}: {' '.join(words)}"):
            checks[words[0]](words)
        elif words[0].endswith(".py"):
          self.assertTrue((ROOT / words[0]).exists(), words)
    self.assertGreater(count, 40)

  def train(self, words):
    plain, changes = cli.split_overrides(words)
    values = train._flags()
    self.assertTrue(cli.parse(values, plain, ""))
    if not values.config.endswith(".py"):  # a file of the reader's own
      for config in cli.load_configs(values.config).values():
        cli.assign(config, changes)

  def analyze(self, words):
    values = analyze._flags()
    self.assertTrue(cli.parse(values, words, ""))
    studies = [study.find(name) for name in study.names()]
    known = {key for its in studies for key in its.slices} | set(analyze.COMPARISONS)
    only = {word for word in cli.words(values.only, "--only") if not word.endswith(".py")}
    self.assertContainsSubset(only, known)
    if not values["weights"].present:
      fields = {key for its in studies for key in vars(its.settings())}
      self.assertContainsSubset({change.partition(".")[0] for change in values.set}, fields)

  def make(self, words):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    self.assertIn(next(word for word in words[1:] if "=" not in word), targets)


class LinksTest(absltest.TestCase):
  """What a page links to is there."""

  def setUp(self):
    super().setUp()
    self.texts = {
      path: path.read_text() for path in (*ROOT.glob("*.md"), *ROOT.rglob("docs/**/*.md"))
    }

  def test_files(self):
    missing = []
    for page, text in self.texts.items():
      for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not (page.parent / target).exists():
          missing.append(f"{page.name}: {target}")
    self.assertEmpty(missing)

  def test_headings(self):
    missing, count = [], 0
    for page, text in self.texts.items():
      for target, heading in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", text):
        of = (page.parent / target).resolve() if target else page
        count += 1
        if of in self.texts and heading not in anchors(self.texts[of]):
          missing.append(f"{page.name}: {target}#{heading}")
    self.assertEmpty(missing)
    self.assertGreater(count, 40)


if __name__ == "__main__":
  absltest.main()
