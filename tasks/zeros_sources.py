"""Reading ordinates of zeta zeros: Odlyzko's table, text, Platt's binary.

Each reader returns `(ordinate_N, place)`, where `place(i)` says in words where
the i-th ordinate stands, for the message that refuses a bad one.
"""

import bisect
import contextlib
import gzip
import hashlib
import importlib.metadata
import io
import pathlib
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO, cast

import numpy as np
from primelens.tasks import files as files_lib

WHEEL = "passagemath-database-odlyzko-zeta"
ODLYZKO_COUNT = 2_001_052
ODLYZKO_SHA256 = "1cebd3bf17c77958c5eef1d78d51338224dd086c0f5ad0874277a82af0f9939e"

_LIST = b"\x80\x02]q\x00"  # protocol 2, an empty list, which is number 0 of what is remembered
_ITEM = np.dtype([("mark", "S1"), ("value", ">f8")])
_BATCH = 1000 * _ITEM.itemsize + 2
_HEADER = struct.Struct("<ddQQ")
_RECORD = np.dtype([("low", "<u8"), ("middle", "<u4"), ("high", "u1")])

Reading = tuple[np.ndarray, Callable[[int], str]]


def odlyzko_files(path: str) -> list[pathlib.Path]:
  """The wheel's `zeros.sobj` (or a copy of it at `path`), found without sage.

  Raises FileNotFoundError if neither is there.
  """
  if path:
    return [_existing(path)]
  try:
    listed = importlib.metadata.distribution(WHEEL).files or []
  except importlib.metadata.PackageNotFoundError:
    listed = []
  for file in listed:
    if file.name == "zeros.sobj" and pathlib.Path(str(file.locate())).is_file():
      return [pathlib.Path(str(file.locate()))]
  raise FileNotFoundError(
    "Odlyzko's table is not installed: pip install 'primelens[zeros]', or give "
    "a file with --config.task.path=FILE --config.task.source=text."
  )


def text_files(path: str) -> list[pathlib.Path]:
  """The text file; raises FileNotFoundError or, without a path, ValueError."""
  if not path:
    raise ValueError("source 'text' needs a file: --config.task.path=FILE.")
  return [_existing(path)]


def platt_files(path: str) -> list[pathlib.Path]:
  """The .dat file, or all in a folder by the integer in their name.

  Lexical order would put zeros_10000.dat before zeros_9000.dat. Raises
  FileNotFoundError for nothing to read, ValueError for a name without integer.
  """
  if not path:
    raise ValueError("source 'platt' needs a file or a folder of .dat files.")
  folder = files_lib.home(path)
  if not folder.is_dir():
    return [_existing(path)]
  files = list(folder.glob("*.dat"))
  if not files:
    raise FileNotFoundError(f"{path} holds no .dat file.")
  return sorted(files, key=_number)


def _existing(path: str) -> pathlib.Path:
  file = files_lib.home(path)
  if not file.is_file():
    raise FileNotFoundError(f"{path} is not a file.")
  return file


def _number(file: pathlib.Path) -> int:
  digits = re.findall(r"\d+", file.stem)
  if not digits:
    raise ValueError(f"{file} has no integer in its name to order it by.")
  return int(digits[-1])


def listed(compressed: bytes) -> np.ndarray:
  """Returns the floats of a zlib-compressed list, float64.

  The table is a pickle, which is not unpickled: of its 256 instructions a list of floats has but
  a beginning, "(" + "G" and eight bytes for each of at most 1,000 floats + "e" again and again,
  and an end. Raises `ValueError` for anything else.
  """
  try:
    content = zlib.decompress(compressed)
  except zlib.error as error:
    raise ValueError(f"Not compressed by zlib: {error}.") from error
  head, body, end = content[: len(_LIST)], content[len(_LIST) : -1], content[-1:]
  batches = [body[first : first + _BATCH] for first in range(0, len(body), _BATCH)]
  framed = all(one[:1] + one[-1:] == b"(e" and len(one) % 9 == 2 for one in batches)
  if head != _LIST or end != b"." or not batches or not framed:
    raise ValueError("Not one list of floats.")
  item_N = np.frombuffer(b"".join(one[1:-1] for one in batches), _ITEM)
  if not (item_N["mark"] == b"G").all():
    raise ValueError("Not one list of floats.")
  return item_N["value"].astype(np.float64)


