import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import linear, statistics
from sklearn import metrics


def _sample(count: int, seed: int = 0):
  rng = np.random.default_rng(seed)
  x_NxQ = rng.normal(size=(count, 3))
  y_N = 0.7 + x_NxQ @ [1.0, -2.0, 0.5] + rng.normal(0, 0.3, count)
  return x_NxQ, y_N


class LagMatrixTest(parameterized.TestCase):
  def test_most_recent_first(self):
    rows = linear.lag_matrix(np.arange(10) * 10, np.array([4, 9]), 3)
    np.testing.assert_array_equal(rows, [[30, 20, 10], [80, 70, 60]])

  def test_the_value_after_the_last_can_be_a_target(self):
    rows = linear.lag_matrix(np.arange(4), np.array([4]), 2)
    np.testing.assert_array_equal(rows, [[3, 2]])

  @parameterized.parameters((2, 3), (11, 3), (5, 0))
  def test_wrong_indices_are_refused(self, index, lags):
    with self.assertRaisesRegex(ValueError, f"lags={lags}: every index"):
      linear.lag_matrix(np.arange(10), np.array([index]), lags)


class OlsTest(absltest.TestCase):
  def test_equals_scipy_for_one_regressor(self):
    x_NxQ, y_N = _sample(50)
    expected = scipy.stats.linregress(x_NxQ[:, 0], y_N)
    fit = linear.ols(x_NxQ[:, :1], y_N)
    self.assertAlmostEqual(fit.coefficient_Q[0], expected.slope)
    self.assertAlmostEqual(fit.intercept, expected.intercept)
    self.assertAlmostEqual(fit.standard_error_Q[0], expected.stderr)
    self.assertAlmostEqual(fit.r2, expected.rvalue**2)

  def test_exact_data_gives_its_coefficients(self):
    x_NxQ, _ = _sample(30)
    fit = linear.ols(x_NxQ, 3 + x_NxQ @ [1.0, 2.0, -4.0])
    np.testing.assert_allclose(fit.coefficient_Q, [1, 2, -4])
    self.assertAlmostEqual(fit.intercept, 3)
    self.assertAlmostEqual(fit.r2, 1)
    np.testing.assert_allclose(fit.predict(np.eye(3)), [4, 5, -1])

  def test_without_intercept_r2_is_about_zero(self):
    x_NxQ, y_N = _sample(40)
    fit = linear.ols(x_NxQ, y_N, intercept=False)
    beta, sse, *_ = np.linalg.lstsq(x_NxQ, y_N, rcond=None)
    np.testing.assert_allclose(fit.coefficient_Q, beta)
    self.assertEqual(fit.intercept, 0)
    self.assertAlmostEqual(fit.r2, 1 - sse[0] / (y_N @ y_N))

  def test_standard_errors_are_the_spread_over_samples(self):
    fits = [linear.ols(*_sample(80, seed)) for seed in range(400)]
    spread = np.std([fit.coefficient_Q for fit in fits], axis=0)
    stated = np.mean([fit.standard_error_Q for fit in fits], axis=0)
    np.testing.assert_allclose(stated, spread, rtol=0.1)

  def test_standard_errors_of_columns_that_are_nearly_one(self):
    # x = (u, u + e v) with u, v orthonormal: the error of the second coefficient is sigma / e.
    rng = np.random.default_rng(0)
    u_N, v_N = np.linalg.qr(rng.normal(size=(50, 2)))[0].T
    x_NxQ = np.stack([u_N, u_N + 1e-9 * v_N], axis=1)
    fit = linear.ols(x_NxQ, rng.normal(size=50), intercept=False)
    np.testing.assert_allclose(fit.standard_error_Q * 1e-9, np.sqrt(fit.variance), rtol=1e-5)

  def test_wrong_shapes_are_refused(self):
    x_NxQ, y_N = _sample(4)
    with self.assertRaisesRegex(ValueError, "4 rows cannot determine 4"):
      linear.ols(x_NxQ, y_N)
    with self.assertRaisesRegex(ValueError, r"got \(4, 3\) and \(3,\)"):
      linear.ols(x_NxQ, y_N[:3])


