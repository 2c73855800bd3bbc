import numpy as np
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import spacings
from primelens.tasks import surrogates, zeros


def _goe_levels(matrices, size, seed=0):
  rng = np.random.default_rng(seed)
  noise = rng.normal(size=(matrices, size, size))
  return np.linalg.eigvalsh((noise + noise.swapaxes(1, 2)) / 2)


class CorrelationsTest(parameterized.TestCase):
  def test_by_hand(self):
    spacing_N = np.array([0.0, 2, 1, 1, 0, 2])  # residuals -1 1 0 0 -1 1
    found = spacings.correlations(spacing_N, 1, block=3)
    self.assertEqual((found.number, found.mean), (6, 1.0))
    self.assertAlmostEqual(found.variance, 4 / 6)
    # Products -1 0 0 | 0 -1 (the last block has one less).
    self.assertAlmostEqual(found.correlation_Q[0], (-1 / 3 - 1 / 2) / 2 / (2 / 3))

  def test_errors_of_independent_values(self):
    # Var rho = 1 / n, and that of the variance of an exponential is 8 / n.
    rng = np.random.default_rng(0)
    spacing_N = rng.exponential(size=100_000)
    found = spacings.correlations(spacing_N, 4, block=100)
    np.testing.assert_allclose(found.error_Q, 1e5**-0.5, rtol=0.12)
    self.assertAlmostEqual(found.variance_error, (8 / 1e5) ** 0.5, delta=1.2e-3)
    self.assertLess(np.abs(found.correlation_Q / found.error_Q).max(), 4)

  def test_errors_cover_the_truth_of_a_moving_average(self):
    # r_n = e_n - e_{n-1} / 2: rho_1 = -0.4, rho_2 = 0.
    rng = np.random.default_rng(1)
    score = []
    for _ in range(200):
      e = rng.normal(size=2_001)
      value_N = 1 + e[1:] - e[:-1] / 2
      found = spacings.correlations(value_N, 2, block=50)
      score.append((found.correlation_Q - [-0.4, 0]) / found.error_Q)
    np.testing.assert_allclose(np.std(score, axis=0), 1, atol=0.2)

  def test_cue_as_published(self):
    spacing_RxN = surrogates.cue_spacings(2, matrices=700, size=60)
    found = spacings.correlations(spacing_RxN, 3)
    expected = np.array([-0.3106, -0.076, -0.034])  # docs/sources/zeros.md, section 4.14
    np.testing.assert_array_less(np.abs(found.correlation_Q - expected), 4 * found.error_Q)
    off = abs(found.variance - 0.180)
    self.assertLess(off, 4 * found.variance_error)
    self.assertLess(spacings.distances(spacing_RxN.ravel()).gue, 0.012)

  def test_gue_by_the_right_radius_and_by_the_published_one(self):
    rng = np.random.default_rng(3)
    level_RxN = np.stack([surrogates.gue_eigenvalues(rng, 200) for _ in "x" * 300])
    middle = slice(20, 180)
    for scale, expected in ((1.0, -0.3105), (2**-0.5, -0.293)):
      count = surrogates.semicircle_counts(level_RxN[:, middle] * scale, 200)
      found = spacings.correlations(np.diff(count, axis=1), 3)
      self.assertAlmostEqual(found.correlation_Q[0], expected, delta=0.014)

  def test_the_published_reference_is_that_of_goe(self):
    middle = _goe_levels(300, 60)[:, 15:45]
    # The semicircle of (A + A^T) / 2 has the radius sqrt(2 N).
    count = surrogates.semicircle_counts(middle * 2**0.5, 60)
    found = spacings.correlations(np.diff(count, axis=1), 1)
    self.assertAlmostEqual(found.correlation_Q[0], spacings.GOE_LAG1, delta=0.035)

  def test_bad_blocks_are_refused(self):
    for shape, lags, block in (((10,), 3, 3), ((10,), 1, 0), ((1, 9), 1, 0)):
      with self.assertRaisesRegex(ValueError, "two blocks or more"):
        spacings.correlations(np.ones(shape), lags, block=block)


