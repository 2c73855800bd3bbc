import tempfile

import drawn
import jax.numpy as jnp
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import statistics
from primelens.lens import results
from primelens.studies.zeros import masking

T, CONTEXT, TAPS = tiny_study.T, 8, 5
TRUE = -0.6
SCALE = 0.2  # of the innovations
RATIOS = (0.0, 0.2, 0.4, 0.8)
# Two seeds of a linear predictor: two large weights in `input`, eight small
# ones in `head`. In seed 0 the small ones are noise, in seed 1 the largest.
WEIGHTS_SxM = np.array(
  [
    [TRUE, 0.3, 0.01, -0.02, 0.03, -0.04, 0.05, -0.06, 0.07, -0.08],
    [0.5, 0.4, 0.01, -0.02, 0.03, -0.04, 0.05, -0.06, 0.07, -0.08],
  ],
  np.float32,
)


def _params():
  return {
    "input": {"kernel": jnp.asarray(WEIGHTS_SxM[:, :2])},
    "head": {
      "kernel": jnp.asarray(WEIGHTS_SxM[:, 2:]),
      "bias": jnp.full((2, 1), np.log(5 * SCALE), jnp.float32),
    },
  }


def linear(params, x_BxT, **_):
  """Mean 1 + sum of weights x lags (the head's eight read lags 2 to 5 twice),
  with five times the right scale."""
  w_M = jnp.concatenate([params["input"]["kernel"], params["head"]["kernel"]])
  lags = (1, 2, 2, 2, 3, 3, 4, 4, 5, 5)
  padded = jnp.pad(x_BxT - 1, ((0, 0), (TAPS, 0)))
  at_lag = lambda q: padded[:, TAPS - q + 1 : TAPS - q + 1 + T]
  mean_BxT = 1 + sum(w_M[i] * at_lag(q) for i, q in enumerate(lags))
  return tiny_study.gaussian(mean_BxT, jnp.exp(params["head"]["bias"][0])), {}


def expected_nll(weight_M, window_NxT1, log_scale=0.0, shift=0.0):
  """The NLL by window of such weights, by numpy in float64."""
  lags = (1, 2, 2, 2, 3, 3, 4, 4, 5, 5)
  window_NxT1 = np.asarray(window_NxT1, np.float64)
  error_NxU = window_NxT1[:, CONTEXT:] - 1 - shift
  for weight, lag in zip(weight_M, lags, strict=True):
    at_lag = slice(CONTEXT - lag, T + 1 - lag)
    error_NxU = error_NxU - weight * (window_NxT1[:, at_lag] - 1)
  scale = 5 * SCALE * np.exp(log_scale)
  return tiny_study.normal_nll(error_NxU, scale).mean(1), error_NxU + shift


def _masked(weight_M, ratio: float):
  """The published rule: |w| below the r-quantile (linear) goes."""
  keep_M = np.abs(weight_M) >= np.quantile(np.abs(weight_M), ratio)
  return weight_M * keep_M


def _run(value_N, **options):
  changed = {
    "masking.ratios": RATIOS,
    "masking.windows": 30,
    "evaluation.select_windows": 30,
    "bootstrap.samples": 200,
  }
  return tiny_study.handmade(linear, _params(), value_N, changed=changed, **options)


class MaskingTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    value_N = tiny_study.ar([TRUE], 3000, scale=SCALE)
    cls.run_ = _run(value_N)
    cls.found = masking.measure(cls.run_)
    cls.test_NxT1, _ = cls.run_.batches("test", cls.found.windows)
    cls.select_NxT1, _ = cls.run_.batches("select", 30)

  def _nll(self, variant: str) -> np.ndarray:
    return self.found.nll.sel(variant=variant).values

  def test_magnitude_masks_do_what_numpy_says(self):
    found_SxR = self._nll("magnitude")
    for s, weight_M in enumerate(WEIGHTS_SxM):
      for r, ratio in enumerate(RATIOS):
        nll_N, _ = expected_nll(_masked(weight_M, ratio), self.test_NxT1)
        self.assertAlmostEqual(found_SxR[s, r], nll_N.mean(), places=5)
        select_N, _ = expected_nll(_masked(weight_M, ratio), self.select_NxT1)
        self.assertAlmostEqual(self.found.select_nll.values[s, r], select_N.mean(), places=5)

  def test_per_tensor_masks_take_the_same_share_of_each(self):
    found_SxR = self._nll("per tensor")
    for s, weight_M in enumerate(WEIGHTS_SxM):
      kept_M = weight_M.copy()
      kept_M[:8] = 0  # 0.2 of 8 is two, of 2 it is none
      nll_N, _ = expected_nll(kept_M, self.test_NxT1)
      other_N, _ = expected_nll(_masked(weight_M, 0.8), self.test_NxT1)
      self.assertGreater(abs(nll_N.mean() - other_N.mean()), 1e-4)
      self.assertAlmostEqual(found_SxR[s, 3], nll_N.mean(), places=5)

  def test_ratio_zero_is_the_intact_model(self):
    for variant in ("magnitude", "per tensor", "random", "noise"):
      np.testing.assert_allclose(
        self._nll(variant)[:, 0],
        [expected_nll(w, self.test_NxT1)[0].mean() for w in WEIGHTS_SxM],
        rtol=1e-5,
        err_msg=variant,
      )
      self.assertAlmostEqual(float(self.found.delta.sel(variant=variant)[0]), 0, places=6)

  def test_random_masks_and_noise_differ_from_magnitude(self):
    # Not at 0.8, where all of one tensor goes and all of the other stays.
    magnitude_SxR = self._nll("magnitude")
    for variant in ("random", "noise"):
      apart_SxR = np.abs(self._nll(variant) - magnitude_SxR)
      self.assertTrue((apart_SxR[:, 1:3] > 1e-5).all(), variant)

  def test_recalibration_is_fitted_on_select_and_scored_on_test(self):
    for s, weight_M in enumerate(WEIGHTS_SxM):
      for r, ratio in enumerate(RATIOS):
        masked_M = _masked(weight_M, ratio)
        _, error_NxU = expected_nll(masked_M, self.select_NxT1)
        # One Gaussian: the standard deviation and mean of its residuals.
        log_scale = np.log(error_NxU.std() / (5 * SCALE))
        shift = error_NxU.mean()
        self.assertAlmostEqual(float(self.found.log_scale[s, r]), log_scale, delta=2e-3)
        self.assertAlmostEqual(float(self.found.mean_shift[s, r]), shift, delta=2e-3)
        nll_N, _ = expected_nll(masked_M, self.test_NxT1, log_scale, shift)
        found = self._nll("recalibrated")[s, r]
        self.assertAlmostEqual(found, nll_N.mean(), delta=1e-3)

  def test_survival_by_tensor(self):
    found = self.found
    names, sizes_E = found.tensor.values.tolist(), found["size"].values
    self.assertEqual(dict(zip(names, sizes_E, strict=True)), {"head/kernel": 8, "input/kernel": 2})
    kept_R = sizes_E @ found.survival.values
    np.testing.assert_allclose(kept_R, 10 * (1 - np.array(RATIOS)), atol=1e-5)
    head_R = found.survival.sel(tensor="head/kernel").values
    np.testing.assert_allclose(head_R, [1, 0.75, 0.5, 0], atol=1e-6)
    self.assertEqual((found.selected, found.left_out), (10, 1))

  def test_gains_compare_on_test_what_select_chose(self):
    found = self.found
    magnitude_SxR, recalibrated_SxR = self._nll("magnitude"), self._nll("recalibrated")
    best_S = found.select_nll.values.argmin(1)
    self.assertEqual(found.members.values.tolist(), ["all", "3", "4"])
    for s in range(2):
      row = found.isel(members=1 + s)
      intact, control = magnitude_SxR[s, 0], recalibrated_SxR[s, 0]
      chosen = magnitude_SxR[s, best_S[s]]
      self.assertAlmostEqual(float(row.chosen_ratio), RATIOS[best_S[s]])
      self.assertAlmostEqual(float(row.intact_nll), intact)
      self.assertAlmostEqual(float(row.masking), chosen - intact)
      self.assertAlmostEqual(float(row.recalibration), control - intact)
      self.assertAlmostEqual(float(row.masking_minus_recalibration), chosen - control)
    for name in ("masking", "recalibration"):
      together, *each = found[name].values
      self.assertAlmostEqual(together, np.mean(each))

  def test_the_verdict_of_this_model_is_recalibration(self):
    # Its scale is five times too wide, which two numbers mend and no mask does.
    found = self.found
    each = found.isel(members=slice(1, None))
    self.assertTrue((each.recalibration_interval.sel(end="high") < 0).all())
    self.assertTrue((each.masking_minus_recalibration_interval.sel(end="low") > 0).all())
    # Two seeds: at least t = tan(0.475 pi) times half their distance.
    for name in ("recalibration", "masking_minus_recalibration"):
      seeds = np.tan(0.475 * np.pi) * np.ptp(each[name].values) / 2
      high = found[f"{name}_interval"].sel(members="all", end="high")
      self.assertGreater(float(high - found[name].sel(members="all")), seeds)

  def test_intervals_hold_their_estimates(self):
    delta_VxR, ends = self.found.delta.values, self.found.delta_interval
    low_VxR, high_VxR = ends.sel(end="low").values, ends.sel(end="high").values
    self.assertTrue((low_VxR <= delta_VxR + 1e-9).all())
    self.assertTrue((high_VxR >= delta_VxR - 1e-9).all())
    width_VxR = high_VxR - low_VxR
    np.testing.assert_allclose(width_VxR[:4, 0], 0, atol=1e-6)
    self.assertTrue((width_VxR[:4, 1:] > 0).all())

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "masking", self.found, provenance={})
    back, _ = results.read(folder, "masking")
    xr.testing.assert_identical(back, self.found)

  def test_recalibrated_is_never_worse_where_it_was_fitted(self):
    value_N = tiny_study.ar([TRUE], 400, scale=SCALE)
    part = (20, 390)
    run = _run(value_N, splits=dict.fromkeys(("train", "select", "test"), part))
    found = masking.measure(run)
    magnitude_SxR = found.nll.sel(variant="magnitude").values
    recalibrated_SxR = found.nll.sel(variant="recalibrated").values
    np.testing.assert_allclose(magnitude_SxR, found.select_nll.values, rtol=1e-5)
    self.assertTrue((recalibrated_SxR < magnitude_SxR).all())


