import tempfile
import types

import drawn
import jax.numpy as jnp
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.lens import claims, results
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import predictors
from primelens.tasks import surrogates

RHO = -0.3083716  # lag 1 of the sine process: R2 of one lag is its square
ARTEFACT = "reproduced, but an artefact"


def _last_lag(params, x_BxT, **_):
  """A network that is the best linear predictor of one lag."""
  mean_BxT = 1 + params["w"] * (x_BxT - 1)
  return tiny_study.gaussian(mean_BxT, 0.4), {}


def status(claim: str, found, card=None) -> str:
  card = card or zeros_cards.card("none")
  return zeros_cards.status(predictors, claim, run=(card, {"predictors": found}))


SMALL = zeros_cards.card("none", size=1_000)


class PredictorsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    spacing_RxN = surrogates.cue_spacings(3, matrices=90, size=100)
    run = tiny_study.handmade(
      _last_lag,
      {"w": jnp.array([RHO, RHO])},
      spacing_RxN.ravel(),
      fresh_S={"w": jnp.array([0.0, 0.0])},
      changed={
        "predictors.samples": 800,
        "predictors.orders": (1, 3),
        "predictors.cue_matrices": 12,
        "predictors.cue_size": 60,
        "bootstrap.samples": 100,
      },
    )
    cls.found = predictors.measure(run)
    cls.row = {name: cls.found.sel(predictor=name) for name in cls.found.predictor.values.tolist()}

  def value(self, name: str, of: str) -> float:
    return float(self.row[of][name])

  def test_a_network_that_is_a_filter_is_explained_by_it(self):
    model, line = "model (handmade)", "linear, 1 lags, of the sine process"
    self.assertEqual(self.found.predictor[0], model)
    self.assertAlmostEqual(self.value("r2", model), self.value("r2", line), places=5)
    self.assertAlmostEqual(self.value("explains", line), 1, places=6)
    self.assertAlmostEqual(self.value("explains", "AR(1)"), 1, places=6)
    self.assertAlmostEqual(self.value("explains", "marginal (KDE)"), 0)
    # One lag, but bent: nearly.
    self.assertBetween(self.value("explains", "sine process, 1 lag"), 0.9, 1)
    self.assertTrue(np.isnan(self.value("explains_untrained", line)))  # its mean is constant
    self.assertLess(self.value("r2", "untrained network"), 0.01)

  def test_what_is_possible_on_cue(self):
    line = self.value("r2_on_cue", "linear, 1 lags, of the sine process")
    self.assertAlmostEqual(line, RHO**2, places=6)
    three = self.value("r2_on_cue", "linear, 3 lags, of the sine process")
    # docs/sources/zeros.md, section 6.3: 0.146 on simulated CUE.
    self.assertAlmostEqual(three, 0.146, delta=0.006)
    one, two = (self.value("r2_on_cue", f"sine process, {k}") for k in ("1 lag", "2 lags"))
    self.assertGreater(two, one)
    self.assertAlmostEqual(one, RHO**2, delta=0.04)

  def test_the_exact_law_is_the_likeliest_on_cue(self):
    exact, line, marginal = (
      self.value("nll", name)
      for name in ("sine process, 2 lags", "linear, 3 lags, of the sine process", "marginal (KDE)")
    )
    self.assertLess(exact, line)
    self.assertLess(line, marginal)

  def test_intervals_hold_their_values(self):
    for name in self.row:
      for of in ("r2", "nll"):
        its = tables_lib.interval(self.found, of, predictor=name)
        self.assertBetween(its.estimate, its.low, its.high)
    self.assertBetween(self.found.scored, 800, 900)

  def test_stored_and_shown(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "predictors", self.found, provenance={})
    back, _ = results.read(folder, "predictors")
    xr.testing.assert_identical(back, self.found)
    figure = predictors.figures({"e0": back})["e0"].figure()
    self.assertLen([axes for part in figure.subfigs for axes in part.axes], 3)
    drawn.assert_inside(self, figure)
    (table,) = predictors.tables({"e0": back})
    self.assertIn("sine process, 2 lags", table.text())

  def test_verdicts(self):
    self.assertEqual(status("predictors.sine", self.found), "reproduced")
    self.assertEqual(status("predictors.sine", self.found, SMALL), "needs more compute")
    marginal, sine = (
      tables_lib.interval(self.found, "nll", predictor=name)
      for name in ("marginal (KDE)", "sine process, 2 lags")
    )
    if sine.high < marginal.low:
      self.assertEqual(status("losses.floor", self.found, SMALL), ARTEFACT)