class HeightTest(parameterized.TestCase):
  def test_size_of_the_matching_matrix(self):
    # ln(g / 2 pi) = sqrt(12 * 1.57314) N.
    height = 2 * np.pi * np.exp(np.sqrt(12 * 1.57314) * 3)
    self.assertAlmostEqual(spacings.zeta_size(height), 3)

  def test_leading_terms_predict_a_smaller_matrix(self):
    limit, term_Q = spacings.leading_terms(2)
    spacing_RxN = surrogates.cue_spacings(4, matrices=4_000, size=12)
    found = limit.variance + term_Q[0] / 12**2
    self.assertAlmostEqual(spacing_RxN.var(), found, delta=0.005)
    rho = limit.correlation_Q[0] + term_Q[1] / 12**2
    self.assertAlmostEqual(rho, -0.314, delta=0.006)  # docs/sources/zeros.md, section 4.14

  def test_blocks_have_equal_ratios_and_the_least_number(self):
    height_N = np.arange(1, 10_001).astype(float)
    cut = spacings.height_blocks(height_N, 4, 5)
    np.testing.assert_array_equal(cut, [0, 9, 99, 999, 10_000])
    cut = spacings.height_blocks(height_N, 4, 50)
    np.testing.assert_array_equal(cut, [0, 99, 999, 10_000])
    with self.assertRaisesRegex(ValueError, "no two blocks of 6000"):
      spacings.height_blocks(height_N, 4, 6000)

  def test_weighted_line_is_that_of_scipy(self):
    rng = np.random.default_rng(0)
    x, error = np.linspace(0, 1, 30), rng.uniform(0.1, 1, 30)
    y = 2 - 3 * x + error * rng.normal(size=30)
    line = spacings.weighted_line(np.stack([np.ones(30), x], 1), y, error)
    best, cov = np.polyfit(x, y, 1, w=1 / error, cov="unscaled")
    np.testing.assert_allclose(line.coefficient_V, best[::-1])
    np.testing.assert_allclose(line.error_V, np.sqrt(np.diag(cov))[::-1])
    self.assertEqual(line.freedom, 28)
    self.assertBetween(line.chi2, *scipy.stats.chi2.ppf([1e-4, 1 - 1e-4], 28))


class AsPublishedTest(absltest.TestCase):
  def test_berry_finds_a_planted_slope(self):
    # Bins whose lag-1 correlation is 1 / ln(index + 1000 + half bin) exactly.
    rng = np.random.default_rng(0)
    size, parts = 20_000, []
    for p in range(10):
      rho = -1 / np.log(size * p + 1000 + size / 2)
      noise = rng.normal(size=size + 1)
      theta = (1 - np.sqrt(1 - 4 * rho**2)) / (2 * rho)
      parts.append(noise[1:] + theta * noise[:-1])
    found = spacings.berry_as_published(np.concatenate(parts))
    self.assertAlmostEqual(found["slope"], -1, delta=0.6)
    self.assertTrue(found["supported"])
    # Bartlett: n var rho_1 = 1 - 3 rho^2 + 4 rho^4 = 0.97 at rho = -0.1.
    self.assertAlmostEqual(found["bin_error"], (0.97 / size) ** 0.5, delta=0.15 * size**-0.5)

  def test_shuffle_score_is_the_correlation_times_the_root_of_the_length(self):
    noise = np.random.default_rng(0).normal(size=20_001)
    value_N = noise[1:] - noise[:-1] / 2
    score = spacings.shuffle_score(value_N, draws=200)
    self.assertAlmostEqual(score / (-0.4 * 20_000**0.5), 1, delta=0.25)

  def test_lags_of_primes(self):
    period = np.sin(2 * np.pi * np.arange(3_400) / 34)
    lag_Q, rho_Q = spacings.prime_lags_as_published(period, [2, 29, 31])
    np.testing.assert_array_equal(lag_Q, [7, 34, 34])
    np.testing.assert_allclose(rho_Q[1:], 1)


class OdlyzkoTest(absltest.TestCase):
  def test_numbers_of_the_table(self):
    value_N = zeros.load(zeros.Config()).value_N.astype(np.float64)
    found = spacings.correlations(value_N, 1, block=1000)
    self.assertEqual(found.number, 2_001_051)
    self.assertAlmostEqual(found.mean, 1.000000, places=6)
    self.assertAlmostEqual(found.variance**0.5, 0.407523, places=6)
    # The published -0.348893 leaves out the means of both ends.
    self.assertAlmostEqual(found.correlation_Q[0], -0.348893, places=6)


if __name__ == "__main__":
  absltest.main()
