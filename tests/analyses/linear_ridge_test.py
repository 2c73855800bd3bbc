"""Closed-form ridge against scikit-learn, and as a vmapped axis."""

import jax
import numpy as np
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.analyses import linear as linear_lib
from sklearn import linear_model, model_selection, pipeline, preprocessing

linear = Jitted(linear_lib)
# What a ridge predicts, and what a scaler makes of rows.
predict, scaled = jax.jit(linear_lib.Ridge.predict), jax.jit(linear_lib.Scaler.__call__)


def _data(rows=203, width=9, targets=3, seed=0):
  rng = np.random.default_rng(seed)
  x_NxD = rng.normal(size=(rows, width)) * np.arange(1, width + 1) + 5
  weight_DxF = rng.normal(size=(width, targets))
  y_NxF = x_NxD @ weight_DxF + rng.normal(size=(rows, targets)) - 3
  return x_NxD.astype(np.float32), y_NxF.astype(np.float32)


class RidgeTest(parameterized.TestCase):
  @parameterized.parameters(0.01, 1.0, 300.0)
  def test_is_scikit_learns(self, alpha):
    x_NxD, y_NxF = _data()
    expected = linear_model.Ridge(alpha=alpha)
    expected.fit(np.float64(x_NxD), np.float64(y_NxF))
    found = linear.ridge(x_NxD, y_NxF, alpha)
    np.testing.assert_allclose(found.kernel_DxF, expected.coef_.T, rtol=1e-5, atol=1e-5)
    gap_NxF = np.asarray(predict(found, x_NxD)) - expected.predict(np.float64(x_NxD))
    self.assertLess(np.abs(gap_NxF).max(), 1e-5 * np.abs(y_NxF).max())

  def test_rows_without_weight_are_left_out(self):
    x_NxD, y_NxF = _data()
    weight_N = np.arange(len(x_NxD)) % 3 > 0
    spoiled_NxF = np.where(weight_N[:, None], y_NxF, 1e3)
    found = linear.ridge(x_NxD, spoiled_NxF, 1.0, weight_N)
    expected = linear_model.Ridge().fit(x_NxD[weight_N], y_NxF[weight_N])
    np.testing.assert_allclose(found.kernel_DxF, expected.coef_.T, rtol=2e-4)

  @parameterized.parameters(200, 203)
  def test_folds_are_kfolds(self, rows):
    fold_N = np.asarray(linear.folds(np.ones(rows)))
    splits = model_selection.KFold(linear.FOLDS).split(np.zeros(rows))
    for number, (_, test) in enumerate(splits):
      np.testing.assert_array_equal(np.flatnonzero(fold_N == number), test)

  @parameterized.parameters(True, False)
  def test_cross_validation_is_scikit_learns(self, scale):
    x_NxD, y_NxF = _data()
    steps = [preprocessing.StandardScaler()] if scale else []
    model = pipeline.make_pipeline(*steps, linear_model.Ridge())
    guess_NxF = linear.cross_predicted(x_NxD, y_NxF, scale=scale)
    expected_NxF = model_selection.cross_val_predict(
      model, np.float64(x_NxD), y_NxF, cv=model_selection.KFold(5)
    )
    np.testing.assert_allclose(guess_NxF, expected_NxF, rtol=1e-4, atol=1e-4)
    score = model_selection.cross_val_score(
      model, np.float64(x_NxD), y_NxF[:, 0], cv=model_selection.KFold(5)
    )
    found_F = np.asarray(linear.fold_r2(y_NxF, guess_NxF))
    self.assertAlmostEqual(float(found_F[0]), score.mean(), places=5)

  def test_alpha_is_that_of_a_grid_search(self):
    rng = np.random.default_rng(1)
    x_NxD = rng.normal(size=(60, 40)).astype(np.float32)
    y_NxF = (x_NxD[:, :1] + rng.normal(size=(60, 1)) * 3).astype(np.float32)
    fitted_N = np.arange(60) < 50
    guess_NxF, alpha = map(np.asarray, linear.held_out(x_NxD, y_NxF, fitted_N, scale=False))
    search = model_selection.GridSearchCV(
      linear_model.Ridge(),
      {"alpha": linear.ALPHAS_R},
      cv=model_selection.KFold(5),
      scoring="neg_mean_squared_error",
    ).fit(np.float64(x_NxD[:50]), y_NxF[:50])
    self.assertAlmostEqual(float(alpha), search.best_params_["alpha"], places=5)
    np.testing.assert_allclose(guess_NxF[50:, 0], search.predict(np.float64(x_NxD[50:])), atol=1e-3)

  def test_errors_of_the_inner_folds_are_a_grid_searchs(self):
    x_NxD, y_NxF = _data(rows=263)
    weight_N = np.arange(263) % 4 > 0  # 197 rows: folds of 40, 40, 39, 39, 39
    alphas_R = (0.1, 30.0, 1e3)
    found_RxF = np.asarray(linear.target_errors(x_NxD, y_NxF, 1.0 * weight_N, alphas_R))
    x_NxD, y_NxF = np.float64(x_NxD)[weight_N], np.float64(y_NxF)[weight_N]
    for r, alpha in enumerate(alphas_R):
      for f in range(y_NxF.shape[1]):
        score = model_selection.cross_val_score(
          linear_model.Ridge(alpha=alpha),
          x_NxD,
          y_NxF[:, f],
          cv=model_selection.KFold(5),
          scoring="neg_mean_squared_error",
        )
        expected = -score.mean() / y_NxF[:, f].var()
        self.assertAlmostEqual(float(found_RxF[r, f]), expected, places=5)
    spoiled_NxF = np.full((263, 3), 1e3, np.float32)
    spoiled_NxF[weight_N] = y_NxF
    again_R = linear.inner_errors(
      np.float32(_data(rows=263)[0]), spoiled_NxF, 1.0 * weight_N, alphas_R
    )
    np.testing.assert_allclose(again_R, found_RxF.mean(1), rtol=1e-4)

  def test_scaler_is_scikit_learns(self):
    x_NxD, _ = _data()
    x_NxD[:, 2] = 0.3  # the float32 mean of which is not 0.3
    weight_N = np.arange(len(x_NxD)) < 101
    expected = preprocessing.StandardScaler().fit(np.float64(x_NxD[:101]))
    found = linear.scaler(x_NxD, weight_N)
    np.testing.assert_allclose(found.mean_D, expected.mean_, rtol=1e-5)
    np.testing.assert_allclose(found.deviation_D, expected.scale_, rtol=1e-5)
    np.testing.assert_allclose(
      scaled(found, x_NxD), expected.transform(np.float64(x_NxD)), atol=1e-5
    )

  def test_once_solved_is_near(self):
    x_NxD, y_NxF = _data()
    x_NxD = np.asarray(scaled(linear.scaler(x_NxD), x_NxD))
    expected = linear_model.Ridge(alpha=3.0).fit(np.float64(x_NxD), y_NxF)
    found = linear.ridge(x_NxD, y_NxF, 3.0, refine=False)
    np.testing.assert_allclose(found.kernel_DxF, expected.coef_.T, rtol=1e-3)
    gap_NxF = y_NxF - y_NxF.mean(0)
    solved_DxF = linear.ridge_solved(x_NxD.T @ x_NxD, x_NxD.T @ gap_NxF, 3.0)
    np.testing.assert_allclose(solved_DxF, expected.coef_.T, rtol=1e-4)

  def test_features_that_lack_rank(self):
    # 12 one-hot digits in two places: 2 directions too many, and far more rows
    # than a float32 sum of squares takes without rounding.
    rng = np.random.default_rng(2)
    digit_Nx2 = rng.integers(0, 6, (4000, 2))
    x_NxD = (digit_Nx2[..., None] == np.arange(6)).reshape(4000, 12)
    x_NxD = x_NxD.astype(np.float32)
    x_NxD = np.asarray(scaled(linear.scaler(x_NxD), x_NxD))
    y_NxF = (digit_Nx2 @ [[10.0], [1]] + rng.normal(size=(4000, 1))).astype("f")
    expected = linear_model.Ridge(alpha=0.01).fit(np.float64(x_NxD), y_NxF)
    guess_NxF = np.asarray(predict(linear.ridge(x_NxD, y_NxF, 0.01), x_NxD))
    gap_NxF = guess_NxF[:, 0] - expected.predict(np.float64(x_NxD)).ravel()
    self.assertLess(np.abs(gap_NxF).max(), 1e-4 * y_NxF.std())
    count = float(linear.degrees_of_freedom(x_NxD, 0.01))
    self.assertAlmostEqual(count, 10, places=3)

  def test_seeds_are_an_axis(self):
    pairs = [_data(seed=seed) for seed in range(3)]
    x_SxNxD, y_SxNxF = (np.stack(part) for part in zip(*pairs, strict=True))
    together = jax.jit(jax.vmap(linear_lib.ridge))(x_SxNxD, y_SxNxF)
    for seed, (x_NxD, y_NxF) in enumerate(pairs):
      expected = linear_model.Ridge().fit(np.float64(x_NxD), y_NxF)
      np.testing.assert_allclose(
        np.asarray(together.kernel_DxF)[seed], expected.coef_.T, rtol=1e-4, atol=1e-5
      )

  def test_degrees_of_freedom_count_the_columns(self):
    x_NxD, _ = _data()
    count = lambda alpha: float(linear.degrees_of_freedom(x_NxD, alpha))
    self.assertAlmostEqual(count(1e-6), 9, places=3)
    x_NxD = np.float64(x_NxD) - x_NxD.mean(0)
    hat = x_NxD @ np.linalg.solve(x_NxD.T @ x_NxD + 50 * np.eye(9), x_NxD.T)
    self.assertAlmostEqual(count(50.0), np.trace(hat), places=3)
    weight_N = np.arange(len(x_NxD)) % 2
    half_NxD = x_NxD[1::2] - x_NxD[1::2].mean(0)
    value_D = np.linalg.eigvalsh(half_NxD.T @ half_NxD)
    found = linear.degrees_of_freedom(x_NxD, 50.0, weight_N)
    self.assertAlmostEqual(float(found), np.sum(value_D / (value_D + 50)), places=3)

  def test_a_constant_target_has_no_r2(self):
    x_NxD, y_NxF = _data()
    y_NxF[:, 1] = 1.0
    guess_NxF = predict(linear.ridge(x_NxD, y_NxF), x_NxD)
    self.assertTrue(np.isnan(np.asarray(linear.r2_scored(y_NxF, guess_NxF))[1]))
    scored_N = np.arange(len(y_NxF)) < 50
    self.assertTrue(np.isnan(np.asarray(linear.r2_scored(y_NxF, guess_NxF, scored_N))[1]))


if __name__ == "__main__":
  absltest.main()
