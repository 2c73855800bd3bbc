"""Numbers of a source: how exact a printed one is, and which of ours stand beside it."""

import math
import tempfile
import types
from pathlib import Path

import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import claims
from primelens.lens import numbers as reported
from sklearn import linear_model


class ToleranceTest(parameterized.TestCase):
  @parameterized.parameters(
    ("12", 0.5), ("-0.022", 5e-4), ("0.9900", 5e-5), ("1.69e6", 5e3), ("3.3e-8", 5e-10)
  )
  def test_half_of_the_last_digit(self, printed, half):
    self.assertAlmostEqual(reported.tolerance(printed) / half, 1)

  def test_single_precision_of_a_decomposed_square(self):
    # sqrt(1024) / 2^24 = 2^-19 of the total, by hand.
    found = reported.tolerance("0.5", rows=1024, total=3.0)
    self.assertAlmostEqual(found, 0.05 + 3 * 2.0**-19, places=12)

  @parameterized.parameters((646, 764.27, 0.02), (324, 170_172.0, 0.998))
  def test_ridge_by_cholesky_in_float32_keeps_to_it(self, error, total, r2):
    rng = np.random.default_rng(0)
    x_NxD = rng.normal(size=(1000, 64)) @ rng.normal(size=(64, 64))
    said_N = x_NxD @ rng.normal(size=64)
    noise_N = rng.normal(size=1000)
    y_N = 500 + np.sqrt(total) * (np.sqrt(r2) * said_N / said_N.std() + np.sqrt(1 - r2) * noise_N)

    def squared_error(kind, order_N):
      x, y = x_NxD[order_N].astype(kind), y_N[order_N].astype(kind)
      fit = linear_model.Ridge(solver="cholesky").fit(x, y)
      return float(np.mean((fit.predict(x) - y) ** 2, dtype=kind))

    exact = squared_error(np.float64, np.arange(1000))
    self.assertAlmostEqual(exact / error, 1, delta=0.3)
    near = reported.tolerance("0." + "0" * 12, rows=1000, total=total)
    for _ in range(5):
      single = squared_error(np.float32, rng.permutation(1000))
      self.assertNotEqual(single, exact)
      self.assertLess(abs(single - exact), near)


