"""The training losses beside the NLL, against numpy and plain loops."""

import dataclasses
import functools

import jax
import numpy as np
import tiny_models
from absl.testing import absltest, parameterized
from primelens.models import auxiliary, mixture, spacing, transformer

T, M = 32, 8
TRUNK = transformer.Config(
  width=8,
  layers=1,
  heads=2,
  hidden=16,
  max_positions=T + M,
  dropout=0.0,
  embed_dropout=0.0,
  init_std=0.3,
)
CONFIG = spacing.Config(window=T, components=3, trunk=TRUNK)


def spacings(batch=6, length=T):
  return tiny_models.spacings(batch, length)


def random_params(config):
  return tiny_models.random_params(spacing, config)


def proxies(x_BxT):
  """Returns the Q3 proxies row by row, then z-scored with ddof 1."""
  rows = []
  for x in x_BxT.astype(np.float64):
    second = x[2:] - 2 * x[1:-1] + x[:-2]
    half, blocks = len(x) // 2, np.split(x, len(x) // 16)
    rows.append(
      [
        x.mean() - 1,
        np.log(x.std(ddof=1) * np.sqrt(2 * np.pi * np.e)),
        np.abs(x[1:] - x[:-1]).max(),
        np.quantile(x, 0.01),
        np.abs(second).mean(),
        abs(x[:half].mean() - x[half:].mean()),
        (second**2).mean(),
        np.var([b.var(ddof=1) for b in blocks], ddof=1),
      ]
    )
  raw = np.array(rows)
  return (raw - raw.mean(axis=0)) / raw.std(axis=0, ddof=1)


class TargetsTest(absltest.TestCase):
  def test_q3_proxies(self):
    x = spacings(length=256)
    np.testing.assert_allclose(jax.jit(auxiliary.q3_proxies)(x), proxies(x), rtol=2e-3, atol=2e-3)

  def test_window_statistics(self):
    x = spacings()
    centred = x - x.mean(axis=1, keepdims=True)
    columns = [x.mean(axis=1), x.std(axis=1, ddof=1)]
    for lag in (1, 5):
      product = (centred[:, lag:] * centred[:, :-lag]).mean(axis=1)
      columns.append(product / (centred**2).mean(axis=1))
    np.testing.assert_allclose(
      jax.jit(auxiliary.window_statistics)(x), np.stack(columns, 1), rtol=1e-4, atol=1e-6
    )

  def test_ramp_is_linear_between_its_knots(self):
    knots = ((500, 1e-3), (3000, 1e-2))
    ramp = jax.jit(lambda step: auxiliary.ramp(knots, step))
    for step, expected in (
      (0, 0.0),
      (250, 5e-4),
      (500, 1e-3),
      (1750, 5.5e-3),
      (3000, 1e-2),
      (20000, 1e-2),
    ):
      got = float(ramp(step))
      self.assertAlmostEqual(got, expected, delta=1e-8)
    self.assertEqual(auxiliary.ramp((), 100), 0)

  def test_orthogonality(self):
    rng = np.random.default_rng(0)
    q, _ = np.linalg.qr(rng.normal(size=(12, 5)))
    orthogonal = q.T * np.arange(1, 6)[:, None]  # lengths do not matter
    penalty = jax.jit(auxiliary.orthogonality)
    self.assertLess(penalty(np.float32(orthogonal)), 1e-10)
    same = np.ones((5, 12), np.float32)  # 20 off-diagonal cosines of 1
    self.assertAlmostEqual(float(penalty(same)), 20, delta=1e-4)


def slot_loss(config, params, state, x_BxT):
  return jax.jit(functools.partial(auxiliary.slot_loss, config))(params, state, x_BxT)


class SlotLossTest(parameterized.TestCase):
  @parameterized.parameters("mean", "diagonal")
  def test_postfix(self, mode):
    config = dataclasses.replace(CONFIG, memory="postfix", auxiliary=mode)
    params, x = random_params(config), spacings()
    state = np.random.default_rng(2).normal(size=(6, T + M, 8))
    guess = state[:, -M:] @ np.asarray(params["auxiliary"]["kernel"])
    guess = guess + np.asarray(params["auxiliary"]["bias"])
    if mode == "mean":
      guess = guess.mean(axis=1)
    else:
      guess = np.stack([guess[:, i, i] for i in range(8)], axis=1)
    got = slot_loss(config, params, np.float32(state), x)
    expected = np.mean((guess - proxies(x)) ** 2)
    np.testing.assert_allclose(got, expected, rtol=2e-3)

  def test_prefix(self):
    config = dataclasses.replace(CONFIG, memory="prefix", auxiliary="window_statistics")
    params, x = random_params(config), spacings()
    state = np.random.default_rng(2).normal(size=(6, M + T, 8))
    kernel, bias = (params["auxiliary"][k] for k in ("kernel", "bias"))
    guess = [state[:, i] @ np.asarray(kernel)[i] for i in range(4)]
    guess = np.stack(guess, axis=1) + np.asarray(bias)
    got = slot_loss(config, params, np.float32(state), x)
    expected = np.mean((guess - jax.jit(auxiliary.window_statistics)(x)) ** 2)
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def rollout(mean_fn, params, window_T1, context, horizon):
  """Returns the weighted drift of one window, feeding back one by one."""
  x_T = np.zeros(T, np.float32)  # what is behind a position is unseen
  x_T[:context] = window_T1[:context]
  for t in range(context, context + horizon):
    x_T[t] = np.asarray(mean_fn(params, x_T[None]))[0, t - 1]
  guess = x_T[context : context + horizon].astype(np.float64)
  true = window_T1[context : context + horizon].astype(np.float64)
  gap = np.abs(np.cumsum(guess) - np.cumsum(true))
  return np.mean(gap * np.linspace(1 / horizon, 1, horizon))


