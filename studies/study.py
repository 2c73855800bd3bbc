"""What a study offers: its program, its analyses, its claims, its report."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from primelens.models import fit
from primelens.studies import trial
from primelens.tasks import files


@dataclasses.dataclass(frozen=True)
class Run:
  """What an analysis gets: one population, its task, its forward pass."""

  workdir: Path
  experiment: Any
  data: Any  # what the task loads
  params_S: Any
  step: int
  apply: Any
  manifest: dict
  frozen_S: np.ndarray
  program: fit.Program | None = None
  inputs: dict | None = None  # the data of the program

  @property
  def name(self) -> str:
    """The folder's name, by which results of several runs are told apart."""
    return files.name_of(self.workdir)

  @property
  def settings(self):
    """The study's analysis settings."""
    return self.experiment.analyses

  def untrained_S(self):
    """Returns fresh parameters of the run's seeds: the untrained null.

    Raises `ValueError` for a run made without its training program.
    """
    return self._fresh_S

  @functools.cached_property
  def _fresh_S(self):  # several analyses ask for it, and it compiles slowly
    if self.program is None:
      raise ValueError(f"{self.workdir} came without its training program.")
    keys_S = fit.seed_keys(self.experiment.fit)
    return fit.fresh(self.program, self.inputs, keys_S)


def _fits_every_run(experiment) -> str:
  return ""


@dataclasses.dataclass(frozen=True)
class Analysis:
  """`run(run) -> result` of class `result`, drawn by the function of the same
  name in `analyses/plots.py`; `about` is its line in `analyze.py --list`.

  `obstacle(experiment)` says in words why a run cannot be read so, or "".
  """

  run: Callable[[Any], Any]
  result: type
  about: str
  obstacle: Callable[[Any], str] = _fits_every_run


class Cost(NamedTuple):
  """What one seed takes: parameters, and targets, FLOP and bytes of a step."""

  parameters: int
  targets: int
  flop: float
  memory_bytes: float


def check_kinds(experiment, **kinds: str) -> None:
  """Raises `ValueError` where a room's part is not of the study's one kind."""
  for room, kind in kinds.items():
    its = getattr(experiment, room).kind
    if its != kind:
      raise ValueError(
        f"{room}.kind={its!r} is not {kind!r}, the only one that study={experiment.study!r} knows."
      )


@dataclasses.dataclass(frozen=True)
class Report:
  """The page of a study: `sections` maps a key to a title and a function of
  `{run: {analysis: Stored}}`; `summary(tables, ledger)` gives five lines."""

  title: str
  about: str
  sections: Mapping[str, tuple[str, Callable]]
  summary: Callable[[Mapping, trial.Ledger], list[str]]


@dataclasses.dataclass(frozen=True)
class Numbers:
  """Every number of a source beside ours: a record each."""

  rows: tuple[dict, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
  """Everything the command lines need of a study.

  `build(experiment, data)` gives the fit's program, its data and its select
  batch, `bind(experiment)` the forward pass of the analyses, `check` raises
  `ValueError` where task, model and fit do not go together. `first` names the
  analyses that every comparison of runs needs. `numbers(results)` joins the
  tables of `{run: {analysis: Result}}` into records, printed by
  `number_columns`.
  """

  settings: type
  analyses: Mapping[str, Analysis]
  claims: tuple[trial.Claim, ...]
  check: Callable[[Any], None]
  build: Callable[[Any, Any], tuple[fit.Program, dict, dict]]
  bind: Callable[[Any], Callable]
  cost: Callable[[Any], Cost]
  report: Report
  run: type[Run] = Run
  first: tuple[str, ...] = ()
  numbers: Callable[[Mapping], tuple[dict, ...]] | None = None
  number_columns: tuple[str, ...] = ()
