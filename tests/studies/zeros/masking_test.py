import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.lens import legacy
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
    cls.result = masking.run(cls.run_)
    cls.test_NxT1, _ = cls.run_.batches("test", cls.result.windows)
    cls.select_NxT1, _ = cls.run_.batches("select", 30)

  def _at(self, variant: str):
    names = [row["variant"] for row in self.result.variants]
    return names.index(variant)

  def test_magnitude_masks_do_what_numpy_says(self):
    found_SxR = self.result.nll_VxSxR[self._at("magnitude")]
    for s, weight_M in enumerate(WEIGHTS_SxM):
      for r, ratio in enumerate(RATIOS):
        nll_N, _ = expected_nll(_masked(weight_M, ratio), self.test_NxT1)
        self.assertAlmostEqual(found_SxR[s, r], nll_N.mean(), places=5)
        select_N, _ = expected_nll(_masked(weight_M, ratio), self.select_NxT1)
        self.assertAlmostEqual(self.result.select_nll_SxR[s, r], select_N.mean(), places=5)

  def test_per_tensor_masks_take_the_same_share_of_each(self):
    found_SxR = self.result.nll_VxSxR[self._at("per tensor")]
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
        self.result.nll_VxSxR[self._at(variant), :, 0],
        [expected_nll(w, self.test_NxT1)[0].mean() for w in WEIGHTS_SxM],
        rtol=1e-5,
        err_msg=variant,
      )
      self.assertAlmostEqual(self.result.delta_VxR[self._at(variant), 0], 0, places=6)

  def test_random_masks_and_noise_differ_from_magnitude(self):
    # Not at 0.8, where all of one tensor goes and all of the other stays.
    magnitude_SxR = self.result.nll_VxSxR[self._at("magnitude")]
    for variant in ("random", "noise"):
      apart_SxR = np.abs(self.result.nll_VxSxR[self._at(variant)] - magnitude_SxR)
      self.assertTrue((apart_SxR[:, 1:3] > 1e-5).all(), variant)

  def test_recalibration_is_fitted_on_select_and_scored_on_test(self):
    for s, weight_M in enumerate(WEIGHTS_SxM):
      for r, ratio in enumerate(RATIOS):
        masked_M = _masked(weight_M, ratio)
        _, error_NxU = expected_nll(masked_M, self.select_NxT1)
        # One Gaussian: the standard deviation and mean of its residuals.
        log_scale = np.log(error_NxU.std() / (5 * SCALE))
        shift = error_NxU.mean()
        self.assertAlmostEqual(self.result.log_scale_SxR[s, r], log_scale, delta=2e-3)
        self.assertAlmostEqual(self.result.shift_SxR[s, r], shift, delta=2e-3)
        nll_N, _ = expected_nll(masked_M, self.test_NxT1, log_scale, shift)
        found = self.result.nll_VxSxR[self._at("recalibrated"), s, r]
        self.assertAlmostEqual(found, nll_N.mean(), delta=1e-3)

  def test_survival_by_tensor(self):
    names = [row["tensor"] for row in self.result.tensors]
    sizes_E = np.array([row["size"] for row in self.result.tensors])
    self.assertEqual(dict(zip(names, sizes_E, strict=True)), {"head/kernel": 8, "input/kernel": 2})
    kept_R = sizes_E @ self.result.survival_ExR
    np.testing.assert_allclose(kept_R, 10 * (1 - np.array(RATIOS)), atol=1e-5)
    head_R = self.result.survival_ExR[names.index("head/kernel")]
    np.testing.assert_allclose(head_R, [1, 0.75, 0.5, 0], atol=1e-6)
    self.assertEqual((self.result.selected, self.result.left_out), (10, 1))

  def test_summary_compares_on_test_what_select_chose(self):
    magnitude, recalibrated = self._at("magnitude"), self._at("recalibrated")
    best_S = self.result.select_nll_SxR.argmin(1)
    self.assertEqual([row["seed"] for row in self.result.summary], ["all", "3", "4"])
    for s, row in enumerate(self.result.summary[1:]):
      intact = self.result.nll_VxSxR[magnitude, s, 0]
      chosen = self.result.nll_VxSxR[magnitude, s, best_S[s]]
      control = self.result.nll_VxSxR[recalibrated, s, 0]
      self.assertAlmostEqual(row["ratio_chosen_on_select"], RATIOS[best_S[s]])
      self.assertAlmostEqual(row["intact_nll_nats"], intact)
      self.assertAlmostEqual(row["masking_gain_nats"], chosen - intact)
      self.assertAlmostEqual(row["recalibration_gain_nats"], control - intact)
      self.assertAlmostEqual(row["masking_minus_recalibration_nats"], chosen - control)
    together = self.result.summary[0]
    for name in ("masking_gain_nats", "recalibration_gain_nats"):
      parts = [row[name] for row in self.result.summary[1:]]
      self.assertAlmostEqual(together[name], np.mean(parts))

  def test_the_verdict_of_this_model_is_recalibration(self):
    # Its scale is five times too wide, which two numbers mend and no mask does.
    together, *each = self.result.summary
    for row in each:
      self.assertLess(row["recalibration_gain_high"], 0)
      self.assertGreater(row["masking_minus_recalibration_low"], 0)
    # Two seeds: at least t = tan(0.475 pi) times half their distance.
    for name in ("recalibration_gain", "masking_minus_recalibration"):
      seeds = np.tan(0.475 * np.pi) * np.ptp([row[f"{name}_nats"] for row in each]) / 2
      self.assertGreater(together[f"{name}_high"] - together[f"{name}_nats"], seeds)

  def test_intervals_hold_their_estimates(self):
    result = self.result
    self.assertTrue((result.delta_low_VxR <= result.delta_VxR + 1e-9).all())
    self.assertTrue((result.delta_high_VxR >= result.delta_VxR - 1e-9).all())
    width_VxR = result.delta_high_VxR - result.delta_low_VxR
    np.testing.assert_allclose(width_VxR[:4, 0], 0, atol=1e-6)
    self.assertTrue((width_VxR[:4, 1:] > 0).all())

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "masking", self.result, provenance={})
    back, _ = legacy.read(folder, "masking", masking.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))

  def test_recalibrated_is_never_worse_where_it_was_fitted(self):
    value_N = tiny_study.ar([TRUE], 400, scale=SCALE)
    part = (20, 390)
    run = _run(value_N, splits=dict.fromkeys(("train", "select", "test"), part))
    result = masking.run(run)
    magnitude_SxR, recalibrated_SxR = result.nll_VxSxR[[0, 4]]
    np.testing.assert_allclose(magnitude_SxR, result.select_nll_SxR, rtol=1e-5)
    self.assertTrue((recalibrated_SxR < magnitude_SxR).all())


if __name__ == "__main__":
  absltest.main()
