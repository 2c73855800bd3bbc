import functools
import itertools

import numpy as np
import scipy.signal
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import statistics


def _ar1(rng, length, coefficient):
  noise = rng.standard_normal(length + 500)
  return scipy.signal.lfilter([1], [1, -coefficient], noise)[500:]


def _mean(value, axis):
  return value.mean(axis)


def _shares(rng, seeds, draws, length, own, coefficient=0.0):
  """Unit noise SxRxN: the share `own` of its variance is each seed's own."""
  noise = lambda *shape: scipy.signal.lfilter(
    [1], [1, -coefficient], rng.standard_normal((*shape, length + 100))
  )[..., 100:]
  value = np.sqrt(1 - own) * noise(draws)[None]
  return value + np.sqrt(own) * noise(seeds, draws) if own else np.repeat(value, seeds, 0)


def _covered(value_SxRxN, spread, rng, *, block, coefficient=0.0):
  """How many of R intervals hold the mean 0, with seeds `spread` times as far
  apart as the mean of one seed scatters by its data."""
  seeds, draws, length = value_SxRxN.shape
  data_sd = 1 / (1 - coefficient) / np.sqrt(length)
  seed_SxRx1 = spread * data_sd * rng.standard_normal((seeds, draws, 1))
  found = statistics.seed_block_interval(value_SxRxN + seed_SxRx1, block=block)
  return np.mean((found.low <= 0) & (0 <= found.high))


SPREADS = (0, 0.2, 1, 3, 10)


class CoverageTest(parameterized.TestCase):
  """95 % intervals hold the truth in 94 to 99 % of simulated experiments.

  4,000 experiments a case: the standard error of a coverage of 0.95 is 0.0034.
  """

  @parameterized.product(seeds=(2, 3, 5, 10), own=(0.0, 0.5, 1.0))
  def test_independent_data(self, seeds, own):
    rng = np.random.default_rng([seeds, int(10 * own)])
    value_SxRxN = _shares(rng, seeds, 4000, 40, own)
    for spread in SPREADS:
      with self.subTest(spread=spread):
        self.assertBetween(_covered(value_SxRxN, spread, rng, block=1), 0.94, 0.99)

  @parameterized.parameters((2, 0.0), (2, 0.5), (5, 0.0))
  def test_dependent_data(self, seeds, own):
    # AR(1), neighbours correlated at 0.5, 20 blocks.
    rng = np.random.default_rng([seeds, 7])
    value_SxRxN = _shares(rng, seeds, 2000, 800, own, coefficient=0.5)
    for spread in SPREADS:
      with self.subTest(spread=spread):
        covered = _covered(value_SxRxN, spread, rng, block=40, coefficient=0.5)
        self.assertBetween(covered, 0.94, 0.99)

  @parameterized.parameters(4, 8, 20, 100)
  def test_one_seed_on_few_blocks_of_data(self, blocks):
    rng = np.random.default_rng(blocks)
    value_RxN = rng.standard_normal((4000, 10 * blocks))
    found = statistics.block_interval(value_RxN, block=10)
    self.assertBetween(np.mean((found.low <= 0) & (0 <= found.high)), 0.94, 0.99)


