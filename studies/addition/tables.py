"""Tables of an analysis: the source's number, the recomputed one, ours.

Items A1-A63 and B1-B30 are those of the addition spec, section 4. Every
analysis lists what was reported in its own `REPORTED`, and fills the same
keys with a value per member.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from primelens.analyses import statistics

SMOOTH = 0.005  # spec, section 5: smooth fits repeat to about this
KEEP = 0.03  # accuracies after removing components


class Reported(NamedTuple):
  """One number of the source: what it is, in words and recomputed.

  `source` is the notebook's prose (it stored no outputs), `recomputed` an
  independent reimplementation of the same network (split 598, start 999).
  `tolerance` is how far float drift may take ours; infinite for counts and
  neuron numbers, which are not portable.
  """

  item: str
  quantity: str
  source: str
  recomputed: float | None
  tolerance: float = SMOOTH
  remark: str = ""


def reference(run) -> int | None:
  """Returns which member is the source's own network, None where none is.

  P = 10, split 598 and start 999, true labels, weight decay 1.
  """
  task, model = run.experiment.task, run.experiment.model
  own = (
    (task.digits, task.modular, task.labels) == (10, False, "true")
    and task.split == "published"
    and run.experiment.fit.optimizer.weight_decay == 1.0
    and (model.torch_order, model.torch_jitter) == ("new", 0.0)
  )
  named = zip(task.split_seeds, model.torch_seeds, strict=False)
  at = [i for i, pair in enumerate(named) if pair == (598, 999)]
  return at[0] if own and at else None


def rows(
  run,
  reported: Mapping[str, Reported],
  value_S: Mapping[str, np.ndarray],
  untrained_S: Mapping[str, np.ndarray],
) -> tuple[dict, ...]:
  """Returns a record per key of `reported` that has a value, in its order.

  ours is the reference member's number; median, minimum, maximum and the
  mean with its 95 % interval are over members, untrained is the median of
  the untrained networks. `agrees` says whether ours is within the tolerance
  of the recomputed number. Raises `KeyError` for a key nobody reported.
  """
  at = reference(run)
  unknown = sorted(set(value_S) - set(reported))
  if unknown:
    raise KeyError(f"{unknown[0]!r} is not among what was reported.")
  return tuple(
    _row(entry, np.asarray(value_S[key], float), untrained_S.get(key), at)
    for key, entry in reported.items()
    if key in value_S
  )


def _row(entry, value_S: np.ndarray, untrained_S, at: int | None) -> dict:
  interval = statistics.seed_interval(value_S)
  null = np.nan if untrained_S is None else float(np.median(untrained_S))
  ours = float(value_S[at]) if at is not None else np.nan
  known = at is not None and entry.recomputed is not None
  gap = abs(ours - entry.recomputed) if known else np.nan
  return {
    "item": entry.item,
    "quantity": entry.quantity,
    "source": entry.source,
    "recomputed": np.nan if entry.recomputed is None else entry.recomputed,
    "tolerance": entry.tolerance,
    "ours": ours,
    "agrees": bool(gap <= entry.tolerance) if known else None,
    "median": float(np.median(value_S)),
    "minimum": float(value_S.min()),
    "maximum": float(value_S.max()),
    "mean": float(interval.estimate),
    "mean_low": float(interval.low),
    "mean_high": float(interval.high),
    "untrained": null,
    "remark": entry.remark,
  }
