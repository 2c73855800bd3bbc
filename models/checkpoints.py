"""Orbax checkpoints of a population, and params-only snapshots.

Checkpoints are whole training states, saved asynchronously, the newest two
kept. Snapshots are params at chosen steps, one safetensors file each.
"""

import contextlib
import os
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from primelens.tasks import files
from safetensors import numpy as safetensors_numpy

_SNAPSHOT = re.compile(r"step_([0-9]{1,18})\.safetensors")


@contextlib.contextmanager
def _quiet():
  """Lets nothing below a fatal error into the log."""
  level = logging.get_verbosity()
  logging.set_verbosity(logging.FATAL)
  try:
    yield
  finally:
    logging.set_verbosity(level)


class Checkpoints:
  """The newest two full states below one directory."""

  def __init__(self, directory: Path, *, keep: int = 2):
    options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True)
    with _quiet():  # of a broken checkpoint `restore` says enough
      self._manager = ocp.CheckpointManager(Path(directory).absolute(), options=options)

  def steps(self) -> list[int]:
    """Returns the steps that can be restored, oldest first."""
    return sorted(self._manager.all_steps())

  def save(self, step: int, state) -> None:
    """Starts saving the state; returns before the bytes are on disk."""
    if step in self._manager.all_steps():
      return
    self._manager.save(step, args=ocp.args.StandardSave(state))

  def restore(self, abstract, *, discard=False) -> tuple[int, Any] | None:
    """Returns the newest step and state, or None when there is none.

    `abstract` gives shapes, dtypes and shardings. A newest checkpoint that
    cannot be read is named in the log and the one before it is taken (with
    `discard` the broken one is deleted, so that its step can be saved again).
    When none can be read, raises `ValueError` naming them; nothing is deleted.
    """
    errors: list[str] = []
    for step in reversed(self.steps()):
      try:
        target = ocp.args.StandardRestore(abstract)
        state = self._manager.restore(step, args=target)
      except Exception as error:  # orbax raises many kinds for bad files
        first_line = str(error).strip().splitlines()[:1]
        errors.append(f"step {step}: {''.join(first_line)[:160]}")
        continue
      self._warn(errors, step, discard)
      return step, state
    if errors:
      raise ValueError(f"No readable checkpoint in {self._manager.directory}: " + "; ".join(errors))
    return None

  def _warn(self, errors: list[str], step: int, discard: bool) -> None:
    for error in errors:
      logging.warning("Unreadable checkpoint (%s); using %d.", error, step)
    for bad in [s for s in self.steps() if s > step and discard]:
      self._manager.delete(bad)

  def close(self) -> None:
    """Waits for saves under way and closes the manager."""
    self._manager.wait_until_finished()
    self._manager.close()


def write_snapshot(directory: Path, step: int, params_S) -> Path:
  """Returns the file that now holds the params, whole or not at all."""
  directory = Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  leaves, _ = jax.tree_util.tree_flatten_with_path(params_S)
  arrays = {
    jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
    for path, leaf in leaves
  }
  path = directory / f"step_{step:08d}.safetensors"
  temporary = path.with_suffix(".tmp")
  safetensors_numpy.save_file(arrays, temporary)
  os.replace(temporary, path)
  return path


def snapshot_steps(directory: Path) -> list[int]:
  """Returns the steps with a snapshot, in order."""
  found = [_SNAPSHOT.fullmatch(path.name) for path in Path(directory).glob("step_*.safetensors")]
  return sorted(int(match[1]) for match in found if match)


def read_snapshot(directory: Path, step: int, like) -> Any:
  """Returns the params at a step, in the structure of `like`.

  Raises `ValueError` naming the steps there are, the broken file, or what it lacks.
  """
  path = Path(directory) / f"step_{step:08d}.safetensors"
  if not path.exists():
    raise ValueError(f"No snapshot of step {step}; there are {snapshot_steps(directory)}.")
  files.refuse_pointer(path)
  try:
    arrays = safetensors_numpy.load_file(path)
  except Exception as error:  # the library's own error type is not exported
    raise ValueError(f"{path} is not a readable snapshot: {error}") from error

  def of(key, leaf):
    name = jax.tree_util.keystr(key, simple=True, separator="/")
    if name not in arrays:
      raise ValueError(f"{path} is no snapshot of this network: it has no tensor {name!r}.")
    if arrays[name].shape != jnp.shape(leaf):
      found, wanted = arrays[name].shape, jnp.shape(leaf)
      raise ValueError(
        f"{path} is no snapshot of this network: {name!r} has the shape {found}, not {wanted}."
      )
    return arrays[name]

  return jax.tree_util.tree_map_with_path(of, like)
