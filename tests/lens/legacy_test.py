import csv
import dataclasses
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import legacy
from primelens.tasks import files


@dataclasses.dataclass(frozen=True)
class Masking:
  nll_SxR: Any
  keep_R: Any
  leaf_E: Any
  best: float
  scope: str
  front: tuple[dict, ...]


@dataclasses.dataclass(frozen=True)
class Other:
  value_S: Any


@dataclasses.dataclass(frozen=True)
class Tables:
  first: tuple
  second: tuple


def _result(**changes):
  result = Masking(
    nll_SxR=np.array([[0.1, np.nan, np.inf], [1, 2, 3]], np.float32),
    keep_R=np.array([0.0, 0.5, 1.0]),
    leaf_E=np.array(["embed", "blocks/mlp/up/kernel"]),
    best=float("-inf"),
    scope="global, as published",
    front=(
      {"formula": "2.8 / (a, b)", "loss": 0.25, "terms": [1, {"k": None}]},
      {"formula": 'x "quoted"', "loss": float("nan"), "note": None},
    ),
  )
  return dataclasses.replace(result, **changes)


def _strict(text):
  def refuse(constant):
    raise AssertionError(f"not JSON: {constant}")

  return json.loads(text, parse_constant=refuse)


class ResultsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    place = tempfile.TemporaryDirectory()
    self.addCleanup(place.cleanup)
    self.directory = pathlib.Path(place.name) / "results"

  def _write(self, result=None, name="masking", provenance=None):
    return legacy.write(self.directory, name, result or _result(), provenance=provenance or {})

  def _read(self, cls=Masking):
    return legacy.read(self.directory, "masking", cls)[0]

  @parameterized.parameters(
    ("nll_SxR", ("S", "R")),
    ("mean_LxHxDh", ("L", "H", "Dh")),
    ("bounds_Sx2", ("S", "2")),
    ("test_nll_S", ("S",)),
    ("nll", ()),
    ("S", ()),
    ("best_ratio", ()),
    ("nll_SxZ", ()),
    ("n_max", ()),
  )
  def test_axes_of_a_name(self, field, expected):
    self.assertEqual(legacy.axes(field), expected)

  def test_read_returns_what_was_written(self):
    provenance = {"code": "abc", "step": 3, "loss": float("nan"), "h": [1, 2]}
    result = _result()
    self._write(result, provenance=provenance)
    back, source = legacy.read(self.directory, "masking", Masking)
    for name in ("nll_SxR", "keep_R", "leaf_E"):
      old, new = getattr(result, name), getattr(back, name)
      np.testing.assert_array_equal(old, new)
      self.assertEqual(old.dtype, new.dtype)
    self.assertEqual((back.best, back.scope), (result.best, result.scope))
    self.assertIsInstance(back.front, tuple)
    self.assertEqual(back.front[0], result.front[0])
    self.assertTrue(np.isnan(back.front[1]["loss"]))
    self.assertTrue(np.isnan(source.pop("loss")))
    self.assertEqual(source, {"code": "abc", "step": 3, "h": [1, 2]})

  def test_files(self):
    path = self._write()
    self.assertEqual(
      sorted(os.listdir(self.directory)),
      [".lock", "masking.E.csv", "masking.R.csv", "masking.S.R.csv"]
      + ["masking.csv", "masking.json", "masking.npz"],
    )
    document = _strict(path.read_text())
    self.assertEqual(document["schema"], 3)
    self.assertEqual(document["analysis"], "masking")
    self.assertEqual(document["attributes"]["scalars"]["best"], {"nonfinite": "-inf"})
    array = {"dimensions": ["S", "R"], "shape": [2, 3], "attributes": {}}
    self.assertEqual(document["variables"]["nll_SxR"], array)
    with np.load(self.directory / "masking.npz") as arrays:
      self.assertCountEqual(arrays.files, ["nll_SxR", "keep_R", "leaf_E"])

  def test_table(self):
    self._write()
    with open(self.directory / "masking.csv", newline="") as file:
      rows = list(csv.DictReader(file))
    self.assertEqual(list(rows[0]), ["formula", "loss", "terms", "note"])
    self.assertEqual(rows[0]["formula"], "2.8 / (a, b)")
    self.assertEqual(json.loads(rows[0]["terms"]), [1, {"k": None}])
    self.assertEqual(rows[1]["formula"], 'x "quoted"')
    self.assertEqual((rows[1]["loss"], rows[1]["note"]), ("nan", ""))

  def test_several_tables_are_named_by_field(self):
    tables = Tables(first=({"a": 1},), second=())
    self._write(tables)
    self.assertEqual((self.directory / "masking.first.csv").read_text(), "a\n1\n")
    self.assertTrue((self.directory / "masking.second.csv").exists())
    self.assertEqual(self._read(Tables), tables)

  def test_device_arrays_and_numpy_scalars(self):
    self._write(
      _result(
        nll_SxR=jnp.ones((2, 3), jnp.bfloat16),
        best=jnp.float32(0.5),
        front=({"loss": np.float64(0.25), "coef": np.arange(2)},),
      )
    )
    back = self._read()
    self.assertEqual(back.nll_SxR.dtype, np.float32)
    self.assertIs(type(back.best), float)
    self.assertEqual(back.front, ({"loss": 0.25, "coef": [0, 1]},))

  @parameterized.parameters(
    ({"nll_SxR": np.ones(3)}, r"'nll_SxR' has the shape \(3,\)"),
    ({"keep_R": np.ones(4)}, "axis R has the length 4 in 'keep_R' and 3 in"),
    ({"best": np.ones(2)}, "'best' has the shape"),
    ({"keep_R": 1.0}, "'keep_R' is named as an array"),
    ({"front": (1, 2)}, "'front' is a tuple"),
    ({"scope": {"a": 1}}, "'scope' is a dict"),
    ({"best": object()}, "'best' is a object"),
    ({"leaf_E": np.array([None, "a"])}, "'leaf_E' is a ndarray"),
    ({"front": ({"a": {1, 2}},)}, "front/a holds a set"),
  )
  def test_what_does_not_fit_is_refused_and_nothing_written(self, bad, message):
    with self.assertRaisesRegex(ValueError, message):
      self._write(_result(**bad))
    self.assertFalse(self.directory.exists())

  def test_a_name_is_no_path(self):
    for name in ("../masking", "", "a/b", ".hidden"):
      with self.assertRaisesRegex(ValueError, "is no name for a result"):
        self._write(name=name)

  def test_numbers_are_lengths(self):
    pair = dataclasses.make_dataclass("Pair", ["bounds_Sx2"], frozen=True)
    self._write(pair(np.ones((5, 2))))
    with self.assertRaisesRegex(ValueError, "axis 2 has the length 3"):
      self._write(pair(np.ones((5, 3))))

  def test_missing_results(self):
    with self.assertRaisesRegex(
      FileNotFoundError, "masking.json does not exist; run analyze.py --only="
    ):
      self._read()

  def _assert_unreadable(self, message, cls=Masking):
    pattern = (
      rf"masking\.json is not readable: .*{message}.*;"
      r" run analyze\.py --only=masking$"
    )
    with self.assertRaisesRegex(ValueError, pattern) as caught:
      self._read(cls)
    self.assertNotIn("\n", str(caught.exception))

  @parameterized.parameters(0, 1, 40, 300)
  def test_truncated_json(self, size):
    path = self._write()
    path.write_bytes(path.read_bytes()[:size])
    self._assert_unreadable("")

  @parameterized.parameters(
    (b"[]", "it is no result"),
    (b"null", "it is no result"),
    (b"{}", "it has schema None"),
    (b"{'a': 1}", "double quotes"),
    (b"\x80", "codec"),
    (b"[" * 99_999, "recursion"),
  )
  def test_other_json(self, content, message):
    self._write().write_bytes(content)
    self._assert_unreadable(message)

  def test_damaged_arrays(self):
    path = self._write().with_suffix(".npz")
    whole = path.read_bytes()
    for damaged in (b"", whole[:-10], whole[:50] + b"x" + whole[51:]):
      path.write_bytes(damaged)
      self._assert_unreadable("masking.npz is damaged or of another write")
    path.unlink()
    self._assert_unreadable("No such file")

  def test_files_of_two_writes_are_told_apart(self):
    path = self._write()
    old = path.read_bytes()
    self._write(_result(keep_R=np.zeros(3)))
    path.write_bytes(old)
    self._assert_unreadable("of another write")

  def test_other_versions_and_classes(self):
    path = self._write()
    self._assert_unreadable(r"fields missing: \['value_S'\], fields unknown: \['best', .*", Other)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"schema": 1}))
    self._assert_unreadable("of an earlier revision .schema 1.")
    path.write_text(json.dumps(document | {"schema": 4}))
    self._assert_unreadable("schema 4, this program reads 3")
    del document["sha256"]
    document["variables"]["keep_R"]["shape"] = [7]
    path.write_text(json.dumps(files.seal(document)))
    self._assert_unreadable("masking.npz has the arrays")

  @parameterized.parameters(
    (b'"best": {', b'"bfst": {'),  # a name
    (b'"loss": 0.25', b'"loss": 0.35'),  # a number of a record
    (b'"step": 3', b'"step": 7'),  # where it comes from
    (b'"sha256"', b'"sha257"'),
  )
  def test_one_changed_character_of_the_json(self, old, new):
    path = self._write(provenance={"step": 3})
    content = path.read_bytes()
    self.assertIn(old, content)
    path.write_bytes(content.replace(old, new))
    self._assert_unreadable("its content and its sha256 do not agree")

  def test_two_processes_that_write_one_result_leave_one_of_the_two(self):
    script = (
      "import sys, numpy as np, dataclasses\n"
      "from primelens.lens import legacy\n"
      "cls = dataclasses.make_dataclass('Own', ['value_N', 'number'], frozen=True)\n"
      "for _ in range(20):\n"
      "  mine = cls(np.full(9999, int(sys.argv[2])), int(sys.argv[2]))\n"
      "  legacy.write(sys.argv[1], 'own', mine, provenance={})\n"
      "  found, _ = legacy.read(sys.argv[1], 'own', cls)\n"
      "  assert (found.value_N == found.number).all()\n"
    )
    command = [sys.executable, "-c", script, self.directory]
    both = [
      subprocess.Popen([*command, number], stderr=subprocess.PIPE, text=True)
      for number in ("1", "2")
    ]
    self.assertEqual([child.communicate()[1] for child in both], ["", ""])
    self.assertEqual(
      sorted(os.listdir(self.directory)), [".lock", "own.N.csv", "own.json", "own.npz"]
    )

  def test_what_a_dead_process_left_is_swept(self):
    self._write()
    left = self.directory / ".masking.npz.999999999.tmp"
    left.write_bytes(b"half")
    self._write()
    self.assertFalse(left.exists())

  def test_a_failed_write_leaves_the_old_result(self):
    self._write()
    before = sorted(os.listdir(self.directory))

    def full(*_):
      raise OSError("No space left on device")

    with absltest.mock.patch.object(files.os, "replace", full):
      with self.assertRaisesRegex(OSError, "No space"):
        self._write(_result(best=1.0))
    self.assertEqual(sorted(os.listdir(self.directory)), before)
    self.assertEqual(self._read().best, float("-inf"))