class ShareTest(absltest.TestCase):
  def test_a_number_is_shown_as_the_share_that_it_is(self):
    plain = reported.Reported("5", "rank", "44.13", None)
    self.assertEqual(plain.shown(), "44.13")
    self.assertEqual(plain._replace(null=206.0).shown(), "0.2142 (44.13 of 206)")

  def test_published_numbers_have_a_null_where_the_table_has_one(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    columns = "slice,key,item,quantity,source,recomputed,tolerance,remark,null"
    rows = ("mine,a,1,one,3.0,,0.5,,6.0", "mine,b,1,other,2.0,,0.5,,")
    (folder / "published.csv").write_text("\n".join([columns, *rows]))
    found = reported.published(folder / "mine.py")
    self.assertEqual([found[key].null for key in "ab"], [6.0, None])


class JoinedTest(parameterized.TestCase):
  """Numbers of a source beside those of its own network, of others, and of controls."""

  CSV = (
    "slice,key,item,quantity,source,recomputed,tolerance,remark\n"
    "one,share,A6,share <of it>,0.73,0.7266,0.005,\n"
    "one,count,A11,neurons,> 130,23,inf,\n"
    "one,free,A1,not recomputed,,,0.005,\n"
  )
  BESIDE = reported.Beside("published", "shaken", {"permuted": "permuted labels"})

  def joined(self, value_S, beside=BESIDE, **cards):
    """Returns the record of each key; `value_S` are numbers by run and key."""
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    (folder / "published.csv").write_text(self.CSV)
    slices = {
      "one": types.SimpleNamespace(numbers=lambda found: found),
      "two": types.SimpleNamespace(numbers=None),
    }
    table = reported.Joined(folder / "published.csv", slices, beside)
    tables = {run: {"one": values, "two": {}} for run, values in value_S.items()}
    return {row["key"]: row for row in table(claims.Results(tables, cards))}

  def test_the_source_s_own_network_its_spread_and_controls(self):
    own = reported.Own(np.array([0.1, 0.70, 0.4]), np.array([0.2, 0.3, 0.4]))
    rows = self.joined(
      {
        "main": {"share": own, "count": np.array([1, 150, 3]), "free": np.array([np.nan, 2, 5])},
        "drift": {"share": np.array([0.71, 0.73])},
        "null": {"share": np.array([0.5, 0.6])},
        "sizes": {"share": np.array([9.0])},
      },
      main={"population": "P = 10, published", "reference": 1},
      drift={"population": "P = 10, shaken", "reference": None},
      null={"population": "P = 10, permuted labels", "reference": None},
      sizes={"population": "P = 10, other steps", "reference": None},
    )
    share, count, free = rows["share"], rows["count"], rows["free"]
    self.assertEqual((share["here"], share["median"]), (0.70, 0.4))
    self.assertEqual((share["minimum"], share["maximum"]), (0.1, 0.70))
    self.assertAlmostEqual(share["untrained"], 0.3)
    self.assertEqual((share["drift_low"], share["drift_high"]), (0.71, 0.73))
    self.assertEqual((share["permuted"], share["runs"]), (0.55, "main"))
    self.assertEqual(share["verdict"], "within drift")
    self.assertEqual((count["here"], count["verdict"]), (150, "not portable"))
    self.assertTrue(math.isnan(count["untrained"]))
    # A network without a value is left out of the spread.
    self.assertEqual((free["median"], free["minimum"], free["verdict"]), (3.5, 2.0, ""))

  def test_an_imported_network_is_no_part_of_the_spread(self):
    cards = {"own": {"population": "sum, imported", "reference": 0, "imported": True}}
    cards["made"] = {"population": "sum, L2 D128", "reference": None}
    values = {"own": {"share": np.array([0.7266])}, "made": {"share": np.array([0.5, 0.6])}}
    row = self.joined(values, None, **cards)["share"]
    self.assertEqual((row["here"], row["median"], row["runs"]), (0.7266, 0.55, "made"))
    self.assertEqual(row["verdict"], "agrees")
    self.assertNotIn("drift_low", row)

  def test_controls_alone_are_shown(self):
    cards = {"null": {"population": "P = 10, permuted labels", "reference": None}}
    row = self.joined({"null": {"share": np.array([0.5])}}, **cards)["share"]
    self.assertEqual((row["median"], row["permuted"], row["runs"]), (0.5, 0.5, "null"))

  def test_two_populations_do_not_mix(self):
    cards = {
      name: {"population": f"P = {name}, published", "reference": None} for name in ("10", "12")
    }
    values = {name: {"share": np.array([float(name)])} for name in cards}
    folder_rows = self.joined(values, **cards)
    self.assertLen(folder_rows, 1)  # by key; the rows themselves are two
    self.assertEqual(folder_rows["share"]["median"], 12.0)

  def test_a_number_nobody_reported_is_refused(self):
    with self.assertRaisesRegex(KeyError, "other"):
      self.joined({"a": {"other": np.zeros(3)}}, a={"population": "P", "reference": None})

  @parameterized.parameters(
    (0.73, 0.7266, 0.005, math.nan, math.nan, "agrees"),
    (0.70, 0.7266, 0.005, math.nan, math.nan, "differs"),
    (0.70, 0.7266, 0.005, 0.69, 0.725, "within drift"),
    (0.70, 0.7266, 0.005, 0.69, 0.71, "differs"),
    (131.0, 23.0, math.inf, math.nan, math.nan, "not portable"),
    (23.0, 23.0, math.inf, math.nan, math.nan, "agrees"),
    (math.nan, 0.7, 0.005, 0.0, 1.0, ""),
    (0.7, math.nan, 0.005, 0.0, 1.0, ""),
  )
  def test_agreement(self, here, recomputed, tolerance, low, high, expected):
    record = dict(here=here, recomputed=recomputed, drift_low=low, drift_high=high)
    self.assertEqual(reported.agreement(record, tolerance), expected)


if __name__ == "__main__":
  absltest.main()
