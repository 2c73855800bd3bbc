"""Settings of the analyses that set the zeros beside random matrices."""

import dataclasses
from typing import Annotated

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Gue:
  """The zeros' correlations by height, and matrices beside them."""

  blocks: checks.Several = 16  # of height, evenly spread in ln g
  least: checks.Count = 500  # spacings in a block
  lags: Annotated[int, checks.Range(3, 1_000)] = 5
  matrices: checks.Several = 500
  size: checks.Order = 200
  stretch: Annotated[int, checks.Range(100, 100_000_000)] = (
    100_000  # spacings of the published recipes
  )
  shuffles: checks.Several = 100
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    checks.at_least(self, 10 * self.lags, "least", "size")


@dataclasses.dataclass(kw_only=True)
class PrimeLines:
  """Amplitudes at the logarithms of primes."""

  stretches: checks.Number = 4  # of heights
  spacings: Annotated[int, checks.Range(10, 100_000_000)] = 20_000  # of a stretch
  limit: Annotated[int, checks.Range(10, 1_000_000)] = 3_000  # primes below
  draws: Annotated[int, checks.Range(20, 1_000_000)] = 200  # shuffles
  cue_draws: checks.Number = 4
  cue_size: checks.Order = 200
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Predictors:
  """The sine process's predictor beside filters and the network."""

  samples: checks.Count = 6_000
  lags: Annotated[tuple[Annotated[int, checks.Range(1, 64)], ...], checks.Items(1, 64)] = (
    1,
    3,
    5,
  )  # of the exact predictor
  orders: Annotated[tuple[checks.Order, ...], checks.Items(1, 64)] = (3, 20)  # of linear ones
  cue_matrices: checks.Number = 30
  cue_size: checks.Order = 200
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    checks.at_least(self, max(self.lags) + 1, "cue_size")
