"""Memory slots of the spacing predictors: parameters, tokens, what is read.

`prefix` slots stand in front of the data and `postfix` slots behind them, each
with an id of its own; a `bank` stands in front without ids, its rows capped
and, in training, dropped at random. `config` is a `spacing.Config`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from primelens.models import blocks

NORM_CAP = 2.0  # no row of a bank is longer at use


def init(config, key) -> dict[str, Any]:
  """Returns slot contents, ids and readout logits, as the memory has them."""
  std, shape = config.trunk.init_std, (config.slots, config.trunk.width)
  key_content, key_id = jax.random.split(key)
  memory = {"content": std * jax.random.normal(key_content, shape)}
  if config.has_slot_ids:
    memory["slot_id"] = std * jax.random.normal(key_id, shape)
  if config.memory == "postfix":
    memory["readout"] = jnp.zeros(config.slots)
  return memory


def capped(content_MxD):
  """Returns every row m as m min(1, 2 / |m|).

  Source: the published memory bank (zeta spec, section 2.5).
  """
  square_M = jnp.sum(content_MxD**2, axis=1)
  long_M = square_M > NORM_CAP**2
  # Shorter rows, zeros among them, stay as they are, to the last bit.
  norm_M = jnp.sqrt(jnp.where(long_M, square_M, NORM_CAP**2))
  return content_MxD * (NORM_CAP / norm_M)[:, None]


def _contents(config, memory, order_M, keep_M):
  """Returns the slot tokens MxD: content plus the ids in the given order."""
  content_MxD = memory["content"]
  if config.slot_content == "zeroed":
    content_MxD = jnp.zeros_like(content_MxD)
  if config.memory == "bank":
    content_MxD = capped(content_MxD)
  if config.has_slot_ids and order_M is not None:
    content_MxD = content_MxD + memory["slot_id"][order_M]
  if keep_M is not None:
    content_MxD = content_MxD * keep_M[:, None]
  return content_MxD


def _order(config, slot_order_M, train: bool):
  """Returns the slot-id order of this pass; None means no ids."""
  if slot_order_M is not None:
    return slot_order_M
  mode = config.slot_ids if train else config.eval_slot_ids
  if mode == "permute_per_batch":
    raise ValueError("permute_per_batch needs slot_order_M in every pass.")
  return None if mode == "off" else jnp.arange(config.slots)


def tokens(config, memory, batch: int, *, order_M, keep_M, dropout_key):
  """Returns the slot tokens BxMxD.

  A bank keeps each slot of each sample with probability `slot_keep` in a
  training pass, without rescaling. Raises `ValueError` where ids permute and
  no order is given.
  """
  train = dropout_key is not None
  if config.has_slot_ids:
    order_M = _order(config, order_M, train)
  slots_MxD = _contents(config, memory, order_M, keep_M)
  slots_BxMxD = jnp.broadcast_to(slots_MxD[None], (batch, *slots_MxD.shape))
  if config.memory != "bank" or not train:
    return slots_BxMxD
  shape = slots_BxMxD.shape[:2]
  keep_BxM = jax.random.bernoulli(dropout_key, config.slot_keep, shape)
  return slots_BxMxD * keep_BxM[..., None].astype(slots_BxMxD.dtype)


def joined(config, x_BxTxD, slots_BxMxD):
  """Returns the trunk's input: slots before or behind the data tokens."""
  parts = (slots_BxMxD, x_BxTxD)
  if config.memory == "postfix":
    parts = parts[::-1]
  return jnp.concatenate(parts, axis=1)


def read(config, params, state_BxLxD):
  """Returns the states the head reads: data positions, or the pooled slots."""
  if config.memory == "none":
    return state_BxLxD
  if config.memory != "postfix":
    return state_BxLxD[:, config.slots :]
  weight_M = jax.nn.softmax(params["memory"]["readout"])
  slots_BxMxD = state_BxLxD[:, -config.slots :].astype(jnp.float32)
  return jnp.einsum("bmd,m->bd", slots_BxMxD, weight_M)[:, None]


def check_none(config) -> None:
  """Raises `ValueError` where the trunk's mask is for slots, but no bank is there."""
  trunk = config.trunk
  need = "is for the slots of model.kind='spacing' with memory='bank'"
  if trunk.mask in blocks.SLOT_MASKS:
    raise ValueError(f"trunk.mask={trunk.mask!r} {need}; without them take 'causal'.")
  if trunk.mask_slots:
    raise ValueError(f"trunk.mask_slots={trunk.mask_slots} {need}; without them take 0.")


def check_bank(config) -> None:
  """Raises `ValueError` where the trunk does not fit a bank of slots."""
  trunk, masks = config.trunk, blocks.SLOT_MASKS
  if trunk.mask not in masks:
    raise ValueError(
      f"trunk.mask={trunk.mask!r} is not one of {', '.join(masks)}, which a memory bank needs."
    )
  starts = {"mask_slots": trunk.mask_slots}
  if trunk.positions == "rotary":
    starts["rotary_start"] = trunk.rotary_start
  for name, value in starts.items():
    if value != config.slots:
      raise ValueError(f"trunk.{name}={value} must be slots={config.slots} with a bank.")
