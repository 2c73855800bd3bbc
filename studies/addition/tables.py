"""Tables of an analysis: the source's number, the recomputed one, ours.

Items A1-A63 and B1-B30 are those of the addition spec, section 4. Every
analysis lists what was reported in its own `REPORTED`, and fills the same
keys with a value per member.
"""

from collections.abc import Mapping

import numpy as np
from primelens.studies import reported as reported_lib

PUBLISHED, DRIFT = "published", "shaken by rounding"
PERMUTED, UNORDERED = "permuted labels", "unordered pairs split"
NO_DECAY = "no weight decay"
KEEP = 0.03  # accuracies after removing components


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
  reported: Mapping[str, reported_lib.Reported],
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
    | reported_lib.row(entry, np.asarray(value_S[key], float), untrained_S.get(key), at)
    for key, entry in reported.items()
    if key in value_S
  )
