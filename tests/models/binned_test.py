import functools

import jax
import numpy as np
import scipy.special
import tiny_binned
from absl.testing import absltest, parameterized
from primelens.configs import zeros_binned
from primelens.models import binned, transformer
from primelens.tasks import binned as task

T, D, M = tiny_binned.T, tiny_binned.D, tiny_binned.SLOTS
KEY = jax.random.key(0)
VARIANTS = ("gpt", "rmt", "bank", "bank_leaky_as_published")
tiny, parameters = tiny_binned.config, tiny_binned.parameters


APPLY = jax.jit(lambda apply_fn, *of: apply_fn(*of), static_argnums=0)
SCORE = jax.jit(binned.score, static_argnums=0, static_argnames="min_context")


def inputs(seed: int = 1, batch: int = 2):
  rng = np.random.default_rng(seed)
  return np.float32(rng.uniform(0, 3, (batch, T)))


def outputs(config, params, x_BxT):
  return np.asarray(APPLY(binned.bind(config), params, x_BxT)[0])


class SizeTest(parameterized.TestCase):
  @parameterized.parameters(("small", 0.85), ("large", 4.85))
  def test_published_number_of_parameters(self, name, millions):
    config = zeros_binned.get_config(name).model
    shapes = jax.eval_shape(lambda key: binned.init(config, key), KEY)
    count = transformer.parameter_count(shapes)
    self.assertEqual(round(count / 1e6, 2), millions)

  def test_what_the_memory_adds(self):
    shapes = {
      name: jax.eval_shape(functools.partial(binned.init, tiny(name)), KEY)
      for name in ("gpt", "rmt", "bank", "bank_leaky_as_published")
    }
    count = {name: transformer.parameter_count(of) for name, of in shapes.items()}
    self.assertEqual(count["rmt"] - count["gpt"], D * D + D + 1)
    self.assertEqual(count["bank"], count["bank_leaky_as_published"])
    params = shapes["bank"]
    memory = transformer.parameter_count(params["memory"])
    self.assertEqual(memory, 3 * D * D + M * D)
    self.assertEqual(params["unembed"]["kernel"].shape, (D, 256))


class FutureLeakTest(parameterized.TestCase):
  def changed(self, variant):
    """Which positions change when input 7 does."""
    config = tiny(variant)
    params, x_BxT = parameters(config), inputs()
    other_BxT = x_BxT.copy()
    other_BxT[:, 7] = 3.5
    return [
      not np.array_equal(one, other)
      for one, other in zip(
        np.moveaxis(outputs(config, params, x_BxT), 1, 0),
        np.moveaxis(outputs(config, params, other_BxT), 1, 0),
        strict=True,
      )
    ]

  @parameterized.parameters("gpt", "rmt", "bank")
  def test_the_future_changes_nothing_before_it(self, variant):
    self.assertEqual(self.changed(variant), [False] * 7 + [True] * (T - 7))

  def test_the_published_bank_leaks(self):
    changed = self.changed("bank_leaky_as_published")
    self.assertEqual(changed, [True] * T)


class BankTest(absltest.TestCase):
  def test_against_numpy(self):
    config = tiny("bank")
    memory = jax.tree.map(np.asarray, parameters(config)["memory"])
    x_BxTxD = np.random.default_rng(3).normal(size=(2, T, D))
    recalled = lambda config: np.asarray(
      jax.jit(functools.partial(binned.recalled, config))(memory, np.float32(x_BxTxD))
    )
    found = recalled(config)
    self.assertEqual(found.shape, (2, T, D))
    for t in range(T):
      mean_BxD = x_BxTxD[:, : t + 1].mean(1)
      q_BxD = mean_BxD @ memory["query"]["kernel"]
      k_MxD = memory["content"] @ memory["key"]["kernel"]
      weight_BxM = scipy.special.softmax(q_BxD @ k_MxD.T / D**0.5, axis=1)
      v_MxD = memory["content"] @ memory["value"]["kernel"]
      np.testing.assert_allclose(found[:, t], weight_BxM @ v_MxD, rtol=1e-4, atol=1e-6)
    leaky = recalled(tiny("bank_leaky_as_published"))
    self.assertEqual(leaky.shape, (2, 1, D))
    np.testing.assert_allclose(leaky[:, 0], found[:, -1], rtol=1e-4, atol=1e-6)


