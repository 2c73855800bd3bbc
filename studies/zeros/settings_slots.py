"""Settings of the diagnostics of memory slots."""

import dataclasses
from typing import Annotated

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Slots:
  """Diagnostics of memory slots; sizes as published where it had them."""

  windows: checks.Several = 512  # evenly over test, for every removal
  draws: checks.Number = 16  # joint removals of each count, all where there are fewer
  random_windows: checks.Count = 500  # as published
  remeasurements: checks.Number = 1000
  blocks: checks.Several = 8
  block_windows: checks.Several = 256
  quarter_windows: checks.Several = 100  # as published
  gradient_batches: checks.Several = 20
  gradient_batch: checks.Count = 32
  attention_windows: checks.Count = 50
  rollouts: checks.Count = 100
  horizons: Annotated[tuple[checks.Number, ...], checks.Items(2, 1_000)] = (1, 10, 50, 200)
  sweep_batch: checks.Count = 4  # (seed, change) pairs in memory at a time
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
