"""The transformer: one config, one block, named sites, edits.

Params of the trunk: `positions/embedding: TxD` (learned positions only),
`blocks/...` with a leading L axis on every leaf, `final_norm/...`.

Sites, in order of the forward pass (`layer` is None at the unlayered ones):
`embed`; `residual/pre`, `attention/query|key|value|scores|pattern|head`,
`attention/out`, `residual/mid`, `mlp/pre|post|out`, `residual/post`; `final`.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import attention, blocks

Config = blocks.Config
# Where the heads are: the output kernels `LxHxDhxD` and their head axis
# (without L), for weight-side head removal.
HEAD_OUTPUTS = (r"blocks/attention/out/kernel", 0)
SITES = (
  "embed",
  "residual/pre",
  "attention/query",
  "attention/key",
  "attention/value",
  "attention/scores",
  "attention/pattern",
  "attention/head",
  "attention/out",
  "residual/mid",
  "mlp/pre",
  "mlp/post",
  "mlp/out",
  "residual/post",
  "final",
)
_NEEDS_PATTERN = {"attention/scores", "attention/pattern"}


def _tap(edits: Mapping, sites, layer):
  """Returns a function that edits and records a named value, and the record."""
  record: dict[str, jax.Array] = {}

  def tap(name, value):
    if name in edits:
      value = edits[name](value, layer)
    if name in sites:
      record[name] = value
    return value

  return tap, record


_BOUND: dict[tuple[Callable, str], Callable] = {}


def bind(apply: Callable, config: Any) -> Callable:
  """Returns a model's `apply` closed over its config: the same object for equal configs.

  A stable identity keeps jit caches warm across calls.
  """
  fixed = copy.deepcopy(config)
  bound = lambda params, inputs, **options: apply(fixed, params, inputs, **options)
  return _BOUND.setdefault((apply, repr(config)), bound)


def init(config: blocks.Config, key: jax.Array) -> dict[str, Any]:
  """Returns the trunk's parameters, blocks stacked along a leading L."""
  key_blocks, key_positions = jax.random.split(key)
  keys_L = jax.random.split(key_blocks, config.layers)
  if config.identical_layers:  # torch's encoder deep-copies one layer
    keys_L = jnp.broadcast_to(keys_L[:1], keys_L.shape)
  x_BxTxD = jnp.zeros((1, 2, config.width))
  tap, _ = _tap({}, (), None)
  block_init = lambda key: blocks.Block(config).init(key, x_BxTxD, tap)["params"]
  params = {"blocks": jax.vmap(block_init)(keys_L)}
  if config.positions == "learned":
    shape = (config.max_positions, config.width)
    std = 1.0 if config.init == "torch" else config.init_std
    table = std * jax.random.normal(key_positions, shape)
    params["positions"] = {"embedding": table}
  if config.final_norm:
    final = blocks.norm(config, "final_norm")
    params["final_norm"] = final.init(key, x_BxTxD)["params"]
  return params


def _add_positions(config: blocks.Config, params, x_BxTxD):
  """Returns the embeddings plus the position code of 0..T-1."""
  length = x_BxTxD.shape[1]
  if config.positions == "learned":
    table_TxD = params["positions"]["embedding"]
  elif config.positions == "sinusoidal":
    table_TxD = attention.sinusoids(config.max_positions, config.width)
  else:
    return x_BxTxD
  if length > table_TxD.shape[0]:
    raise ValueError(f"{length} positions do not fit max_positions={table_TxD.shape[0]}.")
  return x_BxTxD + jnp.asarray(table_TxD[:length], x_BxTxD.dtype)[None]


def _mask(config: blocks.Config, length: int, keep_BxT):
  """Returns the mask beyond plain causality as BxTxT, or None."""
  mask = None
  if config.mask in blocks.SLOT_MASKS:
    mask = attention.table(config.mask, length, config.mask_slots)[None]
  if keep_BxT is not None:
    keep = keep_BxT[:, None, :].astype(bool)
    mask = keep if mask is None else mask & keep
  return mask


def _check_sites(names) -> None:
  unknown = sorted(set(names) - set(SITES))
  if unknown:
    raise ValueError(f"Unknown sites {unknown}; valid: {', '.join(SITES)}.")


def drop(rate: float, key, x):
  """Returns x with a share `rate` of its numbers at 0, the others scaled up;
  x itself without a key."""
  if key is None or not rate:
    return x
  keep = jax.random.bernoulli(key, 1 - rate, x.shape)
  return jnp.where(keep, x / (1 - rate), 0)


def _stack(config, params, x_BxTxD, *, edits, sites, mask, dropout_key):
  """Runs the blocks by scan; returns the last state and layered records."""
  train = dropout_key is not None
  explicit = bool(_NEEDS_PATTERN & (set(edits) | set(sites))) or (train and config.dropout > 0)
  block = blocks.Block(config, train)

  def body(x, scanned):
    layer, block_params = scanned
    tap, record = _tap(edits, sites, layer)
    rngs = None
    if train:
      rngs = {"dropout": jax.random.fold_in(dropout_key, layer)}
    x = block.apply({"params": block_params}, x, tap, mask, explicit, rngs=rngs)
    return x, record

  layers_L = jnp.arange(config.layers)
  return jax.lax.scan(body, x_BxTxD, (layers_L, params["blocks"]))


def apply(
  config: blocks.Config, params, x_BxTxD, *, edits=None, sites=(), dropout_key=None, keep_BxT=None
):
  """Returns the final states BxTxD and the activations at `sites`.

  h = x + positions; L blocks; final norm. `edits[site]` is `f(x, layer) -> x`,
  applied before the site is recorded. `keep_BxT` is 1 at real positions, 0 at
  padding. With `dropout_key` the pass is a training pass. Raises `ValueError`
  for an unknown site or more positions than the table has.
  """
  edits = edits or {}
  _check_sites((*edits, *sites))
  tap, record = _tap(edits, sites, None)
  x = tap("embed", x_BxTxD.astype(config.dtype))
  x = _add_positions(config, params, x)
  if dropout_key is not None:
    dropout_key, key = jax.random.split(dropout_key)
    x = drop(config.embed_dropout, key, x)
  mask = _mask(config, x.shape[1], keep_BxT)
  x, layered = _stack(
    config, params, x, edits=edits, sites=sites, mask=mask, dropout_key=dropout_key
  )
  if config.zero_padding and keep_BxT is not None:
    x = x * keep_BxT[..., None].astype(x.dtype)
  if config.final_norm:
    x = blocks.norm(config, "final_norm").apply({"params": params["final_norm"]}, x)
  x = tap("final", x)
  return x, record | layered


def parameter_count(params) -> int:
  """Returns how many numbers a pytree of arrays (or shapes) holds."""
  return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))