class RecurrentTest(absltest.TestCase):
  def test_memory_is_the_published_mean(self):
    params = parameters(tiny("rmt"))
    self.assertEqual(params["memory"]["gate"], 0)  # sigmoid: 1/2
    memory_BxD, last_BxD = np.ones((2, D), np.float32), np.full((2, D), 2, np.float32)
    kernel_DxD = np.eye(D, dtype=np.float32)
    remembered = jax.jit(binned.remembered)
    params["memory"] |= {"update": {"kernel": kernel_DxD}}
    found = remembered(params, memory_BxD, last_BxD)
    np.testing.assert_allclose(found, 1.5, rtol=1e-6)
    params["memory"]["gate"] = np.float32(np.log(3.0))
    found = remembered(params, memory_BxD, last_BxD)
    np.testing.assert_allclose(found, 1.25, rtol=1e-6)

  def test_a_segment_is_known_to_the_next_by_the_memory_alone(self):
    config = tiny("rmt")
    params, x_BxT = parameters(config), inputs()
    other_BxT = x_BxT.copy()
    other_BxT[:, 1] = 3.5
    one, other = (outputs(config, params, x) for x in (x_BxT, other_BxT))
    self.assertGreater(np.abs(one - other)[:, 6:].max(), 1e-3)
    # A gate that keeps all lets nothing through.
    params["memory"]["gate"] = np.float32(200.0)
    one, other = (outputs(config, params, x) for x in (x_BxT, other_BxT))
    np.testing.assert_array_equal(one[:, 6:], other[:, 6:])
    self.assertGreater(np.abs(one - other)[:, 1:6].max(), 1e-3)

  def test_segments_end_with_the_window(self):
    config = tiny("rmt")
    params, x_BxT = parameters(config), inputs()
    whole = outputs(config, params, x_BxT)
    part = outputs(config, params, x_BxT[:, :8])
    # Two shapes are two programs: float32 sums in another order.
    np.testing.assert_allclose(part, whole[:, :8], rtol=1e-5, atol=4e-6)

  def test_sites_are_refused(self):
    config = tiny("rmt")
    with self.assertRaisesRegex(ValueError, "runs in segments"):
      binned.apply(config, parameters(config), inputs(), sites=("final",))


class ScoreTest(parameterized.TestCase):
  @parameterized.parameters(*VARIANTS)
  def test_is_a_density_in_nats(self, variant):
    config = tiny(variant)
    params = parameters(config)
    window_BxT1 = np.concatenate([inputs(), np.full((2, 1), 0.7, np.float32)], axis=1)
    logit_BxTxV = outputs(config, params, window_BxT1[:, :-1]).astype(float)
    found = np.asarray(SCORE(binned.bind(config), params, window_BxT1, min_context=5))
    self.assertEqual(found.shape, (2, T - 4))
    p_BxTxV = scipy.special.softmax(logit_BxTxV, axis=-1)
    token_BxU = np.floor(np.asarray(window_BxT1)[:, 5:] * 64).astype(int)
    for b, u in np.ndindex(found.shape):
      p = p_BxTxV[b, 4 + u, token_BxU[b, u]]
      self.assertAlmostEqual(float(found[b, u]), -np.log(64 * p), places=4)

  def test_uniform(self):
    # 256 equal bins of width 1/64: the density 1/4, the mean 2.
    config = tiny("gpt")
    params = parameters(config)
    params["embedding"] = {"embedding": np.zeros((256, D), np.float32)}
    window_BxT1 = np.ones((1, T + 1), np.float32)
    found = SCORE(binned.bind(config), params, window_BxT1)
    np.testing.assert_allclose(found, np.log(4), rtol=1e-5)
    mean = lambda *of: binned.mean(binned.log_probabilities(binned.bind(config), *of))
    np.testing.assert_allclose(jax.jit(mean)(params, window_BxT1), 2.0, rtol=1e-5)

  def test_tied_head(self):
    config = tiny("gpt")
    params, x_BxT = parameters(config), inputs()
    states = jax.jit(lambda *of: binned.states(config, *of)[0])
    state_BxTxD = states(params, task.encode(x_BxT))
    expected = np.asarray(state_BxTxD) @ np.asarray(params["embedding"]["embedding"]).T
    found = outputs(config, params, x_BxT)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


class ConfigTest(parameterized.TestCase):
  def test_equal_configs_are_bound_alike(self):
    self.assertIs(binned.bind(tiny("rmt")), binned.bind(tiny("rmt")))
    self.assertIsNot(binned.bind(tiny("gpt")), binned.bind(tiny("rmt")))

  @parameterized.parameters(
    ({"variant": "lstm"}, "'lstm' is not one of gpt, rmt, bank"),
    ({"segment": 0}, "segment=0 must be at least 1"),
  )
  def test_bad_configs_are_refused(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      binned.Config(**changes)


if __name__ == "__main__":
  absltest.main()
