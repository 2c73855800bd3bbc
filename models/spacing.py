"""Spacing predictors: transformers without memory, or with memory slots; the linear skip.

`prefix` slots stand in front of the data and `postfix` slots behind them, each
with an id of its own; a `bank` stands in front without ids, its rows capped
and, in training, dropped at random. `config` is a `spacing.Config`.

`kernel` JxQxQ holds J filters; row q - 1 of one is its order-q filter, most
recent lag first. The transformer sees how each has erred and weighs them.

Each reads spacings s_1..s_T and gives a Gaussian mixture for the next one:
`none`, `prefix` and `bank` at every position (BxTxK), `postfix` once per
window (Bx1xK, read from the M slots behind the data). Of a bank `trunk.mask`
says what its slots may read: in `leaky_as_published` the whole window, so
that only the last position, whose target is not in the window, is free of it.
"""

import dataclasses
import functools
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import causality, transformer
from primelens.models import mixture as mixture_lib
from primelens.tasks import checks

# --- memory slots ---------------------------------------------------------------------------------


NORM_CAP = 2.0  # no row of a bank is longer at use


def slots_init(config, key) -> dict[str, Any]:
  """Returns slot contents, ids and readout logits, as the memory has them."""
  std, shape = config.trunk.init_std, (config.slots, config.trunk.width)
  key_content, key_id = jax.random.split(key)
  memory = {"content": std * jax.random.normal(key_content, shape)}
  if config.has_slot_ids:
    memory["slot_id"] = std * jax.random.normal(key_id, shape)
  if config.memory == "postfix":
    memory["readout"] = jnp.zeros(config.slots)
  return memory


def capped_bank(content_MxD):
  """Returns every row m as m min(1, 2 / |m|).

  Source: the published memory bank (docs/sources/zeros.md, section 2.5).
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
    content_MxD = capped_bank(content_MxD)
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


def slot_tokens(config, memory, batch: int, *, order_M, keep_M, dropout_key):
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


def with_slots(config, x_BxTxD, slots_BxMxD):
  """Returns the trunk's input: slots before or behind the data tokens."""
  parts = (slots_BxMxD, x_BxTxD)
  if config.memory == "postfix":
    parts = parts[::-1]
  return jnp.concatenate(parts, axis=1)


def slots_read(config, params, state_BxLxD):
  """Returns the states the head reads: data positions, or the pooled slots."""
  if config.memory == "none":
    return state_BxLxD
  if config.memory != "postfix":
    return state_BxLxD[:, config.slots :]
  weight_M = jax.nn.softmax(params["memory"]["readout"])
  slots_BxMxD = state_BxLxD[:, -config.slots :].astype(jnp.float32)
  return jnp.einsum("bmd,m->bd", slots_BxMxD, weight_M)[:, None]


def check_bank(config) -> None:
  """Raises `ValueError` where the trunk does not fit a bank of slots."""
  trunk, masks = config.trunk, transformer.SLOT_MASKS
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


# --- the linear autoregressive skip ---------------------------------------------------------------


def skip_matrix(kernel_QxQ, window: int):
  """Returns the TxT matrix of the autoregressive skip.

  Row t holds the filter of order min(t + 1, Q) over s_t, s_{t-1}, ...: early
  positions use the short filters, so none reaches beyond the window's edge.
  """
  order = kernel_QxQ.shape[0]
  t_T = jnp.arange(window)
  lag_TxT = t_T[:, None] - t_T[None, :]
  row_TxT = jnp.broadcast_to(jnp.minimum(t_T, order - 1)[:, None], lag_TxT.shape)
  taps_TxT = kernel_QxQ[row_TxT, jnp.clip(lag_TxT, 0, order - 1)]
  inside_TxT = (lag_TxT >= 0) & (lag_TxT <= row_TxT)
  return jnp.where(inside_TxT, taps_TxT, 0.0)


def skip_predictions(kernel_JxQxQ, x_BxT):
  """Returns what each filter of the skip expects of the next s - 1, BxTxJ."""
  each = jax.vmap(lambda kernel_QxQ: skip_matrix(kernel_QxQ, x_BxT.shape[1]))
  filters_JxTxT = each(kernel_JxQxQ)
  # Default precision is 10 or 8 bits on GPU and TPU, and the taps cancel.
  highest = jax.lax.Precision.HIGHEST
  return jnp.einsum("bu,jtu->btj", x_BxT - 1.0, filters_JxTxT, precision=highest)


