"""What a run's program is given and takes minutes to make: made once, kept in the run directory.

inputs.npz has the arrays, inputs.json, sealed, the sha256 of that file and of the config.json that
they are of. What is not there, is damaged or belongs to another run is made again.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import logging
from primelens.lens import study
from primelens.tasks import arrays as arrays_lib
from primelens.tasks import files

ARRAYS, ABOUT = "inputs.npz", "inputs.json"
SCHEMA = 1
_ABOUT_BYTES = 1 << 16


class Found(NamedTuple):
  """Arrays by name, none of a study that prepares none; `kept`: read from the run directory."""

  arrays: Mapping[str, np.ndarray]
  kept: bool


def find(workdir: Path, its: study.Study, experiment: Any, data: Any) -> Found:
  """Returns what the study prepares of a run: as its directory keeps it, or else made here.

  That something is kept and cannot be taken is said. Nothing is written.
  """
  wanted = its.prepared(experiment, data)
  if wanted is None:
    return Found({}, kept=True)
  workdir = Path(workdir)
  try:
    arrays = _read(workdir, data.data_hash)
    if not wanted.may_be(arrays):
      raise ValueError("its arrays are not those of the experiment")
    return Found(arrays, kept=True)
  except FileNotFoundError:  # a run that is being made, or one of an earlier revision
    pass
  except (OSError, ValueError, RecursionError) as error:
    said = files.shown(" ".join(str(error).split()))
    logging.warning("%s is made again: %s", files.shown(workdir / ARRAYS), said)
  return Found(wanted.make(), kept=False)


def keep(workdir: Path, data: Any, found: Found) -> None:
  """Writes what was made for the run of a directory, where that is possible; if not, it is said."""
  size = sum(array.nbytes for array in found.arrays.values())
  if found.kept or size > arrays_lib.LIMIT:
    return
  workdir = Path(workdir)
  packed = arrays_lib.pack(found.arrays)
  document = _of(workdir, data.data_hash) | {"npz_sha256": hashlib.sha256(packed).hexdigest()}
  try:
    files.write(workdir / ARRAYS, packed)
    files.write_json(workdir / ABOUT, files.seal(document))
  except OSError as error:
    logging.warning("It will be made at every load: %s", files.shown(error))


def _of(workdir: Path, data_hash: str) -> dict[str, Any]:
  """Returns what the arrays must be of: this run, on these data."""
  config = files.sha256(workdir / "config.json")
  return {"schema": SCHEMA, "config_sha256": config, "data_hash": data_hash}


def _read(workdir: Path, data_hash: str) -> Mapping[str, np.ndarray]:
  """Returns the arrays that a run directory keeps.

  Raises `FileNotFoundError` where there are none, `OSError` or `ValueError` where they are damaged,
  not those of this run, or lie elsewhere.
  """
  document = files.read_json(files.within(workdir, ABOUT), limit=_ABOUT_BYTES)
  if not isinstance(document, dict):
    raise ValueError(f"{ABOUT} is not a JSON object")
  document = files.unseal(document)
  wanted = _of(workdir, data_hash)
  if any(document.get(name) != value for name, value in wanted.items()):
    raise ValueError("it is of another run, or of another revision")
  try:
    packed = files.read(files.within(workdir, ARRAYS), limit=arrays_lib.LIMIT)
  except FileNotFoundError as error:
    raise ValueError("it is not there") from error
  if hashlib.sha256(packed).hexdigest() != document.get("npz_sha256"):
    raise ValueError("it is damaged or of another write")
  return arrays_lib.unpack(io.BytesIO(packed))
