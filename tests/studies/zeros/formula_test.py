import functools
import itertools
import math
import tempfile
from unittest import mock

import drawn
import jax.numpy as jnp
import matplotlib
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
import zeros_linear
from absl.testing import absltest, parameterized
from primelens.analyses import symbolic
from primelens.lens import results, tables
from primelens.studies.zeros import formula, scoring

SHAPE = 8.0  # of independent gamma spacings, mean 1 and variance 1 / 8
BIAS = 1.06  # the mean of a model that expects too much
SLOPE = 0.3


def biased(params, x_BxT, **_):
  """Expects bias (1 + slope (s1 - 1))."""
  mean_BxT = params["bias"] * (1 + SLOPE * (x_BxT - 1))
  return tiny_study.gaussian(mean_BxT, 0.4), {}


def quick():
  """Returns a patch: symbolic regression of a second, not of minutes."""
  search = functools.partial(
    symbolic.operon_formulas, population=30, generations=2, restarts=1, iterations=1, threads=1
  )
  return mock.patch.object(symbolic, "operon_formulas", search)


class FormulaTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    value_N = np.random.default_rng(0).gamma(SHAPE, 1 / SHAPE, 100_000)
    cls.run_ = tiny_study.handmade(
      biased,
      {"bias": jnp.array([BIAS - 0.1, BIAS + 0.1])},
      value_N,
      changed={
        "formula.samples": 9000,
        "formula.cue_matrices": 120,
        "formula.cue_size": 60,
        "symbolic.samples": 300,
        "bootstrap.block": 100,
        "bootstrap.samples": 400,
      },
    )
    with quick():
      cls.found = formula.measure(cls.run_)
    cls.closed, cls.front, cls.refitted, cls.heights = (
      tables.rows(cls.found, name) for name in ("closed", "front", "refitted", "heights")
    )

  def _closed(self, family: str) -> dict[str, dict]:
    return {row["target"]: row for row in self.closed if row["family"] == family}

  def test_every_target_has_every_closed_form(self):
    targets = ["model", "model seed 3", "model seed 4", "truth", "CUE"]
    targets.append("shuffled")
    families = {row["family"] for row in self.closed}
    for k in range(1, 9):
      self.assertIn(f"c / sum of {k} lags", families)
      self.assertIn(f"affine in {k} lags", families)
    self.assertLessEqual({"mean", "c / (s1 + b)"}, families)
    for family in families:
      self.assertEqual(list(self._closed(family)), targets, family)

  def test_the_constant_of_independent_spacings(self):
    # y and S = s1 + .. + sk independent, S gamma of shape 8 k:
    # c = E[1 / S] / E[1 / S^2] = (8 k - 2) / 8 = k - 1 / 4. No pi for k = 3.
    for target in ("truth", "shuffled"):
      for k in range(1, 9):
        row = self._closed(f"c / sum of {k} lags")[target]
        c = row["c"]
        self.assertAlmostEqual(c.estimate, k - 0.25, delta=0.012 * k)
        self.assertLess(c.low, c.estimate)
        self.assertGreater(c.high, c.estimate)
        self.assertLess(c.high - c.low, 0.08 * k)
      row = self._closed("c / sum of 3 lags")[target]
      self.assertLess(row["c"].high, math.pi)

  def test_the_constant_by_height(self):
    rows = self.heights
    self.assertLen(rows, formula.STRETCHES)
    self.assertEqual((rows[0]["first"], rows[-1]["last"]), (3, 99_999))
    for before, after in itertools.pairwise(rows):
      self.assertEqual(before["last"] + 1, after["first"])
    for row in rows:  # a tenth of the rows each
      self.assertAlmostEqual(row["c"].estimate, 2.75, delta=0.05)
      self.assertLess(row["c"].low, row["c"].estimate)
      self.assertGreater(row["c"].high, row["c"].estimate)

  def test_a_mean_too_large_gives_a_constant_too_large(self):
    # y = bias (1 - slope + slope s1) and E[s1 / S] = 1 / k by symmetry.
    for k in (3, 4):
      inverse, square = (8 / (8 * k - 1), 64 / ((8 * k - 1) * (8 * k - 2)))
      c = ((1 - SLOPE) * inverse + SLOPE / k) / square
      rows = self._closed(f"c / sum of {k} lags")
      for target, factor in (
        ("model", BIAS),
        ("model seed 3", BIAS - 0.1),
        ("model seed 4", BIAS + 0.1),
      ):
        self.assertAlmostEqual(rows[target]["mean_target"], factor, places=2)
        self.assertAlmostEqual(rows[target]["c"].estimate, factor * c, delta=0.02)

  def test_cue_repels(self):
    # Anticorrelated unit-mean spacings: c between independence (3 - 2 var)
    # and a constant sum (3).
    row = self._closed("c / sum of 3 lags")["CUE"]
    self.assertBetween(row["c"].estimate, 3 - 2 * 0.18, 3.0)
    self.assertGreater(row["test_correlation"], 0.25)
    affine = self._closed("affine in 3 lags")
    self.assertGreater(affine["CUE"]["test_r2"], 0.1)
    for target in ("truth", "shuffled"):
      self.assertLess(affine[target]["test_r2"], 0.02)

  def test_fronts(self):
    front = self.front
    self.assertEqual(
      {(row["target"], row["null"]) for row in front},
      {("model", False), ("truth", False), ("CUE", False), ("model", True)},
    )
    for target in ("truth", "CUE"):
      rows = [row for row in front if row["target"] == target]
      complexity = [row["complexity"] for row in rows]
      mse = [row["train_mse"] for row in rows]
      self.assertEqual(complexity, sorted(set(complexity)))
      self.assertEqual(mse, sorted(mse, reverse=True))
    best = lambda name: max(r["test_r2"] for r in front if r["target"] == name)
    self.assertGreater(best("CUE"), 0.05)
    self.assertLess(best("truth"), 0.02)

  def test_published_forms_are_refitted(self):
    rows = [row for row in self.refitted if row["target"] == "truth"]
    self.assertIn("3.1055553/(s1 + s2 + s3)", [r["published"] for r in rows])
    three = next(r for r in rows if r["complexity"] == 7)
    closed = self._closed("c / sum of 3 lags")["truth"]
    self.assertAlmostEqual(three["train_mse"], closed["train_mse"], places=6)

  def test_constants_of_select_are_scored_on_test(self):
    value_N = self.run_.series.value_N.astype(np.float64)
    sums, targets = [], []
    for split in ("select", "test"):
      rows = scoring.pairs(self.run_, split, 9000, 8)
      first, last = self.run_.series.splits[split]
      self.assertBetween(rows.index_N.min(), first, last)
      self.assertBetween(rows.index_N.max(), first, last - 1)
      sums.append(sum(value_N[rows.index_N - q] for q in (1, 2, 3)))
      targets.append(value_N[rows.index_N])
    c = np.mean(targets[0] / sums[0]) / np.mean(1 / sums[0] ** 2)
    row = self._closed("c / sum of 3 lags")["truth"]
    self.assertAlmostEqual(row["c"].estimate, c, places=6)
    self.assertAlmostEqual(row["test_mse"], np.mean((targets[1] - c / sums[1]) ** 2), places=6)

  def test_series_find_what_is_of_their_form(self):
    rng = np.random.default_rng(2)
    lag_NxQ = rng.uniform(0.2, 2.0, (4000, 8))
    z_N = lag_NxQ[:, 0] - 1.0
    value_N = 1 + 0.4 * np.sinc(z_N) - 0.3 * np.sinc(2 * z_N)
    train, test = slice(2000), slice(2000, None)
    target = formula.Target(
      "truth", lag_NxQ[train], value_N[train], lag_NxQ[test], value_N[test], 5
    )
    sinc, _, bessel, _ = formula._series(target)
    self.assertEqual((sinc["family"], sinc["lags"], sinc["shift"]), ("sinc", 1, 1.0))
    self.assertAlmostEqual(sinc["test_r2"], 1, places=6)
    first, second, *rest = map(float, sinc["coefficients"].split())
    np.testing.assert_allclose([first, second, *rest], [0.4, -0.3, 0, 0, 0], atol=1e-4)
    self.assertLess(bessel["test_r2"], 0.9999)

  def test_independent_spacings_have_no_series(self):
    rows = [row for row in tables.rows(self.found, "series") if row["target"] == "truth"]
    self.assertLen(rows, 4)
    for row in rows:
      self.assertLess(abs(row["test_r2"]), 0.02)

  def test_the_sine_kernel_gives_the_constant_of_cue(self):
    c = self._closed("c / sum of 3 lags")["CUE"]["c"].estimate
    self.assertAlmostEqual(float(self.found.sine_c.sel(k=3)), c, delta=0.04)

  def test_the_next_spacing_by_the_sum_of_three(self):
    rows = [row for row in tables.rows(self.found, "by_sum") if row["target"] == "truth"]
    self.assertLen(rows, formula.SUMS)
    self.assertEqual(sum(row["rows"] for row in rows), self.found.test_samples)
    c = self._closed("c / sum of 3 lags")["truth"]["c"].estimate
    for row in rows:  # independent spacings: 1, whatever came before
      self.assertAlmostEqual(row["mean"].estimate, 1, delta=0.08)
      self.assertAlmostEqual(row["formula"] * row["sum"], c, places=6)

  def test_samples(self):
    self.assertAlmostEqual(self.found.train_samples, 9000, delta=20)
    self.assertAlmostEqual(self.found.test_samples, 9000, delta=20)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "formula", self.found, provenance={})
    back, _ = results.read(folder, "formula")
    xr.testing.assert_identical(back, self.found)

  def test_constants_are_the_family_of_sums_alone(self):
    table = formula.constants(self.found)
    self.assertEqual(table.lags.values.tolist(), list(range(1, 9)))
    for target in table.target.values:
      row = self._closed("c / sum of 3 lags")[target]
      self.assertEqual(tables.interval(table, "c", target=target, lags=3), row["c"])

  def test_shown(self):
    for page in formula.figures({"a": self.found}).values():
      drawn.assert_inside(self, page.figure())
    by_name = {table.name: table for table in formula.tables({"a": self.found})}
    self.assertLen(by_name["closed"].rows, len(self.closed))
    self.assertLen(by_name["front"].rows, len(self.front))
    self.assertNotIn("nan", by_name["closed"].text())


