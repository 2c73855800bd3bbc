"""Settings of the zeros study's analyses; not part of a run's identity."""

import dataclasses
from typing import Annotated, Literal

from primelens.studies.zeros import program, settings_forecasts, settings_levels, settings_reference
from primelens.studies.zeros.settings_attention import Hermiticity, Kernels
from primelens.studies.zeros.settings_binned import MemoryEffect, Perplexity
from primelens.studies.zeros.settings_retraining import Curriculum, Pruned
from primelens.studies.zeros.settings_slots import Slots
from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Heads:
  """Head removal."""

  windows: checks.Count = 256
  sweep_batch: checks.Count = 4  # (seed, removal) pairs in memory at a time

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Symbolic:
  """Symbolic regression of the predictions."""

  backend: Literal["pyoperon", "pysr"] = "pyoperon"
  lags: Annotated[int, checks.Range(5, 8)] = 5  # published formulas read 5, closed forms 8
  samples: checks.Count = 4000
  seconds: Annotated[int, checks.Range(0, 10_000_000)] = (
    0  # for one search; 0: the backend's own (pysr: 900)
  )
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Formula:
  """Closed-form families."""

  samples: checks.Count = 20000
  cue_matrices: checks.Several = 200
  cue_size: Annotated[int, checks.Range(9, 10_000)] = 200
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Linear:
  """The linear operator of the truth and of the model."""

  long_order: Annotated[int, checks.Range(3, 10_000)] = 20
  jacobian_windows: checks.Count = 256
  samples: checks.Count = 20000

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Leak:
  """What a window tells a network of its own targets."""

  windows: checks.Count = 512
  pattern_windows: checks.Count = 64  # whose attention to the slots is averaged

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Settings(program.Settings):
  """All of them; `analyze.py --set masking.windows=512` changes one."""

  heads: Heads = dataclasses.field(default_factory=Heads)
  pruned: Pruned = dataclasses.field(default_factory=Pruned)
  curriculum: Curriculum = dataclasses.field(default_factory=Curriculum)
  formula: Formula = dataclasses.field(default_factory=Formula)
  symbolic: Symbolic = dataclasses.field(default_factory=Symbolic)
  linear: Linear = dataclasses.field(default_factory=Linear)
  form_factor: settings_levels.FormFactor = dataclasses.field(
    default_factory=settings_levels.FormFactor
  )
  operators: settings_levels.Operators = dataclasses.field(
    default_factory=settings_levels.Operators
  )
  leak: Leak = dataclasses.field(default_factory=Leak)
  kernels: Kernels = dataclasses.field(default_factory=Kernels)
  hermiticity: Hermiticity = dataclasses.field(default_factory=Hermiticity)
  slots: Slots = dataclasses.field(default_factory=Slots)
  rollout: settings_forecasts.Rollout = dataclasses.field(
    default_factory=settings_forecasts.Rollout
  )
  calibration: settings_forecasts.Calibration = dataclasses.field(
    default_factory=settings_forecasts.Calibration
  )
  gue: settings_reference.Gue = dataclasses.field(default_factory=settings_reference.Gue)
  prime_lines: settings_reference.PrimeLines = dataclasses.field(
    default_factory=settings_reference.PrimeLines
  )
  predictors: settings_reference.Predictors = dataclasses.field(
    default_factory=settings_reference.Predictors
  )
  perplexity: Perplexity = dataclasses.field(default_factory=Perplexity)
  memory_effect: MemoryEffect = dataclasses.field(default_factory=MemoryEffect)

  def __post_init__(self):
    checks.fields(self)
