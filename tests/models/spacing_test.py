"""Counts, initial loss, causality, slots and skip of the spacing predictors."""

import dataclasses
import functools
import re

import jax
import numpy as np
import tiny_models
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.configs import (
  zeros_published,
)
from primelens.models import mixture, spacing, transformer

T, M = 12, 4
TRUNK = transformer.Config(
  width=8,
  layers=2,
  heads=2,
  hidden=16,
  max_positions=T + M,
  dropout=0.0,
  embed_dropout=0.0,
  init_std=0.3,
)
CONFIG = spacing.Config(window=T, slots=M, components=3, trunk=TRUNK)
PUBLISHED = {
  "e0": (lambda: zeros_published.get_config("e0"), 4_794_136),
  "prefix_e1": (lambda: zeros_published.get_config("e1"), 4_800_280),
  "prefix_e2": (lambda: zeros_published.get_config("e2"), 4_800_280),
  "prefix_v0": (lambda: zeros_published.get_config("v0"), 4_800_280 - 2048),
  "prefix_v1": (lambda: zeros_published.get_config("v1"), 4_800_280 + 4 * 257),
  "postfix_e3": (lambda: zeros_published.get_config("e3"), 4_802_336),
  "postfix_e4": (lambda: zeros_published.get_config("e4"), 4_804_392),
  "postfix_e5": (lambda: zeros_published.get_config("e5"), 4_804_392),
}


@functools.cache
def published(name):
  """Returns the shapes of the published predictor's parameters."""
  return shapes(PUBLISHED[name][0]().model)


def shapes(config):
  return jax.eval_shape(lambda key: spacing.init(config, key), jax.random.key(0))


def random_params(config):
  """Returns params in which every slot, id, gain and tap matters."""
  return tiny_models.random_params(spacing, config)


def spacings(batch=2, length=T):
  return tiny_models.spacings(batch, length)


def run(config, params, x_BxT, **options):
  """Returns the mixture and the activations, compiled."""
  return tiny_models.forward(spacing.apply, config, params, x_BxT, **options)


def config_of(memory, **change):
  return dataclasses.replace(CONFIG, memory=memory, **change)


class CountTest(parameterized.TestCase):
  @parameterized.parameters(*PUBLISHED)
  def test_published_sizes(self, name):
    self.assertEqual(transformer.parameter_count(published(name)), PUBLISHED[name][1])

  def test_published_masking_selects_4798720_and_leaves_3616(self):
    tree = published("postfix_e3")
    chosen = {True: 0, False: 0}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
      name = jax.tree_util.keystr(path, simple=True, separator="/")
      matched = re.fullmatch(spacing.MASKED, name) is not None
      chosen[matched] += int(np.prod(leaf.shape))
      own_axes = len(leaf.shape) - name.startswith("blocks/")
      self.assertEqual(matched, own_axes >= 2, name)
    self.assertEqual(chosen, {True: 4_798_720, False: 3_616})

  @parameterized.parameters(
    ({"auxiliary": "mean"}, "needs memory='postfix'"),
    ({"auxiliary": "window_statistics"}, "needs memory='prefix'"),
    (
      {"memory": "postfix", "drift_weight": 0.1, "drift_context": 6, "drift_horizon": 6},
      "every position",
    ),
    ({"drift_weight": 0.1}, "drift_context=10 and drift_horizon=10 exceed the 13 spacings"),
    ({"skip_order": 13}, "skip_order=13 exceeds window=12"),
    ({"memory": "suffix"}, "'suffix' is not one of none, prefix, postfix"),
  )
  def test_wrong_options_are_named(self, change, message):
    with self.assertRaisesRegex(ValueError, message):
      dataclasses.replace(CONFIG, **change)


