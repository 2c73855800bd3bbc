import numpy as np
import scipy.signal
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import statistics


def _ar1(rng, length, coefficient):
  noise = rng.standard_normal(length + 500)
  return scipy.signal.lfilter([1], [1, -coefficient], noise)[500:]


class BootstrapTest(parameterized.TestCase):
  def test_independent_data_equal_scipy(self):
    value_N = np.random.default_rng(0).exponential(size=400)
    ours = statistics.moving_block_bootstrap(value_N, block=1, seed=1, samples=20_000)
    theirs = scipy.stats.bootstrap(
      (value_N,), np.mean, n_resamples=20_000, method="percentile", rng=2
    )
    error = theirs.standard_error
    self.assertAlmostEqual(ours.estimate, value_N.mean(), places=12)
    self.assertAlmostEqual(ours.standard_error / error, 1, delta=0.02)
    interval = theirs.confidence_interval
    self.assertAlmostEqual(ours.low, interval.low, delta=0.08 * error)
    self.assertAlmostEqual(ours.high, interval.high, delta=0.08 * error)

  def test_dependent_data_have_the_long_run_error(self):
    # AR(1): sigma_lr = 1 / (1 - phi), the error of a mean sigma_lr / sqrt(N).
    value_N = _ar1(np.random.default_rng(3), 100_000, 0.5)
    error = lambda block: (
      statistics.moving_block_bootstrap(value_N, block=block, seed=0).standard_error
    )
    expected = 2 / np.sqrt(value_N.size)
    self.assertAlmostEqual(error(100) / expected, 1, delta=0.08)
    # Blocks of one take the data for independent: sd 1.155 and not 2.
    self.assertAlmostEqual(error(1) / expected, 0.577, delta=0.03)

  def test_coverage_of_dependent_data(self):
    rng = np.random.default_rng(5)
    value_CxN = np.stack([_ar1(rng, 2000, 0.5) for _ in range(400)])
    interval = statistics.moving_block_bootstrap(
      value_CxN, block=40, seed=0, samples=400, level=0.9
    )
    hits = np.mean((interval.low <= 0) & (0 <= interval.high))
    # 0.90 less a little for the length of the blocks; sd of hits 0.015.
    self.assertBetween(hits, 0.83, 0.94)

  def test_fast_route_equals_the_resampled_series(self):
    value_RxN = np.random.default_rng(0).normal(5, 1, (3, 107))
    options = dict(block=10, seed=4, samples=50)
    fast = statistics.moving_block_bootstrap(value_RxN, **options)
    mean = lambda value, axis: value.mean(axis)
    slow = statistics.moving_block_bootstrap(value_RxN, statistic=mean, **options)
    for a, b in zip(fast, slow, strict=True):
      np.testing.assert_allclose(a, b, atol=1e-12)

  def test_other_statistics_equal_scipy(self):
    value_N = np.random.default_rng(1).normal(size=300)
    ours = statistics.moving_block_bootstrap(
      value_N, block=1, seed=1, samples=10_000, statistic=np.std
    )
    theirs = scipy.stats.bootstrap((value_N,), np.std, rng=2)
    ratio = ours.standard_error / theirs.standard_error
    self.assertAlmostEqual(ratio, 1, delta=0.04)
    self.assertAlmostEqual(ours.estimate, np.std(value_N))

  def test_axes_in_front_share_their_blocks(self):
    value_N = np.random.default_rng(0).normal(size=60)
    both = statistics.moving_block_bootstrap(
      np.stack([value_N, 2 * value_N + 7]), block=7, seed=0, samples=99
    )
    self.assertEqual(both.low.shape, (2,))
    np.testing.assert_allclose(both.low[1], 2 * both.low[0] + 7)
    np.testing.assert_allclose(both.standard_error[1], 2 * both.standard_error[0])

  def test_the_seed_decides_and_chunks_do_not_matter(self):
    value_N = np.random.default_rng(0).normal(size=50)
    draw = lambda seed: statistics.moving_block_bootstrap(value_N, block=5, seed=seed)
    self.assertEqual(draw(0), draw(0))
    self.assertNotEqual(draw(0).low, draw(1).low)
    whole = draw(0)
    with absltest.mock.patch.object(statistics, "_CHUNK", 170):
      self.assertEqual(draw(0), whole)

  def test_pairing_removes_what_is_common(self):
    rng = np.random.default_rng(0)
    common_N = _ar1(rng, 5000, 0.9)
    a_N = common_N + 0.1 * rng.standard_normal(5000) + 0.02
    b_N = common_N + 0.1 * rng.standard_normal(5000)
    paired = statistics.paired_difference(a_N, b_N, block=50, seed=0)
    self.assertAlmostEqual(paired.standard_error, 0.1 * np.sqrt(2 / 5000), delta=2e-4)
    self.assertGreater(paired.low, 0)
    alone = statistics.moving_block_bootstrap(a_N, block=50, seed=0)
    self.assertGreater(alone.standard_error, 40 * paired.standard_error)
    with self.assertRaisesRegex(ValueError, r"one shape, got \(5000,\) and"):
      statistics.paired_difference(a_N, b_N[1:], block=50, seed=0)

  @parameterized.parameters(2, 5, 12)
  def test_clusters_have_the_variance_of_both_levels(self, seeds):
    rng = np.random.default_rng(seeds)
    seed_S = rng.normal(size=seeds)
    data_N = rng.normal(size=2000) * 4
    value_SxN = seed_S[:, None] + data_N[None, :]
    interval = statistics.cluster_bootstrap(value_SxN, block=1, seed=0, samples=20_000)
    # Resampling S seeds has their plain (not unbiased) variance over S.
    expected = seed_S.var() / seeds + data_N.var() / 2000
    ratio = interval.standard_error**2 / expected
    self.assertAlmostEqual(ratio, 1, delta=0.05)
    self.assertAlmostEqual(interval.estimate, value_SxN.mean(), places=12)

  def test_clusters_keep_the_axes_between(self):
    value_SxRxN = np.random.default_rng(0).normal(size=(4, 3, 100))
    every = statistics.cluster_bootstrap(value_SxRxN, block=10, seed=0)
    one = statistics.cluster_bootstrap(value_SxRxN[:, 1], block=10, seed=0)
    self.assertEqual(every.low.shape, (3,))
    np.testing.assert_allclose([x[1] for x in every], one)
    single = statistics.cluster_bootstrap(value_SxRxN[:1], block=10, seed=0)
    blocks = statistics.moving_block_bootstrap(value_SxRxN[0], block=10, seed=0)
    np.testing.assert_allclose(single, blocks)

  def test_bad_input_is_refused(self):
    bootstrap = statistics.moving_block_bootstrap
    for block in (0, 11):
      with self.assertRaisesRegex(ValueError, rf"1\.\.10 .* got {block}"):
        bootstrap(np.ones(10), block=block, seed=0)
    with self.assertRaisesRegex(ValueError, r"1 values .* first at \(1, 2\)"):
      bootstrap([[0, 0, 0], [0, 0, np.nan]], block=1, seed=0)
    with self.assertRaisesRegex(ValueError, r"shape \(0,\)"):
      bootstrap([], block=1, seed=0)
    with self.assertRaisesRegex(ValueError, "samples .* got 1"):
      bootstrap(np.ones(10), block=1, seed=0, samples=1)
    with self.assertRaisesRegex(ValueError, "level .* got 95"):
      bootstrap(np.ones(10), block=1, seed=0, level=95)
    with self.assertRaisesRegex(ValueError, "seeds and data"):
      statistics.cluster_bootstrap(np.ones(10), block=1, seed=0)


