import functools

import jax
import numpy as np
import scipy.optimize
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import calibration
from primelens.models import mixture as mixture_lib


class QuantileTest(absltest.TestCase):
  def test_of_normals_and_of_mixtures(self):
    mean_N = np.float32([0.0, 1.0, -3.0])
    cdf = lambda y_N: jax.scipy.special.ndtr((y_N - mean_N) / 2)
    of = functools.partial(calibration.quantile, cdf)
    found_N = jax.jit(of)(0.9, mean_N - 20, mean_N + 20)
    expected_N = scipy.stats.norm.ppf(0.9, mean_N, 2)
    np.testing.assert_allclose(found_N, expected_N, atol=1e-5)
    weight, mean, scale = (0.3, 0.7), (0.5, 1.2), (0.1, 0.4)
    mixture = mixture_lib.Mixture(
      np.log(np.float32([weight])), np.float32([mean]), np.float32([scale])
    )
    of = jax.jit(functools.partial(calibration.quantile, lambda y: mixture_lib.cdf(mixture, y)))
    for level in (0.05, 0.5, 0.95):
      found = np.asarray(of(level, np.float32([-1.0]), np.float32([4.0])))
      exact = scipy.optimize.brentq(
        lambda y, level=level: np.dot(weight, scipy.stats.norm.cdf(y, mean, scale)) - level, -1, 4
      )
      self.assertAlmostEqual(float(found[0]), exact, places=5)


class PitTest(parameterized.TestCase):
  def test_ks_distance_is_that_of_scipy(self):
    for seed in range(3):
      pit_N = np.random.default_rng(seed).beta(1.2, 0.9, 101)
      expected = scipy.stats.kstest(pit_N, "uniform").statistic
      self.assertAlmostEqual(calibration.ks_distance(pit_N), expected)

  def test_ks_distance_of_known_points(self):
    self.assertAlmostEqual(calibration.ks_distance([0.5]), 0.5)
    self.assertAlmostEqual(calibration.ks_distance([0.1, 0.2]), 0.8)
    self.assertAlmostEqual(calibration.ks_distance([0.25, 0.75]), 0.25)
    np.testing.assert_allclose(calibration.ks_distance([[0.5, 0.5], [0.25, 0.75]]), [0.5, 0.25])

  def test_ideal_pits_exceed_the_ideal_once_in_twenty(self):
    pit_RxN = np.random.default_rng(0).uniform(size=(4000, 400))
    over = calibration.ks_distance(pit_RxN) > calibration.ks_ideal(400)
    self.assertAlmostEqual(over.mean(), 0.05, delta=0.012)

  def test_coverage_of_normal_forecasts_that_are_too_sure(self):
    y_N = np.random.default_rng(1).normal(size=200_000)
    pit_N = scipy.stats.norm.cdf(y_N, scale=0.5)  # half the true scale
    level_V = np.array([0.5, 0.8, 0.9])
    expected_V = 2 * scipy.stats.norm.cdf(0.5 * scipy.stats.norm.ppf(0.5 + level_V / 2)) - 1
    np.testing.assert_allclose(calibration.coverage(pit_N, level_V), expected_V, atol=0.005)

  def test_coverage_counts_closed_intervals(self):
    pit_N = np.array([0.05, 0.25, 0.5, 0.9])
    np.testing.assert_allclose(
      calibration.coverage(pit_N, [0.0, 0.5, 0.8, 1.0]), [0.25, 0.5, 0.75, 1]
    )

  @parameterized.parameters(([1.2],), ([],), ([-0.1, 0.5],))
  def test_bad_pits_are_refused(self, pit_N):
    with self.assertRaisesRegex(ValueError, r"all in 0\.\.1"):
      calibration.ks_distance(pit_N)
    with self.assertRaisesRegex(ValueError, "levels"):
      calibration.coverage([0.5], [1.5])


class CrpsTest(absltest.TestCase):
  def test_draws_against_the_closed_form(self):
    mixture = mixture_lib.Mixture(
      np.log(np.float32([0.4, 0.6])), np.float32([2.0, 3.0]), np.float32([0.2, 0.4])
    )
    y, draws = 2.4, 400
    exact = float(jax.jit(mixture_lib.crps)(mixture, np.float32(y)))
    rng = np.random.default_rng(0)
    first_RxN = rng.uniform(size=(draws, 2000)) < 0.4
    sample_RxN = np.where(
      first_RxN, rng.normal(2.0, 0.2, first_RxN.shape), rng.normal(3.0, 0.4, first_RxN.shape)
    )
    found_N = calibration.crps_as_published(sample_RxN, np.full(2000, y))
    # The term of pairs comes out short by the factor 1 - 1/R.
    gap = np.abs(np.subtract(*sample_RxN[:2])).mean() / 2
    error = found_N.std() / np.sqrt(len(found_N))
    self.assertAlmostEqual(found_N.mean(), exact + gap / draws, delta=5 * error + 1e-4)

  def test_equals_the_double_sum(self):
    rng = np.random.default_rng(0)
    x_RxN, y_N = rng.uniform(0.1, 2, (30, 4)), rng.uniform(0.1, 2, 4)
    pairs_N = np.abs(x_RxN[:, None] - x_RxN[None]).mean((0, 1))
    x_RxN_shifted = x_RxN + 1e-6
    expected_N = np.abs(x_RxN_shifted - y_N).mean(0) - pairs_N / 2
    found_N = calibration.crps_as_published(x_RxN, y_N)
    np.testing.assert_allclose(found_N, expected_N, rtol=1e-12)

  def test_clipping_hides_mass_below_zero(self):
    x_RxN = np.random.default_rng(0).normal(0, 1, (2000, 1))
    clipped = calibration.crps_as_published(x_RxN, np.zeros(1))
    half_N = np.maximum(x_RxN, 0)
    self.assertLess(clipped, calibration.crps_as_published(x_RxN + 9, [9.0]))
    self.assertAlmostEqual(
      clipped[0], half_N.mean() - np.abs(half_N - half_N.T).mean() / 2, places=5
    )


