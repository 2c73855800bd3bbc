"""Files: read where they are regular, written whole or not at all.

Everything that a run, a result or a table of numbers reads or writes goes through here, so that
a pipe in the place of a file never hangs, and a process that is killed, or a power cut, never
leaves half a file behind.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_POINTER = b"version https://git-lfs"
_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")
_CHUNK = 1 << 20


def open_regular(path: str | os.PathLike) -> BinaryIO:
  """Returns a regular file opened for reading.

  Raises `FileNotFoundError` where nothing is, `ValueError` for a folder, a pipe, a device or a
  socket, which are never opened: some wait for ever, some act when they are.
  """
  # Without O_NONBLOCK, opening a pipe that nobody writes to waits for ever.
  number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
  if not stat.S_ISREG(os.fstat(number).st_mode):
    os.close(number)
    raise ValueError(f"{shown(path)} is not a regular file.")
  return open(number, "rb")


def read(path: str | os.PathLike, *, limit: int | None = None) -> bytes:
  """Returns the content of a regular file.

  Raises as `open_regular` does, and `ValueError` for a file of more than `limit` bytes.
  """
  with open_regular(path) as file:
    size = os.fstat(file.fileno()).st_size
    if limit is not None and size > limit:
      raise ValueError(f"{shown(path)} has {size:,} bytes; at most {limit:,} are read.")
    return file.read()


def read_json(path: str | os.PathLike, *, limit: int | None = None) -> Any:
  """Returns what a JSON file holds.

  Raises as `read` does, and `ValueError` naming a file that is no JSON. The message does not
  quote the file.
  """
  content = read(path, limit=limit)
  try:
    return json.loads(content)
  except json.JSONDecodeError as error:
    where = f"{error.msg}, line {error.lineno}"
    raise ValueError(f"{shown(path)} is not readable JSON: {where}.") from error
  except (ValueError, RecursionError) as error:  # not UTF-8, a number too long, nested too deeply
    raise ValueError(f"{shown(path)} is not readable JSON: {type(error).__name__}.") from error


def refuse_pointer(path: str | os.PathLike) -> None:
  """Raises `ValueError` for a file that stands for another one, which Git LFS has."""
  with open_regular(path) as file:
    if file.read(len(_POINTER)) == _POINTER:
      raise ValueError(f"{shown(path)} is a pointer of Git LFS, not the file: run git lfs pull.")


def write(path: str | os.PathLike, content: bytes | memoryview) -> Path:
  """Returns the path, which now holds the content, and does so after a power cut.

  The content goes to a temporary file beside it, to the disk, and then to its name. Raises
  `OSError` with the path where that fails; the old file is then as it was.
  """
  path = Path(path)
  temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
  with naming(path):
    try:
      temporary.unlink(missing_ok=True)
      with open(temporary, "xb") as file:  # "x": a link of that name is not followed
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
      os.replace(temporary, path)
    finally:
      temporary.unlink(missing_ok=True)
    sync(path.parent)
  return path


@contextlib.contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
  """Gives every `OSError` of a block this path: of a write that fails Python names none."""
  try:
    yield
  except OSError as error:
    if error.errno is None:
      raise
    raise OSError(error.errno, error.strerror, str(path)) from error


def write_json(path: str | os.PathLike, value: Any) -> Path:
  """Returns the path of the value, written as JSON the way `write` does."""
  return write(path, (json.dumps(value, indent=2) + "\n").encode())


def sync(folder: str | os.PathLike) -> None:
  """Puts the names of a folder's files on the disk, where the system can."""
  number = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
  try:
    os.fsync(number)
  except OSError:  # some file systems have no fsync of a folder
    pass
  finally:
    os.close(number)


def sweep(folder: str | os.PathLike) -> None:
  """Deletes the temporary files of `write` whose process is no more."""
  for path in Path(folder).glob(".*.tmp"):
    match = _TEMPORARY.fullmatch(path.name)
    if match and not _alive(int(match[1])):
      path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
  try:
    os.kill(process, 0)
  except ProcessLookupError:
    return False
  except (PermissionError, OverflowError):
    return True
  return True


def sha256(path: str | os.PathLike) -> str:
  """Returns the sha256 of a regular file, in hexadecimal digits."""
  digest = hashlib.sha256()
  with open_regular(path) as file:
    while chunk := file.read(_CHUNK):
      digest.update(chunk)
  return digest.hexdigest()


def fingerprint(path: str | os.PathLike) -> dict[str, int | str]:
  """Returns the size and the sha256 of a regular file, by which it is known again."""
  with open_regular(path) as file:
    size = os.fstat(file.fileno()).st_size
  return {"bytes": size, "sha256": sha256(path)}


def known(path: str | os.PathLike, fingerprints: Any) -> bool:
  """Returns whether a file is one of those that were recorded by `fingerprint`.

  A file of another size is not read.
  """
  recorded = fingerprints if isinstance(fingerprints, list) else []
  try:
    with open_regular(path) as file:
      size = os.fstat(file.fileno()).st_size
    alike = [one for one in recorded if isinstance(one, dict) and one.get("bytes") == size]
    return bool(size and alike) and fingerprint(path) in alike
  except (OSError, ValueError):
    return False


def inside(folder: str | os.PathLike, path: str | os.PathLike) -> bool:
  """Returns whether a path lies in a folder when all links are followed."""
  return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def within(folder: str | os.PathLike, name: str) -> Path:
  """Returns the path of a file that another file names, which must lie in the folder.

  Raises `ValueError` for an absolute name, one with "..", and a link that leads out.
  """
  path = Path(folder) / name
  try:
    its = inside(folder, path)
  except ValueError as error:  # a zero byte, or what no encoding has
    raise ValueError(f"{shown(name)!r} is no name of a file in {shown(folder)}.") from error
  if os.path.isabs(name) or ".." in Path(name).parts or not its:
    raise ValueError(f"{shown(name)!r} lies outside {shown(folder)}.")
  return path


def check_folder(folder: str | os.PathLike) -> None:
  """Raises `ValueError` unless a folder from elsewhere can be read and written to.

  All below it are regular files and folders; links lead to what is inside.
  """
  for parent, folders, names in os.walk(Path(folder)):
    for name in folders + names:
      path = os.path.join(parent, name)
      try:
        kind = os.lstat(path).st_mode
      except FileNotFoundError:  # deleted since, as by a run that is training
        continue
      if stat.S_ISLNK(kind) and not inside(folder, path):
        raise ValueError(f"{shown(path)} is a link that leads out of {shown(folder)}.")
      if not (stat.S_ISLNK(kind) or stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise ValueError(f"{shown(path)} is neither a file nor a folder.")


def shown(text: object, *, keep: str = "") -> str:
  r"""Returns a text whose control characters are written out, but for those to `keep`.

  A name may hold characters that move a terminal's cursor or change its colours, that turn the
  direction of writing, or that no encoding has.

  >>> shown("run\x1b[2J")
  'run\\x1b[2J'
  """
  return "".join(c if c in keep or _plain(c) else _written_out(c) for c in str(text))


def _plain(character: str) -> bool:
  # Spaces of every width are no controls, though Python calls them unprintable.
  return character.isprintable() or unicodedata.category(character) == "Zs"


def _written_out(character: str) -> str:
  return character.encode("unicode_escape").decode()
