"""The probe: scikit-learn's split and fit, what its controls must score, and its claim."""

import tempfile

import adder
import adder_cards
import drawn
import jax
import numpy as np
from absl.testing import absltest
from primelens.lens import numbers as numbers_lib
from primelens.lens import results
from primelens.studies.addition import network, probe
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
    cls.found = probe.measure(cls.run_)
    own = probe.numbers(cls.found)
    cls.known = numbers_lib.published(probe.__file__)
    cls.ours = {key: its.value_S[cls.found.reference] for key, its in own.items()}
    cls.token_Nx3 = np.asarray(cls.run_.pairs.token_Nx3)
    cls.sum_N = cls.token_Nx3[:, 0] + cls.token_Nx3[:, 1]
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[0], cls.run_.params_S)
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
    self.assertEqual(set(self.ours), set(self.known))

  def test_directions_kept_are_scikit_learns(self):
    at = probe.TOLERANCES_R.index(1e-6)  # its default
    _, r2 = self.peer(*probe.published_split(100), 1e-6)
    self.assertAlmostEqual(float(self.found["ladder_r2"][0, at]), r2, delta=2e-4)
    np.testing.assert_array_equal(self.found["truth"], self.sum_N[probe.published_split(100)[1]])

  def test_default_leaves_directions_of_rounding_out(self):
    tol = float(np.finfo(np.float32).eps) * 512
    guess_N, r2 = self.peer(*probe.published_split(100), tol)
    self.assertAlmostEqual(self.ours["r2"], r2, delta=1e-5)
    np.testing.assert_allclose(
      self.found["prediction"].sel(network="trained")[0], guess_N, atol=0.01
    )
    own = (self.run_.pairs.train_SxN[0], self.run_.pairs.test_SxN[0])
    self.assertAlmostEqual(self.ours["own_r2"], self.peer(*own, tol)[1], delta=1e-5)

  def test_recomputed_numbers(self):
    for key in ("mse_as_published", "r2_as_published", "untrained_r2"):
      gap = abs(self.ours[key] - self.known[key].recomputed)
      self.assertLessEqual(gap, self.known[key].tolerance, key)
    self.assertAlmostEqual(self.ours["untrained_r2"], 0.9997, delta=5e-5)
    self.assertAlmostEqual(self.ours["r2"], 0.9990, delta=0.005)
    self.assertEqual(self.ours["accuracy"], 1)

  def test_untrained_network_reads_as_well(self):
    mse = self.found["score"].sel(probe="hidden", measure="mse")
    untrained = float(mse.sel(network="untrained").median())
    self.assertLess(untrained, float(mse.sel(network="trained")[0]))

  def test_pairs_alone_give_the_sum(self):
    for name in ("additive", "additive_own"):
      least = self.found["score"].sel(probe=name, network="trained").min("seed")
      self.assertAlmostEqual(float(least.sel(measure="r2")), 1, places=5)
      self.assertEqual(float(least.sel(measure="accuracy")), 1)

  def test_mean_is_the_baseline(self):
    train_N, test_N = probe.published_split(100)
    error_N = self.sum_N[test_N] - self.sum_N[train_N].mean()
    self.assertAlmostEqual(self.ours["mean_mse"], np.mean(error_N**2), places=3)

  def test_permuted_sums_are_unreadable(self):
    self.assertEqual(self.found["permuted_r2"].shape, (2, probe.CONTROLS))
    np.testing.assert_allclose(self.found["p"], 1 / (probe.CONTROLS + 1))
    self.assertLess(self.ours["permuted_r2"], 0)

  def test_is_stored(self):
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "probe", self.found, provenance={})
      stored, _ = results.read(folder, "probe")
    self.assertTrue(stored.identical(self.found))

  def test_figure_draws_one_seed_and_two(self):
    for seeds in (1, 2):
      figure = probe.figures({"run": self.found.isel(seed=slice(seeds))})["run"].figure()
      drawn.assert_inside(self, figure)
      self.assertLen(figure.axes, 4)
    permuted = figure.axes[3].lines[-2].get_xdata()  # the last line is at 0
    np.testing.assert_allclose(permuted, 1 - self.found["permuted_r2"].values.ravel())
    self.assertIn("199 permutations of the sums: p = 0.005", figure.axes[3].get_title(loc="left"))

  def test_runs_are_compared(self):
    control = self.found.assign_attrs(population="P = 10, permuted labels", reference=-1)
    pages = probe.figures({"own": self.found, "permuted": control})
    self.assertEqual(list(pages), ["own", "all runs"])
    drawn.assert_inside(self, pages["all runs"].figure())

  def test_table_has_a_row_for_each_probe(self):
    (table,) = probe.tables({"run": self.found})
    self.assertEqual([row["probe"] for row in table.rows], list(probe.PROBES))
    self.assertEqual(table.rows[2]["accuracy"], 1)
    self.assertIn("one indicator per a and per b", table.text())


class ClaimsTest(absltest.TestCase):
  def test_a_probe_that_reads_untrained_networks_shows_nothing(self):
    for untrained, status in ((0.9997, "reproduced, but an artefact"), (0.3, "reproduced")):
      found = adder_cards.numbers(r2=0.999, untrained_r2=untrained)
      row = adder_cards.row(probe, "probe.sum", {"probe": found})
      self.assertEqual(row["status"], status)
      self.assertIn("on pairs held out is wanted of 6 networks", row["because"])
      self.assertIn("the probe has R2 0.999 (median 0.999, 0.999 to 0.999)", row["because"])
      self.assertIn("on untrained networks " + f"{untrained:.3g} in the median", row["because"])
      said = "with 512 activations and 70 rows to fit" in row["because"]
      self.assertEqual(said, untrained > 0.9)

  def test_other_populations_decide_nothing(self):
    for its in ("P = 10, permuted labels", "P = 10, other steps", "P = 12, other digits"):
      found = adder_cards.numbers(its, r2=1, untrained_r2=1)
      row = adder_cards.row(probe, "probe.sum", {"probe": found})
      self.assertEqual(row["status"], "not run")

  def test_without_runs_it_is_open(self):
    adder_cards.assert_not_run(self, probe)


if __name__ == "__main__":
  absltest.main()
