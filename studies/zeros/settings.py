"""Settings of the zeros study's analyses; not part of a run's identity."""

import dataclasses

from primelens.studies.zeros import program, settings_reference
from primelens.studies.zeros import program, settings_forecasts, settings_levels
from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Settings(program.Settings):
  """All of them; `analyze.py --set masking.windows=512` changes one."""


  def __post_init__(self):
    checks.fields(self)
