import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.analyses import ablation
from primelens.lens import legacy
from primelens.models import spacing, transformer
from primelens.studies.zeros import heads, scoring

T, CONTEXT = tiny_study.T, 8
L, H, DH = 2, 2, 2
ZERO, MEAN, SLICE = range(3)
PHI, SCALE = 0.7, 0.2


def one_head(params, x_BxT, *, edits=None, sites=()):
  """A model in which only head 0 of layer 1 matters.

  Its output is (s, s) at each position and its projection writes the first
  number to channel 3 of the residual, which is in the slice of head 1. All
  other heads say something too, but write nothing. The mean is
  1 + gain (channel 3 - 1).
  """
  edits = edits or {}
  projection_HxDhxD = jnp.zeros((H, DH, H * DH)).at[0, 0, 3].set(1.0)
  record, stream_BxTxD = [], 0.0
  for layer in range(L):
    head_BxTxHxDh = jnp.broadcast_to(x_BxT[..., None, None], (*x_BxT.shape, H, DH))
    record.append(head_BxTxHxDh)
    edit = edits.get("attention/head", lambda x, _: x)
    head_BxTxHxDh = edit(head_BxTxHxDh, layer)
    out_BxTxD = jnp.einsum("bthd,hde->bte", head_BxTxHxDh, layer * projection_HxDhxD)
    out_BxTxD = edits.get("attention/out", lambda x, _: x)(out_BxTxD, layer)
    stream_BxTxD = stream_BxTxD + out_BxTxD
  mean_BxT = 1 + params["gain"] * (stream_BxTxD[..., 3] - 1)
  activations = {"attention/head": jnp.stack(record)} if sites else {}
  return tiny_study.gaussian(mean_BxT, SCALE), activations


class RemovalsTest(absltest.TestCase):
  def test_layout(self):
    rows = ablation.removals(2, 3)
    count_R = [0, 1, 2, 3, 4, 5, 6]
    self.assertLen(rows["count"], 1 + 3 * 6 + 2 * 7)
    ones_2x3 = np.ones((2, 3))
    for r, (layer, head) in enumerate(np.ndindex(2, 3)):
      without_2x3 = ones_2x3.copy()
      without_2x3[layer, head] = 0
      for mode in (ZERO, MEAN, SLICE):
        at = 1 + 6 * mode + r
        changed, kept = ("keep_LxH", "slice_LxH")[:: -1 if mode == SLICE else 1]
        np.testing.assert_array_equal(rows[changed][at], without_2x3)
        np.testing.assert_array_equal(rows[kept][at], ones_2x3)
        self.assertEqual(rows["use_mean"][at], mode == MEAN)
        self.assertEqual(rows["count"][at], 0)
    joint = slice(19, None)
    np.testing.assert_array_equal(rows["count"][joint], count_R + count_R)
    np.testing.assert_array_equal(rows["use_mean"][joint], [0] * 7 + [1] * 7)
    for name in ("keep_LxH", "slice_LxH"):
      self.assertTrue((rows[name][joint] == 1).all())
      self.assertTrue((rows[name][0] == 1).all())

  def test_joint_counts_of_many_heads(self):
    count_R = ablation.removal_counts(48)
    self.assertEqual((count_R[0], count_R[-1], len(count_R)), (0, 48, 17))
    self.assertTrue((np.diff(count_R) == 3).all())


class OneHeadTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    value_N = tiny_study.ar([PHI], 2000, scale=SCALE)
    cls.run_ = tiny_study.handmade(
      one_head,
      {"gain": jnp.array([PHI, 0.5 * PHI])},
      value_N,
      fresh_S={"gain": jnp.zeros(2)},
      changed={"heads.windows": 20, "bootstrap.samples": 200},
    )
    cls.result = heads.run(cls.run_)
    cls.test_NxT1, _ = cls.run_.batches("test", 20)
    select_NxT1, _ = cls.run_.batches("select", 20)
    cls.mean = select_NxT1[:, :T].astype(np.float64).mean()

  def _nll(self, gain, instead=None):
    """The NLL when what the head says is replaced by a number, or is not."""
    seen_NxU = self.test_NxT1[:, CONTEXT - 1 : T].astype(np.float64)
    seen_NxU = seen_NxU if instead is None else instead
    error_NxU = self.test_NxT1[:, CONTEXT:] - 1 - gain * (seen_NxU - 1)
    return tiny_study.normal_nll(error_NxU, SCALE).mean()

  def test_only_the_one_head_matters(self):
    delta_VxSxLxH = self.result.delta_VxSxLxH
    self.assertEqual(delta_VxSxLxH.shape, (3, 2, L, H))
    for s, gain in enumerate((PHI, 0.5 * PHI)):
      intact = self._nll(gain)
      self.assertAlmostEqual(self.result.intact_S[s], intact, places=5)
      expected_VxLxH = np.zeros((3, L, H))
      expected_VxLxH[ZERO, 1, 0] = self._nll(gain, 0.0) - intact
      expected_VxLxH[MEAN, 1, 0] = self._nll(gain, self.mean) - intact
      # The published slice blames head 1, which writes nothing.
      expected_VxLxH[SLICE, 1, 1] = self._nll(gain, 0.0) - intact
      self.assertGreater(expected_VxLxH.max(axis=(1, 2)).min(), 0.1)
      np.testing.assert_allclose(delta_VxSxLxH[:, s], expected_VxLxH, rtol=1e-4, atol=1e-5)

  def test_intervals(self):
    result = self.result
    mean_VxLxH = result.delta_VxSxLxH.mean(1)
    self.assertTrue((result.delta_low_VxLxH <= mean_VxLxH + 1e-9).all())
    self.assertTrue((result.delta_high_VxLxH >= mean_VxLxH - 1e-9).all())
    # Two seeds: at least t = tan(0.475 pi) times half their distance.
    seeds = np.tan(0.475 * np.pi) * np.ptp(result.delta_VxSxLxH[ZERO, :, 1, 0]) / 2
    reach = result.delta_high_VxLxH[ZERO, 1, 0] - mean_VxLxH[ZERO, 1, 0]
    self.assertBetween(reach, seeds, 1.05 * seeds)
    width_LxH = (result.delta_high_VxLxH - result.delta_low_VxLxH)[ZERO]
    np.testing.assert_array_equal(width_LxH > 1e-6, [[0, 0], [1, 0]])

  def test_the_published_slice_is_not_the_head_in_each_network(self):
    # The slice blames head 1 for what removing head 0 costs: apart in both.
    low_SxLxH, high_SxLxH = self.result.slice_gap_low_SxLxH, self.result.slice_gap_high_SxLxH
    np.testing.assert_array_equal(low_SxLxH > 0.01, [[[0, 0], [0, 1]]] * 2)
    np.testing.assert_array_equal(high_SxLxH < -0.01, [[[0, 0], [1, 0]]] * 2)
    np.testing.assert_allclose(low_SxLxH[:, 0], 0, atol=1e-6)

  def test_joint_removal_takes_the_cheapest_first(self):
    result = self.result
    np.testing.assert_array_equal(result.count_R, range(L * H + 1))
    np.testing.assert_array_equal(result.rank_SxLxH[:, 1, 0], 3)
    for ranks_LxH in result.rank_SxLxH:
      np.testing.assert_array_equal(np.sort(ranks_LxH.ravel()), range(L * H))
    np.testing.assert_allclose(result.joint_PxSxR[..., :4], 0, atol=1e-5)
    np.testing.assert_allclose(
      result.joint_PxSxR[..., 4], result.delta_VxSxLxH[[ZERO, MEAN], :, 1, 0], rtol=1e-5
    )
    np.testing.assert_allclose(
      result.joint_low_PxR[:, 4], result.delta_low_VxLxH[[ZERO, MEAN], 1, 0], rtol=1e-4
    )

  def test_untrained_networks_are_the_null(self):
    null_VxSxLxH = self.result.untrained_VxSxLxH
    self.assertEqual(null_VxSxLxH.shape, (3, 2, L, H))
    np.testing.assert_allclose(null_VxSxLxH, 0, atol=1e-6)  # gain 0

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "heads", self.result, provenance={})
    back, _ = legacy.read(folder, "heads", heads.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))


class TransformerTest(absltest.TestCase):
  """The edits of the analysis against head removal by weights."""

  def test_zero_equals_the_output_kernel_without_the_head(self):
    model = tiny_study.tiny_model()
    model.trunk.init_std = 0.5
    keys_S = jax.random.split(jax.random.key(0), 2)
    params_S = jax.vmap(lambda key: spacing.init(model, key))(keys_S)
    apply_fn = spacing.bind(model)
    run = tiny_study.handmade(apply_fn, params_S, tiny_study.ar([PHI], 600), model=model)
    rows = ablation.removals(L, H)
    test_NxT1, _ = run.batches("test", 3)
    bundle_S = {
      "params": params_S,
      "mean_LxHxDh": jnp.zeros((2, L, H, 4)),
      "rank_LxH": jnp.zeros((2, L, H), jnp.int32),
    }
    some = {name: row[: 1 + L * H] for name, row in rows.items()}
    nll_SxRxN = scoring.head_sweep(run, bundle_S, some, test_NxT1)

    @jax.jit
    def by_weights(params, keep_LxH):
      params = ablation.heads(params, keep_LxH, kernels=transformer.HEAD_OUTPUTS)
      return spacing.score(apply_fn, params, test_NxT1, min_context=CONTEXT)

    for s in range(2):
      params = jax.tree.map(lambda leaf, s=s: leaf[s], params_S)
      for r, keep_LxH in enumerate(some["keep_LxH"]):
        expected_N = by_weights(params, keep_LxH).mean(-1)
        np.testing.assert_allclose(nll_SxRxN[s, r], expected_N, rtol=1e-5)
    apart_SxRxN = np.abs(nll_SxRxN[:, 1:] - nll_SxRxN[:, :1])
    self.assertGreater(apart_SxRxN.max(), 1e-3)


if __name__ == "__main__":
  absltest.main()
