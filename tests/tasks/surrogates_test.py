import functools
import pathlib
import tempfile

import numpy as np
import scipy.special
import scipy.stats
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.tasks import surrogates, zeros


def _correlation(value_RxN: np.ndarray, lag: int) -> float:
  """Correlation at a lag within rows, about the mean of all rows."""
  centred_RxN = value_RxN - value_RxN.mean()
  product_RxN = centred_RxN[:, :-lag] * centred_RxN[:, lag:]
  return product_RxN.mean() / (centred_RxN**2).mean()


def _exact(kernel, top: float, lags: int = 3) -> np.ndarray:
  """Variance and correlations of spacings of a determinantal process.

  E_j(s), the probability of j points in an interval, comes from the
  eigenvalues of the kernel on it (Gauss-Legendre quadrature, Bornemann 2010);
  the sum of k spacings has the second moment 2 sum_{j<k} (k - j) int E_j ds.
  """
  node, weight = np.polynomial.legendre.leggauss(40)
  length, share = (node + 1) / 2 * top, weight / 2 * top
  mean_J = np.zeros(lags + 1)
  for size, part in zip(length, share, strict=True):
    x, root = (node + 1) / 2 * size, np.sqrt(weight * size / 2)
    matrix = root[:, None] * kernel(x[:, None] - x[None, :]) * root[None, :]
    chance_J = np.array([1.0])
    for value in np.clip(np.linalg.eigvalsh(matrix), 0, 1):
      chance_J = np.convolve(chance_J, [1 - value, value])[: lags + 1]
    mean_J += part * chance_J
  order = np.arange(1, lags + 2)
  moment_K = [2 * np.dot(np.arange(k, 0, -1), mean_J[:k]) for k in order]
  variance_K = np.append(0.0, moment_K - order**2)
  covariance = np.diff(variance_K, 2) / 2
  return np.append(variance_K[1], covariance / variance_K[1])


def _cue_kernel(size: int):
  def kernel(x):
    turn = np.where(x == 0, 1.0, x * np.pi / size)
    return np.where(x == 0, 1.0, np.sin(size * turn) / (size * np.sin(turn)))

  return kernel


def _surmise(spacing: np.ndarray) -> np.ndarray:
  """Cdf of Wigner's surmise, density (32 / pi^2) s^2 exp(-4 s^2 / pi)."""
  return scipy.special.erf(2 * spacing / np.sqrt(np.pi)) - (4 * spacing / np.pi) * np.exp(
    -4 * spacing**2 / np.pi
  )


def _distance(value: np.ndarray, cdf) -> float:
  return scipy.stats.kstest(value.reshape(-1), cdf).statistic


@functools.cache
def _cue(size: int, matrices: int) -> np.ndarray:
  return surrogates.cue_spacings(0, matrices=matrices, size=size)


class CueTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.spacing_RxN = _cue(60, 1_500)

  @parameterized.parameters(1, 2, 7)
  def test_trace_moments_are_exact(self, size):
    # E |tr U^k|^2 = min(k, N) for Haar unitary U (Diaconis and Shahshahani).
    rng = np.random.default_rng(1)
    phase_RxN = np.stack([surrogates.cue_phases(rng, size) for _ in range(4_000)])
    self.assertLessEqual(np.abs(phase_RxN).max(), np.pi)
    for k in range(1, 10):
      trace_R = np.exp(1j * k * phase_RxN).sum(1)
      moment_R = np.abs(trace_R) ** 2
      error = 5 * moment_R.std() / np.sqrt(4_000) + 1e-9
      self.assertAlmostEqual(moment_R.mean(), min(k, size), delta=error)
      # Rotation invariance: no preferred direction on the circle.
      self.assertLess(np.abs(trace_R.mean()), 5 * np.sqrt(min(k, size) / 4_000))

  def test_correlations_and_variance_as_published(self):
    self.assertEqual(self.spacing_RxN.shape, (1_500, 60))
    self.assertAlmostEqual(self.spacing_RxN.var(), 0.180, delta=0.004)
    for lag, expected in {1: -0.3106, 2: -0.076, 3: -0.034}.items():
      found = _correlation(self.spacing_RxN, lag)
      self.assertAlmostEqual(found, expected, delta=0.012)

  @parameterized.parameters((5, 10_000), (12, 5_000), (60, 1_500))
  def test_correlations_and_variance_are_exact(self, size, matrices):
    spacing_RxN = _cue(size, matrices)
    exact = _exact(_cue_kernel(size), top=min(size, 9.0))
    self.assertAlmostEqual(spacing_RxN.var(), exact[0], delta=0.004)
    residual_RxN = spacing_RxN - 1
    for lag in (1, 2, 3):
      turned_RxN = np.roll(residual_RxN, -lag, axis=1)
      found = (residual_RxN * turned_RxN).mean() / spacing_RxN.var()
      self.assertAlmostEqual(found, exact[lag], delta=0.01)

  def test_the_exact_limit_is_the_known_one(self):
    # Variance of the Gaudin distribution, Bornemann (2010).
    self.assertAlmostEqual(_exact(np.sinc, 9.0)[0], 0.1799938776, places=9)

  def test_wigner_surmise(self):
    self.assertLess(_distance(self.spacing_RxN, _surmise), 0.01)

  def test_rows_are_whole_circles(self):
    np.testing.assert_allclose(self.spacing_RxN.mean(1), np.ones(1_500))

  def test_every_position_of_a_row_has_mean_one(self):
    # Rows cut at a fixed angle would end in a gap of mean 1.18.
    mean_N = _cue(5, 10_000).mean(0)
    np.testing.assert_allclose(mean_N, np.ones(5), atol=0.03)

  def test_bad_sizes_are_refused(self):
    with self.assertRaisesRegex(ValueError, "0 matrices of size 5"):
      surrogates.cue_spacings(0, matrices=0, size=5)
    with self.assertRaisesRegex(ValueError, "1 matrices of size 3.*size 4"):
      surrogates.gue_spacings(0, matrices=1, size=3)


class GueTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.spacing_RxN = surrogates.gue_spacings(0, matrices=1_000, size=200)

  def test_moments_are_those_of_gue(self):
    # E tr H^2 = N^2 and E tr H^4 = 2 N^3 + N for E |h_jk|^2 = 1.
    rng = np.random.default_rng(1)
    value_RxN = np.stack([surrogates.gue_eigenvalues(rng, 5) for _ in range(4_000)])
    for power, expected in {2: 25.0, 4: 255.0}.items():
      trace_R = (value_RxN**power).sum(1)
      error = 5 * trace_R.std() / np.sqrt(4_000)
      self.assertAlmostEqual(trace_R.mean(), expected, delta=error)

  def test_semicircle_counts(self):
    edge = 2 * np.sqrt(50)
    counted = surrogates.semicircle_counts(np.array([-edge, 0.0, edge]), 50)
    np.testing.assert_allclose(counted, [0, 25, 50], atol=1e-9)
    rng = np.random.default_rng(1)
    value = np.stack([surrogates.gue_eigenvalues(rng, 50) for _ in range(400)])
    below = (value < 5.0).sum(1).mean()
    expected = surrogates.semicircle_counts(np.array([5.0]), 50)[0]
    self.assertAlmostEqual(below, expected, delta=0.3)

  def test_known_correlations_and_variance(self):
    self.assertEqual(self.spacing_RxN.shape, (1_000, 100))
    self.assertAlmostEqual(self.spacing_RxN.mean(), 1.0, delta=1e-3)
    exact = _exact(np.sinc, 9.0)
    self.assertAlmostEqual(self.spacing_RxN.var(), exact[0], delta=0.004)
    for lag in (1, 2, 3):
      found = _correlation(self.spacing_RxN, lag)
      self.assertAlmostEqual(found, exact[lag], delta=0.01)
    # As published, from another sample.
    for lag, expected in {1: -0.3105, 2: -0.0764}.items():
      found = _correlation(self.spacing_RxN, lag)
      self.assertAlmostEqual(found, expected, delta=0.012)

  def test_wigner_surmise(self):
    self.assertLess(_distance(self.spacing_RxN, _surmise), 0.01)


