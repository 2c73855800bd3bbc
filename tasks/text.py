"""Character-level sums: "103 + 40 = ?" and what is asked of them.

`sum` asks for x + y, `modk` for (x + y) mod k, `valid` whether a shown sum is
right. Source: docs/sources/text.md, section 1.
"""

import dataclasses
import hashlib
from typing import Annotated, Literal

import numpy as np
from primelens.tasks import characters, checks

Question = Literal["sum", "modk", "valid"]
PARTS = ("train", "select", "test")
_SHARES = (0.8, 0.1, 0.1)  # of the unordered pairs, in the order of PARTS
_WRONG = 5  # a wrong shown sum is 1..4 too large


@dataclasses.dataclass(kw_only=True)
class Config:
  """Which pairs, how they are written, who sees them.

  `pairs`: `drawn` has `count` pairs with replacement from `seed`; `all` has
  every ordered pair of operands. `split`: `published` is the first nine tenths
  for training, the rest for selection, nothing held back; `disjoint` divides
  unordered pairs 80/10/10, so that x + y is never in two parts with y + x.
  """

  kind: Literal["text"] = "text"
  question: Question = "sum"
  modulus: Annotated[int, checks.Range(2, 1_000_000)] = 97
  operands: Annotated[int, checks.Range(2, 1_000)] = 1000  # numbers 0..operands - 1
  pairs: Literal["drawn", "all"] = "drawn"
  count: Annotated[int, checks.Range(20, 10_000_000)] = 20_000
  seed: checks.Seed = 1
  split: Literal["published", "disjoint"] = "published"
  layout: Literal["published", "aligned"] = "published"
  scale: Annotated[float, checks.Range(0, 1e9, "(]")] = (
    2000.0  # a regression's targets are answers over this
  )

  def __post_init__(self):
    checks.fields(self)
    if self.pairs == "all" and self.split == "published":
      raise ValueError(
        "task.split='published' is of drawn pairs; pairs='all' needs split='disjoint'."
      )
    if self.question == "valid" and self.layout == "aligned":
      raise ValueError("question='valid' is written in layout='published'.")


@dataclasses.dataclass(frozen=True)
class Text:
  """Prompts as tokens, their operands and answers, and the rows of the parts.

  `answer_N` is the sum, the residue, or whether the shown sum is right.
  """

  token_NxT: np.ndarray
  x_N: np.ndarray
  y_N: np.ndarray
  answer_N: np.ndarray
  train_N: np.ndarray
  select_N: np.ndarray
  test_N: np.ndarray
  config: Config

  @property
  def splits(self) -> dict[str, int]:
    """How many rows each part has."""
    return {part: len(self.rows(part)) for part in PARTS}

  @property
  def data_hash(self) -> str:
    """The sha256 of all tokens, answers and parts."""
    arrays = (self.token_NxT, self.answer_N, *map(self.rows, PARTS))
    digest = hashlib.sha256()
    for array in arrays:
      digest.update(np.ascontiguousarray(array, np.int32).tobytes())
    return digest.hexdigest()

  def rows(self, part: str) -> np.ndarray:
    """Returns the rows of train, select or test."""
    return {"train": self.train_N, "select": self.select_N, "test": self.test_N}[part]


def classes(config: Config) -> int:
  """Returns how many answers there are."""
  sums = 2 * config.operands - 1
  return {"sum": sums, "modk": config.modulus, "valid": 2}[config.question]


def load(config: Config) -> Text:
  """Returns the prompts of a config."""
  if config.pairs == "all":
    x_N, y_N = np.divmod(np.arange(config.operands**2), config.operands)
  else:
    x_N, y_N = draw(config.count, config.seed, config.operands)
  if config.split == "published":
    cut = int(0.9 * len(x_N))
    parts = np.arange(cut), np.arange(cut, len(x_N)), np.arange(0)
  else:
    parts = _disjoint(x_N, y_N, config.operands, config.seed)
  return ask(config, x_N, y_N, parts)