class SeedTest(absltest.TestCase):
  def test_equals_scipy_t_interval(self):
    value_SxR = np.random.default_rng(0).normal(size=(5, 3))
    ours = statistics.seed_interval(value_SxR, level=0.9)
    theirs = scipy.stats.ttest_1samp(value_SxR, 0).confidence_interval(0.9)
    np.testing.assert_allclose(ours.low, theirs.low)
    np.testing.assert_allclose(ours.high, theirs.high)
    np.testing.assert_allclose(ours.standard_error, scipy.stats.sem(value_SxR))

  def test_one_seed_says_nothing_about_seeds(self):
    interval = statistics.seed_interval([[3.0, 4.0]])
    np.testing.assert_array_equal(interval.estimate, [3, 4])
    for field in interval[1:]:
      np.testing.assert_array_equal(field, [np.nan, np.nan])
    with self.assertRaisesRegex(ValueError, "at least one seed"):
      statistics.seed_interval([])


class TestingTest(parameterized.TestCase):
  def test_permutation_p_by_hand(self):
    null_R = np.array([0.0, 1.0, 2.0, 3.0])
    p = lambda tail: float(statistics.permutation_p(2.0, null_R, tail=tail))
    self.assertAlmostEqual(p("greater"), 3 / 5)
    self.assertAlmostEqual(p("less"), 4 / 5)
    self.assertEqual(p("two-sided"), 1)
    self.assertAlmostEqual(float(statistics.permutation_p(9.0, null_R, tail="two-sided")), 2 / 5)

  @parameterized.parameters("greater", "less", "two-sided")
  def test_permutation_p_equals_scipy(self, tail):
    rng = np.random.default_rng(0)
    a_N, b_N = rng.normal(0.5, 1, 12), rng.normal(size=9)
    gap = lambda a, b, axis=-1: np.mean(a, axis) - np.mean(b, axis)
    theirs = scipy.stats.permutation_test((a_N, b_N), gap, alternative=tail, n_resamples=999, rng=1)
    null_R = theirs.null_distribution
    ours = statistics.permutation_p(gap(a_N, b_N), null_R, tail=tail)
    self.assertAlmostEqual(float(ours), theirs.pvalue, places=12)

  def test_benjamini_hochberg_equals_scipy_and_the_paper(self):
    p_V = np.random.default_rng(0).uniform(size=40) ** 3
    np.testing.assert_allclose(
      statistics.benjamini_hochberg(p_V), scipy.stats.false_discovery_control(p_V)
    )
    # Over all entries of a table, whatever its shape.
    np.testing.assert_allclose(
      statistics.benjamini_hochberg(p_V.reshape(5, 8)).ravel(), statistics.benjamini_hochberg(p_V)
    )
    # By hand: 3 tests, p V / j, made monotone from the right.
    np.testing.assert_allclose(
      statistics.benjamini_hochberg([0.04, 0.01, 0.03]), [0.04, 0.03, 0.04]
    )
    with self.assertRaisesRegex(ValueError, "0"):
      statistics.benjamini_hochberg([0.5, 1.5])

  def test_max_t_by_hand(self):
    null_RxV = np.array([[0.0, 1.0], [3.0, -5.0], [2.0, 2.0]])
    # Row maxima 1, 3, 2.
    np.testing.assert_allclose(statistics.max_t([2.0, 4.0], null_RxV), [3 / 4, 1 / 4])
    # Row maxima of |.|: 1, 5, 2.
    np.testing.assert_allclose(
      statistics.max_t([-2.0, 4.0], null_RxV, tail="two-sided"), [3 / 4, 2 / 4]
    )

  def test_max_t_of_one_test_is_the_permutation_p(self):
    null_R = np.random.default_rng(0).normal(size=99)
    np.testing.assert_allclose(
      statistics.max_t([1.3], null_R[:, None]), [statistics.permutation_p(1.3, null_R)]
    )

  def test_max_t_is_calibrated_under_a_correlated_null(self):
    rng = np.random.default_rng(2)
    common = lambda *shape: 0.8 * rng.normal(size=(*shape, 1))
    draw = lambda *shape: common(*shape) + 0.6 * rng.normal(size=(*shape, 20))
    worst = [statistics.max_t(draw(), draw(199)).min() for _ in range(600)]
    # P(any p <= 0.1) = 0.1 exactly; sd of the share over 600 trials 0.012.
    self.assertAlmostEqual(np.mean(np.array(worst) <= 0.1), 0.1, delta=0.04)

  def test_bad_input_is_refused(self):
    with self.assertRaisesRegex(ValueError, "tail must be one of greater"):
      statistics.permutation_p(1.0, [1.0], tail="both")
    with self.assertRaisesRegex(ValueError, "tail must be 'greater' or"):
      statistics.max_t([1.0], [[1.0]], tail="less")
    with self.assertRaisesRegex(ValueError, r"R x \(2,\), got \(3, 4\)"):
      statistics.max_t([1.0, 2.0], np.ones((3, 4)))
    with self.assertRaisesRegex(ValueError, "null draws"):
      statistics.permutation_p(1.0, [])
    with self.assertRaisesRegex(ValueError, "NaN"):
      statistics.permutation_p(np.nan, [1.0])


if __name__ == "__main__":
  absltest.main()
