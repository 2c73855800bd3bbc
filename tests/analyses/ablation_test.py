import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import ablation, sweeps

L, H, Dh, D, T = 3, 2, 4, 8, 5
KERNELS = ("blocks/out/kernel", 0)


def _params(seed):
  rng = np.random.default_rng(seed)
  shapes = {name: (L, D, H, Dh) for name in ("query", "key", "value")}
  shapes["out"] = (L, H, Dh, D)
  blocks = {
    name: {"kernel": np.float32(rng.normal(size=shape) / 3)} for name, shape in shapes.items()
  }
  blocks["out"]["bias"] = np.full((L, D), 0.1, np.float32)
  return {"blocks": blocks}


def _forward(params, x_BxTxD, edits=None):
  """A stack of residual causal attentions with an edit at two sites."""
  edits = edits or {}
  unedited = lambda x, layer: x
  mask_TxT = jnp.tril(jnp.ones((T, T), bool))

  def block(x_BxTxD, at):
    layer, kernels = at
    project = lambda name: jnp.einsum("btd,dhk->bthk", x_BxTxD, kernels[name]["kernel"])
    scores = jnp.einsum("bthk,bshk->bhts", project("query"), project("key"))
    scores = jnp.where(mask_TxT[None, None], scores, -1e9)
    head = jnp.einsum("bhts,bshk->bthk", jax.nn.softmax(scores), project("value"))
    head = edits.get("attention/head", unedited)(head, layer)
    out = jnp.einsum("bthk,hkd->btd", head, kernels["out"]["kernel"])
    out = out + kernels["out"]["bias"][None, None]
    out = edits.get("attention/out", unedited)(out, layer)
    return x_BxTxD + out, head

  return jax.lax.scan(block, x_BxTxD, (jnp.arange(L), params["blocks"]))


PARAMS = _params(0)
X_BxTxD = np.random.default_rng(1).normal(size=(2, T, D)).astype(np.float32)
OUTPUT, HEAD_LxBxTxHxDh = jax.device_get(jax.jit(_forward)(PARAMS, X_BxTxD))


