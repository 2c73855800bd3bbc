"""Settings of the addition study's analyses; not part of a run's identity."""

import dataclasses
from typing import Literal

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Settings:
  """What the analyses of an addition run may vary."""

  parameters: Literal["last"] = "last"
  key_threshold: float = 0.1  # of the largest frequency norm
  random_directions: int = 20
  snapshot_batch: int = 10  # snapshots in memory at a time
  member_batch: int = 32  # members in memory at a time
  draws: int = 99  # of every null of a matrix: no p is below 2 / (draws + 1)
  seed: int = 0

  def __post_init__(self):
    checks.literals(self)
    checks.at_least(self, 1, "random_directions", "snapshot_batch", "member_batch", "draws")
    if not 0 < self.key_threshold < 1:
      raise ValueError(f"key_threshold={self.key_threshold} is not between 0 and 1.")
