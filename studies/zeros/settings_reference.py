"""Settings of the analyses that set the zeros beside random matrices."""

import dataclasses

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Gue:
  """The zeros' correlations by height, and matrices beside them."""

  blocks: int = 16  # of height, evenly spread in ln g
  least: int = 500  # spacings in a block
  lags: int = 5
  matrices: int = 500
  size: int = 200
  stretch: int = 100_000  # spacings of the published recipes
  shuffles: int = 100
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 2, "blocks", "matrices", "shuffles")
    checks.at_least(self, 3, "lags")
    checks.at_least(self, 10 * self.lags, "least", "size")
    checks.at_least(self, 100, "stretch")


@dataclasses.dataclass(kw_only=True)
class PrimeLines:
  """Amplitudes at the logarithms of primes."""

  stretches: int = 4  # of heights
  spacings: int = 20_000  # of a stretch
  limit: int = 3_000  # primes below
  draws: int = 200  # shuffles
  cue_draws: int = 4
  cue_size: int = 200
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 1, "stretches", "cue_draws", "cue_size")
    checks.at_least(self, 10, "limit", "spacings")
    checks.at_least(self, 20, "draws")


@dataclasses.dataclass(kw_only=True)
class Predictors:
  """The sine process's predictor beside filters and the network."""

  samples: int = 6_000
  lags: tuple[int, ...] = (1, 3, 5)  # of the exact predictor
  orders: tuple[int, ...] = (3, 20)  # of linear ones
  cue_matrices: int = 30
  cue_size: int = 200
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 1, "samples", "cue_matrices")
    if not self.lags or not self.orders or min(*self.lags, *self.orders) < 1:
      raise ValueError(
        f"predictors.lags={self.lags} and orders={self.orders} need a number each, at least 1."
      )
    checks.at_least(self, max(self.lags) + 1, "cue_size")
