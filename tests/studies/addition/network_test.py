"""Logits rebuilt from what is read of a network, of one that has biases too."""

import dataclasses
import functools

import jax
import jitted
import numpy as np
from absl.testing import absltest
from primelens.configs import addition as addition_configs
from primelens.lens import experiment
from primelens.models import tokens
from primelens.studies.addition import network, neurons, program, subspace
from primelens.tasks import addition

P = 6
MODEL = tokens.Config(
  vocabulary=P + 1, classes=2 * P, trunk=tokens.plain_trunk(width=32, hidden=16, bias=True)
)

_network = jitted.Jitted(network)
_read = jax.jit(functools.partial(network.read, MODEL))


@functools.cache
def made():
  """Returns the parameters of a network with biases like its weights, what is
  read of it, and its forward pass' logits and labels."""
  start = jax.eval_shape(lambda key: tokens.init(MODEL, key), jax.random.key(0))
  rng = np.random.default_rng(1)
  params = jax.tree.map(lambda leaf: rng.normal(0, 0.3, leaf.shape).astype(np.float32), start)
  pairs = addition.load(addition.Config(digits=P))
  logit_NxV = jax.jit(lambda *data: tokens.apply(MODEL, *data)[0])(params, pairs.token_Nx3)
  read = _read(params, pairs.token_Nx3)
  return params, read, logit_NxV, pairs.label_SxN[0]


class BiasTest(absltest.TestCase):
  def test_logits_are_those_of_the_forward_pass(self):
    _, read, logit_NxV, _ = made()
    self.assertGreater(np.abs(np.asarray(read.bias_V)).max(), 0.1)
    at_once_NxV = _network.readout(read, read.post_NxF)
    np.testing.assert_allclose(at_once_NxV, logit_NxV, atol=1e-4)
    parts = (_network.direct(read), _network.readout(read, read.post_NxF, skip=False))
    apart_NxV = np.add(*map(np.asarray, parts))
    np.testing.assert_allclose(apart_NxV, logit_NxV, atol=1e-4)

  def test_a_network_without_biases_has_none(self):
    model = dataclasses.replace(MODEL, trunk=dataclasses.replace(MODEL.trunk, bias=False))
    token_Nx3 = addition.load(addition.Config(digits=P)).token_Nx3
    start = lambda key: tokens.init(model, key)
    read = jax.jit(lambda key: network.read(model, start(key), token_Nx3))(jax.random.key(0))
    np.testing.assert_array_equal(read.bias_V, 0)

  def test_the_direct_path_has_no_part_of_the_mlp(self):
    params, read, _, label_N = made()
    found = jax.jit(subspace.direct_path)(read, label_N)
    mid_NxV = np.asarray(read.mid_NxD, float) @ np.asarray(params["unembed"]["kernel"], float)
    self.assertAlmostEqual(
      float(found["direct_nll_nats"]),
      float(_network.nll(mid_NxV, label_N)),
      places=3,
    )

  def test_neurons_in_blocks_of_their_own_are_the_network(self):
    params, read, logit_NxV, label_N = made()
    up_DxF = params["blocks"]["mlp"]["up"]["kernel"][0]
    count = up_DxF.shape[1]
    merged = jax.jit(functools.partial(neurons.merged, units=count))
    found = merged(read, up_DxF, np.arange(count), np.ones(count), label_N)
    self.assertAlmostEqual(
      float(found.nll_R[-1]), float(_network.nll(logit_NxV, label_N)), places=4
    )
    self.assertEqual(float(found.same_R[-1]), 1)


class CheckTest(absltest.TestCase):
  def test_published_starts_have_no_biases(self):
    config = addition_configs.get_config("p10_published")
    trunk = dataclasses.replace(config.model.trunk, bias=True)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, trunk=trunk))
    with self.assertRaisesRegex(ValueError, "torch_seeds are starts of the published trunk"):
      program.check(config)
    model = dataclasses.replace(config.model, torch_seeds=())
    experiment.check(dataclasses.replace(config, model=model))


if __name__ == "__main__":
  absltest.main()
