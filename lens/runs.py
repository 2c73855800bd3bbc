"""The run directory: made, checked, resumed, and read back.

config.json, manifest.json, inputs.npz, lock, metrics.jsonl, checkpoints/,
snapshots/, results/, figures/. `load` rebuilds a run from the directory alone.
"""

import contextlib
import dataclasses
import datetime
import functools
import hashlib
import importlib.metadata
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
from primelens.lens import experiment as experiment_lib
from primelens.lens import plugins, prepared, sources, study
from primelens.models import checkpoints, fit
from primelens.tasks import files

SCHEMA = 2  # 1 had no digests
NO_CODE = (":!bench/results", ":!docs", ":!*.md")  # a change there makes no other numbers
LOCK = "lock"
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def _object(path: Path) -> dict:
  """Returns a JSON object; raises `ValueError` naming a file that holds none."""
  value = files.read_json(path)
  if not isinstance(value, dict):
    raise ValueError(f"{path} is not a JSON object.")
  return value


def check_there(workdir: Path) -> None:
  """Raises `FileNotFoundError` where there is no run; a link is looked at and not followed."""
  if not os.path.lexists(Path(workdir) / "config.json"):
    raise FileNotFoundError(f"No run in {workdir}: train one with train.py --workdir={workdir}.")


def read_experiment(workdir: Path) -> experiment_lib.Experiment:
  """Returns the experiment of a run directory.

  Raises `FileNotFoundError` where there is no run, `ValueError` naming what is
  wrong with a broken one, or one that was changed since it was trained.
  """
  check_there(workdir)
  path = Path(workdir) / "config.json"
  data = _object(path)
  try:
    experiment = experiment_lib.check(experiment_lib.from_dict(data))
  except ValueError as error:
    raise ValueError(f"{path}: {error}{_plugins_wanted(workdir)}") from error
  known = read_manifest(workdir).get("config_sha256")
  if known is not None and files.sha256(path) != known:
    raise ValueError(
      f"{path} is not the one that the run was trained with (manifest.json has its sha256): put "
      "that one back. Analysis settings are changed by analyze.py --set."
    )
  return experiment


def _plugins_wanted(workdir: Path) -> str:
  """Returns in words the plugins that a run was made with and that are not loaded, or ""."""
  try:
    recorded = read_manifest(workdir).get("plugins") or []
    names = [str(its["plugin"]) for its in recorded]
  except (ValueError, OSError, TypeError, KeyError):
    return ""
  if not names or plugins.loaded():
    return ""
  flags = " ".join(f"--plugin={files.shown(name)}" for name in names)
  return f" The run was made with {flags}: name it again, if you trust that file."


def read_manifest(workdir: Path) -> dict:
  """Returns the manifest.

  Raises `ValueError` where an entry is missing, or its content is not what was written. One of an
  earlier revision, which has no digest, is read, and that is said.
  """
  path = Path(workdir) / "manifest.json"
  recorded = _object(path)
  kinds = (("revision", str), ("data_hash", str), ("seeds", list), ("schema", int))
  for name, kind in kinds:
    if not isinstance(recorded.get(name), kind):
      raise ValueError(f"{path} has no {name!r}: it is damaged.")
  if not isinstance(recorded.get("earlier", []), list):
    raise ValueError(f"{path} has no list 'earlier': it is damaged.")
  if recorded["schema"] == 1:
    checkpoints.undigested(Path(workdir).absolute())
    return recorded
  if recorded["schema"] != SCHEMA:
    raise ValueError(f"{path} has schema {recorded['schema']!r}; valid: 1, {SCHEMA}.")
  try:
    return files.unseal(recorded)
  except ValueError as error:
    raise ValueError(f"{path}: {error}.") from error


@functools.cache
def revision() -> str:
  """Returns the code's git revision with "-dirty", or the package version.

  What is no code, as pages and tables of results, may change.
  """
  root = Path(__file__).resolve().parent.parent
  # Without the lock that `git status` takes to store what it has found: a run that is killed then
  # would leave it, and block the repository.
  alone = ["git", "--no-optional-locks", "-C", str(root)]
  git = lambda *args: subprocess.run(
    [*alone, *args], capture_output=True, text=True, check=True
  ).stdout.strip()
  try:
    dirty = git("status", "--porcelain", "--untracked-files=no", "--", ".", *NO_CODE)
    return git("rev-parse", "HEAD") + ("-dirty" if dirty else "")
  except (OSError, subprocess.CalledProcessError):
    return importlib.metadata.version("primelens")


