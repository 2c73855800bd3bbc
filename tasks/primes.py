"""Prime gaps by index, sequences that stand in for them, and splits.

The published input is the number of a gap, so whatever is learned is learned
by heart; `context` gives the gaps and residues before it in its place, where
later primes can be told from earlier ones. Source: docs/sources/primes.md, sections 1 and 6.5.
"""

import dataclasses
import hashlib
import math
from typing import Annotated, Literal

import numpy as np
from primelens.tasks import checks

SEGMENT = 1 << 20  # odd numbers sieved at once
LOGISTIC = 3.8  # x <- 3.8 x (1 - x) from 1/2 (docs/sources/primes.md, section 7.1)
Sequence = Literal["primes", "shuffled", "cramer", "marginal", "gaussian", "constant", "logistic"]


@dataclasses.dataclass(kw_only=True)
class Config:
  """Which gaps, how many, who is left out of training, and in which order.

  `sequence` takes the place of the gaps: the same ones `shuffled`, those of
  `cramer`'s random primes (n is one with probability 1 / ln n), independent
  draws from their `marginal`, `gaussian` ones of their mean and deviation, a
  `constant` one deviation above their mean, or differences of the chaotic
  `logistic` map. `held_out` rows, a tenth drawn at random or the last tenth,
  are scored and never trained on; none were in the source. `seed` is that of
  sequence, split and order.
  """

  kind: Literal["primes"] = "primes"
  primes: Annotated[int, checks.Range(100, 100_000_000)] = 1_000_000
  sequence: Sequence = "primes"
  held_out: Literal["none", "random", "tail"] = "none"
  held_fraction: checks.Inside = 0.1
  order: Literal["fixed", "shuffled"] = "fixed"
  context: Annotated[int, checks.Range(0, 1_000_000)] = (
    0  # gaps before the one asked for; 0: its index alone
  )
  moduli: tuple[
    Annotated[int, checks.Range(2, 10_000)], ...
  ] = ()  # residues of the primes after those gaps
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    if self.moduli and not self.context:
      raise checks.FieldError(f"moduli={checks.brief(self.moduli)} need a context of 1 or more.")
    if self.context >= self.primes // 2:
      raise checks.FieldError(f"context={self.context} leaves no gaps to ask for.")


@dataclasses.dataclass(frozen=True)
class Gaps:
  """Gaps, their z-scores by the trained ones' mean and deviation, and rows."""

  config: Config
  gap_N: np.ndarray  # in integers, for primes
  prime_N: np.ndarray  # the prime before each gap; of a twin the sum so far
  target_N: np.ndarray  # z-scores, float32
  train_N: np.ndarray
  held_N: np.ndarray
  mean: float
  deviation: float
  data_hash: str

  @property
  def splits(self) -> dict[str, int]:
    """How many gaps each split has."""
    return {"train": len(self.train_N), "held_out": len(self.held_N)}


