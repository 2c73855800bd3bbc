import numpy as np
from absl.testing import absltest
from primelens.analyses import sine_process, slots

TAU_Q = np.arange(0.02, 2.0, 0.02)


class StatisticsTest(absltest.TestCase):
  def test_independent_levels(self):
    # Poisson: K = 1, no ramp, as many levels as their variance; in any units.
    rows_NxG = 3 * np.random.default_rng(0).exponential(size=(60, 256))
    found = slots.trajectory_statistics(rows_NxG, TAU_Q, (2.0, 5.0))
    self.assertAlmostEqual(found.mean, 3.0, delta=0.1)
    for value_N, expected in (
      (found.plateau_N, 1.0),
      (found.slope_N, 0.0),
      (found.variance_NxQ[:, 0], 2.0),
      (found.variance_NxQ[:, 1], 5.0),
    ):
      error = value_N.std(ddof=1) / len(value_N) ** 0.5
      self.assertLess(abs(value_N.mean() - expected), 4 * error + 0.02 * expected)

  def test_equidistant_levels(self):
    found = slots.trajectory_statistics(np.full((2, 256), 0.8), TAU_Q, (2.5,))
    np.testing.assert_allclose(found.plateau_N, 0, atol=1e-3)
    np.testing.assert_allclose(found.variance_NxQ, 0.25, atol=0.01)  # 2 or 3

  def test_published_plateau_of_independent_spacings(self):
    # docs/sources/zeros.md, section 4.9: .87 for the surmise, spread .24 to .29.
    rng = np.random.default_rng(1)
    s = np.linspace(0, 6, 6001)
    cdf = sine_process.spacing_cdf(s, "gue")
    draw = lambda: np.interp(rng.random((50, 512)), cdf, s)
    found_R = np.array([slots.plateau_as_published(draw()) for _ in range(60)])
    self.assertAlmostEqual(found_R.mean(), 0.87, delta=0.12)
    self.assertBetween(found_R.std(ddof=1), 0.18, 0.36)


class BiasTest(absltest.TestCase):
  def test_takes_one_marginal_to_the_other(self):
    rng = np.random.default_rng(0)
    p_V, q_V = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    target_N, own_N = (rng.choice(3, 200_000, p=x) for x in (p_V, q_V))
    bias_V = slots.matched_bias(target_N, own_N, 3)
    found_V = q_V * np.exp(bias_V)
    np.testing.assert_allclose(found_V / found_V.sum(), p_V, atol=0.005)

  def test_is_zero_between_equals(self):
    token_N = np.array([0, 2, 2, 5])
    np.testing.assert_array_equal(slots.matched_bias(token_N, token_N[::-1], 8), np.zeros(8))

  def test_published_gains(self):
    # docs/sources/zeros.md, section 5.12: 0.5163 -> 0.8415 and 0.4242; 0.85 -> 1.72.
    gain = slots.gain_percent_as_published
    self.assertAlmostEqual(float(gain(0.8415, 0.5163)), 63, delta=0.5)
    self.assertAlmostEqual(float(gain(0.4242, 0.5163)), -18, delta=0.5)


if __name__ == "__main__":
  absltest.main()
