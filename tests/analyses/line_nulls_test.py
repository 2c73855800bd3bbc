import numpy as np
from absl.testing import absltest
from primelens.analyses import line_nulls, prime_lines
from primelens.tasks import primes

LIMIT = 3_000


def _heights(count: int) -> np.ndarray:
  return 1e6 + np.cumsum(np.random.default_rng(0).uniform(0.3, 0.8, count))


def _lines(limit: int = LIMIT) -> np.ndarray:
  return prime_lines.every_line(primes.below(2 * limit), 2 * limit - 1)


class FrequenciesTest(absltest.TestCase):
  def test_distance_by_hand(self):
    found_F = line_nulls.distance([0.5, 1.2, 2.9, 4.0], [3.0, 1.0, 2.0])
    np.testing.assert_allclose(found_F, [0.5, 0.2, 0.1, 1.0])

  def test_resolution_is_a_turn_over_the_range(self):
    self.assertAlmostEqual(line_nulls.resolution([10.0, 30.0, 110.0]), 0.02 * np.pi)

  def test_beside_the_primes_there_is_no_line(self):
    height_N = _heights(8_000)
    width = 2 * np.pi / np.ptp(height_N)
    log_Q = np.log(primes.below(LIMIT))
    near_RxQ = line_nulls.beside(log_Q, _lines(), height_N, draws=40, seed=1)
    self.assertEqual(near_RxQ.shape, (40, 430))
    room_Q = ~np.isnan(near_RxQ).any(0)
    self.assertTrue((np.isnan(near_RxQ).all(0) == ~room_Q).all())
    aside = np.abs(near_RxQ - log_Q)[:, room_Q] / width
    self.assertTrue(((aside >= 3) & (aside <= 20)).all())
    to_a_line = np.abs(near_RxQ[:, room_Q, None] - _lines()).min() / width
    self.assertGreaterEqual(to_a_line, 1.5 - 1e-9)
    # All of the first primes have room, and a part of the last.
    self.assertTrue(room_Q[:200].all())
    self.assertBetween(room_Q.mean(), 0.8, 0.99)

  def test_too_few_spacings_leave_no_room(self):
    near_RxQ = line_nulls.beside(
      np.log([2_990.0, 2_999.0]), _lines(), _heights(500), draws=20, seed=0
    )
    self.assertTrue(np.isnan(near_RxQ).all())

  def test_elsewhere_is_far_from_every_line(self):
    height_N = _heights(1_000)
    avoid_Q = np.log(primes.below(100))
    found = line_nulls.elsewhere(avoid_Q, height_N, 200, seed=0)
    width = 2 * np.pi / (height_N[-1] - height_N[0])
    distance = np.abs(found[:, None] - avoid_Q).min()
    self.assertGreater(distance, 3 * width)
    self.assertLen(found, 200)
    with self.assertRaisesRegex(ValueError, "leave no room"):
      line_nulls.elsewhere(np.log(primes.below(100)), _heights(9), 9, seed=0)


class TestedTest(absltest.TestCase):
  def test_a_wave_stands_out_and_has_no_room_at_another(self):
    height_N = _heights(4_000)
    rng = np.random.default_rng(2)
    frequency_Q = np.array([1.1, 2.3, 3.0, 3.0001])
    noise_2xN = rng.normal(size=(2, 4_000))
    noise_2xN[1] += 0.3 * np.cos(2.3 * height_N)
    beside_RxQ = np.array([rng.uniform(f + 0.02, f + 0.05, 99) for f in frequency_Q]).T
    beside_RxQ[:, 3] = np.nan
    found = line_nulls.test(
      lambda w_F: prime_lines.amplitudes(noise_2xN, height_N, w_F), frequency_Q, beside_RxQ
    )
    self.assertEqual(found.amplitude.shape, (2, 4))
    self.assertEqual(found.null.shape, (2, 99, 3))
    self.assertAlmostEqual(found.amplitude[1, 1], 0.3, delta=0.05)
    self.assertAlmostEqual(found.p[1, 1], 0.01)
    self.assertGreater(np.nanmin(found.p[0]), 0.05)
    self.assertTrue(np.isnan(found.p[:, 3]).all())

  def test_without_any_room_nothing_is_judged(self):
    found = line_nulls.test(
      lambda w_F: np.ones((1, len(w_F))), [1.0, 2.0], np.full((20, 2), np.nan)
    )
    self.assertTrue(np.isnan(found.p).all())
    self.assertEqual(found.null.shape, (1, 20, 0))

  def test_pure_noise_has_false_findings_in_one_of_twenty(self):
    height_N = _heights(1_000)
    rng = np.random.default_rng(5)
    log_Q = np.log(primes.below(50))
    beside_RxQ = line_nulls.beside(log_Q, _lines(50), height_N, draws=39, seed=2)
    noise_200xN = rng.normal(size=(200, 1_000))
    found = line_nulls.test(
      lambda w_F: prime_lines.amplitudes(noise_200xN, height_N, w_F), log_Q, beside_RxQ
    )
    false = np.mean(np.nanmin(found.p, 1) <= 0.05)
    self.assertBetween(false, 0.005, 0.1)


class LinesTest(absltest.TestCase):
  def test_a_wave_is_found_and_noise_is_not(self):
    height_N = _heights(3_000)
    rng = np.random.default_rng(3)
    frequency_Q = np.linspace(1, 6, 60)
    residual_N = rng.normal(size=3_000) + 0.3 * np.cos(frequency_Q[7] * height_N)
    null_RxQ = line_nulls.shuffled(residual_N, height_N, frequency_Q, draws=100, seed=0)
    amplitude_Q = prime_lines.amplitudes(residual_N, height_N, frequency_Q)
    found = line_nulls.lines(amplitude_Q, null_RxQ)
    self.assertEqual(list(np.flatnonzero(found.max_t_Q < 0.05)), [7])
    self.assertIn(7, np.flatnonzero(found.bh_Q < 0.05))
    self.assertAlmostEqual(found.p_Q[7], 1 / (100 * 60 + 1))
    self.assertAlmostEqual(found.max_t_Q[7], 1 / 101)
    rest = np.delete(found.p_Q, 7)
    self.assertBetween(np.mean(rest), 0.35, 0.65)


if __name__ == "__main__":
  absltest.main()
