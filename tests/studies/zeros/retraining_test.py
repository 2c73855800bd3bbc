import functools

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.analyses import masking
from primelens.models import spacing
from primelens.studies.zeros import program, pruned, scoring

STEPS, L, H = 6, 2, 2
SETTINGS = pruned.Settings(steps=STEPS, batch_size=4, rate=1e-2)
VALUE_N = tiny_study.ar([-0.5], 1500)


def _model(layers):
  model = tiny_study.tiny_model()
  model.trunk.layers, model.trunk.init_std = layers, 0.3
  return model


@functools.cache
def _params(layers):
  init = jax.jit(functools.partial(spacing.init, _model(layers)))
  return jax.device_get(init(jax.random.key(0)))


def _run(layers=L):
  model, params = _model(layers), jax.tree.map(np.copy, _params(layers))
  params_S = jax.tree.map(lambda leaf: leaf[None], params)
  run = tiny_study.handmade(spacing.bind(model), params_S, VALUE_N, model=model)
  return run, params


@functools.cache
def _training(layers):
  """Returns the compiled training of networks of so many layers, and its data."""
  run, _ = _run(layers)
  its, data = program.retraining(run, SETTINGS)
  optimizer = program.retraining_optimizer(run, SETTINGS)
  train = jax.jit(
    lambda start, keep, data, key: program.retrain(its, optimizer, start, keep, data, key, STEPS)
  )
  return train, data


def _trained(run, params, keep):
  train, data = _training(run.experiment.model.trunk.layers)
  return jax.device_get(train(params, keep, data, jax.random.key(1)))


def _kept(mask, params, keep, **where):
  """Returns a mask of weights, made by one compiled program."""
  return jax.jit(lambda params, keep: mask(params, keep, **where))(params, keep)


everything = jax.jit(masking.everything)


class TrainTest(absltest.TestCase):
  def test_removed_heads_are_zero_and_stay_so(self):
    run, params = _run()
    keep_LxH = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    keep = _kept(masking.heads, params, keep_LxH, kernels=pruned.HEADS)
    after, frozen = _trained(run, params, keep)
    self.assertEqual(int(frozen), -1)
    attention = after["blocks"]["attention"]
    for name, leaf in attention.items():
      kernel = np.asarray(leaf["kernel"])
      head = lambda l, h, k=kernel, n=name: k[l, h] if n == "out" else k[l, :, h]
      for l in range(L):
        for h in range(H):
          zero = not keep_LxH[l, h]
          self.assertEqual(bool((head(l, h) == 0).all()), zero, name)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), after, params)
    for name in ("input", "head", "final_norm"):
      self.assertGreater(max(jax.tree.leaves(moved[name])), 1e-3, name)

  def test_after_a_loss_that_was_not_finite_nothing_is_left_to_average(self):
    run, params = _run()
    broken = params | {
      "head": jax.tree.map(lambda leaf: np.full_like(leaf, np.inf), params["head"])
    }
    after, frozen = _trained(run, broken, everything(params))
    self.assertEqual(int(frozen), 0)
    for leaf in jax.tree.leaves(after):
      self.assertTrue(np.isnan(leaf).all())

  def test_without_a_layer_it_trains_as_the_shallower_network(self):
    # Second route: the same training of a network that never had the layer.
    run, params = _run(layers=3)
    keep_L = np.array([1.0, 0.0, 1.0], np.float32)
    keep = _kept(masking.layers, params, keep_L, pattern=pruned.LAYERS)
    masked, _ = _trained(run, params, keep)
    shallow, _ = _run(layers=2)
    outer = lambda params: (
      params | {"blocks": jax.tree.map(lambda leaf: leaf[[0, 2]], params["blocks"])}
    )
    rest = outer(params)
    expected, _ = _trained(shallow, rest, everything(rest))
    found = outer(masked)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    jax.tree.map(close, found, expected)
    for leaf in jax.tree.leaves(masked["blocks"]):
      np.testing.assert_array_equal(leaf[1], np.zeros_like(leaf[1]))


class SettingsTest(absltest.TestCase):
  def test_keys_depend_on_the_member_alone(self):
    run, params = _run()
    one = np.asarray(jax.random.key_data(program.retraining_keys(run, 5)))
    params_S = jax.tree.map(lambda leaf: np.stack([leaf] * 3), params)
    more = tiny_study.handmade(run.apply, params_S, VALUE_N)
    three = np.asarray(jax.random.key_data(program.retraining_keys(more, 5)))
    np.testing.assert_array_equal(one[0], three[0])
    self.assertLen({tuple(key) for key in three}, 3)

  def test_batches_are_of_the_size_asked_for(self):
    run, _ = _run()
    for size, expected in ((4, 4), (0, run.experiment.fit.batch_size)):
      its = pruned.Settings(batch_size=size)
      its, data = program.retraining(run, its)
      shape = jax.eval_shape(lambda data, p=its: p.draw(data, jax.random.key(0), 0), data).shape
      self.assertEqual(shape, (expected, tiny_study.T + 1))

  def test_networks_without_the_slow_group_have_one_rate(self):
    run, _ = _run()
    run.experiment.fit.optimizer.slow_pattern = "memory/.*"
    params = {"head": jnp.ones(3)}
    with self.assertRaisesRegex(ValueError, "matches none of: head"):
      program.retraining_optimizer(run, SETTINGS).init(params)
    one_rate = program.retraining_optimizer(run, SETTINGS, slow=False)
    gradient = {"head": np.array([1.0, -1.0, 1.0], np.float32)}
    first = jax.jit(lambda gradient: one_rate.update(gradient, one_rate.init(params), params))
    update, _ = first(gradient)
    # Adam's first step is the rate against the gradient's sign, and decay.
    expected = SETTINGS.rate * (np.array([-1, 1, -1]) - 0.01)
    np.testing.assert_allclose(update["head"], expected, rtol=1e-4)

  def test_contrast_is_the_mean_difference(self):
    run, _ = _run()
    _, start_N = run.batches("test", 12)
    difference_SxN = np.random.default_rng(0).normal(1, 0.1, (2, 12))
    row = scoring.contrast(run, difference_SxN, start_N, what="x")
    self.assertEqual((row["what"], row["seeds"]), ("x", 2))
    self.assertAlmostEqual(row["nats"], difference_SxN.mean())
    self.assertBetween(row["nats"], row["nats_low"], row["nats_high"])


if __name__ == "__main__":
  absltest.main()
