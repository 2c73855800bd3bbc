"""What a head reads, and what its output does: traced, of one member."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import ablation
from primelens.models import encoder, tokens
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
    "lbhqk,bkv->blhqv", pattern_LxBxHxTxT, kind_BxTxV, precision=jax.lax.Precision.HIGHEST
  )
  last_B = last(token_BxT).argmax(1)
  read_BxLxHxT = jnp.moveaxis(pattern_LxBxHxTxT, 1, 0)[jnp.arange(len(last_B)), :, :, last_B]
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
def loss_without(apply):
  """Returns `f(bundle, removal, token_NxT, target_N) -> loss`, the mean over
  rows with one head's output replaced by its mean.

  A bundle has the params and the `mean_PxLxHxDh` of every head's outputs,
  EVERYWHERE over all characters, LAST over the last ones.
  """

  def score(bundle, removal, token_NxT, target_N):
    def one(row):
      token_1xT = row["token_T"][None]
      edit = _replaced(removal, bundle["mean_PxLxHxDh"], token_1xT)
      output_1xV, _ = apply(bundle["params"], token_1xT, edits={"attention/head": edit})
      return losses(output_1xV, row["target"][None])[0]

    rows = {"token_T": token_NxT, "target": target_N}
    return jax.lax.map(one, rows, batch_size=ROWS).mean()

  return score


def losses(output_BxV, target_B) -> jax.Array:
  """Returns every row's squared error, or its NLL in nats."""
  if output_BxV.shape[-1] == 1:
    return (output_BxV[:, 0] - target_B) ** 2
  return tokens.margin_nll(output_BxV, target_B)


def _replaced(removal: Mapping, mean_PxLxHxDh, token_BxT):
  """Returns the edit that puts the mean in the place of a head's output."""
  fill = ablation.mean_heads(removal["keep_LxH"], mean_PxLxHxDh[removal["at"]])
  inside_BxT = last(token_BxT) | (removal["at"] == EVERYWHERE)

  def edit(x_BxTxHxDh, layer):
    filled = fill(x_BxTxHxDh, layer)
    return jnp.where(inside_BxT[..., None, None], filled, x_BxTxHxDh)

  return edit


def paths(layers: int, heads: int) -> dict[str, np.ndarray]:
  """Returns the patches, stacked along R: every head by all its paths, then
  every head but the last layer's, which have no other, by its direct one."""
  each_RxLxH = 1 - ablation.each_head(layers, heads)
  earlier = (layers - 1) * heads
  direct_R = np.repeat([0.0, 1.0], [layers * heads, earlier])
  return {
    "patch_LxH": np.concatenate([each_RxLxH, each_RxLxH[:earlier]]),
    "direct": direct_R.astype(np.float32),
  }


@functools.cache
def moved(apply):
  """Returns `f(params, patch, token_BxT) -> share` of the way from the rows'
  answers to their donors', the next rows.

  One head's output at the last character is that of the donor's. By its
  direct path the later heads, at every character, say what they said before,
  so that it goes through the residual stream and the MLPs alone. With c, d, p
  the outputs of row, donor and patched row (class scores about their mean):
  sum (p - c)(d - c) / sum (d - c)^2.
  """

  def score(params, patch, token_BxT):
    clean_BxV, record = apply(params, token_BxT, sites=_HEAD)
    edit = _patched(patch, record["attention/head"], last(token_BxT))
    found_BxV, _ = apply(params, token_BxT, edits={"attention/head": edit})
    way_BxV = _about(jnp.roll(clean_BxV, -1, axis=0) - clean_BxV)
    done_BxV = _about(found_BxV - clean_BxV)
    return jnp.sum(done_BxV * way_BxV) / jnp.sum(way_BxV**2)

  return score


def _about(score_BxV):
  """Returns class scores about their mean, which means nothing; a single
  output as it is."""
  if score_BxV.shape[-1] == 1:
    return score_BxV
  return score_BxV - score_BxV.mean(-1, keepdims=True)


def _patched(patch, clean_LxBxTxHxDh, last_BxT):
  """Returns the edit that brings one head's last output from the next row."""
  said_LxBxHxDh = jnp.einsum(
    "lbthd,bt->lbhd",
    clean_LxBxTxHxDh,
    last_BxT.astype(jnp.float32),
    precision=jax.lax.Precision.HIGHEST,
  )
  donor_LxBxHxDh = jnp.roll(said_LxBxHxDh, -1, axis=1)
  layer_of = jnp.argmax(patch["patch_LxH"].max(1))

  def edit(x_BxTxHxDh, layer):
    head_H = patch["patch_LxH"][layer] > 0
    x_BxTxHxDh = jnp.where(
      last_BxT[..., None, None] & head_H[None, None, :, None],
      donor_LxBxHxDh[layer][:, None],
      x_BxTxHxDh,
    )
    still = (patch["direct"] > 0) & (layer > layer_of)
    return jnp.where(still, clean_LxBxTxHxDh[layer], x_BxTxHxDh)

  return edit
