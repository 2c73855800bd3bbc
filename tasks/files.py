"""Files: read where they are regular, written whole or not at all.

Everything that a run, a result or a table of numbers reads or writes goes through here, so that
a pipe in the place of a file never hangs, and a process that is killed, or a power cut, never
leaves half a file behind.
"""

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO

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


def write(path: str | os.PathLike, content: bytes) -> Path:
  """Returns the path, which now holds the content, and does so after a power cut.

  The content goes to a temporary file beside it, to the disk, and then to its name. Raises
  `OSError` where that fails; the old file is then as it was.
  """
  path = Path(path)
  temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
  try:
    with open(temporary, "wb") as file:
      file.write(content)
      file.flush()
      os.fsync(file.fileno())
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)
  sync(path.parent)
  return path


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


def within(folder: str | os.PathLike, name: str) -> Path:
  """Returns the path of a file that another file names, which must lie in the folder.

  Raises `ValueError` for an absolute name, one with "..", and a link that leads out.
  """
  path = Path(folder) / name
  inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
  if os.path.isabs(name) or ".." in Path(name).parts or not inside:
    raise ValueError(f"{shown(name)!r} lies outside {shown(folder)}.")
  return path


def is_text(name: str) -> bool:
  """Returns whether a name is text: no bytes of another encoding, and no NUL."""
  return "\0" not in name and not any("\ud800" <= c <= "\udfff" for c in name)


def home(path: str | os.PathLike) -> Path:
  """Returns a path with a leading ~ replaced; raises `ValueError` for a user without a home."""
  try:
    return Path(path).expanduser()
  except RuntimeError as error:
    raise ValueError(f"{shown(path)}: no such user.") from error


def name_of(folder: str | os.PathLike) -> str:
  """Returns the name of a folder, also where it is given as "." or "a/.."."""
  return os.path.basename(os.path.abspath(folder))


def shown(text: object) -> str:
  r"""Returns a text whose control characters are written out.

  A name may hold characters that move a terminal's cursor or change its colours.

  >>> shown("run\x1b[2J")
  'run\\x1b[2J'
  """
  return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