def by_hand(gain=-0.02, control=-0.03, width=0.005, improvement=0.0, ratio=0.4):
  """A result whose intervals are `width` to either side; one edit gains `improvement`."""
  ratio_R, variants = np.array([0, 0.5, 0.95], np.float32), list(masking.NAMES)
  delta_VxR = np.tile([-0.02, 0.03, 0.4], (len(variants), 1))
  delta_VxR[4, 1] -= improvement
  variables = {
    "nll": results.variable("seed variant ratio", 0.2 + delta_VxR[None], "NLL", "nats"),
    "select_nll": results.variable("seed ratio", delta_VxR[:1], "NLL on select", "nats"),
    "log_scale": results.variable("seed ratio", delta_VxR[:1], "log scale"),
    "mean_shift": results.variable("seed ratio", -delta_VxR[:1], "shift"),
    "survival": results.variable("tensor ratio", [[1, 0.5, 0.1]], "survives"),
    "size": results.variable("tensor", [10], "size"),
    "chosen_ratio": results.variable("members", [ratio], "ratio"),
    "intact_nll": results.variable("members", [0.2], "NLL", "nats"),
    **_with_ends("delta", "variant ratio", delta_VxR, 0.01),
    **_with_ends("masking", "members", [gain], width),
    **_with_ends("recalibration", "members", [control], width),
    **_with_ends("masking_minus_recalibration", "members", [gain - control], width),
  }
  coords = {"seed": [0], "variant": variants, "ratio": ratio_R, "tensor": ["w"], "members": ["all"]}
  return results.dataset(variables, coords, selected=10, left_out=1, windows=55)


def _with_ends(name, dims, value, by):
  value = np.asarray(value, float)
  interval = statistics.Interval(value, value - by, value + by)
  return results.with_interval(name, dims, interval, name, "nats")


