"""Tables of an analysis: the source's number, the recomputed one, ours.

Items A1-A63 and B1-B30 are those of the addition spec, section 4. Every
analysis lists what was reported in its own `REPORTED`, and fills the same
keys with a value per member.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from primelens.analyses import statistics

PUBLISHED, DRIFT = "published", "shaken by rounding"
PERMUTED, UNORDERED = "permuted labels", "unordered pairs split"
NO_DECAY = "no weight decay"
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

  Split 598 and start 999, true labels, weight decay 1, unshaken: of the plain
  P = 10, or modulo 113, where the start has the older order.
  """
  task, model = run.experiment.task, run.experiment.model
  digits, order = (113, "old") if task.modular else (10, "new")
  own = (
    task.digits == digits
    and (task.labels, task.split) == ("true", "published")
    and run.experiment.fit.optimizer.weight_decay == 1.0
    and (model.torch_order, model.torch_jitter) == (order, 0.0)
  )
  pairs = zip(task.split_seeds, model.torch_seeds, strict=False)
  at = [i for i, pair in enumerate(pairs) if pair == (598, 999)]
  return at[0] if own and at else None


def population(run) -> str:
  """Returns what a run's members have in common, as in "P = 10, published".

  "published" is the source's setting: true labels, ordered pairs split, weight
  decay 1, unshaken starts; any other run says how it differs.
  """
  task, model = run.experiment.task, run.experiment.model
  decay = run.experiment.fit.optimizer.weight_decay
  differs = [
    name
    for name, is_so in (
      (PERMUTED, task.labels == "permuted"),
      (UNORDERED, task.split == "unordered"),
      (NO_DECAY, decay == 0),
      (f"weight decay {decay:g}", decay not in (0, 1)),
      (DRIFT, model.torch_jitter > 0),
      (f"{model.trunk.layers} layers", model.trunk.layers > 1),
    )
    if is_so
  ]
  sums = "modulo " if task.modular else "P = "
  return f"{sums}{task.digits}, {', '.join(differs) or PUBLISHED}"


def rows(
  run,
  reported: Mapping[str, Reported],
  value_S: Mapping[str, np.ndarray],
  untrained_S: Mapping[str, np.ndarray],
) -> tuple[dict, ...]:
  """Returns a record per key of `reported` that has a value, in its order.

  ours is the reference member's number; median, minimum, maximum and the
  mean with its 95 % interval are over members, untrained is the median of
  the untrained networks, values are those of every member. `agrees` says
  whether ours is within the tolerance of the recomputed number. Raises
  `KeyError` for a key nobody reported.
  """
  at = reference(run)
  unknown = sorted(set(value_S) - set(reported))
  if unknown:
    raise KeyError(f"{unknown[0]!r} is not among what was reported.")
  its = population(run)
  return tuple(
    {"key": key, "population": its}
    | _row(entry, np.asarray(value_S[key], float), untrained_S.get(key), at)
    for key, entry in reported.items()
    if key in value_S
  )


def _row(entry, value_S: np.ndarray, untrained_S, at: int | None) -> dict:
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
    **spread(value_S),
    "untrained": np.nan if untrained_S is None else median(untrained_S),
    "values": value_S.tolist(),
    "remark": entry.remark,
  }


def median(value_S) -> float:
  """Returns the median of the members that have a value; NaN for none."""
  return spread(value_S)["median"]


def spread(value_S) -> dict[str, float]:
  """Returns median, minimum, maximum, mean and its 95 % interval, over the
  members that have a value; all NaN where none has one."""
  known_S = np.asarray(value_S, float)
  known_S = known_S[np.isfinite(known_S)]
  names = ("median", "minimum", "maximum", "mean", "mean_low", "mean_high")
  if not known_S.size:
    return dict.fromkeys(names, np.nan)
  interval = statistics.seed_interval(known_S)
  ends = (interval.estimate, interval.low, interval.high)
  found = (np.median(known_S), known_S.min(), known_S.max(), *ends)
  return dict(zip(names, map(float, found), strict=True))


def columns(name: str, value_S, untrained_S, at: int | None) -> dict:
  """Returns the columns of one measure, as those of `fits.records`.

  `at` is the reference member, None where there is none.
  """
  found = spread(value_S)
  return {
    name: found["median"],
    f"{name}_min": found["minimum"],
    f"{name}_max": found["maximum"],
    f"{name}_ours": float("nan") if at is None else float(value_S[at]),
    f"{name}_untrained": median(untrained_S),
  }
