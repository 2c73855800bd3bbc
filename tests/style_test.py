"""House rules that a linter does not know, one case per file and rule."""

import ast
from collections.abc import Iterator
import fnmatch
import functools
from pathlib import Path
import re
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

ROOT = Path(__file__).parent.parent
ROOMS = ("tasks", "models", "analyses", "studies", "configs")
# Data flow one way; nothing imports upward. Room "" is the top folder.
MAY_IMPORT = {
  "": {"studies"},
  "tasks": {"tasks"},
  "models": {"tasks", "models"},
  "analyses": {"analyses"},
  "studies": {"tasks", "models", "analyses", "studies"},
  "configs": {"tasks", "models", "studies", "configs"},
  "bench": set(ROOMS),
  "tests": set(ROOMS),
}
# The command line lists the configs that are shipped.
EXCEPTIONS = {("studies/cli.py", "configs")}
# Where each heavy or confined library may be imported, in any function.
HOMES = {
  "matplotlib": ("analyses/plots*.py",),
  # Where it does a job once; hundreds of probes are in analyses/ridge.py.
  "sklearn": (
    "analyses/anchors.py",
    "analyses/clusters.py",
    "bench/*.py",
    "studies/text/geometry.py",
    "studies/text/nonlinear_probes_parts.py",
  ),
  "pysr": ("analyses/symbolic_pysr.py",),
  "pyoperon": ("analyses/symbolic_operon.py",),
  "orbax": ("models/checkpoints.py",),
  "safetensors": (
    "models/checkpoints.py",
    "models/imports.py",
    "models/weights.py",
    "bench/spectra*.py",
  ),
  "flax": ("models/*.py",),
  "optax": ("models/*.py",),
  "ml_collections": ("studies/cli.py",),
  "rich": ("studies/cli.py",),
  "absl.flags": ("studies/cli.py", "studies/train.py", "studies/analyze.py"),
  "torch": ("bench/*_peer.py",),
}
PRIVATE_JAX = ("core", "interpreters", "lib", "extend", "experimental", "_src")
MACHINE = re.compile(
  r"/(?:work|tmp|root|home|opt|Users)/\w|https?://[^/\s]*pypi"
)
MAX_FUNCTION, MAX_FILE = 50, 300


def sources() -> list[str]:
  """Returns every Python file of the checkout, relative to it."""
  folders = (*ROOMS, "bench", "tests")
  found = [p for f in folders for p in (ROOT / f).rglob("*.py")]
  return sorted(
    p.relative_to(ROOT).as_posix() for p in (*found, *ROOT.glob("*.py"))
  )


def library() -> list[str]:
  """Returns the files that are shipped."""
  return [name for name in sources() if name.split("/")[0] in ROOMS]


def cases(names):
  """Returns one case per file, named after it."""
  plain = lambda name: re.sub(r"\W", "_", name.removesuffix(".py"))
  return parameterized.named_parameters(
    *((f"_{plain(name)}", name) for name in names)
  )


@functools.cache
def tree(name: str) -> ast.Module:
  return ast.parse((ROOT / name).read_text(), name)


def room(name: str) -> str:
  return name.split("/")[0] if "/" in name else ""


def imported(name: str) -> Iterator[str]:
  """Yields every module a file imports at any depth, in full.

  `from a import b` yields a.b, a string given to import_module the string, and
  a relative import begins with a dot.
  """
  for node in ast.walk(tree(name)):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      base = "." * node.level + (node.module or "")
      yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call):
      yield from _called(node)


def _called(node: ast.Call) -> Iterator[str]:
  function = ast.unparse(node.func)
  constant = node.args and isinstance(node.args[0], ast.Constant)
  if function.endswith(("import_module", "__import__")) and constant:
    yield str(node.args[0].value)


def inside(module: str, package: str) -> bool:
  return module == package or module.startswith(package + ".")


def functions(name: str):
  kinds = ast.FunctionDef | ast.AsyncFunctionDef
  return [n for n in ast.walk(tree(name)) if isinstance(n, kinds)]


