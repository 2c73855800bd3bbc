"""Settings of rollouts, calibration and the golden batch."""

import dataclasses

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Rollout:
  """Predictions fed back."""

  starts: int = 100
  horizon: int = 200
  draws: int = 8  # sampled futures of each start
  rows: int = 100  # of the published protocols
  growing: tuple[int, ...] = (10, 25, 50, 100)  # published, context = horizon
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 1, "horizon")
    checks.at_least(self, 2, "starts", "draws", "rows")
    if not all(1 <= horizon < 256 for horizon in self.growing):
      raise ValueError(f"rollout.growing={self.growing} must lie in 1..255, inside a row.")


@dataclasses.dataclass(kw_only=True)
class Calibration:
  """PIT, intervals and conformal prediction; the golden batch."""

  samples: int = 10_000  # scored spacings
  crps_draws: int = 100  # as published
  quantile_draws: int = 1000  # as published
  alpha: float = 0.1
  golden: int = 640  # 10 batches of 64 windows
  seed: int = 42  # of the draws and of the split in halves

  def __post_init__(self):
    checks.at_least(self, 1, "golden")
    checks.at_least(self, 2, "samples", "crps_draws", "quantile_draws")
    if not 0 < self.alpha < 1:
      raise ValueError(f"calibration.alpha={self.alpha} must lie in 0..1.")
