import jax
import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats
import tiny_study
from absl.testing import absltest, parameterized
from primelens.models import mixture as mixture_lib

fit = jax.jit(mixture_lib.recalibration)
planted = jax.jit(mixture_lib.recalibrate)
sample = jax.jit(lambda key, mixture: mixture_lib.sample(key, mixture, 1)[0])


def _mixture(count: int, seed: int = 0) -> mixture_lib.Mixture:
  """Three components with random weights, means and scales."""
  rng = np.random.default_rng(seed)
  weight_Nx3 = rng.dirichlet([2, 2, 2], count)
  mean_Nx3 = rng.normal(1, 0.5, (count, 3))
  scale_Nx3 = rng.uniform(0.1, 0.6, (count, 3))
  return mixture_lib.Mixture(*map(np.float32, (np.log(weight_Nx3), mean_Nx3, scale_Nx3)))


def _nll(theta_2, mixture, y_N) -> float:
  """The recalibrated NLL by scipy, in float64."""
  log_weight, mean, scale = (np.asarray(x, np.float64) for x in mixture)
  log_normal = scipy.stats.norm.logpdf(y_N[:, None], mean + theta_2[1], scale * np.exp(theta_2[0]))
  return -np.mean(scipy.special.logsumexp(log_weight + log_normal, axis=1))


def _drawn(mixture, seed: int = 0):
  return np.asarray(sample(jax.random.key(seed), mixture))


class RecalibrationTest(parameterized.TestCase):
  @parameterized.parameters((0.3, 0.2), (-1.2, 0.7), (2.5, -1.5), (-4.0, 0.0))
  def test_one_gaussian_has_a_closed_form(self, log_scale, shift):
    rng = np.random.default_rng(0)
    mean_N = rng.normal(1, 0.5, 200)
    y_N = mean_N + shift + 0.4 * np.exp(log_scale) * rng.normal(size=200)
    theta_2 = fit(tiny_study.gaussian(mean_N, 0.4), y_N)
    residual_N = y_N - mean_N
    expected_2 = [np.log(residual_N.std() / 0.4), residual_N.mean()]
    np.testing.assert_allclose(theta_2, expected_2, atol=2e-3)

  def test_planted_factor_and_shift_are_found_in_a_mixture(self):
    mixture = _mixture(20_000)
    theta_2 = fit(mixture, _drawn(planted(mixture, 0.4, -0.3)))
    np.testing.assert_allclose(theta_2, [0.4, -0.3], atol=0.03)

  @parameterized.parameters(0, 1, 2)
  def test_equals_scipy_on_a_mixture(self, seed):
    mixture = _mixture(300, seed)
    y_N = _drawn(planted(mixture, -0.2, 0.3), seed)
    expected = scipy.optimize.minimize(_nll, np.zeros(2), (mixture, y_N))
    theta_2 = fit(mixture, y_N)
    np.testing.assert_allclose(theta_2, expected.x, atol=2e-3)
    self.assertLess(_nll(np.asarray(theta_2), mixture, y_N), expected.fun + 1e-6)

  @parameterized.parameters(0, 1, 2, 3)
  def test_is_never_worse_than_doing_nothing(self, seed):
    rng = np.random.default_rng(seed)
    mixture = _mixture(50, seed)
    y_N = 1 + 5 * rng.standard_t(2, 50)  # nothing like the mixture
    theta_2 = np.asarray(fit(mixture, y_N))
    self.assertTrue(np.isfinite(theta_2).all())
    self.assertLess(_nll(theta_2, mixture, y_N), _nll(np.zeros(2), mixture, y_N))

  def test_what_is_calibrated_stays(self):
    residual_4 = np.array([-1.0, 1.0, -1.0, 1.0])  # std 1, mean 0
    theta_2 = fit(tiny_study.gaussian(np.ones(4), 1.0), 1 + residual_4)
    np.testing.assert_allclose(theta_2, np.zeros(2), atol=1e-6)


if __name__ == "__main__":
  absltest.main()
