import numpy as np
from absl.testing import absltest
from primelens.analyses import autoregression, known_primes, prime_waves, sine_process
from primelens.studies.zeros import guides
from primelens.tasks import primes, zeros, zeros_computed

FIRST, COUNT, BEFORE = 1_900_001, 4_000, 64


class KnownTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    ordinate_N = zeros_computed.compute(FIRST, COUNT + BEFORE + 1)
    cls.value_N = np.diff(zeros.unfold(ordinate_N))
    cls.ordinate_N = ordinate_N[:-1]
    cls.index_N = np.arange(BEFORE, len(cls.value_N))
    cls.truth_N = cls.value_N[BEFORE:]
    cls.height_N = cls.ordinate_N[BEFORE:]
    moments = sine_process.spacing_moments(20)
    kernel = autoregression.yule_walker(moments.autocovariance_Q)
    cls.kernel_N = cls._filtered(kernel.order(20)[0])

  @classmethod
  def _filtered(cls, phi_Q):
    guess_N = autoregression.predict(cls.value_N - 1, phi_Q, cls.index_N)
    return 1 + guess_N

  def _known(self, *means, limit=700):
    return known_primes.knowledge(
      np.array(means),
      self.truth_N,
      self.height_N,
      primes.below(limit),
      line_A=guides.lines(limit),
      floor=known_primes.r2(self.kernel_N[None], self.truth_N)[0],
      seed=0,
    )

  def test_constants_leave_all_whatever_they_say(self):
    constants = [np.full(COUNT, value) for value in (0.0, 0.4, 1.0)]
    found = self._known(*constants, limit=100)
    np.testing.assert_allclose(found.left_ExQ, 1, atol=0.02)
    self.assertEqual(found.count_E.tolist(), [0, 0, 0])

  def test_noise_leaves_more_than_half(self):
    rng = np.random.default_rng(0)
    noise = [rng.normal(1, spread, COUNT) for spread in (0.2, 0.8)]
    self.assertGreater(self._known(*noise, limit=100).left_ExQ.min(), 0.5)

  def test_a_filter_on_the_last_spacing_knows_nothing(self):
    # H = 1 at the Nyquist frequency, ln p = pi / d, at any other's cost; R2
    # of -0.68 is above 0.
    swings = [self._filtered([phi]) for phi in (-0.68, -1.0)]
    found = self._known(*swings, self.kernel_N)
    left_ExQ = found.left_ExQ[:2, found.stands_Q]
    self.assertGreater((left_ExQ < known_primes.KNOWN).sum(1).min(), 10)
    self.assertEqual(found.count_E.tolist(), [0, 0, 0])
    self.assertEqual(found.beside_E.tolist(), [0, 0, 0])

  def test_small_errors_count_beside_the_primes_as_well(self):
    # Of errors that are white, and of what the primes to 1,000 leave.
    rng = np.random.default_rng(0)
    white_N = self.truth_N + rng.normal(0, 0.01, COUNT)
    number_N = FIRST + self.index_N
    formula_N = guides.explicit_spacings(self.height_N, number_N, 1_000)
    found = self._known(white_N, formula_N)
    stands = found.stands_Q.sum()
    self.assertEqual(found.count_E[0], stands)
    self.assertGreater(found.beside_E[0], 0.8 * stands)
    self.assertBetween(found.count_E[1], 0.3 * stands, 0.9 * stands)
    self.assertLess(found.beside_E[1], 0.7 * found.count_E[1])

  def test_lines_are_gone_from_white_errors_of_any_size(self):
    # What "known" does not say: how it was done. The truth with noise of a
    # tenth of its variance has no line left in its errors.
    spread = np.sqrt(0.1 * self.truth_N.var())
    noise_N = np.random.default_rng(0).normal(0, spread, COUNT)
    found = self._known(self.truth_N + noise_N)
    self.assertGreater(found.count_E[0], 0.9 * found.stands_Q.sum())
    self.assertLess(found.beside_E[0], 0.3 * found.stands_Q.sum())

  def test_the_truth_leaves_nothing(self):
    found = self._known(self.truth_N, limit=100)
    np.testing.assert_allclose(found.left_ExQ, 0, atol=1e-6)
    self.assertEqual(found.count_E[0], found.stands_Q.sum())
    self.assertEqual(found.beside_E[0], found.stands_Q.sum())

  def test_waves_stand_out_where_there_is_a_line(self):
    # Shuffled, the spacings keep no line for anybody to know.
    self.assertGreater(self._known(self.truth_N).stands_Q.mean(), 0.9)
    self.truth_N = np.random.default_rng(0).permutation(self.truth_N)
    gap = prime_waves.mean_spacing(self.height_N[0])
    end_N = self.height_N[0] + gap * np.cumsum(self.truth_N)
    self.height_N = np.append(self.height_N[0], end_N[:-1])
    self.assertLess(self._known(self.truth_N).stands_Q.mean(), 0.05)


class ReadingTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.height_N = 1e6 + np.cumsum(rng.uniform(0.3, 0.7, 6_000))
    self.prime_Q = primes.below(30)
    phase_NxQ = self.height_N[:, None] * np.log(self.prime_Q) + self.prime_Q
    self.wave_NxQ = np.cos(phase_NxQ) / self.prime_Q

  def _read(self, *means):
    truth_N = 1 + 1e-3 * self.wave_NxQ.sum(1)
    return known_primes.read(
      np.array(means),
      truth_N,
      self.height_N,
      self.prime_Q,
      line_A=guides.lines(30),
      floor=0.0,
      draws=20,
      seed=0,
    )

  def test_gain_and_what_is_left_of_a_prediction_by_halves(self):
    # All of every wave; half; the first five primes alone.
    found = self._read(
      *(
        1 + 1e-3 * self.wave_NxQ @ weight_Q
        for weight_Q in (np.ones(10), np.full(10, 0.5), np.arange(10) < 5)
      )
    )
    known = found.knowledge
    np.testing.assert_allclose(known.gain_ExQ[0], 1, atol=1e-6)
    np.testing.assert_allclose(known.gain_ExQ[1], 0.5, atol=1e-3)
    np.testing.assert_allclose(known.left_ExQ[1], 0.5, atol=1e-3)
    np.testing.assert_allclose(known.gain_ExQ[2, :5], 1, atol=0.15)
    np.testing.assert_allclose(known.left_ExQ[2, 5:], 1, atol=0.3)
    self.assertTrue((found.max_t_ExQ[2, :5] < 0.05).all())
    self.assertTrue((found.max_t_ExQ[2, 5:] > 0.05).all())
    np.testing.assert_allclose(found.line_ExQ[0], 1e-3 / self.prime_Q, rtol=0.2)

  def test_record_of_a_prediction(self):
    mean_N = 1 + 1e-3 * self.wave_NxQ[:, :4].sum(1)
    found = self._read(mean_N)
    law_Q = 1e-3 / self.prime_Q
    row = known_primes.record(found, 0, mean_N, law_Q, self.prime_Q)
    self.assertEqual((row["found"], row["known"], row["stands"]), (4, 4, 10))
    self.assertEqual(row["beyond"], 4 - row["beside"])
    self.assertEqual(row["cutoff"], 19)  # 4 of the 8 primes to 19
    whole = np.sum(1 / self.prime_Q**2.0)
    share = np.sum(1 / self.prime_Q[:4] ** 2.0) / whole
    self.assertAlmostEqual(row["r2"], share, delta=0.02)

  def test_half_known_to(self):
    stands_Q = self.prime_Q > 2
    every_Q = np.ones(10, bool)
    for known, expected in (
      ((), 0),
      ((3,), 5),  # one of two
      ((2,), 0),  # does not stand out
      ((7,), 0),  # one of three
      ((3, 5, 11), 17),  # 3 of the 6 to 17
    ):
      known_Q = np.isin(self.prime_Q, known)
      found = known_primes.cutoff(known_Q, stands_Q, self.prime_Q)
      self.assertEqual(found, expected, known)
    self.assertEqual(known_primes.cutoff(every_Q, every_Q, self.prime_Q), 29)

  def test_nothing_is_found_where_nothing_is_judged(self):
    mean_N = 1 + 1e-3 * self.wave_NxQ.sum(1)
    found = self._read(mean_N)
    blind = found._replace(max_t_ExQ=np.full_like(found.max_t_ExQ, np.nan))
    law_Q = 1e-3 / self.prime_Q
    row = known_primes.record(blind, 0, mean_N, law_Q, self.prime_Q)
    self.assertEqual((row["judged"], row["found"]), (0, 0))

  def test_running_medians_have_fewer_neighbours_at_the_ends(self):
    found_Q = known_primes.smooth(np.array([5.0, 0.0, 1.0, 9.0, 2.0]), 5)
    np.testing.assert_array_equal(found_Q, [5, 1, 2, 1.5, 2])


if __name__ == "__main__":
  absltest.main()