class TermsTest(absltest.TestCase):
  def test_their_mean_is_the_fit(self):
    x_NxQ, y_N = _sample(60)
    expected, *_ = np.linalg.lstsq(x_NxQ, y_N, rcond=None)
    np.testing.assert_allclose(linear.terms(x_NxQ, y_N).mean(0), expected)

  def test_their_scatter_is_the_sandwich(self):
    # Errors that grow with x: (X'X)^-1 X' diag(e^2) X (X'X)^-1 (White 1980).
    rng = np.random.default_rng(0)
    x_NxQ = rng.normal(size=(5000, 2))
    y_N = x_NxQ @ [1.0, -2.0] + x_NxQ[:, 0] * rng.normal(size=5000)
    error_N = y_N - x_NxQ @ np.linalg.lstsq(x_NxQ, y_N, rcond=None)[0]
    inverse = np.linalg.inv(x_NxQ.T @ x_NxQ)
    sandwich = inverse @ (x_NxQ.T * error_N**2) @ x_NxQ @ inverse
    term_NxQ = linear.terms(x_NxQ, y_N)
    np.testing.assert_allclose(np.cov(term_NxQ.T, ddof=0) / 5000, sandwich, rtol=1e-6)


class BootstrapTest(absltest.TestCase):
  def test_a_draw_is_the_fit_to_the_repeated_blocks(self):
    x_NxQ, y_N = _sample(23)
    draw_RxQ = linear.bootstrap(x_NxQ, y_N, block=5, draws=6, seed=3)
    count_RxB = linear.block_counts(5, 6, seed=3).astype(int)
    blocks = [range(5 * b, min(5 * b + 5, 23)) for b in range(5)]
    for draw_Q, count_B in zip(draw_RxQ, count_RxB, strict=True):
      rows = [n for b, c in enumerate(count_B) for n in c * list(blocks[b])]
      expected = linear.ols(x_NxQ[rows], y_N[rows]).coefficient_Q
      np.testing.assert_allclose(draw_Q, expected)

  def test_independent_rows_give_the_standard_error(self):
    x_NxQ, y_N = _sample(4_000)
    draw_RxQ = linear.bootstrap(x_NxQ, y_N, block=1, draws=600, seed=0)
    stated = linear.ols(x_NxQ, y_N).standard_error_Q
    np.testing.assert_allclose(draw_RxQ.std(0), stated, rtol=0.12)

  def test_dependence_within_blocks_widens_the_interval(self):
    # Every row ten times over: a tenth of the information.
    x_NxQ, y_N = (np.repeat(a, 10, axis=0) for a in _sample(400))
    spread = lambda block: linear.bootstrap(x_NxQ, y_N, block=block, draws=600, seed=0).std(0)
    ratio = spread(10) / spread(1)
    np.testing.assert_allclose(ratio, np.sqrt(10), rtol=0.15)

  def test_seed_repeats(self):
    first = linear.block_counts(20, 5, seed=1)
    np.testing.assert_array_equal(first, linear.block_counts(20, 5, seed=1))
    self.assertTrue((first != linear.block_counts(20, 5, seed=2)).any())
    np.testing.assert_array_equal(first.sum(1), np.full(5, 20))

  def test_one_block_is_refused(self):
    with self.assertRaisesRegex(ValueError, "block=10 must lie in 1..9"):
      linear.block_sums(np.ones(10), 10)

  def test_interval_is_the_central_part(self):
    low, high = statistics.percentiles(np.arange(101.0)[:, None], 0.9)
    np.testing.assert_allclose([low[0], high[0]], [5, 95])


