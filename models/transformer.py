"""The transformer: one config, one block, named sites, edits.

Pre-, post- or no norm; biases or none; exact GELU or ReLU; learned,
sinusoidal, rotary or no positions; causal, full or slot masks; dropout.

Params of the trunk: `positions/embedding: TxD` (learned positions only),
`blocks/...` with a leading L axis on every leaf, `final_norm/...`.

Sites, in order of the forward pass (`layer` is None at the unlayered ones):
`embed`; `residual/pre`, `attention/query|key|value|scores|pattern|head`,
`attention/out`, `residual/mid`, `mlp/pre|post|out`, `residual/post`; `final`.
"""

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from primelens.models import attention
from primelens.tasks import checks

# --- the block ------------------------------------------------------------------------------------


# Those with memory positions in front of causal data; see `attention.table`.
SLOT_MASKS = ("leaky_as_published", "memory_blind")


@dataclasses.dataclass(kw_only=True)
class Config:
  """The block of all four studies; defaults are the zeros study's."""

  width: Annotated[int, checks.Range(1, 100_000)] = 256
  layers: Annotated[int, checks.Range(1, 1_000)] = 6
  heads: Annotated[int, checks.Range(1, 100_000)] = 8
  hidden: checks.Number = 1024
  max_positions: Annotated[int, checks.Range(1, 10_000_000)] = 256
  positions: Literal["learned", "sinusoidal", "rotary", "none"] = "learned"
  rotary_start: Annotated[int, checks.Range(0, 10_000)] = (
    0  # rotary turns positions from here on, 0-based there
  )
  mask: Literal["causal", "full", "leaky_as_published", "memory_blind"] = "causal"
  mask_slots: Annotated[int, checks.Range(0, 10_000)] = (
    0  # leading memory positions of the two slot masks
  )
  norm: Literal["pre", "post", "none"] = "pre"
  norm_bias: bool = False
  norm_eps: checks.Share = 1e-5
  final_norm: bool = True
  bias: bool = False
  activation: Literal["gelu", "relu"] = "gelu"
  zero_padding: bool = False  # before the final norm, as torch's fast path
  dropout: Annotated[float, checks.Range(0, 1, "[)")] = 0.1
  embed_dropout: Annotated[float, checks.Range(0, 1, "[)")] = 0.1
  init: Literal["gpt2", "normal", "torch"] = "gpt2"
  init_std: checks.Weight = 0.02
  identical_layers: bool = False
  dtype: Literal["float32", "bfloat16"] = "float32"
  inner_dropout: bool = False  # inside the MLP, as torch's layer; post: always
  implementation: Literal["auto", "blocks", "xla", "cudnn", "mismatched"] = "auto"
  mismatch: checks.Weight = 1e-3  # of the mismatched backward pass, for one key

  def __post_init__(self):
    checks.fields(self)
    if self.width % self.heads:
      raise checks.FieldError(f"width={self.width} is not a multiple of heads={self.heads}.")

  @property
  def head_width(self) -> int:
    return self.width // self.heads


def check_no_slots(config: Any) -> None:
  """Raises `ValueError` where the mask of a model's trunk is for slots, which the model lacks."""
  trunk = config.trunk
  need = "is for the slots of model.kind='spacing' with memory='bank'"
  if trunk.mask in SLOT_MASKS:
    raise ValueError(f"trunk.mask={trunk.mask!r} {need}; without them take 'causal'.")
  if trunk.mask_slots:
    raise ValueError(f"trunk.mask_slots={trunk.mask_slots} {need}; without them take 0.")


@dataclasses.dataclass(kw_only=True)
class WithoutSlots:
  """The checks of a model's config whose `trunk` has no memory slots around the data."""

  def __post_init__(self):
    checks.fields(self)
    check_no_slots(self)


def _uniform(bound: float):
  def init(key, shape, dtype=jnp.float32):
    return jax.random.uniform(key, shape, dtype, -bound, bound)

  return init


