"""House rules that a linter does not know: one test per rule, which lists all offenders."""

import ast
import fnmatch
import functools
import gc
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from absl.testing import absltest

ROOT = Path(__file__).parent.parent
ROOMS = ("tasks", "models", "analyses", "lens", "studies", "configs")
# Data flow one way; nothing imports upward. Room "" is the top folder.
MAY_IMPORT = {
  "": {"lens"},
  "tasks": {"tasks"},
  "models": {"tasks", "models"},
  "analyses": {"analyses"},
  "lens": {"tasks", "models", "analyses", "lens"},
  "studies": {"tasks", "models", "analyses", "lens", "studies"},
  "configs": {"tasks", "models", "lens", "studies", "configs"},
  "bench": set(ROOMS),
  "tests": set(ROOMS),
}
# Where each heavy or confined library may be imported, in any function.
HOMES = {
  "matplotlib": ("lens/figures.py",),
  # Where it does a job once; hundreds of probes are in analyses/linear.py.
  "sklearn": (
    "analyses/anchors.py",
    "analyses/spectra.py",
    "bench/*.py",
    "studies/text/geometry.py",
    "studies/text/nonlinear_probes.py",
  ),
  "pysr": ("analyses/symbolic.py",),
  "pyoperon": ("analyses/symbolic.py",),
  "orbax": ("models/checkpoints.py",),
  "safetensors": (
    "models/checkpoints.py",
    "models/imports.py",
    "models/weights.py",
    "bench/same_numbers.py",
    "bench/spectra*.py",
    "bench/hostile.py",
  ),
  "flax": ("models/*.py",),
  "optax": ("models/*.py", "analyses/mlp_probes.py"),
  "ml_collections": ("lens/cli.py",),
  "rich": ("lens/cli.py",),
  "absl.flags": ("lens/cli.py", "lens/train.py", "lens/analyze.py"),
  "torch": ("bench/*_peer.py",),
}
# What runs what a file says: built-in functions, others by their last name, and modules that
# unpickle.
BUILT_IN = ("eval", "exec", "compile", "__import__")
RUNS = ("sympify", "parse_expr", "import_module", "exec_module", "run_path", "run_module")
UNPICKLES = ("pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml", "jsonpickle")
MAY_RUN = {
  ("lens/plugins.py", "exec"): "configs, questions and plugins, which the user names, are Python",
  ("lens/plugins.py", "compile"): "the same",
  ("lens/plugins.py", "import_module"): "the same, a module",
  ("lens/study.py", "import_module"): "studies and slices, found in the package's own folder",
}
PRIVATE_JAX = ("core", "interpreters", "lib", "extend", "experimental", "_src")
MACHINE = re.compile(r"/(?:work|tmp|root|home|opt|Users)/\w|https?://[^/\s]*pypi")


def sources() -> list[str]:
  """Returns every Python file of the checkout, relative to it."""
  folders = (*ROOMS, "bench", "tests")
  found = [p for f in folders for p in (ROOT / f).rglob("*.py")]
  return sorted(p.relative_to(ROOT).as_posix() for p in (*found, *ROOT.glob("*.py")))


def library() -> list[str]:
  """Returns the files that are shipped."""
  return [name for name in sources() if room(name) in ROOMS]


@functools.cache
def tree(name: str) -> ast.Module:
  return ast.parse((ROOT / name).read_text(), name)


@functools.cache
def nodes(name: str) -> tuple[ast.AST, ...]:
  return tuple(ast.walk(tree(name)))


def dotted(node: ast.AST) -> str:
  """Returns `a.b.c` as it is written; what is no name, such as a call, is left out before a dot."""
  parts = []
  while isinstance(node, ast.Attribute):
    parts.append(node.attr)
    node = node.value
  parts.append(node.id if isinstance(node, ast.Name) else "")
  return ".".join(reversed(parts))


def room(name: str) -> str:
  return name.split("/")[0] if "/" in name else ""


