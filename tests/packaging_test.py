"""The wheel holds every room, and nothing of the tests or the mains."""

import ast
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from absl.testing import absltest, parameterized

ROOT = Path(__file__).parent.parent
ROOMS = ("primelens", "tasks", "models", "analyses", "lens", "studies", "configs")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


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


class ExamplesTest(absltest.TestCase):
  """What README imports is there, by the name that it uses (WORKSPACE's files are run)."""

  def test_modules_and_their_functions_exist(self):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
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


if __name__ == "__main__":
  absltest.main()
