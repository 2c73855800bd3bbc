"""Slice `neurons`: planted networks, peers and recomputed numbers of the reference network."""

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
from primelens.studies.addition import network, neurons
from scipy.sparse import csgraph

_copies = jax.jit(neurons.copies)
_network = jitted.Jitted(network)
_components = jax.jit(neurons.component_fits)


class CorrelationTest(absltest.TestCase):
  def test_planted_neurons(self):
    flat_N = np.ones_like(SUM_N)
    pre_NxF = np.stack([SUM_N, 9 - SUM_N, flat_N, -flat_N, A_N - B_N + 9], 1)
    readout_VxF = np.zeros((2 * P, 5))
    readout_VxF[0] = [2, 1, 1, 5, 0]
    read = planted(pre_NxF, readout_VxF=readout_VxF)
    found = jax.jit(neurons.sum_correlations)(read, MEMBER, TOKEN_NX3)
    np.testing.assert_allclose(found["r"], [1, -1, 0, 0, 0], atol=1e-6)
    # Mean sum is 4: 2 x 4, 1 x 5, 1 x 1; the fourth never acts.
    np.testing.assert_allclose(found["contribution"], [8, 5, 1, 0, 0])
    value = found["value"]
    self.assertEqual(value["above_90"], 1)
    self.assertEqual(value["absolute_above_90"], 2)
    self.assertEqual(value["silent"], 1)
    self.assertAlmostEqual(value["share_above_90"], 8 / 14, places=6)
    self.assertAlmostEqual(value["weighted_r"], 13 / 14, places=6)
    self.assertAlmostEqual(value["mean_r"], 2 / 5, places=6)
    self.assertEqual(found["busiest"], 0)

  def test_rows_of_the_readout(self):
    row = np.array([1, -1, 2, 0.01, -0.03])
    found = np.asarray(jax.jit(neurons.row_statistics)(row[None]))
    expected = [0.6, row.mean(), row.std(), 2, 0.2]
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)

  def test_components_fit_what_is_linear_in_them(self):
    digit_P = np.linspace(-1, 1, P)
    line_N = 2 * digit_P[A_N] - digit_P[B_N] ** 2 + 1
    bent_N = np.where(A_N + B_N < P, line_N, 0)
    read = planted(np.stack([line_N, bent_N], 1))
    found = _components(read, MEMBER, 1, 0)["value"]
    self.assertAlmostEqual(found["top_pc_r2_as_published"], 1, places=5)
    self.assertLess(found["top_pc_r2"], 0.9)
    found = _components(read, MEMBER, 0, 1)
    self.assertAlmostEqual(found["value"]["top_pc_r2"], 1, places=5)
    self.assertAlmostEqual(found["fits"]["top_neuron"]["heldout_mean"], 1, places=4)


class CopiesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(1)
    self.unit_DxK = np.linalg.qr(rng.normal(size=(6, 3)))[0]
    self.of_F = np.array([0, 1, 1, 2, 2, 2, 0])
    scale_F = np.array([1, 2, 0.5, 3, 1, 0.1, 4])
    self.up_DxF = self.unit_DxK[:, self.of_F] * scale_F
    mid_NxD = rng.normal(size=(25, 6))
    self.read = planted(mid_NxD @ self.up_DxF, mid_NxD=mid_NxD)
    self.weight_F = _network.contributions(self.read)

  def measured(self, **changed):
    read = self.read._replace(**changed)
    params = {"blocks": {"mlp": {"up": {"kernel": self.up_DxF[None]}}}}
    return _copies(read, params, MEMBER, np.ones(7), self.weight_F)

  def test_copies_merge_into_the_network_itself(self):
    found = self.measured()
    pairs = set(zip(self.of_F, np.asarray(found["rank"]), strict=True))
    self.assertLen(pairs, 3)
    np.testing.assert_array_equal(found["size"][:4], [3, 2, 2, 0])
    self.assertEqual(found["value"]["units_needed"], 3)
    whole = found["merged"]
    nll = _network.nll(self.read.logit_NxV, MEMBER.label_N)
    np.testing.assert_allclose(whole["nll_R"][2:], nll, rtol=1e-4)
    np.testing.assert_array_equal(whole["same_R"][2:], 1)
    self.assertLess(whole["same_R"][0], 1)

  def test_merged_units_keep_the_direct_path(self):
    found = self.measured(readout_VxF=np.zeros((2 * P, 7)))
    direct_NxV = self.read.mid_NxD @ self.read.unembed_DxV
    np.testing.assert_allclose(
      found["merged"]["nll_R"], _network.nll(direct_NxV, MEMBER.label_N), rtol=1e-5
    )

  def test_without_copies_nothing_merges(self):
    rng = np.random.default_rng(2)
    mid_NxD = rng.normal(size=(25, 40))
    self.up_DxF = rng.normal(size=(40, 7))
    self.read = planted(mid_NxD @ self.up_DxF, mid_NxD=mid_NxD)
    self.weight_F = _network.contributions(self.read)
    value = self.measured()["value"]
    self.assertEqual(value["lonely"], 7)
    self.assertTrue(np.isnan(value["readout_cosine_min"]))


class ReferenceTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = adder.trained()
    cls.found = neurons.measure(run)
    cls.made = drawn.Made(neurons.figures({"run": cls.found}))
    cls.row = adder_cards.records("neurons", cls.found)
    cls.own = cls.found.sel(network="trained").isel(seed=cls.found.reference)
    cls.up_DxF = np.asarray(run.params_S["blocks"]["mlp"]["up"]["kernel"])[0, 0]

  def test_everything_reported_has_a_number(self):
    self.assertEqual(set(self.row), set(neurons.PUBLISHED))
    self.assertEqual(set(self.found["fit"].values), set(neurons.FITS))

  def test_recomputed_numbers_that_repeat(self):
    for key in (
      "accuracy",
      "nll",
      "train_nll",
      "test_nll",
      "row_last_largest",
      "largest_block_r",
      "neuron_240_pc_r2_as_published",
      "neuron_240_pc_r2",
    ):
      self.assertTrue(self.row[key]["agrees"], self.row[key])

  def test_what_does_not_agree_drifts(self):
    self.assertEqual(adder.unexplained("neurons", self.row.values()), [])

  def test_correlations_are_numpys(self):
    sum_N = np.add.outer(self.found["a"].values, self.found["b"].values).ravel()
    for neuron in (357, 184, 398, 401):
      post_N = self.found["post"].sel(neuron=neuron).values.ravel().astype(np.float64)
      peer = np.corrcoef(post_N, sum_N)[0, 1]
      self.assertAlmostEqual(self.own["r"].sel(neuron=neuron).item(), peer, places=5)

  def test_blocks_are_scipys(self):
    unit_DxF = self.up_DxF / np.linalg.norm(self.up_DxF, axis=0)
    count, label_F = csgraph.connected_components(unit_DxF.T @ unit_DxF > neurons.ALIKE)
    size = np.sort(np.bincount(label_F))[::-1]
    np.testing.assert_array_equal(self.own["block_size"], size[: self.found.sizes["by_size"]])
    pairs = set(zip(label_F, self.own["block"].values, strict=True))
    self.assertLen(pairs, count)

  def test_few_units_do_what_the_network_does(self):
    self.assertLessEqual(self.row["units_needed"]["here"], 12)
    self.assertAlmostEqual(self.row["merged_nll"]["here"] / self.row["nll"]["here"], 1, places=2)
    self.assertEqual(self.row["units_needed"]["untrained"], 33)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "neurons", self.found, provenance={})
    back, _ = results.read(folder, "neurons")
    xr.testing.assert_identical(back, self.found)

  def test_figures_draw_one_seed_and_two(self):
    self.assertEqual(self.found.sizes["seed"], 2)
    pages = neurons.figures({"run": self.found.isel(seed=slice(1))})
    self.assertEqual(set(pages), {"run", "run, correlations"})
    for made in (lambda page: pages[page].figure(), self.made.__getitem__):
      drawn.assert_inside(self, made("run, correlations"))
      figure = made("run")
      drawn.assert_inside(self, figure)
      axes = [ax for part in figure.subfigs for ax in part.axes]
      self.assertGreater(len(axes), 15)
    titles = {ax.get_title(loc="left") for ax in axes}
    self.assertIn("Weights W_L to logit 5", titles)
    shown = neurons.row_weights(self.found)["readout"]
    ranked = np.argsort(-np.abs(self.own["r"].values), kind="stable")[:100]
    np.testing.assert_array_equal(shown, self.found["readout"].values[5, ranked])

  def test_correlations_with_digits_are_numpys(self):
    post_NxF = self.found["post"].values.reshape(100, -1).astype(np.float64)
    b_N = np.tile(np.arange(10), 10)
    for neuron in (357, 398):
      peer = np.corrcoef(post_NxF[:, neuron], b_N)[0, 1]
      self.assertAlmostEqual(
        float(self.found["feature_r"].sel(feature="b")[neuron]), peer, places=5
      )
    # PC1 is nearly a line in the digit.
    gap = self.found["feature_r"].sel(feature="PC1(a)") - self.found["feature_r"].sel(feature="a")
    self.assertLess(float(np.abs(gap).max()), 0.1)

  def test_page_of_correlations(self):
    page = self.made["run, correlations"]
    features, both, curves = (part.axes for part in page.subfigs)
    order_F = np.argsort(self.own["r"].values, kind="stable")
    shown = features[0].images[0].get_array()
    np.testing.assert_allclose(shown, self.found["feature_r"].values[:, order_F], atol=1e-6)
    counted = both[0].patches[0].get_path().vertices[:, 1]
    self.assertEqual(counted.max(), np.histogram(self.own["r"], 50, self._ends())[0].max())
    np.testing.assert_array_equal(both[1].lines[0].get_ydata(), self.own["contribution"])
    for axes, name in zip(curves, ("block_share", "merged_accuracy", "merged_nll"), strict=True):
      thin = axes.lines[0].get_ydata()
      np.testing.assert_array_equal(thin, self.found[name].values[0, : len(thin)])

  def _ends(self):
    r = self.found["r"].sel(network="trained").values
    return r.min(), r.max()

  def test_several_runs_are_compared_and_controls_have_no_page(self):
    other = self.found.assign_attrs(population="P = 10, permuted labels", reference=-1)
    runs = {"own": self.found, "permuted": other}
    pages = neurons.figures(runs)
    self.assertEqual(set(pages), {"own", "own, correlations", "all runs"})
    drawn.assert_inside(self, pages["all runs"].figure())
    for table in neurons.tables(runs):
      self.assertEqual({row["run"] for row in table.rows}, {"own"})

  def test_tables(self):
    fits, rows, ranked = neurons.tables({"run": self.found})
    self.assertEqual((fits.name, rows.name, ranked.name), ("fits", "rows", "ranked"))
    self.assertLen(ranked.rows, 100)
    first = ranked.rows[0]
    self.assertEqual(first["neuron"], self.row["top_neuron"]["here"])
    self.assertAlmostEqual(abs(first["r with a + b"]), self.row["top_r"]["here"], places=6)
    size_R = [abs(row["r with a + b"]) for row in ranked.rows]
    self.assertEqual(size_R, sorted(size_R, reverse=True))
    self.assertLen(fits.rows, 3)
    value = self.found["fit_value"].sel(fit="top_neuron", measure="r2_mean", network="trained")
    self.assertEqual(fits.rows[0]["R², the source's network"], value.values[0])
    self.assertLen(rows.rows, self.found.sizes["logit"])
    self.assertAlmostEqual(rows.rows[9]["largest"], self.row["row_9_largest"]["here"], places=6)


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    (131, "reproduced"),
    (130, "not reproduced"),
    ([131, 131, 131, 131, 131, 23], "not reproduced"),
  )
  def test_a_count_above_a_threshold(self, count, status):
    found = adder_cards.numbers(reference=-1, above_90=count, effective_blocks=10)
    row = adder_cards.row(neurons, "neurons.correlated", {"neurons": found})
    self.assertEqual(row["status"], status)
    self.assertEqual(row["reported"], "> 130 of 512")
    self.assertIn("more than 130 neurons are wanted", row["because"])
    self.assertIn(f"above 0.9 is {np.median(count):g} in the median (", row["because"])
    self.assertIn("an effective number of 10 in the median (10 to 10) blocks.", row["because"])

  def test_other_populations_decide_nothing(self):
    for its in ("P = 10, permuted labels", "P = 10, other steps", "P = 12, other digits"):
      found = adder_cards.numbers(its, above_90=200, effective_blocks=10)
      row = adder_cards.row(neurons, "neurons.correlated", {"neurons": found})
      self.assertEqual(row["status"], "not run")


if __name__ == "__main__":
  absltest.main()
