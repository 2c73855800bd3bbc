import numpy as np
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import slots as slots_lib


class DominantTest(absltest.TestCase):
  def test_a_sinusoid_has_its_amplitude_times_half_the_width(self):
    phase = 2 * np.pi * 5 * np.arange(64) / 64
    slots = np.stack([3 * np.cos(phase + 1), 2 + np.cos(2 * phase)])
    size, frequency = slots_lib.dominant(slots)
    np.testing.assert_allclose(size, [3 * 32, 32])
    np.testing.assert_array_equal(frequency, [5, 10])

  def test_short_vectors_are_refused(self):
    with self.assertRaisesRegex(ValueError, "4 numbers"):
      slots_lib.dominant(np.ones((2, 3)))
    with self.assertRaisesRegex(ValueError, "slots MxD"):
      slots_lib.frequency_test(np.ones(8))


class SlotTestTest(parameterized.TestCase):
  def test_a_planted_sinusoid_is_found(self):
    rng = np.random.default_rng(0)
    wave = np.cos(2 * np.pi * 7 * np.arange(128) / 128)
    slots = rng.normal(size=(8, 128)) + 0.8 * wave
    found = slots_lib.frequency_test(slots)
    self.assertEqual(found.p, 1 / 1001)
    self.assertGreater(found.z, 5)

  def test_gaussian_slots_have_uniform_p_and_the_published_null_does_not(self):
    rng = np.random.default_rng(1)
    draws = [rng.normal(0, 0.02, (8, 64)) for _ in range(150)]
    ours, theirs = (
      np.array([test(slots, draws=200, seed=k).p for k, slots in pairs])
      for test, pairs in (
        (slots_lib.frequency_test, list(enumerate(draws))),
        (slots_lib.frequency_test_as_published, list(enumerate(draws))),
      )
    )
    self.assertGreater(scipy.stats.kstest(ours, "uniform").pvalue, 0.01)
    # A mean of 8 hardly ever lies in the tails of single vectors.
    self.assertLess(scipy.stats.kstest(theirs, "uniform").pvalue, 1e-6)
    self.assertGreater(theirs.min(), 0.05)

  @parameterized.parameters((128, 0.427, 0.054), (256, 0.591, 0.066))
  def test_the_published_nulls_are_of_single_vectors(self, width, mean, sd):
    """0.427 +- 0.054 and 0.591 +- 0.066, of 128 and 256 numbers."""
    slots = np.random.default_rng(2).normal(size=(4, width))
    found = slots_lib.frequency_test_as_published(slots, draws=4000)
    self.assertAlmostEqual(found.null_sd / found.null, sd / mean, delta=0.009)
    # What they stand for: vectors with a std of .016 to .018.
    self.assertAlmostEqual(mean / found.null * slots.std(), 0.017, delta=2e-3)
    averaged = slots_lib.frequency_test(slots, draws=4000)
    self.assertAlmostEqual(averaged.null_sd, found.null_sd / 2, delta=0.2)

  def test_order_of_the_axis_decides_although_no_network_knows_it(self):
    wave = np.cos(2 * np.pi * 7 * np.arange(128) / 128)
    slots = np.tile(wave, (4, 1))
    mixed = slots[:, np.random.default_rng(0).permutation(128)]
    self.assertLess(slots_lib.frequency_test(slots).p, 0.01)
    self.assertGreater(slots_lib.frequency_test(mixed).p, 0.01)


if __name__ == "__main__":
  absltest.main()
