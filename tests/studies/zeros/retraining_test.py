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


def _run(layers=L):
  model = tiny_study.tiny_model()
  model.trunk.layers, model.trunk.init_std = layers, 0.3
  params = jax.jit(lambda key: spacing.init(model, key))(jax.random.key(0))
  params_S = jax.tree.map(lambda leaf: leaf[None], params)
  run = tiny_study.handmade(spacing.bind(model), params_S, VALUE_N, model=model)
  return run, params


def _trained(run, params, keep):
  its, data = program.retraining(run, SETTINGS)
  optimizer = program.retraining_optimizer(run, SETTINGS)
  train = jax.jit(
    lambda start, keep, data, key: program.retrain(its, optimizer, start, keep, data, key, STEPS)
  )
  return train(params, keep, data, jax.random.key(1))


class TrainTest(absltest.TestCase):
  def test_removed_heads_are_zero_and_stay_so(self):
    run, params = _run()
    keep_LxH = jnp.array([[1.0, 0.0], [0.0, 1.0]])
    keep = masking.heads(params, keep_LxH, kernels=pruned.HEADS)
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
    broken = params | {"head": jax.tree.map(lambda leaf: leaf * np.inf, params["head"])}
    after, frozen = _trained(run, broken, masking.everything(params))
    self.assertEqual(int(frozen), 0)
    for leaf in jax.tree.leaves(after):
      self.assertTrue(np.isnan(leaf).all())

  def test_without_a_layer_it_trains_as_the_shallower_network(self):
    # Second route: the same training of a network that never had the layer.
    run, params = _run(layers=3)
    keep = masking.layers(params, jnp.array([1.0, 0.0, 1.0]), pattern=pruned.LAYERS)
    masked, _ = _trained(run, params, keep)
    shallow, _ = _run(layers=2)
    rest = params | {"blocks": jax.tree.map(lambda leaf: leaf[jnp.array([0, 2])], params["blocks"])}
    expected, _ = _trained(shallow, rest, masking.everything(rest))
    found = masked | {
      "blocks": jax.tree.map(lambda leaf: leaf[jnp.array([0, 2])], masked["blocks"])
    }
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    jax.tree.map(close, found, expected)
    for leaf in map(np.asarray, jax.tree.leaves(masked["blocks"])):
      np.testing.assert_array_equal(leaf[1], np.zeros_like(leaf[1]))


class SettingsTest(absltest.TestCase):
  def test_keys_depend_on_the_member_alone(self):
    run, params = _run()
    one = jax.random.key_data(program.retraining_keys(run, 5))
    params_S = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), params)
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
    update, _ = one_rate.update(
      {"head": jnp.array([1.0, -1.0, 1.0])}, one_rate.init(params), params
    )
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
