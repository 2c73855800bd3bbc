"""Windows of a one-dimensional sequence: what every spacing model reads.

A window that starts at i shows a model the T values x[i:i+T] and asks for
x[i+1:i+T+1], so it occupies T + 1 values, all inside one split.
"""

import dataclasses
from typing import Any

import jax
import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Series:
  """A sequence, its splits and how windows are cut from it.

  `value_N` are spacings (mean 1, float32) and `ordinate_N` the heights at
  which they start (float64), None where there is no height. `splits` maps
  names to half-open ranges of indices. `window` is T, the inputs per window;
  training windows start at multiples of `stride` within their split, and come
  from the last `recent` spacings of train only (0: from all of it).
  Raises ValueError if a split leaves the sequence or is shorter than T + 1.
  """

  value_N: np.ndarray
  splits: dict[str, tuple[int, int]]
  window: int
  data_hash: str
  stride: int = 1
  recent: int = 0
  ordinate_N: np.ndarray | None = None

  def __post_init__(self):
    if self.window < 1 or self.stride < 1:
      raise ValueError(f"window {self.window} and stride {self.stride} must be at least 1.")
    for name, (first, last) in self.splits.items():
      _check_range(name, first, last, self.window, len(self.value_N))

  @property
  def data(self) -> dict[str, np.ndarray]:
    """The arrays a training step draws its windows from."""
    return {"value_N": self.value_N}

  @property
  def drawn(self) -> tuple[int, int]:
    """The range training windows are drawn from; ValueError if too short."""
    first, last = self.bounds("train")
    if self.recent:
      first = max(first, last - self.recent)
    _check_range("train (recent)", first, last, self.window, last)
    return first, last

  def bounds(self, split: str) -> tuple[int, int]:
    """First and one-past-last index of a split; ValueError if unknown."""
    if split not in self.splits:
      raise ValueError(f"No split {split!r}; choose from {list(self.splits)}.")
    return self.splits[split]


def _check_range(name: str, first: int, last: int, window: int, n: int) -> None:
  if not 0 <= first <= last <= n:
    raise ValueError(f"Split {name!r} is [{first}, {last}), outside the {n} spacings.")
  if last - first < window + 1:
    raise ValueError(
      f"Split {name!r} holds {max(last - first, 0)} spacings, but a window of "
      f"{window} inputs needs {window + 1}: use more data or a shorter window."
    )


def contiguous(n: int, *, window: int, gap: int = 1000) -> dict[str, tuple[int, int]]:
  """Train, select and test as 80/10/10 of n spacings, in order of height.

  max(gap, T) spacings lie unused between neighbours, so that no window of one
  split is correlated with the next through shared or adjacent spacings.
  Raises ValueError if a split cannot hold one window.
  """
  gap = max(gap, window)
  usable = n - 2 * gap
  train, select = int(0.8 * usable), int(0.1 * usable)
  first = train + gap
  splits = {
    "train": (0, train),
    "select": (first, first + select),
    "test": (first + select + gap, n),
  }
  return _checked(splits, window, n)


def published_tail(n: int, *, window: int, gap: int = 1000) -> dict[str, tuple[int, int]]:
  """The split of the published study, with a selection part cut from train.

  Of floor(n / 256) rows of 256 spacings the last int(0.1 rows) are "test" and
  all before them "train_published", with no gap, as published. The last tenth
  of that part is "select" and "train" ends max(gap, T) spacings before it.
  Raises ValueError if a split cannot hold one window.
  """
  rows = n // 256
  first = 256 * (rows - int(0.1 * rows))
  select = first - first // 10
  splits = {
    "train": (0, select - max(gap, window)),
    "select": (select, first),
    "test": (first, 256 * rows),
    "train_published": (0, first),
  }
  return _checked(splits, window, n)


def _checked(splits, window: int, n: int) -> dict[str, tuple[int, int]]:
  for name, (first, last) in splits.items():
    if last - first < window + 1:
      raise ValueError(
        f"{n} spacings are too few: split {name!r} would hold "
        f"{max(last - first, 0)}, but a window of {window} inputs needs "
        f"{window + 1}."
      )
  return splits


SPLITS = {"contiguous": contiguous, "published_tail": published_tail}


def draw(
  value_N: jax.Array,
  key: jax.Array,
  batch_size: int,
  *,
  first: int,
  last: int,
  window: int,
  stride: int = 1,
) -> jax.Array:
  """Returns random training windows_BxT+1 of values N or rows NxE, drawn with replacement.

  Starts are uniform over first, first + stride, ... up to the last window
  that ends by `last` (exclusive). Pure and jit-safe: indices, not batches,
  are drawn, so the sequence stays where it is on the device. Raises ValueError
  if the range holds no window.
  """
  count = (last - first - window - 1) // stride + 1
  if count < 1:
    raise ValueError(f"[{first}, {last}) holds no window of {window} inputs and a target.")
  start_B = first + stride * jax.random.randint(key, (batch_size,), 0, count)
  cut = lambda start: jax.lax.dynamic_slice_in_dim(value_N, start, window + 1)
  return jax.vmap(cut)(start_B)


def starts(
  series: Series,
  split: str,
  count: int | None = None,
  *,
  min_context: int = 1,
  seed: int | None = None,
) -> np.ndarray:
  """Returns evaluation starts_N, in order of height.

  Windows are laid T - c + 1 apart (c = `min_context`): scoring target t of
  each window only if it has c inputs behind it, t >= c - 1, then scores every
  spacing at most once and leaves none out between the first window and the
  last. With `count`, that many of them evenly spread over the split, or with
  `seed` a random choice without replacement. Raises ValueError if the split
  is unknown, has fewer windows than `count`, or c is not in 1 .. T.
  """
  first, last = series.bounds(split)
  step = _scored(series.window, min_context)
  start_N = np.arange(first, last - series.window, step)
  if count is None:
    return start_N
  if not 1 <= count <= len(start_N):
    raise ValueError(
      f"Split {split!r} has {len(start_N)} disjoint windows, not {count}: "
      f"choose 1 to {len(start_N)}."
    )
  if seed is None:
    return start_N[np.linspace(0, len(start_N) - 1, count).round().astype(int)]
  rng = np.random.default_rng(seed)
  return np.sort(rng.choice(start_N, count, replace=False))


def take(value_N: Any, start_N: Any, window: int) -> Any:
  """Returns windows_NxT+1 that start at the given indices."""
  return value_N[start_N[:, None] + np.arange(window + 1)[None, :]]


def targets(start_N: np.ndarray, window: int, *, min_context: int = 1) -> np.ndarray:
  """Returns index_NxU: where in the sequence the scored targets lie.

  U = T - c + 1 with c = `min_context`; the targets of the window starting at
  i are i + c, ..., i + T. Anchors scored at these indices see the same
  positions as a model. Raises ValueError if c is not in 1 .. T.
  """
  scored = _scored(window, min_context)
  return start_N[:, None] + min_context + np.arange(scored)[None, :]


def _scored(window: int, min_context: int) -> int:
  """Targets per window that have at least `min_context` inputs behind them."""
  if not 1 <= min_context <= window:
    raise ValueError(f"min_context {min_context} is not in 1 .. {window}.")
  return window - min_context + 1
