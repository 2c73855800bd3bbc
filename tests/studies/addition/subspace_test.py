"""Interventions on the digits' vectors: laws, known answers, the reference."""

import dataclasses
import tempfile

import adder
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import legacy
from primelens.studies.addition import network, plots_subspace, subspace, variants


def _first(run, member=0):
  return jax.tree.map(lambda leaf_S: leaf_S[member], run.params_S)


class EditTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = adder.trained()
    cls.params, cls.model = _first(run), run.experiment.model
    cls.token_Nx3 = jnp.asarray(run.pairs.token_Nx3)
    cls.plain = staticmethod(
      jax.jit(lambda params, token_Nx3: network.read(cls.model, params, token_Nx3).logit_NxV)
    )

  def _edited(self, edit):
    return jax.jit(
      lambda: network.read(self.model, self.params, self.token_Nx3, {"embed": edit}).logit_NxV
    )()

  @parameterized.parameters(
    (False, [1.0, 1.0, 1.0], [2.0, 1.0, 4.0]),
    (True, [1.0, 1.0, 1.0], [1.0, 3.0, 1.0]),
    (False, [0.0, 0.0, 0.0], [2.0, 0.0, 4.0]),
    (True, [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]),
  )
  def test_an_axis(self, keep, replacement, wanted):
    x_BxTxD = jnp.tile(jnp.array([2.0, 3.0, 4.0]), (2, 3, 1))
    axis_DxK = jnp.array([[0.0], [2.0], [0.0]])
    edit = variants.edit_digits(axis_DxK, jnp.array(replacement), keep=keep)
    edited = np.asarray(edit(x_BxTxD, None))
    np.testing.assert_allclose(edited[:, :2], np.tile(wanted, (2, 2, 1)))
    np.testing.assert_array_equal(edited[:, 2], x_BxTxD[:, 2])

  def test_pc1_alone_equals_another_table_of_embeddings(self):
    table_VxD = np.asarray(self.params["embedding"]["embedding"], np.float64)
    mean_D = table_VxD[:-1].mean(0)
    first_D = np.linalg.svd(table_VxD[:-1] - mean_D)[2][0]
    changed_VxD = table_VxD.copy()
    changed_VxD[:-1] = mean_D + np.outer((table_VxD[:-1] - mean_D) @ first_D, first_D)
    other = self.params | {"embedding": {"embedding": jnp.asarray(changed_VxD, jnp.float32)}}
    edit = variants.keep_first(self.params["embedding"]["embedding"][:-1])
    np.testing.assert_allclose(
      self._edited(edit),
      self.plain(other, self.token_Nx3),
      atol=5e-3,  # of logits up to 300
    )

  def test_all_of_other_digits_is_other_inputs(self):
    other_Nx3 = np.array(self.token_Nx3)
    other_Nx3[:, :2] = np.random.default_rng(0).integers(0, 10, (100, 2))
    table_VxD = self.params["embedding"]["embedding"]
    edit = variants.edit_digits(jnp.eye(table_VxD.shape[1]), table_VxD[other_Nx3[:, :2]])
    np.testing.assert_allclose(
      self._edited(edit), self.plain(self.params, jnp.asarray(other_Nx3)), atol=5e-3
    )


class VariantsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.named = variants.named(10)
    cls.stack, cls.name_R = variants.stack(cls.named, 10, 128, 3, seed=0)

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
    other, _ = variants.stack(self.named, 10, 128, 3, seed=1)
    row = self._at("remove_line_space")[0]
    gap = other.direction_DxK[row] - self.stack.direction_DxK[row]
    self.assertGreater(np.abs(gap).max(), 0.1)

  def test_removed_shares_are_those_of_the_components(self):
    run = adder.trained()
    params = _first(run)
    digit_PxD = np.asarray(params["embedding"]["embedding"][:-1], np.float64)
    value_Q = np.linalg.svd(digit_PxD - digit_PxD.mean(0))[1]
    share_Q = value_Q**2 / np.sum(value_Q**2)
    token_Nx3 = jnp.asarray(run.pairs.token_Nx3)
    member = jax.tree.map(lambda x_S: x_S[0], network.members(run.pairs))
    each = jax.jit(
      lambda intervention: variants.score(
        run.experiment.model, (params, member), intervention, token_Nx3
      )
    )
    found = {}
    for name in ("remove_pc2", "keep_pc1", "keep_pc12_zero", "full"):
      row = self._at(name)[0]
      one = jax.tree.map(lambda leaf_R, row=row: leaf_R[row], self.stack)
      found[name] = each(one)
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
    cls.experiment = dataclasses.replace(run.experiment, analyses=settings)
    cls.result = subspace.run(dataclasses.replace(run, experiment=cls.experiment))
    cls.key = {row["key"]: row for row in cls.result.table}

  def test_the_recomputed_numbers_of_the_reference_network(self):
    self.assertEqual(set(self.key), set(subspace.REPORTED))
    self.assertEqual(adder.unexplained("subspace", self.result.table), [])
    agreeing = [row for row in self.key.values() if row["agrees"]]
    self.assertGreater(len(agreeing), 30)

  def test_the_untrained_member_fails_alike(self):
    chance = self.result.accuracy_SxR[1]
    self.assertLess(chance.max(), 0.25)

  def test_rows_and_maps_belong_together(self):
    result = self.result
    at = 0
    for record in result.variants:
      self.assertEqual(record["first"], at)
      at += record["count"]
    self.assertEqual(result.accuracy_SxR.shape, (2, at))
    first = next(r for r in result.variants if r["variant"] == "keep_pc1")
    wrong = np.mean(result.error_SxPxP[0] != 0)
    np.testing.assert_allclose(result.accuracy_SxR[0, first["first"]], 1 - wrong, atol=1e-6)
    self.assertLen(result.failures, int(self.key["failures"]["ours"]))
    for row in result.failures:
      self.assertEqual(row["truth"], row["a"] + row["b"])
      self.assertEqual(row["prediction"] - row["truth"], result.error_SxPxP[0, row["a"], row["b"]])
      np.testing.assert_allclose(
        row["full_logit"] - row["ablated_logit"], row["boost_true"], atol=1e-3
      )

  def test_is_stored_and_drawn(self):
    with tempfile.TemporaryDirectory() as folder:
      legacy.write(folder, "subspace", self.result, provenance={})
      stored, _ = legacy.read(folder, "subspace", subspace.Result)
    for count in (2, 1):
      one = dataclasses.replace(
        stored,
        **{
          field.name: getattr(stored, field.name)[:count]
          for field in dataclasses.fields(stored)
          if "_Sx" in field.name
        },
      )
      figure = plots_subspace.figure(one)
      figure.canvas.draw()
      titles = [ax.get_title(loc="left") for ax in figure.axes]
      self.assertIn("Prediction less label", titles)


if __name__ == "__main__":
  absltest.main()
