"""Files: read where they are regular, written whole or not at all.

Everything that a run, a result or a table of numbers reads or writes goes through here, so that
a pipe in the place of a file never hangs, and a process that is killed, or a power cut, never
leaves half a file behind.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from absl import logging

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
  return write(path, encoded(value))


def encoded(value: Any) -> bytes:
  """Returns the content of a JSON file that people may read."""
  return (json.dumps(value, indent=2) + "\n").encode()


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
  """Deletes the temporary files of `write` whose process is no more, where that is allowed."""
  for path in Path(folder).glob(".*.tmp"):
    match = _TEMPORARY.fullmatch(path.name)
    if match and not _alive(int(match[1])):
      with contextlib.suppress(OSError):  # the folder is another person's, or read-only
        _delete(path)


def remove(path: str | os.PathLike) -> None:
  """Deletes a file, a link, or a folder with all that is in it; nothing there is no error.

  A folder loses its name first, so that nobody meets one that is half deleted.
  """
  path = Path(path)
  aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
  _delete(aside)
  with contextlib.suppress(FileNotFoundError):
    os.rename(path, aside)
  _delete(aside)


def _delete(path: Path) -> None:
  if path.is_dir() and not path.is_symlink():
    shutil.rmtree(path)
  else:
    path.unlink(missing_ok=True)


class Held(ValueError):
  """A lock that another process holds; `note` is what that process wrote into it."""

  def __init__(self, path: Path, note: str):
    super().__init__(f"{shown(path)} is held by another process ({note or 'unknown'}).")
    self.note = note


# What a file system without locks answers: some of NFS, some of FUSE.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_PAUSE = 0.02  # seconds between two tries


@contextlib.contextmanager
def locked(
  path: str | os.PathLike, *, note: str = "", shared: bool = False, wait: float = 0.0
) -> Iterator[None]:
  """Holds a lock on a file while the block runs; the kernel releases it when the process dies.

  The file is made where it is not there, and stays. `note` lies in it while the lock is held, for
  the message of others alone. Several may hold a `shared` lock at once; where there is no file,
  nobody has ever written, and nothing is made. Raises `Held` when another process has the lock for
  more than `wait` seconds. A file system without locks is named once, and the block runs without.
  """
  path = Path(path)
  if shared and not path.is_file():
    yield
    return
  # A link is not followed: what lies behind it would be emptied.
  flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
  number = os.open(path, flags | (os.O_RDONLY if shared else os.O_RDWR | os.O_CREAT), 0o666)
  try:
    if not stat.S_ISREG(os.fstat(number).st_mode):
      raise ValueError(f"{shown(path)} is not a regular file.")
    _flock(number, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, wait)
    if note:
      _note(number, note)
    try:
      yield
    finally:
      if note:
        _note(number, "")
  finally:
    os.close(number)


def _note(number: int, text: str) -> None:
  with contextlib.suppress(OSError):  # it serves a message alone, and the disk may be full
    os.ftruncate(number, 0)
    os.pwrite(number, text.encode(), 0)


def _flock(number: int, path: Path, kind: int, wait: float) -> None:
  end = time.monotonic() + wait
  while True:
    try:
      fcntl.flock(number, kind | fcntl.LOCK_NB)
      return
    except BlockingIOError:
      if time.monotonic() >= end:
        held = os.pread(number, 200, 0).decode(errors="replace")
        raise Held(path, held) from None
    except OSError as error:
      if error.errno not in _NO_LOCKS:
        raise
      logging.warning(
        "%s: this file system has no locks (%s); start no second process on it.",
        shown(path),
        error.strerror,
      )
      return
    time.sleep(_PAUSE)


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


def digest(value: Any) -> str:
  """Returns the sha256 of a JSON value, whatever the order and the layout of its text."""
  plain = json.loads(json.dumps(value))
  return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def seal(document: dict, *, digits: int = 64) -> dict:
  """Returns a JSON object with its own digest, cut to `digits`, as "sha256"."""
  return document | {"sha256": digest(document)[:digits]}


def unseal(document: dict, *, digits: int = 64) -> dict:
  """Returns a sealed JSON object without its digest.

  Raises `ValueError` where the digest is missing or of other content.
  """
  rest = {name: value for name, value in document.items() if name != "sha256"}
  if document.get("sha256") != digest(rest)[:digits]:
    raise ValueError("its content and its sha256 do not agree: it is damaged or was edited")
  return rest


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
  said = str(text)
  if said.isprintable():  # as nearly all are
    return said
  return "".join(c if c in keep or _plain(c) else _written_out(c) for c in said)


def _plain(character: str) -> bool:
  # Spaces of every width are no controls, though Python calls them unprintable.
  return character.isprintable() or unicodedata.category(character) == "Zs"


def _written_out(character: str) -> str:
  return character.encode("unicode_escape").decode()
