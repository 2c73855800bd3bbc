"""Settings of the analyses of the zeros study that train again."""

import dataclasses

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Pruned:
  """Heads, layers and weights removed, and training again."""

  kept: tuple[float, ...] = (13 / 48, 0.5)  # shares of the heads
  ratio: float = 0.4  # of the weights removed, beside the best on select
  draws: int = 2  # random choices of the same size
  steps: int = 100
  batch_size: int = 0  # windows of a step; 0: the run's own
  rate: float = 0.0  # peak of the run's own schedule; 0: its own peak
  windows: int = 256
  arms_at_once: int = 1  # of all seeds, in memory
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 1, "draws", "steps", "arms_at_once")
    if not all(0 <= share <= 1 for share in (*self.kept, self.ratio)):
      raise ValueError(f"pruned.kept={self.kept} and ratio={self.ratio} must lie in 0..1.")


@dataclasses.dataclass(kw_only=True)
class Curriculum:
  """Students of a teacher whose mask is lifted while they learn."""

  ratio: float = 0.8  # of the teacher's weights removed at the first step
  alpha: float = 0.5  # weight of the NLL; the rest is the KL from the teacher
  shrink: int = 2  # how many times smaller the student transformer is
  taps: int = 64  # lags of the MLP and of the Toeplitz filter
  hidden: int = 64  # of the MLP
  nodes: int = 64  # of the quadrature on [0, 5]
  steps: int = 100
  batch_size: int = 0  # windows of a step; 0: the run's own
  rate: float = 0.0  # peak of the run's own schedule; 0: its own peak
  windows: int = 256
  arms_at_once: int = 1  # of all seeds, in memory
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 1, "shrink", "taps", "hidden", "nodes", "steps")
    checks.at_least(self, 1, "arms_at_once")
    if not (0 <= self.ratio <= 1 and 0 <= self.alpha <= 1):
      raise ValueError(f"curriculum.ratio={self.ratio} and alpha={self.alpha} must lie in 0..1.")
