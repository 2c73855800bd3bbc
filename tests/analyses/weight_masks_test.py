import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import masking
from primelens.models import spacing
from primelens.studies.zeros import pruned

L, H, D, DH = 3, 2, 4, 5


def _params():
  rng = np.random.default_rng(0)
  draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
  inside = lambda: {"kernel": draw(L, D, H, DH)}
  attention = {name: inside() for name in ("query", "key", "value")}
  attention["out"] = {"kernel": draw(L, H, DH, D)}
  return {"blocks": {"attention": attention, "mlp": {"up": draw(L, D, 7)}}, "head": draw(D)}


@functools.cache
def _count_of_e0():
  """Returns `f(keep_LxH)`, the numbers that E0 has with these heads; compiled once."""
  shapes = jax.eval_shape(lambda key: spacing.init(spacing.Config(), key), jax.random.key(0))

  @jax.jit
  def count(keep_LxH):
    params = jax.tree.map(lambda s: jnp.ones(s.shape), shapes)
    return masking.count(masking.heads(params, keep_LxH, kernels=pruned.HEADS))

  return count


class HeadsTest(parameterized.TestCase):
  def test_mask_equals_slices_set_by_hand(self):
    params = _params()
    keep_LxH = np.ones((L, H))
    keep_LxH[0, 1] = keep_LxH[2, 0] = 0
    of = functools.partial(masking.heads, kernels=pruned.HEADS)
    mask = jax.device_get(jax.jit(of)(params, keep_LxH))
    for name, leaf in mask["blocks"]["attention"].items():
      expected = np.ones(leaf["kernel"].shape)
      for layer, head in ((0, 1), (2, 0)):
        if name == "out":
          expected[layer, head] = 0
        else:
          expected[layer, :, head] = 0
      np.testing.assert_array_equal(leaf["kernel"], expected, err_msg=name)
    for rest in (mask["blocks"]["mlp"]["up"], mask["head"]):
      self.assertTrue((rest == 1).all())
    lost = 2 * masking.head_size(D, DH)
    everything = sum(leaf.size for leaf in jax.tree.leaves(params))
    self.assertEqual(int(jax.jit(masking.count)(mask)), everything - lost)

  # docs/sources/zeros.md, sections 2.1 and 4.2: a head of E0 has 4 * 256 * 32 numbers.
  # 13 of 48 heads leave 4,794,136 - 35 * 32,768 numbers, three quarters of the
  # network; the source's 1.2 M are 13 / 48 of all of it.
  @parameterized.parameters((13, 3_647_256), (48, 4_794_136), (0, 3_221_272))
  def test_e0_with_some_heads(self, kept, numbers):
    trunk = spacing.Config().trunk
    self.assertEqual(masking.head_size(trunk.width, trunk.head_width), 32_768)
    keep_LxH = (np.arange(48) < kept).reshape(6, 8).astype(np.float32)
    self.assertEqual(int(_count_of_e0()(keep_LxH)), numbers)

  def test_no_head_anywhere_is_an_error(self):
    with self.assertRaisesRegex(ValueError, "matches no leaf"):
      masking.heads({"a": np.ones(3)}, np.ones((1, 1)), kernels=pruned.HEADS)


class LayersTest(absltest.TestCase):
  def test_whole_layers_go(self):
    params = _params()
    keep_L = np.array([1.0, 0.0, 1.0])
    mask = jax.jit(functools.partial(masking.layers, pattern=r"blocks/.*"))(params, keep_L)
    for leaf in map(np.asarray, jax.tree.leaves(mask["blocks"])):
      np.testing.assert_array_equal(leaf[1], np.zeros(leaf.shape[1:]))
      np.testing.assert_array_equal(leaf[[0, 2]], np.ones((2, *leaf.shape[1:])))
    np.testing.assert_array_equal(mask["head"], np.ones(D))

  def test_another_number_of_layers_is_an_error(self):
    with self.assertRaisesRegex(ValueError, "keep_L has 2 layers, blocks/"):
      masking.layers(_params(), np.ones(2), pattern=r"blocks/.*")


class MaskTest(absltest.TestCase):
  def test_unchanged_finds_what_a_mask_left(self):
    params = {"a": np.float32([0.0, 1.0, 2.0]), "b": np.float32([3.0])}
    masked = {"a": np.float32([0.0, 0.0, 2.0]), "b": np.float32([3.0])}
    mask = masking.unchanged(params, masked)
    np.testing.assert_array_equal(mask["a"], [1, 0, 1])
    np.testing.assert_array_equal(mask["b"], [1])
    self.assertEqual(int(masking.count(mask)), 3)
    jax.tree.map(np.testing.assert_array_equal, masking.both(params, mask), masked)

  def test_both_keep_what_each_keeps(self):
    one, two = {"a": np.float32([1.0, 1, 0])}, {"a": np.float32([1.0, 0, 1])}
    both = masking.both(one, two)
    np.testing.assert_array_equal(both["a"], [1, 0, 0])
    same = masking.both(one, masking.everything(one))
    np.testing.assert_array_equal(same["a"], one["a"])


if __name__ == "__main__":
  absltest.main()
