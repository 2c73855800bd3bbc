import tempfile
import types

import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.lens import legacy
from primelens.studies.zeros import claims_gue, predictors, published, report_gue
from primelens.tasks import surrogates

RHO = -0.3083716  # lag 1 of the sine process: R2 of one lag is its square


def _last_lag(params, x_BxT, **_):
  """A network that is the best linear predictor of one lag."""
  mean_BxT = 1 + params["w"] * (x_BxT - 1)
  return tiny_study.gaussian(mean_BxT, 0.4), {}


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
    cls.result = predictors.run(run)
    cls.row = {row["name"]: row for row in cls.result.table}

  def test_a_network_that_is_a_filter_is_explained_by_it(self):
    model, line = (
      self.row[name] for name in ("model (handmade)", "linear, 1 lags, of the sine process")
    )
    self.assertAlmostEqual(model["r2"], line["r2"], places=5)
    self.assertAlmostEqual(line["explains"], 1, places=6)
    self.assertAlmostEqual(self.row["AR(1)"]["explains"], 1, places=6)
    self.assertAlmostEqual(self.row["marginal (KDE)"]["explains"], 0)
    # One lag, but bent: nearly.
    self.assertBetween(self.row["sine process, 1 lag"]["explains"], 0.9, 1)
    self.assertTrue(np.isnan(line["explains_untrained"]))  # its mean is constant
    self.assertLess(self.row["untrained network"]["r2"], 0.01)

  def test_what_is_possible_on_cue(self):
    line = self.row["linear, 1 lags, of the sine process"]
    self.assertAlmostEqual(line["r2_on_cue"], RHO**2, places=6)
    three = self.row["linear, 3 lags, of the sine process"]
    # Zeta spec, section 6.3: 0.146 on simulated CUE.
    self.assertAlmostEqual(three["r2_on_cue"], 0.146, delta=0.006)
    one, two = (self.row[f"sine process, {k}"] for k in ("1 lag", "2 lags"))
    self.assertGreater(two["r2_on_cue"], one["r2_on_cue"])
    self.assertAlmostEqual(one["r2_on_cue"], RHO**2, delta=0.04)

  def test_the_exact_law_is_the_likeliest_on_cue(self):
    exact, line, marginal = (
      self.row[name]["nll_nats"]
      for name in ("sine process, 2 lags", "linear, 3 lags, of the sine process", "marginal (KDE)")
    )
    self.assertLess(exact, line)
    self.assertLess(line, marginal)

  def test_intervals_hold_their_values(self):
    for row in self.result.table:
      self.assertBetween(row["r2"], row["r2_low"], row["r2_high"])
      self.assertBetween(row["nll_nats"], row["low"], row["high"])
    self.assertBetween(self.result.scored, 800, 900)

  def test_stored_drawn_and_shown(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "predictors", self.result, provenance={})
    back, _ = legacy.read(folder, "predictors", predictors.Result)
    self.assertLen(legacy.drawing("zeros", "predictors")(back).axes, 3)
    self.assertIn("sine process, 2 lags", report_gue._predictors(back))

  def test_verdicts(self):
    size = {"parameters": 5_000_000, "nll_S": np.zeros(5)}
    row = {"name": "model"}
    anchors = types.SimpleNamespace(data=published.DATA, table=(row,), memory="none", **size)
    table = {"anchors": anchors, "predictors": self.result}
    learned = claims_gue.sine_kernel({"run": table})
    self.assertEqual(learned.status, "reproduced")
    anchors.parameters = 1_000
    learned = claims_gue.sine_kernel({"run": table})
    self.assertEqual(learned.status, "needs more compute")
    floor = claims_gue.floor({"run": table})
    names = ("marginal (KDE)", "sine process, 2 lags")
    low, high = (trial.row(self.result.table, name=n) for n in names)
    if high["high"] < low["low"]:
      self.assertEqual(floor.status, "reproduced, but an artefact")


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
