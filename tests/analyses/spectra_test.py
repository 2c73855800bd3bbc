import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.stats
import threadpoolctl
from absl.testing import absltest, parameterized
from primelens.analyses import spectra

XAVIER = np.sqrt(6 / 1024)  # bound of the published 256 x 256 block


def setUpModule():
  # The matrices here are small: more threads would wait for each other.
  limit = threadpoolctl.threadpool_limits(1, user_api="blas")
  absltest.unittest.addModuleCleanup(limit.restore_original_limits)


def _noise(shape, seed=0, bound=XAVIER):
  return np.random.default_rng(seed).uniform(-bound, bound, shape)


def _spike(inter, seed=0):
  """Returns noise + (inter / 2) sign v^T, |v| = 1 (docs/sources/primes.md, section 6.2)."""
  rng = np.random.default_rng(seed + 100)
  sign_Nx1 = rng.choice([-1.0, 1.0], (256, 1))
  direction_D = rng.normal(size=256)
  direction_D /= np.linalg.norm(direction_D)
  return _noise((256, 256), seed) + inter / 2 * sign_Nx1 * direction_D


class SingularValuesTest(parameterized.TestCase):
  @parameterized.parameters("svd", "gram")
  def test_diagonal(self, method):
    weight = np.diag([1.0, -3, 2, 0])[:, :3]
    found = spectra.singular_values(weight, method=method)
    np.testing.assert_allclose(found, [3, 2, 1], atol=1e-12)

  @parameterized.parameters((7, 4), (4, 7), (5, 5))
  def test_gram_equals_svd_over_leading_axes(self, rows, columns):
    weight = np.random.default_rng(0).normal(size=(2, 3, rows, columns))
    exact = spectra.singular_values(weight)
    self.assertEqual(exact.shape, (2, 3, min(rows, columns)))
    found = spectra.singular_values(weight, method="gram")
    np.testing.assert_allclose(found, exact, rtol=1e-9)
    self.assertTrue(np.all(np.diff(found) <= 0))

  def test_gram_in_blocks(self):
    weight = np.random.default_rng(0).normal(size=(3000, 7)).astype(np.float32)
    whole = spectra.singular_values(weight, method="gram")
    with absltest.mock.patch.object(spectra, "_BLOCK", 7 * 450):
      parts = spectra.singular_values(weight, method="gram")
    np.testing.assert_allclose(parts, whole, rtol=1e-12)
    exact = np.linalg.svd(np.float64(weight), compute_uv=False)
    np.testing.assert_allclose(parts, exact, rtol=1e-12)

  def test_other_number_formats(self):
    weight = jnp.asarray([[3.0, 0], [0, 4]], jnp.bfloat16)
    for method in ("svd", "gram"):
      found = spectra.singular_values(weight, method=method)
      self.assertEqual(found.dtype, np.float64)
      np.testing.assert_allclose(found, [4, 3])

  def test_refuses(self):
    for bad in (np.ones(3), np.ones((0, 3)), [[1, np.nan]], [[np.inf, 1]]):
      with self.assertRaises(ValueError):
        spectra.singular_values(bad)
    with self.assertRaisesRegex(ValueError, "'svd' or 'gram'"):
      spectra.singular_values(np.eye(2), method="qr")