def by_hand(model=-0.56, explains=0.12, marginal=0.51, sine=0.42, name="e0"):
  """A network beside the sine process's predictor and filters; intervals are 0.01 to a side."""
  rows = []
  for who, nll, r2, part in (
    (f"model ({name})", model, 0.86, np.nan),
    ("untrained network", 0.6, -0.02, np.nan),
    ("sine process, 1 lag", 0.47, 0.1, explains - 0.05),
    ("sine process, 3 lags", sine, 0.18, explains),
    ("marginal (KDE)", marginal, 0.0, 0.0),
    ("AR(64)", 0.03, 0.62, 0.66),
  ):
    values = {"nll": nll, "r2": r2, "explains": part}
    row = {key: tables_lib.Interval(x, x - 0.01, x + 0.01) for key, x in values.items()}
    rows.append({"name": who, "knows": "something", "explains_untrained": 0.01} | row)
  return predictors._dataset(rows, 1_234)


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({}, ARTEFACT),
    ({"sine": 0.52}, "reproduced"),
    ({"sine": 0.52, "model": 0.51}, "not reproduced"),
  )
  def test_floor(self, values, expected):
    for card in (zeros_cards.card("none"), SMALL, zeros_cards.card(told=True)):
      self.assertEqual(status("losses.floor", by_hand(**values), card), expected)

  @parameterized.parameters(
    ({}, "not reproduced"),
    ({"explains": 0.95}, "reproduced"),
  )
  def test_sine_kernel(self, values, expected):
    self.assertEqual(status("predictors.sine", by_hand(**values)), expected)
    for card in (SMALL, zeros_cards.card(seeds=3)):
      self.assertEqual(status("predictors.sine", by_hand(**values), card), "needs more compute")
    told = zeros_cards.card(told=True)
    self.assertEqual(status("predictors.sine", by_hand(**values), told), "not run")

  def test_every_network_of_published_size_decides(self):
    card = zeros_cards.card("none")
    row = zeros_cards.row(
      predictors,
      "predictors.sine",
      a=(card, {"predictors": by_hand(explains=0.95)}),
      b=(card, {"predictors": by_hand(name="b")}),
      tiny=(SMALL, {"predictors": by_hand(explains=0.99, name="tiny")}),
    )
    self.assertEqual(row["status"], "not reproduced")
    self.assertIn(
      "b explains R² 0.860 [0.850, 0.870] of the truth, the sine process, 3 lags 0.180 [0.170,"
      " 0.190]; of the network's mean that explains 0.120 and AR(64) fitted on zeros 0.660",
      row["because"],
    )
    self.assertAlmostEqual(row["numbers"]["a: of the mean, sine process"], 0.95)

  @parameterized.parameters("losses.floor", "predictors.sine")
  def test_other_data_decide_nothing(self, claim):
    card = zeros_cards.card(data="200,000 spacings of cue, published_tail")
    self.assertEqual(status(claim, by_hand(), card), "not run")

  def test_the_floor_in_words(self):
    row = zeros_cards.row(predictors, "losses.floor", run=(SMALL, {"predictors": by_hand()}))
    self.assertIn("the marginal's entropy, 0.510 nats on ", row["because"])
    self.assertIn("0.420 [0.410, 0.430] from 3 lags; model (e0) -0.560.", row["because"])
    self.assertEqual(row["reported"], "83.3 against a floor of 105.2")

  def test_a_missing_predictor_is_named(self):
    found = by_hand().isel(predictor=slice(5))
    row = zeros_cards.row(predictors, "predictors.sine", run=(SMALL, {"predictors": found}))
    self.assertEqual(row["status"], "does not apply")
    self.assertIn("AR(64)", row["because"])
    self.assertRaises(claims.Inapplicable, claims.row, [], name="AR(64)")


class ShownTest(absltest.TestCase):
  def test_runs_are_compared(self):
    one, two = by_hand(), by_hand(-0.3, name="e4")
    self.assertEqual(set(predictors.figures({"e0": one})), {"e0"})
    pages = predictors.figures({"e0": one, "e4": two})
    self.assertEqual(set(pages), {"all runs", "e0", "e4"})
    for page in pages.values():
      drawn.assert_inside(self, page.figure())

  def test_a_filter_that_comes_twice(self):
    found = by_hand()
    twice = xr.concat([found, found.isel(predictor=[-1])], "predictor", data_vars="minimal")
    self.assertLen(predictors.figures({"a": twice, "b": found}), 3)
    self.assertEqual(status("losses.floor", twice), ARTEFACT)

  def test_the_table_has_the_best_predictor_of_the_truth_in_front(self):
    (table,) = predictors.tables({"e0": by_hand(), "e4": by_hand(name="e4")})
    rows = [dict(zip(table.columns(), row, strict=True)) for row in table.cells()]
    self.assertLen(rows, 12)
    self.assertEqual([row["predictor"] for row in rows[:2]], ["model (e0)", "AR(64)"])
    self.assertEqual(rows[0]["NLL, nats"], "-0.560 [-0.570, -0.550]")
    self.assertEqual(rows[0]["R² of the network"], "–")
    self.assertEqual(rows[1]["R² of the network"], "0.660 [0.650, 0.670]")
    self.assertIn("1,234 spacings of test", table.caption)


def _of(task, model="spacing"):
  """An experiment of a task, as far as an obstacle looks."""
  kind = types.SimpleNamespace(kind=model)
  return types.SimpleNamespace(task=task, model=kind)


class ObstacleTest(parameterized.TestCase):
  @parameterized.parameters(
    ("zeros", "", True), ("surrogate", "cue", True), ("surrogate", "gue", True)
  )
  def test_sequences_that_repel(self, kind, ensemble, fits):
    task = types.SimpleNamespace(kind=kind, ensemble=ensemble)
    self.assertEqual(not predictors.obstacle(_of(task)), fits)

  def test_sequences_that_do_not(self):
    for ensemble in ("poisson", "shuffled", "renewal"):
      task = types.SimpleNamespace(kind="surrogate", ensemble=ensemble)
      self.assertIn("do not repel", predictors.obstacle(_of(task)))

  def test_models_without_mixtures(self):
    task = types.SimpleNamespace(kind="zeros")
    self.assertIn("256 bins", predictors.obstacle(_of(task, "binned")))


if __name__ == "__main__":
  absltest.main()
