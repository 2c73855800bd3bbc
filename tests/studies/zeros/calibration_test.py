import tempfile
import types

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
import tiny_study
from absl.testing import absltest
from primelens.lens import legacy
from primelens.models import spacing
from primelens.studies.zeros import calibration, forecasts, golden
from primelens.tasks import windows

PHI, SCALE, COUNT, T = -0.6, 0.2, 60_000, tiny_study.T
SURE = 0.5  # the second seed's scale, in units of the right one


def first_order(params, x_BxT, **_):
  """A Gaussian AR(1) with its scale and a bias, the truth at (1, 0)."""
  mean_BxT = 1 + PHI * (x_BxT - 1) + params["bias"]
  return tiny_study.gaussian(mean_BxT, SCALE * params["scale"]), {}


def _run(apply_fn=first_order, params_S=None, memory="none", **changed):
  value_N = tiny_study.ar([PHI], COUNT, scale=SCALE)
  params_S = params_S or {"scale": [1.0, SURE], "bias": [0.0, 0.1]}
  settings = {"samples": 5000, "crps_draws": 100, "quantile_draws": 400}
  return tiny_study.handmade(
    apply_fn,
    jax.tree.map(jnp.asarray, params_S, is_leaf=lambda x: isinstance(x, list)),
    value_N,
    model=tiny_study.tiny_model(memory),
    splits=windows.published_tail(COUNT, window=T, gap=50),
    changed={f"calibration.{k}": v for k, v in (settings | changed).items()},
    fresh_S={"scale": jnp.array([3.0]), "bias": jnp.array([0.0])},
  )


def _normal_crps(error, scale):
  """The CRPS of a normal forecast (Gneiting and Raftery 2007)."""
  z = error / scale
  normal = scipy.stats.norm
  return scale * (z * (2 * normal.cdf(z) - 1) + 2 * normal.pdf(z) - 1 / np.sqrt(np.pi))


class CalibrationTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = _run()
    cls.result = calibration.run(cls.run_)
    cls.rows = {row["name"]: row for row in cls.result.table}
    window_NxT1, start_N = cls.run_.batches("test")
    count = -(-5000 // (T - 7))
    pick = np.linspace(0, len(start_N) - 1, count).round().astype(int)
    value_NxT1 = window_NxT1[pick].astype(np.float64)
    guess_NxU = 1 + PHI * (value_NxT1[:, 7:-1] - 1)
    cls.error_N = (value_NxT1[:, 8:] - guess_NxU).ravel()

  def test_rows_of_the_model_are_those_of_scipy(self):
    row = self.rows["model (handmade)"]
    seeds = ((SCALE, 0.0), (SURE * SCALE, 0.1))
    error_SxN = np.stack([self.error_N - bias for _, bias in seeds])
    scale_Sx1 = np.array(seeds)[:, :1]
    pit_SxN = scipy.stats.norm.cdf(error_SxN / scale_Sx1)
    self.assertAlmostEqual(row["pit_mean"], pit_SxN.mean(), places=5)
    expected = np.sqrt(pit_SxN.var(1).mean())
    self.assertAlmostEqual(row["pit_std"], expected, places=5)
    ks = [scipy.stats.kstest(pit_N, "uniform").statistic for pit_N in pit_SxN]
    self.assertAlmostEqual(row["ks"], np.mean(ks), places=5)
    crps = _normal_crps(error_SxN, scale_Sx1).mean()
    self.assertAlmostEqual(row["crps"], crps, places=5)
    nll = tiny_study.normal_nll(error_SxN / scale_Sx1) + np.log(scale_Sx1)
    self.assertAlmostEqual(row["nll_nats"], nll.mean(), places=4)
    self.assertAlmostEqual(row["bias"], -error_SxN.mean(), places=5)
    self.assertAlmostEqual(row["mse"], (error_SxN**2).mean(), places=5)
    self.assertEqual(row["targets"], self.error_N.size)
    for key in ("pit_mean", "pit_std", "crps", "bias"):
      self.assertLess(row[f"{key}_low"], row[key])
      self.assertLess(row[key], row[f"{key}_high"])
    # 100 draws: the second term is short by 1 %.
    self.assertAlmostEqual(row["crps_as_published"], crps, delta=0.003)

  def test_recalibration_repairs_scale_and_bias(self):
    np.testing.assert_allclose(self.result.log_scale_S, [0, -np.log(SURE)], atol=0.03)
    np.testing.assert_allclose(self.result.shift_S, [0, -0.1], atol=0.015)
    row = self.rows["recalibrated on select"]
    self.assertAlmostEqual(row["pit_mean"], 0.5, delta=0.02)
    self.assertAlmostEqual(row["pit_std"], 1 / np.sqrt(12), delta=0.01)
    self.assertLess(row["ks"], 1.6 * row["ks_ideal"])
    self.assertGreater(self.rows["model (handmade)"]["ks"], 5 * row["ks_ideal"])

  def test_coverage_of_every_level(self):
    names = list(self.rows)
    level_V = self.result.level_V
    reach_V = scipy.stats.norm.ppf(0.5 + level_V / 2)
    for name, ratio in (("untrained network", 3.0), ("AR(64)", 1.0)):
      expected_V = 2 * scipy.stats.norm.cdf(ratio * reach_V) - 1
      row = names.index(name)
      np.testing.assert_allclose(self.result.coverage_ExV[row], expected_V, atol=0.035)
      low, high = (self.result.coverage_low_ExV[row], self.result.coverage_high_ExV[row])
      self.assertTrue((low <= self.result.coverage_ExV[row]).all())
      self.assertTrue((high >= self.result.coverage_ExV[row]).all())
    np.testing.assert_allclose(self.result.density_ExP.mean(1), 1, rtol=1e-6)

  def test_conformal_coverage_is_as_promised_whoever_predicts(self):
    for record in self.result.conformal:
      with self.subTest(record["predictor"], way=record["way"]):
        # Of the test half, and of the calibration half of like size.
        error = np.sqrt(2 * 0.9 * 0.1 / record["targets"])
        self.assertAlmostEqual(record["coverage"], 0.9, delta=3.5 * error)

  def test_raw_coverage_and_widths_are_those_of_the_normal(self):
    by_name = {(r["predictor"], r["way"]): r for r in self.result.conformal}
    reach = 2 * scipy.stats.norm.ppf(0.9)
    for name, ratio in (("untrained network", 3.0), ("AR(64)", 1.0)):
      record = by_name[name, "select to test"]
      self.assertAlmostEqual(record["raw_width"], reach * ratio * SCALE, delta=0.02)
      expected = 2 * scipy.stats.norm.cdf(ratio * reach / 2) - 1
      self.assertAlmostEqual(record["raw_coverage"], expected, delta=0.03)
    right = 2 * scipy.stats.norm.ppf(0.95) * SCALE
    record = by_name["AR(64)", "halves of test"]
    self.assertAlmostEqual(record["width"], right, delta=0.05)

  def test_a_short_window_does_no_harm_to_a_filter_of_one_tap(self):
    short, own = self.rows[forecasts.SHORT], self.rows["model (handmade)"]
    self.assertEqual(self.result.short_window, T // 2)
    self.assertAlmostEqual(short["crps"], own["crps"], delta=0.01)
    contexts = [r["context"] for r in self.result.conformal if "context" in r]
    self.assertEqual(contexts, [T // 2, T])

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "calibration", self.result, provenance={})
    back, _ = legacy.read(folder, "calibration", calibration.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))
    self.assertEqual(golden.records(back), ())  # no slots


def slotted(params, x_BxT, slot_order_M=None, **_):
  """Biased by `params["bias"]` where slot 1 comes first."""
  off = params["bias"] * (0 if slot_order_M is None else slot_order_M[0])
  return tiny_study.gaussian(1 + PHI * (x_BxT[:, -1:] - 1) + off, SCALE), {}


class ShortWindowTest(absltest.TestCase):
  def test_the_published_feed_moves_the_slots_of_a_postfix_network(self):
    # A network whose answer hangs on the length of what it is fed, as one
    # with learned positions of its slots does.
    def positional(params, x_BxT, **_):
      wrong = 2.0 * (x_BxT.shape[1] != T)
      mean_Bx1 = 1 + PHI * (x_BxT[:, -1:] - 1) + wrong + params["bias"]
      return tiny_study.gaussian(mean_Bx1, SCALE * params["scale"]), {}

    run = _run(positional, {"scale": [1.0], "bias": [0.0]}, "postfix", samples=1500)
    result = calibration.run(run)
    short, whole = result.conformal[-2:]
    self.assertEqual((short["context"], whole["context"]), (T // 2, T))
    self.assertLess(short["raw_coverage"], 0.01)
    self.assertAlmostEqual(whole["raw_coverage"], 0.8, delta=0.25)
    # Conformal widening repairs the coverage by brute width: 4 too many.
    self.assertGreater(short["coverage"], 0.7)
    self.assertAlmostEqual(short["width"] - whole["width"], 4, delta=0.7)


class GoldenTest(absltest.TestCase):
  def test_fixed_against_permuted_ids(self):
    run = _run(slotted, {"bias": [0.0, 0.2]}, "postfix", golden=400)
    run.settings.evaluation.permutations = 8
    found = golden.measure(run)
    rows = golden.records(types.SimpleNamespace(**found))
    first = run.series.splits["test"][0]
    value_N = run.series.value_N[first : first + T + 400].astype(np.float64)
    error_N = value_N[T:] - 1 - PHI * (value_N[T - 1 : -1] - 1)
    orders = spacing.slot_orders(2, 8)[:, 0]
    for row, bias in zip(rows, (0.0, 0.2), strict=True):
      of = lambda off: tiny_study.normal_nll(error_N - off, SCALE).mean()
      by_order = np.array([of(bias * order) for order in orders])
      self.assertAlmostEqual(row["fixed_nats"], of(0.0), places=4)
      self.assertAlmostEqual(row["permuted_nats"], by_order.mean(), places=4)
      self.assertAlmostEqual(row["percentile_95"], np.percentile(by_order, 95), places=4)
      change = by_order.mean() - of(0.0)
      self.assertAlmostEqual(row["change_nats"], change, places=4)
    self.assertEqual(found["golden_windows"], 400)
    self.assertEqual(found["golden_nll_SxR"].shape, (2, 9))
    self.assertEqual(rows[0]["lowest_of_20"], 0)
    self.assertLess(rows[1]["lowest_of_20"], -0.01)

  def test_expected_minimum(self):
    self.assertAlmostEqual(golden.expected_minimum([3.0, 1.0, 2.0], 1), 2.0)
    # Two draws of {1, 2}: 1 but for one case in four.
    self.assertAlmostEqual(golden.expected_minimum([1.0, 2.0], 2), 1.25)
    value_R = np.random.default_rng(0).normal(size=50)
    draws = np.random.default_rng(1).choice(value_R, (20_000, 20))
    self.assertAlmostEqual(golden.expected_minimum(value_R, 20), draws.min(1).mean(), delta=0.02)


if __name__ == "__main__":
  absltest.main()