def _initializers(config: Config) -> dict[str, Callable]:
  """Returns the initializer of each weight by role."""
  std, width, hidden = config.init_std, config.width, config.hidden
  normal = nn.initializers.normal(std)
  if config.init == "normal":
    return dict.fromkeys(("qkv", "out", "up", "down"), normal) | {
      "bias": lambda _: nn.initializers.zeros
    }
  if config.init == "torch":  # Xavier on the packed 3DxD in-projection
    roles = {
      "qkv": _uniform((6 / (4 * width)) ** 0.5),
      "out": _uniform(width**-0.5),
      "up": _uniform(width**-0.5),
      "down": _uniform(hidden**-0.5),
    }
    biases = {"up": _uniform(width**-0.5), "down": _uniform(hidden**-0.5)}
    zeros = nn.initializers.zeros
    return roles | {"bias": lambda role: biases.get(role, zeros)}
  residual = nn.initializers.normal(std / (2 * config.layers) ** 0.5)
  return {
    "qkv": normal,
    "out": residual,
    "up": normal,
    "down": residual,
    "bias": lambda _: nn.initializers.zeros,
  }


def norm(config: Config, name: str) -> nn.Module:
  """Returns the config's LayerNorm: gain, with or without a bias."""
  return nn.LayerNorm(
    epsilon=config.norm_eps,
    use_bias=config.norm_bias,
    use_fast_variance=False,  # E[x^2] - E[x]^2 cancels; torch does not do it
    dtype=config.dtype,
    name=name,
  )


class Attention(nn.Module):
  """Multi-head attention; heads are an axis, never a channel slice."""

  config: Config
  train: bool

  def project(self, role: str, features, axis=-1, init="qkv"):
    roles = _initializers(self.config)
    return nn.DenseGeneral(
      features,
      axis=axis,
      use_bias=self.config.bias,
      kernel_init=roles[init],
      bias_init=roles["bias"](init),
      dtype=self.config.dtype,
      name=role,
    )

  @nn.compact
  def __call__(self, x_BxTxD, tap, mask_BxTxT, explicit, read=None):
    c = self.config
    shape = (c.heads, c.head_width)
    mask: Literal["causal", "full"] = "causal" if c.mask == "causal" else "full"
    asking = {"query": picked(x_BxTxD, read), "key": x_BxTxD, "value": x_BxTxD}
    q, k, v = (tap(f"attention/{role}", self.project(role, shape)(x)) for role, x in asking.items())
    if read is not None:
      mask, mask_BxTxT = "full", _row(attention.allowed(mask, k.shape[1], mask_BxTxT), read)
    if c.positions == "rotary":
      q, k = (attention.rotary(z, start=c.rotary_start) for z in (q, k))
    if c.implementation == "mismatched":
      head = self.mismatched(q, k, v)
    elif explicit:
      head = self.weighted(q, k, v, tap, mask, mask_BxTxT)
    else:
      implementation = c.implementation if read is None else "xla"  # of one query there are no more
      head = attention.attend(
        q, k, v, mask=mask, mask_BxTxT=mask_BxTxT, implementation=implementation
      )
    head = tap("attention/head", head)
    out = self.project("out", c.width, axis=(-2, -1), init="out")(head)
    return tap("attention/out", out)

  def mismatched(self, q, k, v):
    """Returns the heads of one key, with gradients that are not exactly 0.

    Dropout of a pattern of one key drops whole heads.
    """
    if self.is_initializing():
      return v
    drop = nn.Dropout(self.config.dropout, broadcast_dims=(-1,), deterministic=not self.train)
    return drop(attention.mismatched(q, k, v, self.config.mismatch))

  def weighted(self, q, k, v, tap, mask, mask_BxTxT):
    """Returns the heads by way of the named scores and pattern."""
    scores = tap("attention/scores", attention.scores(q, k))
    mask_BxTxT = attention.allowed(mask, q.shape[1], mask_BxTxT)
    pattern = tap("attention/pattern", attention.pattern(scores, mask_BxTxT))
    pattern = nn.Dropout(self.config.dropout, deterministic=not self.train)(pattern)
    return attention.weighted(pattern, v)


def gelu(x):
  """Returns the exact GELU, x (1 + erf(x / sqrt 2)) / 2.

  `jax.nn.gelu` goes by erfc, which has two branches and is slower on a CPU.
  """
  return 0.5 * x * (1 + jax.lax.erf(x * 0.5**0.5))


