"""The probe: scikit-learn's split and fit, and what its company must score."""

import dataclasses

import adder
import jax
import numpy as np
from absl.testing import absltest
from primelens.studies.addition import network, plots_probe, probe
from sklearn import linear_model, metrics, model_selection


class SplitTest(absltest.TestCase):
  def test_is_scikit_learns(self):
    for rows in (100, 49, 64):
      expected = model_selection.train_test_split(np.arange(rows), test_size=0.3, random_state=42)
      for found, peer in zip(probe.published_split(rows), expected, strict=True):
        np.testing.assert_array_equal(found, peer)

  def test_controls_keep_what_they_say(self):
    sum_N = np.add.outer(np.arange(5.0), np.arange(5.0)).ravel()
    permuted_NxR, relabelled_NxR = probe.controls(sum_N, 30, seed=0)
    for column_N in permuted_NxR.T:
      np.testing.assert_array_equal(np.sort(column_N), np.sort(sum_N))
    for column_N in relabelled_NxR.T:
      # A one-to-one function of the sum.
      self.assertLen(set(zip(sum_N, column_N, strict=True)), 9)
      self.assertLen(set(column_N), 9)
    self.assertGreater(len(np.unique(permuted_NxR.T, axis=0)), 25)
    self.assertGreater(len(np.unique(relabelled_NxR.T, axis=0)), 25)


class ProbeTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = adder.trained()
    cls.result = probe.run(cls.run_)
    cls.row = {row["key"]: row for row in cls.result.table}
    cls.probe = {row["probe"]: row for row in cls.result.probes}
    cls.token_Nx3 = np.asarray(cls.run_.pairs.token_Nx3)
    cls.sum_N = cls.token_Nx3[:, 0] + cls.token_Nx3[:, 1]
    params = jax.tree.map(lambda leaf: leaf[0], cls.run_.params_S)
    cls.post_NxF = np.asarray(
      network.read(cls.run_.experiment.model, params, cls.token_Nx3).post_NxF, np.float64
    )

  def peer(self, train_N, test_N, tol):
    """scikit-learn's probe in float64."""
    fit = linear_model.LinearRegression(tol=tol)
    fit.fit(self.post_NxF[train_N], self.sum_N[train_N])
    guess_N = fit.predict(self.post_NxF[test_N])
    return guess_N, metrics.r2_score(self.sum_N[test_N], guess_N)

  def test_everything_reported_has_a_number(self):
    self.assertEqual(set(self.row), set(probe.REPORTED))

  def test_directions_kept_are_scikit_learns(self):
    at = probe.TOLERANCES_R.index(1e-6)  # its default
    _, r2 = self.peer(*probe.published_split(100), 1e-6)
    self.assertAlmostEqual(self.result.ladder_r2_SxR[0, at], r2, delta=2e-4)
    np.testing.assert_array_equal(self.result.truth_N, self.sum_N[probe.published_split(100)[1]])

  def test_default_leaves_directions_of_rounding_out(self):
    tol = float(np.finfo(np.float32).eps) * 512
    guess_N, r2 = self.peer(*probe.published_split(100), tol)
    self.assertAlmostEqual(self.row["r2"]["ours"], r2, delta=1e-5)
    np.testing.assert_allclose(self.result.prediction_SxN[0], guess_N, atol=0.01)
    own = (self.run_.pairs.train_SxN[0], self.run_.pairs.test_SxN[0])
    self.assertAlmostEqual(self.row["own_r2"]["ours"], self.peer(*own, tol)[1], delta=1e-5)

  def test_recomputed_numbers(self):
    for key in ("mse_as_published", "r2_as_published", "untrained_r2"):
      self.assertTrue(self.row[key]["agrees"], self.row[key])
    self.assertAlmostEqual(self.row["untrained_r2"]["ours"], 0.9997, delta=5e-5)
    self.assertAlmostEqual(self.row["r2"]["ours"], 0.9990, delta=0.005)
    self.assertEqual(self.row["accuracy"]["ours"], 1)

  def test_untrained_network_reads_as_well(self):
    self.assertLess(self.probe["hidden"]["mse_untrained"], self.probe["hidden"]["mse_ours"])

  def test_pairs_alone_give_the_sum(self):
    for name in ("additive", "additive_own"):
      self.assertAlmostEqual(self.probe[name]["r2_min"], 1, places=5)
      self.assertEqual(self.probe[name]["accuracy_min"], 1)

  def test_mean_is_the_baseline(self):
    train_N, test_N = probe.published_split(100)
    error_N = self.sum_N[test_N] - self.sum_N[train_N].mean()
    self.assertAlmostEqual(self.row["mean_mse"]["ours"], np.mean(error_N**2), places=3)

  def test_permuted_sums_are_unreadable(self):
    self.assertEqual(self.result.permuted_r2_SxK.shape, (2, probe.CONTROLS))
    np.testing.assert_allclose(self.result.p_S, 1 / (probe.CONTROLS + 1))
    self.assertLess(self.row["permuted_r2"]["ours"], 0)

  def test_figure_draws_one_seed_and_two(self):
    for seeds in (1, 2):
      part = {name: value[:seeds] for name, value in vars(self.result).items() if "_S" in name}
      figure = plots_probe.figure(dataclasses.replace(self.result, **part))
      figure.canvas.draw()
      self.assertLen(figure.axes, 3)


if __name__ == "__main__":
  absltest.main()
