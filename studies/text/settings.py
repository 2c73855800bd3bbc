"""Settings of the text study's analyses; not part of a run's identity."""

import dataclasses
from typing import Annotated, Literal

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Settings:
  """What the analyses of a text run may vary."""

  parameters: Literal["best", "last"] = "best"
  probe_rows: Annotated[int, checks.Range(200, 10_000_000)] = (
    20_000  # fresh pairs, half to fit, half to score
  )
  batch: checks.Count = 2000  # rows in one forward pass
  permutations: checks.Number = 100
  random_directions: checks.Number = 50
  untrained: checks.Order = 5  # fresh networks, at least, as a null
  mlp_epochs: checks.Number = 200
  mlp_patience: checks.Number = 20  # epochs
  mlp_sizes: Annotated[tuple[str, ...], checks.Items(0, 100)] = (
    "128x1",
    "128x2",
    "256x2",
  )  # width x depth
  tsne: bool = False  # of the first member's states
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    for size in self.mlp_sizes:
      width, _, depth = size.partition("x")
      if not (width.isdigit() and depth.isdigit() and int(width) * int(depth)):
        raise ValueError(f"mlp_sizes has {size!r}, which is not as 128x2.")
