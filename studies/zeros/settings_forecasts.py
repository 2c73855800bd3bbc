"""Settings of rollouts, calibration and the golden batch."""

import dataclasses
from typing import Annotated

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Rollout:
  """Predictions fed back."""

  starts: checks.Several = 100
  horizon: checks.Number = 200
  draws: checks.Several = 8  # sampled futures of each start
  rows: checks.Several = 100  # of the published protocols
  growing: tuple[Annotated[int, checks.Range(1, 255)], ...] = (
    10,
    25,
    50,
    100,
  )  # published, context = horizon
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Calibration:
  """PIT, intervals and conformal prediction; the golden batch."""

  samples: checks.Several = 10_000  # scored spacings
  crps_draws: checks.Several = 100  # as published
  quantile_draws: checks.Several = 1000  # as published
  alpha: checks.Inside = 0.1
  golden: checks.Number = 640  # 10 batches of 64 windows
  seed: checks.Seed = 42  # of the draws and of the split in halves

  def __post_init__(self):
    checks.fields(self)
