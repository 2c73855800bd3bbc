"""Gradients in parts against those of the whole batch, in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.models import optimizer


def loss(params, batch, key, step):
  """Returns a mean of squares plus key noise, whose gradients are plain."""
  error_B = batch["x_BxD"] @ params["w"] - batch["y_B"]
  noise = jax.random.normal(key) * params["v"]
  value = jnp.mean(error_B**2) + noise + step * params["v"]
  return value, {"first": batch["y_B"][0], "noise": noise}


def arrays():
  """Returns params and a batch of twelve rows."""
  rng = np.random.default_rng(0)
  draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
  params = {"w": draw(3), "v": np.float32(2)}
  return params, {"x_BxD": draw(12, 3), "y_B": draw(12)}


class PartsTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, 3, 4, 12)
  def test_equals_the_closed_form(self, parts):
    params, batch = arrays()
    key, step = jax.random.key(3), 5
    of = jax.jit(optimizer.gradients_in_parts(loss, parts))
    (value, metrics), grads = of(params, batch, key, step)
    keys = jax.random.split(key, parts) if parts > 1 else key[None]
    noise = np.mean([float(jax.random.normal(k)) for k in keys])
    x, y = np.float64(batch["x_BxD"]), np.float64(batch["y_B"])
    error_B = x @ params["w"] - y
    expected = 2 * x.T @ error_B / 12
    np.testing.assert_allclose(grads["w"], expected, atol=1e-6)
    self.assertAlmostEqual(float(grads["v"]), noise + step, places=5)
    total = np.mean(error_B**2) + 2 * (noise + step)
    self.assertAlmostEqual(float(value), total, places=5)
    self.assertAlmostEqual(float(metrics["noise"]), 2 * noise, places=5)
    # Parts are consecutive: the mean of their first rows.
    first = y[:: 12 // parts].mean()
    self.assertAlmostEqual(float(metrics["first"]), first, places=6)

  @parameterized.parameters(5, 8, 24)
  def test_rows_that_do_not_divide_are_refused(self, parts):
    params, batch = arrays()
    message = f"12 rows does not divide into {parts} parts: change fit.batch"
    with self.assertRaisesRegex(ValueError, message):
      optimizer.gradients_in_parts(loss, parts)(params, batch, jax.random.key(0), 0)


if __name__ == "__main__":
  absltest.main()
