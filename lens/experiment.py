"""An experiment: one study, one task, one model, one fit, and its settings.

Every dataclass of a room carries a `kind` from one literal dict per room, so
that `config.json` alone rebuilds it.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from primelens import tasks
from primelens.lens import plugins, study
from primelens.models import binned, causality, encoder, guided, indices, spacing, tokens
from primelens.models import fit as fit_lib
from primelens.tasks import checks

MODELS = {
  "spacing": spacing.Config,
  "binned": binned.Config,
  "guided": guided.Config,
  "tokens": tokens.Config,
  "encoder": encoder.Config,
  "indices": indices.Config,
}
# Of every model what its outputs may read (`models/causality.py`).
READINGS: dict[str, Callable[[Any], causality.Reading]] = {
  "spacing": spacing.reading,
  "binned": binned.reading,
  "guided": guided.reading,
  "tokens": tokens.reading,
  "encoder": encoder.reading,
  "indices": indices.reading,
}

_DEEPEST = 8  # levels of a config


@dataclasses.dataclass(kw_only=True)
class Experiment:
  """What `train.py` trains and what `analyze.py` reads afterwards."""

  study: str = "zeros"
  task: Any
  model: Any
  fit: fit_lib.Config = dataclasses.field(default_factory=fit_lib.Config)
  analyses: Any = None  # the study's settings, or those that differ: {"masking": {"windows": 64}}

  def __post_init__(self):
    checks.fields(self)
    if self.analyses is None or isinstance(self.analyses, dict):
      self.analyses = _fill(study.find(self.study).settings, self.analyses or {}, "analyses")


def chosen(variant: str, variants: Iterable[str]) -> str:
  """Returns the variant of a family of configs; raises `ValueError` where it is none of them."""
  known = tuple(variants)
  if variant not in known:
    raise ValueError(f"{variant!r} is not one of {', '.join(known)}.")
  return variant


def check(experiment: Experiment) -> Experiment:
  """Returns the experiment rebuilt from its parts, so that all are validated.

  Flags set fields after construction; this runs every `__post_init__` again.
  Raises `ValueError` naming the field and its valid values.
  """
  if not isinstance(experiment, Experiment):
    raise ValueError(f"{checks.brief(experiment)} is not an Experiment.")
  rebuilt = from_dict(to_dict(experiment))
  study.find(rebuilt.study).check(rebuilt)
  return rebuilt


def check_causal(experiment: Experiment) -> None:
  """Raises `ValueError` where an output of the model reads a later input, by
  the model's own check at a small size; a second on a CPU."""
  readings = READINGS | {kind: its[1] for kind, its in plugins.brought("model").items()}
  causality.check(experiment.model, readings[experiment.model.kind])


def load_data(task: Any) -> Any:
  """Returns the data of a task config; raises `ValueError` as its loader does."""
  brought = plugins.brought("task")
  return brought[task.kind][1](task) if task.kind in brought else tasks.load(task)


def of_study(settings: Any, its: study.Study) -> Any:
  """Returns analysis settings with those that slices of the user's own bring."""
  return _fill(its.settings, to_dict(settings), "analyses")


def validated(settings):
  """Returns analysis settings rebuilt, so that each value is checked."""
  return _fill(type(settings), to_dict(settings), "analyses")


def to_dict(config) -> dict:
  """Returns the config as plain JSON values (tuples become lists).

  Raises `ValueError` for a config that holds itself.
  """
  return _plain(config, _DEEPEST)


def _plain(value, depth: int):
  if not dataclasses.is_dataclass(value) or isinstance(value, type):
    return value
  if not depth:
    raise ValueError(f"A config of more than {_DEEPEST} levels: does it hold itself?")
  return {
    field.name: _plain(getattr(value, field.name), depth - 1) for field in dataclasses.fields(value)
  }


