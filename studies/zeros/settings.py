"""Settings of the zeros study's analyses; not part of a run's identity."""

import dataclasses
from typing import Literal

from primelens.studies.zeros import settings_forecasts, settings_levels, settings_reference
from primelens.studies.zeros.settings_attention import Hermiticity, Kernels
from primelens.studies.zeros.settings_binned import MemoryEffect, Perplexity
from primelens.studies.zeros.settings_retraining import Curriculum, Pruned
from primelens.studies.zeros.settings_slots import Slots
from primelens.studies.zeros.settings_waves import PrimeWaves, Yardstick
from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Evaluation:
  """Where models and anchors are scored."""

  windows: int = 0  # windows of the test split; 0: all of them
  select_windows: int = 512  # windows of the select split, for every choice
  min_context: int = 128  # spacings behind a scored position, at least
  batch: int = 16  # windows in one forward pass
  permutations: int = 50  # seeded slot orders, where slots have ids
  permutation_windows: int = 512


@dataclasses.dataclass(kw_only=True)
class Masking:
  """Progressive magnitude masking."""

  ratios: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
  windows: int = 256
  seed: int = 0

  def __post_init__(self):
    if 0 not in self.ratios or not all(0 <= r <= 1 for r in self.ratios):
      raise ValueError(
        f"masking.ratios={self.ratios} must lie in 0..1 and hold 0, the intact model."
      )


@dataclasses.dataclass(kw_only=True)
class Heads:
  """Head removal."""

  windows: int = 256
  sweep_batch: int = 4  # (seed, removal) pairs in memory at a time


@dataclasses.dataclass(kw_only=True)
class Symbolic:
  """Symbolic regression of the predictions."""

  backend: Literal["pyoperon", "pysr"] = "pyoperon"
  lags: int = 5
  samples: int = 4000
  seconds: int = 0  # for one search; 0: the backend's own (pysr: 900)
  seed: int = 0

  def __post_init__(self):
    checks.literals(self)


@dataclasses.dataclass(kw_only=True)
class Formula:
  """Closed-form families."""

  samples: int = 20000
  cue_matrices: int = 200
  cue_size: int = 200
  seed: int = 0


@dataclasses.dataclass(kw_only=True)
class Linear:
  """The linear operator of the truth and of the model."""

  long_order: int = 20
  jacobian_windows: int = 256
  samples: int = 20000


@dataclasses.dataclass(kw_only=True)
class Leak:
  """What a window tells a network of its own targets."""

  windows: int = 512
  pattern_windows: int = 64  # whose attention to the slots is averaged


@dataclasses.dataclass(kw_only=True)
class Bootstrap:
  """Intervals."""

  block: int = 1000  # spacings
  samples: int = 1000
  seed: int = 0


# The published formulas read five lags, and the closed forms eight.
_RANGES = {
  "evaluation.min_context": (1, None),
  "evaluation.batch": (1, None),
  "evaluation.permutations": (1, None),
  "evaluation.permutation_windows": (1, None),
  "leak.windows": (1, None),
  "leak.pattern_windows": (1, None),
  "bootstrap.block": (1, None),
  "bootstrap.samples": (20, None),
  "heads.sweep_batch": (1, None),
  "formula.samples": (1, None),
  "formula.cue_matrices": (2, None),
  "formula.cue_size": (9, None),
  "symbolic.samples": (1, None),
  "symbolic.lags": (5, 8),
  "linear.samples": (1, None),
  "linear.long_order": (3, None),
}


@dataclasses.dataclass(kw_only=True)
class Settings:
  """All of them; `analyze.py --set masking.windows=512` changes one."""

  parameters: Literal["best", "last"] = "best"
  evaluation: Evaluation = dataclasses.field(default_factory=Evaluation)
  bootstrap: Bootstrap = dataclasses.field(default_factory=Bootstrap)
  masking: Masking = dataclasses.field(default_factory=Masking)
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
  prime_waves: PrimeWaves = dataclasses.field(default_factory=PrimeWaves)
  yardstick: Yardstick = dataclasses.field(default_factory=Yardstick)
  perplexity: Perplexity = dataclasses.field(default_factory=Perplexity)
  memory_effect: MemoryEffect = dataclasses.field(default_factory=MemoryEffect)

  def __post_init__(self):
    checks.literals(self)
    for name, (least, most) in _RANGES.items():
      section, field = name.split(".")
      value = getattr(getattr(self, section), field)
      if value < least or (most is not None and value > most):
        limit = f"at least {least}" if most is None else f"in {least}..{most}"
        raise ValueError(f"{name}={value} must be {limit}.")
