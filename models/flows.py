"""The trunk with identity hyper-connections: several flows, one block.

Every layer reads a mix of the flows, runs a post-norm block on it and adds the
result back to each flow by a weight of its own: a = sum_f pre_f x_f, x_f <- x_f
+ post_f block(a). Both weights are a softmax over flows of a small network of
all of them. Params: `blocks/...` and `mixer/{up,down}/{kernel,bias}`, all with
a leading L. Source: primes spec, section 7.2.
"""

from typing import Any

import jax
import jax.numpy as jnp
from primelens.models import blocks


def init(config: blocks.Config, flows: int, key: jax.Array):
  """Returns the trunk's parameters, layers stacked along a leading L.

  Mixers ~ U(+-1 / sqrt(inputs)), PyTorch's start of a linear layer.
  """
  key_blocks, key_mixers = jax.random.split(key)
  x_BxTxD = jnp.zeros((1, 1, config.width))
  block = blocks.Block(config)
  keys_L = jax.random.split(key_blocks, config.layers)
  if config.identical_layers:
    keys_L = jnp.broadcast_to(keys_L[:1], keys_L.shape)
  start = lambda key: block.init(key, x_BxTxD, _untapped)["params"]
  keys_up, keys_down = jax.random.split(key_mixers)
  wide, narrow = flows * config.width, 2 * flows
  return {
    "blocks": jax.vmap(start)(keys_L),
    "mixer": {
      "up": dense(keys_up, wide, narrow, config.layers),
      "down": dense(keys_down, narrow, narrow, config.layers),
    },
  }


def dense(key: jax.Array, inputs: int, outputs: int, *leading: int):
  """Returns a kernel and bias ~ U(+-1 / sqrt(inputs)), as PyTorch starts."""
  key_kernel, key_bias = jax.random.split(key)
  draw = lambda key, *shape: jax.random.uniform(
    key, (*leading, *shape), minval=-(inputs**-0.5), maxval=inputs**-0.5
  )
  return {"kernel": draw(key_kernel, inputs, outputs), "bias": draw(key_bias, outputs)}


def _untapped(name, value):
  del name
  return value


def affine(params, x):
  """Returns x kernel + bias, over the last axis."""
  bias = params["bias"].reshape((1,) * (x.ndim - 1) + (-1,))
  return jnp.matmul(x, params["kernel"]) + bias


def apply(config: blocks.Config, params, x_BxTxD, *, flows, dropout_key=None):
  """Returns the mean of the flows after all layers, BxTxD of one flow.

  `x_BxTxD` holds the flows side by side.
  """
  train = dropout_key is not None
  block = blocks.Block(config, train)
  shape = (*x_BxTxD.shape[:-1], flows, config.width)

  def body(x, scanned):
    layer, mixer, block_params = scanned
    flat = x.reshape(x_BxTxD.shape)
    mix = affine(mixer["down"], blocks.gelu(affine(mixer["up"], flat)))
    into, back = (jax.nn.softmax(part, axis=-1)[..., None] for part in jnp.split(mix, 2, axis=-1))
    rngs = None
    if train:
      rngs = {"dropout": jax.random.fold_in(dropout_key, layer)}
    change: Any = block.apply(
      {"params": block_params}, jnp.sum(into * x, axis=-2), _untapped, None, True, rngs=rngs
    )
    return x + back * change[..., None, :], None

  layers_L = jnp.arange(config.layers)
  stacked = (layers_L, params["mixer"], params["blocks"])
  x, _ = jax.lax.scan(body, x_BxTxD.reshape(shape), stacked)
  return jnp.mean(x, axis=-2)
