"""Directions removed: published numbers, scikit-learn, whole runs."""

import dataclasses
import tempfile

import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.analyses import erasure
from primelens.lens import legacy, results
from primelens.studies.text import (
  causal,
  causal_directions,
  causal_published,
  causal_records,
  plots_causal,
)
from sklearn import linear_model, model_selection, pipeline, preprocessing


class PublishedTest(absltest.TestCase):
  """The published network, arithmetic spec 5.2."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = published_text.run()
    found = causal_published.measure(run)
    cls.found = found
    cls.row = {row["key"]: row for row in causal_records.table(run, causal.REPORTED, found)}

  def test_recomputed_numbers(self):
    for key, row in self.row.items():
      if key != "sum_leace_r2":
        self.assertTrue(row["agrees"], row)
    expected = {key for key in causal.REPORTED if key.startswith("sum")}
    self.assertEqual(set(self.row), expected)

  def test_exact_erasure_leaves_nothing_on_its_own_rows(self):
    # The recomputed .012 is rounding: without covariance R2 is 0.
    self.assertLess(abs(self.row["sum_leace_r2"]["ours"]), 1e-9)


class RefitTest(absltest.TestCase):
  def test_is_scikit_learns(self):
    rng = np.random.default_rng(0)
    state_NxD = rng.standard_normal((1500, 8)) @ rng.standard_normal((8, 8))
    sum_N = state_NxD @ rng.standard_normal(8) + rng.standard_normal(1500)
    target_Nx2 = np.stack([sum_N, sum_N**2], -1)
    found = causal_published.refits(state_NxD[None], target_Nx2)
    few = causal_published.FEW
    x_NxD = state_NxD[:few]
    ridge = linear_model.Ridge().fit(x_NxD, sum_N[:few])
    unit_D = ridge.coef_ / np.linalg.norm(ridge.coef_)
    for name, left_NxD in (("before", x_NxD), ("after", x_NxD - np.outer(x_NxD @ unit_D, unit_D))):
      again = linear_model.Ridge().fit(left_NxD, target_Nx2[:few, 1])
      error_N = again.predict(left_NxD) - target_Nx2[:few, 1]
      np.testing.assert_allclose(found[f"few_{name}"], [np.mean(error_N**2)])

  def test_folds_are_scikit_learns(self):
    rng = np.random.default_rng(1)
    state_NxD = rng.standard_normal((100, 5))
    target_Nx1 = state_NxD @ np.ones((5, 1)) + rng.standard_normal((100, 1))
    parts = causal_published.moments_of_folds(state_NxD[None], target_Nx1)
    none = erasure.Eraser(np.zeros(5), np.zeros((5, 1)), np.zeros((5, 1)))
    expected = model_selection.cross_val_score(
      linear_model.Ridge(),
      state_NxD,
      target_Nx1,
      cv=model_selection.KFold(5, shuffle=True, random_state=0),
    )
    np.testing.assert_allclose(causal_published.held_out(*parts, none), [expected.mean()])


class DirectionsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    rng = np.random.default_rng(0)
    mixed_DxD = rng.standard_normal((5, 5))
    cls.x_NxD = rng.standard_normal((120, 5)) @ mixed_DxD + 1
    cls.y_Nx1 = cls.x_NxD @ np.ones((5, 1)) + rng.standard_normal((120, 1))
    cls.fit = erasure.moments(cls.x_NxD[None, :60], cls.y_Nx1[:60])
    cls.test = erasure.moments(cls.x_NxD[None, 60:], cls.y_Nx1[60:])

  def test_new_probes_are_scikit_learns(self):
    direction_1xKxD = erasure.null_space(self.fit, 2)
    basis_DxK = direction_1xKxD[0].T
    parts = [np.zeros((5, 2)), basis_DxK * [1, 0], basis_DxK]
    found = causal_directions._reread(self.fit, self.test, np.stack(parts)[None])
    for r, part_DxK in enumerate(parts):
      left_NxD = self.x_NxD - self.x_NxD @ part_DxK @ part_DxK.T
      peer = linear_model.Ridge().fit(left_NxD[:60], self.y_Nx1[:60])
      expected = peer.score(left_NxD[60:], self.y_Nx1[60:])
      self.assertAlmostEqual(found[0, r], expected, places=6)

  def test_ladder(self):
    found = causal_directions.lines(self.fit)
    x_NxD, y_N = self.x_NxD[:60], self.y_Nx1[:60, 0]
    for alpha in (0.01, 10.0):
      read, _ = found[causal_directions.named("ridge, standardised", alpha)]
      peer = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.Ridge(alpha=alpha)
      ).fit(x_NxD, y_N)
      mapped_D = peer[1].coef_ / peer[0].scale_
      np.testing.assert_allclose(read[0, :, 0], mapped_D / np.linalg.norm(mapped_D), rtol=1e-6)
      read, write = found[causal_directions.named("leace", alpha)]
      left_NxD = x_NxD - (x_NxD - x_NxD.mean(0)) @ read[0] @ write[0].T
      np.testing.assert_allclose((y_N - y_N.mean()) @ (left_NxD - left_NxD.mean(0)), 0, atol=1e-8)
    first, _ = found["first component"]
    _, _, right = np.linalg.svd(x_NxD - x_NxD.mean(0))
    self.assertAlmostEqual(abs(first[0, :, 0] @ right[0]), 1, places=6)


class RunTest(parameterized.TestCase):
  @parameterized.parameters(("sum", 1, {}), ("modk", 97, {"layout": "aligned", "operands": 100}))
  def test_is_stored_and_drawn(self, question, outputs, task):
    config = tiny_text.experiment(question, outputs=outputs, task=task)
    many = dataclasses.replace(config.analyses, permutations=19)
    found = causal.run(tiny_text.run(dataclasses.replace(config, analyses=many)))
    rows = {(row["target"], row["level"], row["subspace"]): row for row in found.interventions}
    self.assertLen(rows, len(found.targets) * 4 * 5)
    probed = rows["sum", "final", "leace"]
    self.assertEqual((probed["rows"], probed["draws"]), (200, 1))
    self.assertBetween(probed["p"], 0.05, 1)
    # What was fitted cannot be read again; what it took was there before.
    self.assertGreater(found.iterated_SxR[:, 0].min(), found.iterated_SxR[:, -1].max())
    with tempfile.TemporaryDirectory() as folder:
      legacy.write(folder, "causal", found, provenance={})
      again, _ = legacy.read(folder, "causal", causal.Result)
    np.testing.assert_array_equal(again.skill_PxSxExV, found.skill_PxSxExV)
    figure = plots_causal.figure(again)
    figure.canvas.draw()
    self.assertLen(figure.axes, 2 * len(found.targets) + 2)
    first = {
      name: np.take(value, [0], results.axes(name).index("S"))
      for name, value in vars(again).items()
      if "S" in results.axes(name)
    }
    plots_causal.figure(dataclasses.replace(again, **first)).canvas.draw()


if __name__ == "__main__":
  absltest.main()
