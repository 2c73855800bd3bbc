"""Spacings of the zeros of the Riemann zeta function, unfolded to mean 1."""

import dataclasses
import hashlib
import io
import os
import pathlib
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from absl import logging
from primelens.tasks import checks, windows, zeros_computed, zeros_sources
from primelens.tasks import files as files_lib

_MAX_SPACING = 10.0
_COUNT_BLOCK = 1000
_READ_VERSION = "1"  # change it when a reader changes what it returns
_COMPUTE_VERSION = "1"  # the same of the zeros computed here
SOURCES = (*zeros_sources.READERS, "computed")


@dataclasses.dataclass(kw_only=True)
class Config:
  """Which zeros, how they are split and how windows are cut."""

  kind: Literal["zeros"] = "zeros"
  # odlyzko: the wheel of the extra `zeros`, or a copy of its zeros.sobj at
  # `path`; text: one ordinate per line; platt: a .dat file or folder of them;
  # computed: zeros number `first`, first + 1, ..., `limit` of them, made here.
  source: Literal["odlyzko", "text", "platt", "computed"] = "odlyzko"
  path: str = ""
  cache: str = ""  # default: $PRIMELENS_CACHE or ~/.cache/primelens
  first: Annotated[int, checks.Range(1, 1_000_000_000_000)] = (
    1  # the first zero taken of the source, from 1
  )
  limit: checks.Steps = 0  # how many zeros from there; 0 = all
  split: Literal["contiguous", "published_tail"] = "contiguous"
  gap: checks.Amount = 1000  # unused spacings between splits, at least a window
  window: checks.Number = 256
  stride: checks.Count = 1
  recent: checks.Amount = 0  # train on windows of the last `recent` spacings; 0: of all

  def __post_init__(self):
    checks.fields(self)
    if self.source == "computed" and not self.limit:
      raise ValueError("source 'computed' needs a number of zeros: --config.task.limit=N.")


def load(config: Config) -> windows.Series:
  """Returns the unfolded spacings with their heights and splits.

  Raises ValueError for bad input or too few zeros, FileNotFoundError if the
  source is not there.
  """
  config = dataclasses.replace(config)  # fields may have been set since
  ordinate_N = ordinates(config)
  if config.source != "computed":
    ordinate_N = ordinate_N[config.first - 1 :]
  if config.limit > len(ordinate_N):
    raise ValueError(
      f"limit {config.limit} exceeds {len(ordinate_N)} zeros from zero {config.first} on."
    )
  ordinate_N = ordinate_N[: config.limit or None]
  value_N = spacings(ordinate_N)
  split = windows.SPLITS[config.split]
  return windows.Series(
    value_N=value_N,
    ordinate_N=ordinate_N[:-1],
    splits=split(len(value_N), window=config.window, gap=config.gap),
    window=config.window,
    stride=config.stride,
    recent=config.recent,
    data_hash=_hash(config, ordinate_N),
  )


def _hash(config: Config, ordinate_N: np.ndarray) -> str:
  """Returns a hash that the same zeros have everywhere.

  Of what was read, not of the spacings, and of the recipe of what is computed:
  results differ between processors in their last bit.
  """
  if config.source == "computed":
    return _source(config)[0]
  return hashlib.sha256(ordinate_N.astype("<f8").data).hexdigest()


def unfold(ordinate_N: np.ndarray) -> np.ndarray:
  """Returns unfolded heights u = (g / 2 pi) ln(g / (2 pi e)), float64.

  The smooth part of the counting function up to a constant: zeros at u have
  mean spacing 1 at every height. (The published study's variant B.)
  """
  turns_N = np.asarray(ordinate_N, np.float64) / (2 * np.pi)
  return turns_N * (np.log(turns_N) - 1)


def spacings(ordinate_N: np.ndarray) -> np.ndarray:
  """Returns s_n = u(g_{n+1}) - u(g_n), taken in float64, stored as float32."""
  return np.diff(unfold(ordinate_N)).astype(np.float32)


def number(ordinate_N: np.ndarray) -> int:
  """Returns which zero of all the first of consecutive ordinates is, from 1.

  Zero k has k - 1/2 = u + 7/8 + S, and S averages to almost nothing (Turing):
  certain for some hundred zeros, likely for ten.
  """
  height_N = unfold(ordinate_N)
  return int(np.rint(np.mean(height_N - np.arange(len(height_N))) + 1.375))


def check(ordinate_N: np.ndarray, place: Callable[[int], str]) -> None:
  """Raises ValueError unless these are consecutive zeros, naming the place.

  Refused: fewer than two, non-finite or too low ordinates, repeated or
  descending ones, an unfolded spacing above 10, and a count that disagrees
  with the Riemann-von Mangoldt formula.
  """
  if len(ordinate_N) < 2:
    raise ValueError(f"{place(0)}: a single zero has no spacing.")
  _refuse(~np.isfinite(ordinate_N), "is not finite", place)
  _refuse(ordinate_N < 14, "lies below the first zero", place)
  step_N = np.diff(ordinate_N, prepend=0)
  _refuse(step_N == 0, "repeats the one before", place)
  _refuse(step_N < 0, "is below the one before", place)
  height_N = unfold(ordinate_N)
  gap_N = np.diff(height_N, prepend=height_N[0]) > _MAX_SPACING
  _refuse(gap_N, "follows a gap of over 10 mean spacings", place)
  _check_count(height_N, place)


