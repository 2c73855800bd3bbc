"""Steps of a fit whose batch goes through in parts."""

import dataclasses
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.models import fit, optimizer

ROWS, WIDTH = 12, 5
CONFIG = fit.Config(
  steps=4,
  batch_size=ROWS,
  seeds=2,
  dispatch=2,
  evaluate_every=0,
  checkpoint_every=0,
  optimizer=optimizer.Config(rate=1e-2, schedule="constant", clip=0.5),
)


def program() -> fit.Program:
  """Returns the program of two affine maps with a tanh in between."""

  def init(data, key):
    keys = jax.random.split(key)
    return {
      "up": jax.random.normal(keys[0], (WIDTH, 4)),
      "down": jax.random.normal(keys[1], (4,)),
      "dead": jnp.ones(3),  # without effect: decay alone moves it
    }

  def draw(data, key, step):
    first = step * ROWS
    take = lambda x: jax.lax.dynamic_slice_in_dim(x, first, ROWS)
    return jax.tree.map(take, data)

  def loss(params, batch, key, step):
    hidden_BxF = jnp.tanh(batch["x_NxD"] @ params["up"])
    error_B = hidden_BxF @ params["down"] - batch["target_N"]
    return jnp.mean(error_B**2), {}

  return fit.Program(init, draw, loss, lambda *_: jnp.float32(0))


def population(parts: int):
  """Returns the params and mean metrics of a population after three steps."""
  rng = np.random.default_rng(0)
  data = {
    "x_NxD": np.float32(rng.normal(size=(3 * ROWS, WIDTH))),
    "target_N": np.float32(rng.normal(size=3 * ROWS)),
  }
  made = program()._replace(parts=parts)
  transform = optimizer.build(CONFIG.optimizer, CONFIG.steps)
  keys_S = fit.seed_keys(CONFIG)
  start = lambda data, keys_S: fit.init(made, transform, data, keys_S)
  state_S = jax.jit(start)(data, keys_S)
  run = fit.advance(made, transform)
  state_S, mean_S = run(state_S, data, keys_S, np.int32(0), np.int32(3))
  return jax.device_get((state_S.params, mean_S))


def gap(a, b) -> float:
  """Returns the largest difference of two pytrees."""
  far = jax.tree.map(lambda x, y: np.abs(x - y).max(), a, b)
  return max(jax.tree.leaves(far))


class AccumulationTest(absltest.TestCase):
  def test_parts_are_the_whole_batch(self):
    whole, whole_mean = population(1)
    parts, parts_mean = population(4)
    self.assertLess(gap(whole, parts), 1e-6)
    for name in ("loss", "gradient_norm"):
      np.testing.assert_allclose(whole_mean[name], parts_mean[name], rtol=1e-5, err_msg=name)

  def test_rows_that_do_not_divide_are_refused(self):
    with self.assertRaisesRegex(ValueError, "12 rows does not divide into 5"):
      population(5)

  def test_the_fit_takes_its_parts_from_the_config(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    config = dataclasses.replace(CONFIG, accumulation=4)
    self.assertEqual(fit.Fit(program(), config, folder).program.parts, 4)
    with self.assertRaisesRegex(ValueError, "accumulation=0 must be at least 1"):
      dataclasses.replace(CONFIG, accumulation=0)


if __name__ == "__main__":
  absltest.main()