def versions() -> dict[str, str]:
  """Returns the versions of Python and the libraries that make the numbers."""
  found = {name: importlib.metadata.version(name) for name in LIBRARIES}
  return {"python": sys.version.split()[0]} | found


def _origin(command: list[str]) -> dict:
  """Returns which code trains, where, how called and when."""
  return {
    "revision": revision(),
    "versions": versions(),
    "devices": [str(device) for device in jax.devices()],
    "command": command,
    "created": datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"),
  }


def manifest(experiment, data, command: list[str], config: bytes) -> dict:
  """Returns where a run's numbers come from; `config` is the content of its config.json."""
  its = study.find(experiment.study)
  return _origin(command) | {
    "schema": SCHEMA,
    "config_sha256": hashlib.sha256(config).hexdigest(),
    "data": its.data_name(experiment.task, data),
    "data_hash": data.data_hash,
    "parameters": its.cost(experiment).parameters,
    "plugins": plugins.record(),
    "splits": data.splits,
    "sources": sources.fingerprints(experiment),
    "seeds": [experiment.fit.first_seed + i for i in range(experiment.fit.seeds)],
  }


def resumed(workdir: Path, command: list[str]) -> None:
  """Records in the manifest that this code goes on training the run.

  What trained it before moves to the end of `earlier`. Nothing is written
  when the code and its libraries are the same.
  """
  recorded, origin = read_manifest(workdir), _origin(command)
  same = ("revision", "versions", "devices")
  if all(recorded.get(name) == origin[name] for name in same):
    return
  before = {name: recorded.get(name) for name in origin}
  earlier = [*recorded.get("earlier", []), before]
  config = files.sha256(Path(workdir) / "config.json")
  changed = origin | {"earlier": earlier, "schema": SCHEMA, "config_sha256": config}
  files.write_json(Path(workdir) / "manifest.json", files.seal(recorded | changed))


def holds(workdir: Path, experiment, data) -> bool:
  """Returns whether the directory holds this very run; False: it can be made there.

  Raises `ValueError` when it holds another run or other files, or cannot be written. Nothing is
  written here.
  """
  workdir = Path(workdir)
  place = next(path for path in (workdir, *workdir.absolute().parents) if path.exists())
  if not place.is_dir():
    raise ValueError(f"{place} is a file; choose another --workdir.")
  if not os.access(place, os.W_OK | os.X_OK):
    raise ValueError(f"{place} cannot be written; choose another --workdir.")
  if (workdir / "config.json").exists():
    old = read_experiment(workdir)
    differs = experiment_lib.difference(old, experiment)
    if differs:
      raise ValueError(f"{workdir} holds another run ({differs}); choose another --workdir.")
    known = read_manifest(workdir)["data_hash"]
    if known != data.data_hash:
      raise ValueError(f"{workdir} was trained on other data ({known}).")
    return True
  # config.json comes last: a directory that has no more than this was being made.
  begun = lambda name: name == LOCK or name.lstrip(".").startswith(("manifest.json", "config.json"))
  if workdir.exists() and not all(begun(path.name) for path in workdir.iterdir()):
    raise ValueError(f"{workdir} is not empty and has no config.json; choose another --workdir.")
  return False


@contextlib.contextmanager
def writing(workdir: Path, experiment, data, command: list[str]) -> Iterator[Callable[[], None]]:
  """Holds a run directory for the process that trains it.

  Yields `begin()`, to be called before the first write: it makes the directory, or records in its
  manifest which code goes on. Raises as `holds` does, and `ValueError` naming the process that
  trains the run already.
  """
  workdir = Path(workdir)
  there = holds(workdir, experiment, data)
  with contextlib.ExitStack() as held:
    if there:
      held.enter_context(_owned(workdir))

    def begin() -> None:
      if there:
        resumed(workdir, command)
        return
      workdir.mkdir(parents=True, exist_ok=True)
      held.enter_context(_owned(workdir))
      if (workdir / "config.json").exists():
        raise ValueError(f"Another process has begun a run in {workdir}: repeat the command.")
      config = files.encoded(experiment_lib.to_dict(experiment))
      origin = files.seal(manifest(experiment, data, command, config))
      files.write_json(workdir / "manifest.json", origin)
      files.write(workdir / "config.json", config)

    yield begin


@contextlib.contextmanager
def _owned(workdir: Path) -> Iterator[None]:
  """Holds the lock of a run; deletes what processes left that died while they wrote."""
  now = datetime.datetime.now(datetime.UTC).isoformat("T", "seconds")
  note = f"process {os.getpid()} on {socket.gethostname()} since {now}"
  with contextlib.ExitStack() as held:
    try:
      held.enter_context(files.locked(workdir / LOCK, note=note))
    except files.Held as error:
      raise ValueError(
        f"{workdir} is being trained by another process ({error.note or 'unknown'}): wait until "
        "it ends, or end it."
      ) from error
    for folder in (workdir, workdir / "snapshots"):
      files.sweep(folder)
    yield


