import numpy as np
import odlyzko
from absl.testing import absltest, parameterized
from primelens.analyses import form_factors, resonance
from primelens.tasks import binned, surrogates, windows, zeros


def _lattice(count, width, seed=0):
  """Spacings of n + d_n, d_n uniform on +- width / 2."""
  rng = np.random.default_rng(seed)
  return 1 + np.diff(rng.uniform(-width / 2, width / 2, count + 1))


class PeakTest(parameterized.TestCase):
  def test_height_and_width_of_a_noisy_lattice(self):
    count, width = 20_000, 0.5
    tau_T = resonance.grid(count)
    k_T = resonance.curve(_lattice(count, width), tau_T)
    found = resonance.peak(k_T, tau_T)
    # K(1) = N |E e^(2 pi i d)|^2, and (sin x / x)^2 around it.
    height = count * np.sinc(width) ** 2
    self.assertAlmostEqual(found.tau, 1, delta=0.1 / count)
    self.assertAlmostEqual(found.height / height, 1, delta=0.02)
    expected_T = height * np.sinc(count * (tau_T - 1)) ** 2
    np.testing.assert_allclose(k_T, expected_T, atol=0.02 * height)
    self.assertAlmostEqual(tau_T[-1] - 1, 10 / count, delta=0.2 / count)

  def test_unitary_matrices_end_to_end(self):
    # Each row's sum of e^(2 pi i u) has mean 1, mean square N (its trace U^N):
    # K(1) = 1 + (R - 1) / N.
    rows, size, draws = 24, 8, 120
    found = []
    for seed in range(draws):
      gap_RxN = surrogates.cue_spacings(seed, matrices=rows, size=size)
      level_N = np.cumsum(gap_RxN)
      found.append(form_factors.unconnected(level_N, 1.0)[0])
    error = np.std(found) / np.sqrt(draws)
    self.assertLess(abs(np.mean(found) - 1 - (rows - 1) / size), 4 * error)


class JitterTest(parameterized.TestCase):
  def test_expected_is_the_double_sum(self):
    gap_N, width = _lattice(60, 0.4), 0.2
    level_N, tau = np.cumsum(gap_N), 0.97
    order = np.abs(np.subtract.outer(range(60), range(60)))
    x = np.pi * tau * width
    weight_NxN = (np.sin(x) / x) ** order
    wave_NxN = np.exp(2j * np.pi * tau * np.subtract.outer(level_N, level_N))
    expected = np.real(np.sum(weight_NxN * wave_NxN)) / 60
    found_T = resonance.expected(gap_N, [tau], width)
    np.testing.assert_allclose(found_T, [expected], rtol=1e-10)

  def test_expected_without_jitter_is_the_curve(self):
    gap_N = _lattice(500, 0.4)
    tau_T = resonance.grid(500)
    np.testing.assert_allclose(
      resonance.expected(gap_N, tau_T, 0.0), resonance.curve(gap_N, tau_T), rtol=1e-6, atol=1e-9
    )

  def test_expected_is_the_mean_over_jitters(self):
    gap_N, width = _lattice(2000, 0.3), 0.1
    tau_T = 1 + np.arange(-3, 4) / (4 * np.pi * 2000)
    k_RxT = np.stack(
      [resonance.curve(resonance.jittered(gap_N, width, seed), tau_T) for seed in range(600)]
    )
    error_T = k_RxT.std(0) / np.sqrt(600)
    gap_T = k_RxT.mean(0) - resonance.expected(gap_N, tau_T, width)
    np.testing.assert_array_less(np.abs(gap_T), 4 * error_T)
    # Jitter of the spacings takes most of the peak away.
    self.assertLess(k_RxT.mean(0).max(), 0.6 * resonance.curve(gap_N, tau_T)[3])

  def test_jitter_is_seeded_and_uniform(self):
    first_N, again_N, other_N = (
      resonance.jittered(np.ones(20_000), 0.5, seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first_N, again_N)
    self.assertGreater(np.abs(first_N - other_N).max(), 0.1)
    self.assertBetween(first_N.min(), 0.75, 0.751)
    self.assertAlmostEqual(first_N.var(), 0.25 / 12, delta=6e-4)


class AsPublishedTest(absltest.TestCase):
  def test_jitter(self):
    middle_N = np.full(9000, 0.0078125)
    found_N = resonance.jittered_as_published(middle_N, 1.0, 0)
    self.assertEqual(found_N.min(), 0.001)
    self.assertBetween(found_N.max(), 0.0155, 0.015625)
    found_N = resonance.jittered_as_published(middle_N, 0.0, 0)
    np.testing.assert_array_equal(found_N, middle_N)

  def test_coarse_grid_is_the_sum_term_by_term(self):
    gap_N = np.random.default_rng(0).exponential(size=300)
    tau_Q = np.linspace(0.5, 10, 2000)
    k_Q = form_factors.form_factor_as_published(gap_N[1:] / gap_N.mean(), tau_Q)
    peak = k_Q[(tau_Q > 5.5) & (tau_Q < 7)].max()
    background = k_Q[(tau_Q > 3) & (tau_Q < 5)].mean()
    found = resonance.spike_as_published(gap_N)
    np.testing.assert_allclose(found, (peak, background, peak / background))
    k_Q = form_factors.form_factor_as_published(gap_N[1:] / gap_N.mean(), tau_Q + 0.25 * 9.5 / 1999)
    inside_Q = (tau_Q > 5.5) & (tau_Q < 6.999)
    moved = resonance.peak_as_published(gap_N, 0.25)
    self.assertAlmostEqual(moved, k_Q[inside_Q].max())

  @absltest.skipUnless(odlyzko.installed(), "The extra 'zeros' is not installed.")
  def test_published_numbers(self):
    value_N = zeros.load(zeros.Config(split="published_tail")).value_N
    first, last = windows.published_tail(len(value_N), window=256)["test"]
    middle_N = binned.decode(np.asarray(binned.encode(value_N)))
    found = resonance.spike_as_published(middle_N[first:last])
    # docs/sources/zeros.md, section 4.10: 11.28, ratio 17.
    self.assertAlmostEqual(found.peak, 11.28, delta=0.005)
    self.assertAlmostEqual(found.ratio, 17, delta=0.5)
    # docs/sources/zeros.md, section 5.12: the plateau by number of spacings, from the first.
    for count, reported in (
      (512, 1.58),
      (1024, 2.06),
      (4096, 3.71),
      (16384, 4.57),
      (100_000, 2.16),
      (199_936, 2.37),
    ):
      head_N = middle_N[:count]
      found = form_factors.plateau_as_published(head_N, "scaling")
      self.assertAlmostEqual(found, reported, delta=0.0061)


if __name__ == "__main__":
  absltest.main()
