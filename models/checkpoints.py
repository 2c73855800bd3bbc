"""Orbax checkpoints of a population, and params-only snapshots.

Checkpoints are whole training states, saved asynchronously, the newest two kept. Snapshots are
params at chosen steps, one safetensors file each. Both hold their step and digests of what they
were when they were written, which are checked when they are read.
"""

import concurrent.futures
import contextlib
import errno
import functools
import hashlib
import json
import logging as python_logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from primelens.tasks import files
from safetensors import numpy as safetensors_numpy

_STEP = re.compile(r"0|[1-9][0-9]*")
_ITEM = "default"  # the folder of the state in that of its step
_DIGESTS = "digests.json"
_KNOWN = "primelens"  # the entry of a snapshot's metadata
_ORBAX = f"{os.sep}orbax{os.sep}"
# How orbax and tensorstore write the number of a system's error.
_ERRNO = re.compile(r"(?:os_error_code='|\[Errno )(\d+)")
_SNAPSHOT = re.compile(r"step_([0-9]{1,18})\.safetensors")


class Checkpoints:
  """The newest full states below one directory.

  A checkpoint is the folder `<step>`. Orbax writes it under another name in the background; then
  the digest of every file is taken, all is put on the disk, and the folder gets its name. So one
  that is there is whole, whenever the process dies.
  """

  def __init__(self, directory: Path, *, keep: int = 2):
    _silence_orbax()
    self.directory, self._keep = Path(directory).absolute(), keep
    self._thread = concurrent.futures.ThreadPoolExecutor(1, "checkpoints")
    self._orbax: ocp.AsyncCheckpointer | None = None
    self._sealing: concurrent.futures.Future | None = None
    self._broken: list[int] = []

  def steps(self) -> list[int]:
    """Returns the steps that have a checkpoint, oldest first; other names are no checkpoints."""
    names = os.listdir(self.directory) if self.directory.is_dir() else []
    return sorted(int(name) for name in names if _STEP.fullmatch(name))

  def save(self, step: int, state) -> None:
    """Starts saving the state; returns before the bytes are on disk.

    What an earlier `restore` could not read is deleted first. Raises `OSError` with a path where
    this or the save before it failed; a full disk has the errno it has everywhere.
    """
    self.wait()
    with _naming(self.directory):
      for broken in self._broken:
        files.remove(self.directory / str(broken))
      self._broken = []
      if step in self.steps():
        return
      unsealed = self.directory / f"{step}.tmp"
      item = ocp.args.Composite(**{_ITEM: ocp.args.StandardSave(state)})
      orbax = self.open()
      orbax.save(unsealed, args=item, force=True)
      self._sealing = self._thread.submit(self._seal, orbax, step, unsealed)

  def open(self) -> ocp.AsyncCheckpointer:
    """Returns what writes, started once; what a process left that died while it saved is deleted.

    One process may write at a time.
    """
    if self._orbax is None:
      self.directory.mkdir(parents=True, exist_ok=True)
      _sweep(self.directory)
      self._orbax = ocp.AsyncCheckpointer(ocp.CompositeCheckpointHandler())
    return self._orbax

  def _seal(self, orbax: ocp.AsyncCheckpointer, step: int, unsealed: Path) -> None:
    """Waits for orbax, then makes its folder a checkpoint, and deletes old ones."""
    orbax.wait_until_finished()
    _write_digests(unsealed, step)
    os.rename(unsealed, self.directory / str(step))
    files.sync(self.directory)
    for old in self.steps()[: -self._keep]:
      files.remove(self.directory / str(old))

  def wait(self, *, block: bool = True) -> None:
    """Waits for the save under way; raises `OSError` with a path where it failed.

    Without `block` only one that has ended is asked.
    """
    sealing = self._sealing
    if sealing is not None and (block or sealing.done()):
      self._sealing = None
      with _naming(self.directory):
        sealing.result()

  def restore(self, abstract) -> tuple[int, Any] | None:
    """Returns the newest step and state, or None when there is none.

    `abstract` gives shapes, dtypes and shardings. A newest checkpoint that is damaged is named in
    the log and the one before it is taken; the next `save` deletes the damaged one, so that its
    step can be saved again. When none can be read, raises `ValueError` naming them. Nothing is
    written here, and another process may save meanwhile.
    """
    while True:
      steps, errors = self.steps(), {}
      for step in reversed(steps):
        try:
          state = self._read(step, abstract)
        except Exception as error:  # orbax raises many kinds for bad files
          errors[step] = " ".join(str(error).split())[:160] or type(error).__name__
          continue
        break
      if not errors or self.steps() == steps:
        break  # otherwise another process saved or deleted one while it was read
    said = "; ".join(f"step {bad}: {why}" for bad, why in errors.items())
    if len(errors) == len(steps):
      if steps:
        raise ValueError(f"No readable checkpoint in {self.directory}: {said}")
      return None
    if errors:
      logging.warning("Unreadable checkpoint (%s); using %d.", files.shown(said), step)
      self._broken = list(errors)
    return step, state

  def newest(self) -> int | None:
    """Returns the step that `restore` would take, by the digests alone; None: there is none."""
    for step in reversed(self.steps()):
      with contextlib.suppress(ValueError, OSError):
        _check_digests(self.directory / str(step), step)
        return step
    return None

  def _read(self, step: int, abstract):
    folder = self.directory / str(step)
    _check_digests(folder, step)
    reader = ocp.StandardCheckpointer()
    try:
      return reader.restore(folder / _ITEM, abstract)
    finally:
      reader.close()

  def close(self) -> None:
    """Waits for the save under way and ends the writing; raises as `wait` does."""
    try:
      self.wait()
    finally:
      if self._orbax is not None:
        with contextlib.suppress(Exception):  # it tells again what `wait` has told
          self._orbax.close()
      self._orbax = None
      self._thread.shutdown()


