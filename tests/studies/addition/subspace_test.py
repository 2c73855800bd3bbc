"""Interventions on the digits' vectors: laws, known answers, the reference, claims."""

import dataclasses
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
from primelens.lens import claims, results
from primelens.studies.addition import network, subspace

_subspace = jitted.Jitted(subspace)
A_PxP, B_PxP = np.indices((10, 10))
SUM_PxP = A_PxP + B_PxP
LABEL_N = SUM_PxP.ravel()
# The components of the recomputed network (docs/sources/addition.md, A5, A7), by digit.
PC1_P = [-2.07, -1.87, -1.42, -0.86, -0.30, 0.27, 0.84, 1.43, 1.89, 2.09]
PC2_P = [1.41, 0.58, -0.24, -0.74, -0.94, -1.04, -0.77, -0.25, 0.59, 1.40]


def _member(test_N=(2, 57, 40, 99)):
  test_N = np.array(test_N)
  train_N = np.setdiff1d(np.arange(100), test_N)
  return network.Member(LABEL_N, train_N, test_N)


class FirstAloneTest(absltest.TestCase):
  def test_the_recomputed_map_has_the_recomputed_numbers(self):
    found = _subspace.failures(subspace.ERROR_MAP, (SUM_PxP + subspace.ERROR_MAP).ravel())
    for name, value in found.items():
      entry = subspace.PUBLISHED[name]
      np.testing.assert_allclose(value, entry.recomputed, atol=5e-3)

  def test_asymmetry_and_signs_are_seen(self):
    error_PxP = np.zeros((10, 10), int)
    error_PxP[0, 3] = 2
    found = _subspace.failures(error_PxP, LABEL_N)
    self.assertEqual(found["failures"], 1)
    for name, value in (
      ("failure_symmetry", 0.98),
      ("error_symmetry", 0.98),
      ("zero_fails", 1 / 16),
      ("zero_positive", 1 / 17),
      ("nine_negative", 0),
      ("map_agreement", np.sum(subspace.ERROR_MAP == error_PxP)),
    ):
      np.testing.assert_allclose(found[name], value, rtol=1e-6)

  def test_the_direct_path_is_what_the_mlp_does_not_say(self):
    hot_NxV = np.eye(20, dtype=np.float32)[LABEL_N]
    read = network.Network(
      embedding_PxD=np.zeros((10, 20)),
      readout_VxF=np.eye(20),
      unembed_DxV=np.eye(20),
      bias_V=np.zeros(20),
      mid_NxD=np.roll(hot_NxV, 1, axis=1),
      pre_NxF=np.zeros((100, 20)),
      post_NxF=3 * hot_NxV,
      logit_NxV=3 * hot_NxV + np.roll(hot_NxV, 1, axis=1),
      pattern_NxHxT=np.zeros((100, 4, 3)),
    )
    found = _subspace.direct_path(read, LABEL_N)
    rest = np.exp([3.0, 1.0])
    self.assertEqual(found["mlp_accuracy"], 1)
    self.assertEqual(found["direct_accuracy"], 0)
    for name, wanted in (
      ("full_nll_nats", np.log(rest.sum() + 18) - 3),
      ("mlp_nll_nats", np.log(rest[0] + 19) - 3),
      ("direct_nll_nats", np.log(rest[1] + 19)),
      # 1 - sum of squares left / about the mean .2: 1 / (9 + 1 - 20 * .04)
      ("mlp_r2", 1 - 1 / 9.2),
    ):
      np.testing.assert_allclose(found[name], wanted, rtol=1e-5)

  def test_logits_are_described_as_a_table_describes_them(self):
    full_NxV, cut_NxV = np.random.default_rng(0).normal(size=(2, 100, 20))
    said_N = cut_NxV.argmax(1)
    found = _subspace.differences(full_NxV, cut_NxV, LABEL_N, said_N)
    row_N = np.arange(100)
    wanted = full_NxV - cut_NxV
    np.testing.assert_allclose(found["boost_true"], wanted[row_N, LABEL_N], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
      found["boost_predicted"], wanted[row_N, said_N], rtol=1e-5, atol=1e-6
    )
    mask_N = row_N % 3 == 0
    x_N = wanted[row_N, LABEL_N]
    kept = x_N[mask_N]
    np.testing.assert_allclose(
      _subspace.describe(x_N, mask_N),
      [
        34,
        kept.mean(),
        kept.std(ddof=1),
        kept.min(),
        *np.quantile(kept, [0.25, 0.5, 0.75]),
        kept.max(),
      ],
      rtol=1e-4,
    )


class FitsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    scores_PxQ = np.stack([PC1_P, PC2_P], 1)
    turn_DxQ = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 2)))[0]
    cls.embedding_PxD = np.asarray(scores_PxQ @ turn_DxQ.T, np.float32)
    cls.said_N = (SUM_PxP + subspace.ERROR_MAP).ravel()
    cls.readings = staticmethod(jax.jit(subspace.readings))
    cls.found = jax.device_get(cls.readings(cls.embedding_PxD, cls.said_N, _member()))

  def test_the_recomputed_map_has_the_recomputed_fits(self):
    values, entry = self.found["value"], subspace.PUBLISHED
    known = [name for name in values if entry[name].recomputed is not None]
    self.assertGreater(len(known), 10)
    for name in known:
      # A24, A25: the components are given to two digits.
      np.testing.assert_allclose(values[name], entry[name].recomputed, atol=6e-4, err_msg=name)

  def test_equals_numpy_in_and_out_of_sample(self):
    design = {
      "prediction_quadratic": (A_PxP, B_PxP, A_PxP**2, A_PxP * B_PxP, B_PxP**2),
      "prediction_squares": (SUM_PxP, A_PxP**2, B_PxP**2),
      "error_quartic": [A_PxP**p * B_PxP**q for p in range(5) for q in range(5 - p) if p + q],
    }
    member = _member()
    for key, columns in design.items():
      x_NxQ = np.stack([np.ones(100), *(c.ravel() for c in columns)], 1)
      of_error = key.startswith("error")
      target_N = LABEL_N - self.said_N if of_error else self.said_N
      for rows, mean, prefix in (
        (np.arange(100), "r2_mean", ""),
        (np.asarray(member.train_N), "heldout_mean", "test_"),
      ):
        weight_Q = np.linalg.lstsq(x_NxQ[rows], target_N[rows], rcond=None)[0]
        fit_N, scored = x_NxQ @ weight_Q, slice(None)
        if prefix:
          scored = np.asarray(member.test_N)
        left, about = (target_N - fit_N)[scored], target_N[scored]
        r2 = 1 - np.sum(left**2) / np.sum((about - about.mean()) ** 2)
        found = self.found["fits"][key]
        np.testing.assert_allclose(found[mean], r2, atol=2e-4)
        guess_N = self.said_N + fit_N if of_error else fit_N
        right = np.mean((np.round(guess_N) == LABEL_N)[scored])
        np.testing.assert_allclose(found[f"{prefix}says_truth"], right, atol=1e-6)

  def test_residuals_are_those_of_the_plane(self):
    x_NxQ = np.stack([np.ones(100), A_PxP.ravel(), B_PxP.ravel()], 1)
    weight_Q = np.linalg.lstsq(x_NxQ, self.said_N, rcond=None)[0]
    np.testing.assert_allclose(
      self.found["residual"].ravel(), self.said_N - x_NxQ @ weight_Q, atol=1e-4
    )

  def test_a_perfect_and_a_constant_prediction(self):
    right = self.readings(self.embedding_PxD, LABEL_N, _member())
    np.testing.assert_allclose(right["value"]["sum_slope"], 1, atol=1e-5)
    np.testing.assert_allclose(right["value"]["identity_r2"], 1, atol=1e-6)
    self.assertEqual(right["fits"]["prediction_sum"]["says_truth"], 1)
    constant = self.readings(self.embedding_PxD, np.full(100, 7, np.int32), _member())
    self.assertTrue(np.isnan(constant["fits"]["prediction_sum"]["r2_mean"]))
    self.assertEqual(constant["fits"]["prediction_sum"]["says_prediction"], 1)