def skip_inputs(x_BxT, guess_BxTxJ):
  """Returns what a data token is told: its spacing, and how each filter erred.

  The error of filter j at t is s_t - 1 - (its prediction made at t - 1).
  """
  if guess_BxTxJ is None:
    return x_BxT[..., None]
  before_BxTxJ = jnp.pad(guess_BxTxJ[:, :-1], ((0, 0), (1, 0), (0, 0)))
  error_BxTxJ = x_BxT[..., None] - 1.0 - before_BxTxJ
  return jnp.concatenate([x_BxT[..., None], error_BxTxJ], axis=-1)


def skip_gated(raw_BxUxE, guess_BxUxJ, scale_BxUx1) -> mixture_lib.Mixture:
  """Returns mixtures around guesses of the next s - 1, weighed by a network.

  Raw numbers are J gates and 3 K of a mixture: mean_k = 1 + sum_j g_j guess_j +
  scale m_k, scale_k = scale sigma_k, with g the last guess alone at raw = 0.
  """
  guesses = guess_BxUxJ.shape[-1]
  gate_BxUxJ, raw = jnp.split(raw_BxUxE, [guesses], axis=-1)
  last_J = jnp.arange(guesses) == guesses - 1
  gate_BxUxJ = gate_BxUxJ + last_J[None, None]
  centre_BxUx1 = 1.0 + jnp.sum(gate_BxUxJ * guess_BxUxJ, -1, keepdims=True)
  unit = mixture_lib.from_raw(raw, mean="raw", unit_scale=True)
  return mixture_lib.Mixture(
    unit.log_weight, centre_BxUx1 + scale_BxUx1 * unit.mean, scale_BxUx1 * unit.scale
  )


# --- predictors -----------------------------------------------------------------------------------


Schedule = tuple[tuple[checks.Steps, checks.Weight], ...]
# What the published masking selects: every tensor with at least two axes of
# its own, so no norm gains, biases or readout logits (4,798,720 of postfix).
MASKED = (
  r"(input|head)/kernel|positions/embedding|blocks/.*/kernel"
  r"|memory/(content|slot_id)"
)


@dataclasses.dataclass(kw_only=True)
class Config:
  """A spacing predictor; the defaults are E0 at its published size."""

  kind: Literal["spacing"] = "spacing"
  window: checks.Number = 256
  memory: Literal["none", "prefix", "postfix", "bank"] = "none"
  slots: Annotated[int, checks.Range(0, 10_000)] = 8
  slot_ids: Literal["fixed", "off", "permute_per_batch"] = "fixed"
  eval_slot_ids: Literal["fixed", "off", "permute_per_batch"] = "fixed"
  slot_content: Literal["normal", "zeroed"] = "normal"
  permutation_warmup: checks.Steps = 0  # steps with fixed ids before they permute
  slot_keep: checks.Share = 0.9  # of a bank's slots, by sample, in training
  diversity: checks.Weight = 0.01  # weight of a bank's mean squared (Gram - I)
  residual: bool = False  # the network reads and speaks of s - 1
  components: checks.Order = 8
  weight_floor: checks.Share = 1e-10  # of the mixture weights in the training loss
  floor: Literal["add", "clamp"] = "add"
  head_scale: checks.Weight = 0.0  # 0: the trunk's init_std
  mean: Literal["positive", "raw"] = "positive"
  scale_max: checks.Weight = 0.0  # of a component; 0: softplus, without a limit
  skip_order: Annotated[int, checks.Range(0, 10_000)] = (
    0  # Q taps of the linear autoregressive skip; 0: none
  )
  skip_filters: Annotated[int, checks.Range(0, 1_000)] = (
    1  # J linear filters, mixed by the transformer
  )
  skip_stretch: checks.Amount = 0  # spacings of train behind each filter; 0: all
  skip_lead: checks.Amount = 0  # spacings at the end of train no filter has seen
  entropy: checks.Weight = 0.005  # weight of the mixture-weight entropy
  auxiliary: Literal["none", "window_statistics", "mean", "diagonal"] = "none"
  auxiliary_ramp: Schedule = ((500, 1e-3), (3000, 1e-2))
  orthogonality_ramp: Schedule = ()
  drift_weight: checks.Weight = 0.0
  drift_every: Annotated[int, checks.Range(1, 1_000_000_000)] = 20
  drift_horizon: checks.Order = 10
  drift_batch: checks.Number = 16
  drift_context: checks.Number = 10
  trunk: transformer.Config = dataclasses.field(default_factory=transformer.Config)

  def __post_init__(self):
    checks.fields(self)
    checks.at_least(self, int(self.memory != "none"), "slots")
    checks.at_least(self, int(self.skip_order > 0), "skip_filters")
    if self.auxiliary in ("mean", "diagonal") and self.memory != "postfix":
      raise ValueError(f"auxiliary={self.auxiliary!r} needs memory='postfix'.")
    if self.auxiliary == "window_statistics" and self.memory != "prefix":
      raise ValueError("auxiliary='window_statistics' needs memory='prefix'.")
    if self.auxiliary == "diagonal" and self.slots != 8:
      raise checks.FieldError(
        f"slots={self.slots} must be 8, one for each of the eight statistics."
      )
    if self.auxiliary == "window_statistics":
      checks.at_least(self, 4, "slots")  # one for each statistic
    if self.orthogonality_ramp and self.memory == "none":
      raise checks.FieldError("orthogonality_ramp is of memory slots: memory='none' has none.")
    if self.drift_weight and self.drift_context + self.drift_horizon > self.window + 1:
      raise checks.FieldError(
        f"drift_context={self.drift_context} and drift_horizon={self.drift_horizon} exceed the"
        f" {self.window + 1} spacings of a window."
      )
    if self.drift_weight and self.memory == "postfix":
      raise ValueError("drift needs a model that predicts every position.")
    if self.memory == "bank":
      check_bank(self)
    else:
      transformer.check_no_slots(self)
    if self.residual and self.mean != "raw":
      raise ValueError("residual=True needs mean='raw': s - 1 has both signs.")
    if self.skip_order and (self.mean == "raw" or self.scale_max):
      raise ValueError("skip_order needs mean='positive' and scale_max=0.")
    if self.skip_order > self.window:
      raise ValueError(f"skip_order={self.skip_order} exceeds window={self.window}.")

  @property
  def extra_rows(self) -> int:
    """Rows a training batch carries for the drift loss alone."""
    return self.drift_batch if self.drift_weight else 0

  @property
  def has_slot_ids(self) -> bool:
    return self.memory == "postfix" or (self.memory == "prefix" and self.slot_ids != "off")