class PearsonTest(absltest.TestCase):
  def test_equals_scipy_column_by_column(self):
    x_NxF, y_N = _sample(40)
    expected_F = [scipy.stats.pearsonr(x_N, y_N)[0] for x_N in x_NxF.T]
    np.testing.assert_allclose(linear.pearson(x_NxF, y_N), expected_F)
    x_NxF = jnp.asarray(x_NxF, jnp.float32)
    found_F = jax.jit(linear.pearson)(x_NxF, jnp.asarray(y_N))
    np.testing.assert_allclose(found_F, expected_F, atol=1e-6)

  def test_constants_have_none(self):
    x_NxF = np.full((7, 2), 0.1)
    x_NxF[:, 1] = np.arange(7)
    found_F = linear.pearson(x_NxF, 3.0 - np.arange(7))
    np.testing.assert_allclose(found_F, [0, -1])
    np.testing.assert_array_equal(linear.pearson(x_NxF, np.ones(7)), [0, 0])


class R2Test(absltest.TestCase):
  def test_a_constant_has_none_in_any_precision(self):
    for value in (0.1, 1e8 / 3, -7):
      for kind in (np.float64, np.float32, np.float16, np.int64, jnp.bfloat16):
        truth_N = np.full(101, value if kind is not np.float16 else 0.1).astype(kind)
        for of in (np.asarray, jnp.asarray):
          self.assertTrue(np.isnan(linear.r2(of(truth_N), np.arange(101.0))), (value, kind))
    ols = linear.ols(np.arange(9.0)[:, None], np.full(9, 0.1))
    self.assertTrue(np.isnan(ols.r2))

  def test_the_tolerance_is_one(self):
    # Deviations of 2 FLAT and FLAT / 2 about 0.
    sign_N = np.tile([1.0, -1.0], 8)
    for size, known in ((2, True), (0.5, False)):
      truth_N = size * linear.FLAT * sign_N
      self.assertEqual(bool(np.isfinite(linear.r2(truth_N, 0 * truth_N))), known)
      self.assertEqual(bool(np.isfinite(linear.explained(0.0, truth_N.var()))), known)

  def test_equals_scikit_learn_along_any_axis(self):
    truth_AxBxC, guess_AxBxC = np.random.default_rng(0).normal(size=(2, 5, 4, 3))
    for axis in (0, 1, 2, -1):
      found = linear.r2(truth_AxBxC, guess_AxBxC, axis)
      flat = lambda x, axis=axis: np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
      expected = metrics.r2_score(flat(truth_AxBxC), flat(guess_AxBxC), multioutput="raw_values")
      np.testing.assert_allclose(found.ravel(), expected)

  def test_integers_are_not_counted_in_their_own_type(self):
    truth_N, guess_N = np.array([-128, 127, 0], np.int8), np.array([-127, 126, 1], np.int8)
    expected = metrics.r2_score(truth_N.astype(float), guess_N.astype(float))
    self.assertAlmostEqual(float(linear.r2(truth_N, guess_N)), expected)
    self.assertAlmostEqual(float(linear.r2(jnp.asarray(truth_N), guess_N)), expected, places=5)


class ScoresTest(absltest.TestCase):
  def test_equal_numpy(self):
    truth_N, guess_N = np.random.default_rng(0).normal(size=(2, 50))
    scores = linear.scores(truth_N, guess_N)
    self.assertAlmostEqual(scores["mse"], np.mean((truth_N - guess_N) ** 2))
    r2 = 1 - np.sum((truth_N - guess_N) ** 2) / np.var(truth_N) / 50
    self.assertAlmostEqual(scores["r2"], r2)
    correlation = np.corrcoef(truth_N, guess_N)[0, 1]
    self.assertAlmostEqual(scores["correlation"], correlation)

  def test_constant_prediction(self):
    scores = linear.scores(np.array([1.0, 2, 3]), 2.0)
    self.assertEqual(scores["correlation"], 0)
    self.assertAlmostEqual(scores["r2"], 0)


if __name__ == "__main__":
  absltest.main()
