"""Guided spacing predictors: a transformer beside causal guesses of others.

A guide is known before the spacing that it is about: a filter's guess, the
explicit formula's, or the height. Each is a column next to the spacings, so
the network reads rows (s_n, guides of s_{n+1}) and gives a Gaussian mixture of
s_{n+1} at every position, centred on the guesses as it weighs them.
"""

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import causality, spacing, transformer
from primelens.models import mixture as mixture_lib
from primelens.tasks import checks

INPUTS = ("height",)  # told to the network, but no guess of a spacing
_LEAST = {"ar": 1, "waves": 3}  # of the number behind the colon
CHOICES = "adaptive, ar:ORDER, waves:LIMIT (primes, 3 or more), height"


def parsed(name: str) -> tuple[str, int]:
  """Returns the kind of a guide and its number, 0 for one without.

  "ar:64" is ("ar", 64). Raises `ValueError` for another name.
  """
  kind, _, number = str(name).partition(":")
  if name in ("adaptive", *INPUTS):
    return kind, 0
  if kind in _LEAST and number.isdecimal() and int(number) >= _LEAST[kind]:
    return kind, int(number)
  raise ValueError(f"guides: {name!r} is not one of {CHOICES}.")


@dataclasses.dataclass(kw_only=True)
class Config(transformer.WithoutSlots):
  """A guided predictor; a fresh one is close to its last guess alone."""

  kind: Literal["guided"] = "guided"
  window: checks.Number = 256
  guides: tuple[str, ...] = ("adaptive",)
  components: checks.Order = 4
  head_scale: checks.Weight = 0.01  # small: the fresh mixture is nearly one Gaussian
  trunk: transformer.Config = dataclasses.field(default_factory=transformer.Config)

  def __post_init__(self):
    super().__post_init__()
    for name in self.guides:
      parsed(name)
    if len(set(self.guides)) < len(self.guides):
      raise ValueError(f"guides={self.guides} name one twice.")

  @property
  def guesses(self) -> tuple[str, ...]:
    """The guides that guess a spacing, in order."""
    return tuple(name for name in self.guides if name not in INPUTS)

  @property
  def memory(self) -> str:
    """The guides, by which results tell models apart."""
    return f"guided by {', '.join(self.guides) or 'nothing'}"

  @property
  def slots(self) -> int:
    """Memory positions beside the window: none."""
    return 0

  @property
  def has_slot_ids(self) -> bool:
    return False


@transformer.start
def init(config: Config, key: jax.Array) -> dict[str, Any]:
  """Returns fresh parameters: trunk, input, head, and the guides' scales.

  Matrices ~ N(0, init_std^2), the head's ~ N(0, head_scale^2), biases 0; gates
  start closed. `guides/log_scale` has the logarithm of the size of each guess'
  errors (without a guess: of the spacings' own), 0 here; a study sets it.
  """
  trunk, guesses = config.trunk, len(config.guesses)
  key_trunk, key_input, key_head = jax.random.split(key, 3)
  told = 1 + len(config.guides) + guesses
  columns = guesses + 3 * config.components
  normal = lambda key, std, *shape: std * jax.random.normal(key, shape)
  head = normal(key_head, config.head_scale, trunk.width, columns)
  return transformer.init(trunk, key_trunk) | {
    "input": {
      "kernel": normal(key_input, trunk.init_std, told, trunk.width),
      "bias": jnp.zeros(trunk.width),
    },
    "head": {"kernel": head.at[:, :guesses].set(0.0), "bias": jnp.zeros(columns)},
    "guides": {"log_scale": jnp.zeros(max(1, guesses))},
  }


def _columns(config: Config, x_BxTxJ1):
  """Returns spacings BxT, guesses of the next s - 1 BxTxJ, other guides."""
  other_J = np.array([name in INPUTS for name in config.guides], bool)
  guide_BxTxJ = x_BxTxJ1[..., 1:]
  guess_BxTxJ = guide_BxTxJ[..., np.flatnonzero(~other_J)]
  return x_BxTxJ1[..., 0], guess_BxTxJ, guide_BxTxJ[..., other_J.nonzero()[0]]


def told(config: Config, params, x_BxTxJ1):
  """Returns what a position is told, BxTx(1 + guides + guesses).

  The spacing that ends there, each guess' last error in units of its scale,
  each guess of the next s - 1, and the guides that guess nothing.
  """
  value_BxT, guess_BxTxJ, other_BxTxE = _columns(config, x_BxTxJ1)
  scale_J = jnp.exp(params["guides"]["log_scale"])[: guess_BxTxJ.shape[-1]]
  seen = spacing.skip_inputs(value_BxT, guess_BxTxJ)
  error_BxTxJ = seen[..., 1:] / scale_J[None, None]
  return jnp.concatenate([seen[..., :1], error_BxTxJ, guess_BxTxJ, other_BxTxE], axis=-1)


def apply(config: Config, params, x_BxTxJ1, **options):
  """Returns the mixtures of the next spacings, BxTxK, and the activations.

  Row n of the input is s_n and the guides of s_{n+1} (guesses of s_{n+1} - 1),
  in the order of `config.guides`. mean_k = 1 + sum_j g_j guess_j + e^l m_k,
  scale_k = e^l sigma_k, e^l the last guess' scale (`spacing.skip_gated`). Options
  `edits`, `sites`, `dropout_key` as in `transformer.apply`.
  """
  inputs = told(config, params, x_BxTxJ1)
  state_BxTxD, record = transformer.apply(
    config.trunk,
    params,
    inputs @ params["input"]["kernel"] + params["input"]["bias"][None, None],
    **options,
  )
  raw = jnp.matmul(
    state_BxTxD.astype(jnp.float32), params["head"]["kernel"], precision=jax.lax.Precision.HIGHEST
  )
  raw = raw + params["head"]["bias"][None, None]
  _, guess_BxTxJ, _ = _columns(config, x_BxTxJ1)
  scale = jnp.exp(params["guides"]["log_scale"][-1])
  return spacing.skip_gated(raw, guess_BxTxJ, scale[None, None, None]), record


def reading(config: Config) -> causality.Reading:
  """Returns the predictor in small, with what its outputs may read: output t
  the rows up to t, whose guides were known before spacing t + 1."""
  length = causality.LENGTH
  trunk = causality.small(config.trunk, length)
  small = dataclasses.replace(config, window=length, components=2, trunk=trunk)
  return causality.Reading(
    init=lambda key: init(small, key),
    draw=lambda rng, rows: causality.spacings(rng, rows, length, 1 + len(config.guides)),
    apply=lambda params, x, dropout_key: apply(small, params, x, dropout_key=dropout_key)[0],
    last_U=range(length),
    drops=small.trunk.dropout > 0,
  )


bind = functools.partial(transformer.bind, apply)  # of a config


def score(apply_fn, params, window_BxT1xJ1, **options):
  """Returns the NLL in nats of each target `spacing.predict` predicts, BxU."""
  mixture = spacing.predict(apply_fn, params, window_BxT1xJ1, **options)
  truth_BxU = window_BxT1xJ1[:, -mixture.mean.shape[1] :, 0]
  return -mixture_lib.log_density(mixture, truth_BxU)