class DriftTest(absltest.TestCase):
  def test_equals_a_plain_rollout(self):
    params, window = random_params(CONFIG), spacings(3, T + 1)
    apply_fn = spacing.bind(CONFIG)
    mean = jax.jit(lambda params, x: mixture.mean(apply_fn(params, x)[0]))
    expected = np.mean([rollout(mean, params, w, 10, 5) for w in window])
    drift = functools.partial(auxiliary.drift, apply_fn, context=10, horizon=5)
    got = jax.jit(drift)(params, window)
    np.testing.assert_allclose(got, expected, rtol=1e-4)

  def test_gradient_stops_at_the_feeding(self):
    # mean = w * last input: the gradient of the j-th prediction sees w once.
    def apply_fn(w, x_BxT):
      mean = (w * x_BxT)[..., None]
      return mixture.Mixture(0 * mean, mean, 0 * mean + 1), {}

    window = jax.numpy.asarray([[2.0, 0.5, 0.5, 0.5]])
    of = lambda w: auxiliary.drift(apply_fn, w, window, context=1, horizon=3)
    grad = float(jax.jit(jax.grad(of))(1.0))
    # predictions 2, 2, 2 (each 1 * fed 2): weights 1/3, 2/3, 1; gaps positive
    self.assertAlmostEqual(grad, np.mean([2 / 3, 4 * 2 / 3, 6]), delta=1e-5)


orthogonality, log_density = jax.jit(auxiliary.orthogonality), jax.jit(mixture.log_density)
COMPILED: dict = {}  # the loss by its config: one program for all steps


def loss(config, params, window, step):
  """Returns the loss and its metrics."""
  of = lambda params, window, step: auxiliary.loss(config, params, window, jax.random.key(0), step)
  return COMPILED.setdefault(repr(config), jax.jit(of))(params, window, step)


# Neither depends on what the losses of the tests below weigh.
mixtures = jax.jit(spacing.bind(CONFIG))
drift_of = jax.jit(functools.partial(auxiliary.drift, spacing.bind(CONFIG), context=10, horizon=3))


def applied(params, x_BxT):
  """Returns the mixture, of numpy arrays."""
  return jax.device_get(mixtures(params, x_BxT)[0])


class LossTest(parameterized.TestCase):
  def loss(self, step=0, batch=8, **change):
    config = dataclasses.replace(CONFIG, **change)
    params = random_params(config)
    window = spacings(batch, T + 1)
    total, metrics = loss(config, params, window, step)
    return config, params, window, total, metrics

  def test_entropy_is_rewarded(self):
    _, params, window, total, metrics = self.loss(entropy=0.5)
    m = applied(params, window[:, :-1])
    weight = np.exp(np.float64(m.log_weight))
    entropy = -(weight * np.log(weight)).sum(axis=-1).mean()
    nll = -np.mean(log_density(m, window[:, 1:]))
    self.assertGreater(entropy, 0.05)
    np.testing.assert_allclose(metrics["weight_entropy_nats"], entropy, rtol=1e-4)
    np.testing.assert_allclose(metrics["nll_nats"], nll, rtol=1e-4)
    np.testing.assert_allclose(total, nll - 0.5 * entropy, rtol=1e-4)

  @parameterized.parameters(0, 500, 3000)
  def test_auxiliary_and_orthogonality_follow_their_ramps(self, step):
    config, params, _, total, m = self.loss(
      step=step,
      memory="postfix",
      auxiliary="mean",
      orthogonality_ramp=((500, 1e-3), (5000, 1e-2)),
      entropy=0.0,
    )
    slope = lambda s: {0: 0, 500: 1e-3, 3000: 1e-2}[s]
    ortho = np.interp(step, (0, 500, 5000), (0, 1e-3, 1e-2))
    expected = m["nll_nats"] + slope(step) * m["auxiliary_mse"]
    expected += ortho * m["orthogonality"]
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    content = params["memory"]["content"]
    penalty = orthogonality(content)
    np.testing.assert_allclose(m["orthogonality"], penalty, rtol=1e-5)

  @parameterized.parameters((0, True), (1, False), (4, True))
  def test_drift_is_due_every_n_steps_on_its_own_rows(self, step, due):
    options = dict(drift_weight=0.5, drift_every=4, drift_horizon=3)
    config, params, window, total, metrics = self.loss(
      step=step, entropy=0.0, drift_batch=3, **options
    )
    self.assertEqual(config.extra_rows, 3)
    m = applied(params, window[:5, :-1])
    nll = -np.mean(log_density(m, window[:5, 1:]))
    np.testing.assert_allclose(metrics["nll_nats"], nll, rtol=1e-4)
    drift = drift_of(params, window[5:])
    self.assertGreater(drift, 1e-3)
    np.testing.assert_allclose(total, nll + 0.5 * due * drift, rtol=1e-4)

  def test_permutation_warms_up_with_fixed_ids(self):
    options = dict(memory="postfix", slot_ids="permute_per_batch", permutation_warmup=10)
    nll = lambda step, **o: self.loss(step=step, **o)[4]["nll_nats"]
    fixed = nll(0, memory="postfix")
    np.testing.assert_allclose(nll(9, **options), fixed, rtol=1e-5)
    self.assertGreater(abs(nll(10, **options) - fixed), 1e-4)

  def test_weight_floor_is_in_the_training_loss(self):
    plain = self.loss(weight_floor=0.0)[4]["nll_nats"]
    add = self.loss(weight_floor=1.0)[4]["nll_nats"]
    self.assertLess(add, plain - 0.1)  # log(w + 1) > log w


if __name__ == "__main__":
  absltest.main()
