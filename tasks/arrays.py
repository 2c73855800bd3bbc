"""Arrays in an NPZ: what it declares is checked before anything is unpacked.

A file from elsewhere may declare a thousand times the memory that there is, or hold pickles.
"""

import io
import math
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import BinaryIO, Literal

import numpy as np
from primelens.tasks import files

LIMIT = 1 << 30  # bytes that the arrays of one file may have together
# The header of an array as numpy writes it. Its own reader takes any Python literal, which may be
# nested so deeply that the parser fails.
_HEADER = re.compile(
  rb"\{'descr': '([<>|][biufcSU]\d{1,9})', 'fortran_order': (True|False), "
  rb"'shape': \(([\d, ]*)\), \}\s*"
)
# NotImplementedError: compressed in another way than numpy does.
_BAD = (EOFError, zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError)
_ENCRYPTED = 1  # the bit of a member's flags
_LONGEST_HEADER = 10_000


def read(path: str | os.PathLike, *, limit: int = LIMIT) -> dict[str, np.ndarray]:
  """Returns the arrays of an NPZ by name.

  Raises as `files.open_regular` does, and `ValueError` naming a file that `unpack` refuses.
  """
  files.refuse_pointer(path)
  with files.open_regular(path) as file:
    try:
      return unpack(file, limit=limit)
    except ValueError as error:
      raise ValueError(f"{files.shown(path)} is not a readable NPZ: {error}") from error


def unpack(file: BinaryIO, *, limit: int = LIMIT) -> dict[str, np.ndarray]:
  """Returns the arrays of an open NPZ by name.

  Raises `ValueError` saying why it is none: it is damaged or encrypted, holds anything but numbers
  and words, or more than `limit` bytes.
  """
  try:
    with zipfile.ZipFile(file) as archive:
      _check(archive, limit)
      return {_array_name(member): _array(archive, member) for member in archive.infolist()}
  except _BAD as error:
    raise ValueError(_said(error)) from error


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
  """Returns the NPZ of the arrays; not by `np.savez`, which has no array called "file"."""
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
    for name, array in arrays.items():
      with packed.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
  return buffer.getvalue()


def _said(error: Exception) -> str:
  return " ".join(str(error).split()) or type(error).__name__


def _check(archive: zipfile.ZipFile, limit: int) -> None:
  size = sum(member.file_size for member in archive.infolist())
  if size > limit:
    raise ValueError(f"it says that it holds {size:,} bytes; at most {limit:,} are read.")
  if len(set(archive.namelist())) < len(archive.namelist()):
    raise ValueError("two of its arrays have one name.")
  for member in archive.infolist():
    if member.flag_bits & _ENCRYPTED:
      raise ValueError("it is encrypted.")
    with archive.open(member) as stream:
      _described(stream, member)


def _array_name(member: zipfile.ZipInfo) -> str:
  return member.filename.removesuffix(".npy")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
  with archive.open(member) as stream:
    kind, order, shape = _described(stream, member)
    content = bytearray(stream.read())  # a copy, which may be written to
  return np.frombuffer(content, kind).reshape(shape, order=order)


def _described(stream, member) -> tuple[np.dtype, Literal["C", "F"], tuple[int, ...]]:
  """Returns type, order and shape by the header of an array, which is read.

  They must agree with the size that the archive declares, which is all that it unpacks.
  """
  name = files.shown(_array_name(member))
  width = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}.get(stream.read(8))
  if width is None:
    raise ValueError(f"{name} is no array of numpy.")
  length = int.from_bytes(stream.read(width), "little")
  found = _HEADER.fullmatch(stream.read(min(length, _LONGEST_HEADER)))
  if found is None or length > _LONGEST_HEADER:
    raise ValueError(f"{name} is no array of numbers or words.")
  kind = np.dtype(found[1].decode())
  shape = tuple(int(word) for word in found[3].split(b",") if word.strip())
  size = member.file_size - stream.tell()
  if math.prod(shape) * kind.itemsize != size:
    raise ValueError(f"{name} has {size:,} bytes, which are not those of its shape.")
  return kind, "F" if found[2] == b"True" else "C", shape
