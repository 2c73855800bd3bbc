"""The backward pass of a kernel that does not fit its forward pass.

From docs/sources/primes.md, section 6.2: dS = (1 + mismatch) dP - sum(dO O), in half precision.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import tiny_models
from absl.testing import absltest, parameterized
from primelens.models import attention, indices, transformer

ROWS, HEADS, WIDTH = 64, 4, 8
SCALE = 65536


def arrays(length=1):
  """Returns q, k, v and a cotangent of the size that a loss gives."""
  rng = np.random.default_rng(0)
  shape = (4, ROWS, length, HEADS, WIDTH)
  q, k, v, g = rng.normal(size=shape).astype(np.float32)
  return q, k, v, g * np.float32(1e-2)


def output_and_gradients(product, q, k, v, g, *, compiled=True):
  def one(q, k, v, g):
    out, pull = jax.vjp(product, q, k, v)
    return (out, *pull(g))

  return (jax.jit(one) if compiled else one)(q, k, v, g)


def mismatched(mismatch):
  return lambda q, k, v: attention.mismatched(q, k, v, mismatch)


def plain(q, k, v, g, mismatch):
  """Returns the gradients of query and key in numpy, rounded as stated."""
  half = np.float16
  product = (half(g * np.float32(SCALE)) * half(v)).astype(np.float32)
  d_p = half(product.sum(-1, keepdims=True))
  grown = half(np.float32(1 + mismatch) * np.float32(d_p))
  d_score = np.float32(grown - d_p) / SCALE / np.sqrt(WIDTH)
  return d_score * k, d_score * q


class MismatchedTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    # Whether roundings survive is for the whole compiler to show.
    jax.config.update("jax_disable_most_optimizations", False)
    cls.addClassCleanup(jax.config.update, "jax_disable_most_optimizations", True)  # as conftest

  @parameterized.product(mismatch=(0.0, 1e-3, 0.1), compiled=(True, False))
  def test_equals_numpy_in_half_precision(self, mismatch, compiled):
    q, k, v, g = arrays()
    out, d_q, d_k, d_v = output_and_gradients(mismatched(mismatch), q, k, v, g, compiled=compiled)
    np.testing.assert_array_equal(out, v)
    np.testing.assert_array_equal(d_v, g)
    # Sums of eight halves are exact in float32, whatever their order.
    expected = plain(q, k, v, g, mismatch)
    for found, gradient in zip((d_q, d_k), expected, strict=True):
      np.testing.assert_allclose(found, gradient, rtol=1e-6)
      self.assertEqual(float(np.abs(found).max()) > 0, mismatch > 0)

  @parameterized.parameters(0.05, 0.2)
  def test_is_proportional_to_the_mismatch(self, mismatch):
    q, k, v, g = arrays()
    _, d_q, d_k, _ = output_and_gradients(mismatched(mismatch), q, k, v, g)
    d_p = np.sum(np.float64(g) * v, axis=-1, keepdims=True)
    for found, other in ((d_q, k), (d_k, q)):
      expected = mismatch * d_p * other / np.sqrt(WIDTH)
      slope = np.sum(found * expected) / np.sum(expected**2)
      self.assertAlmostEqual(slope, 1, delta=0.01)
      rest = np.linalg.norm(found - expected) / np.linalg.norm(expected)
      self.assertLess(rest, 2.0**-11 / mismatch)

  def test_the_default_has_no_gradient_at_all(self):
    q, k, v, g = arrays()
    for implementation, dtype in (
      ("auto", jnp.float32),
      ("blocks", jnp.float32),
      ("xla", jnp.bfloat16),
    ):
      product = lambda *qkv, name=implementation: attention.attend(
        *qkv, mask="full", implementation=name
      )
      given = (x.astype(dtype) for x in (q, k, v, g))
      out, d_q, d_k, d_v = output_and_gradients(product, *given)
      np.testing.assert_array_equal(d_q, 0)
      np.testing.assert_array_equal(d_k, 0)
      np.testing.assert_array_equal(out, v.astype(dtype))
      np.testing.assert_array_equal(d_v, g.astype(dtype))

  def test_more_than_one_position_is_refused(self):
    q, k, v, _ = arrays(length=2)
    with self.assertRaisesRegex(ValueError, "is for one position, not 2"):
      attention.mismatched(q, k, v, 1e-3)
    of = lambda q: attention.mismatched(q, k, v, 1e-3).sum()
    with self.assertRaisesRegex(ValueError, "is for one position, not 2"):
      jax.grad(of)(q)

  def test_the_trunk_takes_the_mismatch_of_its_config(self):
    x_BxTxD = np.random.default_rng(2).normal(size=(5, 1, 8))
    x_BxTxD = x_BxTxD.astype(np.float32)
    trunk = indices.one_token_trunk(width=8, layers=1, heads=2, hidden=12)
    params = tiny_models.random_params(transformer, trunk)

    def grads(**changes):
      config = dataclasses.replace(trunk, **changes)
      of = lambda p: 1e-3 * transformer.apply(config, p, x_BxTxD)[0].sum()
      value, grads = jax.jit(jax.value_and_grad(of))(params)
      return value, grads["blocks"]["attention"]

    plain, none = grads()
    live = {}
    for mismatch in (0.1, 0.2):
      given = dict(implementation="mismatched", mismatch=mismatch)
      value, live[mismatch] = grads(**given)
      self.assertAlmostEqual(float(value), float(plain), places=5)
    for role in ("query", "key"):
      small, large = (live[m][role]["kernel"] for m in (0.1, 0.2))
      np.testing.assert_array_equal(none[role]["kernel"], 0)
      norm = np.linalg.norm(large)
      self.assertGreater(norm, 0)
      self.assertLess(np.linalg.norm(large - 2 * small) / norm, 0.05)
    for role in ("value", "out"):
      np.testing.assert_allclose(
        live[0.1][role]["kernel"], none[role]["kernel"], rtol=1e-4, atol=1e-8
      )


if __name__ == "__main__":
  absltest.main()
