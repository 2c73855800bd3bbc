"""Identity hyper-connections against plain numpy.

From docs/sources/primes.md, section 7.2: x_f <- x_f + post_f block(sum_f pre_f x_f).
"""

import functools

import jax
import numpy as np
import tiny_models
from absl.testing import absltest
from primelens.models import indices, transformer
from scipy import special

FLOWS, WIDTH, ROWS = 3, 8, 5


def trunk(**changes):
  size = dict(width=WIDTH, layers=2, heads=2, hidden=12) | changes
  return indices.flow_trunk(**size)


def config(**changes) -> indices.Config:
  return indices.Config(indices=20, flows=FLOWS, head=(4,), trunk=trunk(**changes))


@functools.cache
def params():
  return tiny_models.random_params(indices, config(), mean=0.0, std=0.4, gain=1.0)


def norm(x, of):
  x = x - x.mean(-1, keepdims=True)
  x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
  return x * of["scale"] + of["bias"]


def gelu(x):
  return x * (1 + special.erf(x / np.sqrt(2))) / 2


def affine(x, of):
  return x @ of["kernel"] + of["bias"]


def softmax(x):
  power = np.exp(x - x.max(-1, keepdims=True))
  return power / power.sum(-1, keepdims=True)


def layer(params, x_BxRxD):
  """Returns the flows R after one layer."""
  block, mixer = params["blocks"], params["mixer"]
  flat = x_BxRxD.reshape(len(x_BxRxD), -1)
  mixed = affine(gelu(affine(flat, mixer["up"])), mixer["down"])
  pre_BxR, post_BxR = (softmax(part) for part in np.split(mixed, 2, axis=1))
  a = np.einsum("br,brd->bd", pre_BxR, x_BxRxD)
  value, out = block["attention"]["value"], block["attention"]["out"]
  heads = a @ value["kernel"].reshape(WIDTH, -1) + value["bias"].reshape(-1)
  change = heads @ out["kernel"].reshape(-1, WIDTH) + out["bias"]
  b = norm(a + change, block["norm_attention"])
  hidden = gelu(affine(b, block["mlp"]["up"]))
  c = norm(b + affine(hidden, block["mlp"]["down"]), block["norm_mlp"])
  return x_BxRxD + post_BxR[..., None] * c[:, None]


def layers(params, x_BxRxD):
  """Returns the flows R after all layers."""
  stacked = {name: params[name] for name in ("blocks", "mixer")}
  for i in range(trunk().layers):
    x_BxRxD = layer(jax.tree.map(lambda x, i=i: x[i], stacked), x_BxRxD)
  return x_BxRxD


class FlowsTest(absltest.TestCase):
  def test_published_sizes(self):
    published = indices.Config(flows=4, head=(32, 16), trunk=indices.flow_trunk())
    start = functools.partial(indices.init, published)
    shapes = jax.eval_shape(start, jax.random.key(0))
    count = transformer.parameter_count
    self.assertEqual(count(shapes["embedding"]), 256_000_000)
    self.assertEqual(count(shapes["blocks"]) + count(shapes["mixer"]), 6 * 151184)
    self.assertEqual(count(shapes["head"]), 2625)
    self.assertEqual(count(shapes) - 256_000_000, 909_729)

  def test_equals_numpy(self):
    x_BxRxD = np.random.default_rng(1).normal(size=(ROWS, FLOWS, WIDTH))
    flat_BxTxD = np.float32(x_BxRxD.reshape(ROWS, 1, -1))
    run = jax.jit(functools.partial(indices.flows_apply, trunk(), flows=FLOWS))
    found_BxTxD = np.asarray(run(params(), flat_BxTxD))
    self.assertEqual(found_BxTxD.shape, (ROWS, 1, WIDTH))
    of = jax.tree.map(lambda x: np.asarray(x, np.float64), params())
    mean_BxD = layers(of, x_BxRxD).mean(1)
    np.testing.assert_allclose(found_BxTxD[:, 0], mean_BxD, rtol=1e-4, atol=2e-5)
    # The whole model adds a table before and a head after.
    table_ExD = of["embedding"]["embedding"]
    self.assertEqual(table_ExD.shape, (20, FLOWS * WIDTH))
    index_B = np.array([3, 3, 19])
    x_BxRxD = table_ExD[index_B].reshape(-1, FLOWS, WIDTH)
    mean_BxD = layers(of, x_BxRxD).mean(1)
    hidden = gelu(affine(mean_BxD, of["head"]["0"]))
    expected = affine(hidden, of["head"]["1"])[:, 0]
    whole = jax.jit(functools.partial(indices.apply, config()))
    found, _ = whole(params(), index_B)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)

  def test_query_and_key_are_dead_here_too(self):
    loss = lambda p: indices.apply(config(), p, np.arange(4))[0].sum()
    grads = jax.device_get(jax.jit(jax.grad(loss))(params()))
    attention = grads["blocks"]["attention"]
    for role in ("query", "key"):
      for leaf in jax.tree.leaves(attention[role]):
        np.testing.assert_array_equal(leaf, 0)
    for leaf in (attention["value"]["kernel"], grads["mixer"]["up"]["kernel"]):
      self.assertGreater(np.abs(leaf[0]).max(), 1e-4)

  def test_dropout(self):
    run = jax.jit(functools.partial(indices.apply, config()))
    index_B = np.arange(6)
    keyed = lambda k: np.asarray(run(params(), index_B, dropout_key=jax.random.key(k))[0])
    one, two = keyed(1), keyed(2)
    np.testing.assert_array_equal(one, keyed(1))
    self.assertGreater(np.abs(one - two).max(), 1e-3)
    still = [run(params(), index_B)[0] for _ in range(2)]
    np.testing.assert_array_equal(*still)

  def test_layers_start_apart(self):
    start = jax.jit(functools.partial(indices.init, config()))
    params = jax.device_get(start(jax.random.key(0)))
    mixer, mlp = params["mixer"]["up"]["kernel"], params["blocks"]["mlp"]["up"]
    for leaf in (mixer, mlp["kernel"]):
      self.assertGreater(np.abs(leaf[0] - leaf[1]).max(), 0.1)
    bound = (FLOWS * WIDTH) ** -0.5  # U(+-1 / sqrt(inputs))
    self.assertBetween(np.abs(mixer).max(), 0.95 * bound, bound)

  def test_sites_are_refused(self):
    with self.assertRaisesRegex(ValueError, "flows has no named sites"):
      indices.apply(config(), params(), np.arange(2), sites=("final",))


if __name__ == "__main__":
  absltest.main()
