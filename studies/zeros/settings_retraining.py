"""Settings of the analyses of the zeros study that train again."""

import dataclasses
from typing import Annotated

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Pruned:
  """Heads, layers and weights removed, and training again."""

  kept: Annotated[tuple[checks.Share, ...], checks.Items(0, 1_000)] = (
    13 / 48,
    0.5,
  )  # shares of the heads
  ratio: checks.Share = 0.4  # of the weights removed, beside the best on select
  draws: Annotated[int, checks.Range(1, 1_000)] = 2  # random choices of the same size
  steps: Annotated[int, checks.Range(1, 1_000_000_000)] = 100
  batch_size: Annotated[int, checks.Range(0, 10_000_000)] = 0  # windows of a step; 0: the run's own
  rate: checks.Rate = 0.0  # peak of the run's own schedule; 0: its own peak
  windows: checks.Count = 256
  arms_at_once: checks.Number = 1  # of all seeds, in memory
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Curriculum:
  """Students of a teacher whose mask is lifted while they learn."""

  ratio: checks.Share = 0.8  # of the teacher's weights removed at the first step
  alpha: checks.Share = 0.5  # weight of the NLL; the rest is the KL from the teacher
  shrink: checks.Order = 2  # how many times smaller the student transformer is
  taps: checks.Order = 64  # lags of the MLP and of the Toeplitz filter
  hidden: checks.Number = 64  # of the MLP
  nodes: checks.Number = 64  # of the quadrature on [0, 5]
  steps: Annotated[int, checks.Range(1, 1_000_000_000)] = 100
  batch_size: Annotated[int, checks.Range(0, 10_000_000)] = 0  # windows of a step; 0: the run's own
  rate: checks.Rate = 0.0  # peak of the run's own schedule; 0: its own peak
  windows: checks.Count = 256
  arms_at_once: checks.Number = 1  # of all seeds, in memory
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
