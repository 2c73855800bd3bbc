"""Settings of the analyses of binned models."""

import dataclasses
from typing import Annotated

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Perplexity:
  """Where windows end, so that a leak shows."""

  windows: checks.Count = 512
  positions: checks.Number = 4  # ends of windows, evenly spread

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class MemoryEffect:
  """Trajectories drawn with and without a memory."""

  warm_up: checks.Number = 50  # windows a memory has read
  context: checks.Number = 64  # tokens before a trajectory
  tokens: Annotated[int, checks.Range(8, 10_000_000)] = 512  # of a trajectory
  trajectories: checks.Several = 50
  repeats: checks.Number = 10  # of all trajectories, with other keys
  sweep_batch: checks.Count = 1  # (seed, arm, repeat) triples in memory at a time
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
