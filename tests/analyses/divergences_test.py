import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.special
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import divergences

GRID = divergences.grid(0.0, 5.0, 64)


def _log(density, grid=GRID):
  return jnp.asarray(density(grid.node_G.astype(np.float64)), jnp.float32)


def _gaussian(mean, scale):
  return scipy.stats.norm(mean, scale).logpdf


def _mixture(weight, mean, scale):
  def log_density(x):
    log_normal = scipy.stats.norm.logpdf(np.asarray(x)[..., None], mean, scale)
    return scipy.special.logsumexp(log_normal + np.log(weight), axis=-1)

  return log_density


class GridTest(parameterized.TestCase):
  @parameterized.parameters((0.0, 5.0), (-1.0, 2.0))
  def test_polynomials_are_exact(self, low, high):
    grid = divergences.grid(low, high, 5)
    for power in range(10):  # up to degree 2 n - 1
      exact = (high ** (power + 1) - low ** (power + 1)) / (power + 1)
      found = np.sum(grid.weight_G.astype(float) * grid.node_G**power)
      np.testing.assert_allclose(found, exact, rtol=1e-5)

  @parameterized.parameters((1.0, 1.0, 5), (0.0, 1.0, 0))
  def test_what_is_no_grid_is_refused(self, low, high, nodes):
    with self.assertRaisesRegex(ValueError, "need low < high and >= 1 node"):
      divergences.grid(low, high, nodes)


class KullbackLeiblerTest(parameterized.TestCase):
  @parameterized.parameters((2.0, 0.3, 2.0, 0.3), (2.0, 0.3, 2.4, 0.4), (1.5, 0.15, 2.0, 0.5))
  def test_two_gaussians_have_a_closed_form(self, mean_p, scale_p, mean_q, s):
    expected = np.log(s / scale_p) - 0.5
    expected += (scale_p**2 + (mean_p - mean_q) ** 2) / (2 * s**2)
    found = divergences.kullback_leibler(
      _log(_gaussian(mean_p, scale_p)), _log(_gaussian(mean_q, s)), GRID.weight_G
    )
    np.testing.assert_allclose(found, expected, atol=2e-4)

  def test_mixtures_equal_adaptive_quadrature(self):
    p = _mixture([0.3, 0.7], [0.8, 1.6], [0.15, 0.4])
    q = _mixture([0.5, 0.5], [1.0, 1.2], [0.3, 0.5])
    inner = lambda f: scipy.integrate.quad(f, 0, 5, limit=200)[0]
    mass = inner(lambda x: np.exp(p(x)))
    expected = inner(lambda x: np.exp(p(x)) / mass * (p(x) - np.log(mass) - q(x)))
    self.assertGreater(1 - mass, 1e-6)  # some lies below 0
    log_p = jnp.stack([_log(p), _log(q)])
    log_q = jnp.stack([_log(q), _log(q)])
    found = divergences.kullback_leibler(log_p, log_q, GRID.weight_G)
    np.testing.assert_allclose(found[0], expected, rtol=1e-3)

  def test_a_peak_between_nodes_has_weight_one(self):
    # 40 times narrower than the grid: the plain sum would be off by far.
    sharp, wide = _gaussian(1.02, 0.002), _gaussian(1.0, 0.4)
    found = divergences.kullback_leibler(_log(sharp), _log(wide), GRID.weight_G)
    nearest = np.abs(GRID.node_G - 1.02).argmin()
    at_node = -np.log(GRID.weight_G[nearest]) - wide(GRID.node_G[nearest])
    np.testing.assert_allclose(found, at_node, rtol=1e-3)


if __name__ == "__main__":
  absltest.main()