def odlyzko(files: list[pathlib.Path]) -> Reading:
  """Reads Odlyzko's 2,001,052 ordinates, verified by sha256 and length.

  Raises ValueError if the file is not that very table.
  """
  compressed = files_lib.read(files[0])
  found = hashlib.sha256(compressed).hexdigest()
  if found != ODLYZKO_SHA256:
    raise ValueError(
      f"{files[0]} is not Odlyzko's table: sha256 {found}, expected "
      f"{ODLYZKO_SHA256} (a text file needs --config.task.source=text)."
    )
  ordinate_N = listed(compressed)
  if len(ordinate_N) != ODLYZKO_COUNT:
    raise ValueError(f"{len(ordinate_N)} zeros, expected {ODLYZKO_COUNT}.")
  return ordinate_N, lambda i: f"{files[0]}, zero {i + 1}"


def text(files: list[pathlib.Path]) -> Reading:
  """Reads one ordinate per line, of a plain file or one that gzip made.

  Raises ValueError naming the line that is not a number, and for a last line
  that is cut short.
  """
  file = files[0]
  try:
    _check_end(file)
    with _lines(file) as stream:
      ordinate_N = np.loadtxt(stream, comments=None, ndmin=1)
  except (gzip.BadGzipFile, EOFError, zlib.error) as error:
    raise ValueError(f"{file} is no whole gzip file: {error}.") from error
  except ValueError as error:
    if str(error).startswith(str(file)):
      raise
    raise ValueError(f"{file}, {_bad_line(file)}") from error
  if ordinate_N.ndim != 1:
    raise ValueError(f"{file}, {_bad_line(file)}")
  return ordinate_N, lambda i: f"{file}, line {_line(file, i)} (zero {i + 1})"


def _check_end(file: pathlib.Path) -> None:
  """Refuses an empty file and a last line cut in the middle of a number.

  A complete file may lack its final newline, but then its last number is as
  long as the one before it.
  """
  tail = b""
  with _content(file) as stream:
    if not isinstance(stream, gzip.GzipFile):
      stream.seek(max(0, file.stat().st_size - 4096))
    while chunk := stream.read(1 << 20):
      tail = (tail + chunk)[-4096:]
  if not tail.strip():
    raise ValueError(f"{file} holds no ordinates.")
  lines = tail.split(b"\n")
  if len(lines) > 1 and lines[-1] and len(lines[-1]) < len(lines[-2].strip()):
    raise ValueError(
      f"{file} is cut short: its last line is shorter than the one before and has no newline."
    )


@contextlib.contextmanager
def _content(file: pathlib.Path) -> Iterator[IO[bytes]]:
  """Opens the content of a file, unpacked where gzip packed it."""
  with files_lib.open_regular(file) as stream:
    packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    if not packed:
      yield stream
      return
    with gzip.GzipFile(fileobj=stream) as unpacked:
      yield cast(IO[bytes], unpacked)


@contextlib.contextmanager
def _lines(file: pathlib.Path) -> Iterator[IO[str]]:
  with _content(file) as stream, io.TextIOWrapper(stream, encoding="latin1") as lines:
    yield lines


def _bad_line(file: pathlib.Path) -> str:
  """Names the first line that is not one number; what stands there is not quoted."""
  with _lines(file) as stream:
    for number, line in enumerate(stream, 1):
      try:
        float(line.strip() or 0)
      except ValueError:
        return f"line {number} is not one ordinate."
  return "not one ordinate per line."


