"""Settings of the analyses that read queries, keys and scores."""

import dataclasses

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Kernels:
  """Attention by distance; the published draw of windows as published."""

  windows: int = 64  # evenly over test
  published_windows: int = 300  # at random
  unfolded_width: float = 0.25  # of a bin of unfolded distance, in spacings
  unfolded_bins: int = 60
  restarts: int = 24  # seeded starts of every fit, beside the published ones
  batch: int = 4  # windows whose scores are in memory at a time
  seed: int = 42

  def __post_init__(self):
    checks.at_least(self, 1, "windows", "published_windows", "batch")
    checks.at_least(self, 1, "unfolded_bins", "restarts")
    if self.unfolded_width <= 0:
      raise ValueError(f"kernels.unfolded_width={self.unfolded_width} must exceed 0.")


@dataclasses.dataclass(kw_only=True)
class Hermiticity:
  """Queries against keys, and Fourier peaks of the memory vectors."""

  draws: int = 1000  # Gaussian pairs, at least; 40 a head at least
  slot_draws: int = 1000  # as published
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 2, "draws", "slot_draws")
