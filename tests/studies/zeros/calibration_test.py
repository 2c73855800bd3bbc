import tempfile

import drawn
import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import statistics
from primelens.lens import results, tables
from primelens.studies.zeros import calibration, program
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
    cls.found = calibration.measure(cls.run_)
    window_NxT1, start_N = cls.run_.batches("test")
    count = -(-5000 // (T - 7))
    pick = np.linspace(0, len(start_N) - 1, count).round().astype(int)
    value_NxT1 = window_NxT1[pick].astype(np.float64)
    guess_NxU = 1 + PHI * (value_NxT1[:, 7:-1] - 1)
    cls.error_N = (value_NxT1[:, 8:] - guess_NxU).ravel()

  def test_rows_of_the_model_are_those_of_scipy(self):
    row = self.found.sel(predictor="model (handmade)")
    seeds = ((SCALE, 0.0), (SURE * SCALE, 0.1))
    error_SxN = np.stack([self.error_N - bias for _, bias in seeds])
    scale_Sx1 = np.array(seeds)[:, :1]
    pit_SxN = scipy.stats.norm.cdf(error_SxN / scale_Sx1)
    self.assertAlmostEqual(float(row.pit_mean), pit_SxN.mean(), places=5)
    expected = np.sqrt(pit_SxN.var(1).mean())
    self.assertAlmostEqual(float(row.pit_std), expected, places=5)
    ks = [scipy.stats.kstest(pit_N, "uniform").statistic for pit_N in pit_SxN]
    self.assertAlmostEqual(float(row.ks), np.mean(ks), places=5)
    crps = _normal_crps(error_SxN, scale_Sx1).mean()
    self.assertAlmostEqual(float(row.crps), crps, places=5)
    nll = tiny_study.normal_nll(error_SxN / scale_Sx1) + np.log(scale_Sx1)
    self.assertAlmostEqual(float(row.nll), nll.mean(), places=4)
    self.assertAlmostEqual(float(row.bias), -error_SxN.mean(), places=5)
    self.assertAlmostEqual(float(row.mse), (error_SxN**2).mean(), places=5)
    self.assertEqual(int(row.targets), self.error_N.size)
    self.assertAlmostEqual(float(row.mean_sigma), SCALE * (1 + SURE) / 2, places=5)
    self.assertAlmostEqual(float(row.mean_of_means - row.data_mean), float(row.bias), places=5)
    for key in ("pit_mean", "pit_std", "crps", "bias"):
      low, high = row[f"{key}_interval"].values
      self.assertLess(low, row[key])
      self.assertLess(row[key], high)
    # 100 draws: the second term is short by 1 %.
    self.assertAlmostEqual(float(row.crps_as_published), crps, delta=0.003)

  def test_mixtures_of_some_windows_are_stored(self):
    found = self.found
    self.assertEqual(found.pi.dims, ("seed", "window", "component"))
    np.testing.assert_allclose(found.pi.sum("component"), 1, rtol=1e-5)
    value_N = self.run_.series.value_N
    first_N = found["first"].values
    np.testing.assert_allclose(found.spacing, value_N[first_N + T])
    last_N = value_N[first_N + T - 1]
    mean_SxN = (found.pi * found.mu).sum("component")
    for s, bias in enumerate((0.0, 0.1)):
      np.testing.assert_allclose(mean_SxN[s], 1 + PHI * (last_N - 1) + bias, atol=1e-5)

  def test_recalibration_repairs_scale_and_bias(self):
    np.testing.assert_allclose(self.found.log_scale, [0, -np.log(SURE)], atol=0.03)
    np.testing.assert_allclose(self.found.mean_shift, [0, -0.1], atol=0.015)
    row = self.found.sel(predictor="recalibrated on select")
    self.assertAlmostEqual(float(row.pit_mean), 0.5, delta=0.02)
    self.assertAlmostEqual(float(row.pit_std), 1 / np.sqrt(12), delta=0.01)
    self.assertLess(row.ks, 1.6 * row.ks_ideal)
    self.assertGreater(self.found.ks.sel(predictor="model (handmade)"), 5 * row.ks_ideal)

  def test_coverage_of_every_level(self):
    level_V = self.found.level.values
    reach_V = scipy.stats.norm.ppf(0.5 + level_V / 2)
    for name, ratio in (("untrained network", 3.0), ("AR(64)", 1.0)):
      expected_V = 2 * scipy.stats.norm.cdf(ratio * reach_V) - 1
      row = self.found.sel(predictor=name)
      np.testing.assert_allclose(row.coverage, expected_V, atol=0.035)
      low_V, high_V = row.coverage_interval.values.T
      self.assertTrue((low_V <= row.coverage.values).all())
      self.assertTrue((high_V >= row.coverage.values).all())
    np.testing.assert_allclose(self.found.density.mean("pit"), 1, rtol=1e-6)

  def test_conformal_coverage_is_as_promised_whoever_predicts(self):
    for record in tables.rows(self.found, "conformal"):
      with self.subTest(record["predictor"], way=record["way"]):
        # Of the test half, and of the calibration half of like size.
        error = np.sqrt(2 * 0.9 * 0.1 / record["targets"])
        self.assertAlmostEqual(record["coverage"].estimate, 0.9, delta=3.5 * error)

  def test_raw_coverage_and_widths_are_those_of_the_normal(self):
    rows = tables.rows(self.found, "conformal")
    by_name = {(r["predictor"], r["way"]): r for r in rows}
    reach = 2 * scipy.stats.norm.ppf(0.9)
    for name, ratio in (("untrained network", 3.0), ("AR(64)", 1.0)):
      record = by_name[name, "select to test"]
      self.assertAlmostEqual(record["raw_width"], reach * ratio * SCALE, delta=0.02)
      expected = 2 * scipy.stats.norm.cdf(ratio * reach / 2) - 1
      self.assertAlmostEqual(record["raw_coverage"].estimate, expected, delta=0.03)
    right = 2 * scipy.stats.norm.ppf(0.95) * SCALE
    record = by_name["AR(64)", "halves of test"]
    self.assertAlmostEqual(record["width"], right, delta=0.05)

  def test_a_short_window_does_no_harm_to_a_filter_of_one_tap(self):
    short, own = (
      float(self.found.crps.sel(predictor=name)) for name in (calibration.SHORT, "model (handmade)")
    )
    self.assertEqual(self.found.short_window, T // 2)
    self.assertAlmostEqual(short, own, delta=0.01)
    context = self.found.conformal_context.values
    np.testing.assert_array_equal(context[np.isfinite(context)], [T // 2, T])

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "calibration", self.found, provenance={})
    back, _ = results.read(folder, "calibration")
    xr.testing.assert_identical(back, self.found)

  def test_figures_of_what_was_measured(self):
    pages = calibration.figures({"a": self.found, "b": self.found})
    for name in set(pages) - {"b"}:  # which is the page of a
      drawn.assert_inside(self, pages[name].figure())


class ShortWindowTest(absltest.TestCase):
  def test_the_published_feed_moves_the_slots_of_a_postfix_network(self):
    # A network whose answer hangs on the length of what it is fed, as one
    # with learned positions of its slots does.
    def positional(params, x_BxT, **_):
      wrong = 2.0 * (x_BxT.shape[1] != T)
      mean_Bx1 = 1 + PHI * (x_BxT[:, -1:] - 1) + wrong + params["bias"]
      return tiny_study.gaussian(mean_Bx1, SCALE * params["scale"]), {}

    run = _run(positional, {"scale": [1.0], "bias": [0.0]}, "postfix", samples=1500)
    short, whole = tables.rows(calibration.measure(run), "conformal")[-2:]
    self.assertEqual((short["context"], whole["context"]), (T // 2, T))
    self.assertLess(short["raw_coverage"].estimate, 0.01)
    self.assertAlmostEqual(whole["raw_coverage"].estimate, 0.8, delta=0.25)
    # Conformal widening repairs the coverage by brute width: 4 too many.
    self.assertGreater(short["coverage"].estimate, 0.7)
    self.assertAlmostEqual(short["width"] - whole["width"], 4, delta=0.7)


NAMES = ("model (e0)", "constant Gaussian", "adaptive AR(256)")


def _bounded(key: str, value: float, by: float = 0.02) -> dict:
  return {key: value, f"{key}_low": value - by, f"{key}_high": value + by}


def by_hand(short=0.084, whole=0.6, constant=0.9, width=1.3, pit=(0.49, 0.28), predictors=3):
  """A result of our choice: raw coverages, coverage and width of a constant, moments of the PIT."""
  names = [*NAMES, *(f"predictor {e}" for e in range(4, 8))][:predictors]
  rows = [
    {"targets": 1000, "crps_as_published": 0.09, "ks": 0.04, "ks_ideal": 0.043}
    | {"interval_width": 0.5, "mse": 0.07, "variance_of_means": 0.1, "mean_variance": 0.06}
    | {"data_variance": 0.16, "data_mean": 1.01, "mean_of_means": 1.02, "mean_sigma": 0.24}
    | _bounded("nll", -0.5)
    | _bounded("crps", 0.0532 if name == calibration.ADAPTIVE else 0.1588)
    | _bounded("pit_mean", pit[0])
    | _bounded("pit_std", pit[1])
    | _bounded("bias", 0.01)
    for name in names
  ]
  cases = [(n, w) for n in names for w in (calibration.TO_TEST, calibration.HALVES)]
  cases += [(name, calibration.ROWS) for name in (calibration.SHORT, calibration.WHOLE)]
  raw = {calibration.SHORT: short, calibration.WHOLE: whole}
  widened = [
    {"predictor": name, "way": way, "adjustment": 0.1, "raw_width": 0.5, "targets": 400}
    | {"width": width if name == "constant Gaussian" else 0.8}
    | ({"context": 128} if way == calibration.ROWS else {})
    | _bounded("raw_coverage", raw.get(name, 0.6))
    | _bounded("coverage", constant if name == "constant Gaussian" else 0.9)
    for name, way in cases
  ]
  level_V = np.array([0.2, 0.5, 0.8])
  coverage = np.tile(0.9 * level_V, (len(names), 1))
  interval = statistics.Interval(coverage, coverage - 0.01, coverage + 0.01)
  measures = results.rows("predictor", rows, calibration.MEASURES)
  variables = {
    **{key.removeprefix("predictor_"): each for key, each in measures.items()},
    **results.with_interval("coverage", "predictor level", interval, "coverage"),
    "density": results.variable("predictor pit", np.ones((len(names), 20)), "density"),
    "log_scale": results.variable("seed", [0.1], "log scale"),
    "mean_shift": results.variable("seed", [-0.01], "shift"),
    **results.rows("conformal", widened, calibration.WAYS),
    "pi": results.variable("seed window component", [[[0.3, 0.7]] * 5], "weight"),
    "mu": results.variable("seed window component", [[[0.5, 1.5]] * 5], "mean"),
    "sigma": results.variable("seed window component", [[[0.1, 0.2]] * 5], "scale"),
    "spacing": results.variable("window", np.arange(5) / 4, "true spacing"),
    "first": results.variable("window", 1000 * np.arange(5), "number"),
  }
  coords = {
    "seed": results.variable("seed", [0], "seed"),
    "predictor": results.variable("predictor", names, "predictor"),
    "level": results.variable("level", level_V, "nominal level"),
    "pit": results.variable("pit", (0.5 + np.arange(20)) / 20, "PIT"),
  }
  return results.dataset(variables, coords, alpha=0.1, samples=1000, short_window=128)


E4, SMALL = zeros_cards.card(), zeros_cards.card(size=zeros_cards.SMALL)
E0, SMALL_E0 = zeros_cards.card("none"), zeros_cards.card("none", size=zeros_cards.SMALL)
REPRODUCED, ARTEFACT = "reproduced", "reproduced, but an artefact"
NOT, OPEN, NOT_RUN = "not reproduced", "needs more compute", "not run"


class ClaimsTest(parameterized.TestCase):
  def row(self, claim, **runs):
    tables_of = {run: (card, {"calibration": found}) for run, (card, found) in runs.items()}
    return zeros_cards.row(calibration, f"calibration.{claim}", **tables_of)

  @parameterized.parameters(
    # Conformal coverage of a constant: any run decides, one that reads ahead too.
    ("conformal", E4, by_hand(), ARTEFACT),
    ("conformal", E4, by_hand(width=3.0), REPRODUCED),
    ("conformal", E4, by_hand(constant=0.8), NOT),
    ("conformal", zeros_cards.card(told=True), by_hand(), ARTEFACT),
    # The short window.
    ("raw", E4, by_hand(), ARTEFACT),
    ("raw", E4, by_hand(0.1, 0.1), REPRODUCED),
    ("raw", E4, by_hand(0.6), NOT),
    ("raw", SMALL, by_hand(), OPEN),
    ("raw", E0, by_hand(), NOT_RUN),
    ("raw", zeros_cards.card(told=True), by_hand(), NOT_RUN),
    # The PIT of networks without memory.
    ("e0", E0, by_hand(), REPRODUCED),
    ("e0", E0, by_hand(pit=(0.4, 0.28)), NOT),
    ("e0", E0, by_hand(pit=(0.49, 0.34)), NOT),
    ("e0", SMALL_E0, by_hand(), OPEN),
    ("e0", E4, by_hand(), NOT_RUN),
    ("e0", E0, by_hand(predictors=2), "does not apply"),  # no adaptive filter
  )
  def test_status(self, claim, card, found, status):
    row = self.row(claim, a=(card, found))
    self.assertEqual(row["status"], status, row["because"])
    self.assertTrue(row["because"])

  def test_nothing_and_other_data_decide_nothing(self):
    other = zeros_cards.card(data="200,000 spacings of cue, published_tail")
    several = ({}, {"a": (E4, {})}, {"a": (other, {"calibration": by_hand()})})
    for row in zeros_cards.assert_not_run(self, calibration, *several):
      self.assertIn(f"on {program.DATA}", row["because"])

  def test_open_verdicts_show_what_small_models_say(self):
    row = self.row("raw", demo=(SMALL, by_hand(0.5)))
    self.assertIn("demo: 0.500 [0.480, 0.520] when 128 spacings are fed", row["because"])
    self.assertIn("No run of the published size", row["because"])
    self.assertEqual(row["numbers"], {"demo: short window": 0.5, "demo: whole window": 0.6})

  def test_the_source_is_quoted_as_it_was_reported(self):
    conformal, raw, e0 = calibration.CLAIMS
    self.assertEqual(conformal.reported, "q 1.001, coverage 0.900 and 0.895, width 2.51")
    self.assertEqual(raw.reported, "the central 0.8 intervals hold 0.084 of the spacings")
    self.assertEqual(e0.reported, "PIT mean 0.467, standard deviation 0.273, CRPS 0.0835")
    # Both ends are moved out by the adjustment.
    published = calibration.CONFORMAL
    width = published["raw_width"] + 2 * published["adjustment"]
    self.assertAlmostEqual(published["width"], width, delta=0.003)


class ShownTest(parameterized.TestCase):
  def pages(self, **runs):
    return {name: page.figure() for name, page in calibration.figures(runs).items()}

  # Warnings are errors, of the drawing and of the layout.
  @parameterized.parameters(7, 1)
  def test_drawn_inside_the_figure_and_labelled(self, predictors):
    found = by_hand(predictors=predictors)
    self.assertEqual(set(calibration.figures({"e0": found})), {"e0"})
    pages = calibration.figures({"e0": found, "e1": found})
    self.assertEqual(set(pages), {"all runs", "e0", "e1"})
    for name in ("all runs", "e0"):
      figure = pages[name].figure()
      drawn.assert_inside(self, figure)
      for part in figure.subfigs:
        for axes in part.axes:
          self.assertNotEmpty(axes.get_xlabel())

  def test_lines_are_the_results_numbers(self):
    reliability, density = self.pages(e0=by_hand())["e0"].subfigs[0].axes
    lines = {line.get_label(): line.get_ydata() for line in reliability.lines}
    np.testing.assert_allclose(lines["model (e0)"], [-0.02, -0.05, -0.08])
    lines = {line.get_label(): line.get_ydata() for line in density.lines}
    np.testing.assert_array_equal(lines["adaptive AR(256)"], np.ones(20))

  def test_some_predicted_densities_are_drawn(self):
    panels = self.pages(e0=by_hand())["e0"].subfigs[2].axes
    self.assertLen(panels, calibration.EXAMPLES)
    density, came = panels[-1].lines
    at = np.argmin(np.abs(density.get_xdata() - 0.5))  # the first mean, 5 scales from the other
    x = density.get_xdata()[at]
    expected = 0.3 / 0.1 * np.exp(-0.5 * ((x - 0.5) / 0.1) ** 2) / np.sqrt(2 * np.pi)
    self.assertAlmostEqual(density.get_ydata()[at], expected, delta=1e-4)
    self.assertEqual(came.get_xdata()[0], 1.0)

  def test_networks_of_several_runs_are_compared(self):
    found = by_hand()
    other = found.assign_coords(predictor=["model (e1)", *NAMES[1:]])
    reliability, _ = self.pages(e0=found, e1=other)["all runs"].subfigs[0].axes
    self.assertContainsSubset({"e0", "e1"}, {line.get_label() for line in reliability.lines})
    (crps,) = self.pages(e0=found, e1=other)["all runs"].subfigs[1].axes
    names = [label.get_text() for label in crps.get_yticklabels()]
    self.assertEqual(names, ["network", *NAMES[1:]])

  def test_tables_set_published_networks_beside_ours(self):
    densities, moments, recalibration, conformal = calibration.tables({"e0": by_hand()})
    # sqrt(0.1), sqrt(0.07); of the spacings sqrt(0.16).
    own = ["e0", "model (e0)", "1.020", "0.316", "0.240", "0.265", "-0.500"]
    self.assertEqual(moments.cells()[0], own)
    self.assertEqual(moments.cells()[-1][2:4], ["1.010", "0.400"])
    self.assertEqual(recalibration.cells(), [["e0", "0", "+0.100", "-0.0100"]])
    text = densities.text()
    self.assertIn("0.0532 [0.0332, 0.0732]", text)
    for value in ("0.0835", "0.467", "0.273", "+0.0172"):
      self.assertIn(value, text)
    self.assertIn("0.084 [0.064, 0.104]", conformal.text())  # raw, short window
    self.assertIn("+1.001", conformal.text())
    self.assertIn("widened to hold 0.9", conformal.caption)
    self.assertNotIn("%", text + conformal.text())


if __name__ == "__main__":
  absltest.main()
