import tempfile

import numpy as np
import scipy.linalg
import scipy.signal
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import autoregression
from primelens.tasks import zeros, zeros_sources


def _has_table() -> bool:
  try:
    return bool(zeros_sources.odlyzko_files(""))
  except (ValueError, FileNotFoundError):
    return False


def _ar2(count: int, seed: int = 0) -> np.ndarray:
  """x_n = 0.5 x_{n-1} - 0.3 x_{n-2} + e_n, var e = 1, burnt in."""
  rng = np.random.default_rng(seed)
  noise_N = rng.normal(size=count + 200)
  return scipy.signal.lfilter([1], [1, -0.5, 0.3], noise_N)[200:]


# Solves the Yule-Walker equations of that process by hand.
RHO_1 = 0.5 / (1 + 0.3)
RHO_2 = 0.5 * RHO_1 - 0.3
POWER = 1 / (1 - 0.5 * RHO_1 + 0.3 * RHO_2)
AR2_AUTOCOVARIANCE = POWER * np.array([1, RHO_1, RHO_2, 0.5 * RHO_2 - 0.3 * RHO_1])


class AutocovarianceTest(absltest.TestCase):
  def test_equals_the_sum_with_the_mean_left_in(self):
    x_N = np.random.default_rng(0).normal(0.7, size=101)
    expected = [x_N[k:] @ x_N[: 101 - k] / 101 for k in range(101)]
    actual = autoregression.autocovariance(x_N, 100)
    np.testing.assert_allclose(actual, expected, atol=1e-12)

  def test_ar2_has_its_closed_form(self):
    actual = autoregression.autocovariance(_ar2(400_000), 3)
    np.testing.assert_allclose(actual, AR2_AUTOCOVARIANCE, atol=0.01)

  def test_too_many_lags_are_refused(self):
    with self.assertRaisesRegex(ValueError, "lags=5 must lie in 0..4"):
      autoregression.autocovariance(np.ones(5), 5)


class YuleWalkerTest(absltest.TestCase):
  def test_every_order_solves_its_toeplitz_system(self):
    c = autoregression.autocovariance(_ar2(500), 40)
    filters = autoregression.yule_walker(c)
    for q in range(1, 41):
      phi_Q, variance = filters.order(q)
      expected = scipy.linalg.solve_toeplitz(c[:q], c[1 : q + 1])
      np.testing.assert_allclose(phi_Q, expected, atol=1e-10)
      self.assertAlmostEqual(variance, c[0] - expected @ c[1 : q + 1], places=9)

  def test_ar2_gives_back_its_coefficients_and_unit_innovations(self):
    filters = autoregression.yule_walker(AR2_AUTOCOVARIANCE)
    np.testing.assert_allclose(
      filters.coefficient_QxQ, [[RHO_1, 0, 0], [0.5, -0.3, 0], [0.5, -0.3, 0]], atol=1e-12
    )
    np.testing.assert_allclose(filters.variance_Q[1:], [1, 1])
    self.assertAlmostEqual(filters.r2_Q[0], RHO_1**2)
    expected = 0.5 * np.log(2 * np.pi * np.e)
    self.assertAlmostEqual(filters.nll_Q[1], expected)

  def test_orders_outside_the_table_are_refused(self):
    filters = autoregression.yule_walker([1.0, 0.5])
    for order in (0, 2):
      with self.assertRaisesRegex(ValueError, f"order {order} is not in 1..1"):
        filters.order(order)

  def test_no_power_is_refused(self):
    with self.assertRaisesRegex(ValueError, "c_0 > 0"):
      autoregression.yule_walker(np.zeros(3))