def _by_token(dense, x_BxTxD):
  """Returns the dense layer of a flat list of tokens: one large product, where
  the CPU compiler would make a small one per sequence."""
  flat_ExF = dense(x_BxTxD.reshape(-1, x_BxTxD.shape[-1]))
  return flat_ExF.reshape(*x_BxTxD.shape[:-1], -1)


class Mlp(nn.Module):
  """Two affine maps around the activation."""

  config: Config
  train: bool

  def project(self, role: str, features: int):
    roles = _initializers(self.config)
    return nn.Dense(
      features,
      use_bias=self.config.bias,
      kernel_init=roles[role],
      bias_init=roles["bias"](role),
      dtype=self.config.dtype,
      name=role,
    )

  @nn.compact
  def __call__(self, x_BxTxD, tap):
    c = self.config
    pre = tap("mlp/pre", _by_token(self.project("up", c.hidden), x_BxTxD))
    post = tap("mlp/post", nn.relu(pre) if c.activation == "relu" else gelu(pre))
    if c.norm == "post" or c.inner_dropout:  # torch's layer drops here too
      post = nn.Dropout(c.dropout, deterministic=not self.train)(post)
    return tap("mlp/out", _by_token(self.project("down", c.width), post))


class Block(nn.Module):
  """h + f(norm h), norm(h + f(h)) or h + f(h): attention, then the MLP.

  With `read` there is one position, which reads from all of them.
  """

  config: Config
  train: bool = False

  @nn.compact
  def __call__(self, x_BxTxD, tap, mask_BxTxT=None, explicit=True, read=None):
    c = self.config
    drop = nn.Dropout(c.dropout, deterministic=not self.train)
    mix = Attention(c, self.train, name="attention")
    mlp = Mlp(c, self.train, name="mlp")
    same: Callable = lambda x: x
    norms = {
      name: same if c.norm == "none" else norm(c, name) for name in ("norm_attention", "norm_mlp")
    }
    before, after = (
      {name: f if c.norm == kind else same for name, f in norms.items()} for kind in ("pre", "post")
    )
    x = tap("residual/pre", x_BxTxD)
    change = mix(before["norm_attention"](x), tap, mask_BxTxT, explicit, read)
    x = tap("residual/mid", after["norm_attention"](picked(x, read) + drop(change)))
    change = mlp(before["norm_mlp"](x), tap)
    return tap("residual/post", after["norm_mlp"](x + drop(change)))


# --- one position alone ---------------------------------------------------------------------------


def picked(x, read):
  """Returns the position `read` of every row, an axis of length 1 in the place of T; an integer,
  or one of every row; all of them for None.

  >>> picked(jnp.arange(6).reshape(2, 3), -1).tolist()
  [[2], [5]]
  >>> picked(jnp.arange(6).reshape(2, 3), jnp.array([0, 1])).tolist()
  [[0], [4]]
  """
  if read is None:
    return x
  if isinstance(read, int):
    return jnp.expand_dims(x[:, read], 1)
  return jnp.take_along_axis(x, jnp.expand_dims(read, range(1, x.ndim)), axis=1)


def _row(mask_BxTxT, read):
  """Returns which keys the position `read` may read, None for all of them."""
  if mask_BxTxT is None or mask_BxTxT.shape[1] == 1:
    return mask_BxTxT
  if not isinstance(read, int):
    mask_BxTxT = jnp.broadcast_to(mask_BxTxT, (len(read), *mask_BxTxT.shape[1:]))
  return picked(mask_BxTxT, read)


# --- the stack ------------------------------------------------------------------------------------


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


def bind(function: Callable, config: Any) -> Callable:
  """Returns a model's `apply` or `init` closed over its config: the same object for equal configs.

  A stable identity keeps jit caches warm across calls.
  """
  name = function, repr(config)
  if name not in _BOUND:
    _BOUND[name] = functools.partial(function, copy.deepcopy(config))
  return _BOUND[name]


