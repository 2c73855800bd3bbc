"""Slice `neuron_changes`: planted networks, peers and recomputed numbers of the reference one."""

import functools
import tempfile

import adder
import adder_cards
import drawn
import jax
import jitted
import numpy as np
import xarray as xr
from absl.testing import absltest, parameterized
from neuron_networks import A_N, B_N, MEMBER, SUM_N, TOKEN_NX3, P, planted
from primelens.lens import results
from primelens.studies.addition import network, neuron_changes
from sklearn import linear_model, metrics

_flips = jax.jit(neuron_changes.flip_numbers)
_changes = jax.jit(neuron_changes.mean_changes)
_network = jitted.Jitted(network)
_between = jax.jit(neuron_changes.between)


class ChangeTest(absltest.TestCase):
  """Three neurons: one stays on, one turns off, one turns on at (0, 0)."""

  def setUp(self):
    super().setUp()
    readout_VxF = np.zeros((2 * P, 3))
    readout_VxF[0] = [1, -2, 3]  # the true row at (0, 0)
    readout_VxF[4] = [1, 3, 0.5]  # predicted: 1 + 3 x 2
    was = planted(np.tile([1.0, 2, -1], (25, 1)), readout_VxF=readout_VxF)
    now = planted(np.tile([2.0, -1, 4], (25, 1)), readout_VxF=readout_VxF)
    wrong_N = np.argmax(was.logit_NxV, axis=-1) != MEMBER.label_N
    self.pair = network.Pair(now, was, wrong_N)

  def test_flips(self):
    found = _flips(self.pair, MEMBER.label_N)["value"]
    for key, expected in (
      ("flips", 2),
      ("flips_off", 1),
      ("flips_on", 1),
      ("change_true", 1 + 4 + 12),  # by neuron: 1 x 1, -2 x -2, 3 x 4
      ("flips_true", 16),
      ("flips_predicted", -6 + 2),
      ("flips_share", 16 / 17),
      ("direct_true", 0),
      ("off_true_mean", -2),
      ("off_true_right", 1),
      ("off_predicted_right", 1),
      ("on_true_right", 1),
      ("on_predicted_right", 0),
      ("on_true_std", 0),
    ):
      self.assertAlmostEqual(found[key], expected, places=5, msg=key)

  def test_no_flips_have_no_statistics(self):
    still = self.pair._replace(reduced=self.pair.full)
    found = _flips(still, MEMBER.label_N)["value"]
    self.assertEqual(found["flips"], 0)
    self.assertTrue(np.isnan(found["off_true_mean"]))

  def changes(self, pair):
    return _changes(pair, MEMBER, np.eye(3), np.arange(3.0), np.arange(3))

  def test_mean_changes_by_group(self):
    found = self.changes(self.pair)
    pre, post = [1, -3, 5], [1, -2, 4]
    self.assertEqual(found["value"]["failing"], 20)  # 4 is right 5 times
    np.testing.assert_allclose(found["change"][0], [pre] * 3, rtol=1e-6)
    np.testing.assert_allclose(found["change"][1], [post] * 3, rtol=1e-6)
    self.assertEqual(found["value"]["delta_post_0"], 2)
    self.assertEqual(found["value"]["delta_post_1"], 1)
    none = self.changes(self.pair._replace(failing_N=np.zeros(25, bool)))
    np.testing.assert_array_equal(none["change"], np.zeros((2, 3, 3)))
    np.testing.assert_allclose(found["change_size"], np.abs(post), rtol=1e-6)
    np.testing.assert_array_equal(none["change_size"], np.zeros(3))
    # At (0, 0) the third neuron adds 3 x 4 to logit 0, the first one 1 x 2.
    np.testing.assert_array_equal(found["strong"], [2, 0, 1])
    np.testing.assert_allclose(found["part"][:, 0], [12, 2, 0])

  def test_variance_between_groups(self):
    rank_F = np.array([0, 0, 1, 1, 2])  # the last has no copy
    share = _between(np.array([1.0, 1, 3, 3, 99]), rank_F)
    self.assertAlmostEqual(share, 1, places=6)
    share = _between(np.array([1.0, 3, 1, 3, 99]), rank_F)
    self.assertAlmostEqual(share, 0, places=6)
    share = _between(np.array([0.0, 2, 2, 4, 0]), rank_F)
    self.assertAlmostEqual(share, 0.5, places=6)
    self.assertTrue(np.isnan(_between(rank_F + 0.0, np.arange(5))))