def _sweep(directory: Path) -> None:
  """Deletes what orbax, `Checkpoints` and `files.remove` leave when their process dies."""
  files.sweep(directory)
  for path in directory.iterdir():
    if re.fullmatch(r"\d+\.tmp|.*\.orbax-checkpoint-tmp.*", path.name):
      files.remove(path)


def _write_digests(folder: Path, step: int) -> None:
  """Puts every file of a folder on the disk, and their digests beside them."""
  found = {}
  for path in sorted(folder.rglob("*")):
    if path.is_dir():
      files.sync(path)
    else:
      with files.open_regular(path) as file:  # of its small files orbax syncs none
        os.fsync(file.fileno())
      found[path.relative_to(folder).as_posix()] = files.sha256(path)
  files.write_json(folder / _DIGESTS, files.seal({"step": step, "files": found}))


def _check_digests(folder: Path, step: int) -> None:
  """Raises `ValueError` naming what is not as it was written; says where nothing is known."""
  if not (folder / _ITEM).is_dir():
    raise ValueError(f"it has no folder {_ITEM!r}")
  if not (folder / _DIGESTS).exists():
    if not (folder / _ITEM / "_METADATA").is_file():
      raise ValueError("it is not whole")
    undigested(folder.parent.parent)  # the run
    return
  known = files.read_json(folder / _DIGESTS)
  if not isinstance(known, dict) or not isinstance(known.get("files"), dict):
    raise ValueError(f"{_DIGESTS} holds no digests")
  known = files.unseal(known)
  if known.get("step") != step:
    raise ValueError(f"it is the checkpoint of step {known.get('step')}")
  for name, digest in known["files"].items():
    path = files.within(folder, name)
    if not path.is_file() or files.sha256(path) != digest:
      raise ValueError(f"{name} is not as it was written")


@functools.cache
def undigested(workdir: Path) -> None:
  """Says once of a run that some of its files were written without digests."""
  logging.warning(
    "%s has files of an earlier revision, without digests: damage to them is not noticed.",
    files.shown(workdir),
  )


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
  """Makes an error of the system of what orbax and tensorstore raise for it, with the path.

  They hide a full disk in the text of a ValueError.
  """
  try:
    yield
  except Exception as error:
    match = _ERRNO.search(str(error))
    if isinstance(error, OSError) and error.filename:
      raise
    if match:
      code = int(match[1])
    elif "No space left" in str(error):
      code = errno.ENOSPC
    else:
      raise
    raise OSError(code, os.strerror(code), str(path)) from error


