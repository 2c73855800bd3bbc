"""The linear autoregressive skip of the spacing predictors."""

import dataclasses
import functools

import jax
import numpy as np
import tiny_models
from absl.testing import absltest, parameterized
from primelens.models import mixture, spacing, transformer

T, Q, J = 10, 4, 3
CONFIG = spacing.Config(
  window=T,
  components=2,
  skip_order=Q,
  skip_filters=J,
  trunk=transformer.Config(width=8, layers=1, heads=2, hidden=16, max_positions=T),
)


def kernels(seed=0):
  """Returns J banks of filters, row q - 1 the filter of order q."""
  rng = np.random.default_rng(seed)
  return np.tril(rng.normal(size=(J, Q, Q))).astype(np.float32)


def prediction(kernel_QxQ, x_T, t):
  """Returns what one bank expects of s_{t+1} - 1, from s_t, s_{t-1}, ..."""
  order = min(t + 1, Q)
  taps = kernel_QxQ[order - 1, :order]
  return sum(taps[lag] * (x_T[t - lag] - 1) for lag in range(order))


def spacings():
  return tiny_models.spacings(2, T)


@functools.cache
def fresh(filters):
  config = dataclasses.replace(CONFIG, skip_filters=filters)
  return jax.device_get(jax.jit(functools.partial(spacing.init, config))(jax.random.key(0)))


def params(filters=J):
  config = dataclasses.replace(CONFIG, skip_filters=filters)
  kernel = kernels()[-config.skip_filters :]
  log_scale_Q = np.linspace(-0.5, -0.8, Q).astype(np.float32)
  return config, fresh(filters) | {"skip": {"kernel": kernel, "log_scale": log_scale_Q}}


class SkipTest(parameterized.TestCase):
  @parameterized.parameters(Q, 7, T, 2)
  def test_matrix_equals_a_loop(self, window):
    kernel = kernels()[0]
    expected = np.zeros((window, window))
    for t in range(window):
      for lag in range(min(t + 1, Q)):
        expected[t, t - lag] = kernel[min(t, Q - 1), lag]
    found = jax.jit(functools.partial(spacing.skip_matrix, window=window))(kernel)
    np.testing.assert_array_equal(found, expected)

  def test_each_filter_predicts(self):
    _, p = params()
    x = spacings()
    got = jax.jit(spacing.skip_predictions)(p["skip"]["kernel"], x)
    expected = np.array(
      [[[prediction(k, row, t) for k in kernels()] for t in range(T)] for row in x]
    )
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)

  @parameterized.parameters(1, J)
  def test_closed_head_is_the_last_filter_with_its_own_scale(self, filters):
    config, p = params(filters)
    p["head"] = jax.tree.map(np.zeros_like, p["head"])
    x = spacings()
    got, _ = tiny_models.forward(spacing.apply, config, p, x)
    expected = np.array([[1 + prediction(kernels()[-1], row, t) for t in range(T)] for row in x])
    np.testing.assert_allclose(jax.jit(mixture.mean)(got), expected, atol=1e-5)
    order_T = np.minimum(np.arange(T), Q - 1)
    scale_T = np.exp(p["skip"]["log_scale"])[order_T]
    for k in range(2):
      np.testing.assert_allclose(got.scale[0, :, k], scale_T, rtol=2e-4)

  def test_gates_start_closed(self):
    # A fresh model weighs the filters like the last filter alone.
    config, p = params()
    outs = []
    for scale in (1.0, 100.0):
      kernel = kernels()
      kernel[:-1] *= scale
      p["input"] = jax.tree.map(np.zeros_like, p["input"])
      p["skip"] = p["skip"] | {"kernel": kernel}
      outs.append(tiny_models.forward(spacing.apply, config, p, spacings())[0].mean)
    np.testing.assert_array_equal(*outs)

  def test_tokens_are_told_the_error_of_each_filter(self):
    config, p = params()
    x = spacings()
    rng = np.random.default_rng(3)
    p["input"] = {
      "kernel": rng.normal(size=(1 + J, 8)).astype(np.float32),
      "bias": np.zeros(8, np.float32),
    }
    _, seen = tiny_models.forward(spacing.apply, config, p, x, sites=("embed",))
    told = np.zeros((2, T, 1 + J))
    for b, t in np.ndindex(2, T):
      before = [prediction(k, x[b], t - 1) if t else 0 for k in kernels()]
      told[b, t] = [x[b, t], *(x[b, t] - 1 - np.array(before))]
    expected = told @ p["input"]["kernel"]
    np.testing.assert_allclose(seen["embed"], expected, atol=1e-4)


if __name__ == "__main__":
  absltest.main()