class MetricsTest(parameterized.TestCase):
  def test_equal_values(self):
    rotation = scipy.stats.ortho_group.rvs(8, random_state=0)
    value = spectra.singular_values(5 * rotation)
    self.assertAlmostEqual(spectra.effective_rank(value), 8)
    self.assertAlmostEqual(spectra.effective_rank(value, 2), 8)
    self.assertAlmostEqual(spectra.stable_rank(value), 8)
    self.assertAlmostEqual(spectra.max_to_mean(value), 1)

  def test_one_value(self):
    value = np.array([7.0, 0, 0, 0])
    self.assertAlmostEqual(spectra.effective_rank(value), 1)
    self.assertAlmostEqual(spectra.stable_rank(value), 1)
    self.assertAlmostEqual(spectra.max_to_mean(value), 4)

  def test_powers(self):
    value = np.array([[3.0, 1], [1, 1]])
    p, q = np.array([0.75, 0.25]), np.array([0.9, 0.1])
    expected = np.exp([scipy.stats.entropy(p), np.log(2)])
    np.testing.assert_allclose(spectra.effective_rank(value), expected)
    expected = np.exp([scipy.stats.entropy(q), np.log(2)])
    np.testing.assert_allclose(spectra.effective_rank(value, 2), expected)
    np.testing.assert_allclose(spectra.stable_rank(value), [10 / 9, 2])

  def test_no_value_of_zeros(self):
    value = np.zeros((2, 3))
    for metric in (
      spectra.effective_rank,
      spectra.stable_rank,
      spectra.max_to_mean,
      lambda value: spectra.ks_matched(value, (3, 3)),
    ):
      self.assertTrue(np.isnan(metric(value)).all())
    np.testing.assert_array_equal(spectra.bulk_std(value, (3, 3)), 0)
    np.testing.assert_array_equal(spectra.outliers(value, (3, 3)), 0)

  # From docs/sources/primes.md, section 4.2: 206.0 / 102.6 / 51.5 +- .3; 154.9 of squares.
  @parameterized.parameters((256, 206.0, 4), (128, 102.6, 20), (64, 51.5, 40))
  def test_effective_rank_of_noise(self, size, expected, count):
    value = spectra.singular_values(_noise((count, size, size)))
    found = spectra.effective_rank(value).mean()
    self.assertAlmostEqual(found, expected, delta=0.3)
    if size == 256:
      self.assertBetween(spectra.max_to_mean(value).mean(), 2.31, 2.36)

  def test_effective_rank_of_squares_of_noise(self):
    # From docs/sources/primes.md, section 4.2: 154.9 (one matrix; sd .43).
    weight = np.random.default_rng(0).normal(size=(4, 256, 256))
    value = spectra.singular_values(weight)
    found = spectra.effective_rank(value, 2).mean()
    self.assertAlmostEqual(found, 154.9, delta=0.5)

  # From docs/sources/primes.md, section 6.2: rank and ratio; one outlier on untouched noise.
  @parameterized.parameters((13.66, 43.9, 106.9), (19.74, 27.6, 129.9))
  def test_one_outlier_model(self, inter, rank, ratio):
    value = np.stack([spectra.singular_values(_spike(inter, seed)) for seed in range(3)])
    shape = (256, 256)
    found = spectra.effective_rank(value).mean()
    self.assertAlmostEqual(found, rank, delta=0.3)
    found = spectra.max_to_mean(value).mean()
    self.assertAlmostEqual(found, ratio, delta=0.4)
    np.testing.assert_array_equal(spectra.outliers(value, shape), 1)
    # From docs/sources/primes.md, section 6.3: .012 matched by the median.
    found = spectra.ks_matched(value, shape).mean()
    self.assertAlmostEqual(found, 0.012, delta=0.004)
    np.testing.assert_allclose(spectra.bulk_std(value, shape), XAVIER / np.sqrt(3), rtol=0.02)

  def test_std_of_entries_misleads(self):
    # From docs/sources/primes.md, section 6.3: .86 for the spike matched by the
    # std, .012 for noise.
    distances = []
    for weight in (_spike(13.66), _noise((256, 256))):
      value = np.sort(spectra.singular_values(weight)) / weight.std()
      cdf = spectra.marchenko_pastur_cdf(value, weight.shape)
      distances.append(float(spectra.ks_statistic(cdf)))
    self.assertAlmostEqual(distances[0], 0.86, delta=0.01)
    self.assertAlmostEqual(distances[1], 0.012, delta=0.005)


class KolmogorovTest(parameterized.TestCase):
  # From docs/sources/primes.md, section 6.3: pure noise by its std.
  @parameterized.parameters(
    (0.01, 0.988),
    (0.02, 0.977),
    (0.044, 0.941),
    (0.1, 0.879),
    (0.16, 0.801),
    (0.2, 0.754),
    (0.3, 0.637),
    (0.5, 0.418),
    (1, 0.01),
  )
  def test_published_measures_the_scale(self, std, expected):
    rng = np.random.default_rng(0)
    value = spectra.singular_values(rng.normal(size=(256, 256)) * std)
    found = spectra.ks_unit_as_published(value)
    # Multiples of 1 / 256 that vary by one or two; rounded to three digits.
    self.assertAlmostEqual(found, expected, delta=2 / 256 + 0.0005)

  def test_published_is_scipys(self):
    value = spectra.singular_values(_noise((2, 64, 64), bound=2.0))
    unit_NxN = np.random.RandomState(42).randn(64, 64)
    unit_K = np.linalg.svd(unit_NxN, compute_uv=False)
    expected = [scipy.stats.ks_2samp(s_K, unit_K).statistic for s_K in value]
    np.testing.assert_allclose(spectra.ks_unit_as_published(value), expected)
    self.assertBetween(expected[0], 0.05, 0.6)

  def test_untrained_network(self):
    value = spectra.singular_values(_noise((3, 256, 256)))
    # From docs/sources/primes.md, section 4.2: .9414, three times the same.
    found = spectra.ks_unit_as_published(value)
    np.testing.assert_allclose(found, 241 / 256)

  def test_statistic_is_scipys(self):
    sample = np.sort(np.random.default_rng(0).normal(0.3, 1.2, (3, 50)))
    found = spectra.ks_statistic(scipy.stats.norm.cdf(sample))
    expected = [scipy.stats.kstest(row, "norm").statistic for row in sample]
    np.testing.assert_allclose(found, expected)


