import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import anchors, prime_lines, prime_waves
from primelens.tasks import primes, zeros, zeros_computed


def _heights(count, seed=0):
  rng = np.random.default_rng(seed)
  return 1e4 + np.cumsum(rng.uniform(0.2, 0.8, count))


class AmplitudesTest(parameterized.TestCase):
  def test_planted_waves_are_found_with_their_amplitudes(self):
    height_N = _heights(20_000)
    wave = lambda w, phase: np.cos(w * height_N + phase)
    residual_N = 0.3 * wave(0.7, 1.0) - 0.1 * wave(2.3, 0.4) + 5
    found = prime_lines.amplitudes(residual_N, height_N, [0.7, 2.3, 1.5])
    np.testing.assert_allclose(found, [0.3, 0.1, 0.0], atol=0.005)

  def test_equals_the_sum_written_out(self):
    height_N = _heights(50)
    residual_N = np.random.default_rng(1).normal(size=50)
    centred_N = residual_N - residual_N.mean()
    expected = abs(2 / 50 * np.sum(centred_N * np.exp(1.3j * height_N)))
    (found,) = prime_lines.amplitudes(residual_N, height_N, [1.3])
    self.assertAlmostEqual(found, expected)

  def test_rows_are_their_own(self):
    height_N = _heights(60)
    both = np.random.default_rng(1).normal(size=(2, 60))
    found = prime_lines.amplitudes(both, height_N, [0.5, 1.5, 2.5])
    for row, each in zip(both, found, strict=True):
      alone = prime_lines.amplitudes(row, height_N, [0.5, 1.5, 2.5])
      np.testing.assert_allclose(each, alone, atol=1e-6)

  def test_noise_has_the_rayleigh_law(self):
    # A^2 n / (4 sigma^2) is exponential: median sigma sqrt(4 ln 2 / n).
    height_N = _heights(4_000)
    noise_N = np.random.default_rng(2).normal(0, 0.4, 4_000)
    frequency_Q = np.linspace(1, 6, 800)
    found = prime_lines.amplitudes(noise_N, height_N, frequency_Q)
    expected = 0.4 * np.sqrt(4 * np.log(2) / 4_000)
    self.assertAlmostEqual(np.median(found) / expected, 1, delta=0.12)

  def test_bad_shapes_are_refused(self):
    with self.assertRaisesRegex(ValueError, "a residual per height"):
      prime_lines.amplitudes(np.ones(3), np.ones(4), [1.0])


class NumbersTest(parameterized.TestCase):
  def test_powers_and_composites_partition_the_numbers(self):
    prime_Q = primes.below(31)
    power_E = prime_lines.powers(prime_Q, 30)
    np.testing.assert_array_equal(power_E, [4, 8, 9, 16, 25, 27])
    composite_E = prime_lines.composites(prime_Q, 30)
    np.testing.assert_array_equal(composite_E, [6, 10, 12, 14, 15, 18, 20, 21, 22, 24, 26, 28, 30])