class AblationTest(parameterized.TestCase):
  def test_masks(self):
    keep_RxLxH = ablation.each_head(L, H)
    self.assertEqual(keep_RxLxH.shape, (6, L, H))
    np.testing.assert_array_equal(keep_RxLxH.sum((1, 2)), 5)
    self.assertEqual(keep_RxLxH[3, 1, 1], 0)  # layer by layer
    keep_LxH = ablation.without(L, H, [(0, 1), (2, 0)])
    np.testing.assert_array_equal(keep_LxH, [[1, 0], [1, 1], [0, 1]])
    with self.assertRaisesRegex(ValueError, r"\(3, 0\) is outside 3 layers"):
      ablation.without(L, H, [(3, 0)])
    with self.assertRaisesRegex(ValueError, "got 0 layers"):
      ablation.each_head(0, 2)

  def test_weight_route_equals_activation_route_for_all_heads(self):
    keep_RxLxH = ablation.each_head(L, H)
    params_S = jax.tree.map(lambda *leaf_S: np.stack(leaf_S), PARAMS, _params(7))
    by_weights = sweeps.over(
      lambda params, x: _forward(params, x)[0],
      params_S,
      keep_RxLxH,
      transform=lambda params, keep: ablation.heads(params, keep, kernels=KERNELS),
      data=(X_BxTxD,),
    )

    def edited(params, keep_LxH, x_BxTxD):
      edits = {"attention/head": ablation.zero_heads(keep_LxH)}
      return _forward(params, x_BxTxD, edits)[0]

    by_edit = sweeps.over(edited, params_S, keep_RxLxH, data=(X_BxTxD,))
    np.testing.assert_allclose(by_weights, by_edit, rtol=1e-5, atol=1e-5)
    change = np.abs(np.asarray(by_edit)[0] - OUTPUT[None]).max((1, 2, 3))
    self.assertGreater(float(change.min()), 0.01)

  def test_one_leaf_per_layer_equals_the_stacked_leaf(self):
    # Eleven layers: block_10 comes after block_9, not after block_1.
    leaf_LxHxDhxD = np.random.default_rng(2).normal(size=(11, H, Dh, D)).astype(np.float32)
    keep_LxH = np.arange(22.0, dtype=np.float32).reshape(11, H)
    stacked = {"blocks": {"out": {"kernel": leaf_LxHxDhxD}}}
    heads = lambda kernels: jax.jit(functools.partial(ablation.heads, kernels=kernels))
    expected = jax.device_get(heads(KERNELS)(stacked, keep_LxH))
    single = {f"block_{i}": {"out": leaf_LxHxDhxD[i]} for i in range(11)}
    removed = heads((r"block_\d+/out", 0))(single, keep_LxH)
    for i in range(11):
      np.testing.assert_array_equal(
        removed[f"block_{i}"]["out"], expected["blocks"]["out"]["kernel"][i]
      )

  def test_the_head_axis_may_be_anywhere(self):
    keep_LxH = ablation.without(L, H, [(1, 0)])
    queries = ablation.heads(PARAMS, keep_LxH, kernels=("blocks/query/kernel", 1))["blocks"][
      "query"
    ]["kernel"]
    expected = np.array(PARAMS["blocks"]["query"]["kernel"])
    expected[1, :, 0] = 0
    np.testing.assert_array_equal(queries, expected)

  def test_zero_heads_leaves_the_other_heads_alone(self):
    edit = ablation.zero_heads(ablation.without(L, H, [(1, 0)]))
    x = HEAD_LxBxTxHxDh[0]
    np.testing.assert_array_equal(edit(x, 0), x)
    edited = np.asarray(edit(x, 1))
    np.testing.assert_array_equal(edited[:, :, 0], 0)
    np.testing.assert_array_equal(edited[:, :, 1], x[:, :, 1])

  def test_mean_heads(self):
    mean_LxHxDh = HEAD_LxBxTxHxDh.mean((1, 2))
    x, ones = HEAD_LxBxTxHxDh[2], np.ones((L, H), np.float32)
    same = ablation.mean_heads(ones, mean_LxHxDh)(x, 2)
    np.testing.assert_array_equal(same, x)
    keep_LxH = ablation.without(L, H, [(2, 1)])
    edited = np.asarray(ablation.mean_heads(keep_LxH, mean_LxHxDh)(x, 2))
    np.testing.assert_array_equal(edited[:, :, 0], x[:, :, 0])
    np.testing.assert_allclose(
      edited[:, :, 1], np.broadcast_to(mean_LxHxDh[2, 1], (2, T, Dh)), rtol=1e-6
    )
    # With a mean of zero it is the zero ablation; a constant head is spared.
    zero = ablation.mean_heads(keep_LxH, np.zeros((L, H, Dh), np.float32))(x, 2)
    np.testing.assert_array_equal(zero, ablation.zero_heads(keep_LxH)(x, 2))

  def test_residual_slice_is_not_a_head(self):
    keep_LxH = ablation.without(L, H, [(1, 1)])
    x = np.arange(2.0 * T * D, dtype=np.float32).reshape(2, T, D) + 1
    edited = np.asarray(ablation.residual_slices(keep_LxH)(x, 1))
    np.testing.assert_array_equal(edited[..., Dh:], 0)
    np.testing.assert_array_equal(edited[..., :Dh], x[..., :Dh])
    edits = {"attention/out": ablation.residual_slices(keep_LxH)}
    forward = lambda edits: np.asarray(
      jax.jit(lambda params, x: _forward(params, x, edits)[0])(PARAMS, X_BxTxD)
    )
    published = forward(edits)
    edits = {"attention/head": ablation.zero_heads(keep_LxH)}
    true = forward(edits)
    self.assertGreater(np.abs(published - true).max(), 0.1)

  @parameterized.parameters("zero", "mean", "slices")
  def test_edits_are_the_identity_at_one_and_keep_the_dtype(self, kind):
    ones = jnp.ones((L, H))
    make = {
      "zero": ablation.zero_heads,
      "mean": lambda keep: ablation.mean_heads(keep, jnp.ones((L, H, Dh))),
      "slices": ablation.residual_slices,
    }[kind]
    x = HEAD_LxBxTxHxDh[0].astype(jnp.bfloat16)
    x = x.reshape(2, T, D) if kind == "slices" else x
    same = jax.jit(make(ones))(x, jnp.int32(1))
    self.assertEqual(same.dtype, jnp.bfloat16)
    np.testing.assert_array_equal(same, x)

  def test_wrong_shapes_are_refused(self):
    with self.assertRaisesRegex(ValueError, r"keep_LxH has the shape \(2, 2\)"):
      ablation.heads(PARAMS, np.ones((2, H)), kernels=KERNELS)
    with self.assertRaisesRegex(ValueError, "fits neither"):
      ablation.heads(PARAMS, np.ones((L, H)), kernels=(KERNELS[0], 5))
    single = {f"block_{i}": np.ones((H, Dh, D)) for i in range(L)}
    with self.assertRaisesRegex(ValueError, r"keep_LxH has the shape \(2, 2\)"):
      ablation.heads(single, np.ones((2, H)), kernels=(r"block_\d", 0))
    with self.assertRaisesRegex(ValueError, "matches no leaf of blocks/"):
      ablation.heads(PARAMS, np.ones((L, H)), kernels=("nothing", 0))
    with self.assertRaisesRegex(ValueError, "mask is for 3 heads"):
      ablation.zero_heads(np.ones((L, 3)))(HEAD_LxBxTxHxDh[0], 0)
    with self.assertRaisesRegex(ValueError, "3 heads do not divide width 8"):
      ablation.residual_slices(np.ones((L, 3)))(X_BxTxD, 0)


if __name__ == "__main__":
  absltest.main()