class ConformalTest(parameterized.TestCase):
  def test_scores_are_distances_from_the_interval(self):
    interval = calibration.Interval(np.array([1.0, 1.0, 1.0]), np.full(3, 2.0))
    score_N = calibration.conformal_scores(interval, np.array([0.5, 1.25, 4.0]))
    np.testing.assert_allclose(score_N, [0.5, -0.25, 2.0])
    wide = interval.widened(0.5)
    np.testing.assert_array_equal(wide.holds([0.5, 1.25, 4.0]), [1, 1, 0])
    np.testing.assert_allclose(wide.width_N, 2.0)
    np.testing.assert_allclose(interval.widened(-1.0).width_N, 0.0)

  @parameterized.parameters((99, 0.1, 90), (9, 0.1, 9), (10, 0.2, 9), (3, 1, 1))
  def test_adjustment_is_an_order_statistic(self, count, alpha, rank):
    score_N = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    self.assertEqual(calibration.conformal_adjustment(score_N, alpha), rank)

  def test_too_few_scores_promise_nothing_but_everything(self):
    few = np.arange(8.0)
    self.assertEqual(calibration.conformal_adjustment(few, 0.1), np.inf)
    published = calibration.conformal_adjustment_as_published(few, 0.1)
    self.assertEqual(published, 7.0)

  def test_published_adjustment_interpolates(self):
    # 0.9 (1 + 1/390) of 390 scores: position 389 * 0.902307.. from 0.
    score_N = np.arange(390.0)
    found = calibration.conformal_adjustment_as_published(score_N, 0.1)
    self.assertAlmostEqual(found, 389 * 0.9 * (1 + 1 / 390))
    self.assertEqual(calibration.conformal_adjustment(score_N, 0.1), 351)

  def test_finite_sample_guarantee_on_exchangeable_data(self):
    # Dependent but exchangeable: a common shift of each repetition, and
    # predictions that are wrong by design.
    rng = np.random.default_rng(0)
    repeats, count, alpha = 20_000, 24, 0.1
    common_Rx1 = rng.normal(size=(repeats, 1))
    y_RxN = common_Rx1 + rng.standard_t(3, size=(repeats, count + 1))
    interval = calibration.Interval(np.full_like(y_RxN, 0.3), np.full_like(y_RxN, 0.5))
    score_RxN = calibration.conformal_scores(interval, y_RxN)
    held = [
      score_N[-1] <= calibration.conformal_adjustment(score_N[:-1], alpha) for score_N in score_RxN
    ]
    exact = 23 / 25  # k / (n + 1), k = ceil(0.9 * 25)
    error = np.sqrt(exact * (1 - exact) / repeats)
    self.assertAlmostEqual(np.mean(held), exact, delta=4 * error)
    self.assertGreaterEqual(exact, 1 - alpha)
    published = [
      score_N[-1] <= calibration.conformal_adjustment_as_published(score_N[:-1], alpha)
      for score_N in score_RxN
    ]
    self.assertLess(np.mean(published), exact - 4 * error)

  def test_bad_scores_are_refused(self):
    for adjust in (calibration.conformal_adjustment, calibration.conformal_adjustment_as_published):
      with self.assertRaisesRegex(ValueError, "need scores"):
        adjust([], 0.1)
      with self.assertRaisesRegex(ValueError, r"alpha in 0\.\.1"):
        adjust([1.0], 1.5)


class SharpnessTest(absltest.TestCase):
  def test_decomposition_of_the_ideal_forecast(self):
    rng = np.random.default_rng(0)
    mean_N = rng.normal(1, 0.3, 400_000)
    y_N = rng.normal(mean_N, 0.2)
    found = calibration.sharpness(mean_N + 0.05, np.full(400_000, 0.04), y_N)
    for name, expected in (
      ("bias", 0.05),
      ("mse", 0.04 + 0.05**2),
      ("variance_of_means", 0.09),
      ("mean_variance", 0.04),
      ("data_variance", 0.13),
    ):
      self.assertAlmostEqual(float(found[name]), expected, delta=2e-3, msg=name)


if __name__ == "__main__":
  absltest.main()
