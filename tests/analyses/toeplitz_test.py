import numpy as np
import threadpoolctl
from absl.testing import absltest, parameterized
from primelens.analyses import sine_process, spacings, toeplitz


def setUpModule():
  limit = threadpoolctl.threadpool_limits(1, user_api="blas")
  absltest.unittest.addModuleCleanup(limit.restore_original_limits)


def _sine(size, density):
  kernel = lambda distance: toeplitz.sine_kernel(distance, density)
  return toeplitz.matrix(kernel, size)


class KernelTest(parameterized.TestCase):
  def test_the_sine_kernel_at_whole_distances_is_the_identity(self):
    # docs/sources/zeros.md, section 4.6: at most 1.4e-16 beside the diagonal.
    found_NxN = toeplitz.matrix(toeplitz.sine_kernel, 500)
    np.testing.assert_array_equal(np.diag(found_NxN), 1)
    np.testing.assert_array_less(np.abs(found_NxN - np.eye(500)), 2e-16)

  def test_its_published_test_sees_the_disorder_alone(self):
    diagonal_N = np.random.default_rng(0).normal(size=300)
    found_N = toeplitz.levels(toeplitz.sine_kernel, diagonal_N)
    np.testing.assert_allclose(found_N, np.sort(diagonal_N), atol=1e-12)

  def test_published_kernel(self):
    # docs/sources/zeros.md, section 6.4, with the constant 0.0017 of the fit.
    found = toeplitz.stretched_as_published([0, 0.5, 1, 2, 3]) + 0.0017
    np.testing.assert_allclose(found, [0.0637, 0.0570, 0.0610, 0.0630, 0.0611], atol=6e-5)

  def test_the_alternating_kernel_has_the_same_levels(self):
    diagonal_N = np.random.default_rng(0).normal(size=200)
    kernels = toeplitz.stretched_as_published, toeplitz.alternating_as_published
    plain_N, other_N = (toeplitz.levels(k, diagonal_N) for k in kernels)
    np.testing.assert_allclose(plain_N, other_N, atol=1e-12)

  @parameterized.parameters(0.1, 0.5)
  def test_the_projection_has_a_step(self, density):
    size = 400
    value_N = np.linalg.eigvalsh(_sine(size, density))[::-1]
    self.assertAlmostEqual(value_N.sum(), density * size)
    # Landau and Widom 1980: ln N ln((1 - a) / a) / pi^2 of them above a.
    between = np.sum((value_N > 0.05) & (value_N < 0.95))
    width = 2 / np.pi**2 * np.log(19)
    top = np.log(2 * np.pi * size * np.sin(np.pi * density))
    self.assertAlmostEqual(between, width * top, delta=1.5)

  @parameterized.parameters((64, 0.3), (200, 0.05))
  def test_slepian_sequences_are_the_eigenvectors(self, size, density):
    value_E, vector_NxE = toeplitz.slepian(size, density)
    matrix_NxN = _sine(size, density)
    expected_N = np.linalg.eigvalsh(matrix_NxN)[::-1]
    np.testing.assert_allclose(value_E, expected_N[: len(value_E)], atol=1e-12)
    np.testing.assert_allclose(matrix_NxN @ vector_NxE, vector_NxE * value_E, atol=1e-10)
    self.assertLess(np.abs(expected_N[len(value_E) :]).max(initial=0), 1e-6)
    for bad in (0.0, 1.0, 0.001):
      with self.assertRaisesRegex(ValueError, "must lie in 0..1"):
        toeplitz.slepian(size, bad)


class SineProcessTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.draws = toeplitz.sine_process(0, samples=100, size=1600)
    cls.gap_N = np.concatenate([np.diff(level_N) for level_N in cls.draws])

  def test_spacings_are_those_of_the_gue(self):
    self.assertAlmostEqual(self.gap_N.mean(), 1, delta=0.006)
    # docs/sources/zeros.md, section 4.14: variance .180, correlation -.311.
    self.assertAlmostEqual(self.gap_N.var(), 0.180, delta=0.008)
    centred = [np.diff(level_N) - 1 for level_N in self.draws]
    lag = np.mean(np.concatenate([c[1:] * c[:-1] for c in centred]))
    self.assertAlmostEqual(lag / self.gap_N.var(), -0.311, delta=0.03)
    ratio = np.mean([spacings.r_ratio(level_N) for level_N in self.draws])
    self.assertAlmostEqual(ratio, 0.5996, delta=0.01)

  def test_density_and_number_variance(self):
    size, density = 1600, 1 / 16
    count_R = [len(level_N) for level_N in self.draws]
    matrix_NxN = _sine(size, density)
    value_N = np.linalg.eigvalsh(matrix_NxN)
    # The number of points is a sum of independent yes and no.
    spread = np.sqrt(np.sum(value_N * (1 - value_N)))
    self.assertLess(abs(np.mean(count_R) - density * size), 4 * spread / 10)
    self.assertAlmostEqual(np.std(count_R), spread, delta=0.35 * spread)
    found_Q = np.mean([spacings.number_variance(level_N, [0.5, 2]) for level_N in self.draws], 0)
    expected_Q = sine_process.number_variance([0.5, 2], "gue")
    np.testing.assert_allclose(found_Q, expected_Q, rtol=0.06)

  def test_pairs_of_a_small_process(self):
    # P(i and j) = K_ii K_jj - K_ij^2.
    size, density = 8, 0.4
    draws = toeplitz.sine_process(1, samples=6000, size=size, density=density)
    seen_RxN = np.zeros((len(draws), size))
    for r, level_N in enumerate(draws):
      seen_RxN[r, np.round(level_N / density).astype(int)] = 1
    found_NxN = seen_RxN.T @ seen_RxN / len(draws)
    matrix_NxN = _sine(size, density)
    expected_NxN = density**2 - matrix_NxN**2 + density * np.eye(size)
    expected_NxN[np.diag_indices(size)] = density
    np.testing.assert_allclose(found_NxN, expected_NxN, atol=0.027)

  def test_seeded(self):
    first, again = (toeplitz.sine_process(5, samples=2, size=100) for _ in range(2))
    for one_N, other_N in zip(first, again, strict=True):
      np.testing.assert_array_equal(one_N, other_N)


class LevelsTest(parameterized.TestCase):
  def test_disorder_localises_any_short_kernel(self):
    rng = np.random.default_rng(0)
    for disorder, expected in ((3.0, 2 * np.log(2) - 1), (0.02, 0.53)):
      ratio = [
        spacings.r_ratio(
          spacings.central(
            toeplitz.levels(toeplitz.stretched_as_published, disorder * rng.normal(size=500)),
            toeplitz.CENTRAL,
          )
        )
        for _ in range(12)
      ]
      reach = 0.015 if disorder > 1 else 0.08
      self.assertAlmostEqual(np.mean(ratio), expected, delta=reach)

  def test_published_statistics(self):
    # 1 - e^(-1/2); integrals of the surmises.
    level_N = np.cumsum(np.random.default_rng(0).exponential(size=60_000))
    gap_N = toeplitz.central_spacings_as_published(level_N)
    self.assertLen(gap_N, 36_000 - 1)
    share = toeplitz.small_share(gap_N)
    self.assertAlmostEqual(share, 1 - np.exp(-0.5), delta=0.01)
    self.assertEqual(toeplitz.verdict_as_published(share), "Poisson")
    for ensemble, expected in (("goe", 0.178), ("gue", 0.112)):
      below = float(sine_process.spacing_cdf(0.5, ensemble))
      self.assertAlmostEqual(below, expected, places=3)
    verdicts = [toeplitz.verdict_as_published(s) for s in (0.1, 0.2, 0.3, 0.35)]
    self.assertEqual(verdicts, ["GUE", "near GUE", "transition", "Poisson"])

  def test_local_spacings_do_not_see_the_density(self):
    count_N = np.arange(2000) + 0.5
    gap_N = toeplitz.central_spacings(np.exp(count_N / 500))
    np.testing.assert_allclose(gap_N[10:-10], 1, atol=1e-2)
    raw_N = toeplitz.central_spacings_as_published(np.exp(count_N / 500))
    self.assertGreater(raw_N.std(), 0.3)


if __name__ == "__main__":
  absltest.main()