E4, SMALL = zeros_cards.card(), zeros_cards.card(size=zeros_cards.SMALL)
E0 = zeros_cards.card("none")


class ClaimsTest(parameterized.TestCase):
  def status(self, claim, **runs):
    return zeros_cards.status(masking, f"masking.{claim}", **runs)

  @parameterized.parameters(
    (-0.05, -0.03, "reproduced"),
    (-0.02, -0.03, "reproduced, but an artefact"),
    (-0.03, -0.03, "reproduced, but an artefact"),
    (0.0, -0.03, "not reproduced"),
    (0.02, 0.0, "not reproduced"),
  )
  def test_masking_is_set_against_recalibration(self, gain, control, status):
    found = {"masking": by_hand(gain, control)}
    self.assertEqual(self.status("knowledge_core", e4=(E4, found)), status)
    self.assertEqual(self.status("knowledge_core", e4=(SMALL, found)), "needs more compute")
    self.assertEqual(self.status("knowledge_core", e0=(E0, found)), "not run")
    for other in ({"data": "something else"}, {"told": True}):
      card = zeros_cards.card(**other)
      self.assertEqual(self.status("knowledge_core", e4=(card, found)), "not run")

  def test_of_two_runs_the_large_one_decides(self):
    runs = {"tiny": (SMALL, {"masking": by_hand(-0.05)}), "e4": (E4, {"masking": by_hand(0.02, 0)})}
    self.assertEqual(self.status("knowledge_core", **runs), "not reproduced")

  def test_open_verdicts_show_what_small_models_say(self):
    demo = (SMALL, {"masking": by_hand(-0.0512)})
    row = zeros_cards.row(masking, "masking.knowledge_core", demo=demo)
    self.assertIn("-0.0512 [-0.0562, -0.0462]", row["because"])
    self.assertIn("No run of the published size with 5 seeds", row["because"])
    self.assertAlmostEqual(row["numbers"]["masking_gain_nats"], -0.0512)

  @parameterized.parameters(
    ({"e4": (E4, -0.02)}, "reproduced"),
    ({"e4": (E4, -0.002)}, "not reproduced"),
    ({"e4": (E4, -0.02), "e3": (E4, 0.01)}, "not reproduced"),
    ({"e4": (E4, -0.02), "e0": (E0, 0.01)}, "reproduced"),
    ({"e0": (E0, -0.02)}, "needs more compute"),
    ({}, "not run"),
  )
  def test_every_postfix_model_gains(self, gains, status):
    runs = {run: (card, {"masking": by_hand(gain)}) for run, (card, gain) in gains.items()}
    self.assertEqual(self.status("every_model", **runs), status)


