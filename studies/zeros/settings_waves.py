"""Settings of the analyses of prime waves."""

import dataclasses

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class PrimeWaves:
  """Waves of primes in a network's predictions and in its parts."""

  spacings: int = 20_000  # scored, one after another, from the start of test
  limit: int = 3_000  # primes below
  draws: int = 40  # sets of frequencies beside the primes
  part_spacings: int = 4_000  # read without each head and in layers
  contexts: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128, 256, 512)
  context_windows: int = 8_000  # a spacing apart; as many per context
  orders: tuple[int, ...] = (3, 24, 64)  # of filters fitted on train
  explicit: tuple[int, ...] = (100, 1_000, 10_000)  # X of the formula
  response_windows: int = 256  # whose derivatives make the response
  response_limit: int = 100  # prime powers up to
  planted: int = 20  # composites with a wave, the positive control
  symbolic: bool = True  # search for the law of the amplitudes
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 10, "spacings", "part_spacings", "limit")
    checks.at_least(self, 20, "draws")  # fewer have no p below 0.05
    checks.at_least(self, 1, "response_windows")
    checks.at_least(self, 4, "response_limit")
    checks.at_least(self, 0, "context_windows", "planted")
    if self.context_windows == 1:
      raise ValueError("prime_waves.context_windows=1 must be 0, or 2 or more.")
    if not self.orders or min(self.orders) < 1:
      raise ValueError(f"prime_waves.orders={self.orders} must be at least 1.")
    if min(self.explicit, default=4) < 4:
      raise ValueError(f"prime_waves.explicit={self.explicit} must reach 4.")


@dataclasses.dataclass(kw_only=True)
class Yardstick:
  """How predictable the next zero is, by height."""

  stretches: int = 6  # of the run's sequence, evenly spread in ln(height)
  spacings: int = 5_000  # scored in each, or a few more
  computed: tuple[int, ...] = (21_136_125, 248_008_025)  # zeros, at 1e7 and 1e8
  past: int = 20_000  # spacings behind, on which adaptive filters are fitted
  refit: int = 5_000  # spacings from one fit to the next
  orders: tuple[int, ...] = (24, 64)  # of filters fitted on train, and adaptive
  adaptive: int = 256  # the order of the largest adaptive filter
  kernel: int = 20  # lags of the best linear predictor of the sine process
  exact: int = 3  # lags of its exact predictor; 0: without
  explicit: tuple[int, ...] = (100, 1_000, 10_000, 100_000)  # X of the formula
  errors: int = 5_000  # of the formula, just behind a stretch: their sigma

  def __post_init__(self):
    checks.at_least(self, 0, "stretches", "exact")
    checks.at_least(self, 1, "adaptive", "kernel", "refit")
    checks.at_least(self, 20, "spacings", "errors")
    if not self.orders or min(self.orders) < 1:
      raise ValueError(f"yardstick.orders={self.orders} must be at least 1.")
    if min(self.explicit, default=4) < 4:
      raise ValueError(f"yardstick.explicit={self.explicit} must reach 4.")
    largest = max(*self.orders, self.adaptive)
    checks.at_least(self, 2 * largest + 1, "past")
    before = max(self.past, self.errors)
    if min(self.computed, default=before + 1) <= before:
      raise ValueError(
        f"yardstick.computed={self.computed}: zeros need {before:,} before them (past, errors)."
      )
