"""What a head reads, and what its output does: traced, of one member."""

from collections.abc import Mapping
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import ablation
from primelens.models import encoder
from primelens.tasks import characters

ROWS = 250  # in one forward pass of a score
EVERYWHERE, LAST = 0, 1  # where a head's output is replaced
_HEAD, _PATTERN = ("attention/head",), ("attention/pattern",)


def with_classes(token_NxT) -> np.ndarray:
  """Returns tokens and their classes together, NxTx2, as `reads` takes them."""
  return np.stack([token_NxT, characters.classes(token_NxT)], -1)


def reads(model: encoder.Config, params, both_BxTx2) -> dict:
  """Returns what the heads attend to in every row.

  `mass` at the last character: the attention on every class, BxLxHxV, and its
  `entropy` over positions in nats, BxLxH; `sweep`: the same masses at every
  query, mean over heads, BxLxTxV (of no meaning at padding).
  """
  token_BxT, class_BxT = both_BxTx2[..., 0], both_BxTx2[..., 1]
  _, record = encoder.states(model, params, token_BxT, sites=_PATTERN)
  pattern_LxBxHxTxT = record["attention/pattern"]
  kind_BxTxV = jax.nn.one_hot(class_BxT, len(characters.CLASSES))
  mass_BxLxHxTxV = jnp.einsum(
    "lbhqk,bkv->blhqv",
    pattern_LxBxHxTxT,
    kind_BxTxV,
    precision=jax.lax.Precision.HIGHEST,
  )
  last_B = last(token_BxT).argmax(1)
  read_BxLxHxT = jnp.moveaxis(pattern_LxBxHxTxT, 1, 0)[
    jnp.arange(len(last_B)), :, :, last_B
  ]
  log_BxLxHxT = jnp.log(jnp.where(read_BxLxHxT > 0, read_BxLxHxT, 1))
  return {
    "mass": mass_BxLxHxTxV[jnp.arange(len(last_B)), :, :, last_B],
    "entropy": -jnp.sum(read_BxLxHxT * log_BxLxHxT, -1),
    "sweep": mass_BxLxHxTxV.mean(2),
  }


def pattern(model: encoder.Config, params, token_BxT) -> jax.Array:
  """Returns the attention of every head, BxLxHxTxT."""
  _, record = encoder.states(model, params, token_BxT, sites=_PATTERN)
  return jnp.moveaxis(record["attention/pattern"], 1, 0)


def said(model: encoder.Config, params, token_BxT) -> dict:
  """Returns the heads' outputs at the last character, and their sum over all
  characters, BxLxHxDh each."""
  _, record = encoder.states(model, params, token_BxT, sites=_HEAD)
  head_BxLxTxHxDh = jnp.moveaxis(record["attention/head"], 1, 0)
  pick = lambda at_BxT: jnp.einsum(
    "blthd,bt->blhd",
    head_BxLxTxHxDh,
    at_BxT.astype(jnp.float32),
    precision=jax.lax.Precision.HIGHEST,
  )
  return {"last": pick(last(token_BxT)), "sum": pick(encoder.keep(token_BxT))}


def last(token_BxT) -> jax.Array:
  """Returns where the last character is, BxT bool."""
  length_B = jnp.sum(encoder.keep(token_BxT), axis=1)
  at_T = jnp.arange(token_BxT.shape[1])
  return at_T[None] == length_B[:, None] - 1


def removals(layers: int, heads: int) -> dict[str, np.ndarray]:
  """Returns all removals, stacked along R: none, then every head everywhere,
  then every head at the last character alone."""
  each_RxLxH = ablation.each_head(layers, heads)
  none_1xLxH = np.ones((1, layers, heads), np.float32)
  at_R = np.repeat([EVERYWHERE, EVERYWHERE, LAST], [1, *2 * [layers * heads]])
  return {
    "keep_LxH": np.concatenate([none_1xLxH, each_RxLxH, each_RxLxH]),
    "at": at_R.astype(np.int32),
  }


@functools.cache
def loss_without(name: str, model_repr: str):
  """Placeholder."""
  raise NotImplementedError


def _edit(removal: Mapping, mean_PxLxHxDh, token_BxT):
  """Returns the edit that puts the mean in the place of a head's output."""
  fill = ablation.mean_heads(removal["keep_LxH"], mean_PxLxHxDh[removal["at"]])
  inside_BxT = last(token_BxT) | (removal["at"] == EVERYWHERE)

  def edit(x_BxTxHxDh, layer):
    filled = fill(x_BxTxHxDh, layer)
    return jnp.where(inside_BxT[..., None, None], filled, x_BxTxHxDh)

  return edit
