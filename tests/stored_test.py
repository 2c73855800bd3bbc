"""What a slice stores is shown: every variable of its `measure` is read in its own file."""

import ast
import re
from pathlib import Path

from absl.testing import absltest

ROOT = Path(__file__).parent.parent
MAKERS = ("with_interval", "with_untrained", "rows")  # their first argument is a name
LEAST = 4  # letters that a pattern of names has, at least, to stand for one


def stored(tree: ast.Module) -> set[int]:
  """Returns the nodes that give stored variables their names."""
  nodes, makers = set(), {*MAKERS, *_aliases(tree)}
  for node in ast.walk(tree):
    if isinstance(node, ast.Dict):
      for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and _maker(value) == "variable":
          nodes.add(key)
    elif isinstance(node, ast.Call) and _maker(node) in makers and node.args:
      if isinstance(node.args[0], ast.Constant):
        nodes.add(node.args[0])
  return nodes


def _aliases(tree: ast.Module) -> set[str]:
  """Returns what a file calls a maker for short: `both = results.with_untrained`, or a lambda."""
  found = set()
  for node in ast.walk(tree):
    if isinstance(node, ast.Assign):
      targets = [each.elts if isinstance(each, ast.Tuple) else [each] for each in node.targets]
      values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
      for target, value in zip(targets[0], values, strict=False):
        inner = value.body if isinstance(value, ast.Lambda) else value
        name = _maker(inner) if isinstance(value, ast.Lambda) else getattr(inner, "attr", "")
        if name in MAKERS and isinstance(target, ast.Name):
          found.add(target.id)
  return found


def _maker(node: ast.AST) -> str:
  if not isinstance(node, ast.Call):
    return ""
  function = node.func
  return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def unread(text: str) -> list[str]:
  """Returns the names of stored variables that the file names nowhere else."""
  tree = ast.parse(text)
  names = stored(tree)
  words, patterns = set(), []
  for node in ast.walk(tree):
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in names:
      words.add(node.value)
    elif isinstance(node, ast.Attribute):
      words.add(node.attr)
    elif isinstance(node, ast.keyword) and node.arg:
      words.add(node.arg)
    elif isinstance(node, ast.JoinedStr):
      parts = [
        re.escape(part.value) if isinstance(part, ast.Constant) else r"\w+" for part in node.values
      ]
      if sum(len(part) for part in parts if part != r"\w+") >= LEAST:
        patterns.append(re.compile("".join(parts)))
  read = lambda name: (
    name in words
    or any(pattern.fullmatch(name) for pattern in patterns)
    or any(word.startswith(f"{name}_") for word in words)  # a column of records
  )
  return sorted({node.value for node in names if not read(node.value)})


class StoredTest(absltest.TestCase):
  def test_a_variable_that_is_read_nowhere_is_found(self):
    text = """
def measure(run):
  return {"a": results.variable("x", 1, "one"), "b": results.variable("x", 1, "b or so")}
def tables(runs):
  return runs["a"]
"""
    self.assertEqual(unread(text), ["b"])
    self.assertEqual(unread(text.replace('"b":', '"ab_error":') + 'f"{name}_error"\n'), [])

  def test_a_short_name_of_a_maker_is_known(self):
    for short in ("results.with_untrained", "lambda name, its: results.with_untrained(name, *its)"):
      with self.subTest(short):
        self.assertEqual(unread(f'both = {short}\nfound = both("b", [1, 2])\n'), ["b"])

  def test_every_slice_reads_what_it_stores(self):
    found = {}
    for path in sorted((ROOT / "studies").rglob("*.py")):
      text = path.read_text()
      if "def measure(" in text:
        found[str(path.relative_to(ROOT))] = unread(text)
    self.assertGreater(len(found), 40)
    self.assertEqual({path: names for path, names in found.items() if names}, {})


if __name__ == "__main__":
  absltest.main()