def below(limit: int) -> np.ndarray:
  """Returns all primes below `limit`, int64: an odd sieve in segments."""
  if limit <= 2:
    return np.zeros(0, np.int64)
  root = math.isqrt(limit - 1)
  small = _small(root + 1)
  odd = small[1:]
  found = [np.array([2], np.int64)]
  for start in range(1, limit // 2 * 2, 2 * SEGMENT):  # start is odd
    count = min(SEGMENT, (limit - start + 1) // 2)
    alive = np.ones(count, bool)
    stop = start + 2 * count
    for p in odd[: np.searchsorted(odd * odd, stop)]:
      first = max(p * p, (start + p - 1) // p * p)
      first += p * (first % 2 == 0)
      alive[(first - start) // 2 :: p] = False
    if start == 1:
      alive[0] = False  # 1 is no prime
    found.append(start + 2 * np.flatnonzero(alive).astype(np.int64))
  return np.concatenate(found)


def _small(limit: int) -> np.ndarray:
  """Returns the primes below a small limit by the plain sieve."""
  alive = np.ones(max(limit, 3), bool)
  alive[:2] = False
  for p in range(2, math.isqrt(len(alive)) + 1):
    if alive[p]:
      alive[p * p :: p] = False
  return np.flatnonzero(alive[:limit] if limit < len(alive) else alive)


def first(count: int) -> np.ndarray:
  """Returns the first `count` primes, int64.

  Sieved below count (ln count + ln ln count), which bounds the prime of that
  number from 6 on (Rosser and Schoenfeld 1962).
  """
  size = max(count, 6)
  bound = size * (math.log(size) + math.log(math.log(size)))
  return below(math.ceil(bound) + 1)[:count]


def cramer(count: int, rng: np.random.Generator) -> np.ndarray:
  """Returns random primes: 2, and each n > 2 with probability 1 / ln n."""
  bound = int(1.1 * count * math.log(max(count, 6)))
  drawn = [np.array([2], np.int64)]
  total, start = 1, 3
  while total < count:
    n_N = np.arange(start, start + bound, dtype=np.int64)
    part = n_N[rng.random(bound) < 1 / np.log(n_N)]
    drawn.append(part)
    total, start = total + len(part), start + bound
  return np.concatenate(drawn)[:count]


def logistic(count: int) -> np.ndarray:
  """Returns x_0 = 1/2, x <- 3.8 x (1 - x): `count` float64 numbers."""
  x_N = np.empty(count)
  x = 0.5
  for i in range(count):
    x_N[i] = x
    x = LOGISTIC * x * (1 - x)
  return x_N


def _gaps(config: Config) -> tuple[np.ndarray, np.ndarray]:
  """Returns the gaps of a sequence and what stands before each."""
  rng = np.random.default_rng(config.seed)
  if config.sequence in ("cramer", "logistic"):
    values = cramer(config.primes, rng) if config.sequence == "cramer" else logistic(config.primes)
    return np.diff(values), values[:-1]
  prime_N = first(config.primes)
  gap_N = np.diff(prime_N)
  if config.sequence == "primes":
    return gap_N, prime_N[:-1]
  makers = {
    "shuffled": lambda: rng.permutation(gap_N),
    "marginal": lambda: rng.choice(gap_N, len(gap_N)),
    "gaussian": lambda: rng.normal(gap_N.mean(), gap_N.std(), len(gap_N)),
    "constant": lambda: np.full(len(gap_N), gap_N.mean() + gap_N.std()),
  }
  twin_N = makers[config.sequence]()
  before_N = 2 + np.concatenate([[0], np.cumsum(twin_N)[:-1]])
  return twin_N, before_N


def _split(config: Config, count: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns trained rows, in order, and held-out ones."""
  row_N = np.arange(config.context, count)
  if config.held_out == "none":
    return row_N, row_N[:0]
  held = max(1, int(len(row_N) * config.held_fraction))
  if config.held_out == "tail":
    return row_N[:-held], row_N[-held:]
  # Another stream than that of the sequence, from the same seed.
  rng = np.random.default_rng([config.seed, 1])
  chosen_N = np.sort(rng.choice(row_N, held, replace=False))
  return np.setdiff1d(row_N, chosen_N), chosen_N


def load(config: Config) -> Gaps:
  """Returns the gaps of a config."""
  config = dataclasses.replace(config)  # fields may have been set since
  gap_N, before_N = _gaps(config)
  train_N, held_N = _split(config, len(gap_N))
  if len(train_N) < 2:
    raise ValueError(
      f"held_fraction={config.held_fraction} leaves {len(train_N)} gaps to train on."
    )
  mean, deviation = gap_N[train_N].mean(), gap_N[train_N].std()
  if config.sequence == "constant":  # by the primes' own, or all would be 0
    real_N = np.diff(first(config.primes))
    mean, deviation = real_N.mean(), real_N.std()
  target_N = ((gap_N - mean) / deviation).astype(np.float32)
  digest = hashlib.sha256(target_N.tobytes())
  for part in (before_N % 2**32, train_N, held_N):
    digest.update(np.ascontiguousarray(part).tobytes())
  return Gaps(
    config=config,
    gap_N=gap_N,
    prime_N=before_N,
    target_N=target_N,
    train_N=train_N.astype(np.int32),
    held_N=held_N.astype(np.int32),
    mean=float(mean),
    deviation=float(deviation),
    data_hash=digest.hexdigest(),
  )


def tokens(gaps: Gaps) -> np.ndarray:
  """Returns what a token of context says of every gap, NxF, float32.

  Its z-score and, one-hot for every modulus, the residue of the prime after
  it: the last token of a context has the prime that the asked gap begins at.
  """
  after_N = gaps.prime_N + gaps.gap_N
  residue = lambda modulus: (after_N % modulus).astype(int)
  hot = [np.eye(m, dtype=np.float32)[residue(m)] for m in gaps.config.moduli]
  return np.concatenate([gaps.target_N[:, None], *hot], axis=-1)
