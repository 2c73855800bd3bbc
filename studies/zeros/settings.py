"""Settings of the zeros study's analyses; not part of a run's identity."""

import dataclasses

from primelens.studies.zeros import program, settings_reference
from primelens.studies.zeros.settings_waves import PrimeWaves, Yardstick
from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Settings(program.Settings):
  """All of them; `analyze.py --set masking.windows=512` changes one."""

  gue: settings_reference.Gue = dataclasses.field(default_factory=settings_reference.Gue)
  prime_lines: settings_reference.PrimeLines = dataclasses.field(
    default_factory=settings_reference.PrimeLines
  )
  predictors: settings_reference.Predictors = dataclasses.field(
    default_factory=settings_reference.Predictors
  )
  prime_waves: PrimeWaves = dataclasses.field(default_factory=PrimeWaves)
  yardstick: Yardstick = dataclasses.field(default_factory=Yardstick)

  def __post_init__(self):
    checks.fields(self)