def start(init: Callable) -> Callable:
  """Returns a model's `init(config, key)` as one program, traced once for equal configs.

  To trace the layers takes a tenth of a second, and every run that is read asks for the shapes of
  its parameters.
  """

  @functools.wraps(init)
  def once(config, key):
    return jax.jit(bind(init, config))(key)

  return once


@start
def init(config: Config, key: jax.Array) -> dict[str, Any]:
  """Returns the trunk's parameters, blocks stacked along a leading L."""
  key_blocks, key_positions = jax.random.split(key)
  keys_L = jax.random.split(key_blocks, config.layers)
  if config.identical_layers:  # torch's encoder deep-copies one layer
    keys_L = jnp.broadcast_to(keys_L[:1], keys_L.shape)
  x_BxTxD = jnp.zeros((1, 2, config.width))
  tap, _ = _tap({}, (), None)
  block_init = lambda key: Block(config).init(key, x_BxTxD, tap)["params"]
  params = {"blocks": jax.vmap(block_init)(keys_L)}
  if config.positions == "learned":
    shape = (config.max_positions, config.width)
    std = 1.0 if config.init == "torch" else config.init_std
    table = std * jax.random.normal(key_positions, shape)
    params["positions"] = {"embedding": table}
  if config.final_norm:
    final = norm(config, "final_norm")
    params["final_norm"] = final.init(key, x_BxTxD)["params"]
  return params


def _add_positions(config: Config, params, x_BxTxD):
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


def _mask(config: Config, length: int, keep_BxT):
  """Returns the mask beyond plain causality as BxTxT, or None."""
  mask = None
  if config.mask in SLOT_MASKS:
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


def _stack(config, params, x_BxTxD, *, edits, sites, mask, dropout_key, read):
  """Runs the blocks by scan; returns the last state and layered records.

  With `read` the last block makes that position alone.
  """
  train = dropout_key is not None
  explicit = bool(_NEEDS_PATTERN & (set(edits) | set(sites))) or (train and config.dropout > 0)
  block = Block(config, train)

  def body(x, scanned, read=None):
    layer, block_params = scanned
    tap, record = _tap(edits, sites, layer)
    rngs = None
    if train:
      rngs = {"dropout": jax.random.fold_in(dropout_key, layer)}
    x = block.apply({"params": block_params}, x, tap, mask, explicit, read, rngs=rngs)
    return x, record

  layers = jnp.arange(config.layers), params["blocks"]
  if read is None:
    return jax.lax.scan(body, x_BxTxD, layers)
  last = config.layers - 1
  if last:
    x_BxTxD, _ = jax.lax.scan(body, x_BxTxD, jax.tree.map(lambda leaf_L: leaf_L[:last], layers))
  return body(x_BxTxD, jax.tree.map(lambda leaf_L: leaf_L[last], layers), read)


def apply(
  config: Config,
  params,
  x_BxTxD,
  *,
  edits=None,
  sites=(),
  dropout_key=None,
  keep_BxT=None,
  read=None,
):
  """Returns the final states BxTxD and the activations at `sites`.

  h = x + positions; L blocks; final norm. `edits[site]` is `f(x, layer) -> x`,
  applied before the site is recorded. `keep_BxT` is 1 at real positions, 0 at
  padding. With `dropout_key` the pass is a training pass. With `read`, a position
  or one of every row, the final states are those there, Bx1xD, and without edits
  and sites the last block makes no others. Raises `ValueError` for an unknown
  site or more positions than the table has.
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
  whole = edits or sites or config.positions == "rotary" or config.implementation == "mismatched"
  alone = None if whole else read
  x, layered = _stack(
    config, params, x, edits=edits, sites=sites, mask=mask, dropout_key=dropout_key, read=alone
  )
  if config.zero_padding and keep_BxT is not None:
    x = x * picked(keep_BxT, alone)[..., None].astype(x.dtype)
  if config.final_norm:
    x = norm(config, "final_norm").apply({"params": params["final_norm"]}, x)
  x = tap("final", x)
  return picked(x, read) if whole else x, record | layered


def parameter_count(params) -> int:
  """Returns how many numbers a pytree of arrays (or shapes) holds."""
  return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))
