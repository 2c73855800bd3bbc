"""Models small enough to compile in a moment, their params and their inputs."""

import copy
import functools

import jax
import numpy as np
from primelens.models import transformer

TRANSFORMER = transformer.Config(
  width=12, layers=3, heads=3, hidden=20, max_positions=9, dropout=0.0, embed_dropout=0.0
)
B, T, D = 2, 7, 12  # of the transformer's inputs


SHAPES: dict = {}  # of params, by the model and its config


def random_params(model, config, *, mean=0.1, std=0.4, gain=0.0, seed=0):
  """Returns params of a model in which no leaf has its trivial value.

  `model` is the module with `init`; the norms' scales are `gain` larger.
  """
  rng = np.random.default_rng(seed)
  key = (model.__name__, repr(config))
  if key not in SHAPES:
    SHAPES[key] = jax.eval_shape(lambda key: model.init(config, key), jax.random.key(0))

  def draw(path, leaf):
    is_gain = jax.tree_util.keystr(path, simple=True).endswith("scale")
    return np.float32(gain * is_gain + rng.normal(mean, std, leaf.shape))

  return jax.tree_util.tree_map_with_path(draw, SHAPES[key])


@functools.cache
def params():
  """Returns the transformer's params: every site matters, gains near 1."""
  return random_params(transformer, TRANSFORMER, mean=0.0, std=0.3, gain=1.0)


@functools.cache
def inputs():
  """Returns inputs of the transformer, BxTxD."""
  rng = np.random.default_rng(1)
  return rng.normal(size=(B, T, D)).astype(np.float32)


PROGRAMS: dict = {}  # forward passes, by their function, config and options


def forward(apply, config, params, x, **options):
  """Returns what a model makes of its inputs, as numpy arrays; compiled once for each config."""
  arrays = {name: v for name, v in options.items() if isinstance(v, np.ndarray | jax.Array)}
  static = {name: v for name, v in options.items() if name not in arrays}
  hashed = lambda v: tuple(sorted(v.items())) if isinstance(v, dict) else v
  key = (apply, repr(config), *((name, hashed(static[name])) for name in sorted(static)))
  if key not in PROGRAMS:
    of = functools.partial(apply, copy.deepcopy(config), **static)
    PROGRAMS[key] = jax.jit(lambda params, x, arrays: of(params, x, **arrays))
  return jax.device_get(PROGRAMS[key](params, x, arrays))


def run(config, params, x_BxTxD, **options):
  """Returns the transformer's output and activations, compiled."""
  return forward(transformer.apply, config, params, x_BxTxD, **options)


def spacings(batch, length, seed=1):
  """Returns spacings BxT of mean 1."""
  rng = np.random.default_rng(seed)
  return rng.gamma(6.0, 1 / 6.0, (batch, length)).astype(np.float32)
