"""Dropout, initial values and precision of the transformer."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.models import transformer
from tiny_models import TRANSFORMER as CONFIG
from tiny_models import D, T, inputs, params, run


class DropoutTest(absltest.TestCase):
  CONFIG = dataclasses.replace(CONFIG, dropout=0.3, embed_dropout=0.2)

  def test_needs_a_key_and_repeats_with_it(self):
    plain, _ = run(CONFIG, params(), inputs())
    quiet, _ = run(self.CONFIG, params(), inputs())
    np.testing.assert_array_equal(quiet, plain)
    keys = [jax.random.key(k) for k in (0, 0, 1)]
    outs = [run(self.CONFIG, params(), inputs(), dropout_key=key)[0] for key in keys]
    np.testing.assert_array_equal(outs[0], outs[1])
    self.assertGreater(np.abs(outs[0] - outs[2]).max(), 1e-2)
    self.assertGreater(np.abs(outs[0] - plain).max(), 1e-2)

  def test_zero_rate_with_a_key_is_the_plain_forward(self):
    plain, _ = run(CONFIG, params(), inputs())
    out, _ = run(CONFIG, params(), inputs(), dropout_key=jax.random.key(0))
    np.testing.assert_allclose(out, plain, atol=1e-5)

  def test_mean_is_the_forward_without_dropout(self):
    # One block without norms whose MLP is off is linear in each dropout mask.
    config = dataclasses.replace(
      self.CONFIG, layers=1, norm="none", final_norm=False, embed_dropout=0.0
    )
    p = jax.tree.map(lambda x: np.asarray(x)[:1].copy(), {"blocks": params()["blocks"]})
    p["positions"] = params()["positions"]
    p["blocks"]["mlp"]["down"]["kernel"] *= 0
    keys_N = jax.random.split(jax.random.key(3), 2000)
    of = lambda p, key: transformer.apply(config, p, inputs(), dropout_key=key)[0]
    out_N = np.asarray(jax.jit(jax.vmap(of, (None, 0)))(p, keys_N))
    plain, _ = run(config, p, inputs())
    error = out_N.std(axis=0) / np.sqrt(len(keys_N)) + 1e-6
    self.assertLess(np.abs((out_N.mean(axis=0) - plain) / error).max(), 5)
    self.assertGreater(out_N.std(axis=0).min(), 1e-3)

  def test_embedding_dropout_keeps_the_mean_and_drops_at_its_rate(self):
    config = dataclasses.replace(self.CONFIG, positions="none", dropout=0.0, embed_dropout=0.2)
    _, seen = run(
      config,
      params(),
      np.ones((64, T, D), np.float32),
      sites=("residual/pre",),
      dropout_key=jax.random.key(0),
    )
    first = np.asarray(seen["residual/pre"][0])
    self.assertAlmostEqual((first == 0).mean(), 0.2, delta=0.03)
    np.testing.assert_allclose(first[first != 0], 1 / 0.8, rtol=1e-6)


@functools.cache
def leaves(**change):
  """Returns fresh params of six layers, and their matrices by role."""
  config = transformer.Config(width=64, layers=6, heads=4, hidden=256, max_positions=200, **change)
  p = jax.device_get(jax.jit(functools.partial(transformer.init, config))(jax.random.key(0)))
  block = p["blocks"]
  weights = {role: block["attention"][role] for role in ("query", "key", "value")}
  weights |= {"out": block["attention"]["out"]} | block["mlp"]
  return p, weights


class InitTest(absltest.TestCase):
  def test_gpt2_standard_deviations(self):
    p, weights = leaves()
    for role, leaf in weights.items():
      residual = role in ("out", "down")
      expected = 0.02 / np.sqrt(12) if residual else 0.02
      std = np.std(leaf["kernel"])
      self.assertAlmostEqual(std / expected, 1, delta=0.02, msg=role)
    std = np.std(p["positions"]["embedding"])
    self.assertAlmostEqual(std / 0.02, 1, delta=0.03)
    np.testing.assert_array_equal(p["final_norm"]["scale"], 1)

  def test_normal_standard_deviations(self):
    _, weights = leaves(init="normal", init_std=0.5)
    for role, leaf in weights.items():
      std = np.std(leaf["kernel"])
      self.assertAlmostEqual(std / 0.5, 1, delta=0.02, msg=role)

  def test_torch_bounds(self):
    _, weights = leaves(init="torch", bias=True)
    kernel = dict.fromkeys(("query", "key", "value"), (6 / 256) ** 0.5)
    kernel |= {"out": 1 / 8, "up": 1 / 8, "down": 1 / 16}
    bias = {"up": 1 / 8, "down": 1 / 16}
    for role, leaf in weights.items():
      largest = np.abs(leaf["kernel"]).max()
      self.assertBetween(largest, 0.98 * kernel[role], kernel[role])
      std = np.std(leaf["kernel"]) * np.sqrt(3)
      self.assertAlmostEqual(std / kernel[role], 1, delta=0.02)
      largest, bound = np.abs(leaf["bias"]).max(), bias.get(role, 0.0)
      self.assertBetween(largest, 0.9 * bound, bound)

  def test_layers_differ_unless_identical(self):
    same, _ = leaves(identical_layers=True)
    other, _ = leaves()
    spread = lambda p: np.ptp(p["blocks"]["attention"]["query"]["kernel"], axis=0)
    self.assertEqual(spread(same).max(), 0)
    self.assertGreater(spread(other).min(), 0)
    for leaf in jax.tree.leaves(same["blocks"]):
      self.assertEqual(np.ptp(leaf, axis=0).max(), 0)

  def test_bfloat16_keeps_float32_weights_and_stays_close(self):
    config = dataclasses.replace(CONFIG, dtype="bfloat16")
    fresh = jax.eval_shape(lambda key: transformer.init(config, key), jax.random.key(0))
    self.assertEqual({x.dtype for x in jax.tree.leaves(fresh)}, {jnp.float32.dtype})
    exact, _ = run(CONFIG, params(), inputs())
    for sites in ((), ("attention/pattern",)):
      short, _ = run(config, params(), inputs(), sites=sites)
      self.assertEqual(short.dtype, jnp.bfloat16)
      error = np.abs(np.float32(short) - exact)
      self.assertBetween(error.max(), 1e-4, 0.1)


if __name__ == "__main__":
  absltest.main()