class MarchenkoPasturTest(parameterized.TestCase):
  @parameterized.parameters((100, 100), (300, 100), (100, 101), (1000, 10))
  def test_closed_form_is_the_integral(self, rows, columns):
    long, short = max(rows, columns), min(rows, columns)
    y = short / long
    low, high = (1 - np.sqrt(y)) ** 2, (1 + np.sqrt(y)) ** 2
    # Density of the eigenvalue x, at x = low + (high - low) sin^2.
    x = lambda t: low + (high - low) * np.sin(t) ** 2
    density = lambda t: ((high - low) * np.sin(t) * np.cos(t)) ** 2 / (np.pi * y * x(t))
    for t in (0.2, 0.7, 1.2, np.pi / 2):
      expected = scipy.integrate.quad(density, 0, t)[0]
      value = np.sqrt(long * x(t))
      found = spectra.marchenko_pastur_cdf(value, (rows, columns))
      # The arcsin of an edge, rounded: sqrt(epsilon), over y.
      self.assertAlmostEqual(float(found), expected, delta=2e-8 / y)

  def test_outside_of_the_bulk(self):
    found = spectra.marchenko_pastur_cdf([0, 1.9, 8.1, 99], (25, 9))
    np.testing.assert_allclose(found, [0, 0, 1, 1], atol=1e-12)
    self.assertEqual(spectra.marchenko_pastur_edge((25, 9)), 8)
    self.assertEqual(float(spectra.marchenko_pastur_cdf(0, (9, 9))), 0)

  def test_quarter_circle(self):
    # Density sqrt(4 - x^2) / pi of a square matrix, x = s / sqrt N: the median.
    median = spectra.marchenko_pastur_median((49, 49)) / 7
    below = lambda x: np.sqrt(4 - x**2) / np.pi
    half = scipy.integrate.quad(below, 0, median)[0]
    self.assertAlmostEqual(half, 0.5, places=8)

  @parameterized.parameters((800, 400), (300, 900))
  def test_moments_of_a_large_matrix(self, rows, columns):
    rng = np.random.default_rng(0)
    value = spectra.singular_values(rng.normal(size=(rows, columns)))
    shape = (rows, columns)
    distance = spectra.ks_statistic(spectra.marchenko_pastur_cdf(np.sort(value), shape))
    self.assertLess(distance, 0.01)  # rigid values: about 1 / K
    self.assertAlmostEqual(spectra.bulk_std(value, shape), 1, delta=0.005)
    self.assertEqual(spectra.outliers(value, shape), 0)
    edge = spectra.marchenko_pastur_edge(shape)
    self.assertAlmostEqual(value[0] / edge, 1, delta=0.02)
    self.assertLess(spectra.noise_edge(shape) / edge, 1.02)

  def test_outliers_are_counted(self):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(200, 100))
    left, right = np.eye(200)[:, :3], np.eye(100)[:3]
    # A spike is seen beyond (N D)^(1/4) = 11.9; one of 8 drowns.
    weight += left @ np.diag([40, 30, 8]) @ right
    value = 0.01 * spectra.singular_values(weight)
    self.assertEqual(spectra.outliers(value, (200, 100)), 2)

  @parameterized.parameters("svd", "gram")
  def test_low_rank_has_no_noise(self, method):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 100))
    value = spectra.singular_values(weight, method=method)
    self.assertEqual(spectra.outliers(value, (200, 100)), 3)
    self.assertEqual(spectra.bulk_std(value, (200, 100)), 0)
    self.assertTrue(np.isnan(spectra.ks_matched(value, (200, 100))))

  def test_other_shape_is_refused(self):
    with self.assertRaisesRegex(ValueError, "N x D"):
      spectra.bulk_std(np.ones(5), (6, 6))


class MatricesTest(parameterized.TestCase):
  def test_distance(self):
    start = np.array([[3.0, 0], [0, 4]])
    self.assertAlmostEqual(spectra.distance(1.5 * start, start), 0.5)
    self.assertTrue(np.isnan(spectra.distance(start, 0 * start)))
    with self.assertRaisesRegex(ValueError, "its start"):
      spectra.distance(start, start[:1])

  def test_circular_law(self):
    rng = np.random.default_rng(0)
    found = spectra.eigenvalue_radius(rng.normal(size=(3, 200, 200)) * 0.3)
    np.testing.assert_allclose(found, 1, atol=0.12)  # sd about .03
    value = np.array([[1.0, 0], [0, -2]])
    std = np.sqrt(5 / 4)
    found = spectra.eigenvalue_radius(value)
    self.assertAlmostEqual(found, 2 / (std * np.sqrt(2)))
    self.assertAlmostEqual(spectra.eigenvalue_radius(value, 2.0), np.sqrt(0.5))
    with self.assertRaisesRegex(ValueError, "square"):
      spectra.eigenvalue_radius(np.ones((2, 3)))

  def test_corner(self):
    weight = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(spectra.corner(weight, 2), [[0, 1], [4, 5]])
    np.testing.assert_array_equal(spectra.corner(weight), weight[:, :3])


if __name__ == "__main__":
  absltest.main()
