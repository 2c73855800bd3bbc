"""Tables of an analysis: the source's number, the recomputed one, ours.

Items A1-A63 and B1-B30 are those of the addition spec, section 4. Every
analysis lists what was reported in its own `REPORTED`, and fills the same
keys with a value per member.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from primelens.lens import numbers as reported_lib
from primelens.models import optimizer, tokens

PUBLISHED, DRIFT = "published", "shaken by rounding"
PERMUTED, UNORDERED = "permuted labels", "unordered pairs split"
NO_DECAY = "no weight decay"
KEEP = 0.03  # accuracies after removing components


# The source's two settings: plain addition, modular addition.
_SETTING: dict[bool, dict[str, Any]] = {
  False: {"digits": 10, "train_fraction": 0.72, "steps": 10_000},
  True: {"digits": 113, "train_fraction": 0.3, "steps": 25_000},
}
_OPTIMIZER = optimizer.Config(rate=1e-3, schedule="constant", beta2=0.98, clip=0.0)
_OTHER = "other "  # than the source's, as in "other digits and steps"


def reference(run) -> int | None:
  """Returns which member is the source's own network, None where none is.

  Split 598 and start 999 of the published setting; modulo 113 the start has
  the older order.
  """
  task, model = run.experiment.task, run.experiment.model
  order = "old" if task.modular else "new"
  own = not _differs(run.experiment) and model.torch_order == order
  pairs = zip(task.split_seeds, model.torch_seeds, strict=False)
  at = [i for i, pair in enumerate(pairs) if pair == (598, 999)]
  return at[0] if own and at else None


def population(run) -> str:
  """Returns what a run's members have in common, as in "P = 10, published".

  "published" is the source's setting in all but splits and starts: true labels,
  ordered pairs split, weight decay 1, unshaken starts, its digits, share of
  train pairs, steps, optimizer and network. Any other run says how it differs,
  as in "modulo 53, other digits, train fraction and steps".
  """
  task = run.experiment.task
  sums = "modulo " if task.modular else "P = "
  return f"{sums}{task.digits}, {', '.join(_differs(run.experiment)) or PUBLISHED}"


def is_setting(population: str) -> bool:
  """Returns whether a population is that of the source, or differs in sizes
  alone: no control, that is."""
  its = population.partition(", ")[2]
  return its == PUBLISHED or its.startswith(_OTHER)


def _differs(experiment) -> list[str]:
  """Returns how an experiment differs from the source's, controls first."""
  task, model, fit = experiment.task, experiment.model, experiment.fit
  decay = fit.optimizer.weight_decay
  controls = (
    (PERMUTED, task.labels == "permuted"),
    (UNORDERED, task.split == "unordered"),
    (NO_DECAY, decay == 0),
    (f"weight decay {decay:g}", decay not in (0, 1)),
    (DRIFT, model.torch_jitter > 0),
    (f"{model.trunk.layers} layers", model.trunk.layers > 1),
  )
  wanted = _SETTING[task.modular]
  one_layer = dataclasses.replace(model.trunk, layers=1)
  own_decay = dataclasses.replace(_OPTIMIZER, weight_decay=decay)
  sizes = (
    ("digits", task.digits != wanted["digits"]),
    ("train fraction", task.train_fraction != wanted["train_fraction"]),
    ("steps", fit.steps != wanted["steps"]),
    ("optimizer", fit.optimizer != own_decay),
    ("network", one_layer != tokens.plain_trunk()),
  )
  other = [name for name, differs in sizes if differs]
  said = [name for name, differs in controls if differs]
  if other:
    said.append(_OTHER + " and ".join(filter(None, [", ".join(other[:-1]), other[-1]])))
  return said


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