def _tuples(value, depth: int = _DEEPEST):
  """Returns lists as tuples; what is nested too deeply for any field stays as it is."""
  if not isinstance(value, list | tuple) or not depth:
    return value
  return tuple(_tuples(item, depth - 1) for item in value)


@functools.cache
def _nested(field: dataclasses.Field) -> type | None:
  """Returns the dataclass that is in a field by default, or None."""
  made = field.default_factory() if callable(field.default_factory) else None
  return type(made) if dataclasses.is_dataclass(made) else None


def _fill(cls, data: dict, where: str):
  """Returns `cls` built from a dict, nested dataclasses included."""
  if not isinstance(data, dict):
    raise ValueError(f"{where} must be a mapping, got {checks.brief(data)}.")
  defaults = {field.name: field for field in dataclasses.fields(cls)}
  unknown = sorted(set(map(str, data)) - set(defaults))
  if unknown:
    raise ValueError(f"Unknown field {where}.{unknown[0]}; valid: {', '.join(defaults)}.")
  values = {}
  for name, value in data.items():
    kind = _nested(defaults[name])
    values[name] = _fill(kind, value, f"{where}.{name}") if kind else _tuples(value)
  try:
    return cls(**values)
  except checks.FieldError as error:
    raise ValueError(f"{where}.{error}") from error


def _kind(room: dict, data: dict, where: str):
  kind = data.get("kind") if isinstance(data, dict) else None
  if not isinstance(kind, str) or kind not in room:
    known = ", ".join(sorted(room))
    raise ValueError(f"{where}.kind={checks.brief(kind)} is not one of {known}.")
  return _fill(room[kind], data, where)


def from_dict(data: dict) -> Experiment:
  """Returns the experiment a `config.json` describes.

  Raises `ValueError` naming an unknown study, kind or field.
  """
  name: Any = data.get("study") if isinstance(data, dict) else None
  its = study.find(name)
  known = {kind: its[0] for kind, its in tasks.kinds().items()}
  brought = lambda room: {kind: its[0] for kind, its in plugins.brought(room).items()}
  return Experiment(
    study=name,
    task=_kind(known | brought("task"), data.get("task", {}), "task"),
    model=_kind(MODELS | brought("model"), data.get("model", {}), "model"),
    fit=_fill(fit_lib.Config, data.get("fit", {}), "fit"),
    analyses=_fill(its.settings, _renamed(data.get("analyses", {}), its.renamed), "analyses"),
  )


def _renamed(data: Any, names: Mapping[str, str]) -> Any:
  """Returns analysis settings of an earlier revision under their names of today.

  `names` are `{"calibration.golden": "selection.windows"}`; a value under the new name stays.
  """
  if not isinstance(data, dict):
    return data
  data = {key: dict(each) if isinstance(each, dict) else each for key, each in data.items()}
  for old, new in names.items():
    (section, field), (place, name) = old.split("."), new.split(".")
    its, there = data.get(section), data.setdefault(place, {})
    if isinstance(its, dict) and isinstance(there, dict) and field in its:
      there.setdefault(name, its.pop(field))
  return data


def difference(old: Experiment, new: Experiment) -> str:
  """Returns the first field outside `analyses` that differs, or "".

  Shown as "fit.seeds: 2 there, 4 here".
  """
  pairs = zip(_leaves(to_dict(old)), _leaves(to_dict(new)), strict=False)
  for (name, a), (other, b) in pairs:
    if name.startswith("analyses."):
      continue
    if name != other:
      return f"{name} there, {other} here"
    if _tuples(a) != _tuples(b):
      return f"{name}: {a!r} there, {b!r} here"
  return ""


def _leaves(data: dict, prefix: str = "") -> list[tuple[str, Any]]:
  leaves = []
  for name, value in data.items():
    if isinstance(value, dict):
      leaves += _leaves(value, f"{prefix}{name}.")
    else:
      leaves.append((prefix + name, value))
  return leaves
