"""Attention against a numpy forward and backward pass in float64."""

import functools
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.models import attention

BATCH, HEADS, HEAD_WIDTH = 3, 2, 8


def softmax(scores):
  """Returns the softmax over the last axis, zeros where all is -inf."""
  top = scores.max(axis=-1, keepdims=True)
  powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
  total = powers.sum(axis=-1, keepdims=True)
  return powers / np.where(total == 0, 1.0, total)


def reference(q, k, v, g, allowed_BxTxT):
  """Returns output and gradients of q, k, v for the cotangent g."""
  q, k, v, g = (np.swapaxes(np.float64(z), 1, 2) for z in (q, k, v, g))
  turned = lambda z: np.swapaxes(z, -1, -2)
  scale = q.shape[-1] ** -0.5
  scores = scale * q @ turned(k)
  p = softmax(np.where(allowed_BxTxT[:, None], scores, -np.inf))
  dp = g @ turned(v)
  ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) * scale
  arrays = (p @ v, ds @ k, turned(ds) @ q, turned(p) @ g)
  return tuple(np.swapaxes(z, 1, 2) for z in arrays)


def arrays(length, seed=0, batch=BATCH):
  """Returns q, k, v and a cotangent."""
  rng = np.random.default_rng(seed)
  shape = (4, batch, length, HEADS, HEAD_WIDTH)
  return tuple(rng.normal(size=shape).astype(np.float32))