class FitTest(absltest.TestCase):
  def test_planted_targets(self):
    digit_P = np.linspace(-1, 1, P)
    second_P = digit_P**2
    line = np.stack([SUM_N - 4, 4.5 - SUM_N], 1)
    bow = (second_P[A_N] + 2 * second_P[B_N])[:, None] * np.array([1.0, -2])
    pair = network.Pair(planted(line + bow), planted(line), np.ones(25, bool))
    draw_RxP = neuron_changes.draws(P, 3, seed=0)
    found = jax.jit(neuron_changes.neuron_fits)(
      pair, MEMBER, TOKEN_NX3, np.array([1.0, 3]), draw_RxP
    )
    for name in ("pre_reduced", "change_linear", "change_raw_quadratic"):
      self.assertAlmostEqual(found["fits"][name]["r2_mean"], 1, places=4)
      self.assertAlmostEqual(found["fits"][name]["heldout_mean"], 1, places=4)
    self.assertLess(found["fits"]["post_reduced"]["r2_mean"], 0.95)
    self.assertLess(found["fits"]["change_raw_linear"]["r2_mean"], 0.01)
    self.assertAlmostEqual(found["value"]["weighted_pre_reduced"], 1, places=4)
    # Fitting z exactly gives back the network's own logits.
    for measure in ("accuracy", "nll_nats"):
      np.testing.assert_allclose(
        found["fits"]["change_linear"][measure],
        getattr(_network, measure.removesuffix("_nats"))(pair.full.logit_NxV, MEMBER.label_N),
        rtol=1e-3,
      )


class ReferenceTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = adder.trained()
    cls.found = neuron_changes.measure(cls.run_)
    cls.row = adder_cards.records("neuron_changes", cls.found)
    cls.one = drawn.Made(neuron_changes.figures({"run": cls.found.isel(seed=[0])}))

  def test_everything_reported_has_a_number(self):
    self.assertEqual(set(self.row), set(neuron_changes.PUBLISHED))
    self.assertEqual(set(self.found["fit"].values), set(neuron_changes.FITS))

  def test_recomputed_numbers_that_repeat(self):
    for key in (
      "failing",
      "change_true",
      "active_0_strength",
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
      self.assertEqual(self.row[key]["here"], self.row[key]["recomputed"])
    strongest = {self.row[f"active_{rank}"]["here"] for rank in range(2)}
    self.assertEqual(strongest, {357, 184})
    self.assertLess(self.row["outlier_true"]["here"], 0)

  def test_what_does_not_agree_drifts(self):
    self.assertEqual(adder.unexplained("neuron_changes", self.row.values()), [])

  def test_fits_are_scikit_learns(self):
    run, token_Nx3 = self.run_, np.asarray(self.run_.pairs.token_Nx3)
    own = jax.tree.map(lambda leaf: np.asarray(leaf)[0], run.params_S)
    read = jax.jit(functools.partial(network.read, run.experiment.model))(own, token_Nx3)
    pre_NxF = np.asarray(read.pre_NxF)
    x_Nx1 = token_Nx3[:, :1] + token_Nx3[:, 1:2]
    guess = linear_model.LinearRegression().fit(x_Nx1, pre_NxF).predict(x_Nx1)
    expected_F = metrics.r2_score(pre_NxF, guess, multioutput="raw_values")
    ours_F = self.found["sum_r2"].sel(sum_fit="pre_full").values[0]
    np.testing.assert_allclose(ours_F, expected_F, atol=1e-4)
    fitted = self.found["fit_value"].sel(network="trained", fit="pre_full", measure="r2_mean")
    self.assertAlmostEqual(fitted.values[0], expected_F.mean(), places=4)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "neuron_changes", self.found, provenance={})
    back, _ = results.read(folder, "neuron_changes")
    xr.testing.assert_identical(back, self.found)

  def test_neurons_are_counted_above_a_level(self):
    counts = neuron_changes.above(self.found)
    r2_F = self.found["sum_r2"].sel(sum_fit="post_reduced").values[0]
    place = {"digits": "PC1 alone", "site": "h"}
    for at in (0, 50, 90):
      shown = counts["count"].sel(place).isel(seed=0, level=at)
      self.assertEqual(shown.item(), sum(r2 > shown["level"].item() for r2 in r2_F))

  def test_figures_draw_one_seed_and_two(self):
    self.assertEqual(self.found.sizes["seed"], 2)
    for made in (self.one, drawn.Made(neuron_changes.figures({"run": self.found}))):
      self.assertEqual(set(made.pages), {"run", "run, ReLU"})
      drawn.assert_inside(self, made["run, ReLU"])
      figure = made["run"]
      drawn.assert_inside(self, figure)
      self.assertLen([ax for part in figure.subfigs for ax in part.axes], 8)

  def test_drops_and_parts_are_drawn(self):
    costs, parts = self.one["run, ReLU"].subfigs
    for axes, name in zip(costs.axes, ("reduced", "full"), strict=True):
      middle = axes.lines[0].get_xdata()[0]
      self.assertAlmostEqual(middle, self.row[f"drop_{name}_median"]["here"], places=5)
    (axes,) = parts.axes
    labels = axes.get_legend_handles_labels()[1]
    first = self.row["active_0"]["here"]
    self.assertEqual(labels[0], f"neuron {first:.0f}")
    strength = np.abs(axes.lines[0].get_ydata()).sum()
    np.testing.assert_allclose(strength, self.row["active_0_strength"]["here"], rtol=1e-5)

  def test_several_runs_are_compared_and_controls_have_no_page(self):
    other = self.found.assign_attrs(population="P = 10, permuted labels", reference=-1)
    runs = {"own": self.found, "permuted": other}
    pages = neuron_changes.figures(runs)
    self.assertEqual(set(pages), {"own", "own, ReLU", "all runs"})
    drawn.assert_inside(self, pages["all runs"].figure())

  def test_tables(self):
    fits, changed = neuron_changes.tables({"run": self.found})
    self.assertLen(changed.rows, 10)
    for rank in range(2):
      self.assertEqual(changed.rows[rank]["neuron"], self.row[f"delta_post_{rank}"]["here"])
    self.assertGreaterEqual(
      changed.rows[0]["mean |change of h|"], abs(changed.rows[0]["mean change of h"])
    )
    self.assertEqual([row["item"] for row in fits.rows[:3]], ["A31", "A32", "A33"])
    self.assertEqual(fits.rows[0]["fit"], "z, PC1 alone on a + b")
    self.assertLen(fits.rows, len(neuron_changes.FITS))


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.6, "reproduced"),
    (0.5, "not reproduced"),
    ([0.6, 0.6, 0.6, 0.6, 0.07, 0.07], "not reproduced"),
  )
  def test_flips_have_to_carry_the_change(self, share, status):
    found = adder_cards.numbers(reference=-1, flips_share=share, flips=54)
    row = adder_cards.row(neuron_changes, "neurons.flips", {"neuron_changes": found})
    self.assertEqual(row["status"], status)
    self.assertIn("a share above 0.5 of the change", row["because"])
    self.assertIn(f"their share is {np.median(share):g} in the median (", row["because"])
    self.assertIn("with 54 in the median (54 to 54) such neurons", row["because"])
    said = "25 flips, 24 off, which raise logit 0 and lower logit 3"
    self.assertEqual(row["reported"], said)

  def test_other_populations_decide_nothing(self):
    found = adder_cards.numbers("P = 10, permuted labels", flips_share=1, flips=54)
    row = adder_cards.row(neuron_changes, "neurons.flips", {"neuron_changes": found})
    self.assertEqual(row["status"], "not run")


if __name__ == "__main__":
  absltest.main()
