import numpy as np
from absl.testing import absltest
from primelens.tasks import chebyshev


def _series(function, size: int = 48) -> np.ndarray:
  """Coefficients of a function of x, by its values at the nodes."""
  return function(chebyshev.nodes(size)) @ chebyshev.transform(size)


class SeriesTest(absltest.TestCase):
  def test_values_and_slopes_of_a_polynomial(self):
    coefficient_U = _series(lambda x: 4 * x**3 - x, size=8)
    x_Q = np.array([-1.0, -0.3, 0.0, 0.7, 1.0])
    value_Q, slope_Q = chebyshev.at(np.tile(coefficient_U, (5, 1)), x_Q)
    np.testing.assert_allclose(value_Q, 4 * x_Q**3 - x_Q, atol=1e-14)
    np.testing.assert_allclose(slope_Q, 12 * x_Q**2 - 1, atol=1e-13)

  def test_spread_interpolates(self):
    wave = lambda x: np.cos(5 * x + 1)
    spread_JxU = chebyshev.spread(chebyshev.degree(5), 60)
    value_U = wave(chebyshev.nodes(len(spread_JxU))) @ spread_JxU
    np.testing.assert_allclose(value_U, wave(chebyshev.nodes(60)), atol=1e-13)


class RootsTest(absltest.TestCase):
  def test_roots_of_waves(self):
    coefficient_BxU = np.stack([_series(np.sin), _series(lambda x: np.cos(9 * x)), _series(np.exp)])
    root_BxW = chebyshev.roots(coefficient_BxU, cells=50)
    rows = [row[~np.isnan(row)] for row in root_BxW]
    np.testing.assert_allclose(rows[0], [0], atol=1e-15)
    odd = np.pi / 2 * np.array([-5, -3, -1, 1, 3, 5]) / 9
    np.testing.assert_allclose(rows[1], odd, atol=1e-14)
    self.assertEmpty(rows[2])

  def test_a_pair_within_a_cell_is_found(self):
    # 1e-6 apart, between two points of equal sign; and a near miss.
    near = lambda gap: _series(lambda x: (x - 0.123) ** 2 - gap, size=8)
    pair, miss = near(0.25e-12), near(-0.25e-12)
    root_BxW = chebyshev.roots(np.stack([pair, miss]), cells=20)
    [first, second] = root_BxW[0][~np.isnan(root_BxW[0])]
    self.assertAlmostEqual(first, 0.123 - 5e-7, places=9)
    self.assertAlmostEqual(second, 0.123 + 5e-7, places=9)
    self.assertTrue(np.isnan(root_BxW[1]).all())

  def test_a_root_where_newton_fails_is_bisected(self):
    # Triple root: Newton's method takes a third off the error in each step.
    coefficient_U = _series(lambda x: (x - 0.3) ** 3, size=8)
    root_BxW = chebyshev.roots(coefficient_U[None], cells=13)
    self.assertAlmostEqual(root_BxW[0, 0], 0.3, places=4)


if __name__ == "__main__":
  absltest.main()