def _line(file: pathlib.Path, i: int) -> int:
  """Number of the line with the i-th ordinate (blank lines carry none)."""
  with _lines(file) as stream:
    full = (number for number, line in enumerate(stream, 1) if line.strip())
    for skipped, number in enumerate(full):
      if skipped == i:
        return number
  raise ValueError(f"{file} has no ordinate number {i + 1}.")


def platt(files: list[pathlib.Path]) -> Reading:
  """Reads the LMFDB's files of zeros computed by Platt.

  A file is a u64 count of blocks; a block is t0, t1 (f64), N(t0), N(t1)
  (u64) and N(t1) - N(t0) records of 13 bytes, each the distance to the next
  zero in units of 2^-101. Raises ValueError naming file and block for
  truncation, trailing bytes, zeros outside (t0, t1], or a jump in N.
  """
  parts, firsts, places = [], [], []
  count, expected = 0, None
  for file in files:
    for where, start, end, part_N in _blocks(file):
      if expected is not None and start != expected:
        raise ValueError(
          f"{where} does not start where the one before it ends: a file or block is missing or "
          "repeated."
        )
      firsts.append(count)
      places.append((where, start))
      parts.append(part_N)
      count, expected = count + len(part_N), end
  if count == 0:
    raise ValueError(f"{files[0]} holds no zeros.")

  def place(i: int) -> str:
    block = bisect.bisect_right(firsts, i) - 1
    where, start = places[block]
    return f"{where}, zero {start + i - firsts[block] + 1}"

  return np.concatenate(parts), place


def _blocks(file: pathlib.Path):
  """Yields (place, N(t0), N(t1), ordinate_N) for each block of one file."""
  content = memoryview(files_lib.read(file))
  if len(content) < 8:
    raise ValueError(f"{file} is truncated: {len(content)} bytes.")
  blocks, offset = int.from_bytes(content[:8], "little"), 8
  if blocks > (len(content) - offset) // _HEADER.size:
    raise ValueError(f"{file} is truncated, or none of Platt's: its blocks do not fit into it.")
  for block in range(blocks):
    where = f"{file}, block {block + 1} of {blocks}"
    if len(content) - offset < _HEADER.size:
      raise ValueError(f"{where} is truncated at byte {offset}.")
    low, high, start, end = _HEADER.unpack_from(content, offset)
    offset += _HEADER.size
    if end < start or not 0 <= low < high < np.inf:
      raise ValueError(f"{where} has a header that no such file has.")
    size = (end - start) * _RECORD.itemsize
    if len(content) - offset < size:
      raise ValueError(f"{where} is truncated at byte {len(content)}.")
    part_N = _decoded(content[offset : offset + size], low)
    if len(part_N) and not low <= part_N[0] <= part_N[-1] <= high:
      raise ValueError(f"{where} has zeros outside its range.")
    yield where, start, end, part_N
    offset += size
  if offset != len(content):
    raise ValueError(f"{file} has {len(content) - offset} bytes after its end.")


def _decoded(records: memoryview, low: float) -> np.ndarray:
  """Ordinates t0 + 2^-101 * (running sum of the 104-bit records), float64.

  The upper 40 bits (units of 2^-37) are summed as integers, hence exactly;
  the lower 64 bits add less than one such unit each, so float64 is enough.
  """
  record_N = np.frombuffer(records, _RECORD)
  upper_N = record_N["high"].astype(np.int64) << 32
  upper_N = np.cumsum(upper_N + record_N["middle"])
  lower_N = np.cumsum(record_N["low"].astype(np.float64))
  return low + (np.ldexp(upper_N.astype(float), -37) + np.ldexp(lower_N, -101))


FILES = {"odlyzko": odlyzko_files, "text": text_files, "platt": platt_files}
READERS = {"odlyzko": odlyzko, "text": text, "platt": platt}
