"""Settings of the analyses of spacings and operators that read no network."""

import dataclasses

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class FormFactor:
  """Form factors and number variances of the spacings themselves."""

  block: int = 512  # spacings; tau is resolved to 2 / block
  tau_step: float = 1 / 128
  lengths: tuple[float, ...] = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)
  draws: int = 8  # shuffles and jitters
  offsets: int = 32  # of the published grid, each with its own jitter
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 8, "block")
    checks.at_least(self, 2, "draws", "offsets")
    if not 0 < self.tau_step <= 0.125:
      raise ValueError(f"form_factor.tau_step={self.tau_step} must lie in 0..0.125.")
    if not all(0 < length <= self.block / 4 for length in self.lengths):
      raise ValueError(
        f"form_factor.lengths={self.lengths} must lie in 0..{self.block / 4:g},"
        " a quarter of a block."
      )


@dataclasses.dataclass(kw_only=True)
class Operators:
  """Matrices made of a kernel, and draws of the sine process."""

  size: int = 1000  # of the matrices, as published
  draws: int = 8  # of the disorder and of the ensembles
  disorders: tuple[float, ...] = (1.0, 0.1, 0.01)  # published: 1
  samples: int = 60  # of the sine process
  sites: int = 2048
  density: float = 1 / 16  # points to a site
  seed: int = 0

  def __post_init__(self):
    checks.at_least(self, 40, "size")
    checks.at_least(self, 2, "draws", "samples")
    if not self.disorders or min(self.disorders) <= 0:
      raise ValueError(f"operators.disorders={self.disorders} must be above 0, one or more.")
    if not (0 < self.density <= 0.5 and self.density * self.sites >= 8):
      raise ValueError(
        f"operators.density={self.density} must lie in 0..0.5 and give 8 "
        f"points on {self.sites} sites, or more."
      )
