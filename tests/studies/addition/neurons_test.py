"""Analysis `neurons` of the reference network: peers, recomputed numbers."""

import dataclasses

import adder
import numpy as np
from absl.testing import absltest
from primelens.studies.addition import neuron_blocks, neurons, plots_neurons
from scipy.sparse import csgraph
from sklearn import linear_model, metrics


class ReferenceTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = adder.trained()
    cls.result = neurons.run(run)
    cls.row = {row["key"]: row for row in cls.result.table}
    cls.fit = {row["fit"]: row for row in cls.result.fits}
    cls.up_DxF = np.asarray(run.params_S["blocks"]["mlp"]["up"]["kernel"])[0, 0]

  def test_everything_reported_has_a_number(self):
    self.assertEqual(set(self.row), set(neurons.REPORTED))
    self.assertEqual(set(self.fit), set(neurons.FITS))

  def test_recomputed_numbers_that_repeat(self):
    for key in (
      "accuracy",
      "nll",
      "train_nll",
      "test_nll",
      "row_last_largest",
      "largest_block_r",
      "failing",
      "change_true",
      "active_0_strength",
      "neuron_240_pc_r2_as_published",
      "neuron_240_pc_r2",
      "pre_reduced_r2_median",
      "pre_reduced_r2_max",
      "change_linear_r2_mean",
      "change_quadratic_r2_mean",
    ):
      self.assertTrue(self.row[key]["agrees"], self.row[key])
    for key in (
      "delta_post_0",
      "outlier",
      "outlier_peak",
      "same_direction",
      "pre_reduced_above_95",
      "pre_reduced_above_99",
      "post_reduced_above_90",
      "post_full_above_90",
    ):
      self.assertEqual(self.row[key]["ours"], self.row[key]["recomputed"])
    strongest = {self.row[f"active_{rank}"]["ours"] for rank in range(2)}
    self.assertEqual(strongest, {357, 184})
    self.assertLess(self.row["outlier_true"]["ours"], 0)

  def test_what_does_not_agree_drifts(self):
    self.assertEqual(adder.unexplained("neurons", self.row.values()), [])

  def test_correlations_are_numpys(self):
    post_NxF = self.result.post_NxF.astype(np.float64)
    for neuron in (357, 184, 398, 401):
      peer = np.corrcoef(post_NxF[:, neuron], self.result.sum_N)[0, 1]
      self.assertAlmostEqual(self.result.r_SxF[0, neuron], peer, places=5)

  def test_blocks_are_scipys(self):
    unit_DxF = self.up_DxF / np.linalg.norm(self.up_DxF, axis=0)
    count, label_F = csgraph.connected_components(unit_DxF.T @ unit_DxF > neuron_blocks.ALIKE)
    size = np.sort(np.bincount(label_F))[::-1]
    kept = self.result.size_SxE.shape[1]
    np.testing.assert_array_equal(self.result.size_SxE[0], size[:kept])
    pairs = set(zip(label_F, self.result.rank_SxF[0], strict=True))
    self.assertLen(pairs, count)

  def test_few_units_do_what_the_network_does(self):
    self.assertLessEqual(self.row["units_needed"]["ours"], 12)
    self.assertAlmostEqual(self.row["merged_nll"]["ours"] / self.row["nll"]["ours"], 1, places=2)
    self.assertEqual(self.row["units_needed"]["untrained"], 33)

  def test_fits_are_scikit_learns(self):
    pre_NxF = self.result.pre_NxF
    x_Nx1 = self.result.sum_N[:, None]
    guess = linear_model.LinearRegression().fit(x_Nx1, pre_NxF).predict(x_Nx1)
    expected_F = metrics.r2_score(pre_NxF, guess, multioutput="raw_values")
    np.testing.assert_allclose(self.result.sum_r2_Sx4xF[0, 2], expected_F, atol=1e-4)
    self.assertAlmostEqual(self.fit["pre_full"]["r2_mean_ours"], expected_F.mean(), places=4)

  def test_figure_draws_one_seed_and_two(self):
    for seeds in (1, 2):
      part = {name: value[:seeds] for name, value in vars(self.result).items() if "_S" in name}
      figure = plots_neurons.figure(dataclasses.replace(self.result, **part))
      figure.canvas.draw()
      self.assertGreater(len(figure.axes), 15)
    panel = {ax.get_title(loc="left"): ax for ax in figure.axes}
    bars = panel["$W_L$, logit 5"].patches
    drawn = sum(bar.get_height() for bar in bars if hasattr(bar, "get_height"))
    self.assertEqual(drawn, 100)


if __name__ == "__main__":
  absltest.main()