class SeedBlockTest(parameterized.TestCase):
  @parameterized.parameters(2, 3, 12)
  def test_parts_by_hand(self, seeds):
    rng = np.random.default_rng(seeds)
    value_SxN = rng.normal(size=(seeds, 1)) + rng.normal(size=50) + rng.normal(size=(seeds, 50))
    found = statistics.seed_block_interval(value_SxN, block=1, level=0.9)
    # Independent data: the mean covariance of two seeds, over N.
    covariance_SxS = np.cov(value_SxN)
    pairs = covariance_SxS.sum() - np.trace(covariance_SxS)
    data = pairs / (seeds * (seeds - 1)) / 50
    seed = scipy.stats.sem(value_SxN.mean(1)) ** 2
    t = lambda freedom: scipy.stats.t.ppf(0.95, freedom)
    reach = np.sqrt(t(seeds - 1) ** 2 * seed + t(1.5 * 49) ** 2 * data)
    np.testing.assert_allclose(found.estimate, value_SxN.mean())
    np.testing.assert_allclose(found.high - found.estimate, reach)
    np.testing.assert_allclose(found.estimate - found.low, reach)
    np.testing.assert_allclose(found.standard_error, np.sqrt(seed + data))

  def test_noise_of_each_seed_alone_is_counted_once(self):
    # Nothing is shared: the t interval of the seeds' means is all there is.
    value_SxN = np.stack([np.tile([1.0, -1.0], 20), np.tile([-1.0, 1.0], 20) + 0.5])
    found = statistics.seed_block_interval(value_SxN, block=1)
    alone = statistics.seed_interval(value_SxN.mean(1))
    np.testing.assert_allclose(found, alone)

  def test_seeds_that_agree_have_the_interval_of_the_data(self):
    value_N = np.random.default_rng(0).normal(size=90)
    both = statistics.seed_block_interval([value_N, value_N], block=9)
    np.testing.assert_allclose(both, statistics.block_interval(value_N, block=9))

  def test_one_seed_has_the_interval_of_the_data(self):
    value_N = np.random.default_rng(0).normal(size=90)
    one = statistics.seed_block_interval([value_N], block=1)
    error = scipy.stats.sem(value_N)
    np.testing.assert_allclose(one.standard_error, error)
    np.testing.assert_allclose(
      [one.low, one.high], scipy.stats.t.interval(0.95, 1.5 * 89, value_N.mean(), error)
    )

  def test_paired_differences_keep_what_only_seeds_and_windows_have(self):
    rng = np.random.default_rng(0)
    common = rng.normal(size=(4, 1)) + rng.normal(size=300)
    change = 0.05 + 0.01 * rng.normal(size=(4, 300))
    apart = statistics.seed_block_interval(common, block=1)
    paired = statistics.seed_block_interval(common + change - common, block=1)
    self.assertGreater(apart.high - apart.low, 50 * (paired.high - paired.low))
    self.assertGreater(paired.low, 0)

  def test_axes_between_are_separate_series(self):
    value_SxRxN = np.random.default_rng(0).normal(size=(4, 3, 100))
    every = statistics.seed_block_interval(value_SxRxN, block=10)
    one = statistics.seed_block_interval(value_SxRxN[:, 1], block=10)
    self.assertEqual(every.low.shape, (3,))
    np.testing.assert_allclose([x[1] for x in every], one)

  def test_one_block_says_nothing_of_its_noise(self):
    for value in (np.ones((3, 4)), np.ones((1, 4))):
      found = statistics.seed_block_interval(value, block=4)
      self.assertEqual(found.estimate, 1)
      self.assertTrue(np.isnan(found[1:]).all())

  def test_bad_input_is_refused(self):
    interval = statistics.seed_block_interval
    with self.assertRaisesRegex(ValueError, "seeds and data"):
      interval(np.ones(10), block=1)
    with self.assertRaisesRegex(ValueError, r"1\.\.10 .* got 11"):
      interval(np.ones((2, 10)), block=11)
    with self.assertRaisesRegex(ValueError, r"1 values .* first at \(1, 2\)"):
      interval([[0, 0, 0], [0, 0, np.nan]], block=1)
    with self.assertRaisesRegex(ValueError, "level .* got 95"):
      interval(np.ones((2, 10)), block=1, level=95)
    with self.assertRaisesRegex(ValueError, r"shape \(\)"):
      statistics.block_interval(3.0, block=1)


