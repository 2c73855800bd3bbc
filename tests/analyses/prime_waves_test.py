import numpy as np
import odlyzko
from absl.testing import absltest, parameterized
from primelens.analyses import prime_waves
from primelens.tasks import primes, riemann_siegel, zeros


def _smooth(t_N):
  return riemann_siegel.theta(t_N) / np.pi + 1


class WavesTest(absltest.TestCase):
  def test_weights_by_hand(self):
    found = prime_waves.waves([2, 3, 5, 7, 11, 13], 10)
    np.testing.assert_allclose(found.frequency_Q, np.log([2, 3, 5, 7, 4, 9]), rtol=1e-14)
    taper_Q = 1 - np.log10([2, 3, 5, 7, 4, 9])
    size_Q = np.array([2**-0.5, 3**-0.5, 5**-0.5, 7**-0.5, 1 / 4, 1 / 6])
    np.testing.assert_allclose(found.amplitude_Q, -taper_Q * size_Q / np.pi, rtol=1e-13)


class FollowingTest(parameterized.TestCase):
  def test_without_waves_the_next_point_is_one_mean_spacing_ahead(self):
    none = prime_waves.Waves(np.array([1.0]), np.array([0.0]))
    number_N = np.arange(3, 2_003)
    height_N = 1000.0 + number_N - 0.5
    found_N = prime_waves.following(height_N, number_N, none, lambda t_N: t_N - 1000.0)
    np.testing.assert_allclose(found_N, height_N + 1, atol=1e-5)

  def test_roots_of_a_sum_of_waves(self):
    # t + S(t) = n + 1/2 rises, so each point leads to the next exactly.
    sum_of = prime_waves.Waves(np.array([1.3, 2.9]), np.array([0.2, -0.1]))
    count = lambda t_N: t_N + sum(a * np.sin(w * t_N) for w, a in zip(*sum_of, strict=True))
    grid_N = np.linspace(990, 1210, 400_001)
    number_N = np.arange(1000, 1201)
    point_N = np.interp(number_N - 0.5, count(grid_N), grid_N)
    found_N = prime_waves.following(point_N[:-1], number_N[:-1], sum_of, lambda t_N: t_N)
    np.testing.assert_allclose(found_N, point_N[1:], atol=5e-6)

  def test_numbers_must_fit(self):
    with self.assertRaisesRegex(ValueError, r"got \(3,\), \(2,\)"):
      prime_waves.following(np.arange(3.0), np.arange(2), prime_waves.waves([2, 3], 3), _smooth)

  # docs/sources/zeros.md, section 7.1: R2, bias, RMSE and the NLL of a Gaussian, no fit.
  @parameterized.parameters(
    (100, 0.7658, 0.0001, 0.1974, -0.204),
    (1_000, 0.8817, 0.0000, 0.1403, -0.545),
    (10_000, 0.9438, 0.0001, 0.0967, -0.917),
    (100_000, 0.9717, 0.0002, 0.0686, -1.261),
  )
  @absltest.skipUnless(odlyzko.installed(), "Odlyzko's table is not installed")
  def test_the_table_of_the_spec(self, limit, r2, bias, rmse, nll):
    ordinate_N = zeros.ordinates(zeros.Config())[1_900_000:1_904_001]
    number_N = np.arange(1_900_001, 1_904_001)
    found_N = prime_waves.following(
      ordinate_N[:-1], number_N, prime_waves.waves(primes.below(limit + 1), limit), _smooth
    )
    start_N = zeros.unfold(ordinate_N[:-1])
    truth_N = zeros.unfold(ordinate_N[1:]) - start_N
    error_N = truth_N - (zeros.unfold(found_N) - start_N)
    square = np.mean(error_N**2)
    self.assertAlmostEqual(1 - square / truth_N.var(), r2, delta=5.1e-5)
    self.assertAlmostEqual(error_N.mean(), bias, delta=5.1e-5)
    self.assertAlmostEqual(np.sqrt(square), rmse, delta=5.1e-5)
    gaussian = 0.5 * np.log(2 * np.pi * np.e * error_N.var())
    self.assertAlmostEqual(gaussian, nll, delta=5.1e-4)


if __name__ == "__main__":
  absltest.main()
