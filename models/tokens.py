"""Token classifiers: token embedding, the transformer, an unembedding.

Read at the last position. Params are the trunk's, `embedding/embedding: VxD`
and `unembed/kernel: DxV` with V classes.
"""

import dataclasses
import functools
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from primelens.models import causality, transformer
from primelens.tasks import checks


def plain_trunk(**changes) -> transformer.Config:
  """Returns the published trunk: one layer, no norm, no bias, ReLU.

  All weights ~ N(0, (0.8 / sqrt D)^2).
  """
  options = dict(
    width=128,
    layers=1,
    heads=4,
    hidden=512,
    max_positions=3,
    norm="none",
    final_norm=False,
    activation="relu",
    dropout=0.0,
    embed_dropout=0.0,
    init="normal",
    init_std=0.8 / 128**0.5,
  )
  return transformer.Config(**options | changes)


@dataclasses.dataclass(kw_only=True)
class Config(transformer.WithoutSlots):
  """A token classifier; the defaults are the published adder's, P = 10.

  `torch_seeds` gives each population member the published initial weights of
  a PyTorch seed; without them every member starts from its own JAX key.
  `torch_jitter` shakes them: weights times 1 + jitter N(0, 1), of that key, to
  see what rounding alone does to a published network.
  """

  kind: Literal["tokens"] = "tokens"
  vocabulary: Annotated[int, checks.Range(1, 10_000_000)] = 11
  classes: Annotated[int, checks.Range(1, 10_000_000)] = 20
  torch_seeds: Annotated[tuple[checks.Seed, ...], checks.Items(0, 100_000)] = ()
  torch_order: Literal["new", "old"] = "new"
  torch_jitter: checks.Weight = 0.0
  trunk: transformer.Config = dataclasses.field(default_factory=plain_trunk)


@transformer.start
def init(config: Config, key: jax.Array) -> dict[str, Any]:
  """Returns one member's parameters; embeddings ~ N(0, init_std^2)."""
  trunk = config.trunk
  key_trunk, key_embed, key_unembed = jax.random.split(key, 3)
  normal = lambda key, *shape: trunk.init_std * jax.random.normal(key, shape)
  return transformer.init(trunk, key_trunk) | {
    "embedding": {"embedding": normal(key_embed, config.vocabulary, trunk.width)},
    "unembed": {"kernel": normal(key_unembed, trunk.width, config.classes)},
  }


def shaken(params, key: jax.Array, jitter: float):
  """Returns the params times 1 + jitter N(0, 1), a number for each weight."""
  leaves, treedef = jax.tree.flatten(params)
  keys = jax.random.split(key, len(leaves))
  return jax.tree.unflatten(
    treedef,
    [
      leaf * (1 + jitter * jax.random.normal(key, leaf.shape, leaf.dtype))
      for leaf, key in zip(leaves, keys, strict=True)
    ],
  )


def apply(config: Config, params, token_BxT, *, edits=None, sites=(), dropout_key=None):
  """Returns the logits BxV at the last position, and the activations."""
  x_BxTxD = params["embedding"]["embedding"][token_BxT]
  state_Bx1xD, record = transformer.apply(
    config.trunk, params, x_BxTxD, edits=edits, sites=sites, dropout_key=dropout_key, read=-1
  )
  return unembed(params, state_Bx1xD[:, 0]), record


def unembed(params, state_BxD) -> jax.Array:
  """Returns the logits BxV that final states give."""
  return jnp.matmul(
    state_BxD.astype(jnp.float32), params["unembed"]["kernel"], precision=jax.lax.Precision.HIGHEST
  )


def reading(config: Config) -> causality.Reading:
  """Returns the classifier in small; its one answer comes after the whole
  prompt, whose tokens it may all read under any mask."""
  trunk = causality.small(config.trunk, causality.LENGTH)
  small = dataclasses.replace(config, vocabulary=5, classes=3, trunk=trunk)
  draw = lambda rng, rows: rng.integers(0, small.vocabulary, (rows, causality.LENGTH))
  return causality.answering(small, init, apply, draw)


bind = functools.partial(transformer.bind, apply)  # of a config


def margin_nll(logit_NxV, label_N) -> jax.Array:
  """Returns -ln softmax(logit)[label] in nats, N, exact down to 1e-30.

  softplus(logsumexp over the other classes - l_y): in float32 the usual
  difference of logits and logsumexp loses every digit below 1e-7.
  """
  hot_NxV = jax.nn.one_hot(label_N, logit_NxV.shape[-1], dtype=bool)
  own_N = jnp.sum(jnp.where(hot_NxV, logit_NxV, 0), axis=-1)
  other_NxV = jnp.where(hot_NxV, -jnp.inf, logit_NxV)
  return jax.nn.softplus(jax.nn.logsumexp(other_NxV, axis=-1) - own_N)
