"""Spectra of published weights: a record and the singular values of each."""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import threadpoolctl
from primelens.analyses import spectra, spectra_nulls, spectra_report
from primelens.models import weights, weights_matrices
from primelens.tasks import checks, files, patterns

STORED = 512  # singular values kept of a matrix


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Which matrices, and how they are measured; `--set pattern=q_proj`.

  `pattern` is a regular expression found in a tensor's name. `mode`
  "corner_as_published" measures nothing but the 256 x 256 corner of the
  source. The p-values are not below 2 / (draws + 1). The null "shuffled" keeps
  the law of the entries and costs a decomposition a draw, seconds of a large
  matrix; "gaussian" costs next to nothing, and takes heavy tails for structure.
  """

  pattern: Annotated[str, patterns.Pattern()] = ""
  mode: Literal["whole", "corner_as_published"] = "whole"
  draws: checks.Number = 99
  seed: checks.Seed = 0
  levels: bool = True
  symmetry: bool = False
  null: Literal["shuffled", "gaussian"] = "shuffled"

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(frozen=True)
class Result:
  """A record per matrix; `singular_ExK` are its singular values, falling, at
  most 512 of them, evenly spaced by rank, and NaN behind a shorter spectrum.

  `corner` names the matrix whose published corner has the three `corner_`
  numbers: empty and NaN where the source's patterns find none. The other texts
  say how fused matrices were split, which tensors are no matrix, and which
  are the same twice.
  """

  weights: str
  commit: str
  mode: str
  draws: int
  null: str
  tensors: int
  bytes: int
  rules: str
  skipped: str
  duplicates: str
  corner: str
  corner_effective_rank: float
  corner_max_to_mean: float
  corner_ks: float
  matrices: tuple
  singular_ExK: Any


def check(name: str, source: weights.Source, settings: Settings) -> None:
  """Raises `ValueError` saying why weights have no corner as published, where it is asked for."""
  if settings.mode == "whole" or weights_matrices.corner_as_published(source):
    return
  reason = weights_matrices.why_no_corner(source)
  raise ValueError(f"{name} has no corner as published: {reason}.")


def run(
  name: str,
  source: weights.Source,
  plan: weights_matrices.Plan,
  settings: Settings,
  digest_of: dict[str, str],
  advance: Callable[[int, str], None] = lambda count, note: None,
) -> Result:
  """Returns the spectra of the planned matrices, or of the published corner.

  `digest_of` has the sha256 of every tensor; `advance` is told of every matrix
  that is done. Raises `ValueError` for entries that are not finite, or where
  the source's patterns find no corner.
  """
  corner, values = weights_matrices.corner_as_published(source) or ("", None)
  rows = []
  # More threads wait for each other on a busy machine, and help little.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    if settings.mode == "whole":
      for part in plan.parts:
        rows.append(_row(source, part, settings, digest_of, len(plan.parts)))
        advance(1, part.name)
    else:
      check(name, source, settings)
      rows.append(_corner_row(corner, values, settings))
  twice = weights.duplicates(source, digest_of)
  records = [record for record, _ in rows]
  return Result(
    weights=files.shown(name),
    commit=source.commit,
    mode=settings.mode,
    draws=settings.draws,
    null=settings.null,
    tensors=len(source.tensors),
    bytes=source.bytes,
    rules="; ".join(plan.rules),
    skipped=plan.left_out,
    duplicates=files.shown("; ".join(" = ".join(group) for group in twice)),
    corner=files.shown(corner),
    **_corner_numbers(values),
    matrices=tuple(spectra_nulls.corrected(records)),
    singular_ExK=padded([singular_K for _, singular_K in rows]),
  )


def _row(source: weights.Source, part: weights_matrices.Part, settings, digest_of, tests: int):
  tensor = part.tensor
  record = {
    "tensor": files.shown(part.name),
    "role": part.role,
    "layer": part.layer,
    "stored_as": tensor.dtype,
    "file": files.shown(source.name(tensor.path)),
    "sha256": digest_of[tensor.name],
  }
  measured, singular_K = _measured(weights_matrices.read(part), settings, tests)
  return record | measured, singular_K


def _corner_row(name, values, settings):
  record = {"tensor": files.shown(name), "role": "corner", "layer": None}
  measured, singular_K = _measured(values, settings, 1)
  return record | measured, singular_K


def _measured(weight_NxD, settings, tests: int) -> tuple[dict, np.ndarray]:
  """Returns the record and the singular values that are kept."""
  singular_K = spectra_report.singular_values(weight_NxD)
  record = spectra_report.measure(
    weight_NxD,
    singular_K=singular_K,
    draws=settings.draws,
    seed=settings.seed,
    levels=settings.levels,
    symmetry=settings.symmetry,
    null=settings.null,
    tests=tests,
    keep_draws=True,
  )
  return record, spaced(singular_K)


def _corner_numbers(values) -> dict[str, float]:
  """Returns the source's three numbers of its corner; NaN without one."""
  names = ("corner_effective_rank", "corner_max_to_mean", "corner_ks")
  if values is None:
    return dict.fromkeys(names, np.nan)
  singular_K = spectra.singular_values(values)
  found = (
    spectra.effective_rank(singular_K),
    spectra.max_to_mean(singular_K),
    spectra.ks_unit_as_published(singular_K),
  )
  return {name: float(v) for name, v in zip(names, found, strict=True)}


def spaced(singular_K: np.ndarray) -> np.ndarray:
  """Returns at most 512 of the values, evenly spaced, both ends among them."""
  count = min(STORED, len(singular_K))
  at = np.round(np.linspace(0, len(singular_K) - 1, count)).astype(int)
  return singular_K[at]


def padded(rows: list[np.ndarray]) -> np.ndarray:
  """Returns the rows as one array, NaN behind the shorter ones."""
  table_ExK = np.full((len(rows), max(map(len, rows))), np.nan)
  for place_K, row_K in zip(table_ExK, rows, strict=True):
    place_K[: len(row_K)] = row_K
  return table_ExK
