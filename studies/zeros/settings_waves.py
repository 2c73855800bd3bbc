"""Settings of the analyses of prime waves."""

import dataclasses
from typing import Annotated

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class PrimeWaves:
  """Waves of primes in a network's predictions and in its parts."""

  spacings: Annotated[int, checks.Range(10, 100_000_000)] = (
    20_000  # scored, one after another, from the start of test
  )
  limit: Annotated[int, checks.Range(10, 1_000_000)] = 3_000  # primes below
  draws: Annotated[int, checks.Range(20, 1_000_000)] = (
    40  # sets of frequencies beside the primes; fewer than 20 have no p below 0.05
  )
  part_spacings: Annotated[int, checks.Range(10, 100_000_000)] = (
    4_000  # read without each head and in layers
  )
  contexts: tuple[checks.Number, ...] = (2, 4, 8, 16, 32, 64, 128, 256, 512)
  context_windows: checks.Amount = 8_000  # a spacing apart; as many per context
  orders: Annotated[tuple[checks.Order, ...], checks.Items(1, 64)] = (
    3,
    24,
    64,
  )  # of filters fitted on train
  explicit: tuple[Annotated[int, checks.Range(4, 10_000_000)], ...] = (
    100,
    1_000,
    10_000,
  )  # X of the formula
  response_windows: checks.Count = 256  # whose derivatives make the response
  response_limit: Annotated[int, checks.Range(4, 1_000_000)] = 100  # prime powers up to
  planted: Annotated[int, checks.Range(0, 100_000)] = (
    20  # composites with a wave, the positive control
  )
  symbolic: bool = True  # search for the law of the amplitudes
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    if self.context_windows == 1:
      raise checks.FieldError("context_windows=1 must be 0, or 2 or more.")


@dataclasses.dataclass(kw_only=True)
class Yardstick:
  """How predictable the next zero is, by height."""

  stretches: Annotated[int, checks.Range(0, 100_000)] = (
    6  # of the run's sequence, evenly spread in ln(height)
  )
  spacings: Annotated[int, checks.Range(20, 100_000_000)] = 5_000  # scored in each, or a few more
  computed: tuple[Annotated[int, checks.Range(1, 1_000_000_000_000)], ...] = (
    21_136_125,
    248_008_025,
  )  # zeros, at 1e7 and 1e8
  past: checks.Count = 20_000  # spacings behind, on which adaptive filters are fitted
  refit: checks.Count = 5_000  # spacings from one fit to the next
  orders: Annotated[tuple[checks.Order, ...], checks.Items(1, 64)] = (
    24,
    64,
  )  # of filters fitted on train, and adaptive
  adaptive: checks.Order = 256  # the order of the largest adaptive filter
  kernel: checks.Order = 20  # lags of the best linear predictor of the sine process
  exact: Annotated[int, checks.Range(0, 64)] = 3  # lags of its exact predictor; 0: without
  explicit: tuple[Annotated[int, checks.Range(4, 10_000_000)], ...] = (
    100,
    1_000,
    10_000,
    100_000,
  )  # X of the formula
  errors: Annotated[int, checks.Range(20, 100_000_000)] = (
    5_000  # of the formula, just behind a stretch: their sigma
  )

  def __post_init__(self):
    checks.fields(self)
    largest = max(*self.orders, self.adaptive)
    checks.at_least(self, 2 * largest + 1, "past")
    before = max(self.past, self.errors)
    if min(self.computed, default=before + 1) <= before:
      raise checks.FieldError(
        f"computed={checks.brief(self.computed)}: zeros need {before:,} before them (past, errors)."
      )
