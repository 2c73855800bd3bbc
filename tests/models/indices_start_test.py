"""How one-token regressors start, and what dropout does to them.

Laws of docs/sources/primes.md, section 2.
"""

import functools

import jax
import numpy as np
import tiny_models
from absl.testing import absltest, parameterized
from primelens.models import indices, transformer


def start(config):
  of = jax.jit(functools.partial(indices.init, config))
  return jax.device_get(of(jax.random.key(0)))


class StartTest(parameterized.TestCase):
  """The published trunk and head on two thousand indices."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.params = start(indices.Config(indices=2000))

  def check_uniform(self, values, bound):
    """Checks the ends and the deviation of U(-bound, bound)."""
    self.assertLessEqual(np.abs(values).max(), bound * (1 + 1e-6))
    count = values.size
    self.assertGreater(np.abs(values).max(), bound * (1 - 8 / count))
    wide = 4 * 0.45 / np.sqrt(count)  # std of x^2 / E x^2, halved
    self.assertAlmostEqual(values.std() * 3**0.5 / bound, 1, delta=wide)

  def test_table(self):
    table_ExD = self.params["embedding"]["embedding"]
    self.assertEqual(table_ExD.shape, (2000, 256))
    self.assertAlmostEqual(table_ExD.std(), 0.02, delta=1e-4)
    self.assertAlmostEqual(table_ExD.mean(), 0, delta=1e-4)
    self.assertGreater(np.abs(table_ExD).max(), 4 * 0.02)  # not uniform

  def test_another_table_and_layers_that_are_no_copies(self):
    trunk = indices.one_token_trunk(width=64, heads=2, hidden=8, layers=2, identical_layers=False)
    config = indices.Config(indices=2000, embedding_std=1.0, trunk=trunk)
    params = start(config)
    first, second = params["blocks"]["mlp"]["up"]["kernel"]
    self.assertGreater(np.abs(first - second).max(), 0.1)
    table_ExD = params["embedding"]
    self.assertAlmostEqual(float(table_ExD["embedding"].std()), 1, delta=0.01)

  def test_attention(self):
    attention = self.params["blocks"]["attention"]
    for role in ("query", "key", "value"):
      # Xavier on the stacked 768 x 256: sqrt(6 / 1024), std .04419.
      kernel = attention[role]["kernel"][0]
      self.check_uniform(kernel, 0.0765466)
      self.assertAlmostEqual(kernel.std(), 0.04419, delta=3e-4)
    self.check_uniform(attention["out"]["kernel"][0], 1 / 16)
    for role in ("query", "key", "value", "out"):
      np.testing.assert_array_equal(attention[role]["bias"], 0)
    joined = np.stack([attention[r]["kernel"][0] for r in ("query", "key")])
    self.assertGreater(np.abs(joined[0] - joined[1]).max(), 0.05)

  def test_mlp_and_norms(self):
    blocks = self.params["blocks"]
    for role, bound in (("up", 1 / 16), ("down", 1 / 32)):
      for kind in ("kernel", "bias"):
        self.check_uniform(blocks["mlp"][role][kind][0], bound)
    for name in ("norm_attention", "norm_mlp"):
      np.testing.assert_array_equal(blocks[name]["scale"], 1)
      np.testing.assert_array_equal(blocks[name]["bias"], 0)

  def test_head(self):
    for layer, inputs in enumerate((256, 128, 64)):
      affine = self.params["head"][str(layer)]
      self.check_uniform(affine["kernel"], inputs**-0.5)
      self.assertLessEqual(np.abs(affine["bias"]).max(), inputs**-0.5)
      self.assertGreater(np.abs(affine["bias"]).max(), 0)

  def test_layers_are_copies(self):
    for leaf in jax.tree.leaves(self.params["blocks"]):
      self.assertLen(leaf, 6)
      np.testing.assert_array_equal(leaf, np.repeat(leaf[:1], 6, axis=0))


class DropoutTest(parameterized.TestCase):
  RATE, ROWS, WIDTH, HEADS = 0.25, 4000, 8, 4

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    of = jax.jit(functools.partial(transformer.init, cls.trunk()))
    cls.params = of(jax.random.key(2))  # of all trunks here, which differ in their passes alone

  @classmethod
  def trunk(cls, **changes):
    return indices.one_token_trunk(
      width=cls.WIDTH, layers=1, heads=cls.HEADS, hidden=cls.WIDTH, dropout=cls.RATE, **changes
    )

  def record(self, site, *, train, **changes):
    """Returns a site of a training pass of many equal rows, or of one without dropout."""
    trunk, params = self.trunk(**changes), jax.tree.map(lambda leaf: leaf, self.params)
    x_D = np.linspace(1.0, 2.0, self.WIDTH, dtype=np.float32)
    params["blocks"]["mlp"]["down"] = {
      "kernel": np.eye(self.WIDTH, dtype=np.float32)[None],
      "bias": np.zeros((1, self.WIDTH), np.float32),
    }
    x_BxTxD = np.broadcast_to(x_D, (self.ROWS, 1, self.WIDTH))

    @jax.jit
    def run(params, x_BxTxD):
      key = jax.random.key(3) if train else None
      _, record = transformer.apply(trunk, params, x_BxTxD, sites=(site,), dropout_key=key)
      return record[site][0, :, 0]

    return np.asarray(run(params, x_BxTxD))

  def check_dropped(self, found, whole):
    """Checks that numbers are 0 or scaled up, at the rate and of one mean."""
    kept = found != 0
    wide = 4 * np.sqrt(self.RATE * (1 - self.RATE) / self.ROWS)
    self.assertLess(np.abs(kept.mean(0) - (1 - self.RATE)).max(), wide)
    scaled = np.broadcast_to(whole / (1 - self.RATE), found.shape)
    np.testing.assert_allclose(found[kept], scaled[kept], rtol=1e-4)
    reach = wide / (1 - self.RATE)
    np.testing.assert_allclose(found.mean(0), whole[0], rtol=reach)

  @parameterized.parameters("auto", "mismatched")
  def test_attention_drops_whole_heads(self, implementation):
    found, whole = (
      self.record("attention/head", train=train, implementation=implementation)
      for train in (True, False)
    )
    self.assertEqual(found.shape, (self.ROWS, self.HEADS, 2))
    self.check_dropped(found, whole)
    dropped = found == 0
    np.testing.assert_array_equal(dropped[..., 0], dropped[..., 1])
    # Heads of a row fall apart from one another.
    self.assertLess(np.abs(np.corrcoef(dropped[..., 0].T)[0, 1]), 0.07)

  def test_inside_the_mlp(self):
    # The last map is the identity: its output is what dropout let through.
    inner = self.record("mlp/out", train=True)
    without = self.record("mlp/out", train=True, inner_dropout=False)
    wide = 4 * np.sqrt(self.RATE * (1 - self.RATE) / self.ROWS)
    share_D = np.mean(inner == 0, axis=0)
    self.assertLess(np.abs(share_D - self.RATE).max(), wide)
    self.assertFalse((without == 0).any())

  def test_head(self):
    config = indices.Config(
      indices=2,
      head=(self.WIDTH,),
      trunk=indices.one_token_trunk(width=self.WIDTH, dropout=self.RATE),
    )
    params = {
      "head": {
        "0": {"kernel": np.eye(self.WIDTH), "bias": np.zeros(self.WIDTH)},
        "1": {"kernel": np.ones((self.WIDTH, 1)), "bias": np.zeros(1)},
      }
    }
    params = jax.tree.map(np.float32, params)
    state_BxD = np.full((self.ROWS, self.WIDTH), 20.0, np.float32)  # GELU(20) = 20
    head = jax.jit(functools.partial(indices.head, config))
    whole_B = head(params, state_BxD)
    np.testing.assert_allclose(whole_B, 20.0 * self.WIDTH, rtol=1e-6)
    found_B = head(params, state_BxD, jax.random.key(0))
    kept_B = np.asarray(found_B) * (1 - self.RATE) / 20
    np.testing.assert_allclose(kept_B, np.round(kept_B), atol=1e-4)
    expected = np.array([self.WIDTH * (1 - self.RATE), 1.5])
    # Binomial: mean n (1 - p), variance n p (1 - p) = 1.5.
    np.testing.assert_allclose([kept_B.mean(), kept_B.var()], expected, rtol=0.1)

  def test_keys_differ_and_a_pass_without_one_has_none(self):
    trunk = indices.one_token_trunk(width=8, layers=1, heads=2, hidden=8)
    config = indices.Config(indices=9, head=(4,), trunk=trunk)
    params = tiny_models.random_params(indices, config)
    run = jax.jit(functools.partial(indices.apply, config))
    index_B = np.arange(9)
    one, two, again = (run(params, index_B, dropout_key=jax.random.key(k))[0] for k in (1, 2, 1))
    np.testing.assert_array_equal(one, again)
    self.assertGreater(np.abs(one - two).max(), 1e-4)
    still = [run(params, index_B)[0] for _ in range(2)]
    np.testing.assert_array_equal(*still)


if __name__ == "__main__":
  absltest.main()
