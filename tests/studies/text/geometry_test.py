"""Geometry: circles and lines by hand, scikit-learn, the published plane."""

import dataclasses
import tempfile

import jax
import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.lens import legacy
from primelens.models import encoder
from primelens.studies.text import geometry, plots_geometry
from primelens.studies.text import geometry_parts as parts
from primelens.tasks import characters
from sklearn import decomposition, linear_model, metrics, preprocessing

ROWS, WIDTH = 120, 6


def rows(sum_N, angle_N) -> geometry.Rows:
  """Returns rows of which the first two thirds are fitted."""
  fitted_N = np.arange(len(sum_N)) < 2 * len(sum_N) // 3
  nothing = np.zeros((len(sum_N), 0), int)
  return geometry.Rows(nothing, sum_N, angle_N, fitted_N, ~fitted_N, (0.01, 1.0))


class HandMadeTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.rng = np.random.default_rng(0)
    self.sum_N = self.rng.integers(0, 1999, ROWS).astype(float)
    self.angle_N = 2 * np.pi * self.rng.integers(0, 7, ROWS) / 7

  def measured(self, state_NxD, angle_N=None):
    angle_N = self.angle_N if angle_N is None else angle_N
    found = geometry._measured(state_NxD[None], rows(self.sum_N, angle_N))
    return {name: value_S[0] for name, value_S in found["value"].items()}

  def test_circle(self):
    # Turned and stretched into six dimensions, off centre.
    circle_Nx2 = parts.circle(self.angle_N + 0.4)
    state_NxD = 3 + circle_Nx2 @ self.rng.normal(size=(2, WIDTH))
    found = self.measured(state_NxD)
    for name in ("circularity_r2", "circularity_r2_rows_fitted"):
      self.assertAlmostEqual(found[name], 1, places=6)
    for name in ("fourier_r2", "fourier_r2_rows_fitted"):
      self.assertAlmostEqual(found[name], 1, places=4)

  def test_line(self):
    state_NxD = np.outer(self.sum_N, self.rng.normal(size=WIDTH)) - 40
    found = self.measured(state_NxD)
    for name in ("PC1_r2", "PC1_share", "PC1_correlation_unscaled"):
      self.assertAlmostEqual(found[name], 1, places=6)
    self.assertEqual(found["PC2_r2"], 0)  # nothing is left

  def test_noise_is_no_circle_on_rows_held_out(self):
    state_NxD = self.rng.normal(size=(ROWS, 30))
    found = self.measured(state_NxD)
    self.assertGreater(found["fourier_r2_rows_fitted"], 0.1)
    self.assertGreater(found["circularity_r2_rows_fitted"], 0)
    for name in ("circularity_r2", "fourier_r2"):
      self.assertLess(found[name], 0.02)

  def test_without_residues_there_is_no_circle(self):
    state_NxD = self.rng.normal(size=(ROWS, WIDTH))
    found = self.measured(state_NxD, np.full(ROWS, np.nan))
    self.assertNotIn("circularity_r2", found)
    self.assertIn("PC4_r2", found)


class PartsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(1)
    self.state_SxNxD = rng.normal(size=(2, ROWS, WIDTH)) * np.arange(1, 7) + 5
    self.state_SxNxD[1] = self.state_SxNxD[0, :, ::-1] @ rng.normal(size=(6, 6))
    self.fitted_N = rng.random(ROWS) < 0.7
    self.target_Nx2 = rng.normal(size=(ROWS, 2)) + self.state_SxNxD[0, :, :2]

  def test_equal_sklearn(self):
    z_SxNxD = parts.standardised(self.state_SxNxD, self.fitted_N)
    found = parts.plane(z_SxNxD, self.fitted_N)
    for s, state_NxD in enumerate(self.state_SxNxD):
      scaler = preprocessing.StandardScaler().fit(state_NxD[self.fitted_N])
      z_NxD = scaler.transform(state_NxD)
      peer = decomposition.PCA().fit(z_NxD[self.fitted_N])
      np.testing.assert_allclose(found.share_SxQ[s], peer.explained_variance_ratio_)
      np.testing.assert_allclose(found.score_SxNxQ[s], peer.transform(z_NxD)[:, :4], atol=1e-9)

  def test_affine_map_is_sklearns(self):
    score_SxNx2 = self.state_SxNxD[..., :2]
    guess_SxNx2 = parts.affine(score_SxNx2, self.target_Nx2, self.fitted_N)
    r2_S = parts.r2(self.target_Nx2, guess_SxNx2)
    for s, score_Nx2 in enumerate(score_SxNx2):
      peer = linear_model.LinearRegression().fit(
        score_Nx2[self.fitted_N], self.target_Nx2[self.fitted_N]
      )
      guess_Nx2 = peer.predict(score_Nx2)
      np.testing.assert_allclose(guess_SxNx2[s], guess_Nx2)
      self.assertAlmostEqual(r2_S[s], metrics.r2_score(self.target_Nx2, guess_Nx2))

  def test_squared_correlation(self):
    value_N = self.target_Nx2[:, 0]
    found = parts.squared_correlation(self.state_SxNxD, value_N)
    for s, q in np.ndindex(found.shape):
      r = np.corrcoef(self.state_SxNxD[s, :, q], value_N)[0, 1]
      self.assertAlmostEqual(found[s, q], r**2)

  def test_circularity_of_a_circle_and_of_noise(self):
    rng = np.random.default_rng(3)
    angle_N = rng.uniform(0, 2 * np.pi, 400)
    mixed = parts.circle(angle_N) @ rng.normal(size=(2, 5))
    noise = rng.normal(size=(400, 5))
    found_S = parts.circularity(np.stack([mixed, noise]), angle_N)
    self.assertAlmostEqual(found_S[0], 1)
    self.assertBetween(found_S[1], 0, 0.05)  # in sample

  def test_share_between_kinds(self):
    kind_N = np.array([9, 9, 4, 4])
    # Means 1 and 5 about 3, deviations 1 and 0 within; the rest is closed.
    score_SxN = np.array([[0.0, 2.0, 5.0, 5.0], [1, 1, 7, 7], [2, 2, 2, 2]])
    found_S = parts.between(score_SxN, kind_N)
    np.testing.assert_allclose(found_S, [4 / 4.5, 1, np.nan])

  def test_constant_features_stay_finite(self):
    state_SxNxD = self.state_SxNxD.copy()
    state_SxNxD[..., 0] = 2.5
    z_SxNxD = parts.standardised(state_SxNxD, self.fitted_N)
    np.testing.assert_array_equal(z_SxNxD[..., 0], 0)


class PoolingTest(absltest.TestCase):
  def test_filler_is_in_no_pooling(self):
    run = tiny_text.run()
    model = run.experiment.model
    params = jax.tree.map(lambda leaf: leaf[0], run.params_S)
    short, long = "7 + 8 = ?", "123 + 456 = ?"
    token_2xT = characters.encode([short, long])
    found_2xPxD = geometry.pooled(model, params, token_2xT)
    alone_1xT = characters.encode([short])
    final_1xTxD, _ = encoder.states(model, params, alone_1xT)
    state_TxD = np.asarray(final_1xTxD)[0]
    expected_PxD = [state_TxD[-1], state_TxD.mean(0), state_TxD[0]]
    np.testing.assert_allclose(found_2xPxD[0], expected_PxD, atol=1e-5)


class RunTest(parameterized.TestCase):
  @parameterized.parameters("sum", "modk")
  def test_is_stored_and_drawn(self, question):
    config = tiny_text.experiment(question)
    settings = dataclasses.replace(config.analyses, tsne=True)
    run = tiny_text.run(dataclasses.replace(config, analyses=settings))
    result = geometry.run(run)
    self.assertEqual(result.plane_Nx2.shape, (200, 2))
    self.assertEqual(result.tsne_Bx2.shape, (200, 2))
    self.assertEqual(np.isfinite(result.tsne_circularity), question == "modk")
    self.assertEmpty(result.table)
    measures = {row["measure"] for row in result.measures}
    self.assertEqual("fourier_r2" in measures, question == "modk")
    for row in result.measures:
      self.assertLen(row["values"], 2)
      if row["measure"].endswith("as_published"):
        self.assertEqual(row["rows"], geometry.ALIKE)
        self.assertLess(row["maximum"], -2)
    with tempfile.TemporaryDirectory() as folder:
      legacy.write(folder, "geometry", result, provenance={})
      again, _ = legacy.read(folder, "geometry", geometry.Result)
    figure = plots_geometry.figure(again)
    figure.canvas.draw()
    bare = dataclasses.replace(again, tsne_Bx2=np.zeros((0, 2)))
    fewer = plots_geometry.figure(bare)
    fewer.canvas.draw()
    self.assertLess(len(fewer.axes), len(figure.axes))


class PublishedTest(absltest.TestCase):
  def test_reported_numbers(self):
    run = published_text.run()
    settings = dataclasses.replace(run.settings, untrained=1)
    experiment = dataclasses.replace(run.experiment, analyses=settings)
    run = dataclasses.replace(run, experiment=experiment)
    table = geometry.run(run).table
    self.assertLen(table, len(geometry.REPORTED))
    for row in table:
      self.assertTrue(row["agrees"], row)


if __name__ == "__main__":
  absltest.main()
