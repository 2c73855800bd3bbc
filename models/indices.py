"""One-token regressors: the index of a gap in, its z-score out; the trunk with several flows.

Every layer reads a mix of the flows, runs a post-norm block on it and adds the
result back to each flow by a weight of its own: a = sum_f pre_f x_f, x_f <- x_f
+ post_f block(a). Both weights are a softmax over flows of a small network of
all of them. Params: `blocks/...` and `mixer/{up,down}/{kernel,bias}`, all with
a leading L. Source: docs/sources/primes.md, section 7.2.

As published an index is looked up in a learned table or turned into sines and
cosines, and one token goes through the transformer: a softmax over one key is
1, so queries and keys have no effect and a gradient of exactly 0. With
`context` the tokens are the gaps before the one asked for, read at the last.
Params: the trunk's, `embedding/embedding: ExD` or, for a context,
`embedding/{kernel: FxD, bias: D}`, and `head/<layer>/{kernel,bias}`. Source:
docs/sources/primes.md, sections 2 and 7.2.
"""

import dataclasses
import functools
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import attention, causality, transformer
from primelens.tasks import checks

# --- several flows, one block ---------------------------------------------------------------------


def flows_init(config: transformer.Config, flows: int, key: jax.Array):
  """Returns the trunk's parameters, layers stacked along a leading L.

  Mixers ~ U(+-1 / sqrt(inputs)), PyTorch's start of a linear layer.
  """
  key_blocks, key_mixers = jax.random.split(key)
  x_BxTxD = jnp.zeros((1, 1, config.width))
  block = transformer.Block(config)
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


def flows_apply(config: transformer.Config, params, x_BxTxD, *, flows, dropout_key=None):
  """Returns the mean of the flows after all layers, BxTxD of one flow.

  `x_BxTxD` holds the flows side by side.
  """
  train = dropout_key is not None
  block = transformer.Block(config, train)
  shape = (*x_BxTxD.shape[:-1], flows, config.width)

  def body(x, scanned):
    layer, mixer, block_params = scanned
    flat = x.reshape(x_BxTxD.shape)
    mix = affine(mixer["down"], transformer.gelu(affine(mixer["up"], flat)))
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


# --- regressors -----------------------------------------------------------------------------------


SPLIT = 1024  # an index is SPLIT times one part plus another, each exact
Embedding = Literal["learned", "sinusoidal", "sinusoidal_float32_as_published", "context"]


def one_token_trunk(**changes) -> transformer.Config:
  """Returns the published trunk: six pre-norm layers, D = 256, eight heads."""
  options: dict[str, Any] = dict(
    width=256,
    layers=6,
    heads=8,
    hidden=1024,
    max_positions=1,
    positions="none",
    mask="full",
    norm="pre",
    norm_bias=True,
    final_norm=False,
    bias=True,
    dropout=0.1,
    inner_dropout=True,
    embed_dropout=0.0,
    init="torch",
    identical_layers=True,
  )
  return transformer.Config(**options | changes)


def flow_trunk(**changes) -> transformer.Config:
  """Returns the published block of hyper-connections: post-norm, D = 64."""
  options: dict[str, Any] = dict(width=64, norm="post", identical_layers=False)
  return one_token_trunk(**options | changes)


@dataclasses.dataclass(kw_only=True)
class Config(transformer.WithoutSlots):
  """A one-token regressor; the defaults are Plan A's and B's.

  `head` are the widths between the trunk and the answer. `flows` above 1 are
  identity hyper-connections of that many flows, each as wide as the trunk.
  """

  kind: Literal["indices"] = "indices"
  indices: Annotated[int, checks.Range(1, 1_000_000_000)] = 1_000_000
  embedding: Embedding = "learned"
  embedding_std: checks.Weight = 0.02
  features: checks.Amount = 0  # of a token of context
  flows: Annotated[int, checks.Range(1, 1_000)] = 1
  head: Annotated[tuple[checks.Number, ...], checks.Items(0, 100)] = (128, 64)
  trunk: transformer.Config = dataclasses.field(default_factory=one_token_trunk)

  def __post_init__(self):
    super().__post_init__()
    if self.indices > SPLIT**2 and self.embedding == "sinusoidal":
      raise ValueError(f"indices={self.indices} must be at most {SPLIT**2}.")
    if (self.embedding == "context") != bool(self.features):
      raise ValueError(
        f"features={self.features} and embedding={self.embedding!r}: a "
        "context, and nothing else, has features."
      )
    if self.flows > 1 and self.embedding == "context":
      raise ValueError("flows are for one token: embedding is not context.")

  @property
  def width(self) -> int:
    """The width of an embedding."""
    return self.flows * self.trunk.width


