import dataclasses
import tempfile
from pathlib import Path

import adder
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.models import checkpoints, tokens
from primelens.studies.addition import (
  embedding,
  network,
  phases,
  plots_progress,
  progress,
  progress_measures,
  snapshots,
)


def with_snapshots(run, params_CxS) -> object:
  """Returns the run in a folder that has snapshots of the params."""
  workdir = Path(tempfile.mkdtemp())
  for step, params_S in params_CxS.items():
    checkpoints.write_snapshot(workdir / "snapshots", step, params_S)
  return dataclasses.replace(run, workdir=workdir)


class PlainTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = adder.trained()
    cls.run_ = with_snapshots(run, {100: run.untrained_S(), 10_000: run.params_S})
    cls.found = progress.run(cls.run_)

  def test_last_snapshot_has_the_recomputed_numbers(self):
    names = [row["name"] for row in self.found.curves]
    last = dict(zip(names, self.found.curve_VxSxC[:, 0, 1], strict=True))
    for name, expected, tolerance in (
      ("train/accuracy", 1, 0),
      ("test/accuracy", 1, 0),
      ("pre_poly2_r2", 0.9981, 0.005),
      ("pre_sums_r2", 0.9790, 0.005),
      ("post_poly2_r2", 0.9737, 0.005),
      ("readout_two_share", 0.9814, 0.005),
      ("keep_pc1_accuracy", 0.39, 0.03),
      ("frozen_accuracy", 0.60, 0.03),
    ):
      np.testing.assert_allclose(last[name], expected, atol=tolerance)

  def test_first_snapshot_is_untrained(self):
    names = [row["name"] for row in self.found.curves]
    first = dict(zip(names, self.found.curve_VxSxC[:, 0, 0], strict=True))
    # Spec, section 7: random init z on Poly2 .606, additive 1.000, and the
    # initial losses of section 2.
    np.testing.assert_allclose(first["pre_poly2_r2"], 0.606, atol=0.005)
    np.testing.assert_allclose(first["pre_additive_r2"], 1, atol=0.0005)
    np.testing.assert_allclose(first["train/nll_nats"], 3.003721, atol=2e-6)
    np.testing.assert_allclose(first["test/nll_nats"], 3.005199, atol=2e-6)

  def test_axes_and_members(self):
    self.assertEqual(self.found.curve_VxSxC.shape[1:], (2, 2))
    np.testing.assert_array_equal(self.found.step_C, [100, 10_000])
    self.assertEqual(self.found.similarity_SxCxQ.shape, (2, 2, 0))
    self.assertEqual(self.found.population, "P = 10, published")
    # The second member was never trained.
    self.assertGreater(self.found.curve_VxSxC[1, 1, 1], 2.9)

  def test_embedding_over_training_ends_where_the_components_are(self):
    found = embedding.run(self.run_)
    np.testing.assert_allclose(found.plane_CxPx2[-1], found.score_SxPxQ[0, :, :2], atol=1e-4)
    self.assertLess(np.abs(found.plane_CxPx2[0]).max(), 1)

  def test_figure_draws(self):
    self.assertNotEmpty(plots_progress.figure(self.found).axes)

  def test_without_snapshots_it_is_said(self):
    with self.assertRaisesRegex(ValueError, "no snapshots; train with"):
      progress.run(adder.trained())


class ChunksTest(absltest.TestCase):
  def test_chunks_give_every_snapshot_in_order(self):
    run = adder.handmade(adder.experiment())
    scaled = {step: jax.tree.map(lambda x, s=step: s * x, run.params_S) for step in (1, 2, 3, 5, 8)}
    run = with_snapshots(run, scaled)
    run.experiment.analyses.snapshot_batch = 2
    norm = lambda model, params, member, token_Nx3, extra: (
      extra * jnp.abs(params["unembed"]["kernel"]).sum()
    )
    found_SxC = snapshots.over_members(norm, run, jnp.array([1.0, -1.0]))
    relative = found_SxC / np.abs(found_SxC[:, :1])
    expected = np.outer([1, -1], [1, 2, 3, 5, 8])
    np.testing.assert_allclose(relative, expected, rtol=1e-5)

  def test_batches_give_every_member_in_order(self):
    run = adder.handmade(adder.experiment(((598, 999), (1, 999), (1, 1))))
    run.experiment.analyses.member_batch = 2
    measure = lambda model, params, member, token_Nx3: {
      "last": member.test_N[-1],
      "largest": jnp.abs(params["unembed"]["kernel"]).max(),
    }
    found = network.over_members(measure, run)
    np.testing.assert_array_equal(found["last"], run.pairs.test_SxN[:, -1])
    unembed_SxDxV = np.asarray(run.params_S["unembed"]["kernel"])
    largest_S = np.abs(unembed_SxDxV).max((1, 2))
    np.testing.assert_array_equal(found["largest"], largest_S)


