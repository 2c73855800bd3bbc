"""Settings of the zeros study's analyses; not part of a run's identity."""

import dataclasses

from primelens.studies.zeros import program, settings_forecasts, settings_levels, settings_reference
from primelens.studies.zeros.settings_attention import Hermiticity, Kernels
from primelens.studies.zeros.settings_binned import MemoryEffect, Perplexity
from primelens.studies.zeros.settings_retraining import Curriculum, Pruned
from primelens.studies.zeros.settings_slots import Slots
from primelens.studies.zeros.settings_waves import PrimeWaves, Yardstick
from primelens.tasks import checks


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

  pruned: Pruned = dataclasses.field(default_factory=Pruned)
  curriculum: Curriculum = dataclasses.field(default_factory=Curriculum)
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
  prime_waves: PrimeWaves = dataclasses.field(default_factory=PrimeWaves)
  yardstick: Yardstick = dataclasses.field(default_factory=Yardstick)
  perplexity: Perplexity = dataclasses.field(default_factory=Perplexity)
  memory_effect: MemoryEffect = dataclasses.field(default_factory=MemoryEffect)

  def __post_init__(self):
    checks.fields(self)