def _first(run, member=0):
  return jax.tree.map(lambda leaf_S: np.asarray(leaf_S)[member], run.params_S)


class EditTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = adder.trained()
    cls.params, cls.model = _first(run), run.experiment.model
    cls.token_Nx3 = run.pairs.token_Nx3
    cls.plain = staticmethod(
      jax.jit(lambda params, token_Nx3: network.read(cls.model, params, token_Nx3).logit_NxV)
    )

  def _edited(self, edit):
    read = lambda *data: network.read(self.model, *data, {"embed": edit}).logit_NxV
    return jax.jit(read)(self.params, self.token_Nx3)

  @parameterized.parameters(
    (False, [1.0, 1.0, 1.0], [2.0, 1.0, 4.0]),
    (True, [1.0, 1.0, 1.0], [1.0, 3.0, 1.0]),
    (False, [0.0, 0.0, 0.0], [2.0, 0.0, 4.0]),
    (True, [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]),
  )
  def test_an_axis(self, keep, replacement, wanted):
    x_BxTxD = np.tile(np.array([2.0, 3.0, 4.0]), (2, 3, 1))
    axis_DxK = np.array([[0.0], [2.0], [0.0]])
    edit = network.edit_digits(axis_DxK, np.array(replacement), keep=keep)
    edited = np.asarray(jax.jit(lambda x_BxTxD: edit(x_BxTxD, None))(x_BxTxD))
    np.testing.assert_allclose(edited[:, :2], np.tile(wanted, (2, 2, 1)))
    np.testing.assert_array_equal(edited[:, 2], x_BxTxD[:, 2])

  def test_pc1_alone_equals_another_table_of_embeddings(self):
    table_VxD = np.asarray(self.params["embedding"]["embedding"], np.float64)
    mean_D = table_VxD[:-1].mean(0)
    first_D = np.linalg.svd(table_VxD[:-1] - mean_D)[2][0]
    changed_VxD = table_VxD.copy()
    changed_VxD[:-1] = mean_D + np.outer((table_VxD[:-1] - mean_D) @ first_D, first_D)
    other = self.params | {"embedding": {"embedding": np.asarray(changed_VxD, np.float32)}}
    edit = network.keep_first(self.params["embedding"]["embedding"][:-1])
    np.testing.assert_allclose(
      self._edited(edit),
      self.plain(other, self.token_Nx3),
      atol=5e-3,  # of logits up to 300
    )

  def test_all_of_other_digits_is_other_inputs(self):
    other_Nx3 = np.array(self.token_Nx3)
    other_Nx3[:, :2] = np.random.default_rng(0).integers(0, 10, (100, 2))
    table_VxD = self.params["embedding"]["embedding"]
    edit = network.edit_digits(np.eye(table_VxD.shape[1]), table_VxD[other_Nx3[:, :2]])
    np.testing.assert_allclose(self._edited(edit), self.plain(self.params, other_Nx3), atol=5e-3)


class VariantsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.named = subspace.variants(10)
    cls.stack, cls.name_R = subspace.stack(cls.named, 10, 128, 3, seed=0)

  def _at(self, name):
    return [row for row, other in enumerate(self.name_R) if other == name]

  def test_random_ones_are_drawn_and_ranks_are_theirs(self):
    self.assertEqual(list(dict.fromkeys(self.name_R)), list(self.named))
    within_RxQxK = np.asarray(self.stack.component_QxK)
    outside_RxDxK = np.asarray(self.stack.direction_DxK)
    for name, variant in self.named.items():
      rows = self._at(name)
      self.assertLen(rows, 3 if variant.random else 1)
      for row in rows:
        both = np.concatenate([within_RxQxK[row], outside_RxDxK[row]])
        rank = len(variant.component) or variant.rank
        rank = 0 if name == "full" else rank
        self.assertEqual(np.linalg.matrix_rank(both), rank, name)
        self.assertEqual(outside_RxDxK[row].any(), variant.span == "space")
        self.assertEqual(bool(self.stack.keep[row]), variant.keep)
      draws = np.concatenate([within_RxQxK[rows], outside_RxDxK[rows]], 1)
      if variant.span != "components":
        self.assertGreater(np.ptp(draws, axis=0).max(), 0.1)
    # The tenth component of ten centred vectors is no direction of theirs.
    np.testing.assert_array_equal(within_RxQxK[:, 9], 0)

  def test_other_seeds_are_other_directions(self):
    other, _ = subspace.stack(self.named, 10, 128, 3, seed=1)
    row = self._at("remove_line_space")[0]
    gap = other.direction_DxK[row] - self.stack.direction_DxK[row]
    self.assertGreater(np.abs(gap).max(), 0.1)

  def test_removed_shares_are_those_of_the_components(self):
    run = adder.trained()
    params = _first(run)
    digit_PxD = np.asarray(params["embedding"]["embedding"][:-1], np.float64)
    value_Q = np.linalg.svd(digit_PxD - digit_PxD.mean(0))[1]
    share_Q = value_Q**2 / np.sum(value_Q**2)
    token_Nx3 = run.pairs.token_Nx3
    member = jax.tree.map(lambda x_S: np.asarray(x_S)[0], network.members(run.pairs))
    each = jax.jit(functools.partial(subspace.score, run.experiment.model))
    found = {}
    for name in ("remove_pc2", "keep_pc1", "keep_pc12_zero", "full"):
      row = self._at(name)[0]
      one = jax.tree.map(lambda leaf_R, row=row: leaf_R[row], self.stack)
      found[name] = each((params, member), one, token_Nx3)
    for name, wanted in (
      ("remove_pc2", share_Q[1]),
      ("keep_pc1", 1 - share_Q[0]),
      ("keep_pc12_zero", 1 - share_Q[:2].sum()),
      ("full", 0),
    ):
      np.testing.assert_allclose(found[name]["removed_share"], wanted, atol=1e-5)
    self.assertEqual(float(found["full"]["accuracy"]), 1.0)


class RunTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = adder.trained()
    settings = dataclasses.replace(run.settings, random_directions=2)
    experiment = dataclasses.replace(run.experiment, analyses=settings)
    cls.found = subspace.measure(dataclasses.replace(run, experiment=experiment))
    cls.made = drawn.Made(subspace.figures({"run": cls.found}))
    cls.row = adder_cards.records("subspace", cls.found)

  def test_the_recomputed_numbers_of_the_reference_network(self):
    self.assertEqual(set(self.row), set(subspace.PUBLISHED))
    self.assertEqual(adder.unexplained("subspace", self.row.values()), [])
    agreeing = [row for row in self.row.values() if row["agrees"]]
    self.assertGreater(len(agreeing), 30)

  def test_the_untrained_member_fails_alike(self):
    chance = self.found.accuracy.sel(network="trained").isel(seed=1)
    self.assertLess(float(chance.max()), 0.25)

  def test_draws_and_maps_belong_together(self):
    found = self.found
    count = lambda variant: 2 if variant.random else 1
    for name, variant in subspace.variants(10).items():
      self.assertEqual(subspace.draws(found, "accuracy", name).shape, (2, count(variant)))
      self.assertTrue(np.isfinite(subspace.draws(found, "nll", name, "untrained")).all())
    (accuracy,) = subspace.draws(found, "accuracy", "keep_pc1")[0]
    failing = found.error[0].values != 0
    np.testing.assert_allclose(accuracy, 1 - failing.mean(), atol=1e-6)
    self.assertEqual(failing.sum(), self.row["failures"]["here"])
    np.testing.assert_array_equal(
      found.prediction - found.error, np.broadcast_to(found.a + found.b, (2, 10, 10))
    )
    np.testing.assert_allclose(found.full_logit - found.ablated_logit, found.boost, atol=1e-3)

  def test_fits_say_the_prediction_as_often_as_their_numbers_tell(self):
    says = self.found.says.sel(network="trained", said="says_prediction")
    one = says.sel(fit="prediction_sum")
    constant, slope = self.found.line.transpose("coefficient", "seed").values[..., None, None]
    line_SxPxP = constant + slope * (self.found.a + self.found.b).values
    hits_S = (np.round(line_SxPxP) == self.found.prediction.values).mean((1, 2))
    np.testing.assert_allclose(one, hits_S, atol=0.011)  # a line may pass at a half

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "subspace", self.found, provenance={})
    back, _ = results.read(folder, "subspace")
    xr.testing.assert_identical(back, self.found)

  def test_figures(self):
    one = self.found.isel(seed=slice(1))
    control = self.found.assign_attrs(population="P = 10, permuted labels", reference=-1)
    self.assertEqual(list(subspace.figures({"both": self.found})), ["both", "both, PC1 alone"])
    pages = subspace.figures({"one": one, "control": control})
    # A control has no page of its own.
    self.assertEqual(list(pages), ["all runs", "one", "one, PC1 alone"])
    made = drawn.Made(pages)
    for name in pages:
      drawn.assert_inside(self, made[name])
    parts = made["one"].subfigs
    titles = [axes.get_title(loc="left") for part in parts for axes in part.axes]
    self.assertIn("Prediction less label\n(seed 0, PC1 alone)", titles)

  def test_page_of_pc1_alone(self):
    own = self.found.isel(seed=0)
    logits, boosts, fits = self.made["run, PC1 alone"].subfigs
    maps = [*logits.axes, *boosts.axes]
    names = ("full_logit", "ablated_logit", "boost", "predicted_boost")
    for axes, name in zip(maps, names, strict=True):
      np.testing.assert_array_equal(axes.images[0].get_array(), own[name])
    for axes, name in zip(fits.axes, ("residual", "quadratic_residual"), strict=False):
      points = axes.lines[-1]
      np.testing.assert_allclose(
        points.get_xdata() + points.get_ydata(), own.prediction.values.ravel(), atol=1e-4
      )
      np.testing.assert_array_equal(points.get_ydata(), own[name].values.ravel())

  def test_fitted_errors_are_those_of_their_r2(self):
    lines = self.made["run, PC1 alone"].subfigs[2].axes[2].lines
    for line, key in zip(lines[1:], subspace.ERROR_FITS, strict=True):
      error, fitted = line.get_xdata(), line.get_ydata()
      r2 = 1 - np.sum((error - fitted) ** 2) / np.sum((error - error.mean()) ** 2)
      self.assertAlmostEqual(r2, self.row[f"{key}_r2"]["here"], places=4)

  def test_tables(self):
    fits, variants, functions, failures, logits = subspace.tables({"run": self.found})
    self.assertLen(failures.rows, self.row["failures"]["here"])
    worst = failures.rows[0]
    self.assertEqual((worst["a"], worst["b"], worst["a + b"]), (0, 0, 0))
    self.assertEqual(worst["prediction"], self.row["first_prediction"]["here"])
    self.assertAlmostEqual(
      worst["label's logit, full"] - worst["label's logit, PC1 alone"],
      self.row["boost_first"]["here"],
      places=3,
    )
    says = self.found.says.sel(network="trained", fit="prediction_sum", said="says_prediction")
    self.assertAlmostEqual(functions.rows[0]["is the prediction"], float(says.median()), places=6)
    self.assertEqual([row["run"] for row in fits.rows], ["run"] * len(subspace.FITS))
    kept = next(row for row in variants.rows if row["intervention"] == "PC1 alone kept")
    trained, other = subspace.draws(self.found, "accuracy", "keep_pc1")[:, 0]
    self.assertEqual(kept["accuracy, the source's network"], trained)
    self.assertAlmostEqual(kept["accuracy"], (trained + other) / 2, places=6)
    self.assertEqual((kept["accuracy, least"], kept["accuracy, largest"]), (other, trained))
    self.assertEqual(kept["draws"], 1)
    # The boost of all inputs is the mean of the map.
    both = next(row for row in logits.rows if row["column"] == "boost_true")
    wanted = np.median(self.found.boost.mean(("a", "b")))
    np.testing.assert_allclose(both["mean"], wanted, rtol=1e-4)


