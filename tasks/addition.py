"""Pairs of numbers and their sums, plain or modular, and who sees which.

Inputs are [a, b, =] for all P^2 ordered pairs, a-major: row a P + b. Every
population member has a split of its own.
"""

import dataclasses
import hashlib
from typing import Annotated, Literal

import numpy as np
from primelens.tasks import checks, mersenne


@dataclasses.dataclass(kw_only=True)
class Config:
  """Which sums, and the split of every population member.

  `published` splits ordered pairs, so that most test pairs have their mirror
  image in train; `unordered` keeps both orders of a pair on one side.
  `permuted` labels are the true ones of all inputs, shuffled by NumPy's
  `default_rng` of the member's split seed. Source: docs/sources/addition.md, sections 1 and 7.
  """

  kind: Literal["addition"] = "addition"
  digits: Annotated[int, checks.Range(2, 10_000)] = 10  # P: numbers 0..P-1
  modular: bool = False
  train_fraction: checks.Inside = 0.72
  split: Literal["published", "unordered"] = "published"
  split_seeds: Annotated[tuple[checks.Seed, ...], checks.Items(1, 100_000)] = (598,)
  labels: Literal["true", "permuted"] = "true"

  def __post_init__(self):
    checks.fields(self)

  @property
  def classes(self) -> int:
    """P sums modulo P; 2 P plain ones, of which the last is never right."""
    return self.digits if self.modular else 2 * self.digits


@dataclasses.dataclass(frozen=True)
class Pairs:
  """All inputs, their labels, and each member's rows of train and test."""

  token_Nx3: np.ndarray
  label_SxN: np.ndarray
  train_SxN: np.ndarray
  test_SxN: np.ndarray
  digits: int
  modular: bool
  classes: int
  data_hash: str

  @property
  def vocabulary(self) -> int:
    """P + 1 input tokens: the numbers and, last, `=`."""
    return self.digits + 1

  @property
  def splits(self) -> dict[str, int]:
    """How many pairs each split has."""
    return {"train": self.train_SxN.shape[1], "test": self.test_SxN.shape[1]}


def load(config: Config) -> Pairs:
  """Returns the pairs of a config; raises `ValueError` where a side of the
  split is empty."""
  digits = config.digits
  a_N, b_N = np.divmod(np.arange(digits**2), digits)
  token_Nx3 = np.stack([a_N, b_N, np.full_like(a_N, digits)], 1)
  sum_N = (a_N + b_N) % digits if config.modular else a_N + b_N
  divide = _ordered if config.split == "published" else _unordered
  split = [divide(digits, config.train_fraction, seed) for seed in config.split_seeds]
  label_SxN = np.stack([_labels(config, sum_N, s) for s in config.split_seeds])
  train_SxN, test_SxN = (np.stack(side) for side in zip(*split, strict=True))
  if not (train_SxN.size and test_SxN.size):
    raise ValueError(
      f"train_fraction={config.train_fraction} leaves one side of {digits**2} pairs empty."
    )
  arrays = {
    "token_Nx3": token_Nx3.astype(np.int32),
    "label_SxN": label_SxN.astype(np.int32),
    "train_SxN": train_SxN.astype(np.int32),
    "test_SxN": test_SxN.astype(np.int32),
  }
  digest = hashlib.sha256(b"".join(part.tobytes() for part in arrays.values()))
  return Pairs(
    **arrays,
    digits=digits,
    modular=config.modular,
    classes=config.classes,
    data_hash=digest.hexdigest(),
  )


def _labels(config: Config, sum_N, seed: int) -> np.ndarray:
  if config.labels == "true":
    return sum_N
  return np.random.default_rng(seed).permutation(sum_N)


def _ordered(digits: int, fraction: float, seed: int):
  """Returns train and test rows: one permutation of all rows, cut once."""
  row_N = mersenne.permutation(seed, digits**2)
  count = int(digits**2 * fraction)
  return row_N[:count], row_N[count:]


def _unordered(digits: int, fraction: float, seed: int):
  """Returns train and test rows that share no unordered pair.

  Pairs {a, a} and {a < b} are split apart, each by a permutation of its own
  (the second by seed + 1), so that sizes do not depend on the seed.
  """
  a_N, b_N = np.triu_indices(digits, 1)
  twin_Nx2 = np.stack([a_N * digits + b_N, b_N * digits + a_N], 1)
  twin_Nx2 = twin_Nx2[mersenne.permutation(seed + 1, len(twin_Nx2))]
  same_N = mersenne.permutation(seed, digits) * (digits + 1)
  cut = lambda rows: np.split(rows, [int(len(rows) * fraction)])
  return [
    np.concatenate([same, twins.reshape(-1)])
    for same, twins in zip(cut(same_N), cut(twin_Nx2), strict=True)
  ]