class IndependentTest(absltest.TestCase):
  def test_poisson_is_exponential_and_far_from_the_surmise(self):
    value_N = surrogates.poisson(0, count=50_000)
    self.assertGreater(scipy.stats.kstest(value_N, "expon").pvalue, 1e-3)
    self.assertGreater(_distance(value_N, _surmise), 0.2)

  def test_shuffling_keeps_the_multiset_and_kills_correlation(self):
    rows = surrogates.cue_spacings(0, matrices=400, size=50)
    value_N = surrogates.shuffled(1, rows.reshape(-1))
    np.testing.assert_array_equal(np.sort(value_N), np.sort(rows.reshape(-1)))
    for lag in (1, 2, 3):
      found = _correlation(value_N[None, :], lag)
      self.assertLess(abs(found), 5 / np.sqrt(20_000))

  def test_renewal_draws_from_the_marginal(self):
    value_N = np.random.default_rng(0).gamma(3.0, size=5_000)
    drawn_N = surrogates.renewal(1, value_N, count=20_000)
    self.assertTrue(set(drawn_N) <= set(value_N))
    self.assertLess(scipy.stats.ks_2samp(drawn_N, value_N).statistic, 0.03)
    found = _correlation(drawn_N[None, :], 1)
    self.assertLess(abs(found), 5 / np.sqrt(20_000))


class PrimeGapsTest(absltest.TestCase):
  def test_first_gaps(self):
    expected_N = [1, 2, 2, 4, 2, 4] / np.log([2, 3, 5, 7, 11, 13])
    found_N = surrogates.prime_gaps(count=6)
    np.testing.assert_allclose(found_N, expected_N, rtol=1e-15)

  def test_largest_below_10_million(self):
    # The gap of 154 after 4,652,353 is the first of its size (Nicely 1999).
    found_N = surrogates.prime_gaps(count=600_000)
    self.assertAlmostEqual(found_N.mean(), 1, delta=1e-3)
    self.assertGreaterEqual(found_N.max(), 154 / np.log(4_652_353))


class LoadTest(parameterized.TestCase):
  def _config(self, ensemble, **options):
    # 3,000 ordinates around the places where zeros are expected.
    folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
    height_N = np.arange(1, 3_001) - 1.375
    height_N[1:-1] += np.random.default_rng(0).uniform(-0.3, 0.3, 2_998)
    turns_N = np.exp(1 + scipy.special.lambertw(height_N / np.e).real)
    np.savetxt(folder / "zeros.txt", 2 * np.pi * turns_N, fmt="%.17g")
    base = zeros.Config(
      source="text", path=str(folder / "zeros.txt"), cache=str(folder), gap=50, window=8
    )
    settings = dict(count=2_500, size=32, gap=50, window=8, base=base)
    return surrogates.Config(ensemble=ensemble, **(settings | options))

  @parameterized.parameters(*surrogates.ENSEMBLES)
  def test_series(self, ensemble):
    series = tasks.load(self._config(ensemble))
    self.assertEqual(series.value_N.shape, (2_500,))
    self.assertEqual(series.value_N.dtype, np.float32)
    self.assertIsNone(series.ordinate_N)
    self.assertAlmostEqual(series.value_N.mean(), 1.0, delta=0.1)
    self.assertEqual(series.splits["train"], (0, 1_920))

  @parameterized.parameters(*sorted(set(surrogates.ENSEMBLES) - {"prime_gaps"}))
  def test_seed_decides(self, ensemble):
    first = tasks.load(self._config(ensemble))
    again = tasks.load(self._config(ensemble))
    other = tasks.load(self._config(ensemble, seed=1))
    np.testing.assert_array_equal(first.value_N, again.value_N)
    self.assertEqual(first.data_hash, again.data_hash)
    self.assertFalse(np.array_equal(first.value_N, other.value_N))
    self.assertNotEqual(first.data_hash, other.data_hash)

  def test_shuffled_takes_all_of_its_base(self):
    config = self._config("shuffled", count=0)
    base = tasks.load(config.base)
    np.testing.assert_array_equal(np.sort(tasks.load(config).value_N), np.sort(base.value_N))

  def test_bad_settings_are_refused(self):
    with self.assertRaisesRegex(ValueError, "ensemble='goe' is not one of cue, gue"):
      surrogates.Config(ensemble="goe")
    with self.assertRaisesRegex(ValueError, "split='x' is not one of"):
      surrogates.Config(split="x")
    with self.assertRaisesRegex(ValueError, "cue needs a number of spacings"):
      surrogates.Config(count=0)
    with self.assertRaisesRegex(ValueError, "count 3000 exceeds 2999"):
      tasks.load(self._config("shuffled", count=3_000))


if __name__ == "__main__":
  absltest.main()
