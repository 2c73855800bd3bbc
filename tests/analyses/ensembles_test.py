import numpy as np
import scipy.integrate
import scipy.special
from absl.testing import absltest, parameterized
from primelens.analyses import sine_process

DENSITY = {
  "goe": lambda s: np.pi / 2 * s * np.exp(-np.pi / 4 * s**2),
  "gue": lambda s: 32 / np.pi**2 * s**2 * np.exp(-4 / np.pi * s**2),
  "poisson": lambda s: np.exp(-s),
}


def _cluster(r, ensemble):
  """Returns Mehta's two-level cluster function Y2 at r."""
  sine = np.sinc(r)
  if ensemble == "gue":
    return sine**2
  slope = (np.cos(np.pi * r) - sine) / r
  return sine**2 + slope * (0.5 - scipy.special.sici(np.pi * r)[0] / np.pi)


class EnsemblesTest(parameterized.TestCase):
  @parameterized.parameters(*DENSITY)
  def test_spacing_law_is_the_integral(self, ensemble):
    for s in (-3.0, 0.0, 0.3, 1.0, 2.5):
      expected = scipy.integrate.quad(DENSITY[ensemble], 0, max(s, 0.0))[0]
      found = float(sine_process.spacing_cdf(s, ensemble))
      self.assertAlmostEqual(found, expected, places=10)
    above = lambda s: 1 - float(sine_process.spacing_cdf(s, ensemble))
    mean = scipy.integrate.quad(above, 0, 50)[0]
    self.assertAlmostEqual(mean, 1, places=7)

  @parameterized.product(ensemble=("goe", "gue"), length=(0.2, 1.0, 3.7))
  def test_number_variance_is_the_integral(self, ensemble, length):
    inner = lambda r: (length - r) * _cluster(r, ensemble)
    total = scipy.integrate.quad(inner, 1e-9, length, limit=200)[0]
    found = float(sine_process.number_variance(length, ensemble))
    self.assertAlmostEqual(found, length - 2 * total, places=6)

  @parameterized.product(ensemble=("goe", "gue", "poisson"), length=(0.5, 2.0))
  def test_form_factor_gives_the_number_variance(self, ensemble, length):
    # Sigma^2(L) = (2 / pi^2) int_0^inf K(tau) sin^2(pi L tau) / tau^2 dtau.
    inner = lambda tau: sine_process.form_factor(tau, ensemble) * np.sinc(length * tau) ** 2
    edge_Q = np.arange(0, 41)
    parts = [scipy.integrate.quad(inner, max(a, 1e-12), a + 1)[0] for a in edge_Q[:-1]]
    # Beyond 40, K = 1 and sin^2 = 1/2 in the mean.
    total = 2 * length**2 * sum(parts) + 1 / (np.pi**2 * edge_Q[-1])
    found = float(sine_process.number_variance(length, ensemble))
    self.assertAlmostEqual(found, total, delta=2e-4)

  def test_large_lengths(self):
    # Sigma^2 of "poisson" is L; of "gue" (ln(2 pi L) + g + 1) / pi^2.
    length = 1000.0
    self.assertEqual(sine_process.number_variance(length, "poisson"), length)
    expected = (np.log(2 * np.pi * length) + np.euler_gamma + 1) / np.pi**2
    found = float(sine_process.number_variance(length, "gue"))
    self.assertAlmostEqual(found, expected, places=5)

  def test_refuses(self):
    for function in (
      sine_process.spacing_cdf,
      sine_process.number_variance,
      sine_process.form_factor,
    ):
      with self.assertRaisesRegex(ValueError, "goe, gue, poisson"):
        function(1.0, "gse")


if __name__ == "__main__":
  absltest.main()
