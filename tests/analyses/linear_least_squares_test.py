"""Peers, planted coefficients, and the numbers of docs/sources/addition.md."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.analyses import fourier as fourier_lib
from primelens.analyses import linear as linear_lib
from sklearn import linear_model, metrics

# From docs/sources/addition.md, A5, A7: the two principal scores of the ten digits.
PC1_P = [-2.07, -1.87, -1.42, -0.86, -0.30, 0.27, 0.84, 1.43, 1.89, 2.09]
PC2_P = [1.41, 0.58, -0.24, -0.74, -0.94, -1.04, -0.77, -0.25, 0.59, 1.40]
# From docs/sources/addition.md, A21: the prediction of the network that keeps
# the first, minus a + b.
ERROR_PxP = [
  [3, 2, 1, 1, 1, 1, 1, 1, 1, 0],
  [2, 1, 0, 0, 0, 0, 0, 1, 0, -1],
  [1, 0, -1, -1, -1, -1, 0, 0, 0, -1],
  [1, 0, -1, -2, -2, -1, 0, 0, 0, -1],
  [1, 0, -1, -2, -2, 0, 1, 0, 0, -1],
  [1, 0, -1, -1, 0, 1, 2, 1, 0, -1],
  [1, 0, 0, 0, 1, 2, 2, 1, 0, -1],
  [1, 1, 0, 0, 0, 1, 1, 0, 0, -1],
  [1, 0, 0, 0, 0, 0, 0, 0, -1, -2],
  [0, -1, -1, -1, -1, -1, -1, -1, -2, -3],
]
DIGIT_PxQ = np.arange(10.0)[:, None]
fourier, linear = Jitted(fourier_lib), Jitted(linear_lib)


def _sample(rows=60, features_=4, targets=3, seed=0):
  rng = np.random.default_rng(seed)
  x_NxQ = rng.normal(size=(rows, features_))
  noise_NxF = rng.normal(size=(rows, targets))
  return x_NxQ, x_NxQ @ rng.normal(size=(features_, targets)) + noise_NxF


class FitTest(absltest.TestCase):
  def test_equals_numpy(self):
    x_NxQ, y_NxF = _sample()
    expected_QxF = np.linalg.lstsq(x_NxQ, y_NxF)[0]
    found = linear.fit(x_NxQ, y_NxF)
    np.testing.assert_allclose(found.coefficient_QxF, expected_QxF, atol=1e-5)
    np.testing.assert_allclose(found.prediction_NxF, x_NxQ @ expected_QxF, atol=1e-5)

  def test_held_out_rows_equal_sklearn(self):
    x_NxQ, y_NxF = _sample()
    train, test = np.arange(0, 60, 2), np.arange(1, 60, 2)
    peer = linear_model.LinearRegression().fit(x_NxQ[train], y_NxF[train])
    found = linear.fit(fourier.monomials(x_NxQ, degree=1), y_NxF, train)
    coefficient_QxF = np.asarray(found.coefficient_QxF)
    np.testing.assert_allclose(coefficient_QxF[0], peer.intercept_, atol=1e-5)
    np.testing.assert_allclose(coefficient_QxF[1:], peer.coef_.T, atol=1e-5)
    expected_F = metrics.r2_score(y_NxF[test], peer.predict(x_NxQ[test]), multioutput="raw_values")
    r2_F = linear.r2_columns(y_NxF[test], np.asarray(found.prediction_NxF)[test])
    np.testing.assert_allclose(r2_F, expected_F, atol=1e-5)

  def test_a_design_without_full_rank_predicts_the_same(self):
    P = 7
    y_NxF = np.random.default_rng(0).normal(size=(P * P, 3))
    found = linear.fit(fourier.additive_design(P=P), y_NxF)
    # Two-way layout: row mean + column mean - grand mean.
    y_PxPxF = y_NxF.reshape(P, P, 3)
    expected = y_PxPxF.mean(0)[None] + y_PxPxF.mean(1)[:, None] - y_NxF.mean(0)
    np.testing.assert_allclose(
      np.asarray(found.prediction_NxF).reshape(P, P, 3), expected, atol=1e-5
    )

  def test_columns_of_any_scale_and_empty_ones(self):
    x_NxQ, y_NxF = _sample()
    scale_Q = np.array([1e-6, 1, 1e6, 0])
    plain = linear.fit(x_NxQ[:, :3], y_NxF)
    found = linear.fit(x_NxQ * scale_Q, y_NxF)
    np.testing.assert_allclose(found.prediction_NxF, plain.prediction_NxF, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(found.coefficient_QxF)[3], np.zeros(3))

  def test_vmaps_over_seeds_and_splits(self):
    samples = [_sample(seed=s) for s in range(3)]
    x_SxNxQ, y_SxNxF = (np.stack(part) for part in zip(*samples, strict=True))
    rows_SxN = np.stack([np.arange(s, 60, 3) for s in range(3)])
    many = jax.vmap(linear.fit)(x_SxNxQ, y_SxNxF, rows_SxN)
    x_NxQ, y_NxF = x_SxNxQ[2][rows_SxN[2]], y_SxNxF[2][rows_SxN[2]]
    expected_QxF = np.linalg.lstsq(x_NxQ, y_NxF)[0]
    np.testing.assert_allclose(np.asarray(many.coefficient_QxF)[2], expected_QxF, atol=1e-5)

  def test_double_precision_is_kept(self):
    with jax.enable_x64(True):
      x_NxQ, y_NxF = _sample()
      found = linear.fit(x_NxQ, y_NxF)
      self.assertEqual(found.prediction_NxF.dtype, jnp.float64)
      np.testing.assert_allclose(
        found.coefficient_QxF, np.linalg.lstsq(x_NxQ, y_NxF)[0], rtol=1e-12
      )


class ShortestTest(parameterized.TestCase):
  @parameterized.parameters(4, 50)
  def test_equals_sklearn_on_rows_left_out(self, features_):
    x_NxQ, y_NxF = _sample(rows=40, features_=features_)
    x_NxQ = x_NxQ * np.linspace(0.1, 3, features_) + 1
    train, test = np.arange(0, 40, 2), np.arange(1, 40, 2)
    peer = linear_model.LinearRegression().fit(x_NxQ[train], y_NxF[train])
    found = linear.fit_shortest(x_NxQ, y_NxF, train)
    np.testing.assert_allclose(found.coefficient_QxF, peer.coef_.T, atol=1e-4)
    np.testing.assert_allclose(
      np.asarray(found.prediction_NxF)[test], peer.predict(x_NxQ[test]), atol=1e-4
    )

  def test_small_directions_are_left_out_by_the_tolerance(self):
    rng = np.random.default_rng(0)
    left_NxQ = np.linalg.qr(rng.normal(size=(30, 3)))[0]
    left_NxQ = np.linalg.qr(left_NxQ - left_NxQ.mean(0))[0]
    x_NxQ = left_NxQ * np.array([10, 1, 0.01])
    y_Nx1 = left_NxQ.sum(1)[:, None]
    for tolerance, kept in ((1e-2, 2), (1e-4, 3), (None, 3), (0.5, 1)):
      found = linear.fit_shortest(x_NxQ, y_Nx1, None, tolerance)
      expected_N = left_NxQ[:, :kept].sum(1)
      np.testing.assert_allclose(np.asarray(found.prediction_NxF)[:, 0], expected_N, atol=1e-5)


class R2Test(absltest.TestCase):
  def test_columns_equal_sklearn_and_flat_ones_have_none(self):
    truth_NxF, guess_NxF = _sample(targets=4)[::-1]
    truth_NxF[:, 1] = 0.1
    r2_F = np.asarray(linear.r2_columns(truth_NxF, guess_NxF))
    expected_F = metrics.r2_score(truth_NxF, guess_NxF, multioutput="raw_values")
    self.assertTrue(np.isnan(r2_F[1]))
    np.testing.assert_allclose(r2_F[::2], expected_F[::2], atol=1e-5)

  def test_overall_is_about_the_global_mean(self):
    truth_NxF, guess_NxF = _sample(targets=4)[::-1]
    truth_NxF += np.arange(4) * 5.0
    expected = metrics.r2_score(truth_NxF.ravel(), guess_NxF.ravel())
    r2 = linear.r2_overall(truth_NxF, guess_NxF)
    self.assertAlmostEqual(float(r2), expected, places=5)

  def test_summary_by_hand(self):
    found = linear.summary(np.float32([0.5, np.nan, 0.92, 0.96, 0.995, 0.9995]))
    self.assertAlmostEqual(float(found.mean), 4.3745 / 5, places=6)
    self.assertAlmostEqual(float(found.median), 0.96, places=6)
    self.assertAlmostEqual(float(found.minimum), 0.5, places=6)
    self.assertAlmostEqual(float(found.maximum), 0.9995, places=6)
    np.testing.assert_array_equal(found.above_V, [4, 3, 2, 1])


class PublishedTest(parameterized.TestCase):
  """The stated fits, from the stated scores and predictions."""

  def setUp(self):
    super().setUp()
    self.error_N = np.asarray(ERROR_PxP, np.float32).reshape(100, 1)
    self.a_N, self.b_N = np.divmod(np.arange(100.0), 10)
    self.sum_N = self.a_N + self.b_N
    self.prediction_N = self.error_N + self.sum_N[:, None]

  def r2(self, design, target):
    fitted = linear.fit(design, target)
    return np.asarray(linear.r2_columns(target, fitted.prediction_NxF))[0]

  def test_first_score_is_linear_and_second_quadratic(self):
    line_NxQ = fourier.monomials(DIGIT_PxQ, degree=1)
    pc1_Nx1, pc2_Nx1 = (np.array(pc)[:, None] for pc in (PC1_P, PC2_P))
    intercept, slope = np.asarray(linear.fit(line_NxQ, pc1_Nx1).coefficient_QxF)
    # The scores are rounded to 0.005, which moves the slope by up to 0.0015.
    self.assertAlmostEqual(float(slope[0]), 0.506, delta=1.5e-3)
    self.assertAlmostEqual(float(intercept[0]), -2.279, delta=7e-3)
    self.assertAlmostEqual(self.r2(line_NxQ, pc1_Nx1), 0.992, delta=5e-4)
    parabola_NxQ = fourier.monomials(DIGIT_PxQ, degree=2)
    self.assertAlmostEqual(self.r2(parabola_NxQ, pc2_Nx1), 0.996, delta=5e-4)

  def test_prediction_on_the_sum_and_on_a_and_b(self):
    line_NxQ = fourier.monomials(self.sum_N[:, None], degree=1)
    c, m = np.asarray(linear.fit(line_NxQ, self.prediction_N).coefficient_QxF)
    self.assertAlmostEqual(float(m[0]), 0.8945, delta=1e-4)
    self.assertAlmostEqual(float(c[0]), 0.929, delta=1e-3)
    plane_NxQ = fourier.monomials(fourier.pair_features(DIGIT_PxQ), degree=1)
    plane = np.asarray(linear.fit(plane_NxQ, self.prediction_N).coefficient_QxF)
    np.testing.assert_allclose(plane[1:, 0], [0.8945, 0.8945], atol=1e-4)
    for design_NxQ in (line_NxQ, plane_NxQ):
      r2 = self.r2(design_NxQ, self.prediction_N)
      self.assertAlmostEqual(r2, 0.9351, delta=5e-5)

  def test_quadratics_gain_nothing(self):
    full_NxQ = fourier.monomials(fourier.pair_features(DIGIT_PxQ), degree=2)
    r2 = self.r2(full_NxQ, self.prediction_N)
    self.assertAlmostEqual(r2, 0.9353, delta=5e-5)
    a_N, b_N = self.a_N, self.b_N
    restricted_NxQ = np.stack([1 + 0 * a_N, self.sum_N, a_N**2, b_N**2], 1)
    r2 = self.r2(restricted_NxQ, self.prediction_N)
    self.assertAlmostEqual(r2, 0.9352, delta=5e-5)

  @parameterized.parameters((1, 0.0013), (2, 0.0015))
  def test_the_error_is_no_polynomial_of_the_second_score(self, degree, r2):
    pair_NxQ = fourier.pair_features(np.array(PC2_P)[:, None])
    found = self.r2(fourier.monomials(pair_NxQ, degree=degree), self.error_N)
    self.assertAlmostEqual(found, r2, delta=1e-4)

  def test_poly2_has_its_fifteen_dimensions_in_single_precision(self):
    score_PxQ = np.array([PC1_P, PC2_P], np.float32).T
    design_NxQ = fourier.monomials(fourier.pair_features(score_PxQ), degree=2)
    y_NxF = np.random.default_rng(0).normal(size=(100, 5))
    x_NxQ = np.asarray(design_NxQ, np.float64)
    self.assertEqual(np.linalg.matrix_rank(x_NxQ), 15)
    expected_NxF = x_NxQ @ np.linalg.lstsq(x_NxQ, y_NxF)[0]
    found = linear.fit(design_NxQ, y_NxF)
    np.testing.assert_allclose(found.prediction_NxF, expected_NxF, atol=5e-5)


if __name__ == "__main__":
  absltest.main()
