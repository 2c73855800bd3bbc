"""Settings of the analyses of spacings and operators that read no network."""

import dataclasses
from typing import Annotated

from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class FormFactor:
  """Form factors and number variances of the spacings themselves."""

  block: Annotated[int, checks.Range(8, 10_000_000)] = 512  # spacings; tau is resolved to 2 / block
  tau_step: Annotated[float, checks.Range(1e-6, 0.125)] = 1 / 128
  lengths: tuple[Annotated[float, checks.Range(0, 1e7, "(]")], ...] = (
    0.25,
    0.5,
    1,
    2,
    4,
    8,
    16,
    32,
    64,
  )
  draws: checks.Several = 8  # shuffles and jitters
  offsets: checks.Several = 32  # of the published grid, each with its own jitter
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    if max(self.lengths, default=0) > self.block / 4:
      raise checks.FieldError(
        f"lengths={checks.brief(self.lengths)} must be at most {self.block / 4:g}, a quarter of"
        " a block."
      )


@dataclasses.dataclass(kw_only=True)
class Operators:
  """Matrices made of a kernel, and draws of the sine process."""

  size: Annotated[int, checks.Range(40, 20_000)] = 1000  # of the matrices, as published
  draws: checks.Several = 8  # of the disorder and of the ensembles
  disorders: Annotated[
    tuple[Annotated[float, checks.Range(0, 1e6, "(]")], ...], checks.Items(1, 100)
  ] = (1.0, 0.1, 0.01)  # published: 1
  samples: checks.Several = 60  # of the sine process
  sites: Annotated[int, checks.Range(16, 20_000)] = 2048
  density: Annotated[float, checks.Range(0, 0.5, "(]")] = 1 / 16  # points to a site
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    if self.density * self.sites < 8:
      raise checks.FieldError(
        f"density={self.density} must give 8 points on sites={self.sites}, or more."
      )