def _refuse(bad_N, complaint, place) -> None:
  if bad_N.any():
    raise ValueError(f"{place(int(np.argmax(bad_N)))}: the ordinate {complaint}.")


def _check_count(height_N: np.ndarray, place: Callable[[int], str]) -> None:
  """Refuses a missing or surplus zero that no single spacing gives away.

  N(g) = u(g) + 7/8 + S(g) and S averages to almost nothing (Turing), so over
  a thousand zeros the mean of u - n is a whole number minus 3/8 (n from 0, a
  zero counted half), the same number throughout: on Odlyzko's table to .003.
  """
  if len(height_N) < _COUNT_BLOCK:
    return
  drift_N = height_N - np.arange(len(height_N)) + 0.375
  first_B = np.arange(0, len(height_N) - _COUNT_BLOCK + 1, _COUNT_BLOCK)
  first_B = np.append(first_B, len(height_N) - _COUNT_BLOCK)
  drift_B = np.array([drift_N[i : i + _COUNT_BLOCK].mean() for i in first_B])
  bad_B = np.abs(drift_B - np.round(drift_B[0])) > 0.1
  if bad_B.any():
    first = int(first_B[np.argmax(bad_B)])
    raise ValueError(
      f"{place(first)}: zeros are missing or surplus within the "
      f"{_COUNT_BLOCK} around here (their number disagrees with N(t))."
    )


def ordinates(config: Config) -> np.ndarray:
  """Returns all checked ordinate_N of the source, memory-mapped, float64.

  The cache file is named by a hash of the source's bytes, or of what is to be
  computed; a damaged one is rebuilt. Raises as the readers, `check` and
  `zeros_computed.compute` do.
  """
  digest, read = _source(config)
  target = _cache(config) / f"{config.source}-{digest[:32]}.npy"
  cached_N = _cached(target)
  if cached_N is not None:
    return cached_N
  ordinate_N, place = read()
  check(ordinate_N, place)
  return _stored(target, ordinate_N)


def named_files(config: Config) -> list[pathlib.Path]:
  """Returns the files that a config names by `path`, none where the source needs no path.

  Raises FileNotFoundError or ValueError where they are not there.
  """
  named = config.path and config.source != "computed"
  return zeros_sources.FILES[config.source](config.path) if named else []


def _source(config: Config) -> tuple[str, Callable[[], zeros_sources.Reading]]:
  """Returns the hash of a source, and what reads or computes it."""
  if config.source == "computed":
    first, count = config.first, config.limit
    name = f"computed {_COMPUTE_VERSION} {first} {count}"
    compute = lambda: zeros_computed.compute(first, count)
    place = lambda i: f"computed zero {first + i}"
    return hashlib.sha256(name.encode()).hexdigest(), lambda: (compute(), place)
  files = zeros_sources.FILES[config.source](config.path)
  read = zeros_sources.READERS[config.source]
  return _digest(config.source, files), lambda: read(files)


def _cache(config: Config) -> pathlib.Path:
  folder = config.cache or os.environ.get("PRIMELENS_CACHE", "")
  return files_lib.home(folder or "~/.cache/primelens")


def _digest(source: str, files: list[pathlib.Path]) -> str:
  digest = hashlib.sha256(f"{source} {_READ_VERSION}".encode())
  for file in files:
    digest.update(bytes.fromhex(files_lib.sha256(file)))
  return digest.hexdigest()


def _cached(target: pathlib.Path) -> np.ndarray | None:
  """The cached ordinates, or None if absent, truncated or damaged.

  Behind the array lie the 32 bytes of its sha256.
  """
  try:
    with files_lib.open_regular(target) as file:
      ordinate_N = np.load(target, mmap_mode="r", allow_pickle=False)
      if ordinate_N.dtype != np.float64 or ordinate_N.ndim != 1:
        return None
      file.seek(ordinate_N.offset + ordinate_N.nbytes)
      if file.read(33) != hashlib.sha256(ordinate_N.data).digest():
        return None
    check(ordinate_N, str)
  except (OSError, ValueError, EOFError):
    return None
  return ordinate_N


def _stored(target: pathlib.Path, ordinate_N: np.ndarray) -> np.ndarray:
  """Writes the cache whole and maps it.

  Two runs that build the same file at once replace it by equal contents. A cache
  that cannot be written only costs time.
  """
  buffer = io.BytesIO()
  np.save(buffer, np.asarray(ordinate_N, np.float64))
  buffer.write(hashlib.sha256(np.ascontiguousarray(ordinate_N, np.float64).data).digest())
  try:
    target.parent.mkdir(parents=True, exist_ok=True)
    files_lib.sweep(target.parent)
    files_lib.write(target, buffer.getbuffer())
  except OSError as error:
    logging.warning("Zeros are not cached in %s: %s", target.parent, error)
    return ordinate_N
  cached_N = _cached(target)
  return ordinate_N if cached_N is None else cached_N
