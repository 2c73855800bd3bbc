"""Settings of the text study's analyses; not part of a run's identity."""

import dataclasses
from typing import Literal

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Settings:
  """What the analyses of a text run may vary."""

  parameters: Literal["best", "last"] = "best"
  probe_rows: int = 20_000  # fresh pairs, half to fit, half to score
  batch: int = 2000  # rows in one forward pass
  permutations: int = 100
  random_directions: int = 50
  untrained: int = 5  # fresh networks, at least, as a null
  mlp_epochs: int = 200
  mlp_patience: int = 20  # epochs
  mlp_sizes: tuple[str, ...] = ("128x1", "128x2", "256x2")  # width x depth
  tsne: bool = False  # of the first member's states
  seed: int = 0

  def __post_init__(self):
    checks.literals(self)
    checks.at_least(self, 200, "probe_rows")
    checks.at_least(self, 1, "batch", "permutations", "random_directions", "untrained")
    checks.at_least(self, 0, "seed")
    checks.at_least(self, 1, "mlp_epochs", "mlp_patience")
    for size in self.mlp_sizes:
      width, _, depth = size.partition("x")
      if not (width.isdigit() and depth.isdigit() and int(width) * int(depth)):
        raise ValueError(f"mlp_sizes has {size!r}, which is not as 128x2.")
