"""The memory bank and the second family's head: numpy, hand-made cases."""

import dataclasses
import functools

import jax
import numpy as np
import tiny_models
import transformer_reference_test as reference
from absl.testing import absltest, parameterized
from primelens.models import auxiliary, mixture, spacing, transformer
from scipy import special

T, M, D, K = 10, 3, 8, 2
LEAKY, BLIND = "leaky_as_published", "memory_blind"
FLASH = dict(positions="rotary", rotary_start=M)


def bank(mask=BLIND, *, layers=2, trunk=None, **change):
  """Returns a tiny bank of the second family."""
  options = dict(mask=mask, mask_slots=M) | (trunk or {})
  model = dict(memory="bank", slots=M, mean="raw", scale_max=5.0) | change
  if model["memory"] == "none":
    options |= dict(mask="causal", mask_slots=0, rotary_start=0)
  return spacing.Config(
    window=T,
    components=K,
    trunk=transformer.Config(
      width=D,
      layers=layers,
      heads=2,
      hidden=16,
      max_positions=T + M,
      norm_bias=True,
      dropout=0.0,
      embed_dropout=0.0,
      **options,
    ),
    **model,
  )


def random_params(config):
  return tiny_models.random_params(spacing, config, mean=0.0, gain=1.0)


def run(config, params, x_BxT, **options):
  """Returns the mixture and the activations, compiled."""
  return tiny_models.forward(spacing.apply, config, params, x_BxT, **options)


def moved(config) -> np.ndarray:
  """Returns whether each output (column) changes, bit for bit, when an input
  (row) does, TxT."""
  params, x = random_params(config), tiny_models.spacings(2, T)
  forward = lambda x: run(config, params, x)[0]
  plain, rows = forward(x), []
  for t in range(T):
    other = x.copy()
    other[:, t] += 0.5
    changed = forward(other)
    parts = [np.any(a != b, axis=(0, 2)) for a, b in zip(changed, plain, strict=True)]
    rows.append(np.any(parts, axis=0))
  return np.array(rows)


class FutureTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("bank", bank()),
    ("flash", bank(residual=True, trunk=FLASH)),
    ("baseline", bank(memory="none")),
    ("flash_without_memory", bank(memory="none", residual=True, trunk=FLASH)),
  )
  def test_no_input_moves_an_earlier_output_by_one_bit(self, config):
    np.testing.assert_array_equal(moved(config), np.triu(np.ones((T, T), bool)))

  @parameterized.named_parameters(
    ("bank", bank(LEAKY)), ("flash", bank(LEAKY, residual=True, trunk=FLASH))
  )
  def test_leaky_as_published_tells_every_output_every_input(self, config):
    self.assertTrue(moved(config).all())

  def test_one_leaky_layer_tells_nothing(self):
    config = bank(LEAKY, layers=1)
    np.testing.assert_array_equal(moved(config), np.triu(np.ones((T, T), bool)))

  def test_the_last_target_is_in_no_input(self):
    # Windows show T inputs and ask for one more: even under the leaky mask
    # the last position is scored without its target in sight.
    config = bank(LEAKY)
    params, window = random_params(config), tiny_models.spacings(2, T + 1)
    other = window.copy()
    other[:, -1] += 0.5
    of = jax.jit(functools.partial(spacing.predict, spacing.bind(config), min_context=T))
    jax.tree.map(np.testing.assert_array_equal, of(params, window), of(params, other))


def forward(config, params, x_BxT):
  """Returns log weights, means and scales by loops in numpy, float64."""
  params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
  x_BxT = np.float64(x_BxT) - (1 if config.residual else 0)
  data = x_BxT[..., None] * params["input"]["kernel"][0]
  data = data + params["input"]["bias"]
  rows = []
  for row in params["memory"]["content"]:
    rows.append(row * min(1, 2 / np.linalg.norm(row)))
  memory = np.broadcast_to(np.array(rows), (len(x_BxT), M, D))
  state = reference.forward(
    config.trunk, params, np.concatenate([memory, data], axis=1), np.ones((len(x_BxT), M + T))
  )
  raw = state[:, M:] @ params["head"]["kernel"] + params["head"]["bias"]
  logit, mean, width = np.split(raw, 3, axis=-1)
  scale = 1e-4 + (config.scale_max - 1e-4) / (1 + np.exp(-width))
  shift = 1 if config.residual else 0
  return special.log_softmax(logit, axis=-1), mean + shift, scale


class NumpyTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("q3", bank(LEAKY)),
    ("flash", bank(LEAKY, residual=True, trunk=FLASH)),
    ("blind", bank(residual=True, trunk=FLASH)),
  )
  def test_equals_numpy(self, config):
    params = random_params(config)
    content = np.array(params["memory"]["content"])
    content[0] *= 10.0
    params["memory"] = {"content": content}  # one row beyond the cap
    x = tiny_models.spacings(2, T)
    got, _ = run(config, params, x)
    for a, b in zip(got, forward(config, params, x), strict=True):
      np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


class SlotsTest(absltest.TestCase):
  def test_rows_are_capped_at_two(self):
    content = np.float32([[3.0, 4.0], [0.6, 0.8], [0.0, 0.0], [0.0, 2.0]])
    capped = jax.jit(spacing.capped_bank)
    expected = np.array([[1.2, 1.6], [0.6, 0.8], [0.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(capped(content), expected, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(capped(content))[1:], content[1:])
    slope = np.asarray(jax.jit(jax.grad(lambda x: capped(x).sum()))(content))
    np.testing.assert_array_equal(slope[1:3], 1)
    # d (2 m / |m|) along m is 0.
    np.testing.assert_allclose(slope[0] @ content[0], 0, atol=1e-6)

  def test_a_tenth_of_the_slots_is_dropped_by_sample_unscaled(self):
    config = bank()
    params, x = random_params(config), tiny_models.spacings(2000, T)
    _, seen = run(config, params, x, sites=("embed",), dropout_key=jax.random.key(3))
    slots_BxMxD = np.asarray(seen["embed"])[:, :M]
    own_MxD = np.asarray(jax.jit(spacing.capped_bank)(params["memory"]["content"]))
    kept_BxM = np.any(slots_BxMxD != 0, axis=-1)
    np.testing.assert_array_equal(slots_BxMxD, np.where(kept_BxM[..., None], own_MxD[None], 0))
    error = np.sqrt(0.9 * 0.1 / 2000)
    np.testing.assert_allclose(kept_BxM.mean(0), 0.9, atol=5 * error)
    correlation = np.corrcoef(kept_BxM.T)
    off = correlation[~np.eye(M, dtype=bool)]
    np.testing.assert_allclose(off, 0, atol=5 / np.sqrt(2000))
    _, plain = run(config, params, x[:3], sites=("embed",))
    slots_BxMxD = np.asarray(plain["embed"])[:, :M]
    np.testing.assert_array_equal(slots_BxMxD, np.broadcast_to(own_MxD, (3, M, D)))

  def test_there_are_no_ids_and_positions_come_first(self):
    config = bank()
    shapes = jax.eval_shape(lambda key: spacing.init(config, key), jax.random.key(0))
    self.assertEqual(list(shapes["memory"]), ["content"])
    self.assertEqual(shapes["positions"]["embedding"].shape, (T + M, D))

  def test_diversity(self):
    # Four equal rows: 12 of 16 entries of (Gram - I) are 1.
    diversity = jax.jit(auxiliary.diversity)
    same = np.ones((4, 5), np.float32)
    self.assertAlmostEqual(float(diversity(same)), 0.75, places=5)
    apart = np.diag(np.arange(1.0, 5.0, dtype=np.float32))
    self.assertAlmostEqual(float(diversity(apart)), 0, places=6)
    angle = np.pi / 3  # two entries of cos^2 = 1/4, of four
    pair = np.float32([[2.0, 0.0], [np.cos(angle), np.sin(angle)]])
    self.assertAlmostEqual(float(diversity(pair)), 0.125, places=5)

  def test_diversity_is_in_the_loss(self):
    total = {}
    for weight in (0.0, 0.01):
      config = bank(diversity=weight, entropy=0.0)
      params = random_params(config)
      loss = jax.jit(functools.partial(auxiliary.loss, config))
      total[weight], metrics = loss(params, tiny_models.spacings(4, T + 1), jax.random.key(0), 0)
    unit = np.asarray(params["memory"]["content"])
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    expected = np.mean((unit @ unit.T - np.eye(M)) ** 2)
    np.testing.assert_allclose(metrics["diversity"], expected, rtol=1e-5)
    change = total[0.01] - total[0.0]
    np.testing.assert_allclose(change, 0.01 * expected, rtol=1e-3)


def fresh(config):
  return jax.jit(functools.partial(spacing.init, config))(jax.random.key(0))


class HeadTest(parameterized.TestCase):
  @parameterized.parameters((5.0, 2.5), (10.0, 5.0))
  def test_initial_mixture(self, scale_max, sigma):
    # Zero raw numbers: means 0, even weights, half the largest scale.
    config = bank(scale_max=scale_max)
    params = fresh(config)
    params["head"] = jax.tree.map(np.zeros_like, params["head"])
    got, _ = run(config, params, tiny_models.spacings(2, T))
    np.testing.assert_allclose(got.scale, sigma, atol=6e-5)
    np.testing.assert_array_equal(got.mean, 0)
    np.testing.assert_allclose(jax.jit(mixture.entropy)(got), np.log(K), rtol=1e-6)

  def test_initial_loss(self):
    # Of fresh parameters, on spacings of mean 1 and deviation 0.4075: nearly
    # ln(2.5 sqrt(2 pi)) + (1 + 0.4075^2) / (2 x 2.5^2).
    config = bank()
    params = fresh(config)
    x = tiny_models.spacings(64, T + 1).astype(np.float64)
    y = x[:, 1:]
    x[:, 1:] = 1 + 0.4075 * (y - y.mean()) / y.std()
    score = functools.partial(spacing.score, spacing.bind(config))
    nll = np.mean(jax.jit(score)(params, np.float32(x)))
    expected = np.log(2.5 * np.sqrt(2 * np.pi)) + (1 + 0.4075**2) / 12.5
    self.assertAlmostEqual(float(nll), expected, delta=0.05)

  def test_residual_is_the_plain_model_of_s_minus_one(self):
    config = bank(LEAKY, residual=True)
    plain = dataclasses.replace(config, residual=False)
    params, window = random_params(config), tiny_models.spacings(3, T + 1)
    score, plain_score = (
      jax.jit(functools.partial(spacing.score, spacing.bind(c), params)) for c in (config, plain)
    )
    np.testing.assert_allclose(score(window), plain_score(window - 1), rtol=1e-4, atol=1e-4)
    gap = np.abs(np.asarray(score(window)) - np.asarray(plain_score(window)))
    self.assertGreater(gap.max(), 0.01)

  def test_means_may_be_negative_or_not(self):
    raw = bank(memory="none")
    params = random_params(raw)
    bias = np.array(params["head"]["bias"])
    bias[K : 2 * K] = -9.0
    params["head"]["bias"] = bias
    x = tiny_models.spacings(2, T)
    self.assertLess(np.max(run(raw, params, x)[0].mean), 0)
    positive = dataclasses.replace(raw, mean="positive")
    self.assertGreater(np.min(run(positive, params, x)[0].mean), 0)


class OptionsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"trunk": {"mask": "causal"}}, "trunk.mask='causal' is not one of leaky"),
    ({"trunk": {"mask_slots": 2}}, "trunk.mask_slots=2 must be slots=3"),
    ({"trunk": {"positions": "rotary"}}, "trunk.rotary_start=0 must be slots"),
    ({"mean": "positive", "residual": True}, "needs mean='raw'"),
    ({"scale_max": -1.0}, "scale_max=-1.0 must be at least 0"),
    ({"skip_order": 2}, "skip_order needs mean='positive'"),
  )
  def test_wrong_options_are_named(self, change, message):
    with self.assertRaisesRegex(ValueError, message):
      bank(**change)


if __name__ == "__main__":
  absltest.main()
