"""Schedules, groups, clipping and one AdamW step, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.configs import zeros_published
from primelens.models import optimizer


def cosine(step, steps, peak, end):
  """Returns torch's CosineAnnealingLR in closed form."""
  return end + (peak - end) * (1 + np.cos(np.pi * step / steps)) / 2


class ScheduleTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, 3e-4 / 1500),
    (749, 1.5e-4),
    (1499, 3e-4),
    (1500, 3e-4),
    (1500 + 18500 // 2, 1.5e-4),
    (17000, cosine(15500, 18500, 3e-4, 0.0)),
    (19900, 1e-5),  # the cosine is at 2e-8: the floor holds
    (20000, 1e-5),
  )
  def test_e0_warms_up_then_falls_to_its_floor(self, step, expected):
    config = zeros_published.get_config("e0").fit
    rate = optimizer.schedule(config.optimizer, 3e-4, config.steps)
    np.testing.assert_allclose(rate(step), expected, rtol=1e-4)

  @parameterized.parameters(3e-4, 9e-5)
  def test_postfix_falls_to_one_end_for_both_groups(self, peak):
    config = zeros_published.get_config("e3").fit
    rate = optimizer.schedule(config.optimizer, peak, config.steps)
    for step in (0, 1, 5000, 10000, 19999, 20000):
      expected = cosine(step, 20000, peak, 3e-5)
      np.testing.assert_allclose(rate(step), expected, rtol=1e-4)

  def test_constant(self):
    config = optimizer.Config(schedule="constant", warmup=10)
    rate = optimizer.schedule(config, 2e-3, 100)
    np.testing.assert_allclose(rate(4), 1e-3, rtol=1e-6)
    np.testing.assert_allclose([rate(10), rate(99)], 2e-3, rtol=1e-6)

  def test_unknown_schedule(self):
    with self.assertRaisesRegex(ValueError, "'linear'.*cosine, constant"):
      optimizer.Config(schedule="linear")


PARAMS = {
  "memory": {"content": np.array([[1.0, -2.0]], np.float32)},
  "head": {"kernel": np.array([[0.5], [3.0]], np.float32)},
}


def updates(config, grads, steps=10, count=1):
  """Returns the update after `count` equal gradients."""
  transform = optimizer.build(config, steps)
  state = transform.init(PARAMS)
  for _ in range(count):
    update, state = transform.update(grads, state, PARAMS)
  return update


def adamw(config, grads_NxK, param_K, rate):
  """Returns the last AdamW update by the formulas of the paper."""
  m = v = np.zeros_like(param_K, np.float64)
  for g in np.float64(grads_NxK):
    m = config.beta1 * m + (1 - config.beta1) * g
    v = config.beta2 * v + (1 - config.beta2) * g**2
  n = len(grads_NxK)
  m_hat, v_hat = m / (1 - config.beta1**n), v / (1 - config.beta2**n)
  step = m_hat / (np.sqrt(v_hat) + config.eps)
  return -rate * (step + config.weight_decay * param_K)


class UpdateTest(absltest.TestCase):
  def grads(self, scale=1.0):
    draw = np.random.default_rng(0).normal
    return jax.tree.map(lambda x: jnp.float32(scale * draw(size=x.shape)), PARAMS)

  def test_adamw_decays_every_tensor(self):
    config = optimizer.Config(schedule="constant", weight_decay=0.1, clip=0.0)
    for count in (1, 3):
      got = updates(config, self.grads(), count=count)
      expected = jax.tree.map(
        lambda g, p, n=count: adamw(config, [g] * n, p, config.rate), self.grads(), PARAMS
      )
      jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), got, expected)

  def test_slow_group_moves_at_its_fraction(self):
    options = dict(schedule="constant", clip=0.0, weight_decay=0.1)
    base = updates(optimizer.Config(**options), self.grads())
    slow = updates(
      optimizer.Config(**options, slow_pattern="memory/.*", slow_factor=0.3), self.grads()
    )
    content = lambda tree: np.asarray(tree["memory"]["content"])
    np.testing.assert_allclose(content(slow), 0.3 * content(base), rtol=1e-5)
    np.testing.assert_array_equal(slow["head"]["kernel"], base["head"]["kernel"])

  def test_slow_group_needs_the_full_path(self):
    options = dict(schedule="constant", clip=0.0, slow_factor=0.3)
    config = optimizer.Config(**options, slow_pattern="memory")
    message = "'memory' matches none of: head/kernel, memory/content"
    with self.assertRaisesRegex(ValueError, message):
      updates(config, self.grads())

  def test_clipping_is_global(self):
    # Adam forgets the scale of equal gradients, so look at two unequal ones.
    config = optimizer.Config(schedule="constant", clip=1.0, weight_decay=0.0)
    small, large = self.grads(1e-3), self.grads(100.0)
    transform = optimizer.build(config, 10)
    state = transform.init(PARAMS)
    _, state = transform.update(small, state, PARAMS)
    got, _ = transform.update(large, state, PARAMS)
    norm = np.sqrt(sum(np.sum(g**2) for g in jax.tree.leaves(large)))
    clipped = jax.tree.map(lambda g: g / norm, large)
    expected = jax.tree.map(
      lambda a, b, p: adamw(config, [a, b], p, config.rate), small, clipped, PARAMS
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), got, expected)


if __name__ == "__main__":
  absltest.main()
