"""Settings of the primes study's analyses; not part of a run's identity."""

import dataclasses
from typing import Literal

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Settings:
  """What the analyses of a primes run may vary."""

  parameters: Literal["last", "best"] = "last"
  batch: int = 4096  # rows in one forward pass
  draws: int = 99  # of every null of a matrix: no p is below 2 / (draws + 1)
  seed: int = 0

  def __post_init__(self):
    checks.literals(self)
    checks.at_least(self, 1, "batch", "draws")
    checks.at_least(self, 0, "seed")