@functools.cache
def imported(name: str) -> tuple[str, ...]:
  """Returns every module a file imports at any depth, in full.

  `from a import b` gives a.b, a string given to import_module the string, and
  a relative import begins with a dot.
  """
  return tuple(_imported(nodes(name)))


def _imported(found: tuple[ast.AST, ...]) -> Iterator[str]:
  for node in found:
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      base = "." * node.level + (node.module or "")
      yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call):
      function = dotted(node.func)
      constant = node.args and isinstance(node.args[0], ast.Constant)
      if function.endswith(("import_module", "__import__")) and constant:
        yield str(node.args[0].value)


def inside(module: str, package: str) -> bool:
  return module == package or module.startswith(package + ".")


class StyleTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    # A million nodes, which stay until the end: nobody need look for garbage among them.
    cls.addClassCleanup(gc.enable)
    gc.disable()
    for name in sources():
      nodes(name)
    cls.addClassCleanup(tree.cache_clear)
    cls.addClassCleanup(nodes.cache_clear)

  def check(self, rule: Callable[[str], list], names: list[str], why: str) -> None:
    """Fails with every file that `rule` finds something in."""
    self.assertGreater(len(names), 5)
    offenders = {name: found for name in names if (found := rule(name))}
    self.assertEmpty(offenders, why)

  def test_rooms_are_imported_through_the_package(self):
    # A bare `import models` makes a second copy of the module.
    bare = lambda name: [m for m in imported(name) if m.startswith(".") or m.split(".")[0] in ROOMS]
    self.check(bare, sources(), "import primelens.<room> instead")

  def test_no_star(self):
    self.check(
      lambda name: [m for m in imported(name) if m.endswith(".*")],
      sources(),
      "name what is imported",
    )

  def test_direction(self):
    def upward(name):
      rooms = {m.split(".")[1] for m in imported(name) if m.startswith("primelens.")}
      return sorted(rooms - MAY_IMPORT[room(name)])

    self.check(upward, sources(), "data flow one way: these rooms may not be imported here")

  def test_homes(self):
    def strays(name):
      return [
        module
        for package, homes in HOMES.items()
        if not any(fnmatch.fnmatch(name, home) for home in homes)
        for module in imported(name)
        if inside(module, package)
      ]

    self.check(strays, [name for name in sources() if room(name) != "tests"], f"homes are {HOMES}")

  def test_nothing_runs_what_a_file_says(self):
    used = set()

    def running(name):
      found = [m for m in imported(name) for bad in UNPICKLES if inside(m, bad)]
      for call in (node for node in nodes(name) if isinstance(node, ast.Call)):
        called = dotted(call.func)
        last = called.rpartition(".")[2]
        key = name, last
        if key in MAY_RUN:
          used.add(key)
        elif called in BUILT_IN or last in RUNS:
          found.append(f"{called}, line {call.lineno}")
        keywords = {
          word.arg: ast.unparse(word.value)
          for word in call.keywords
          if word.arg in ("allow_pickle", "weights_only")
        }
        loads = called in ("np.load", "numpy.load", "jnp.load")
        if keywords.get("allow_pickle", "False" if not loads else "") != "False":
          found.append(f"{called} may unpickle, line {call.lineno}")
        if called == "torch.load" and keywords.get("weights_only") != "True":
          found.append(f"{called} may unpickle, line {call.lineno}")
      return found

    product = [name for name in sources() if room(name) not in ("tests", "bench")]
    self.check(running, product, "a file of a run, a result or weights is data")
    self.assertEqual(used, set(MAY_RUN), "an exception that nothing needs")

  def test_public_jax_api_only(self):
    private = [f"jax.{part}" for part in PRIVATE_JAX]

    def used(name):
      written = {dotted(node) for node in nodes(name) if isinstance(node, ast.Attribute)}
      found = [p for p in private for m in (*imported(name), *written) if inside(m, p)]
      return found + [m for m in imported(name) if "._src" in m]

    self.check(used, sources(), "private API of JAX")

  def test_arguments_are_written_plainly(self):
    def starred(name):
      stars = [n for n in nodes(name) if isinstance(n, ast.Starred)]
      return [n.lineno for n in stars if isinstance(n.value, ast.Tuple | ast.List | ast.Set)]

    self.check(starred, sources(), "write *(a, b) as a, b")

  def test_names_reach_a_terminal_in_one_place(self):
    def printing(name):
      calls = [node for node in nodes(name) if isinstance(node, ast.Call)]
      return [call.lineno for call in calls if dotted(call.func) == "print"]

    rest = [name for name in library() if name != "lens/cli.py"]
    self.check(printing, rest, "cli.say writes out the control characters of names")

  def test_public_names_have_docstrings(self):
    def bare(name):
      found = [] if ast.get_docstring(tree(name)) else ["the module"]
      for node in tree(name).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
          found += [] if ast.get_docstring(node) else [node.name]
      return found

    self.check(bare, library(), "no docstring")

  def test_the_networks_here_are_called_so(self):
    # A reader of a report does not know whose "ours" are.
    def said(name):
      texts = [n.value for n in nodes(name) if isinstance(n, ast.Constant)]
      words = [text for text in texts if isinstance(text, str)]
      return [word for word in words if re.search(r"\b(ours|twins?|company)\b", word, re.I)]

    self.check(said, library(), "say whose: the networks here, the published one, the control")

  def test_no_machine_paths(self):
    lines = lambda name: [
      line for line in (ROOT / name).read_text().splitlines() if MACHINE.search(line)
    ]
    self.check(lines, [n for n in sources() if n != "tests/style_test.py"], "paths of a machine")

  def test_no_slice_imports_a_slice(self):
    slices = {
      f"primelens.{name.removesuffix('.py').replace('/', '.')}"
      for name in sources()
      if room(name) == "studies"
      if "measure" in {n.name for n in tree(name).body if isinstance(n, ast.FunctionDef)}
      if "figures" in {n.name for n in tree(name).body if isinstance(n, ast.FunctionDef)}
    }
    offending = lambda name: [m for m in imported(name) for its in slices if inside(m, its)]
    self.check(offending, library(), "what two questions need is shared, in no slice")

  def test_no_constant_is_bound_twice(self):
    for name in sources():
      bound = [
        target.id
        for node in tree(name).body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id.isupper()
      ]
      with self.subTest(name):
        self.assertLen(set(bound), len(bound), bound)

  def test_no_catch_all_module(self):
    names = {Path(name).name for name in sources()}
    self.assertEmpty(names & {"utils.py", "util.py", "helpers.py", "misc.py"})

  def test_tests_are_no_package(self):
    self.assertEmpty(list((ROOT / "tests").rglob("__init__.py")))
    self.assertFalse((ROOT / "__init__.py").exists())


HEAVY = ("flax", "matplotlib", "sklearn", "pysr", "pyoperon", "optax", "orbax", "sympy")
LOADS = """
import importlib, sys
for names in sys.argv[2:]:
  for name in names.split(","):
    importlib.import_module(name)
  print([name for name in sys.argv[1].split(",") if name in sys.modules])
"""


class LightImportTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    stems = sorted(p.stem for p in (ROOT / "analyses").glob("*.py"))
    cls.light = [s for s in stems if s != "__init__"]
    analyses = ["primelens.analyses", *(f"primelens.analyses.{s}" for s in cls.light)]
    face = ["primelens", "primelens.lens.train", "primelens.lens.analyze"]
    names = (",".join(each) for each in (HEAVY, analyses, face))
    command = [sys.executable, "-c", LOADS, *names]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cls.after_analyses, cls.after_face = found.splitlines()

  def test_analyses_import_no_heavy_library(self):
    self.assertGreater(len(self.light), 5)
    self.assertEqual(self.after_analyses, "[]")

  def test_the_face_and_the_commands_start_no_figures(self):
    self.assertNotIn("matplotlib", self.after_face)


if __name__ == "__main__":
  absltest.main()