class ImportTest(parameterized.TestCase):
  @cases(sources())
  def test_rooms_are_imported_through_the_package(self, name):
    # A bare `import models` makes a second copy of the module.
    bare = [
      m for m in imported(name) if m.startswith(".") or m.split(".")[0] in ROOMS
    ]
    self.assertEmpty(bare, "import primelens.<room> instead")

  @cases(sources())
  def test_no_star(self, name):
    self.assertEmpty([m for m in imported(name) if m.endswith(".*")])

  @cases(sources())
  def test_direction(self, name):
    ours = [m.split(".") for m in imported(name) if inside(m, "primelens")]
    rooms = {parts[1] for parts in ours if len(parts) > 1}
    upward = {
      r for r in rooms - MAY_IMPORT[room(name)] if (name, r) not in EXCEPTIONS
    }
    self.assertEmpty(upward, f"{room(name)!r} may not import these rooms")

  @cases([name for name in sources() if room(name) != "tests"])
  def test_homes(self, name):
    for package, homes in HOMES.items():
      if not any(fnmatch.fnmatch(name, home) for home in homes):
        strays = [m for m in imported(name) if inside(m, package)]
        self.assertEmpty(strays, f"{package} lives in {homes}")

  @cases(sources())
  def test_public_jax_api_only(self, name):
    private = [f"jax.{part}" for part in PRIVATE_JAX]
    used = [m for m in imported(name) if any(inside(m, p) for p in private)]
    used += [m for m in imported(name) if "._src" in m]
    for node in ast.walk(tree(name)):
      if isinstance(node, ast.Attribute):
        dotted = ast.unparse(node)
        used += [p for p in private if inside(dotted, p)]
    self.assertEmpty(used)


class SizeTest(parameterized.TestCase):
  @cases(sources())
  def test_functions_fit_on_a_screen(self, name):
    long = {
      f.name: f.end_lineno - f.lineno + 1
      for f in functions(name)
      if f.end_lineno - f.lineno + 1 > MAX_FUNCTION
    }
    self.assertEmpty(long, f"more than {MAX_FUNCTION} lines")

  @cases(sources())
  def test_files_are_short(self, name):
    lines = len((ROOT / name).read_text().splitlines())
    self.assertLessEqual(lines, MAX_FILE)

  def test_mains_are_thin(self):
    for name in ("train.py", "analyze.py"):
      self.assertLessEqual(len((ROOT / name).read_text().splitlines()), 80)


class DocumentationTest(parameterized.TestCase):
  @cases(library())
  def test_public_names_have_docstrings(self, name):
    bare = [] if ast.get_docstring(tree(name)) else ["the module"]
    kinds = ast.FunctionDef | ast.ClassDef
    for node in tree(name).body:
      if isinstance(node, kinds) and not node.name.startswith("_"):
        bare += [] if ast.get_docstring(node) else [node.name]
    self.assertEmpty(bare)

  @cases(sources())
  def test_no_machine_paths(self, name):
    lines = (ROOT / name).read_text().splitlines()
    if name != "tests/style_test.py":
      self.assertEmpty([line for line in lines if MACHINE.search(line)])

  def test_no_catch_all_module(self):
    names = {Path(name).name for name in sources()}
    self.assertEmpty(names & {"utils.py", "util.py", "helpers.py", "misc.py"})

  def test_tests_are_no_package(self):
    self.assertEmpty(list((ROOT / "tests").rglob("__init__.py")))
    self.assertFalse((ROOT / "__init__.py").exists())


HEAVY = ("flax", "matplotlib", "sklearn", "pysr", "pyoperon", "optax", "orbax")
LOADS = """
import importlib, sys
for name in sys.argv[2:]:
  importlib.import_module(name)
print([name for name in sys.argv[1].split(",") if name in sys.modules])
"""


class LightImportTest(absltest.TestCase):
  def loaded(self, modules):
    command = [sys.executable, "-c", LOADS, ",".join(HEAVY), *modules]
    return subprocess.run(
      command, check=True, capture_output=True, text=True
    ).stdout.strip()

  def test_analyses_import_no_heavy_library(self):
    stems = sorted(p.stem for p in (ROOT / "analyses").glob("*.py"))
    light = [s for s in stems if not s.startswith(("plots", "__init__"))]
    self.assertGreater(len(light), 5)
    names = ["primelens.analyses", *(f"primelens.analyses.{s}" for s in light)]
    self.assertEqual(self.loaded(names), "[]")

  def test_plots_import_matplotlib_alone(self):
    stems = sorted(p.stem for p in (ROOT / "analyses").glob("plots*.py"))
    names = [f"primelens.analyses.{stem}" for stem in stems]
    self.assertEqual(self.loaded(names), "['matplotlib']")


if __name__ == "__main__":
  absltest.main()