def padding(length):
  """Returns Bx1xT: a full, a half and an empty sequence."""
  lengths_B = np.array([length, length // 2, 0])
  return np.arange(length)[None, None] < lengths_B[:, None, None]


def allowed(mask, mask_BxTxT, length):
  """Returns both masks as one BxTxT, by their definition."""
  key, query = np.arange(length)[None], np.arange(length)[:, None]
  base = key <= query if mask == "causal" else np.ones((length,) * 2, bool)
  extra = True if mask_BxTxT is None else mask_BxTxT
  return np.broadcast_to(base[None] & extra, (BATCH, length, length))


def output_and_gradients(q, k, v, g, **options):
  @jax.jit
  def one(q, k, v, g):
    product = functools.partial(attention.attend, **options)
    out, pull = jax.vjp(product, q, k, v)
    return (out, *pull(g))

  return one(q, k, v, g)


class AttendTest(parameterized.TestCase):
  @parameterized.parameters(
    ("auto", 129, "causal", False),
    ("blocks", 129, "causal", True),
    ("blocks", 130, "causal", False),
    ("blocks", 37, "causal", False),
    ("blocks", 70, "full", False),
    ("blocks", 70, "full", True),
    ("xla", 37, "causal", False),
    ("xla", 37, "causal", True),
    ("xla", 37, "full", False),
    ("xla", 37, "full", True),
  )
  def test_equals_numpy(self, implementation, length, mask, padded):
    q, k, v, g = arrays(length)
    mask_BxTxT = padding(length) if padded else None
    got = output_and_gradients(
      q, k, v, g, mask=mask, mask_BxTxT=mask_BxTxT, implementation=implementation
    )
    want = reference(q, k, v, g, allowed(mask, mask_BxTxT, length))
    for a, b in zip(got, want, strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)

  @parameterized.parameters("blocks", "xla")
  def test_slot_mask_shared_by_the_batch(self, implementation):
    q, k, v, g = arrays(72)
    mask_1xTxT = attention.table("leaky_as_published", 72, 8)[None]
    got = output_and_gradients(
      q, k, v, g, mask="full", mask_BxTxT=mask_1xTxT, implementation=implementation
    )
    want = reference(q, k, v, g, np.repeat(mask_1xTxT, BATCH, 0))
    for a, b in zip(got, want, strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)

  @parameterized.parameters("blocks", "xla")
  def test_large_scores_and_empty_rows_stay_finite(self, implementation):
    q, k, v, g = arrays(70)
    got = output_and_gradients(
      1e4 * q, k, v, g, mask_BxTxT=padding(70), implementation=implementation
    )
    for z in got:
      self.assertTrue(np.isfinite(z).all())
    np.testing.assert_array_equal(got[0][2], 0.0)

  def test_seeds_by_vmap_equal_a_loop(self):
    stacked = [arrays(70, seed) for seed in range(2)]
    batched = [np.stack(z) for z in zip(*stacked, strict=True)]
    each = functools.partial(output_and_gradients, implementation="blocks")
    got_S = jax.jit(jax.vmap(each))(*batched)
    for s, one in enumerate(stacked):
      for a, b in zip(got_S, each(*one), strict=True):
        np.testing.assert_allclose(a[s], b, rtol=1e-5, atol=1e-6)

  def test_forward_mode_equals_reverse_mode(self):
    q, k, v, g = arrays(70)
    of_q = lambda q: attention.attend(q, k, v, implementation="blocks")
    tangent = jax.jit(lambda q: jax.jvp(of_q, (q,), (v,))[1])(q)
    gradient = jax.jit(lambda q: jax.vjp(of_q, q)[1](g)[0])(q)
    a, b = np.vdot(tangent, g), np.vdot(gradient, v)
    np.testing.assert_allclose(a, b, rtol=1e-4)

  @parameterized.parameters("blocks", "xla")
  def test_bfloat16_keeps_its_dtype_and_a_wide_softmax(self, implementation):
    q, k, v, g = (z.astype(jnp.bfloat16) for z in arrays(70))
    product = functools.partial(attention.attend, implementation=implementation)
    got = jax.jit(product)(q, k, v)
    self.assertEqual(got.dtype, jnp.bfloat16)
    self.assertEqual(jax.eval_shape(attention.scores, q, k).dtype, jnp.float32)
    want = reference(q, k, v, g, allowed("causal", None, 70))[0]
    np.testing.assert_allclose(np.asarray(got, np.float64), want, rtol=0.02, atol=0.02)

  def test_sequences_taken_together_stay_apart(self):
    q, k, v, g = arrays(37)
    mask_BxTxT = padding(37)
    with mock.patch.object(jax, "device_count", return_value=BATCH):
      got = output_and_gradients(q, k, v, g, mask_BxTxT=mask_BxTxT, implementation="blocks")
    want = reference(q, k, v, g, allowed("causal", mask_BxTxT, 37))
    for a, b in zip(got, want, strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)

  def test_a_later_key_changes_nothing_earlier(self):
    q, k, v, _ = arrays(129)
    for implementation in ("blocks", "xla"):
      product = jax.jit(functools.partial(attention.attend, implementation=implementation))
      before = product(q, k, v)
      k2, v2 = k.copy(), v.copy()
      k2[:, 100] += 5.0
      v2[:, 100] += 5.0
      change_T = np.abs(product(q, k2, v2) - before).max(axis=(0, 2, 3))
      np.testing.assert_array_equal(change_T[:100], 0.0)
      self.assertGreater(change_T[100:].min(), 0.0)

  def test_blocks_keep_no_pattern_for_the_backward_pass(self):
    length, batch = 128, 32
    q, k, v, g = arrays(length, batch=batch)
    pattern_bytes = 4 * batch * HEADS * length * length

    def temporary(implementation):
      one = functools.partial(output_and_gradients, implementation=implementation)
      compiled = jax.jit(one).lower(q, k, v, g).compile()
      return compiled.memory_analysis().temp_size_in_bytes

    self.assertLess(temporary("blocks"), pattern_bytes / 2)
    self.assertGreater(temporary("xla"), pattern_bytes)

  @parameterized.parameters(
    ("gpu", jnp.bfloat16, 256, 64, "cudnn"),
    ("gpu", jnp.float16, 264, 32, "cudnn"),
    ("gpu", jnp.float32, 256, 64, "xla"),
    ("gpu", jnp.bfloat16, 255, 64, "xla"),
    ("gpu", jnp.bfloat16, 256, 20, "xla"),
    ("gpu", jnp.bfloat16, 256, 256, "xla"),
    ("cpu", jnp.float32, 255, 16, "blocks"),
    ("cpu", jnp.float32, 20, 16, "xla"),
    ("tpu", jnp.bfloat16, 256, 64, "xla"),
  )
  def test_choice_of_implementation(self, platform, dtype, length, width, want):
    q = jax.ShapeDtypeStruct((2, length, 4, width), dtype)
    self.assertEqual(attention.implementation_for(q, platform), want)

  def test_wrong_names_are_refused_with_the_choices(self):
    q, k, v, _ = arrays(4)
    with self.assertRaisesRegex(ValueError, "'flash'.*auto, blocks, xla"):
      attention.attend(q, k, v, implementation="flash")
    with self.assertRaisesRegex(ValueError, "'prefix'.*causal, full"):
      attention.attend(q, k, v, mask="prefix")


class PatternTest(absltest.TestCase):
  def test_explicit_path_by_hand(self):
    q = np.float32([[[[2.0, 0.0]], [[0.0, 4.0]]]])  # B = 1, T = 2, H = 1
    k = np.float32([[[[1.0, 1.0]], [[0.0, 3.0]]]])
    scores_BxHxTxT = np.asarray(jax.jit(attention.scores)(q, k))
    want = np.array([[2.0, 0.0], [4.0, 12.0]]) / np.sqrt(2)
    np.testing.assert_allclose(scores_BxHxTxT[0, 0], want, rtol=1e-6)
    causal = attention.table("causal", 2)[None]
    pattern = np.asarray(jax.jit(attention.pattern)(scores_BxHxTxT, causal))
    late = 1 / (1 + np.exp(8 / np.sqrt(2)))
    np.testing.assert_allclose(pattern[0, 0], [[1, 0], [late, 1 - late]], rtol=1e-5)
    v = np.float32([[[[1.0]], [[3.0]]]])
    np.testing.assert_allclose(
      np.asarray(jax.jit(attention.weighted)(pattern, v))[0, :, 0, 0], [1, 3 - 2 * late], rtol=1e-6
    )


class TableTest(absltest.TestCase):
  def test_masks_by_hand(self):
    rows = lambda *lines: np.array([[c == "1" for c in l] for l in lines])
    cases = {
      "causal": rows("1000", "1100", "1110", "1111"),
      "full": rows("1111", "1111", "1111", "1111"),
      "leaky_as_published": rows("1111", "1111", "1110", "1111"),
      "memory_blind": rows("1100", "1100", "1110", "1111"),
    }
    for kind, want in cases.items():
      np.testing.assert_array_equal(attention.table(kind, 4, 2), want, kind)

  def test_unknown_mask_is_refused(self):
    with self.assertRaisesRegex(ValueError, "'leaky'.*memory_blind"):
      attention.table("leaky", 4)


class PositionsTest(absltest.TestCase):
  def test_sinusoids_at_known_angles(self):
    table_TxD = attention.sinusoids(50, 6)
    self.assertEqual((table_TxD.shape, table_TxD.dtype), ((50, 6), np.float32))
    np.testing.assert_array_equal(table_TxD[0], [0, 1, 0, 1, 0, 1])
    angle = 7 / 10000 ** (np.repeat([0, 2, 4], 2) / 6)
    want = np.where(np.arange(6) % 2, np.cos(angle), np.sin(angle))
    np.testing.assert_allclose(table_TxD[7], want, rtol=1e-6)

  def test_rotary_is_a_complex_rotation_of_interleaved_pairs(self):
    q = arrays(9)[0]
    turned = jax.jit(functools.partial(attention.rotary, start=2, stop=8, width=6))(q)
    turned = np.asarray(turned)
    pairs = q[..., 0:6:2] + 1j * q[..., 1:6:2]
    position_T = np.array([0, 0, 0, 1, 2, 3, 4, 5, 0])
    angle_Tx3 = position_T[:, None] / 10000 ** (np.arange(0, 6, 2) / 6)
    pairs = pairs * np.exp(1j * angle_Tx3)[None, :, None]
    np.testing.assert_allclose(turned[..., 0:6:2], pairs.real, atol=1e-6)
    np.testing.assert_allclose(turned[..., 1:6:2], pairs.imag, atol=1e-6)
    np.testing.assert_array_equal(turned[..., 6:], q[..., 6:])

  def test_rotary_scores_depend_on_the_distance_only(self):
    q, k, _, _ = (np.broadcast_to(z[:, :1], z.shape) for z in arrays(6))
    scored = jax.jit(lambda q, k: attention.scores(attention.rotary(q), attention.rotary(k)))
    scores_TxT = np.asarray(scored(q, k))[0, 0]
    for lag in range(-3, 4):
      np.testing.assert_allclose(np.ptp(np.diagonal(scores_TxT, lag)), 0, atol=1e-5)
    self.assertGreater(np.ptp(scores_TxT), 0.1)

  def test_odd_widths_are_refused(self):
    with self.assertRaisesRegex(ValueError, "width=5"):
      attention.sinusoids(4, 5)
    with self.assertRaisesRegex(ValueError, "width=3"):
      attention.rotary(jnp.zeros((1, 2, 1, 8)), width=3)


if __name__ == "__main__":
  absltest.main()
