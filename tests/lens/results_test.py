"""A stored result is the Dataset that was written, its curves are CSV, and damage is seen."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import xarray as xr
from absl.testing import absltest, parameterized
from primelens.analyses import statistics
from primelens.lens import results, tables
from primelens.tasks import files


def found() -> xr.Dataset:
  interval = statistics.Interval([1.0, np.nan], [0.5, np.nan], [1.5, np.nan])
  variables = {
    "nll": results.variable("seed ratio", [[0.1, np.inf], [1, 2]], "NLL on test", "nats"),
    **results.with_interval("delta", "ratio", interval, "change", "nats"),
    "intact": results.variable("seed", [True, False], "intact"),
    "count": results.variable("", 7, "windows"),
  }
  coords = {
    "seed": results.variable("seed", [3, 4], "seed of the trained network"),
    "ratio": results.variable("ratio", np.float32([0, 0.5]), "fraction removed"),
  }
  return results.dataset(variables, coords, scope="global", worst=float("-inf"), rows=[{"a": None}])


class ResultsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()), "results")

  def write(self, result=None, name="masking", **options):
    result = found() if result is None else result
    return results.write(self.folder, name, result, provenance={"step": 3}, **options)

  def test_read_returns_what_was_written(self):
    self.write()
    back, origin = results.read(self.folder, "masking")
    xr.testing.assert_identical(back, found())
    self.assertEqual(back.nll.dtype, found().nll.dtype)
    self.assertEqual(back.ratio.dtype, np.float32)
    self.assertEqual(back.ratio.attrs["long_name"], "fraction removed")
    self.assertEqual(origin, {"step": 3})

  def test_a_csv_for_each_set_of_dimensions(self):
    self.write(tables={"masking.gains": "a\n1\n"})
    rows = lambda name: list(csv.DictReader((self.folder / name).read_text().splitlines()))
    first, *_, last = rows("masking.seed.ratio.csv")
    self.assertEqual(first, {"seed": "3", "ratio": "0.0", "nll": "0.1"})
    self.assertEqual(last, {"seed": "4", "ratio": "0.5", "nll": "2.0"})
    one, other = rows("masking.ratio.csv")
    wanted = {"ratio": "0.0", "delta": "1.0", "delta_low": "0.5", "delta_high": "1.5"}
    self.assertEqual(one, wanted)
    self.assertEqual(other["delta_low"], "nan")
    self.assertEqual(rows("masking.seed.csv")[1], {"seed": "4", "intact": "False"})
    self.assertEqual(rows("masking.gains.csv"), [{"a": "1"}])

  def test_what_is_too_long_for_a_curve_is_in_the_npz_alone(self):
    long = results.variable("row", np.zeros(results.LONGEST_CURVE + 1), "x")
    self.write(results.dataset({"long": long}))
    self.assertCountEqual(
      [path.name for path in self.folder.iterdir()], [".lock", "masking.json", "masking.npz"]
    )

  def test_an_attribute_is_no_variable(self):
    with self.assertRaisesRegex(ValueError, "'x' is an attribute and a variable"):
      results.dataset({"x": results.variable("seed", [1], "x")}, x=3)

  @parameterized.parameters(([None],), ([{"a": 1}],), ([b"bytes"],))
  def test_values_that_are_no_numbers_or_text(self, value):
    bad = xr.Dataset({"x": ("row", np.array(value, dtype=object))})
    with self.assertRaisesRegex(ValueError, "variable 'x' holds"):
      self.write(bad)
    self.assertFalse(self.folder.exists())

  def test_text_of_any_length(self):
    words = xr.Dataset({"word": ("row", np.array(["a", "längeres"], dtype=object))})
    self.write(words)
    back, _ = results.read(self.folder, "masking")
    self.assertEqual(back.word.values.tolist(), ["a", "längeres"])

  @parameterized.parameters(
    ({"schema": 2}, "of an earlier revision"),
    ({"coordinates": ["seed", "nowhere"]}, "nowhere"),
    ({"variables": {}}, "has the arrays"),
    ({"attributes": 3}, ""),
  )
  def test_documents_that_do_not_fit(self, change, message):
    path = self.write()
    document = json.loads(path.read_text()) | change
    del document["sha256"]
    path.write_text(json.dumps(files.seal(document)))
    pattern = rf"masking.json is not readable: .*{message}.*; run analyze.py --only=masking$"
    with self.assertRaisesRegex(ValueError, pattern):
      results.read(self.folder, "masking")

  def test_wrong_dimensions(self):
    path = self.write()
    document = json.loads(path.read_text())
    document["variables"]["nll"]["dimensions"] = ["seed", "seed2", "x"]
    del document["sha256"]
    path.write_text(json.dumps(files.seal(document)))
    with self.assertRaisesRegex(ValueError, "masking.json is not readable"):
      results.read(self.folder, "masking")

  def _assert_unreadable(self, message):
    pattern = rf"masking\.json is not readable: .*{message}.*; run analyze\.py --only=masking$"
    with self.assertRaisesRegex(ValueError, pattern) as caught:
      results.read(self.folder, "masking")
    self.assertNotIn("\n", str(caught.exception))

  def test_files(self):
    path = self.write()

    def refuse(constant):
      raise AssertionError(f"not JSON: {constant}")

    document = json.loads(path.read_text(), parse_constant=refuse)
    self.assertEqual((document["schema"], document["analysis"]), (3, "masking"))
    self.assertEqual(document["attributes"]["worst"], {"nonfinite": "-inf"})
    self.assertEqual(document["variables"]["nll"]["dimensions"], ["seed", "ratio"])
    with np.load(self.folder / "masking.npz") as arrays:
      self.assertCountEqual(arrays.files, list(found().variables))

  def test_device_arrays(self):
    self.write(results.dataset({"x": results.variable("row", jnp.ones(3, jnp.bfloat16), "x")}))
    back, _ = results.read(self.folder, "masking")
    self.assertEqual(back.x.dtype, np.float32)

  @parameterized.parameters(({"a": {1, 2}},), (object(),))
  def test_attributes_that_are_no_json(self, value):
    with self.assertRaisesRegex(ValueError, "attributes/bad.* holds a (set|object)"):
      self.write(found().assign_attrs(bad=value))
    self.assertFalse(self.folder.exists())

  def test_any_variable_has_a_name(self):
    names = ("file", "args", "kwds", "allow_pickle")
    mine = results.dataset({name: results.variable("row", [1, 2], name) for name in names})
    self.write(mine)
    xr.testing.assert_identical(results.read(self.folder, "masking")[0], mine)

  def test_a_name_is_no_path(self):
    for name in ("../masking", "", "a/b", ".hidden"):
      with self.assertRaisesRegex(ValueError, "is no name for a result"):
        self.write(name=name)

  def test_missing_results(self):
    with self.assertRaisesRegex(
      FileNotFoundError, "masking.json does not exist; run analyze.py --only="
    ):
      results.read(self.folder, "masking")

  @parameterized.parameters(0, 1, 40, 300)
  def test_truncated_json(self, size):
    path = self.write()
    path.write_bytes(path.read_bytes()[:size])
    self._assert_unreadable("")

  @parameterized.parameters(
    (b"[]", "it is no result"),
    (b"null", "it is no result"),
    (b"{}", "it has schema None"),
    (b'{"schema": 1}', "of an earlier revision .schema 1."),
    (b'{"schema": 4}', "schema 4, this program reads 3"),
    (b"{'a': 1}", "double quotes"),
    (b"\x80", "codec"),
    (b"[" * 99_999, "recursion"),
  )
  def test_other_json(self, content, message):
    self.write().write_bytes(content)
    self._assert_unreadable(message)

  def test_damaged_arrays(self):
    path = self.write().with_suffix(".npz")
    whole = path.read_bytes()
    for damaged in (b"", whole[:-10], whole[:50] + b"x" + whole[51:]):
      path.write_bytes(damaged)
      self._assert_unreadable("masking.npz is damaged or of another write")
    path.unlink()
    self._assert_unreadable("No such file")

  def test_files_of_two_writes_are_told_apart(self):
    path = self.write()
    old = path.read_bytes()
    self.write(found().assign(nll=2 * found().nll))
    path.write_bytes(old)
    self._assert_unreadable("of another write")

  @parameterized.parameters(
    (b'"worst": {', b'"wurst": {'),  # a name
    (b'"scope": "global"', b'"scope": "glibal"'),  # a word
    (b'"step": 3', b'"step": 7'),  # where it comes from
    (b'"sha256"', b'"sha257"'),
  )
  def test_one_changed_character_of_the_json(self, old, new):
    path = self.write()
    content = path.read_bytes()
    self.assertIn(old, content)
    path.write_bytes(content.replace(old, new))
    self._assert_unreadable("its content and its sha256 do not agree")

  def test_two_processes_that_write_one_result_leave_one_of_the_two(self):
    script = (
      "import sys\n"
      "from primelens.lens import results\n"
      "number = int(sys.argv[2])\n"
      "for _ in range(20):\n"
      "  mine = results.variable('row', [number] * 9999, 'x')\n"
      "  mine = results.dataset({'x': mine}, number=number)\n"
      "  results.write(sys.argv[1], 'own', mine, provenance={})\n"
      "  found, _ = results.read(sys.argv[1], 'own')\n"
      "  assert (found.x == found.number).all()\n"
    )
    command = [sys.executable, "-c", script, self.folder]
    both = [
      subprocess.Popen([*command, number], stderr=subprocess.PIPE, text=True)
      for number in ("1", "2")
    ]
    self.assertEqual([child.communicate()[1] for child in both], ["", ""])
    self.assertEqual(
      sorted(os.listdir(self.folder)), [".lock", "own.json", "own.npz", "own.row.csv"]
    )

  def test_what_a_dead_process_left_is_swept(self):
    self.write()
    left = self.folder / ".masking.npz.999999999.tmp"
    left.write_bytes(b"half")
    self.write()
    self.assertFalse(left.exists())

  def test_a_failed_write_leaves_the_old_result(self):
    self.write()
    before = sorted(os.listdir(self.folder))

    def full(*_):
      raise OSError("No space left on device")

    with absltest.mock.patch.object(files.os, "replace", full):
      with self.assertRaisesRegex(OSError, "No space"):
        self.write(found().assign_attrs(worst=1.0))
    self.assertEqual(sorted(os.listdir(self.folder)), before)
    self.assertEqual(results.read(self.folder, "masking")[0].worst, float("-inf"))

  def test_results_of_a_folder_by_name(self):
    self.write()
    self.write(name="heads")
    stored = results.Folder(self.folder)
    self.assertEqual(list(stored), ["heads", "masking"])
    xr.testing.assert_identical(stored["masking"], found())
    with self.assertRaisesRegex(KeyError, "'waves'; stored here: heads, masking"):
      stored["waves"]

  def test_labels_have_units(self):
    self.assertEqual(results.label(found().nll), "NLL on test (nats)")
    self.assertEqual(results.label(found().intact), "intact")
    for said, unit, expected in (
      ("share of the variance", "share", "share of the variance"),
      ("inner products of rows", "inner product", "inner products of rows"),
      ("sharess", "share", "sharess (share)"),
    ):
      its = results.variable("x", [1.0], said, unit)
      self.assertEqual(results.label(xr.DataArray(its)), expected)

  def test_records_are_variables_along_rows(self):
    records = [
      {"part": "a", "skill": 0.5, "skill_low": 0.4, "skill_high": 0.6, "count": 3, "p": None},
      {"part": "b", "skill": 0.1, "skill_low": 0.0, "skill_high": 0.2, "count": 4, "p": 0.5},
    ]
    meanings = {"part": "part", "skill": "skill", "count": "rows", "p": "chance [share]"}
    self.write(results.dataset(results.rows("skills", records, meanings)))
    back, _ = results.read(self.folder, "masking")
    self.assertEqual(back.skills_p.attrs, {"long_name": "chance", "units": "share"})
    one, other = tables.rows(back, "skills")
    self.assertEqual(list(one), ["part", "skill", "count", "p"])
    self.assertEqual(one["skill"], tables.Interval(0.5, 0.4, 0.6))
    self.assertTrue(np.isnan(one.pop("p")))
    self.assertEqual((other["part"], other["count"], other["p"]), ("b", 4, 0.5))
    table = tables.of_runs({"x": back}, "skills", "Skill.", {"skill": ".2f"})
    self.assertIn("0.50 [0.40, 0.60]", table.text())
    self.assertEqual(table.csv().splitlines()[0], "run,part,skill,skill_low,skill_high,count,p")

  def test_runs_with_other_numbers_of_untrained_networks_stand_across(self):
    of = lambda count: results.dataset(
      results.with_untrained("r2", "layer seed", np.ones((2, 3)), np.ones((2, count)), "R2"),
      {"layer": [0, 1], "seed": [0, 1, 2]},
    )
    both = results.across({"a": of(2), "b": of(4)}, "r2", "untrained_r2")
    self.assertEqual(both.untrained_r2.count("untrained").values.tolist(), [[2, 2], [4, 4]])

  def test_rows_without_labels_do_not_stand_across(self):
    bare = results.dataset(results.rows("skills", [{"part": "a", "skill": 1}], {"skill": "skill"}))
    with self.assertRaisesRegex(ValueError, "skills of skills_skill has no labels"):
      results.across({"a": bare}, "skills_skill")

  def test_names_stand_across_as_they_first_come(self):
    of = lambda *names: results.dataset(
      {"r2": results.variable("part step", np.ones((len(names), 1)), "r2")},
      {"part": list(names), "step": [len(names)]},
    )
    both = results.across({"a": of("z", "b"), "b": of("z", "a", "b")}, "r2")
    self.assertEqual(both["part"].values.tolist(), ["z", "b", "a"])
    self.assertEqual(both["step"].values.tolist(), [2, 3])
    self.assertTrue(np.isnan(both.r2.sel(run="a", part="a")).all())

  def test_across_runs(self):
    both = results.across({"a": found(), "b": found().isel(ratio=[1])}, "delta")
    self.assertEqual(both.delta.sel(run="a").values[0], 1.0)
    self.assertTrue(np.isnan(both.delta.sel(run="b", ratio=0.0)))
    self.assertIn("delta_interval", both)


class CellTest(parameterized.TestCase):
  """Words are words in a spreadsheet, too."""

  @parameterized.parameters(
    ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
    ("+1|cmd", "'+1|cmd"),
    ("-a", "'-a"),
    ("-0.4 [-0.5, -0.3]", "'-0.4 [-0.5, -0.3]"),
    ("@SUM(1)", "'@SUM(1)"),
    ("\uff1d1", "'\uff1d1"),
    ("'=1", "''=1"),
    ("-0.5", "-0.5"),
    ("+1e-3", "+1e-3"),
    ("a=1", "a=1"),
    ("'quoted'", "'quoted'"),
    ("", ""),
    ("two\nlines", "two\nlines"),
  )
  def test_a_formula_is_quoted(self, text, cell):
    self.assertEqual(results.quoted(text), cell)

  @parameterized.parameters("\t=1", "\r=1", "a\x1b[2J", "\ud800", "\u202e", "\0")
  def test_control_characters_are_written_out(self, text):
    cell = results.quoted(text)
    self.assertTrue(cell.isprintable())
    self.assertNotIn(cell[0], "=+-@")
    self.assertEqual(cell, text.encode("unicode_escape").decode())

  def test_numbers_stay_numbers_and_heads_are_quoted_too(self):
    rows = ({"=a": -0.5, "b": -3, "c": "=1", "d": ["=1"]},)
    self.assertEqual(results.table(rows), '\'=a,b,c,d\n-0.5,-3,\'=1,"[""=1""]"\n')


if __name__ == "__main__":
  absltest.main()