class ClaimsTest(parameterized.TestCase):
  def test_without_runs_everything_is_open(self):
    found = {"subspace": adder_cards.numbers("P = 10, permuted labels", mlp_accuracy=1)}
    for tables in ({}, {"run": found}):
      cards = {run: {"population": "P = 10, permuted labels"} for run in tables}
      for row in claims.ledger(subspace.CLAIMS, claims.Results(tables, cards)).rows:
        self.assertEqual(row["status"], "not run", row["id"])

  def test_words_are_those_of_the_source(self):
    first = subspace.CLAIMS[0]
    self.assertStartsWith(first.statement, "Without PC2 accuracy falls to 0.42: ")
    self.assertStartsWith(first.reported, "1.00 -> 0.42; ")

  @parameterized.parameters((0.45, 0.39, "reproduced, but an artefact"), (0.95, 0.39, "reproduced"))
  def test_a_drop_that_was_there_before_is_an_artefact(self, early, late, status):
    found = adder_cards.numbers(
      keep_pc1_accuracy=late,
      remove_pc2_accuracy=0.37,
      remove_line_space_accuracy=1.0,
      remove_line_digits_accuracy=0.8,
    )
    curves = adder_cards.progress(keep_pc1_accuracy=[early, late])
    row = adder_cards.row(subspace, "subspace.pc2", {"subspace": found, "progress": curves})
    self.assertEqual(row["status"], status)
    self.assertIn("below 0.6 where PC2 is removed; it is 0.37 (median 0.37", row["because"])
    self.assertEqual("the drop does not tell" in row["because"], "artefact" in status)

  @parameterized.parameters(
    (0.002, "reproduced", ""),
    (0.5, "not reproduced", "in 6 of 6 members"),
    ([0.002] * 5 + [0.5], "not reproduced", "in 1 of 6 members"),
  )
  def test_a_component_that_explains_the_errors_corrects_them(self, explained, status, where):
    found = adder_cards.numbers(error_pc2_r2=0.001, error_pc2_quadratic_r2=explained)
    row = adder_cards.row(subspace, "subspace.correction", {"subspace": found})
    self.assertEqual(row["status"], status)
    self.assertIn("R2 below 0.1 is wanted of a quadratic of PC2", row["because"])
    self.assertIn(where, row["because"])
    self.assertEqual("does explain a part" in row["because"], bool(where))

  @parameterized.parameters((1.0, "reproduced"), (0.9, "not reproduced"))
  def test_members_that_generalise_add_without_the_direct_path(self, accuracy, status):
    found = adder_cards.numbers(
      mlp_accuracy=[accuracy] * 5 + [0.2], mlp_nll_nats=1e-4, full_nll_nats=1e-8
    )
    last_S = np.array([1, 1, 1, 1, 1, 0.5])  # the last one does not
    curves = adder_cards.progress(test__accuracy=np.stack([last_S, last_S], axis=1))
    row = adder_cards.row(subspace, "subspace.direct", {"subspace": found, "progress": curves})
    self.assertEqual(row["status"], status)
    right = 5 if status == "reproduced" else 0
    said = (
      f"{right} of 5 members that generalise meet the claim (90 % must): an accuracy above 0.98"
    )
    self.assertStartsWith(row["because"], said)
    self.assertIn(f"{accuracy:g} (median {accuracy:g}, 0.2 to {accuracy:g})", row["because"])
    self.assertIn("a loss in nats of 0.0001 (", row["because"])
    self.assertIn("over all 6 members, generalising or not.", row["because"])


if __name__ == "__main__":
  absltest.main()
