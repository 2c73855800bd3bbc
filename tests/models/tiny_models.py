"""Models small enough to compile in a moment, their params and their inputs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import transformer

TRANSFORMER = transformer.Config(
  width=12, layers=3, heads=3, hidden=20, max_positions=9, dropout=0.0, embed_dropout=0.0
)
B, T, D = 2, 7, 12  # of the transformer's inputs


def random_params(model, config, *, mean=0.1, std=0.4, gain=0.0, seed=0):
  """Returns params of a model in which no leaf has its trivial value.

  `model` is the module with `init`; the norms' scales are `gain` larger.
  """
  rng = np.random.default_rng(seed)
  shapes = jax.eval_shape(lambda key: model.init(config, key), jax.random.key(0))

  def draw(path, leaf):
    is_gain = jax.tree_util.keystr(path, simple=True).endswith("scale")
    return jnp.float32(gain * is_gain + rng.normal(mean, std, leaf.shape))

  return jax.tree_util.tree_map_with_path(draw, shapes)


@functools.cache
def params():
  """Returns the transformer's params: every site matters, gains near 1."""
  return random_params(transformer, TRANSFORMER, mean=0.0, std=0.3, gain=1.0)


@functools.cache
def inputs():
  """Returns inputs of the transformer, BxTxD."""
  rng = np.random.default_rng(1)
  return rng.normal(size=(B, T, D)).astype(np.float32)


def run(config, params, x_BxTxD, **options):
  """Returns the transformer's output and activations, compiled."""
  forward = functools.partial(transformer.apply, config, **options)
  return jax.jit(forward)(params, x_BxTxD)


def spacings(batch, length, seed=1):
  """Returns spacings BxT of mean 1."""
  rng = np.random.default_rng(seed)
  return rng.gamma(6.0, 1 / 6.0, (batch, length)).astype(np.float32)