@transformer.start
def init(config: Config, key: jax.Array) -> dict[str, Any]:
  """Returns one member's parameters.

  The table ~ N(0, embedding_std^2), linear layers as PyTorch starts them.
  """
  key_trunk, key_embed, key_head = jax.random.split(key, 3)
  params: dict[str, Any] = (
    transformer.init(config.trunk, key_trunk)
    if config.flows == 1
    else flows_init(config.trunk, config.flows, key_trunk)
  )
  if config.embedding == "learned":
    shape = (config.indices, config.width)
    table = config.embedding_std * jax.random.normal(key_embed, shape)
    params["embedding"] = {"embedding": table}
  elif config.embedding == "context":
    params["embedding"] = dense(key_embed, config.features, config.width)
  sizes = (config.trunk.width, *config.head, 1)
  keys = jax.random.split(key_head, len(sizes) - 1)
  params["head"] = {
    str(layer): dense(key, inputs, outputs)
    for layer, (key, inputs, outputs) in enumerate(zip(keys, sizes, sizes[1:], strict=False))
  }
  return params


def sinusoid(index_B, width: int, *, as_published: bool = False) -> jax.Array:
  """Returns sin and cos of index times each rate in turn, BxD, float32.

  The phases are exact: index = 1024 a + b, sines and cosines of both parts
  from float64, and the sum of two angles. `as_published` multiplies in float32,
  which is off by up to .03 radians at a million.
  """
  if as_published:
    rate_1xQ = jnp.asarray(attention.rates(width), jnp.float32)[None]
    phase = index_B[:, None].astype(jnp.float32) * rate_1xQ
    sin, cos = jnp.sin(phase), jnp.cos(phase)
  else:
    angle = np.arange(SPLIT)[:, None] * attention.rates(width)[None]
    fine, coarse = (
      jnp.asarray(np.stack([np.sin(x), np.cos(x)]), jnp.float32) for x in (angle, SPLIT * angle)
    )
    (sin_a, cos_a), (sin_b, cos_b) = (coarse[:, index_B // SPLIT], fine[:, index_B % SPLIT])
    sin = sin_a * cos_b + cos_a * sin_b
    cos = cos_a * cos_b - sin_a * sin_b
  return jnp.stack([sin, cos], axis=-1).reshape(len(index_B), width)


def embedded(config: Config, params, inputs) -> jax.Array:
  """Returns the tokens BxTxD of indices B or of a context BxTxF."""
  if config.embedding == "context":
    return affine(params["embedding"], inputs)
  if config.embedding == "learned":
    return params["embedding"]["embedding"][inputs][:, None]
  published = config.embedding == "sinusoidal_float32_as_published"
  return sinusoid(inputs, config.width, as_published=published)[:, None]


def head(config: Config, params, state_BxD, dropout_key=None) -> jax.Array:
  """Returns the answers B: affine maps with GELU and dropout in between."""
  x = state_BxD.astype(jnp.float32)
  last = len(config.head)
  for layer in range(last + 1):
    x = affine(params["head"][str(layer)], x)
    if layer < last:
      x = transformer.gelu(x)
      if dropout_key is not None:
        key = jax.random.fold_in(dropout_key, layer)
        x = transformer.drop(config.trunk.dropout, key, x)
  return x[:, 0]


def apply(config: Config, params, inputs, *, edits=None, sites=(), dropout_key=None):
  """Returns the answers B in z-scores, and the activations at `sites`.

  Raises `ValueError` for sites or edits of a model with flows.
  """
  key_trunk = key_head = None
  if dropout_key is not None:
    key_trunk, key_head = jax.random.split(dropout_key)
  x_BxTxD = embedded(config, params, inputs)
  record: dict[str, jax.Array] = {}
  if config.flows > 1:
    if edits or sites:
      raise ValueError("A model with flows has no named sites.")
    state_BxTxD = flows_apply(
      config.trunk, params, x_BxTxD, flows=config.flows, dropout_key=key_trunk
    )
  else:
    state_BxTxD, record = transformer.apply(
      config.trunk, params, x_BxTxD, edits=edits, sites=sites, dropout_key=key_trunk
    )
  return head(config, params, state_BxTxD[:, -1], key_head), record


def reading(config: Config) -> causality.Reading:
  """Returns the regressor in small; its one answer is the gap after the whole
  context (or after its one index), which it may read under any mask."""
  context = config.embedding == "context"
  length, count = (causality.LENGTH if context else 1), 5
  features = min(config.features, 3)
  trunk = causality.small(config.trunk, length)
  small = dataclasses.replace(config, indices=count, features=features, head=(4,), trunk=trunk)

  def draw(rng, rows):
    if context:
      return causality.spacings(rng, rows, length, features)
    return rng.integers(0, count, (rows, length))

  def answers(small, params, inputs, **options):
    return apply(small, params, inputs if context else inputs[:, 0], **options)

  return causality.answering(small, init, answers, draw, length)


bind = functools.partial(transformer.bind, apply)  # of a config
