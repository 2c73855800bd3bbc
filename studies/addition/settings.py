"""Settings of the addition study's analyses; not part of a run's identity."""

import dataclasses
from typing import Literal

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Settings:
  """What the analyses of an addition run may vary."""

  parameters: Literal["last"] = "last"
  key_threshold: checks.Inside = 0.1  # of the largest frequency norm
  random_directions: checks.Number = 20
  snapshot_batch: checks.Count = 10  # snapshots in memory at a time
  member_batch: checks.Count = 32  # members in memory at a time
  draws: checks.Number = 99  # of every null of a matrix: no p is below 2 / (draws + 1)
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
