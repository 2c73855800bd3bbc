"""One-token regressors: counts, starts, dead parameters, a plain numpy twin.

Numbers are those of docs/sources/primes.md, section 2.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import tiny_models
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.models import indices, transformer
from scipy import special

INDEX_B = np.array([0, 3, 17, 49, 17])


def shapes(config: indices.Config):
  start = functools.partial(indices.init, config)
  return jax.eval_shape(start, jax.random.key(0))


def small(embedding="learned", *, trunk=None, **changes) -> indices.Config:
  """Returns a regressor of width 16, two layers and fifty indices."""
  size = dict(width=16, layers=2, heads=4, hidden=24) | (trunk or {})
  options = dict(indices=50, head=(8, 4)) | changes
  return indices.Config(embedding=embedding, trunk=indices.one_token_trunk(**size), **options)


def context(length=4, features=3) -> indices.Config:
  trunk = dict(positions="learned", max_positions=length)
  return small("context", features=features, trunk=trunk)


@functools.cache
def params(embedding="learned"):
  """Returns params of `small` in which nothing is trivial."""
  return tiny_models.random_params(indices, small(embedding), mean=0.0, std=0.3, gain=1.0)


def forward(config, **options):
  """Returns `f(params, inputs) -> (answers, activations)`, compiled."""
  return jax.jit(functools.partial(indices.apply, config, **options))


def norm(x, of):
  x = x - x.mean(-1, keepdims=True)
  x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
  return x * of["scale"] + of["bias"]


def gelu(x):
  return x * (1 + special.erf(x / np.sqrt(2))) / 2


def affine(x, of):
  return x @ of["kernel"] + of["bias"]


def plain(params, x_BxD):
  """Returns the answers B; attention is W_O (W_V x + b_V) + b_O."""
  params = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  layers = len(params["blocks"]["mlp"]["up"]["bias"])
  width = x_BxD.shape[1]
  for layer in range(layers):
    at = lambda tree, layer=layer: jax.tree.map(lambda x: x[layer], tree)
    block = at(params["blocks"])
    value, out = block["attention"]["value"], block["attention"]["out"]
    normed = norm(x_BxD, block["norm_attention"])
    heads = normed @ value["kernel"].reshape(width, -1)
    heads = heads + value["bias"].reshape(-1)
    x_BxD = x_BxD + heads @ out["kernel"].reshape(-1, width) + out["bias"]
    hidden = affine(norm(x_BxD, block["norm_mlp"]), block["mlp"]["up"])
    x_BxD = x_BxD + affine(gelu(hidden), block["mlp"]["down"])
  last = len(params["head"]) - 1
  for layer in range(last + 1):
    x_BxD = affine(x_BxD, params["head"][str(layer)])
    x_BxD = gelu(x_BxD) if layer < last else x_BxD
  return x_BxD[:, 0]


def sinusoid(index_N, width) -> np.ndarray:
  """Returns sin and cos of n 10000^(-2k / D) in turn, float64."""
  rate = 10000.0 ** (-2 * np.arange(width // 2) / width)
  phase = np.asarray(index_N, np.float64)[:, None] * rate
  return np.stack([np.sin(phase), np.cos(phase)], -1).reshape(-1, width)


class CountTest(absltest.TestCase):
  def test_published_sizes(self):
    learned = shapes(indices.Config())
    count = transformer.parameter_count
    self.assertEqual(count(learned), 260_779_777)
    self.assertEqual(count(learned["embedding"]), 256_000_000)
    self.assertEqual(count(learned["blocks"]), 6 * 789_760)
    self.assertEqual(count(learned["head"]), 41_217)
    self.assertEqual(count(shapes(indices.Config(embedding="sinusoidal"))), 4_779_777)
    attention = learned["blocks"]["attention"]
    dead = count([attention["query"], attention["key"]])
    self.assertEqual(dead, 6 * 131_584)

  def test_tensors(self):
    found = shapes(indices.Config())
    attention = found["blocks"]["attention"]
    self.assertEqual(attention["value"]["kernel"].shape, (6, 256, 8, 32))
    self.assertEqual(attention["out"]["kernel"].shape, (6, 8, 32, 256))
    mlp = found["blocks"]["mlp"]
    self.assertEqual(mlp["up"]["kernel"].shape, (6, 256, 1024))
    widths = [found["head"][name]["kernel"].shape for name in sorted(found["head"])]
    self.assertEqual(widths, [(256, 128), (128, 64), (64, 1)])
    self.assertNotIn("final_norm", found)
    self.assertNotIn("positions", found)


class PlainTest(parameterized.TestCase):
  def test_learned(self):
    table_ExD = np.asarray(params()["embedding"]["embedding"], float)
    found = np.asarray(forward(small())(params(), INDEX_B)[0])
    expected = plain(params(), table_ExD[INDEX_B])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)
    self.assertEqual(found[2], found[4])  # the same index twice
    self.assertGreater(np.std(expected), 0.1)

  @parameterized.parameters("sinusoidal", "sinusoidal_float32_as_published")
  def test_sinusoidal(self, embedding):
    config = small(embedding, indices=100_000)
    index_B = np.array([0, 7, 1023, 2049])
    self.assertNotIn("embedding", params(embedding))
    found, _ = forward(config)(params(embedding), index_B)
    expected = plain(params(embedding), sinusoid(index_B, 16))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)

  def test_context_is_read_at_its_last_token_and_by_row(self):
    config = context()
    given = tiny_models.random_params(indices, config, mean=0.0, gain=1.0)
    input_BxTxF = np.random.default_rng(5).normal(size=(3, 4, 3))
    run = forward(config, sites=("final",))
    found, record = jax.device_get(run(given, input_BxTxF))
    of_last = np.float64(record["final"][:, -1])
    head = jax.tree.map(np.float64, given["head"])
    for layer in "012":
      of_last = affine(of_last, head[layer])
      of_last = gelu(of_last) if layer != "2" else of_last
    np.testing.assert_allclose(found, of_last[:, 0], rtol=1e-4, atol=1e-5)
    for token in range(4):
      changed = input_BxTxF.copy()
      changed[1, token] += 1.0
      change_B = np.abs(np.asarray(run(given, changed)[0]) - found)
      self.assertGreater(change_B[1], 1e-3)
      np.testing.assert_array_equal(change_B[[0, 2]], 0)


class DeadTest(parameterized.TestCase):
  @parameterized.parameters(
    ("learned", False, "float32"), ("learned", True, "bfloat16"), ("sinusoidal", True, "float32")
  )
  def test_gradients_of_query_and_key_are_zero(self, embedding, dropout, dtype):
    config = small(embedding, trunk=dict(dtype=dtype))
    key = jax.random.key(1) if dropout else None

    def loss(params):
      answer_B, _ = indices.apply(config, params, INDEX_B, dropout_key=key)
      return jnp.mean((answer_B - 1.0) ** 2)

    grads = jax.device_get(jax.jit(jax.grad(loss))(params(embedding)))
    attention = grads["blocks"]["attention"]
    for kind in ("kernel", "bias"):
      for role in ("query", "key"):
        np.testing.assert_array_equal(attention[role][kind], 0)
      for role in ("value", "out"):
        for of_layer in attention[role][kind]:
          self.assertGreater(np.abs(np.float32(of_layer)).max(), 1e-4)

  def test_query_and_key_have_no_effect(self):
    run, rng = forward(small()), np.random.default_rng(2)
    attention = dict(params()["blocks"]["attention"])
    for role in ("query", "key"):
      noise = lambda x: np.float32(10 * rng.normal(size=x.shape))
      attention[role] = jax.tree.map(noise, attention[role])
    blocks = params()["blocks"] | {"attention": attention}
    before, _ = run(params(), INDEX_B)
    after, _ = run(params() | {"blocks": blocks}, INDEX_B)
    np.testing.assert_array_equal(before, after)

  def test_in_a_context_they_have_gradients(self):
    config = context()
    given = tiny_models.random_params(indices, config, mean=0.0, gain=1.0)
    input_BxTxF = np.random.default_rng(5).normal(size=(3, 4, 3))
    loss = lambda params: indices.apply(config, params, input_BxTxF)[0].sum()
    attention = jax.device_get(jax.jit(jax.grad(loss))(given))["blocks"]["attention"]
    for role in ("query", "key"):
      self.assertGreater(np.abs(attention[role]["kernel"]).max(), 1e-4)


class SinusoidTest(absltest.TestCase):
  def test_exact_to_float32(self):
    index_B = np.array([0, 1, 2, 1023, 1024, 1025, 65_535, 999_998, 999_999])
    found = np.asarray(Jitted(indices).sinusoid(index_B, width=256))
    self.assertEqual((found.shape, found.dtype), ((9, 256), jnp.float32))
    expected = sinusoid(index_B, 256)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found[0], [0.0, 1.0] * 128)

  def test_as_published_is_off_by_the_rounding_of_the_phase(self):
    index_B = np.arange(990_000, 1_000_000, 37)
    found = np.asarray(Jitted(indices).sinusoid(index_B, width=256, as_published=True), float)
    exact = sinusoid(index_B, 256)
    turn = lambda x: x[:, 0::2] + 1j * x[:, 1::2]
    off = np.abs(np.angle(turn(found) / turn(exact)))
    # Half a unit in the last place of 10^6 is .031, and rates are rounded too.
    self.assertBetween(off.max(), 0.02, 0.07)
    np.testing.assert_allclose(off[:, 0], 0, atol=1e-6)  # a rate of 1

  def test_configs_tell_them_apart(self):
    index_B = np.array([999_983])
    states = [
      np.asarray(
        jax.jit(functools.partial(indices.embedded, indices.Config(embedding=name), {}))(index_B)
      )
      for name in ("sinusoidal", "sinusoidal_float32_as_published")
    ]
    self.assertEqual(states[0].shape, (1, 1, 256))
    gap = np.abs(states[0] - states[1]).max()
    self.assertBetween(float(gap), 1e-3, 0.07)


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"indices": 0}, "indices=0 must be at least 1"),
    ({"flows": 0}, "flows=0 must be at least 1"),
    ({"embedding": "table"}, "embedding='table' is not one of learned, sin"),
    ({"features": 3}, "features=3 and embedding='learned': a context"),
    ({"embedding": "context"}, "features=0 and embedding='context': a context"),
    ({"embedding": "context", "features": 3, "flows": 2}, "flows are for one token"),
    ({"embedding": "sinusoidal", "indices": 2**20 + 1}, "indices=1048577 must be at most 1048576"),
  )
  def test_wrong_configs(self, options, message):
    with self.assertRaisesRegex(ValueError, message):
      indices.Config(**options)

  def test_default_is_pre_norm_without_a_last_norm(self):
    trunk = indices.Config().trunk
    self.assertEqual((trunk.norm, trunk.final_norm), ("pre", False))
    self.assertEqual((trunk.dropout, trunk.inner_dropout), (0.1, True))
    self.assertEqual((trunk.activation, trunk.norm_eps), ("gelu", 1e-5))
    self.assertEqual(dataclasses.replace(trunk, layers=6, heads=8), trunk)


if __name__ == "__main__":
  absltest.main()