class HalfMovedTest(absltest.TestCase):
  """A study some of whose analyses are slices already, as it is while it moves."""

  FILES = {
    "__init__.py": """
import dataclasses
from primelens.lens import legacy

@dataclasses.dataclass
class Settings:
  parameters: str = "best"

@dataclasses.dataclass
class Result:
  value: float

ORDER = ("mine",)
nothing = lambda *args: None
STUDY = legacy.Study(
  settings=Settings,
  analyses={"old": legacy.Analysis(lambda run: Result(0.5), Result, "An old one.")},
  claims=(), check=nothing, build=nothing, bind=nothing, cost=nothing,
  report=legacy.Report("Title", "About.", {"old": ("Old", nothing)}, nothing),
)
""",
    "program.py": 'card = lambda experiment: {"told": True}\n',
    "mine.py": """
'''What is mine?'''
import dataclasses
from primelens.lens import claims

@dataclasses.dataclass
class Settings:
  power: int = 2

CLAIMS = claims.Claims()

@CLAIMS.add("mine.one", "It is so.", reported="1", source="page 1")
def one(results):
  return claims.verdict(bool(results.of("mine")), "So it is.", {})

def measure(run):
  return None
""",
  }

  def test_slices_come_first_with_their_settings_and_claims(self):
    folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
    package = folder / "half_moved_study"
    package.mkdir()
    for name, text in self.FILES.items():
      (package / name).write_text(text.strip() + "\n")
    sys.path.insert(0, str(folder))
    self.addCleanup(sys.path.remove, str(folder))
    module = importlib.import_module("half_moved_study")
    its = legacy.adapted("half", module.STUDY, module)
    self.assertEqual(list(its.slices), ["mine", "old"])
    self.assertEqual(its.slices["mine"].about, "What is mine?")
    self.assertEqual((its.settings().mine.power, its.settings().parameters), (2, "best"))
    self.assertEqual([claim.id for claim in its.claims], ["mine.one"])
    self.assertEqual(its.card(None), {"told": True})
    self.assertEqual(its.asked, ("mine",))  # the old one is shown by the old report
    self.assertEqual(its.slices["old"].measure(None).attrs[legacy.SCALARS], {"value": 0.5})


if __name__ == "__main__":
  absltest.main()
