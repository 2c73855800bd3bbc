"""A stored result is the Dataset that was written, its curves are CSV, and damage is seen."""

import csv
import json
import tempfile
from pathlib import Path

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

  def test_across_runs(self):
    both = results.across({"a": found(), "b": found().isel(ratio=[1])}, "delta")
    self.assertEqual(both.delta.sel(run="a").values[0], 1.0)
    self.assertTrue(np.isnan(both.delta.sel(run="b", ratio=0.0)))
    self.assertIn("delta_interval", both)


if __name__ == "__main__":
  absltest.main()