class SurrogatesTest(absltest.TestCase):
  def test_shuffled_is_select_in_random_order(self):
    run = tiny_study.handmade(biased, {}, tiny_study.ar([0.9], 20_000))
    _, shuffled = formula._surrogates(run)
    self.assertEqual(shuffled.name, "shuffled")
    first, last = run.series.splits["select"]
    own_N = set(run.series.value_N[first:last].astype(np.float64))
    for target_N, lag_NxQ in (
      (shuffled.train_N, shuffled.train_lag_NxQ),
      (shuffled.test_N, shuffled.test_lag_NxQ),
    ):
      self.assertContainsSubset(set(target_N), own_N)
      correlation = np.corrcoef(target_N, lag_NxQ[:, 0])[0, 1]
      self.assertLess(abs(correlation), 5 / np.sqrt(len(target_N)))


class RowsTest(absltest.TestCase):
  def test_lags_stay_within_a_matrix_and_halves_apart(self):
    spacing_RxN = 100.0 * np.arange(6)[:, None] + np.arange(12)[None] + 1
    target = formula._of_rows("CUE", spacing_RxN, 5)
    for part, lag_NxQ, value_N in (
      ((0, 1, 2), target.train_lag_NxQ, target.train_N),
      ((3, 4, 5), target.test_lag_NxQ, target.test_N),
    ):
      self.assertEqual(lag_NxQ.shape, (3 * 4, 8))
      self.assertEqual(set(value_N // 100), set(part))
      np.testing.assert_array_equal(lag_NxQ, value_N[:, None] - np.arange(1, 9)[None])


def by_hand(truth=2.91, cue=2.92, shuffled=2.83, width=0.05, r2=0.148, four=3.95, lags=(3, 4)):
  """A result whose constants have intervals `width` to either side."""
  c_of = {"model": 3.1, "model seed 0": 3.2, "truth": truth, "CUE": cue, "shuffled": shuffled}
  scores = {"train_mse": 0.14, "train_r2": 0.2, "train_correlation": 0.4}
  scores |= {"test_mse": 0.1501, "test_r2": r2, "test_correlation": 0.385}
  closed = []
  for k in lags or (3,):
    for target, three in c_of.items():
      c = {3: three, 4: four if target == "truth" else 3.95}.get(k, k - 0.1)
      row = {"target": target, "family": f"c / sum of {k} lags", "lags": k, "mean_target": 1.0}
      row |= {"c": c, "c_low": c - width, "c_high": c + width, "complexity": 3}
      closed.append(row | {"expression": f"{c}/S", "exact": f"{c}/S"} | scores)
  nothing = {"c": 1.0, "c_low": np.nan, "c_high": np.nan}
  affine = {"target": "truth", "family": "affine in 2 lags", "lags": 2}
  closed.append(closed[0] | affine | nothing)
  if not lags:
    closed = closed[len(c_of) :]
  front = [
    {"target": target, "null": null, "expression": f"{target} <s1> & {null}", "complexity": size}
    | {"exact": "s1", "sympy": "s1", "backend": "pyoperon", "version": "1", "seed": 0}
    | {"train_mse": 0.1, "test_mse": 0.1357, "test_r2": 0.2}
    for target, null in (("model", False), ("truth", False), ("model", True))
    for size in (1, 5)
  ]
  refitted = {"target": "truth", "published": "3.01/(s1 + 1.89)", "published_mse": 0.135}
  refitted |= {"expression": "2.5/(s1 + 1.5)", "exact": "", "sympy": "", "complexity": 5} | scores
  heights = [
    {"first": 3, "last": 99, "c": c, "c_low": 2.8, "c_high": 3.0, "mean_target": 1.0}
    for c in (truth, truth + 0.01)
  ]
  by_sum = [
    {"target": target, "sum": total, "rows": 5, "formula": 3 / total, "mean": value}
    | {"mean_low": value - 0.1, "mean_high": value + 0.1}
    for target in formula.SHOWN
    for total, value in ((2.0, 1.3), (4.0, 0.8))
  ]
  series = [
    {"target": target, "family": family, "lags": count, "shift": 1.0, "coefficients": "1 2"}
    | {"train_mse": 0.12, "train_r2": 0.3, "test_mse": 0.13, "test_r2": 0.25}
    for target in formula.SHOWN
    for family in formula.SERIES_OF
    for count in (1, 3)
  ]
  return results.dataset(
    {
      **results.rows("closed", closed, formula.CLOSED),
      **results.rows("front", front if lags else [], formula.FRONT),
      **results.rows("refitted", [refitted], formula.REFITTED),
      **results.rows("heights", heights, formula.HEIGHTS),
      **results.rows("by_sum", by_sum, formula.BY_SUM),
      **results.rows("series", series, formula.SERIES),
      "sine_c": results.variable("k", np.arange(1.0, 9) - 0.1, "c of the sine process"),
    },
    {"k": np.arange(1, 9)},
    train_samples=100,
    test_samples=100,
  )


NOT, REPRODUCED = "not reproduced", "reproduced"


class ClaimsTest(parameterized.TestCase):
  def row(self, claim, card=None, **tables):
    return zeros_cards.row(formula, f"formula.{claim}", e4=(card or zeros_cards.card(), tables))

  @parameterized.parameters(
    ("pi", {}, NOT),
    ("pi", {"truth": 3.08, "cue": 3.14, "shuffled": 3.14}, NOT),
    ("pi", {"truth": 3.14, "cue": 2.9, "shuffled": 2.8}, REPRODUCED),
    ("four", {}, NOT),
    ("four", {"four": 3.12}, REPRODUCED),
    # Against three linear coefficients.
    ("operator", {}, NOT),
    ("operator", {"r2": 0.38}, REPRODUCED),
  )
  def test_status(self, claim, changed, status):
    tables = {"formula": by_hand(**changed), "linear": zeros_linear.by_hand()}
    # Any run decides a claim on the data alone.
    for card in (zeros_cards.card(), zeros_cards.card("none", size=9), zeros_cards.card(told=True)):
      row = self.row(claim, card, **tables)
      self.assertEqual(row["status"], status, row["because"])
    other = zeros_cards.card(data="99 spacings of cue")
    self.assertEqual(self.row(claim, other, **tables)["status"], "not run")

  def test_what_is_missing_is_named(self):
    for name, its in (("linear", by_hand()), ("formula", zeros_linear.by_hand())):
      (there,) = {"linear", "formula"} - {name}
      row = self.row("operator", **{there: its})
      self.assertEqual(row["status"], "not run")
      self.assertIn(f"It needs {name} of a run", row["because"])

  def test_the_verdict_on_pi_says_what_it_found(self):
    row = self.row("pi", formula=by_hand())
    self.assertIn("truth 2.910 [2.860, 2.960] with mean 1.000; CUE 2.920", row["because"])
    self.assertIn("On 2 stretches by height the truth's c is 2.910 to 2.920.", row["because"])
    self.assertEqual(row["numbers"]["c, shuffled"], 2.83)
    self.assertEqual(row["reported"], "c = 3.1056 on the mean of one model")

  def test_the_verdict_on_the_operator(self):
    tables = {"formula": by_hand(), "linear": zeros_linear.by_hand()}
    row = self.row("operator", **tables)
    self.assertEqual(row["numbers"], {"R2, c/(s1+s2+s3)": 0.148, "R2, AR(3)": 0.178})
    self.assertEndsWith(row["because"], "0.382 was a correlation, so 0.15 of the variance.")
    self.assertEndsWith(row["statement"], "it explains 38 % of the variance.")
    self.assertEqual(row["reported"], "correlation with the truth 0.382")


class ShownTest(absltest.TestCase):
  def pages(self, **runs):
    return {name: page.figure() for name, page in formula.figures(runs).items()}

  def texts(self, figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]

  def test_figures(self):
    many = by_hand(lags=range(1, 9))
    self.assertEqual(set(formula.figures({"e0": many})), {"e0"})
    pages = self.pages(e0=many, e4=by_hand())
    self.assertEqual(set(pages), {"all runs", "e0", "e4"})
    for figure in pages.values():
      drawn.assert_inside(self, figure)
      self.assertIn("π", self.texts(figure))
    self.assertIn("network's mean, permuted", self.texts(pages["e0"]))

  def test_what_is_not_there_is_said(self):
    texts = self.texts(self.pages(e0=by_hand(lags=()))["e0"])
    self.assertIn("no symbolic regression in this result", texts)
    self.assertIn("no family c / (sum of k lags)", texts)
    self.assertIn(
      "no family c / (sum of 3 lags)", self.texts(self.pages(e0=by_hand(lags=(1,)))["e0"])
    )

  def test_tables_set_published_formulas_beside_ours(self):
    by_name = {table.name: table for table in formula.tables({"e0": by_hand()})}
    cells = {
      name: [dict(zip(table.columns(), row, strict=True)) for row in table.cells()]
      for name, table in by_name.items()
    }
    three = cells["constants"][0]
    self.assertEqual((three["lags k"], three["truth"]), ("3", "2.910 [2.860, 2.960]"))
    self.assertEqual((three["truth, all zeros"], three["published"]), ("2.912", "3.1055553"))
    first = cells["front"][0]
    self.assertEqual((first["expression"], first["test_mse"]), ("model <s1> & False", "0.1357"))
    seven = cells["published_front"][2]
    self.assertEqual(list(seven.values()), ["7", "3.1055553/(s1 + s2 + s3)", "0.119"])
    (refitted,) = cells["refitted"]
    for key, value in (
      ("published", "3.01/(s1 + 1.89)"),
      ("published_mse", "0.135"),
      ("expression", "2.5/(s1 + 1.5)"),
      ("train_mse", "0.1400"),
      ("test_mse", "0.1501"),
      ("test_r2", "0.148"),
    ):
      self.assertEqual(refitted[key], value)
    self.assertLen(by_name["closed"].rows, 11)
    self.assertLen(by_name["heights"].rows, 2)
    self.assertIn("3.1055553", by_name["published_constant"].text())

  def test_criteria_are_judged(self):
    by_name = {table.name: table for table in formula.tables({"e0": by_hand(truth=3.1)})}
    rows = by_name["criteria"].rows
    met = {row["criterion"]: row["met"] for row in rows}
    self.assertEqual(list(met.values()), [False, False, False, True, True])
    # The series has the least error on the fitted rows but for the front's 0.1.
    self.assertEqual(rows[0]["here"], 0.2)
    sinc = by_name["sinc"].rows
    self.assertEqual([row["with sinc"] for row in sinc], [0, 0, 0])
    self.assertLen(by_name["series"].rows, 16)
    first = by_name["conservation"].rows[0]
    self.assertAlmostEqual(first["π / sum"], math.pi / 2)
    self.assertEqual(first["true next spacing"].estimate, 1.3)

  def test_sums_and_forms_are_drawn(self):
    explained, sums = self.pages(e0=by_hand())["e0"].subfigs[0].axes
    names = [label.get_text() for label in explained.get_yticklabels()]
    self.assertIn("series of sinc, 3 lags", names)
    values = explained.lines[1].get_xdata()  # of the true spacings
    self.assertEqual(values[names.index("series of sinc, 3 lags")], 0.25)
    (dashed, *_) = (line for line in sums.lines if line.get_linestyle() == "--")
    np.testing.assert_allclose(dashed.get_ydata(), [1.5, 0.75])

  def test_line(self):
    self.assertEqual(
      formula.line({"e0": by_hand(), "e4": by_hand(width=0.1)}),
      "The constant that was taken for pi, c of c / (s1 + s2 + s3), is 3.100 [3.050, 3.150] in e0,"
      " 3.100 [3.000, 3.200] in e4, 2.910 [2.860, 2.960] in true spacings, 2.920 [2.870, 2.970] in"
      " random matrices (CUE), 2.830 [2.780, 2.880] in shuffled spacings; pi is 3.142. Symbolic"
      " regression was offered sinc, which is in 0 of its 8 formulas, and in 0 of 4 of permuted"
      " targets.",
    )


if __name__ == "__main__":
  absltest.main()
