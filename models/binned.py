"""Predictors of binned spacings: plain, recurrent memory, memory bank.

Each reads spacings s_1..s_T, turns them into 256 tokens and gives the logits of
the next token at every position, BxTxV. `score` is the NLL of the density, in
nats per spacing, so that they compare with the mixtures of `spacing`. Source:
docs/sources/zeros.md, section 2.7.
"""

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import causality, transformer
from primelens.tasks import binned, checks


def plain_trunk(**changes) -> transformer.Config:
  """Returns the published trunk of the small network: 4 layers, D = 128."""
  options: dict[str, Any] = dict(width=128, layers=4, heads=4, hidden=512)
  return transformer.Config(**options | changes)


def encoder_trunk(**changes) -> transformer.Config:
  """Returns the trunk of the memory bank: PyTorch's stock encoder layers.

  Post-norm, ReLU, biases, under a causal mask.
  """
  options: dict[str, Any] = dict(
    norm="post",
    norm_bias=True,
    bias=True,
    final_norm=False,
    activation="relu",
    init="torch",
    identical_layers=True,
  )
  return plain_trunk(**options | changes)


@dataclasses.dataclass(kw_only=True)
class Config(transformer.WithoutSlots):
  """A predictor of binned spacings; the defaults are the small SpacingGPT.

  `rmt` reads segments of `segment` spacings behind one memory token, which
  goes from segment to segment. The banks add to every position what one query
  finds in `slots` vectors: in `bank_leaky_as_published` the query is made of
  the mean over all positions, those to come among them, in `bank` of the mean
  up to the position.
  """

  kind: Literal["binned"] = "binned"
  window: checks.Number = 256
  variant: Literal["gpt", "rmt", "bank", "bank_leaky_as_published"] = "gpt"
  segment: checks.Number = 256
  slots: checks.Order = 4
  trunk: transformer.Config = dataclasses.field(default_factory=plain_trunk)

  @property
  def memory(self) -> str:
    """The kind of memory, by which results tell models apart."""
    return f"binned {self.variant}"

  @property
  def has_slot_ids(self) -> bool:
    return False

  @property
  def is_bank(self) -> bool:
    return self.variant.startswith("bank")

  @property
  def length(self) -> int:
    """Positions of the longest sequence that the trunk is given."""
    if self.variant != "rmt":
      return self.window
    return 1 + min(self.segment, self.window)


@transformer.start
def init(config: Config, key: jax.Array) -> dict[str, Any]:
  """Returns fresh parameters: trunk, embedding, and what the variant adds.

  Embeddings and matrices ~ N(0, init_std^2); as PyTorch starts them, where
  the trunk does, N(0, 1) and U(+-1 / sqrt D). Slots ~ N(0, init_std^2); the
  recurrent gate is at 1/2.
  """
  trunk, width = config.trunk, config.trunk.width
  torch = trunk.init == "torch"
  key_trunk, key_embed, key_memory, key_head = jax.random.split(key, 4)
  params = transformer.init(trunk, key_trunk)
  normal = lambda key, *shape: trunk.init_std * jax.random.normal(key, shape)

  def matrix(key, columns):
    shape, bound = (width, columns), width**-0.5
    if torch:
      return jax.random.uniform(key, shape, minval=-bound, maxval=bound)
    return normal(key, *shape)

  table_VxD = normal(key_embed, binned.BINS, width)
  table_VxD = table_VxD / trunk.init_std if torch else table_VxD
  params["embedding"] = {"embedding": table_VxD}
  if config.variant == "gpt":
    return params
  names = ("query", "key", "value") if config.is_bank else ("update",)
  key_content, *keys = jax.random.split(key_memory, 1 + len(names))
  memory: dict[str, Any] = {
    name: {"kernel": matrix(key, width)} for name, key in zip(names, keys, strict=True)
  }
  if config.is_bank:
    memory["content"] = normal(key_content, config.slots, width)
    params["unembed"] = {"kernel": matrix(key_head, binned.BINS)}
  else:
    memory["start"] = normal(key_content, width)
    memory["gate"] = jnp.zeros(())
  return params | {"memory": memory}


def recalled(config: Config, memory, x_BxTxD):
  """Returns what the bank adds: attention of one query to the slots, BxUxD.

  softmax(q K^T / sqrt D) V with q = W_q mean x, over all T positions (U = 1,
  the leak) or over those up to each (U = T).
  """
  if config.variant == "bank":
    count_T = jnp.arange(1, x_BxTxD.shape[1] + 1, dtype=x_BxTxD.dtype)
    mean_BxUxD = jnp.cumsum(x_BxTxD, axis=1) / count_T[None, :, None]
  else:
    mean_BxUxD = jnp.mean(x_BxTxD, axis=1, keepdims=True)
  key_MxD = memory["content"] @ memory["key"]["kernel"]
  value_MxD = memory["content"] @ memory["value"]["kernel"]
  query_BxUxD = mean_BxUxD @ memory["query"]["kernel"]
  score_BxUxM = query_BxUxD @ key_MxD.T / config.trunk.width**0.5
  return jax.nn.softmax(score_BxUxM, axis=-1) @ value_MxD


