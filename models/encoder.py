"""Sequence encoders: characters in, a number or class scores out.

The published one is post-norm and reads every position in both directions; its
answer is a linear map of the state at the last character. Params are the
trunk's, `embedding/embedding: VxD`, `readout/kernel: DxV`, `readout/bias: V`.
"""

import dataclasses
import functools
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from primelens.models import causality, transformer
from primelens.tasks import checks

PAD = 0  # the token that fills a row up


def encoder_trunk(**changes) -> transformer.Config:
  """Returns the published trunk: two post-norm layers, D = 128, four heads.

  Starts as PyTorch's encoder does, but with different layers; the published
  one's are copies (`identical_layers`).
  """
  options: dict[str, Any] = dict(
    width=128,
    layers=2,
    heads=4,
    hidden=256,
    max_positions=512,
    mask="full",
    norm="post",
    norm_bias=True,
    bias=True,
    zero_padding=True,
    dropout=0.1,
    embed_dropout=0.0,
    init="torch",
  )
  return transformer.Config(**options | changes)


@dataclasses.dataclass(kw_only=True)
class Config(transformer.WithoutSlots):
  """A sequence encoder; one output is a regression, more are class scores.

  `checkpoint` is an NPZ with a published network that members start from.
  """

  kind: Literal["encoder"] = "encoder"
  vocabulary: Annotated[int, checks.Range(1, 10_000_000)] = 21
  outputs: Annotated[int, checks.Range(1, 10_000_000)] = 1
  checkpoint: str = ""
  trunk: transformer.Config = dataclasses.field(default_factory=encoder_trunk)


@transformer.start
def init(config: Config, key: jax.Array) -> dict[str, Any]:
  """Returns one member's parameters.

  Embeddings ~ N(0, 1) and readout ~ U(+-1 / sqrt D) as PyTorch starts them,
  else both ~ N(0, init_std^2) without a bias.
  """
  trunk = config.trunk
  key_trunk, key_embed, key_out, key_bias = jax.random.split(key, 4)
  torch = trunk.init == "torch"
  std = 1.0 if torch else trunk.init_std
  shape = (trunk.width, config.outputs)
  if torch:
    bound = trunk.width**-0.5
    draw = lambda key, *shape: jax.random.uniform(key, shape, minval=-bound, maxval=bound)
    kernel, bias = draw(key_out, *shape), draw(key_bias, config.outputs)
  else:
    kernel = std * jax.random.normal(key_out, shape)
    bias = jnp.zeros(config.outputs)
  table = std * jax.random.normal(key_embed, (config.vocabulary, trunk.width))
  return transformer.init(trunk, key_trunk) | {
    "embedding": {"embedding": table},
    "readout": {"kernel": kernel, "bias": bias},
  }


def keep(token_BxT) -> jax.Array:
  """Returns which positions hold a character, BxT."""
  return token_BxT != PAD


def last(token_BxT) -> jax.Array:
  """Returns the position of the last character of each row, B."""
  return jnp.sum(keep(token_BxT), axis=1) - 1


def pooled(state_BxTxD, token_BxT) -> jax.Array:
  """Returns the state at the last character of each row, BxD."""
  return transformer.picked(state_BxTxD, last(token_BxT))[:, 0]


def readout(params, state_BxD) -> jax.Array:
  """Returns the outputs BxV that pooled states give."""
  product_BxV = jnp.matmul(
    state_BxD.astype(jnp.float32), params["readout"]["kernel"], precision=jax.lax.Precision.HIGHEST
  )
  return product_BxV + params["readout"]["bias"][None]


def states(config: Config, params, token_BxT, *, edits=None, sites=(), dropout_key=None, read=None):
  """Returns the final states BxTxD, or Bx1xD at `read`, and the activations at `sites`."""
  return transformer.apply(
    config.trunk,
    params,
    params["embedding"]["embedding"][token_BxT],
    edits=edits,
    sites=sites,
    dropout_key=dropout_key,
    keep_BxT=keep(token_BxT),
    read=read,
  )


def apply(config: Config, params, token_BxT, **options):
  """Returns the outputs BxV and the activations; options as in `states`."""
  state_Bx1xD, record = states(config, params, token_BxT, **options, read=last(token_BxT))
  return readout(params, state_Bx1xD[:, 0]), record


def reading(config: Config) -> causality.Reading:
  """Returns the encoder in small; its one answer comes after the whole prompt,
  whose characters it may all read under any mask."""
  trunk = causality.small(config.trunk, causality.LENGTH)
  small = dataclasses.replace(config, vocabulary=5, trunk=trunk)
  draw = lambda rng, rows: rng.integers(1, small.vocabulary, (rows, causality.LENGTH))
  return causality.answering(small, init, apply, draw)


bind = functools.partial(transformer.bind, apply)  # of a config
