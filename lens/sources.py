"""Files that an experiment names: a table of zeros, or a published checkpoint.

A config file is Python and is run, so what it names is read. The config.json of a run directory is
data, which may be from elsewhere: what it names is read where it lies in the run directory, or
where its sha256 is the one that the manifest recorded when the run was trained. Nothing is written
to a cache that it names.
"""

import copy
from pathlib import Path
from typing import Any

from primelens import tasks
from primelens.tasks import files, zeros


def of(experiment: Any) -> list[Path]:
  """Returns the files that an experiment names; raises `OSError` where they are not there."""
  table, checkpoint = _named(experiment)
  return zeros.named_files(table) if table else [Path(checkpoint)] if checkpoint else []


def _named(experiment) -> tuple[zeros.Config | None, str]:
  """Returns the part of the task that names a file, if it does, and the model's checkpoint."""
  table = tasks.table(experiment.task)
  named = table is not None and table.path and table.source != "computed"
  return (table if named else None), getattr(experiment.model, "checkpoint", "")


def fingerprints(experiment: Any) -> list[dict]:
  """Returns size and sha256 of the files that an experiment names, for the manifest."""
  return [files.fingerprint(path) for path in of(experiment)]


def names_file(experiment: Any) -> bool:
  """Returns whether an experiment names a file."""
  return any(_named(experiment))


def checked(experiment: Any, workdir: Path, recorded: dict, source: str = "") -> Any:
  """Returns the experiment of a run directory as it may be read, without a cache of its own.

  `source` is a file that the user names in the place of the one in config.json. Raises
  `ValueError` for a file outside the run that the manifest does not know; that it is there, or
  what it holds, is not said.
  """
  experiment = copy.deepcopy(experiment)
  cached = tasks.table(experiment.task)
  if cached is not None:
    cached.cache = ""
  table, checkpoint = _named(experiment)
  if not (table or checkpoint):
    return experiment
  if not source and not _known(experiment, workdir, recorded.get("sources")):
    name = files.shown(table.path if table else checkpoint)
    raise ValueError(
      f"{workdir}: its config.json names {name}, which is not known to be what it was trained on. "
      f"Name the file yourself: --source={name}, or where you have it."
    )
  if source and table:
    table.path = source
  elif source:
    experiment.model.checkpoint = source
  return experiment


def _known(experiment, workdir: Path, recorded) -> bool:
  """Returns whether all files that a run names are its own, or those it was trained on."""
  if not recorded and not _all_inside(experiment, workdir):
    return False
  try:
    paths = of(experiment)
  except (OSError, ValueError):
    return False
  return all(files.inside(workdir, path) or files.known(path, recorded) for path in paths)


def _all_inside(experiment, workdir: Path) -> bool:
  table, checkpoint = _named(experiment)
  return files.inside(workdir, table.path if table else checkpoint)