class InitialLossTest(absltest.TestCase):
  def windows(self):
    """Returns spacings of mean 1 and standard deviation 0.4075 exactly."""
    x = spacings(8, 257).astype(np.float64)
    y = x[:, 1:]
    x[:, 1:] = 1 + 0.4075 * (y - y.mean()) / y.std()
    return x.astype(np.float32)

  def test_closed_form(self):
    # Every component is N(ln 2, ln 2): 0.5 ln 2 pi + ln s + E(y-m)^2/(2 s^2).
    config = zeros_published.get_config("e0").model
    config.trunk.layers = 1
    params = jax.jit(functools.partial(spacing.init, config))(jax.random.key(0))
    m = s = np.log(2)
    quadratic = (0.4075**2 + (1 - m) ** 2) / (2 * s**2)
    expected = 0.5 * np.log(2 * np.pi) + np.log(s) + quadratic
    self.assertAlmostEqual(expected, 0.823, delta=2e-3)
    apply_fn, windows = spacing.bind(config), self.windows()
    nll = jax.jit(lambda p: spacing.score(apply_fn, p, windows).mean())
    self.assertAlmostEqual(nll(params), expected, delta=0.05)  # random head
    params["head"]["kernel"] = 0 * np.asarray(params["head"]["kernel"])
    self.assertAlmostEqual(nll(params), expected, delta=3e-4)  # scale + 1e-4


class CausalityTest(parameterized.TestCase):
  @parameterized.parameters(
    ({},),
    ({"memory": "prefix"},),
    ({"memory": "prefix", "slot_ids": "off"},),
    ({"skip_order": 4, "skip_filters": 2},),
    ({"memory": "prefix", "skip_order": T},),
  )
  def test_changing_an_input_moves_no_earlier_output(self, change):
    config = dataclasses.replace(CONFIG, **change)
    params, x = random_params(config), spacings()
    forward = lambda params, x: spacing.apply(config, params, x)[0]
    inputs = x[None] + np.eye(T + 1, T, dtype=np.float32)[:, None]  # the last as they are
    found = jax.device_get(jax.jit(jax.vmap(forward, (None, 0)))(params, inputs))
    gap = jax.tree.map(lambda a: np.abs(a[:T] - a[T:]), found)
    gap_TxT = np.max([g.max(axis=(1, 3)) for g in gap], axis=0)
    np.testing.assert_allclose(np.tril(gap_TxT, -1), 0, atol=2e-5)
    self.assertGreater(gap_TxT[np.triu_indices(T)].min(), 1e-4)

  def test_postfix_slots_see_all_data_and_the_data_see_no_slot(self):
    config = config_of("postfix")
    params, x = random_params(config), spacings()
    plain, seen = run(config, params, x, sites=("residual/post",))
    self.assertEqual(plain.mean.shape, (2, 1, 3))
    for t in range(0, T, 4):
      other = x.copy()
      other[:, t] += 1.0
      moved, other_seen = run(config, params, other, sites=("residual/post",))
      self.assertGreater(np.abs(moved.mean - plain.mean).max(), 1e-4)
      gap = np.abs(other_seen["residual/post"] - seen["residual/post"])
      gap_T = gap.max(axis=(0, 1, 3))
      np.testing.assert_allclose(gap_T[:t], 0, atol=1e-6)
      self.assertGreater(gap_T[T:].min(), 1e-4)  # each slot reads each datum
    keep_M = np.zeros(M)
    _, bare = run(config, params, x, sites=("residual/post",), slot_keep_M=keep_M)
    gap = np.abs(bare["residual/post"] - seen["residual/post"])
    np.testing.assert_allclose(gap[:, :, :T], 0, atol=1e-6)
    self.assertGreater(gap[:, :, T:].max(), 1e-4)


