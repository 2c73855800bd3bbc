"""Parts of `neurons`: planted networks with known answers."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.studies.addition import (
  network,
  neuron_blocks,
  neuron_changes,
  neuron_components,
  neuron_correlations,
  neuron_fits,
  neuron_flips,
)

P = 5
A_N, B_N = np.divmod(np.arange(P * P), P)
SUM_N = (A_N + B_N).astype(np.float32)
TOKEN_NX3 = np.stack([A_N, B_N, np.full_like(A_N, P)], 1)
MEMBER = network.Member(jnp.asarray(A_N + B_N), jnp.arange(0, 25, 2), jnp.arange(1, 25, 2))


def planted(pre_NxF, *, readout_VxF=None, mid_NxD=None, width=4):
  """A Network with the given z, no direct path unless `mid` is given."""
  rng = np.random.default_rng(0)
  rows, hidden = pre_NxF.shape
  if readout_VxF is None:
    readout_VxF = rng.normal(size=(2 * P, hidden))
  silent = mid_NxD is None
  mid_NxD = np.zeros((rows, width)) if silent else mid_NxD
  unembed_DxV = rng.normal(size=(mid_NxD.shape[1], 2 * P)) * 0.1
  post_NxF = np.maximum(pre_NxF, 0)
  digit_P = np.linspace(-1, 1, P)
  embedding_PxD = np.stack([3 * digit_P, digit_P**2, 0 * digit_P], 1)
  arrays = (
    embedding_PxD,
    readout_VxF,
    unembed_DxV,
    np.zeros(2 * P),
    mid_NxD,
    pre_NxF,
    post_NxF,
    mid_NxD @ unembed_DxV + post_NxF @ readout_VxF.T,
    np.zeros((rows, 1, 3)),
  )
  return network.Network(*(jnp.asarray(x, jnp.float32) for x in arrays))


_components = jax.jit(neuron_components.measure)


class CorrelationTest(absltest.TestCase):
  def test_planted_neurons(self):
    flat_N = np.ones_like(SUM_N)
    pre_NxF = np.stack([SUM_N, 9 - SUM_N, flat_N, -flat_N, A_N - B_N + 9], 1)
    readout_VxF = np.zeros((2 * P, 5))
    readout_VxF[0] = [2, 1, 1, 5, 0]
    read = planted(pre_NxF, readout_VxF=readout_VxF)
    found = neuron_correlations.measure(read, MEMBER, jnp.asarray(TOKEN_NX3))
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
    found = np.asarray(neuron_correlations.row_statistics(jnp.array([row])))
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


class BlockTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(1)
    self.unit_DxK = np.linalg.qr(rng.normal(size=(6, 3)))[0]
    self.of_F = np.array([0, 1, 1, 2, 2, 2, 0])
    scale_F = np.array([1, 2, 0.5, 3, 1, 0.1, 4])
    self.up_DxF = self.unit_DxK[:, self.of_F] * scale_F
    mid_NxD = rng.normal(size=(25, 6))
    self.read = planted(mid_NxD @ self.up_DxF, mid_NxD=mid_NxD)
    self.weight_F = neuron_correlations.contributions(self.read)

  def measured(self, **changed):
    read = self.read._replace(**changed)
    params = {"blocks": {"mlp": {"up": {"kernel": self.up_DxF[None]}}}}
    return jax.jit(neuron_blocks.measure)(read, params, MEMBER, jnp.ones(7), self.weight_F)

  def test_copies_merge_into_the_network_itself(self):
    found = self.measured()
    pairs = set(zip(self.of_F, np.asarray(found["rank"]), strict=True))
    self.assertLen(pairs, 3)
    np.testing.assert_array_equal(found["size"][:4], [3, 2, 2, 0])
    self.assertEqual(found["value"]["units_needed"], 3)
    whole = found["merged"]
    nll = network.nll(self.read.logit_NxV, MEMBER.label_N)
    np.testing.assert_allclose(whole["nll_R"][2:], nll, rtol=1e-4)
    np.testing.assert_array_equal(whole["same_R"][2:], 1)
    self.assertLess(whole["same_R"][0], 1)

  def test_merged_units_keep_the_direct_path(self):
    found = self.measured(readout_VxF=jnp.zeros((2 * P, 7)))
    direct_NxV = self.read.mid_NxD @ self.read.unembed_DxV
    np.testing.assert_allclose(
      found["merged"]["nll_R"], network.nll(direct_NxV, MEMBER.label_N), rtol=1e-5
    )

  def test_without_copies_nothing_merges(self):
    rng = np.random.default_rng(2)
    mid_NxD = rng.normal(size=(25, 40))
    self.up_DxF = rng.normal(size=(40, 7))
    self.read = planted(mid_NxD @ self.up_DxF, mid_NxD=mid_NxD)
    self.weight_F = neuron_correlations.contributions(self.read)
    value = self.measured()["value"]
    self.assertEqual(value["lonely"], 7)
    self.assertTrue(np.isnan(value["readout_cosine_min"]))


class ChangeTest(absltest.TestCase):
  """Three neurons: one stays on, one turns off, one turns on at (0, 0)."""

  def setUp(self):
    super().setUp()
    readout_VxF = np.zeros((2 * P, 3))
    readout_VxF[0] = [1, -2, 3]  # the true row at (0, 0)
    readout_VxF[4] = [1, 3, 0.5]  # predicted: 1 + 3 x 2
    was = planted(np.tile([1.0, 2, -1], (25, 1)), readout_VxF=readout_VxF)
    now = planted(np.tile([2.0, -1, 4], (25, 1)), readout_VxF=readout_VxF)
    wrong_N = jnp.argmax(was.logit_NxV, axis=-1) != MEMBER.label_N
    self.pair = neuron_changes.Pair(now, was, wrong_N)

  def test_flips(self):
    found = neuron_flips.measure(self.pair, MEMBER.label_N)["value"]
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
    found = neuron_flips.measure(still, MEMBER.label_N)["value"]
    self.assertEqual(found["flips"], 0)
    self.assertTrue(np.isnan(found["off_true_mean"]))

  def test_mean_changes_by_group(self):
    found = neuron_changes.measure(self.pair, MEMBER, jnp.eye(3), jnp.arange(3.0), jnp.arange(3))
    pre, post = [1, -3, 5], [1, -2, 4]
    self.assertEqual(found["value"]["failing"], 20)  # 4 is right 5 times
    np.testing.assert_allclose(found["change"][0], [pre] * 3, rtol=1e-6)
    np.testing.assert_allclose(found["change"][1], [post] * 3, rtol=1e-6)
    self.assertEqual(found["value"]["delta_post_0"], 2)
    self.assertEqual(found["value"]["delta_post_1"], 1)
    right = self.pair._replace(failing_N=jnp.zeros(25, bool))
    none = neuron_changes.measure(right, MEMBER, jnp.eye(3), jnp.arange(3.0), jnp.arange(3))
    np.testing.assert_array_equal(none["change"], np.zeros((2, 3, 3)))

  def test_variance_between_groups(self):
    rank_F = jnp.array([0, 0, 1, 1, 2])  # the last has no copy
    share = neuron_changes.between(jnp.array([1.0, 1, 3, 3, 99]), rank_F)
    self.assertAlmostEqual(share, 1, places=6)
    share = neuron_changes.between(jnp.array([1.0, 3, 1, 3, 99]), rank_F)
    self.assertAlmostEqual(share, 0, places=6)
    share = neuron_changes.between(jnp.array([0.0, 2, 2, 4, 0]), rank_F)
    self.assertAlmostEqual(share, 0.5, places=6)
    self.assertTrue(np.isnan(neuron_changes.between(rank_F + 0.0, jnp.arange(5))))


class FitTest(absltest.TestCase):
  def test_planted_targets(self):
    digit_P = np.linspace(-1, 1, P)
    second_P = digit_P**2
    line = np.stack([SUM_N - 4, 4.5 - SUM_N], 1)
    bow = (second_P[A_N] + 2 * second_P[B_N])[:, None] * np.array([1.0, -2])
    pair = neuron_changes.Pair(planted(line + bow), planted(line), jnp.ones(25, bool))
    draw_RxP = neuron_fits.draws(P, 3, seed=0)
    found = jax.jit(neuron_fits.measure)(
      pair, MEMBER, jnp.asarray(TOKEN_NX3), jnp.array([1.0, 3]), draw_RxP
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
        getattr(network, measure.removesuffix("_nats"))(pair.full.logit_NxV, MEMBER.label_N),
        rtol=1e-3,
      )


if __name__ == "__main__":
  absltest.main()
