import collections

import numpy as np
import scipy.optimize
from absl.testing import absltest, parameterized
from primelens.analyses import kernels

D_Q = np.arange(1, 128.0)
PLANTED = {
  kernels.STRETCHED: (
    lambda d: (0.127 * d + 0.062) * np.exp(-1.16 * d**0.5) + 0.0017,
    (1.16,),
    (0.127, 0.062, 0.0017),
  ),
  "stretched exponential": (lambda d: 0.1 + np.exp(-0.6 * d**0.5), (0.6,), (1, 0.1)),
  kernels.WAVE: (
    lambda d: 1.2 * np.cos(0.357 * d - 2.05) * np.exp(-0.0024 * d) - 0.96,
    (0.357, 0.0024),
    (1.2 * np.cos(2.05), 1.2 * np.sin(2.05), -0.96),
  ),
  "sinc": (lambda d: 0.1 + 2 * np.sin(0.3 * d) / (0.3 * d), (0.3,), (2, 0.1)),
  kernels.SINC2: (lambda d: 0.1 + 2 * (np.sin(0.35 * d) / (0.35 * d)) ** 2, (0.35,), (2, 0.1)),
  "Gaussian": (lambda d: 0.1 + np.exp(-0.004 * d**2), (0.004,), (1, 0.1)),
  "exponential": (lambda d: 0.1 + np.exp(-0.05 * d), (0.05,), (1, 0.1)),
  "power law": (lambda d: 0.1 + d**-0.8, (0.8,), (1, 0.1)),
}


def _fit(name, value_Q):
  """Fits one family alone, or the monotone curve: the others would not be looked at."""
  families = {key: family for key, family in kernels.FAMILIES.items() if key == name}
  return kernels.fits(D_Q, value_Q, families=families)[name]


