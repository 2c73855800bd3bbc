"""What a study offers: its program, its analyses, its claims, its report."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from primelens.models import checkpoints, fit, loop
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
  program: fit.Program | None = None
  inputs: dict | None = None  # the data of the program
  frozen: tuple[dict, ...] = ()  # seed and step of members that are left out

  @property
  def name(self) -> str:
    """The folder's name, by which results of several runs are told apart."""
    return files.name_of(self.workdir)

  @property
  def settings(self):
    """The study's analysis settings."""
    return self.experiment.analyses

  @property
  def seed_S(self) -> np.ndarray:
    """The seeds of the members, in order: the fit's, without those left out."""
    settings, left_out = self.experiment.fit, [row["seed"] for row in self.frozen]
    trained = settings.first_seed + np.arange(settings.seeds + len(left_out))
    return trained[~np.isin(trained, left_out)]

  def snapshot_steps(self) -> list[int]:
    """Returns the steps with a snapshot, in order."""
    return checkpoints.snapshot_steps(self.workdir / "snapshots")

  def snapshot(self, step: int):
    """Returns the members' parameters at a step; raises `ValueError` naming the
    steps there are, or the broken file."""
    params_S = checkpoints.read_snapshot(self.workdir / "snapshots", step, self.params_S)
    return jax.tree.map(lambda leaf_S: leaf_S[self._row_S], params_S)

  def metrics(self) -> list[dict]:
    """Returns the rows of metrics.jsonl; lists have a number for each member."""
    rows = loop.read_metrics(self.workdir / "metrics.jsonl")
    mine = lambda value: [value[s] for s in self._row_S] if isinstance(value, list) else value
    return [{name: mine(value) for name, value in row.items()} for row in rows]

  @property
  def _row_S(self) -> np.ndarray:
    """Where the members are in what the fit has written."""
    return self.seed_S - self.experiment.fit.first_seed

  def untrained_S(self):
    """Returns fresh parameters of the run's seeds: the untrained null.

    Raises `ValueError` for a run made without its training program.
    """
    return self._fresh_S

  @functools.cached_property
  def _fresh_S(self):  # several analyses ask for it, and it compiles slowly
    if self.program is None:
      raise ValueError(f"{self.workdir} came without its training program.")
    return fit.fresh(self.program, self.inputs, fit.keys_of(self.seed_S))


def _fits_every_run(experiment) -> str:
  return ""


def members(experiment, row_S):
  """Returns the experiment of some of its members, `row_S` counted from 0."""
  settings = dataclasses.replace(experiment.fit, seeds=len(row_S))
  return dataclasses.replace(experiment, fit=settings)


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


def stopped(frozen, trained: int) -> str:
  """Returns in words which of the trained seeds froze, as in "1 of 4 seeds
  stopped at a loss that was not finite (seed 2 at step 310)"."""
  said = ", ".join(f"seed {row['seed']} at step {row['step']}" for row in frozen)
  return f"{len(frozen)} of {trained} seeds stopped at a loss that was not finite ({said})"


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
  analyses that every comparison of runs needs. `members(experiment, rows)` is
  the experiment of some of its members. `numbers(results)` joins the
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
  members: Callable[[Any, np.ndarray], Any] = members
  first: tuple[str, ...] = ()
  numbers: Callable[[Mapping], tuple[dict, ...]] | None = None
  number_columns: tuple[str, ...] = ()
