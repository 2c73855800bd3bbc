"""Settings of the analyses of binned models."""

import dataclasses

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Perplexity:
  """Where windows end, so that a leak shows."""

  windows: int = 512
  positions: int = 4  # ends of windows, evenly spread


@dataclasses.dataclass(kw_only=True)
class MemoryEffect:
  """Trajectories drawn with and without a memory."""

  warm_up: int = 50  # windows a memory has read
  context: int = 64  # tokens before a trajectory
  tokens: int = 512  # of a trajectory
  trajectories: int = 50
  repeats: int = 10  # of all trajectories, with other keys
  sweep_batch: int = 1  # (seed, arm, repeat) triples in memory at a time
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 1, "warm_up", "context", "repeats", "sweep_batch")
    checks.at_least(self, 8, "tokens")
    checks.at_least(self, 2, "trajectories")