class ShownTest(absltest.TestCase):
  def pages(self, **runs):
    return {name: page.figure() for name, page in masking.figures(runs).items()}

  def test_figures(self):
    one, two = by_hand(), by_hand(0.02)
    self.assertEqual(set(masking.figures({"e4": one})), {"e4"})
    pages = self.pages(e4=one, e3=two)
    self.assertEqual(set(pages), {"all runs", "e4", "e3"})
    for figure in pages.values():
      drawn.assert_inside(self, figure)

  def limits(self, found):
    figure = self.pages(e4=found)["e4"]
    return [axes.get_ylim() for part in figure.subfigs for axes in part.axes]

  def test_close_up_shows_a_tenth_of_a_nat_and_hides_no_improvement(self):
    self.assertIn((-0.1, 0.1), self.limits(by_hand()))
    self.assertIn((-0.46, 0.46), self.limits(by_hand(improvement=0.4)))

  def test_tables_set_published_changes_beside_ours(self):
    chosen, curves, _ = masking.tables({"e0": by_hand(-0.0111, -0.0444, 0.001)})
    first, second, *_, ours = [
      dict(zip(chosen.columns(), row, strict=True)) for row in chosen.cells()
    ]
    self.assertEqual((first["network"], first["masking"]), ("E4, seed 7 (published)", "-0.027"))
    self.assertEqual(second["masking"], "-0.079")
    self.assertEqual((ours["network"], ours["seeds"]), ("e0", "all"))
    self.assertEqual(ours["masking"], "-0.011 [-0.012, -0.010]")
    self.assertEqual(ours["masking minus recalibration"], "+0.033 [+0.032, +0.034]")
    self.assertIn("55 windows", curves.caption)
    published = [row["published E4, seed 7"] for row in curves.rows]
    # 0.23551 - 0.18803 and 0.87983 - 0.18803
    np.testing.assert_allclose(published, [0, 0.04748, 0.6918], atol=1e-9)

  def test_a_network_breaks_where_its_change_exceeds_a_tenth_of_its_loss(self):
    # 0.02 of 0.2 nats: from -0.02 at 0 to 0.03 at 0.5 that is at 0.4; 0.01 higher at 0.3.
    found = masking.breaks(by_hand())
    self.assertAlmostEqual(found.estimate, 0.4, places=6)
    self.assertAlmostEqual(found.low, 0.3, places=6)
    self.assertAlmostEqual(found.high, 0.5, places=6)
    whole = by_hand()
    whole.delta[:] = 0.0
    self.assertEqual(masking.breaks(whole).estimate, 1.0)
    *_, breaks = masking.tables({"e0": by_hand()})
    first, *_, own = breaks.cells()
    self.assertEqual(first[:2], ["E4, seed 7 (published)", "0.50"])
    self.assertEqual(own[1], "0.40 [0.30, 0.50]")
    figure = self.pages(e0=by_hand(), e4=by_hand())["all runs"]
    (axes,) = figure.subfigs[1].axes
    points = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(points, [0.4, 0.4])

  def test_what_recalibration_fits_is_drawn(self):
    found = by_hand()
    _, scale, shift = self.pages(e4=found)["e4"].subfigs[1].axes
    np.testing.assert_allclose(scale.lines[0].get_ydata(), found.log_scale[0])
    np.testing.assert_allclose(shift.lines[0].get_ydata(), found.mean_shift[0])

  def test_line(self):
    self.assertEqual(
      masking.line({"e4": by_hand(-0.05, -0.03, 0.01)}),
      "Masks: e4: the mask chosen on select (0.40 removed) changes the NLL on 55 windows of test by"
      " -0.050 [-0.060, -0.040] nats, recalibration alone by -0.030 [-0.040, -0.020], mask minus"
      " recalibration -0.020 [-0.030, -0.010].",
    )

  def test_nothing_is_said_of_a_mask_that_was_not_chosen(self):
    found = by_hand(0.0, -0.03, 0.01, ratio=0.0)
    self.assertEqual(
      masking.line({"e4": found}),
      "Masks: e4: no mask lowers the NLL on select, so that none is chosen; recalibration changes"
      " the NLL on 55 windows of test by -0.030 [-0.040, -0.020] nats.",
    )
    chosen, *_ = masking.tables({"e4": found})
    row = dict(zip(chosen.columns(), chosen.cells()[-1], strict=True))
    self.assertEqual((row["masking"], row["masking minus recalibration"]), ("–", "–"))
    self.assertEqual(row["recalibration alone"], "-0.030 [-0.040, -0.020]")
    runs = {"e4": found, "e0": by_hand(-0.01, -0.03, 0.01)}
    gain = results.across(runs, "chosen_ratio", *masking.GAINS).sel(members="all")
    drawn_gain = masking._of_masks(gain)
    self.assertEqual(drawn_gain.masking.isnull().values.tolist(), [True, False])
    self.assertTrue(drawn_gain.masking_minus_recalibration_interval[0].isnull().all())
    self.assertFalse(drawn_gain.recalibration.isnull().any())
    self.assertEqual(drawn_gain.masking.attrs, gain.masking.attrs)
    masking.figures(runs)["all runs"].figure()
    for claim in masking.CLAIMS:
      verdict = claim.test(zeros_cards.results(e4=(E4, {"masking": found})))
      self.assertEqual(verdict.status, "not reproduced")
      self.assertIn("no mask lowers the NLL on select, so that none is chosen", verdict.because)
      self.assertNotRegex(verdict.because, "masking at the ratio|at ratio|masking minus")
      self.assertEmpty([name for name in verdict.numbers if "mask" in name or name == "e4"])


if __name__ == "__main__":
  absltest.main()