def modular_losses(model, params, member, pair, keys):
  """Restricted and excluded loss by explicit waves, in numpy float64."""
  P = model.classes
  token_Nx3 = np.array([(a, b, P) for a in range(P) for b in range(P)])
  read = network.read(model, params, jnp.asarray(token_Nx3))
  h, mid, W_L, W_U, L = (
    np.asarray(x, np.float64)
    for x in (read.post_NxF, read.mid_NxD, read.readout_VxF, read.unembed_DxV, read.logit_NxV)
  )
  total_N = token_Nx3[:, 0] + token_Nx3[:, 1]
  part = np.zeros_like(h)
  for k in keys:
    for wave in (np.cos, np.sin):
      u_N = wave(2 * np.pi * k * total_N / P)
      u_N /= np.linalg.norm(u_N)
      part += np.outer(u_N, u_N @ h)

  def loss(logit, row_N):
    label_N = total_N[row_N] % P
    top = logit[row_N].max(1, keepdims=True)
    log_sum = np.log(np.exp(logit[row_N] - top).sum(1)) + top[:, 0]
    return (log_sum - logit[row_N, label_N]).mean()

  restricted = (h.mean(0) + part) @ W_L.T
  restricted += (L - restricted).mean(0)
  excluded = (h - part) @ W_L.T + mid @ W_U
  train_N, test_N = (np.asarray(x) for x in (member.train_N, member.test_N))
  return loss(restricted, test_N), loss(excluded, train_N)


class MirroredTest(absltest.TestCase):
  def test_who_is_explained_by_commutativity(self):
    # Of 3 x 3 pairs, train has (0, 1), (1, 1), (0, 2); test (1, 0) right,
    # (2, 0) wrong, whose mirrors are known, and (2, 2) wrong, (1, 2) right,
    # (0, 0) right, whose mirrors are not: a diagonal pair is its own.
    label_N = np.array([a + b for a in range(3) for b in range(3)])
    logit_NxV = np.eye(6)[label_N]
    for wrong in (6, 8):
      logit_NxV[wrong] = np.eye(6)[5]
    read = network.Network(*[None] * len(network.Network._fields))._replace(
      embedding_PxD=jnp.zeros((3, 4)), logit_NxV=jnp.asarray(logit_NxV)
    )
    member = network.Member(jnp.asarray(label_N), jnp.array([1, 4, 2]), jnp.array([3, 6, 8, 5, 0]))
    found = progress_measures.mirrored(read, member)
    self.assertEqual(float(found["test/mirrored_accuracy"]), 1 / 2)
    np.testing.assert_allclose(found["test/lone_accuracy"], 2 / 3, rtol=1e-6)


class ModularTest(absltest.TestCase):
  def test_losses_equal_explicit_projections(self):
    P, keys = 7, (1, 3)
    model = tokens.Config(vocabulary=P + 1, classes=P)
    params = jax.tree.map(lambda x: 2 * x, tokens.init(model, jax.random.key(1)))
    a_N, b_N = np.divmod(np.arange(P * P), P)
    row_N = np.random.default_rng(0).permutation(P * P)
    member = network.Member(
      jnp.asarray((a_N + b_N) % P), jnp.asarray(row_N[:20]), jnp.asarray(row_N[20:])
    )
    token_Nx3 = jnp.asarray(np.stack([a_N, b_N, np.full(P * P, P)], 1))
    key_Q = jnp.isin(jnp.arange(P // 2 + 1), jnp.array(keys))
    found = progress_measures.modular(model, params, member, token_Nx3, key_Q)
    restricted, excluded = modular_losses(model, params, member, None, keys)
    np.testing.assert_allclose(found["test/restricted_nll_nats"], restricted, rtol=1e-4)
    np.testing.assert_allclose(found["train/excluded_nll_nats"], excluded, rtol=1e-4)


class PhasesTest(parameterized.TestCase):
  STEP_C = np.array([100, 200, 300, 400, 500])
  UNIFORM = 3.0

  def curves(self, test_C, restricted_C=None):
    found = {"test/nll_nats": np.array([test_C]), "train/accuracy": np.array([[0.5, 1, 0.9, 1, 1]])}
    if restricted_C is not None:
      found["test/restricted_nll_nats"] = np.array([restricted_C])
      held_out_C = [2, 2, 1, 0, 0]
      found["test/restricted_heldout_nll_nats"] = np.array([held_out_C])
    return found

  def test_boundaries_of_a_grokking_curve(self):
    curves = self.curves([4, 9, 2, 0.005, 0.001], [2, 1, 1, 0, 0])
    records, step_ExS = phases.boundaries(self.STEP_C, curves, self.UNIFORM)
    found = dict(zip([row["boundary"] for row in records], step_ExS[:, 0], strict=True))
    self.assertEqual(
      found,
      {
        "memorised": 200,
        "peak": 200,
        "formed": 300,
        "cleaned": 400,
        "restricted": 200,
        "lead": 200,  # test loss below 1.5 from 400
        "lead_heldout": 100,
      },
    )

  def test_a_member_that_never_learns_has_no_boundary(self):
    records, step_ExS = phases.boundaries(self.STEP_C, self.curves([4, 2, 5, 9, 12]), self.UNIFORM)
    row = {record["boundary"]: record for record in records}
    self.assertEqual(row["formed"]["reached"], 0)
    self.assertTrue(np.isnan(row["cleaned"]["median"]))
    self.assertEqual(step_ExS[1, 0], 500)  # the peak: still rising

  def test_a_dip_does_not_count(self):
    step_S = phases.for_good(self.STEP_C, np.array([[False, True, False, True, True]]))
    np.testing.assert_array_equal(step_S, [400])


if __name__ == "__main__":
  absltest.main()
