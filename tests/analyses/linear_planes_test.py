"""Planes of states: scikit-learn's components and maps, circles by hand."""

import numpy as np
from absl.testing import absltest
from primelens.analyses import linear
from sklearn import decomposition, linear_model, metrics, preprocessing

ROWS, WIDTH = 120, 6


class PlanesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(1)
    self.state_SxNxD = rng.normal(size=(2, ROWS, WIDTH)) * np.arange(1, 7) + 5
    self.state_SxNxD[1] = self.state_SxNxD[0, :, ::-1] @ rng.normal(size=(6, 6))
    self.fitted_N = rng.random(ROWS) < 0.7
    self.target_Nx2 = rng.normal(size=(ROWS, 2)) + self.state_SxNxD[0, :, :2]

  def test_equal_sklearn(self):
    z_SxNxD = linear.standardised(self.state_SxNxD, self.fitted_N)
    found = linear.plane(z_SxNxD, self.fitted_N)
    for s, state_NxD in enumerate(self.state_SxNxD):
      scaler = preprocessing.StandardScaler().fit(state_NxD[self.fitted_N])
      z_NxD = scaler.transform(state_NxD)
      peer = decomposition.PCA().fit(z_NxD[self.fitted_N])
      np.testing.assert_allclose(found.share_SxQ[s], peer.explained_variance_ratio_)
      np.testing.assert_allclose(found.score_SxNxQ[s], peer.transform(z_NxD)[:, :4], atol=1e-9)

  def test_affine_map_is_sklearns(self):
    score_SxNx2 = self.state_SxNxD[..., :2]
    guess_SxNx2 = linear.affine(score_SxNx2, self.target_Nx2, self.fitted_N)
    r2_S = linear.r2_mean(self.target_Nx2, guess_SxNx2)
    for s, score_Nx2 in enumerate(score_SxNx2):
      peer = linear_model.LinearRegression().fit(
        score_Nx2[self.fitted_N], self.target_Nx2[self.fitted_N]
      )
      guess_Nx2 = peer.predict(score_Nx2)
      np.testing.assert_allclose(guess_SxNx2[s], guess_Nx2)
      self.assertAlmostEqual(r2_S[s], metrics.r2_score(self.target_Nx2, guess_Nx2))

  def test_circularity_of_a_circle_and_of_noise(self):
    rng = np.random.default_rng(3)
    angle_N = rng.uniform(0, 2 * np.pi, 400)
    mixed = linear.circle(angle_N) @ rng.normal(size=(2, 5))
    noise = rng.normal(size=(400, 5))
    found_S = linear.circularity(np.stack([mixed, noise]), angle_N)
    self.assertAlmostEqual(found_S[0], 1)
    self.assertBetween(found_S[1], 0, 0.05)  # in sample

  def test_constant_features_stay_finite(self):
    state_SxNxD = self.state_SxNxD.copy()
    state_SxNxD[..., 0] = 2.5
    z_SxNxD = linear.standardised(state_SxNxD, self.fitted_N)
    np.testing.assert_array_equal(z_SxNxD[..., 0], 0)


if __name__ == "__main__":
  absltest.main()