class LeastSquaresTest(parameterized.TestCase):
  @parameterized.parameters((1, 1, 40), (7, 7, 300), (30, 41, 200))
  def test_equals_lstsq_on_the_lag_matrix(self, order, start, stop):
    x_N = np.random.default_rng(order).normal(size=300).cumsum() * 0.1
    design = np.array([x_N[n - order : n][::-1] for n in range(start, stop)])
    expected, *_ = np.linalg.lstsq(design, x_N[start:stop], rcond=None)
    fit = autoregression.least_squares(x_N, start, stop, order)
    phi_Q, variance = fit.order(order)
    np.testing.assert_allclose(phi_Q, expected, rtol=1e-6, atol=1e-9)
    error = x_N[start:stop] - design @ expected
    inflation = 1 + order / (stop - start)
    self.assertAlmostEqual(variance, np.mean(error**2) * inflation**2, places=9)
    gram = autoregression.lag_gram(x_N, start, stop, order)
    np.testing.assert_allclose(gram, design.T @ design, atol=1e-10)

  def test_lower_orders_have_the_same_targets(self):
    x_N = np.random.default_rng(0).normal(size=200).cumsum() * 0.1
    fit = autoregression.least_squares(x_N, 9, 150, 9)
    for order in (1, 4, 9):
      design = np.array([x_N[n - order : n][::-1] for n in range(9, 150)])
      expected, *_ = np.linalg.lstsq(design, x_N[9:150], rcond=None)
      np.testing.assert_allclose(fit.order(order)[0], expected, rtol=1e-6)
    for order in (0, 10):
      with self.assertRaisesRegex(ValueError, f"order {order} is not in 1..9"):
        fit.order(order)

  def test_the_variance_is_that_of_spacings_not_seen(self):
    # 30 coefficients of noise on 300 targets: residuals of 0.9, errors of 1.1.
    rng = np.random.default_rng(0)
    found, missed = [], []
    for _ in range(200):
      x_N = rng.standard_normal(430)
      phi_Q, variance = autoregression.least_squares(x_N, 30, 330, 30).order(30)
      index_N = np.arange(360, 430)
      found.append(variance)
      missed.append(np.mean((x_N[index_N] - autoregression.predict(x_N, phi_Q, index_N)) ** 2))
    self.assertAlmostEqual(np.mean(found) / np.mean(missed), 1, delta=0.03)

  @parameterized.parameters((4, 50), (5, 101), (50, 55))
  def test_targets_without_room_are_refused(self, start, stop):
    with self.assertRaisesRegex(ValueError, r"cannot fit AR\(5\)"):
      autoregression.least_squares(np.ones(100), start, stop, 5)


class PredictTest(absltest.TestCase):
  def test_equals_the_dot_product_with_the_past(self):
    x_N = np.random.default_rng(0).normal(size=50)
    phi_Q, index_N = np.array([0.5, -0.2, 0.1]), np.array([40, 3, 49, 17])
    expected = [phi_Q @ [x_N[n - 1], x_N[n - 2], x_N[n - 3]] for n in index_N]
    actual = autoregression.predict(x_N, phi_Q, index_N)
    np.testing.assert_allclose(actual, expected)
    self.assertEmpty(autoregression.predict(x_N, phi_Q, []))

  def test_a_target_is_not_seen_by_its_own_prediction(self):
    x_N = np.random.default_rng(0).normal(size=50)
    before = autoregression.predict(x_N, [0.5, -0.2], [30])
    x_N[30:] = 1e9
    after = autoregression.predict(x_N, [0.5, -0.2], [30])
    np.testing.assert_array_equal(before, after)

  def test_too_little_past_or_no_target_is_refused(self):
    for index in (1, 10):
      with self.assertRaisesRegex(ValueError, "needs 2 values before"):
        autoregression.predict(np.ones(10), [0.5, 0.1], [5, index])


class GaussianNllTest(absltest.TestCase):
  def test_equals_scipy(self):
    error_N, variance_N = np.array([0.0, 1.5, -2.0]), np.array([0.1, 1, 4])
    expected = -scipy.stats.norm.logpdf(error_N, scale=np.sqrt(variance_N))
    actual = autoregression.gaussian_nll(error_N, variance_N)
    np.testing.assert_allclose(actual, expected)

  def test_no_variance_is_refused(self):
    with self.assertRaisesRegex(ValueError, "positive, got 0.0"):
      autoregression.gaussian_nll(np.ones(2), 0.0)


@absltest.skipUnless(_has_table(), "The extra 'zeros' is not installed.")
class OdlyzkoTest(parameterized.TestCase):
  """Independent values on all spacings of the table, numpy in float64."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cache = cls.enterClassContext(tempfile.TemporaryDirectory())
    series = zeros.load(zeros.Config(cache=cache))
    residual_N = series.value_N.astype(np.float64) - 1
    c_Q = autoregression.autocovariance(residual_N, 511)
    cls.filters = autoregression.yule_walker(c_Q)

  def test_variance(self):
    self.assertAlmostEqual(self.filters.power, 0.16607, delta=1e-5)

  @parameterized.parameters(
    (1, 0.1217, 0.4564, 6e-5),
    (3, 0.1902, 0.4158, 6e-5),
    (5, 0.2234, 0.3949, 6e-5),
    (10, 0.2923, 0.3484, 6e-5),
    (20, 0.4986, 0.1761, 6e-5),
    (50, 0.7001, -0.0809, 5e-3),
    (100, 0.7294, -0.1323, 5e-3),
    (256, 0.7400, -0.1522, 5e-3),
    (511, 0.7433, -0.1587, 5e-3),
  )
  def test_in_sample(self, order, r2, nll, tolerance):
    self.assertAlmostEqual(self.filters.r2_Q[order - 1], r2, delta=tolerance)
    self.assertAlmostEqual(self.filters.nll_Q[order - 1], nll, delta=tolerance)


if __name__ == "__main__":
  absltest.main()