class OdlyzkoTest(absltest.TestCase):
  """The yardstick of docs/sources/zeros.md, section 7.1: 20,000 zeros."""

  def test_lines_of_primes_in_the_zeros(self):
    series = zeros.load(zeros.Config())
    part = slice(1_900_000, 1_920_000)  # from zero number 1,900,001
    residual_N = series.value_N[part].astype(np.float64) - 1
    height_N = series.ordinate_N[part]
    prime_Q = primes.below(3_000)
    found = prime_lines.amplitudes(residual_N, height_N, np.log(prime_Q))
    law_Q = prime_lines.law(prime_Q, height_N.mean())
    self.assertLen(prime_Q, 430)
    some = np.searchsorted(prime_Q, [2, 3, 5, 7, 11, 101, 499, 997, 2003])
    amplitude = [0.0804, 0.1021, 0.1125, 0.1120, 0.1051, 0.0465, 0.0189, 0.0100, 0.0074]
    law = [0.0808, 0.1038, 0.1159, 0.1168, 0.1123, 0.0591, 0.0285, 0.0196, 0.0130]
    np.testing.assert_allclose(found[some], amplitude, atol=6e-5)
    np.testing.assert_allclose(law_Q[some], law, atol=6e-5)
    correlation = np.corrcoef(found, law_Q)[0, 1]
    self.assertAlmostEqual(correlation, 0.988, delta=6e-4)
    slope = found @ law_Q / (law_Q @ law_Q)
    self.assertAlmostEqual(slope, 0.78, delta=0.005)
    composite_E = prime_lines.composites(prime_Q, 2_999)
    null = prime_lines.amplitudes(residual_N, height_N, np.log(composite_E))
    self.assertAlmostEqual(np.median(null), 0.0045, delta=3e-4)
    self.assertAlmostEqual(null.max(), 0.016, delta=5e-4)
    self.assertEqual(np.sum(found > null.max()), 122)
    # Powers carry sin(m t ln p) / (m p^(m/2)) of S.
    for power, exponent in ((4, 2), (8, 3), (16, 4)):
      (line,) = prime_lines.amplitudes(residual_N, height_N, [np.log(power)])
      (expected,) = prime_lines.law([2], height_N.mean(), power=exponent)
      self.assertAlmostEqual(line / expected, 1, delta=0.15)

  def test_lines_of_primes_in_what_a_filter_predicts(self):
    series = zeros.load(zeros.Config())
    index_N = np.arange(1_900_000, 1_920_000)
    # The row there was fitted once, on the 20,000 spacings before.
    fit = anchors.adaptive(series.value_N, index_N, block=20_000)
    error_N = fit.prediction_N - series.value_N[index_N]
    r2 = 1 - np.mean(error_N**2) / series.value_N[index_N].var()
    self.assertAlmostEqual(r2, 0.933, delta=6e-4)
    height_N = series.ordinate_N[index_N]
    prime_Q = primes.below(3_000)
    found = prime_lines.amplitudes(fit.prediction_N, height_N, np.log(prime_Q))
    some = np.searchsorted(prime_Q, [2, 3, 5, 7, 11, 101, 499, 997, 2003])
    expected = [0.0874, 0.1149, 0.1226, 0.1286, 0.1164, 0.0458, 0.0158, 0.0089, 0.0049]
    np.testing.assert_allclose(found[some], expected, atol=6e-5)
    law_Q = prime_lines.law(prime_Q, height_N.mean())
    self.assertAlmostEqual(np.corrcoef(found, law_Q)[0, 1], 0.975, delta=6e-4)
    composite_E = prime_lines.composites(prime_Q, 2_999)
    null = prime_lines.amplitudes(fit.prediction_N, height_N, np.log(composite_E))
    self.assertEqual(np.sum(found > null.max()), 54)


class DisplacementsTest(absltest.TestCase):
  """Landau's sums on zeros 100,000 to 106,000."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    ordinate_N = zeros_computed.compute(100_000, 6_001)
    cls.height_N = ordinate_N[:-1]
    cls.gap_N = prime_waves.mean_spacing(cls.height_N)
    cls.spacing_N = np.diff(ordinate_N) / cls.gap_N
    cls.prime_Q = primes.below(1_000)
    cls.law_Q = prime_lines.law(cls.prime_Q, cls.height_N.mean())

  def _slope(self, found_Q, part=slice(None)) -> float:
    law_Q = self.law_Q[part]
    return float(np.abs(found_Q)[part] @ law_Q / (law_Q @ law_Q))

  def test_the_true_spacings_follow_the_law_at_small_and_large_primes(self):
    found_Q = prime_lines.displacements(
      self.spacing_N, self.height_N, self.gap_N, np.log(self.prime_Q)
    )
    np.testing.assert_allclose(np.abs(found_Q)[:4], self.law_Q[:4], rtol=0.02)
    for part in (slice(0, 25), slice(25, None)):
      self.assertAlmostEqual(self._slope(found_Q, part), 1, delta=0.03)

  def test_to_first_order_the_large_ones_fall_behind(self):
    found_Q = prime_lines.coefficients(self.spacing_N, self.height_N, np.log(self.prime_Q))
    self.assertLess(self._slope(found_Q, slice(25, None)), 0.9)

  def test_small_spacings_have_the_same_waves_both_ways(self):
    small_N = 1 + 1e-4 * (self.spacing_N - 1)
    log_Q = np.log(self.prime_Q[:20])
    exact_Q = prime_lines.displacements(small_N, self.height_N, self.gap_N, log_Q)
    first_Q = prime_lines.amplitudes(small_N, self.height_N, log_Q)
    np.testing.assert_allclose(np.abs(exact_Q), first_Q, atol=1e-6)

  def test_a_constant_has_none(self):
    found_RxQ = prime_lines.displacements(
      np.ones((2, 6_000)), self.height_N, self.gap_N, [0.7, 1.1]
    )
    self.assertEqual(found_RxQ.shape, (2, 2))
    np.testing.assert_allclose(found_RxQ, 0, atol=1e-12)


class PlantedTest(absltest.TestCase):
  def test_planted_waves_have_their_amplitudes(self):
    height_N = _heights(4_000)
    planted_N = prime_lines.planted(np.zeros(4_000), height_N, [1.1, 2.3], [0.3, 0.1], seed=0)
    found_Q = prime_lines.amplitudes(planted_N, height_N, [1.1, 2.3, 1.7])
    np.testing.assert_allclose(found_Q, [0.3, 0.1, 0], atol=0.01)


if __name__ == "__main__":
  absltest.main()