class BlockTest(parameterized.TestCase):
  @parameterized.parameters((5, 2), (6, 3), (7, 3), (4, 1))
  def test_variance_is_that_of_all_draws_of_blocks(self, length, block):
    value_N = np.random.default_rng(length).normal(5, 1, length)
    blocks = -(-length // block)
    means = [
      np.concatenate([value_N[start : start + block] for start in starts])[:length].mean()
      for starts in itertools.product(range(length - block + 1), repeat=blocks)
    ]
    expected = np.var(means) * length / (length - block)
    found = statistics.block_interval(value_N, block=block)
    self.assertAlmostEqual(found.standard_error**2, expected, places=12)

  def test_dependent_data_have_the_long_run_error(self):
    # AR(1): sigma_lr = 1 / (1 - phi), the error of a mean sigma_lr / sqrt(N).
    value_N = _ar1(np.random.default_rng(3), 100_000, 0.5)
    error = lambda block: statistics.block_interval(value_N, block=block).standard_error
    expected = 2 / np.sqrt(value_N.size)
    self.assertAlmostEqual(error(100) / expected, 1, delta=0.08)
    # Blocks of one take the data for independent: sd 1.155 and not 2.
    self.assertAlmostEqual(error(1) / expected, 0.577, delta=0.03)

  def test_a_large_mean_does_not_drown_the_noise(self):
    value_N = np.random.default_rng(0).normal(size=500)
    near, far = (
      statistics.block_interval(x, block=7).standard_error for x in (value_N, 1e7 + value_N)
    )
    self.assertAlmostEqual(far / near, 1, places=6)

  def test_pairing_removes_what_is_common(self):
    rng = np.random.default_rng(0)
    common_N = _ar1(rng, 5000, 0.9)
    a_N = common_N + 0.1 * rng.standard_normal(5000) + 0.02
    b_N = common_N + 0.1 * rng.standard_normal(5000)
    paired = statistics.paired_difference(a_N, b_N, block=50)
    self.assertAlmostEqual(paired.standard_error, 0.1 * np.sqrt(2 / 5000), delta=2e-4)
    self.assertGreater(paired.low, 0)
    alone = statistics.block_interval(a_N, block=50)
    self.assertGreater(alone.standard_error, 40 * paired.standard_error)
    with self.assertRaisesRegex(ValueError, r"one shape, got \(5000,\) and"):
      statistics.paired_difference(a_N, b_N[1:], block=50)


class BootstrapTest(parameterized.TestCase):
  @parameterized.parameters((np.mean, 0.02), (np.std, 0.04))
  def test_independent_data_equal_scipy(self, statistic, delta):
    value_N = np.random.default_rng(0).exponential(size=400)
    ours = statistics.moving_block_bootstrap(
      value_N, block=1, seed=1, samples=10_000, statistic=statistic
    )
    theirs = scipy.stats.bootstrap(
      (value_N,), statistic, n_resamples=10_000, method="percentile", rng=2
    )
    error = theirs.standard_error
    self.assertAlmostEqual(ours.estimate, statistic(value_N), places=12)
    self.assertAlmostEqual(ours.standard_error / error, 1, delta=delta)
    # The replicates are centred on the estimate, scipy's on their own mean.
    interval = theirs.confidence_interval
    shift = ours.estimate - np.mean(theirs.bootstrap_distribution)
    self.assertAlmostEqual(ours.low, interval.low + shift, delta=0.08 * error)
    self.assertAlmostEqual(ours.high, interval.high + shift, delta=0.08 * error)

  def test_means_have_the_error_of_the_blocks(self):
    value_N = _ar1(np.random.default_rng(5), 600, 0.5)
    drawn = statistics.moving_block_bootstrap(
      value_N, block=30, seed=0, samples=10_000, statistic=_mean
    )
    exact = statistics.block_interval(value_N, block=30).standard_error * np.sqrt(570 / 600)
    self.assertAlmostEqual(drawn.standard_error / exact, 1, delta=0.03)

  def test_axes_in_front_share_their_blocks(self):
    value_N = np.random.default_rng(0).normal(size=60)
    both = statistics.moving_block_bootstrap(
      np.stack([value_N, 2 * value_N + 7]), block=7, seed=0, samples=99, statistic=np.median
    )
    self.assertEqual(both.low.shape, (2,))
    np.testing.assert_allclose(both.low[1], 2 * both.low[0] + 7)
    np.testing.assert_allclose(both.standard_error[1], 2 * both.standard_error[0])

  def test_the_seed_decides_and_chunks_do_not_matter(self):
    value_N = np.random.default_rng(0).normal(size=50)
    draw = lambda seed: statistics.moving_block_bootstrap(
      value_N, block=5, seed=seed, statistic=np.std
    )
    self.assertEqual(draw(0), draw(0))
    self.assertNotEqual(draw(0).low, draw(1).low)
    whole = draw(0)
    with absltest.mock.patch.object(statistics, "_CHUNK", 170):
      self.assertEqual(draw(0), whole)

  def test_bad_input_is_refused(self):
    bootstrap = functools.partial(statistics.moving_block_bootstrap, statistic=np.std)
    for block in (0, 11):
      with self.assertRaisesRegex(ValueError, rf"1\.\.10 .* got {block}"):
        bootstrap(np.ones(10), block=block, seed=0)
    with self.assertRaisesRegex(ValueError, r"shape \(0,\)"):
      bootstrap([], block=1, seed=0)
    with self.assertRaisesRegex(ValueError, "samples .* got 1"):
      bootstrap(np.ones(10), block=1, seed=0, samples=1)
    with self.assertRaisesRegex(ValueError, "level .* got 95"):
      bootstrap(np.ones(10), block=1, seed=0, level=95)


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