def ask(config: Config, x_N, y_N, parts) -> Text:
  """Returns the prompts of given pairs; `parts` are the rows of PARTS."""
  shown_N, answer_N = None, x_N + y_N
  if config.question == "modk":
    answer_N = answer_N % config.modulus
  if config.question == "valid":
    shown_N, answer_N = _shown(answer_N, config.seed)
  width = len(str(config.operands - 1)) if config.layout == "aligned" else 0
  lines = characters.prompts(
    x_N.tolist(),
    y_N.tolist(),
    modulus=config.modulus if config.question == "modk" else 0,
    shown_N=None if shown_N is None else shown_N.tolist(),
    width=width,
  )
  return Text(
    token_NxT=characters.encode(lines),
    x_N=x_N,
    y_N=y_N,
    answer_N=answer_N,
    **{f"{name}_N": rows for name, rows in zip(PARTS, parts, strict=True)},
    config=config,
  )


def draw(count: int, seed: int, operands: int = 1000):
  """Returns `count` operands x and as many y: all x come first, so that
  another count has other pairs."""
  rng = np.random.default_rng(seed)
  x_N = rng.integers(0, operands, size=count, dtype=np.int32)
  return x_N, rng.integers(0, operands, size=count, dtype=np.int32)


def fresh(text: Text, count: int, seed: int, fit: float = 0.5) -> Text:
  """Returns `count` prompts of new pairs: a probe set.

  No unordered pair is among the rows of train or select, none is twice; the
  first `fit` of them are its train part, the others its test part. Raises
  `ValueError` where there are not so many new pairs.
  """
  config, rng = text.config, np.random.default_rng(seed)
  seen_N = np.concatenate([text.train_N, text.select_N])
  taken_N = _unordered(text.x_N[seen_N], text.y_N[seen_N], config.operands)
  low_N, high_N = np.triu_indices(config.operands)
  free_N = np.flatnonzero(~np.isin(low_N * config.operands + high_N, taken_N))
  if count > len(free_N):
    raise ValueError(f"{count} new pairs were asked for, {len(free_N)} are left.")
  chosen_N = rng.choice(free_N, count, replace=False)
  pair_2xN = np.stack([low_N[chosen_N], high_N[chosen_N]])
  turned_N = rng.random(count) < 0.5
  x_N, y_N = np.where(turned_N, pair_2xN[::-1], pair_2xN).astype(np.int32)
  cut = int(count * fit)
  parts = np.arange(cut), np.arange(0), np.arange(cut, count)
  return ask(config, x_N, y_N, parts)


def _unordered(x_N, y_N, operands: int) -> np.ndarray:
  """Returns a number per unordered pair."""
  return np.minimum(x_N, y_N).astype(np.int64) * operands + np.maximum(x_N, y_N)


def _disjoint(x_N, y_N, operands: int, seed: int):
  """Returns the rows of each part, no unordered pair in two; shuffled, so that
  the first rows of a part are any of them."""
  code_N = _unordered(x_N, y_N, operands)
  pair_E, at_N = np.unique(code_N, return_inverse=True)
  rank_E = np.random.default_rng([seed, 1]).permutation(len(pair_E))
  ends = np.round(np.cumsum(_SHARES) * len(pair_E)).astype(int)
  part_E = np.searchsorted(ends, rank_E, side="right")
  order_N = np.random.default_rng([seed, 2]).permutation(len(code_N))
  part_N = part_E[at_N[order_N]]
  return tuple(order_N[part_N == i] for i in range(len(PARTS)))


def _shown(sum_N, seed: int):
  """Returns the sums shown and whether they are right: half are too large."""
  rng = np.random.default_rng(seed + 1)
  wrong_N = rng.choice(len(sum_N), len(sum_N) // 2, replace=False)
  right_N = np.ones_like(sum_N)
  right_N[wrong_N] = 0
  shown_N = sum_N.copy()
  shown_N[wrong_N] += rng.integers(1, _WRONG, size=len(wrong_N))
  return shown_N, right_N
