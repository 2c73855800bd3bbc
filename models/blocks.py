"""The one block: attention and MLP around a residual stream.

Pre-, post- or no norm; biases or none; exact GELU or ReLU; learned,
sinusoidal, rotary or no positions; causal, full or slot masks; dropout.
"""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from primelens.models import attention
from primelens.tasks import checks

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
  def __call__(self, x_BxTxD, tap, mask_BxTxT, explicit):
    c = self.config
    shape = (c.heads, c.head_width)
    q, k, v = (
      tap(f"attention/{role}", self.project(role, shape)(x_BxTxD))
      for role in ("query", "key", "value")
    )
    if c.positions == "rotary":
      q, k = (attention.rotary(z, start=c.rotary_start) for z in (q, k))
    if c.implementation == "mismatched":
      head = self.mismatched(q, k, v)
    elif explicit:
      head = self.weighted(q, k, v, tap, mask_BxTxT)
    else:
      head = attention.attend(
        q,
        k,
        v,
        mask="causal" if c.mask == "causal" else "full",
        mask_BxTxT=mask_BxTxT,
        implementation=c.implementation,
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

  def weighted(self, q, k, v, tap, mask_BxTxT):
    """Returns the heads by way of the named scores and pattern."""
    scores = tap("attention/scores", attention.scores(q, k))
    if self.config.mask == "causal":
      causal = attention.table("causal", q.shape[1])[None]
      mask_BxTxT = causal if mask_BxTxT is None else causal & mask_BxTxT
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
  """h + f(norm h), norm(h + f(h)) or h + f(h): attention, then the MLP."""

  config: Config
  train: bool = False

  @nn.compact
  def __call__(self, x_BxTxD, tap, mask_BxTxT=None, explicit=True):
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
    change = mix(before["norm_attention"](x), tap, mask_BxTxT, explicit)
    x = tap("residual/mid", after["norm_attention"](x + drop(change)))
    change = mlp(before["norm_mlp"](x), tap)
    return tap("residual/post", after["norm_mlp"](x + drop(change)))