def _affine(key, std, rows, columns):
  kernel = std * jax.random.normal(key, (rows, columns))
  return {"kernel": kernel, "bias": jnp.zeros(columns)}


def _auxiliary(config: Config, key) -> dict[str, Any]:
  """Returns the head of the auxiliary targets."""
  std, width = config.trunk.init_std, config.trunk.width
  if config.auxiliary == "window_statistics":  # slot i predicts statistic i
    kernel_4xD = std * jax.random.normal(key, (4, width))
    return {"kernel": kernel_4xD, "bias": jnp.zeros(4)}
  return _affine(key, std, width, 8)


@transformer.start
def init(config: Config, key: jax.Array) -> dict[str, Any]:
  """Returns fresh parameters: trunk, input, head, and memory where it has one.

  Matrices ~ N(0, init_std^2), biases 0. The autoregressive skip starts at zero
  taps and unit scale; a study may set it from the train split.
  """
  trunk, width = config.trunk, config.trunk.width
  filters = config.skip_filters if config.skip_order else 0
  names = ("trunk", "input", "head", "memory", "auxiliary")
  keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
  params = transformer.init(trunk, keys["trunk"])
  params["input"] = _affine(keys["input"], trunk.init_std, 1 + filters, width)
  head_std = config.head_scale or trunk.init_std
  params["head"] = _affine(keys["head"], head_std, width, 3 * config.components + filters)
  kernel_Dx3K = params["head"]["kernel"]  # gates start closed
  params["head"]["kernel"] = kernel_Dx3K.at[:, :filters].set(0.0)
  if config.memory != "none":
    params["memory"] = slots_init(config, keys["memory"])
  if config.auxiliary != "none":
    params["auxiliary"] = _auxiliary(config, keys["auxiliary"])
  if config.skip_order:
    q = config.skip_order
    params["skip"] = {"kernel": jnp.zeros((filters, q, q)), "log_scale": jnp.zeros(q)}
  return params


def _head(config: Config, params, state_BxUxD, guess_BxTxJ):
  """Returns the mixture read from the last U states of the window.

  Without the skip the means and scales are those of `mixture.from_raw`; with
  `residual` the means are for s - 1, and 1 is added. With the skip the states
  weigh the J filters and speak in units of their residual: mean_k = 1 +
  sum_j g_j filter_j + e^l m_k, scale_k = e^l sigma_k, with g the last filter
  alone at raw = 0.
  """
  raw = jnp.matmul(
    state_BxUxD.astype(jnp.float32), params["head"]["kernel"], precision=jax.lax.Precision.HIGHEST
  )
  raw = raw + params["head"]["bias"][None, None]
  if guess_BxTxJ is None:
    scale_max = config.scale_max or None
    found = mixture_lib.from_raw(raw, mean=config.mean, scale_max=scale_max)
    return found._replace(mean=found.mean + float(config.residual))
  length, read = guess_BxTxJ.shape[1], state_BxUxD.shape[1]
  guess_BxUxJ = guess_BxTxJ[:, length - read :]
  order_T = jnp.minimum(jnp.arange(length), config.skip_order - 1)
  scale_U = jnp.exp(params["skip"]["log_scale"][order_T])[length - read :]
  return skip_gated(raw, guess_BxUxJ, scale_U[None, :, None])


