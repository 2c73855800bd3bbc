import numpy as np
from absl.testing import absltest
from primelens.analyses import wave_response


def _regular(targets: int, lags: int, step: float):
  """Heights of inputs and targets on a regular grid."""
  target_M = step * (100 + np.arange(targets))
  return target_M[:, None] - step * np.arange(lags, 0, -1), target_M


class ResponseTest(absltest.TestCase):
  def test_a_wave_that_is_continued_exactly_has_response_one(self):
    # r_n = 2 cos(w d) r_n-1 - r_n-2 of every wave cos(w n d + b).
    wave, step = 1.7, 0.6
    height_MxT, target_M = _regular(5, 2, step)
    jacobian_MxT = np.tile([-1.0, 2 * np.cos(wave * step)], (5, 1))
    found_F = wave_response.response(jacobian_MxT, height_MxT, target_M, [wave, 0.4])
    np.testing.assert_allclose(found_F[0], 1, atol=1e-6)
    self.assertGreater(abs(found_F[1] - 1), 0.1)

  def test_spectrum_of_an_autoregression(self):
    phi_Q = np.array([0.5, -0.3, 0.2])
    height_MxT, target_M = _regular(4, 3, 1.0)
    frequency_F = np.linspace(0.2, 3, 20)
    found_F = wave_response.spectrum(
      wave_response.response(np.tile(phi_Q[::-1], (4, 1)), height_MxT, target_M, frequency_F)
    )
    lag_Q = np.arange(1, 4)
    error_F = 1 - np.exp(-1j * frequency_F[:, None] * lag_Q) @ phi_Q
    np.testing.assert_allclose(found_F, -np.log(abs(error_F) ** 2), atol=1e-5)

  def test_shapes_must_fit(self):
    with self.assertRaisesRegex(ValueError, r"\(4, 3\), \(4, 2\) and \(4,\)"):
      wave_response.response(np.zeros((4, 3)), np.zeros((4, 2)), np.zeros(4), [1.0])


class PeaksTest(absltest.TestCase):
  def _spectrum(self, lines, height):
    frequency_F = wave_response.grid(0.5, 4.0, 0.1)
    near_F = np.abs(frequency_F[:, None] - np.asarray(lines)).min(1)
    noise_F = np.random.default_rng(0).normal(0, 0.2, len(frequency_F))
    return frequency_F, noise_F + height * np.exp(-((near_F / 0.01) ** 2))

  def test_planted_peaks_are_found_and_no_others(self):
    planted, empty = [0.9, 1.7, 2.4], [1.3, 2.0, 3.1]
    frequency_F, spectrum_F = self._spectrum(planted, 4.0)
    found = wave_response.peaks(
      spectrum_F, frequency_F, planted + empty, planted + empty, width=0.1
    )
    self.assertTrue(found.apart_Q.all())
    self.assertEqual(found.above_Q.tolist(), [True] * 3 + [False] * 3)
    # 6 lines in a range of 2.4: about 18 resolutions are between them.
    self.assertAlmostEqual(found.chance, 6 / 19, delta=0.04)

  def test_lines_within_the_resolution_are_left_out(self):
    frequency_F, spectrum_F = self._spectrum([1.0], 4.0)
    found = wave_response.peaks(
      spectrum_F, frequency_F, [1.0, 2.0, 2.05], [1.0, 2.0, 2.05], width=0.1
    )
    self.assertEqual(found.apart_Q.tolist(), [True, False, False])
    self.assertEqual(found.above_Q.tolist(), [True, False, False])

  def test_noise_is_above_no_more_often_than_chance_has_it(self):
    rng = np.random.default_rng(1)
    frequency_F = wave_response.grid(0.5, 4.0, 0.1)
    cell_F = ((frequency_F - 0.5) / 0.1).astype(int)
    line_Q = np.array([0.95, 1.55, 2.25, 3.05])
    counts = []
    for _ in range(300):
      found = wave_response.peaks(
        rng.normal(size=40)[cell_F], frequency_F, line_Q, line_Q, width=0.1
      )
      counts.append(found.above_Q.sum())
    self.assertLess(np.mean(counts), found.chance)

  def test_resolution(self):
    height_MxT, _ = _regular(3, 11, 0.5)
    self.assertAlmostEqual(wave_response.resolution(height_MxT), 2 * np.pi / 5)


if __name__ == "__main__":
  absltest.main()
