"""The mixture head against torch.distributions, quadrature, closed forms."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.models import mixture
from scipy import integrate, stats

mixture_lib = Jitted(mixture)
FIXTURE = pathlib.Path(__file__).parents[1] / "fixtures" / "mixture.npz"


def example(components=3, seed=0, shape=(5,)):
  """Returns a mixture of unlike components, float32."""
  rng = np.random.default_rng(seed)
  raw = rng.normal(size=(*shape, 3 * components))
  return mixture_lib.from_raw(np.float32(raw), mean="raw")


def scipy_cdf(mixture, row, x_N):
  weight, mean, scale = (np.asarray(leaf, np.float64)[row] for leaf in mixture)
  z_NxK = (np.asarray(x_N)[:, None] - mean[None]) / scale[None]
  return stats.norm.cdf(z_NxK) @ np.exp(weight)


class FixtureTest(parameterized.TestCase):
  @parameterized.parameters((True, 1e-9), (False, 5e-5))
  def test_values_and_gradients_equal_torch(self, wide, tolerance):
    want = np.load(FIXTURE)
    with jax.enable_x64(wide):
      raw_Nx3K, y_N = map(jnp.asarray, (want["raw_Nx3K"], want["y_N"]))

      def total(raw_Nx3K, y_N):
        mixture = mixture_lib.from_raw(raw_Nx3K)
        log_density_N = mixture_lib.log_density(mixture, y_N)
        return log_density_N.sum(), log_density_N

      gradient = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))
      (raw_gradient, y_gradient), log_density_N = gradient(raw_Nx3K, y_N)
      mixture = mixture_lib.from_raw(raw_Nx3K)
      got = {
        "log_density_N": log_density_N,
        "cdf_N": mixture_lib.cdf(mixture, y_N),
        "mean_N": mixture_lib.mean(mixture),
        "variance_N": mixture_lib.variance(mixture),
        "grad/raw_Nx3K": raw_gradient,
        "grad/y_N": y_gradient,
      }
    for name, value in jax.device_get(got).items():
      scale = np.maximum(1.0, np.abs(want[name]))
      np.testing.assert_allclose(value / scale, want[name] / scale, atol=tolerance, err_msg=name)


class HeadTest(absltest.TestCase):
  def test_zero_raw_is_the_published_start(self):
    # y = 1 +- 0.4075 has the mean 1 and standard deviation of the zeros.
    y_N = np.float32([1 - 0.4075, 1 + 0.4075])
    mixture = mixture_lib.from_raw(np.zeros((2, 24), np.float32))
    np.testing.assert_allclose(mixture.mean, np.log(2), rtol=1e-6)
    nll = -np.mean(mixture_lib.log_density(mixture, y_N))
    sigma = np.log(2) + 1e-4
    second = 0.4075**2 + (1 - np.log(2)) ** 2
    want = 0.5 * np.log(2 * np.pi * sigma**2) + second / (2 * sigma**2)
    np.testing.assert_allclose(nll, want, rtol=1e-6)
    np.testing.assert_allclose(nll, 0.823, atol=5e-4)

  def test_bounded_scale_and_raw_mean_of_the_second_family(self):
    raw = np.float32([0.0, 0.0, -1.5, 2.0, 0.0, 100.0])
    mixture = mixture_lib.from_raw(raw, mean="raw", scale_max=5.0)
    np.testing.assert_allclose(mixture.mean, [-1.5, 2.0])
    np.testing.assert_allclose(mixture.scale, [2.50005, 5.0], rtol=1e-6)
    unit = mixture_lib.from_raw(np.zeros(3, np.float32), mean="raw", unit_scale=True)
    np.testing.assert_allclose(unit.scale, [1.0001], rtol=1e-6)

  def test_wrong_input_is_refused(self):
    with self.assertRaisesRegex(ValueError, "25 is not a multiple of 3"):
      mixture_lib.from_raw(jnp.zeros((2, 25)))
    with self.assertRaisesRegex(ValueError, "'exp'.*positive, raw"):
      mixture_lib.from_raw(jnp.zeros(3), mean="exp")
    with self.assertRaisesRegex(ValueError, "'max'.*add, clamp"):
      mixture_lib.log_density(example(), jnp.zeros(5), weight_floor=1e-8, floor="max")


class DensityTest(absltest.TestCase):
  def test_density_is_the_derivative_of_the_cdf(self):
    mixture, y_N = example(), np.linspace(-1.0, 1.5, 5, dtype=np.float32)
    slope_N = jax.jit(jax.grad(lambda y_N: mixture_lib.cdf(mixture, y_N).sum()))(y_N)
    density_N = np.exp(mixture_lib.log_density(mixture, y_N))
    np.testing.assert_allclose(slope_N, density_N, rtol=1e-5)
    want = [scipy_cdf(mixture, n, y_N[n : n + 1])[0] for n in range(5)]
    np.testing.assert_allclose(mixture_lib.cdf(mixture, y_N), want, rtol=1e-5)

  def test_the_cdf_never_exceeds_1(self):
    # Softmax weights of float32 add up to more than 1 now and then.
    logit_Nx8 = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    log_weight_NxK = jax.jit(jax.nn.log_softmax)(logit_Nx8)
    total_N = jax.jit(lambda log_weight: jnp.exp(log_weight).sum(-1))(log_weight_NxK)
    self.assertGreater(np.max(total_N), 1)
    one_NxK = np.ones((500, 8), np.float32)
    mixture = mixture_lib.Mixture(log_weight_NxK, one_NxK, one_NxK)
    cdf_N = mixture_lib.cdf(mixture, np.full(500, 1e3, np.float32))
    self.assertLessEqual(np.max(cdf_N), 1)
    np.testing.assert_allclose(cdf_N, 1, atol=1e-6)
    self.assertTrue(np.isnan(mixture_lib.cdf(mixture, np.full(500, np.nan, np.float32))).all())

  def test_component_without_weight_leaves_value_and_gradient_alone(self):
    with_dead = mixture_lib.Mixture(
      np.float32([-np.inf, 0.0]), np.float32([1e15, 1.0]), np.float32([1e-4, 0.5])
    )
    alone = jax.tree.map(lambda leaf: leaf[1:], with_dead)
    for floor in (0.0, 1e-10):
      f = lambda m, floor=floor: mixture_lib.log_density(m, np.float32(30.0), weight_floor=floor)
      np.testing.assert_allclose(f(with_dead), f(alone), rtol=1e-6)
      slope = jax.jit(jax.grad(f))
      both = (jax.tree.map(np.asarray, slope(m)) for m in (with_dead, alone))
      for a, b in zip(*both, strict=True):
        np.testing.assert_array_equal(a[0], 0.0)
        np.testing.assert_allclose(a[1:], b, rtol=1e-6)

  def test_published_floors(self):
    weight_K, scale_K = np.array([1 - 1e-9, 1e-9]), np.array([0.01, 1.0])
    mixture = mixture_lib.Mixture(
      np.float32(np.log(weight_K)), np.zeros(2, np.float32), np.float32(scale_K)
    )
    normal_K = stats.norm.logpdf(0.3, scale=scale_K)
    density = lambda **options: mixture_lib.log_density(mixture, np.float32(0.3), **options)
    floored = {"add": weight_K + 1e-8, "clamp": np.maximum(weight_K, 1e-8)}
    for floor, weight_K in floored.items():
      want = np.logaddexp.reduce(np.log(weight_K) + normal_K)
      got = density(weight_floor=1e-8, floor=floor)
      np.testing.assert_allclose(got, want, rtol=1e-5)
      self.assertGreater(got - density(), 2.0)

  def test_clamp_also_bounds_the_scale(self):
    mixture = mixture_lib.Mixture(*[np.zeros(1, np.float32)] * 3)
    got = mixture_lib.log_density(mixture, np.float32(0.0), weight_floor=1e-8, floor="clamp")
    np.testing.assert_allclose(got, stats.norm.logpdf(0, scale=1e-8), rtol=1e-6)


class SummaryTest(absltest.TestCase):
  def test_crps_equals_quadrature(self):
    mixture, y_N = example(), np.float32([-2.0, -0.3, 0.4, 1.1, 6.0])
    got_N = mixture_lib.crps(mixture, y_N)
    x = np.linspace(-30, 30, 60001)
    for n, y in enumerate(np.float64(y_N)):
      square = (scipy_cdf(mixture, n, x) - (x >= y)) ** 2
      want = integrate.trapezoid(square, x)
      np.testing.assert_allclose(got_N[n], want, rtol=1e-3)

  def test_crps_of_one_normal(self):
    one = mixture_lib.Mixture(*np.float32([[0], [0], [2]]))
    want = 2 * (np.sqrt(2) - 1) / np.sqrt(np.pi)  # at its own mean
    np.testing.assert_allclose(mixture_lib.crps(one, np.float32(0.0)), want, rtol=1e-6)

  def test_entropy_of_even_and_missing_weights(self):
    entropy = lambda log_weight: mixture_lib.entropy(
      mixture_lib.Mixture(log_weight, log_weight, log_weight)
    )
    even = np.full(8, -np.log(8.0), np.float32)
    np.testing.assert_allclose(entropy(even), np.log(8), rtol=1e-6)
    missing = np.float32([-np.inf, np.log(0.25), np.log(0.75)])
    np.testing.assert_allclose(entropy(missing), stats.entropy([0.25, 0.75]), rtol=1e-6)
    slope = np.asarray(jax.jit(jax.grad(entropy))(missing))
    weight = np.array([0.25, 0.75])
    np.testing.assert_array_equal(slope[0], 0.0)
    np.testing.assert_allclose(slope[1:], -weight * (1 + np.log(weight)), rtol=1e-5)

  def test_samples_follow_the_cdf_and_skip_missing_components(self):
    mixture = example(shape=(2,))
    log_weight, mean, scale = map(np.array, mixture)
    log_weight[0, 0], mean[0, 0] = -np.inf, 1e6
    mixture = mixture_lib.Mixture(jax.jit(jax.nn.log_softmax)(log_weight), mean, scale)
    draws = np.asarray(mixture_lib.sample(jax.random.key(1), mixture, count=20000))
    self.assertEqual(draws.shape, (20000, 2))
    self.assertLess(np.abs(draws).max(), 1e3)
    for n in range(2):
      cdf = lambda x, n=n: scipy_cdf(mixture, n, x)
      self.assertGreater(stats.kstest(draws[:, n], cdf).pvalue, 1e-3)
    np.testing.assert_allclose(draws.mean(axis=0), mixture_lib.mean(mixture), atol=0.05)
    np.testing.assert_allclose(draws.var(axis=0), mixture_lib.variance(mixture), rtol=0.05)

  def test_recalibration_moves_the_mean_and_widens_components(self):
    mixture = example()
    moved = mixture_lib.recalibrate(mixture, np.float32(np.log(3.0)), 0.25)
    gain = np.asarray(mixture_lib.mean(moved)) - np.asarray(mixture_lib.mean(mixture))
    np.testing.assert_allclose(gain, 0.25, rtol=1e-5)
    np.testing.assert_allclose(moved.scale, 3 * np.asarray(mixture.scale), rtol=1e-6)
    same = mixture_lib.recalibrate(mixture, 0.0, 0.0)
    jax.tree.map(np.testing.assert_array_equal, same, mixture)


if __name__ == "__main__":
  absltest.main()
