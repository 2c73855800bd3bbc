"""Settings of the analyses that read queries, keys and scores."""

import dataclasses
from typing import Annotated

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Kernels:
  """Attention by distance; the published draw of windows as published."""

  windows: checks.Count = 64  # evenly over test
  published_windows: checks.Count = 300  # at random
  unfolded_width: Annotated[float, checks.Range(0, 1e6, "(]")] = (
    0.25  # of a bin of unfolded distance, in spacings
  )
  unfolded_bins: checks.Number = 60
  restarts: checks.Number = 24  # seeded starts of every fit, beside the published ones
  batch: checks.Count = 4  # windows whose scores are in memory at a time
  seed: checks.Seed = 42

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Hermiticity:
  """Queries against keys, and Fourier peaks of the memory vectors."""

  draws: checks.Several = 1000  # Gaussian pairs, at least; 40 a head at least
  slot_draws: checks.Several = 1000  # as published
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
