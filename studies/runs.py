"""The run directory: made, checked, resumed, and read back.

config.json, manifest.json, metrics.jsonl, checkpoints/, snapshots/, results/,
figures/. `load` rebuilds a run from the directory alone.
"""

import dataclasses
import datetime
import functools
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
from primelens import tasks
from primelens.models import loop
from primelens.studies import experiment as experiment_lib
from primelens.studies import registry, study
from primelens.tasks import files

SCHEMA = 1
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def write_json(path: Path, value) -> None:
  """Writes JSON to a temporary name, then renames it into place."""
  temporary = path.with_name(path.name + ".tmp")
  temporary.write_text(json.dumps(value, indent=2) + "\n")
  os.replace(temporary, path)


def read_json(path: Path) -> dict:
  """Returns a JSON object; raises `ValueError` naming a broken file."""
  value = files.read_json(path)
  if not isinstance(value, dict):
    raise ValueError(f"{path} is not a JSON object.")
  return value


def read_experiment(workdir: Path) -> experiment_lib.Experiment:
  """Returns the experiment of a run directory.

  Raises `FileNotFoundError` where there is no run, `ValueError` naming what is
  wrong with a broken one.
  """
  path = Path(workdir) / "config.json"
  if not path.exists():
    raise FileNotFoundError(f"No run in {workdir}: train one with train.py --workdir={workdir}.")
  data = read_json(path)
  try:
    return experiment_lib.check(experiment_lib.from_dict(data))
  except ValueError as error:
    raise ValueError(f"{path}: {error}") from error


def read_manifest(workdir: Path) -> dict:
  """Returns the manifest; raises `ValueError` where an entry is missing."""
  path = Path(workdir) / "manifest.json"
  recorded = read_json(path)
  for name, kind in (("revision", str), ("data_hash", str), ("seeds", list)):
    if not isinstance(recorded.get(name), kind):
      raise ValueError(f"{path} has no {name!r}: it is damaged.")
  if not isinstance(recorded.get("earlier", []), list):
    raise ValueError(f"{path} has no list 'earlier': it is damaged.")
  return recorded


@functools.cache
def revision() -> str:
  """Returns the code's git revision with "-dirty", or the package version."""
  root = Path(__file__).resolve().parent.parent
  git = lambda *args: subprocess.run(
    ["git", "-C", str(root), *args], capture_output=True, text=True, check=True
  ).stdout.strip()
  try:
    dirty = git("status", "--porcelain", "--untracked-files=no")
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


def manifest(experiment, data, command: list[str]) -> dict:
  """Returns where a run's numbers come from."""
  return _origin(command) | {
    "schema": SCHEMA,
    "data_hash": data.data_hash,
    "splits": data.splits,
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
  path = Path(workdir) / "manifest.json"
  write_json(path, recorded | origin | {"earlier": earlier})


def prepare(workdir: Path, experiment, data, command: list[str]) -> None:
  """Makes the run directory, or checks that it is this very run's.

  Raises `ValueError` when it holds another run or other files; nothing is
  written then.
  """
  workdir = Path(workdir)
  if (workdir / "config.json").exists():
    old = read_experiment(workdir)
    differs = experiment_lib.difference(old, experiment)
    if differs:
      raise ValueError(f"{workdir} holds another run ({differs}); choose another --workdir.")
    known = read_manifest(workdir)["data_hash"]
    if known != data.data_hash:
      raise ValueError(f"{workdir} was trained on other data ({known}).")
    return
  if workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
    raise ValueError(f"{workdir} is not empty and has no config.json; choose another --workdir.")
  workdir.mkdir(parents=True, exist_ok=True)
  write_json(workdir / "manifest.json", manifest(experiment, data, command))
  write_json(workdir / "config.json", experiment_lib.to_dict(experiment))


def load(workdir: Path, overrides=None) -> study.Run:
  """Returns a run rebuilt from its directory alone.

  `overrides(settings) -> settings` changes analysis settings. Raises
  `FileNotFoundError` or `ValueError` in one line where there is no run, no
  checkpoint, or a broken file.
  """
  workdir = Path(workdir)
  experiment = read_experiment(workdir)
  if overrides is not None:
    settings = overrides(experiment.analyses)
    experiment = dataclasses.replace(experiment, analyses=settings)
  recorded = read_manifest(workdir)
  data = tasks.load(experiment.task)
  if recorded["data_hash"] != data.data_hash:
    raise ValueError(f"{workdir} was trained on other data than is here now.")
  its = registry.STUDIES[experiment.study]
  program, inputs, _ = its.build(experiment, data)
  restored = loop.read_state(workdir, program, experiment.fit, inputs)
  if restored is None:
    raise ValueError(f"{workdir} has no checkpoint yet: run train.py again.")
  step, state_S = restored
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
    frozen_S=np.asarray(state_S.frozen_step),
    program=program,
    inputs=inputs,
  )


def seeds_of(workdir: Path) -> int:
  """Returns how many seeds a run has, by its config.json alone; 1: unknown."""
  path = Path(workdir) / "config.json"
  config = read_json(path) if path.exists() else {}
  seeds = config.get("fit", {}).get("seeds", 1)
  return seeds if isinstance(seeds, int) and seeds > 0 else 1


def latest_step(workdir: Path) -> int:
  """Returns the step of the newest checkpoint, without reading it; 0: none."""
  folder = Path(workdir) / "checkpoints"
  names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
  return max((int(name) for name in names if name.isdigit()), default=0)


def settings_of(run: study.Run) -> dict:
  """Returns the analysis settings a result was made with, as plain JSON."""
  return dataclasses.asdict(run.settings)