def _embed(config: Config, params, input_BxTxJ, options):
  """Returns the trunk's input: data tokens, slots before or behind them."""
  x_BxTxD = input_BxTxJ @ params["input"]["kernel"]
  x_BxTxD = x_BxTxD + params["input"]["bias"][None, None]
  if config.memory == "none":
    return x_BxTxD
  slots_BxMxD = slot_tokens(config, params["memory"], len(x_BxTxD), **options)
  return with_slots(config, x_BxTxD, slots_BxMxD)


def apply(
  config: Config,
  params,
  x_BxT,
  *,
  edits=None,
  sites=(),
  dropout_key=None,
  slot_order_M=None,
  slot_keep_M=None,
):
  """Returns the mixtures of the next spacings and the activations at `sites`.

  `slot_order_M` permutes the slot ids, `slot_keep_M` is 1 where a slot token
  is kept and 0 where content and id are zeroed. Sites as in `transformer`.
  Raises `ValueError` where ids permute and no order is given.
  """
  slot_key = dropout_key
  if config.memory == "bank" and dropout_key is not None:
    slot_key, dropout_key = jax.random.split(dropout_key)
  options = dict(order_M=slot_order_M, keep_M=slot_keep_M, dropout_key=slot_key)
  guess_BxTxJ = None
  if config.skip_order:
    guess_BxTxJ = skip_predictions(params["skip"]["kernel"], x_BxT)
  inputs = skip_inputs(x_BxT - float(config.residual), guess_BxTxJ)
  state_BxLxD, activations = transformer.apply(
    config.trunk,
    params,
    _embed(config, params, inputs, options),
    edits=edits,
    sites=sites,
    dropout_key=dropout_key,
  )
  read_BxUxD = slots_read(config, params, state_BxLxD)
  return _head(config, params, read_BxUxD, guess_BxTxJ), activations


def reading(config: Config) -> causality.Reading:
  """Returns the predictor in small, with what its outputs may read: output t
  the spacings up to t, that of postfix slots the whole window.

  A bank's `leaky_as_published` is what its name says; all else of the model is
  asked with slots that read slots alone.
  """
  bank, length = config.memory == "bank", causality.LENGTH
  slots = min(config.slots, 2) if config.memory != "none" else 0
  changes: dict[str, Any] = {}
  if bank:
    changes = dict(mask="memory_blind", mask_slots=slots)
    if config.trunk.positions == "rotary":
      changes["rotary_start"] = slots
  small = dataclasses.replace(
    config,
    window=length,
    slots=slots,
    components=2,
    skip_order=min(config.skip_order, length),
    skip_filters=min(config.skip_filters, 2),
    trunk=causality.small(config.trunk, length + slots, **changes),
  )
  order_M = jnp.arange(slots) if config.memory != "none" else None

  def outputs(params, x_BxT, dropout_key):
    return apply(small, params, x_BxT, dropout_key=dropout_key, slot_order_M=order_M)[0]

  return causality.Reading(
    init=lambda key: init(small, key),
    draw=lambda rng, rows: causality.spacings(rng, rows, length),
    apply=outputs,
    last_U=causality.once() if config.memory == "postfix" else range(length),
    drops=small.trunk.dropout > 0,
  )


bind = functools.partial(transformer.bind, apply)  # of a config


def predict(apply_fn, params, window_BxT1, *, min_context=1, **options):
  """Returns the mixtures of the scored targets, BxUxK.

  The last target of the window always; the earlier ones where at least
  `min_context` spacings are visible and the model predicts there.
  """
  mixture, _ = apply_fn(params, window_BxT1[:, :-1], **options)
  read = min(mixture.mean.shape[1], window_BxT1.shape[1] - min_context)
  return jax.tree.map(lambda leaf: leaf[:, -read:], mixture)


def score(apply_fn, params, window_BxT1, **options):
  """Returns the NLL in nats of each target that `predict` predicts, BxU."""
  mixture = predict(apply_fn, params, window_BxT1, **options)
  truth_BxU = window_BxT1[:, -mixture.mean.shape[1] :]
  return -mixture_lib.log_density(mixture, truth_BxU)


def slot_orders(slots: int, count: int, *, first_seed: int = 42) -> np.ndarray:
  """Returns seeded permutations of the slot ids, RxM: seeds first_seed + i."""
  draw = lambda seed: np.random.default_rng(seed).permutation(slots)
  return np.stack([draw(first_seed + i) for i in range(count)])