class PlantedTest(parameterized.TestCase):
  @parameterized.parameters(*PLANTED)
  def test_planted_kernels_are_found_with_their_parameters(self, name):
    curve, rates, amplitudes = PLANTED[name]
    value_Q = curve(D_Q)
    noise_Q = np.random.default_rng(0).normal(size=len(D_Q))
    noisy_Q = value_Q + 0.01 * value_Q.std() * noise_Q
    found = kernels.fits(D_Q, noisy_Q)
    best = kernels.winner(found)
    self.assertEqual(best.family, name)
    self.assertEqual(kernels.winner(found, "bic").family, name)
    self.assertAlmostEqual(best.r2, 1 - 1e-4, delta=5e-5)
    self.assertGreater(best.skill, 0.999)
    exact = _fit(name, value_Q)
    np.testing.assert_allclose(exact.rates, rates, rtol=1e-4)
    np.testing.assert_allclose(exact.amplitudes, amplitudes, rtol=1e-3)
    np.testing.assert_allclose(
      kernels.family_values(exact, [0.5, 200]), curve(np.array([0.5, 200])), rtol=1e-3, atol=1e-6
    )

  def test_the_fit_is_that_of_curve_fit(self):
    value_Q = PLANTED[kernels.STRETCHED][0](D_Q)
    value_Q = value_Q + 0.002 * np.random.default_rng(1).normal(size=127)
    fit = _fit(kernels.STRETCHED, value_Q)
    model = lambda d, a, b, c, e: (a * d + b) * np.exp(-c * d**0.5) + e
    theirs, _ = scipy.optimize.curve_fit(model, D_Q, value_Q, (0.1, 0.1, 1, 0), maxfev=9000)
    error_Q = value_Q - model(D_Q, *theirs)
    np.testing.assert_allclose(
      [*fit.amplitudes[:2], *fit.rates, fit.amplitudes[2]], theirs, rtol=1e-3
    )
    self.assertAlmostEqual(fit.r2, 1 - np.var(error_Q) / np.var(value_Q))
    loss = 127 * np.log(np.mean(error_Q**2))
    self.assertAlmostEqual(fit.aic, loss + 2 * 5, places=4)
    self.assertAlmostEqual(fit.bic, loss + np.log(127) * 5, places=4)

  def test_noise_is_constant_by_bic_and_often_a_wave_by_aic(self):
    rng = np.random.default_rng(0)
    by = {"aic": collections.Counter(), "bic": collections.Counter()}
    skills = []
    for draw in range(12):
      found = kernels.fits(D_Q, rng.normal(size=127), seed=draw)
      for name, counter in by.items():
        counter[kernels.winner(found, name).family] += 1
      skills.append(found[kernels.WAVE].skill)
      self.assertAlmostEqual(found[kernels.CONSTANT].skill, 0)
      self.assertLess(found[kernels.MONOTONE].skill, 0.2)
    self.assertGreaterEqual(by["bic"][kernels.CONSTANT], 11)
    # Two degrees more and a search over 63 frequencies, at 2 a parameter.
    self.assertGreater(12 - by["aic"][kernels.CONSTANT], 3)
    self.assertLess(np.median(skills), 0.05)

  def test_a_constant_curve_has_no_r2(self):
    found = kernels.fits(D_Q, np.full(127, 0.3))
    (amplitude,) = found[kernels.CONSTANT].amplitudes
    self.assertAlmostEqual(amplitude, 0.3)
    for fit in found.values():
      self.assertTrue(np.isnan([fit.r2, fit.skill]).all(), fit.family)
    self.assertIn(kernels.winner(found, "skill").family, found)

  def test_monotone_curves_bound_every_monotone_formula(self):
    falling = PLANTED["exponential"][0](D_Q)
    self.assertAlmostEqual(_fit(kernels.MONOTONE, falling).r2, 1)
    self.assertAlmostEqual(_fit(kernels.MONOTONE, -falling).r2, 1)
    wave = _fit(kernels.MONOTONE, np.cos(0.357 * D_Q))
    self.assertLess(wave.r2, 0.2)
    self.assertLess(wave.skill, 0.2)

  def test_skill_is_of_distances_that_were_not_fitted(self):
    # A jump inside one held-out range is seen by no training point.
    held_Q = kernels.held_out_error(127)
    self.assertEqual(np.flatnonzero(np.diff(held_Q)).size, 7)
    self.assertAlmostEqual(held_Q.mean(), 0.5, delta=0.05)
    line_Q = D_Q / 127
    jump_Q = line_Q + 5.0 * (held_Q & (D_Q < 40))
    found = _fit("exponential", jump_Q)
    clean = _fit("exponential", line_Q)
    self.assertGreater(clean.skill, 0.99)
    self.assertLess(found.skill, 0.1)

  def test_missing_bins_are_left_out(self):
    value_Q = PLANTED["exponential"][0](D_Q)
    gaps_Q = np.where(D_Q % 3 == 0, np.nan, value_Q)
    fit = _fit("exponential", gaps_Q)
    np.testing.assert_allclose(fit.rates, 0.05, rtol=1e-4)

  def test_bad_input_is_named(self):
    with self.assertRaisesRegex(ValueError, "need 6 values"):
      kernels.fits(D_Q[:5], D_Q[:5])
    with self.assertRaisesRegex(ValueError, "positive distances"):
      kernels.fits(D_Q - 1, D_Q)
    found = {kernels.MONOTONE: _fit(kernels.MONOTONE, D_Q)}
    with self.assertRaisesRegex(ValueError, "aic, bic, skill"):
      kernels.winner(found, "r2")
    with self.assertRaisesRegex(ValueError, "no formula; valid: stretched"):
      kernels.family_values(found[kernels.MONOTONE], [1])


class PublishedKernelTest(absltest.TestCase):
  def test_the_linear_term_dips_before_the_first_bin(self):
    curve = PLANTED[kernels.STRETCHED][0]
    # Values at 0, 0.5, 1, 2, 3 as recomputed in the source's review.
    d = np.array([0, 0.5, 1, 2, 3])
    np.testing.assert_allclose(curve(d), [0.0637, 0.0570, 0.0610, 0.0630, 0.0611], atol=1e-4)
    fine = np.linspace(0, 2, 2001)
    least = fine[np.argmin(curve(fine))]
    first = 100 / 59 / 2
    self.assertLess(least, first / 4)
    top = curve(np.linspace(0.5, 5, 500)).max()
    self.assertLess(1 - curve(first) / top, 0.05)  # of the dip, what is seen


if __name__ == "__main__":
  absltest.main()
