"""Numbers of the text study's source beside ours, imported and trained.

Items are sections of the arithmetic spec. `ours` is the published network's,
imported; members and untrained networks stand beside it.
"""

from collections.abc import Mapping

import numpy as np
from primelens.lens import numbers as reported_lib

FOLDS = 0.003  # numbers that depend on folds or random directions


def population(run) -> str:
  """Returns what a run's members have in common, as in "sum, imported"."""
  task, model = run.experiment.task, run.experiment.model
  if model.checkpoint:
    return f"{task.question}, imported"
  trunk = model.trunk
  size = f"L{trunk.layers} D{trunk.width}"
  return f"{task.question}, {size}, {task.layout}, {task.split} split"


def rows(
  run,
  reported: Mapping[str, reported_lib.Reported],
  value_S: Mapping[str, np.ndarray],
  untrained_S: Mapping[str, np.ndarray] | None = None,
) -> tuple[dict, ...]:
  """Returns a record per key of `reported` that has a value, in its order.

  As `reported.row`; ours is the imported network's, NaN for any other run.
  Raises `KeyError` for a key nobody reported.
  """
  unknown = sorted(set(value_S) - set(reported))
  if unknown:
    raise KeyError(f"{unknown[0]!r} is not among what was reported.")
  imported = bool(run.experiment.model.checkpoint)
  its, untrained_S = population(run), untrained_S or {}
  found = []
  for key, entry in reported.items():
    if key in value_S:
      value = np.asarray(value_S[key], float)
      row = reported_lib.row(entry, value, untrained_S.get(key), 0 if imported else None)
      found.append({"key": key, "population": its} | row)
  return tuple(found)