def load(workdir: Path, overrides=None, *, source: str = "") -> study.Run:
  """Returns a run rebuilt from its directory alone.

  `overrides(settings) -> settings` changes analysis settings; `source` takes the place of the
  file that config.json names. Raises `FileNotFoundError` or `ValueError` in one line where there
  is no run, no checkpoint, a broken file, a link that leads out of the directory, or a named file
  that is not known (`sources.checked`).
  """
  workdir = Path(workdir)
  files.check_folder(workdir)
  experiment = read_experiment(workdir)
  if overrides is not None:
    settings = overrides(experiment.analyses)
    experiment = dataclasses.replace(experiment, analyses=settings)
  recorded = read_manifest(workdir)
  experiment = sources.checked(experiment, workdir, recorded, source)
  data = experiment_lib.load_data(experiment.task)
  if recorded["data_hash"] != data.data_hash:
    raise ValueError(f"{workdir} was trained on other data than is here now.")
  its = study.find(experiment.study)
  arrays = prepared.find(workdir, its, experiment, data)
  prepared.keep(workdir, data, arrays)
  program, inputs, _ = its.built(experiment, data, arrays.arrays)
  restored = fit.read_state(workdir, program, experiment.fit, inputs)
  if restored is None:
    raise ValueError(f"{workdir} has no checkpoint yet: run train.py again.")
  step, state_S = restored
  experiment, state_S, frozen = without_frozen(workdir, experiment, state_S)
  if frozen:  # data that differ by seed are those of the seeds that are left
    data = experiment_lib.load_data(experiment.task)
    program, inputs, _ = its.built(experiment, data, arrays.arrays)
  chosen = bool(experiment.fit.evaluate_every)  # without select, no best
  best = chosen and experiment.analyses.parameters == "best"
  return its.run(
    workdir=workdir,
    experiment=experiment,
    data=data,
    params_S=state_S.best_params if best else state_S.params,
    step=step,
    apply=its.bind(experiment),
    manifest=recorded,
    program=program,
    inputs=inputs,
    frozen=frozen,
  )


@jax.jit  # one program for the whole state
def _members(tree_S, row_S):
  return jax.tree.map(lambda leaf_S: leaf_S[row_S], tree_S)


def without_frozen(workdir: Path, experiment, state_S):
  """Returns the experiment and the state of the seeds that did not freeze, and
  seed and step of each that did.

  A seed freezes at the first loss that is not finite, and keeps the parameters
  that it had: no network of so many steps. Raises `ValueError` where none is
  left.
  """
  step_S = np.asarray(state_S.frozen_step)
  row_S = np.flatnonzero(step_S < 0)
  frozen = tuple(
    {"seed": int(experiment.fit.first_seed + s), "step": int(step_S[s])}
    for s in np.flatnonzero(step_S >= 0)
  )
  if not frozen:
    return experiment, state_S, ()
  if not len(row_S):
    raise ValueError(f"{workdir} has nothing to read: {study.stopped(frozen, len(frozen))}.")
  state_S = fit.shard(_members(state_S, row_S), fit.mesh(len(row_S)), "seed")
  return study.find(experiment.study).members(experiment, row_S), state_S, frozen


def below(folder: Path) -> list[Path]:
  """Returns the runs in a folder: itself, or those of its own folders that are runs, by name.

  Raises `FileNotFoundError` where there are none.
  """
  folder = Path(folder)
  if os.path.lexists(folder / "config.json") or not folder.is_dir():
    check_there(folder)
    return [folder]
  found = sorted(path.parent for path in folder.glob("*/config.json"))
  if not found:
    check_there(folder)
  return found


def seeds_of(workdir: Path) -> int:
  """Returns how many seeds a run has, by its config.json alone; 1: unknown."""
  path = Path(workdir) / "config.json"
  config = _object(path) if path.exists() else {}
  seeds = config.get("fit", {}).get("seeds", 1)
  return seeds if isinstance(seeds, int) and seeds > 0 else 1


def latest_step(workdir: Path) -> int:
  """Returns the step of the newest checkpoint that is undamaged, which `load` takes; 0: none."""
  return checkpoints.Checkpoints(Path(workdir) / "checkpoints").newest() or 0


def settings_of(run: study.Run) -> dict:
  """Returns the analysis settings a result was made with, as plain JSON."""
  return dataclasses.asdict(run.settings)