@functools.cache
def _silence_orbax() -> None:
  """Keeps what orbax tells of an error, which it raises as well, off the terminal, for good.

  It logs tracebacks from several threads, some after the call that failed has returned. Of the
  many writes of a save that fail it asks one for its error: asyncio logs the others when they are
  forgotten, and one that ends after its event loop raises where nobody can catch it.
  """
  named = lambda record: _ORBAX not in record.pathname
  forgotten = lambda record: "orbax" not in record.getMessage()
  python_logging.getLogger("absl").addFilter(named)
  python_logging.getLogger("asyncio").addFilter(forgotten)
  hook = sys.unraisablehook

  def heard(found) -> None:
    late = found.exc_type is RuntimeError and str(found.exc_value) == "Event loop is closed"
    if not (late and found.object is None):
      hook(found)

  sys.unraisablehook = heard


def write_snapshot(directory: Path, step: int, params_S) -> Path:
  """Returns the file that now holds the params, whole or not at all."""
  directory = Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  arrays = {_name(path): np.asarray(leaf) for path, leaf in _leaves(params_S)}
  # One entry: safetensors writes several in any order.
  known = json.dumps({"step": step, "sha256": _digest(arrays)})
  content = safetensors_numpy.save(arrays, metadata={_KNOWN: known})
  return files.write(_snapshot(directory, step), content)


def snapshot_steps(directory: Path) -> list[int]:
  """Returns the steps with a snapshot, in order."""
  found = [_SNAPSHOT.fullmatch(path.name) for path in Path(directory).glob("step_*.safetensors")]
  return sorted(int(match[1]) for match in found if match)


def read_snapshot(directory: Path, step: int, like) -> Any:
  """Returns the params at a step, in the structure of `like`.

  Raises `ValueError` naming the steps there are, the file that is damaged or of another step, or
  what it lacks.
  """
  path = _snapshot(Path(directory), step)
  if not path.exists():
    raise ValueError(f"No snapshot of step {step}; there are {snapshot_steps(directory)}.")
  content = files.read(path)
  files.refuse_pointer(path)
  try:
    arrays = safetensors_numpy.load(content)
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__")
    known = {} if metadata is None else json.loads(metadata[_KNOWN])
    found_step, digest = (known["step"], known["sha256"]) if known else (step, None)
  except Exception as error:  # the library's own error type is not exported
    raise ValueError(f"{path} is not a readable snapshot: {error!r}") from error
  if found_step != step:
    raise ValueError(f"{path} holds the snapshot of step {found_step}.")
  if digest is None:
    undigested(Path(directory).absolute().parent)
  elif digest != _digest(arrays):
    raise ValueError(f"{path} is damaged: its numbers are not those that were written.")

  def of(key, leaf):
    name = _name(key)
    if name not in arrays:
      raise ValueError(f"{path} is no snapshot of this network: it has no tensor {name!r}.")
    # The first axis is that of the seeds, of which `like` may have fewer: some froze.
    found, wanted = arrays[name].shape[1:], jnp.shape(leaf)[1:]
    if found != wanted:
      raise ValueError(
        f"{path} is no snapshot of this network: {name!r} has the shape {found}, not {wanted}."
      )
    return arrays[name]

  return jax.tree_util.tree_map_with_path(of, like)


def _snapshot(directory: Path, step: int) -> Path:
  return directory / f"step_{step:08d}.safetensors"


def _leaves(tree):
  return jax.tree_util.tree_leaves_with_path(tree)


def _name(path) -> str:
  return jax.tree_util.keystr(path, simple=True, separator="/")


def _digest(arrays: dict[str, np.ndarray]) -> str:
  """Returns the sha256 of arrays with their names, dtypes and shapes."""
  total = hashlib.sha256()
  for name, array in sorted(arrays.items()):
    total.update(f"{name} {array.dtype} {array.shape}\n".encode())
    total.update(np.ascontiguousarray(array).data if array.size else b"")
  return total.hexdigest()
