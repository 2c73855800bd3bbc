"""Python files and modules that the user names: tasks, models, studies, questions of one's own.

  train.py --plugin=multiplication.py --config=multiplication.py --workdir=runs/product
  analyze.py --plugin=multiplication.py --workdir=runs/product

A plugin defines any of

  TASKS = {kind: (Config, load)}        Config a dataclass with `kind`; load(config) gives the data
  MODELS = {kind: (Config, reading)}    reading(config) is what `models/causality.py` checks
  STUDIES = {name: Study}               a `primelens.lens.study.Study`
  measure(run) -> xarray.Dataset        then it is a question, too, asked of every run

A package that has a module `program` is a study of its own name. Nothing is ever imported because
a file of a run names it: a run that was made with a plugin is read with the plugin that the user
names again, and refused without.
"""

import hashlib
import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from primelens.tasks import files

ROOMS = {"task": "TASKS", "model": "MODELS", "study": "STUDIES"}
SOURCE_BYTES = 1 << 20  # of a Python file that the user names
_LOADED: dict[str, types.ModuleType] = {}  # by name as given: a path, or a module


def run_file(file: Path, name: str) -> types.ModuleType:
  """Returns the module that a Python file is, having run it.

  Raises `ValueError` in one line for what is no regular file, or does not run.
  """
  source = files.read(file, limit=SOURCE_BYTES)
  module = types.ModuleType(name)
  module.__file__ = str(file)
  sys.modules[name] = module  # dataclasses look their module up
  try:
    exec(compile(source, str(file), "exec"), module.__dict__)
  except KeyboardInterrupt:
    raise
  except BaseException as error:  # whatever a user's file may raise, sys.exit() too
    del sys.modules[name]
    raise ValueError(f"{file} cannot be read: {type(error).__name__}: {said(error)}") from error
  return module


def said(error: BaseException) -> str:
  """Returns what an exception of a user's file says, which may itself go wrong."""
  try:
    return str(error)
  except Exception as another:
    return f"(no text: {type(another).__name__})"


def load(place: str | os.PathLike) -> types.ModuleType:
  """Returns a plugin, a file or a module that can be imported; the same one each time."""
  name = str(place)
  if name not in _LOADED:
    _LOADED[name] = _loaded(name)
  return _LOADED[name]


def _loaded(name: str) -> types.ModuleType:
  path = files.home(name)
  if path.suffix == ".py" or os.sep in name:
    if not os.path.lexists(path):
      raise ValueError(f"No file {files.shown(name)}.")
    return run_file(path, f"primelens_plugin_{path.stem}")
  try:
    return importlib.import_module(name)
  except Exception as error:
    raise ValueError(
      f"{files.shown(name)!r} is no file, and no module that can be imported"
      f" ({type(error).__name__}: {said(error)})."
    ) from error


def use(places: Iterable[str]) -> None:
  """Loads the plugins of a command line.

  Raises `ValueError` for one that brings nothing, or a name that is taken.
  """
  for place in places:
    module = load(place)
    brought = [what for what in (*ROOMS.values(), "measure") if hasattr(module, what)]
    if not brought and not _is_study(module):
      raise ValueError(
        f"The plugin {files.shown(place)} brings nothing: define "
        f"{', '.join(ROOMS.values())} or measure(run)."
      )


def _is_study(module: types.ModuleType) -> bool:
  return hasattr(module, "__path__") and bool(
    importlib.util.find_spec(f"{module.__name__}.program")
  )


def places(package: str) -> list[str]:
  """Returns the folders of a package, which is not imported."""
  spec = importlib.util.find_spec(package)
  return list(spec.submodule_search_locations or ()) if spec else []


def loaded() -> bool:
  """Returns whether the user has named any plugin."""
  return bool(_LOADED)


def brought(room: str) -> dict[str, Any]:
  """Returns what all plugins bring of a room ("task", "model", "study"), by name."""
  found: dict[str, Any] = {}
  for module in _LOADED.values():
    its: Mapping[str, Any] = getattr(module, ROOMS[room], {})
    found |= its
    if room == "study" and _is_study(module):
      found[module.__name__.rpartition(".")[2]] = module
  return found


def questions() -> dict[str, types.ModuleType]:
  """Returns the plugins that are questions, too, by name."""
  asked = {}
  for name, module in _LOADED.items():
    if hasattr(module, "measure"):
      asked[Path(name).stem if name.endswith(".py") else name.rpartition(".")[2]] = module
  return asked


def record() -> list[dict[str, str]]:
  """Returns what a run's manifest says of the plugins that it was made with."""
  return [
    {"plugin": name, "sha256": hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest()}
    for name, module in _LOADED.items()
    if module.__file__
  ]
