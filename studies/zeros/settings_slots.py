"""Settings of the diagnostics of memory slots."""

import dataclasses

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Slots:
  """Diagnostics of memory slots; sizes as published where it had them."""

  windows: int = 512  # evenly over test, for every removal
  draws: int = 16  # joint removals of each count, all where there are fewer
  random_windows: int = 500  # as published
  remeasurements: int = 1000
  blocks: int = 8
  block_windows: int = 256
  quarter_windows: int = 100  # as published
  gradient_batches: int = 20
  gradient_batch: int = 32
  attention_windows: int = 50
  rollouts: int = 100
  horizons: tuple[int, ...] = (1, 10, 50, 200)
  sweep_batch: int = 4  # (seed, change) pairs in memory at a time
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 2, "windows", "blocks", "block_windows")
    checks.at_least(self, 2, "quarter_windows", "gradient_batches")
    checks.at_least(self, 1, "draws", "random_windows", "rollouts")
    checks.at_least(self, 1, "remeasurements", "gradient_batch", "sweep_batch")
    if len(self.horizons) < 2 or min(self.horizons) < 1:
      raise ValueError(f"slots.horizons={self.horizons} needs two of them, each at least 1.")
