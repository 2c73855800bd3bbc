import jax
import numpy as np
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.analyses import fourier

V = 20
PLACE = np.arange(V)
best_period = jax.jit(lambda x: fourier.best_period(x, PERIODS))
better_wave = jax.jit(fourier.better_wave)
free_wave = jax.jit(fourier.free_wave)
compiled = Jitted(fourier)
smooth_curves = jax.jit(fourier.smooth_curves, static_argnums=(1, 2))
PERIODS = np.arange(40, 301) / 10


def _wave(frequency, phase=0.0):
  angle_V = 2 * np.pi * frequency * PLACE / V + phase
  return np.cos(angle_V).astype(np.float32)


def _normal(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class WavesTest(parameterized.TestCase):
  @parameterized.parameters((3, 0.0, 1.0), (3, np.pi / 2, 1.0), (1, 0.6, None))
  def test_better_of_sine_and_cosine(self, frequency, phase, expected):
    curve_V = 4 * _wave(frequency, phase)
    found = better_wave(curve_V, frequency)
    expected = expected or max(abs(np.cos(phase)), abs(np.sin(phase)))
    np.testing.assert_allclose(found.similarity, expected, atol=1e-6)
    self.assertAlmostEqual(float(found.period), V / frequency, places=5)
    if phase == 0:
      np.testing.assert_allclose(found.wave_V, curve_V, atol=1e-5)

  def test_another_frequency_is_orthogonal(self):
    self.assertLess(float(better_wave(_wave(3, 0.4), 2).similarity), 1e-6)
    self.assertLess(float(free_wave(_wave(3, 0.4), 2).similarity), 1e-6)

  @parameterized.parameters(0, 1, 4, 10)
  def test_free_phase_is_the_share_of_the_transform(self, frequency):
    curve_V = _normal(V)
    size_Q = np.abs(np.fft.rfft(curve_V)) ** 2
    size_Q[1:-1] *= 2
    expected = (size_Q[frequency] / size_Q.sum()) ** 0.5
    if frequency:
      found = free_wave(curve_V, frequency).similarity
      np.testing.assert_allclose(found, expected, rtol=1e-5)
    if frequency == 10:  # its sine is 0 everywhere
      found = better_wave(curve_V, frequency).similarity
      np.testing.assert_allclose(found, expected, rtol=1e-5)

  def test_nothing_is_like_nothing(self):
    self.assertEqual(float(better_wave(np.zeros(V), 1).similarity), 0)
    self.assertEqual(float(best_period(np.zeros(V)).similarity), 0)

  @parameterized.parameters(5.3, 13.1, 27.4)
  def test_planted_period_is_found(self, period):
    curve_V = 3 * np.sin(2 * np.pi * PLACE / period + 0.7)
    found = best_period(curve_V.astype(np.float32))
    self.assertAlmostEqual(float(found.period), period, places=5)
    np.testing.assert_allclose(found.similarity, 1, atol=1e-6)
    np.testing.assert_allclose(found.wave_V, curve_V, atol=1e-4)

  def test_best_period_equals_least_squares(self):
    curve_V = _normal(V).astype(float)
    left = []
    for period in PERIODS:
      angle_V = 2 * np.pi * PLACE / period
      design_Vx2 = np.stack([np.cos(angle_V), np.sin(angle_V)], 1)
      left.append(np.linalg.lstsq(design_Vx2, curve_V, rcond=None)[1][0])
    found = best_period(curve_V.astype(np.float32))
    self.assertAlmostEqual(float(found.period), PERIODS[np.argmin(left)], 4)
    expected = (1 - min(left) / np.sum(curve_V**2)) ** 0.5
    np.testing.assert_allclose(found.similarity, expected, rtol=1e-5)

  def test_short_periods_are_refused(self):
    with self.assertRaisesRegex(ValueError, "exceed 2 places, got 2"):
      fourier.best_period(np.ones(V), [2, 5])


class ChanceTest(parameterized.TestCase):
  def test_neighbour_correlation(self):
    found = compiled.neighbour_correlation(np.cos(2 * np.pi * np.arange(4000) / 13))
    self.assertAlmostEqual(float(found), np.cos(2 * np.pi / 13), places=2)
    self.assertEqual(float(compiled.neighbour_correlation(np.zeros(5))), 0)

  @parameterized.parameters(0.9, 0.4)
  def test_smooth_curves_have_the_correlation_told(self, neighbour):
    curve_RxV = np.asarray(smooth_curves(jax.random.key(0), 6000, 4, neighbour))
    # 6,000 draws of variance 1: products have errors of about .02.
    product_VxV = curve_RxV.T @ curve_RxV / len(curve_RxV)
    lag_VxV = np.subtract.outer(np.arange(4), np.arange(4))
    expected_VxV = neighbour ** (lag_VxV.astype(float) ** 2)
    np.testing.assert_allclose(product_VxV, expected_VxV, atol=0.07)
    np.testing.assert_allclose(curve_RxV.mean(0), 0, atol=0.06)

  @parameterized.parameters(20, 21)
  def test_phases_are_shuffled_and_sizes_kept(self, length):
    x_NxV = 2 + _normal(50, length)
    found_NxV = np.asarray(compiled.shuffle_phases(jax.random.key(1), x_NxV))
    size, found_size = (np.abs(np.fft.rfft(x)) for x in (x_NxV.astype(float), found_NxV))
    np.testing.assert_allclose(found_size, size, atol=1e-4)
    np.testing.assert_allclose(found_NxV.mean(1), x_NxV.mean(1), atol=1e-5)
    first_N, found_N = (np.fft.rfft(x)[:, 1] for x in (x_NxV, found_NxV))
    turn_N = np.angle(found_N / first_N)
    self.assertLess(abs(np.exp(1j * turn_N).mean()), 0.4)  # 50 phases

  def test_random_basis(self):
    basis_VxV = fourier.random_basis(V, [0, 3])
    np.testing.assert_allclose(basis_VxV @ basis_VxV.T, np.eye(V), atol=1e-12)
    np.testing.assert_allclose(np.abs(basis_VxV[0]), V**-0.5)
    other_VxV = fourier.random_basis(V, [0, 4])
    self.assertGreater(np.abs(other_VxV[1:] - basis_VxV[1:]).max(), 0.1)

  @parameterized.product(count=(0, 1, 4, 10), length=(20, 21))
  def test_planes_of_the_fourier_basis_are_frequencies(self, count, length):
    x_NxV = 3 + _normal(6, length)
    if length % 2 == 0:
      # |rfft| of the alternating vector is sqrt 2 of its energy's root.
      x_NxV -= np.outer(
        (x_NxV * (-1.0) ** np.arange(length)).mean(1), (-1.0) ** np.arange(length)
      ).astype(np.float32)
    found = compiled.top_planes_reconstruct(fourier.basis(length), x_NxV, count)
    expected = compiled.top_frequencies_reconstruct(x_NxV, count)
    np.testing.assert_allclose(found, expected, atol=2e-5)

  def test_planes_of_any_basis(self):
    basis_VxV, x_V = fourier.random_basis(5, 0), _normal(5)
    coefficient_V = basis_VxV @ x_V
    first = np.sum(coefficient_V[1:3] ** 2) > np.sum(coefficient_V[3:] ** 2)
    coefficient_V[3:5] *= not first
    coefficient_V[1:3] *= first
    found = compiled.top_planes_reconstruct(basis_VxV, x_V, 1)
    np.testing.assert_allclose(found, coefficient_V @ basis_VxV, atol=1e-6)
    whole = compiled.top_planes_reconstruct(basis_VxV, x_V, 2)
    np.testing.assert_allclose(whole, x_V, atol=1e-6)


if __name__ == "__main__":
  absltest.main()
