import numpy as np
from absl.testing import absltest, parameterized
from primelens.tasks import riemann_siegel

try:
  import flint
except ImportError:
  flint = None


class ThetaTest(parameterized.TestCase):
  @parameterized.parameters(
    (-1, 9.6669080561301), (0, 17.8455995404108), (1, 23.1702827012463), (126, 282.4547208234621)
  )
  def test_gram_points_of_the_literature(self, index, point):
    self.assertAlmostEqual(riemann_siegel.gram(index), point, places=10)

  def test_theta_vanishes_where_it_is_known_to(self):
    # The zero of theta above its minimum: g_0 less one turn is 17.8455.
    self.assertAlmostEqual(riemann_siegel.theta(17.8455995404108), 0, places=9)

  def test_turns_of_theta_agree_where_float64_is_enough(self):
    for t in (1500.0, 12345.678):
      turns = riemann_siegel.theta(t) / (2 * np.pi)
      gap = turns - riemann_siegel.theta_turns(t)
      self.assertAlmostEqual(gap, np.rint(gap), places=11)

  @absltest.skipUnless(flint, "python-flint is not installed")
  def test_turns_of_theta_at_great_heights(self):
    flint.ctx.prec = 200
    for t in (1e8, 123456789.125, 9.9e9):
      s = flint.acb(0.25, flint.arb(t) / 2)
      theta = s.lgamma().imag - flint.arb(t) / 2 * flint.arb.pi().log()
      gap = theta / (2 * flint.arb.pi()) - riemann_siegel.theta_turns(t)
      self.assertLess(abs(float(gap - round(float(gap)))), 1e-15)


class TurnsTest(absltest.TestCase):
  def test_small_products_are_plain(self):
    t_B, n_K = np.array([3.25, 1000.5]), np.arange(1, 101)
    plain_BxK = t_B[:, None] * np.log(n_K) / (2 * np.pi)
    gap_BxK = plain_BxK - riemann_siegel.turns(t_B, 100)
    np.testing.assert_allclose(gap_BxK, np.rint(gap_BxK), atol=1e-12)

  def test_powers_add_up_at_great_heights(self):
    turn_K = riemann_siegel.turns([1e10 + 1 / 3], 5000)[0]
    for n in (2, 3, 10, 17, 70):
      gap = 2 * turn_K[n - 1] - turn_K[n**2 - 1]
      self.assertAlmostEqual(gap, np.rint(gap), places=14)


class RemainderTest(absltest.TestCase):
  def test_leading_coefficients_of_gabcke(self):
    # In powers of z = 2 p - 1: Gabcke (1979), page 60.
    known = (
      (0, 0, 0.38268343236508977173),
      (0, 2, 0.43724046807752044936),
      (0, 4, 0.13237657548034352333),
      (1, 1, -0.02682510262837535),
      (1, 3, 0.01378477342635185),
      (2, 0, 0.00518854283029316849),
      (2, 2, 0.00030946583880634746),
      (3, 1, -0.00133971609071945690),
      (4, 0, 0.00046483389361763382),
    )
    rows = riemann_siegel.remainder_series()
    for k, power, value in known:
      self.assertAlmostEqual(rows[k, power] / 2**power, value, places=13)

  def test_leading_term_is_psi(self):
    p_N = np.array([0.0, 0.1, 0.4, 0.6, 0.9, 1.0])
    psi_N = np.cos(2 * np.pi * (p_N**2 - p_N - 1 / 16)) / np.cos(2 * np.pi * p_N)
    row = riemann_siegel.remainder_series()[0]
    found_N = np.polynomial.polynomial.polyval(p_N - 0.5, row)
    np.testing.assert_allclose(found_N, psi_N, atol=1e-13)


class LowTest(absltest.TestCase):
  def test_vanishes_at_the_first_zeros(self):
    zero_N = [14.134725141734693790, 21.022039638771554993, 25.010857580145688763]
    np.testing.assert_allclose(riemann_siegel.low(zero_N), 0, atol=1e-12)

  @absltest.skipUnless(flint, "python-flint is not installed")
  def test_modulus_is_that_of_zeta(self):
    flint.ctx.prec = 100
    for t in (30.0, 999.5, 1700.0):
      zeta = float(abs(flint.acb(0.5, t).zeta()))
      self.assertAlmostEqual(abs(riemann_siegel.low(t)[0]), zeta, places=10)

  def test_heights_beyond_the_sum_are_refused(self):
    with self.assertRaisesRegex(ValueError, "t=5000 needs more than 900 terms"):
      riemann_siegel.low(5000.0)


if __name__ == "__main__":
  absltest.main()