class SlotTest(parameterized.TestCase):
  def changed(self, params, **memory):
    return params | {"memory": params["memory"] | memory}

  def same(self, a, b):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), a, b)

  @parameterized.parameters("prefix", "postfix")
  def test_order_permutes_the_ids(self, memory):
    config, x = config_of(memory), spacings()
    params, order_M = random_params(config), np.array([2, 0, 3, 1])
    slot_id = params["memory"]["slot_id"]
    got, _ = run(config, params, x, slot_order_M=order_M)
    renamed = self.changed(params, slot_id=slot_id[order_M])
    self.same(got, run(config, renamed, x)[0])
    plain, _ = run(config, params, x)
    self.assertGreater(np.abs(got.mean - plain.mean).max(), 1e-4)

  @parameterized.parameters("prefix", "postfix")
  def test_keep_zeroes_content_and_id_of_one_slot(self, memory):
    config, x = config_of(memory), spacings()
    params, keep_M = random_params(config), np.array([1.0, 0.0, 1.0, 1.0])
    cut = {name: params["memory"][name] * keep_M[:, None] for name in ("content", "slot_id")}
    got, _ = run(config, params, x, slot_keep_M=keep_M)
    self.same(got, run(config, self.changed(params, **cut), x)[0])
    plain, _ = run(config, params, x)
    self.assertGreater(np.abs(got.mean - plain.mean).max(), 1e-4)

  def test_eval_and_training_modes(self):
    x, key = spacings(), jax.random.key(0)
    config = config_of("postfix", eval_slot_ids="off")
    params = random_params(config)
    blank = self.changed(params, slot_id=0 * params["memory"]["slot_id"])
    off, _ = run(config, params, x)
    fixed, _ = run(config_of("postfix"), params, x)
    self.same(off, run(config_of("postfix"), blank, x)[0])
    self.assertGreater(np.abs(off.mean - fixed.mean).max(), 1e-4)
    # a training pass follows slot_ids, an evaluation eval_slot_ids
    self.same(fixed, run(config, params, x, dropout_key=key)[0])

  def test_zeroed_content(self):
    config = config_of("postfix", slot_content="zeroed")
    params, x = random_params(config), spacings()
    blank = self.changed(params, content=0 * params["memory"]["content"])
    got, _ = run(config, params, x)
    self.same(got, run(config_of("postfix"), blank, x)[0])

  @parameterized.parameters("prefix", "postfix")
  def test_permuting_without_an_order_is_refused(self, memory):
    config = config_of(memory, slot_ids="permute_per_batch")
    params, x, key = random_params(config), spacings(), jax.random.key(0)
    with self.assertRaisesRegex(ValueError, "slot_order_M"):
      run(config, params, x, dropout_key=key)
    run(config, params, x)  # evaluation has fixed ids
    config = dataclasses.replace(config, eval_slot_ids="permute_per_batch")
    with self.assertRaisesRegex(ValueError, "slot_order_M"):
      run(config, params, x)

  def test_readout_weighs_the_slots(self):
    config, x = config_of("postfix"), spacings()
    params = random_params(config)
    _, seen = run(config, params, x, sites=("final",))
    logit_M = params["memory"]["readout"]
    weight_M = np.exp(logit_M) / np.exp(logit_M).sum()
    state_BxD = np.einsum("m,bmd->bd", weight_M, seen["final"][:, T:])
    raw = state_BxD @ params["head"]["kernel"] + params["head"]["bias"][None]
    got, _ = run(config, params, x)
    self.same(got, Jitted(mixture).from_raw(raw[:, None]))


class BindTest(absltest.TestCase):
  def test_equal_configs_share_one_function_that_keeps_its_config(self):
    config = config_of("none", components=2)
    bound = spacing.bind(config)
    self.assertIs(bound, spacing.bind(dataclasses.replace(config)))
    self.assertIsNot(bound, spacing.bind(config_of("none", components=3)))
    params, x = random_params(config), spacings()
    config.trunk = dataclasses.replace(TRUNK, mask="full")
    got, _ = jax.jit(bound)(params, x)
    expected, _ = run(config_of("none", components=2), params, x)
    np.testing.assert_allclose(got.mean, expected.mean, atol=1e-5)


class ScoreTest(parameterized.TestCase):
  @parameterized.parameters(("none", 1, T), ("none", 5, T - 4), ("prefix", T, 1), ("postfix", 3, 1))
  def test_scores_the_targets_with_enough_context(self, memory, context, count):
    config = config_of(memory)
    params, window = random_params(config), spacings(length=T + 1)
    score = functools.partial(spacing.score, spacing.bind(config), min_context=context)
    got = jax.jit(score)(params, window)
    self.assertEqual(got.shape, (2, count))
    m, _ = run(config, params, window[:, :-1])
    log_weight, mean, scale = (np.asarray(leaf)[:, -count:] for leaf in m)
    z = (window[:, -count:, None] - mean) / scale
    density = np.exp(log_weight - 0.5 * z**2) / scale / np.sqrt(2 * np.pi)
    expected = -np.log(density.sum(axis=-1))
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-5)


if __name__ == "__main__":
  absltest.main()
