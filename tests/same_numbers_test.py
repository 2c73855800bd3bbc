"""The comparison of two revisions sees a change of 1e-9, and follows what has moved."""

import ast
import contextlib
import importlib
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from absl.testing import absltest
from primelens.lens import results, tables

BENCH = Path(__file__).parent.parent / "bench"
sys.path.insert(0, str(BENCH))

import moved  # noqa: E402
import same_numbers  # noqa: E402


def found(**change) -> results.xr.Dataset:
  rows = [{"part": "a", "skill": 0.5, "skill_low": np.nan, "skill_high": 1.0}]
  variables = {
    "nll": results.variable("seed", [0.1, np.nan], "NLL"),
    "count": results.variable("seed", [3, 4], "count"),
    **results.rows("skills", rows, {"part": "part", "skill": "skill"}),
  }
  return results.dataset(variables | change, question="sum")


class SameNumbersTest(absltest.TestCase):
  def stored(self, result) -> dict:
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    results.write(folder / "run" / "results", "answers", result, provenance={"revision": "x"})
    return same_numbers.stored(folder)

  def test_equal_results_print_nothing(self):
    self.assertEqual(same_numbers.compare(self.stored(found()), self.stored(found())), [])

  def test_a_change_of_1e_9_is_seen(self):
    new = self.stored(found())
    same_numbers.plant(new, 1e-9)
    (line,) = same_numbers.compare(self.stored(found()), new)
    self.assertRegex(line, r"run: answers/nll: 1 of 2, by up to 1e-09")

  def test_what_is_absent_or_of_another_kind_is_named(self):
    new = found(count=results.variable("seed", [3.0, 4.0], "count")).drop_vars("nll")
    lines = same_numbers.compare(self.stored(found()), self.stored(new))
    self.assertEqual(
      lines,
      ["run: answers/nll: absent", "run: answers/count: int64(2,) there, float64(2,) here"],
    )

  def test_fields_and_records_that_moved(self):
    old = self.stored(found())
    old["run"].fields.clear()
    old["run"].fields.update(
      {
        "old/nll_S": np.array([0.1, np.nan]),
        "old/records/0/part": "a",
        "old/records/0/skill": 0.5,
        "old/records/0/skill_low": {"nonfinite": "nan"},
      }
    )
    records = lambda new: [tables.flat(row) for row in tables.rows(new["answers"], "skills")]
    went = {"old/nll_S": lambda new: new["answers"].nll.values, "old/records": records}
    with mock.patch.dict(moved.MOVED, went):
      self.assertEqual(same_numbers.compare(old, self.stored(found())), [])
      changed = found(nll=results.variable("seed", [0.1 + 1e-9, np.nan], "NLL"))
      (line,) = same_numbers.compare(old, self.stored(changed))
    self.assertStartsWith(line, "run: old/nll_S: 1 of 2, by up to 1e-09")


class NamesTest(absltest.TestCase):
  def test_what_benchmarks_take_of_modules_is_there(self):
    # No type checker reads them: what was renamed shows only when a long comparison ends.
    missing = []
    for path in sorted(BENCH.rglob("*.py")):
      tree = ast.parse(path.read_text())
      modules = dict(each for node in tree.body for each in _modules(node))
      for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
          module = modules.get(node.value.id)
          if module and not hasattr(module, node.attr):
            missing.append(f"{path.name}:{node.lineno}: {module.__name__} has no {node.attr}")
    self.assertEmpty(missing)


def _modules(node):
  """Yields the names that an import binds to modules of the package, and the modules."""
  if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("primelens"):
    for alias in node.names:
      with contextlib.suppress(ImportError):  # not a module
        module = importlib.import_module(f"{node.module}.{alias.name}")
        yield alias.asname or alias.name, module


if __name__ == "__main__":
  absltest.main()