def states(config: Config, params, token_BxT, memory_BxD=None, **options):
  """Returns the final states BxTxD of one sequence, and the activations.

  `memory_BxD` is the token in front of it (`rmt` alone, which needs it).
  Options as in `transformer.apply`.
  """
  x_BxTxD = params["embedding"]["embedding"][token_BxT]
  front = int(config.variant == "rmt")
  if front:
    x_BxTxD = jnp.concatenate([memory_BxD[:, None], x_BxTxD], axis=1)
  if config.is_bank:
    x_BxTxD = x_BxTxD + recalled(config, params["memory"], x_BxTxD)
  state_BxTxD, record = transformer.apply(config.trunk, params, x_BxTxD, **options)
  return state_BxTxD[:, front:], record


def unembed(config: Config, params, state_xD) -> jax.Array:
  """Returns the logits ...xV of states: the embedding's transpose (tied), a
  matrix of its own in the banks."""
  kernel_DxV = params["unembed"]["kernel"] if config.is_bank else params["embedding"]["embedding"].T
  highest = jax.lax.Precision.HIGHEST
  return jnp.matmul(state_xD.astype(jnp.float32), kernel_DxV, precision=highest)


def remembered(params, memory_BxD, last_BxD):
  """Returns the recurrent memory after a segment that ends in a state.

  a m + (1 - a) W h, a = sigmoid(gate). The published consistency loss compared
  detached states: it has no gradient, so there is none here.
  """
  keep = jax.nn.sigmoid(params["memory"]["gate"])
  change_BxD = last_BxD @ params["memory"]["update"]["kernel"]
  return keep * memory_BxD + (1 - keep) * change_BxD


def start(params, batch: int):
  """Returns the recurrent memory before the first segment, BxD."""
  start_D = params["memory"]["start"]
  return jnp.broadcast_to(start_D[None], (batch, *start_D.shape))


def _in_segments(config: Config, params, token_BxT, options):
  """Returns the states of all segments, memory handed on between them."""
  key, length = options.get("dropout_key"), token_BxT.shape[1]
  if options.get("edits") or options.get("sites"):
    raise ValueError("variant='rmt' runs in segments: edit or read those by `states`.")
  memory_BxD, parts = start(params, len(token_BxT)), []
  for number, first in enumerate(range(0, length, config.segment)):
    own = {}
    if key is not None:
      own["dropout_key"] = jax.random.fold_in(key, number)
    part_BxT = token_BxT[:, first : first + config.segment]
    state_BxTxD, _ = states(config, params, part_BxT, memory_BxD, **own)
    memory_BxD = remembered(params, memory_BxD, state_BxTxD[:, -1])
    parts.append(state_BxTxD)
  return jnp.concatenate(parts, axis=1), {}


def apply(config: Config, params, x_BxT, **options):
  """Returns the logits of the next tokens, BxTxV, and the activations.

  `x_BxT` are spacings. Options `edits`, `sites`, `dropout_key` as in
  `transformer.apply`. Raises `ValueError` for sites of `rmt`.
  """
  token_BxT = binned.encode(x_BxT)
  if config.variant == "rmt":
    state_BxTxD, record = _in_segments(config, params, token_BxT, options)
  else:
    state_BxTxD, record = states(config, params, token_BxT, **options)
  return unembed(config, params, state_BxTxD), record


def reading(config: Config) -> causality.Reading:
  """Returns the predictor in small, with what its outputs may read: output t
  the spacings up to t.

  `bank_leaky_as_published` is what its name says; all else of the model is
  asked with the causal bank. Segments stay shorter than the window if they are.
  """
  length = causality.LENGTH
  small = dataclasses.replace(
    config,
    window=length,
    variant="bank" if config.is_bank else config.variant,
    segment=length // 2 if config.segment < config.window else length,
    slots=min(config.slots, 2),
    trunk=causality.small(config.trunk, 1 + length),
  )
  return causality.Reading(
    init=lambda key: init(small, key),
    draw=lambda rng, rows: causality.spacings(rng, rows, length),
    apply=lambda params, x, dropout_key: apply(small, params, x, dropout_key=dropout_key)[0],
    last_U=range(length),
    drops=small.trunk.dropout > 0,
  )


bind = functools.partial(transformer.bind, apply)  # of a config


def log_probabilities(apply_fn, params, window_BxT1, *, min_context=1, **options):
  """Returns ln p of every token at the scored positions, BxUxV.

  Those with at least `min_context` spacings in the window before them.
  """
  logit_BxTxV, _ = apply_fn(params, window_BxT1[:, :-1], **options)
  return jax.nn.log_softmax(logit_BxTxV[:, min_context - 1 :], axis=-1)


def nll(log_p_BxUxV, truth_BxU):
  """Returns -ln(p / width), the NLL in nats per spacing of a density that is
  constant on every bin, BxU."""
  token_BxUx1 = binned.encode(truth_BxU)[..., None]
  log_p_BxU = jnp.take_along_axis(log_p_BxUxV, token_BxUx1, axis=-1)[..., 0]
  return float(np.log(binned.WIDTH)) - log_p_BxU


def mean(log_p_xV):
  """Returns the mean spacing, sum_v p_v centre_v."""
  centre_V = binned.decode(jnp.arange(binned.BINS))
  return jnp.exp(log_p_xV) @ centre_V


def score(apply_fn, params, window_BxT1, **options):
  """Returns the NLL in nats per spacing of each scored position, BxU."""
  log_p_BxUxV = log_probabilities(apply_fn, params, window_BxT1, **options)
  return nll(log_p_BxUxV, window_BxT1[:, -log_p_BxUxV.shape[1] :])
