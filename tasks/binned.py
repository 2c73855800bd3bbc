"""Spacings as tokens, and the two controls that exist only as tokens.

256 uniform bins on [0, 4]. Sequences stay spacings, so that every analysis
reads them; tokens are derived. Source: docs/sources/zeros.md, section 1.4.
"""

import dataclasses
import hashlib
import json
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from primelens.tasks import checks, primes, windows, zeros

BINS, WIDTH = 256, 1 / 64
ROW = 256  # tokens of a published row


@dataclasses.dataclass(kw_only=True)
class Config:
  """A control of the published binned networks.

  `shuffled_rows` permutes the zeros' spacings inside every row of 256,
  `shuffled` all of them, training part and tail apart; `prime_gaps` are the
  `primes` first primes' gaps in units of half their median.
  """

  kind: Literal["binned"] = "binned"
  ensemble: Literal["shuffled_rows", "shuffled", "prime_gaps"] = "shuffled"
  seed: checks.Seed = 42
  primes: Annotated[int, checks.Range(100, 100_000_000)] = 2_000_000
  split: Literal["contiguous", "published_tail"] = "published_tail"
  gap: checks.Amount = 1000
  window: checks.Number = 255
  stride: checks.Count = 256
  base: zeros.Config = dataclasses.field(default_factory=zeros.Config)

  def __post_init__(self):
    checks.fields(self)


@jax.jit
def encode(spacing: Any) -> jax.Array:
  """Returns the bin of each spacing, int32: those outside go to the ends.

  floor(64 s), as of spacings clipped to [0, 4 - 1e-6].
  """
  token = jnp.floor(jnp.asarray(spacing, jnp.float32) / WIDTH)
  return jnp.clip(token, 0, BINS - 1).astype(jnp.int32)


def decode(token: Any) -> Any:
  """Returns the centre of each bin, 1/128 + k/64."""
  return (token + 0.5) * WIDTH


def shuffled_rows(value_N: np.ndarray, seed: int) -> np.ndarray:
  """Returns the sequence with every row of 256 in an order of its own.

  What does not fill a row stays as it is. (The source's variant a.)
  """
  whole = len(value_N) // ROW * ROW
  rng = np.random.default_rng(seed)
  row_NxT = rng.permuted(value_N[:whole].reshape(-1, ROW), axis=1)
  return np.concatenate([row_NxT.ravel(), value_N[whole:]])


def shuffled(value_N: np.ndarray, seed: int, tail: int) -> np.ndarray:
  """Returns the sequence in random order, before `tail` and from there on.

  Training part and tail keep their own spacings. (The source's variant b.)
  """
  rng = np.random.default_rng(seed)
  parts = (value_N[:tail], value_N[tail:])
  return np.concatenate([rng.permutation(part) for part in parts])


def prime_gaps(count: int) -> np.ndarray:
  """Returns 2 gap / median of the gaps between the first `count` primes.

  In these units `encode` gives the published tokens, clip(int(gap 128 /
  median), 0, 255). Their mean is not 1, nor do they stay alike with height:
  the source unfolds nothing.
  """
  gap_N = np.diff(primes.first(count))
  return (2 * gap_N / np.median(gap_N)).astype(np.float32)


def load(config: Config) -> windows.Series:
  """Returns the control's sequence, without heights; raises as `zeros.load`."""
  config = dataclasses.replace(config)  # fields may have been set since
  recipe: list[Any] = [config.ensemble, config.seed]
  split = lambda n: windows.SPLITS[config.split](n, window=config.window, gap=config.gap)
  if config.ensemble == "prime_gaps":
    value_N = prime_gaps(config.primes)
    recipe = [config.ensemble, config.primes]
  else:
    base = zeros.load(config.base)
    recipe.append(base.data_hash)
    tail, _ = split(len(base.value_N))["test"]
    value_N = (
      shuffled_rows(base.value_N, config.seed)
      if config.ensemble == "shuffled_rows"
      else shuffled(base.value_N, config.seed, tail)
    )
  return windows.Series(
    value_N=value_N,
    splits=split(len(value_N)),
    window=config.window,
    stride=config.stride,
    data_hash=hashlib.sha256(json.dumps(recipe).encode()).hexdigest(),
  )
