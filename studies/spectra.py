"""Analysis `spectra`: every weight matrix, its nulls, and its way in training.

One reading for all studies whose networks are read so: at the end each matrix
of each member beside noise of its shape and scale and beside its own start;
over the snapshots the same numbers beside the losses. Source: primes spec, 4,
6.3 to 6.5, 7.3 and 7.4.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import threadpoolctl
from primelens.analyses import clusters, spacings, spectra, spectra_nulls, spectra_report
from primelens.studies import matrices

SYMMETRY = "query"  # the role whose rows the source clusters
KEPT = 256  # singular values of a matrix that are stored, evenly spaced
CURVES: dict[str, Callable] = spectra_nulls.METRICS | {
  "ks_unit_as_published": lambda s, shape: spectra.ks_unit_as_published(s)
}


class Scores(NamedTuple):
  """What the networks are worth at the snapshots, SxC; NaN where unknown."""

  train_SxC: np.ndarray
  test_SxC: np.ndarray
  unit: str  # "accuracy", say


@dataclasses.dataclass(frozen=True)
class Result:
  """Spectra of a population.

  `record` has, for every matrix of every member, the keys of
  `spectra_report.measure`, with `live` false where the matrix has no effect by
  construction, and every p-value corrected over all of them, `<metric>_p_any`
  (any false finding) and `<metric>_p_bh` (their rate, which one finding among
  V matrices reaches with `spectra_nulls.needed(V)` draws). `published` are the
  source's own numbers of the first layer's queries, at the end and at the
  start. `matrix` describes the rows E of the curves: `curve_VxSxCxE` of the
  metrics V of `curves`, `distance_SxCxE` from the start, `null_VxE` noise of
  the same shape. `singular_SxExK` and `start_singular_SxExK` are falling, NaN
  beyond the last. `population` says what the members have in common.
  """

  record: tuple[dict, ...]
  published: tuple[dict, ...]
  matrix: tuple[dict, ...]
  curves: tuple[dict, ...]
  step_C: np.ndarray
  curve_VxSxCxE: np.ndarray
  distance_SxCxE: np.ndarray
  null_VxE: np.ndarray
  train_SxC: np.ndarray
  test_SxC: np.ndarray
  score: str
  singular_SxExK: np.ndarray
  start_singular_SxExK: np.ndarray
  population: str


def read(run, *, dead: tuple[str, ...], scores: Callable, population: str) -> Result:
  """Returns the spectra of a run.

  `dead` are the roles without effect; `scores(run, step_C)` gives the `Scores`
  at the snapshots; `population` is that of the result.
  """
  draws, seed = run.settings.draws, run.settings.seed
  start, end = matrices.of(run.untrained_S()), matrices.of(run.params_S)
  singular = [_singular(matrix) for matrix in end]
  records = []
  for matrix, before, known in zip(end, start, singular, strict=True):
    live = matrix.role not in dead
    tests = len(end) * len(matrix.weight_SxNxD)
    records += _records(matrix, before, known, live, draws, seed, tests)
  step_C = np.array(run.snapshot_steps(), int)
  score = scores(run, step_C)
  return Result(
    record=tuple(spectra_nulls.corrected(records)),
    published=tuple(as_published(start, "start") + as_published(end, "end")),
    matrix=tuple(_about(matrix) | {"live": matrix.role not in dead} for matrix in end),
    curves=tuple({"name": name} for name in CURVES),
    step_C=step_C,
    null_VxE=_nulls(end, draws, seed),
    train_SxC=score.train_SxC,
    test_SxC=score.test_SxC,
    score=score.unit,
    singular_SxExK=_stored(singular),
    start_singular_SxExK=_stored([_singular(matrix) for matrix in start]),
    population=population,
    **_over_snapshots(run, start, step_C.tolist()),
  )


def _about(matrix: matrices.Matrix) -> dict:
  rows, columns = matrix.weight_SxNxD.shape[1:]
  return {
    "matrix": matrix.name,
    "role": matrix.role,
    "layer": matrix.layer,
    "rows": rows,
    "columns": columns,
  }


def _records(
  matrix, before, singular_SxK, live: bool, draws: int, seed: int, tests: int
) -> list[dict]:
  """Returns the record of one matrix of every member, of so many in all."""
  found = []
  pairs = zip(matrix.weight_SxNxD, before.weight_SxNxD, strict=True)
  for member, (weight_NxD, start_NxD) in enumerate(pairs):
    measured = spectra_report.measure(
      weight_NxD,
      start=start_NxD,
      singular_K=singular_SxK[member],
      draws=draws,
      seed=seed,
      symmetry=matrix.role == SYMMETRY,
      tests=tests,
      keep_draws=True,
    )
    found.append(_about(matrix) | {"member": member, "live": live} | measured)
  return found


def as_published(found: list[matrices.Matrix], when: str) -> list[dict]:
  """Returns the source's numbers of every member's first query matrix.

  Its corner of 256 x 256: effective rank, largest over mean, distance from one
  unit-variance matrix; two clusters of its rows; distances of the spacings of
  its symmetric part. Spec 4.1, 4.4, 7.3.
  """
  first = next(m for m in found if (m.role, m.layer) == (SYMMETRY, 0))
  records = []
  for member, weight_NxD in enumerate(first.weight_SxNxD):
    corner_NxN = spectra.corner(weight_NxD)
    singular_K = spectra.singular_values(corner_NxN)
    spacing_N = spacings.central_spacings_as_published(corner_NxN)
    levels = spacings.distances_as_published(spacing_N)
    symmetry = clusters.symmetry(weight_NxD)
    records.append(
      {
        "when": when,
        "member": member,
        "effective_rank": float(spectra.effective_rank(singular_K)),
        "max_to_mean": float(spectra.max_to_mean(singular_K)),
        "ks": float(spectra.ks_unit_as_published(singular_K)),
        "inter_cluster": symmetry.inter,
        "balance": symmetry.balance,
        "quality": symmetry.quality,
        "goe_distance": spacings.goe_distance_as_published(spacing_N),
        "ks_goe": levels.goe,
        "ks_poisson": levels.poisson,
      }
    )
  return records


def _nulls(found, draws: int, seed: int) -> np.ndarray:
  """Returns the mean of every curve's metric over noise, VxE."""
  of_shape = {}
  for matrix in found:
    shape = matrix.weight_SxNxD.shape[1:]
    if shape not in of_shape:
      null_RxK = spectra_nulls.singular_null(shape, draws=draws, seed=seed)
      # The published distance is not free of scale, and has no null here.
      of_shape[shape] = [
        np.nan if "published" in name else np.mean(metric(null_RxK, shape))
        for name, metric in CURVES.items()
      ]
  return np.array([of_shape[m.weight_SxNxD.shape[1:]] for m in found]).T


def _singular(matrix: matrices.Matrix) -> np.ndarray:
  """Returns the singular values of every member, SxK."""
  # Threads wait for each other on matrices as small as these.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    each = [spectra_report.singular_values(w) for w in matrix.weight_SxNxD]
  return np.stack(each)


def _stored(each: list[np.ndarray]) -> np.ndarray:
  """Returns up to KEPT singular values of every matrix, SxExK."""
  length = min(KEPT, max(s.shape[1] for s in each))
  stored = np.full((len(each[0]), len(each), length), np.nan)
  for e, singular_SxK in enumerate(each):
    count = singular_SxK.shape[1]
    at_K = np.linspace(0, count - 1, min(count, length)).round().astype(int)
    stored[:, e, : len(at_K)] = singular_SxK[:, at_K]
  return stored


def _over_snapshots(run, start, steps: list[int]) -> dict[str, np.ndarray]:
  """Returns every curve at every snapshot."""
  seeds = run.experiment.fit.seeds
  shape = (seeds, len(steps), len(start))
  curve_VxSxCxE = np.full((len(CURVES), *shape), np.nan)
  distance_SxCxE = np.full(shape, np.nan)
  for c, found in enumerate(_snapshots(run, steps)):
    for e, (matrix, before) in enumerate(zip(found, start, strict=True)):
      singular_SxK = _singular(matrix)
      size = matrix.weight_SxNxD.shape[1:]
      for v, metric in enumerate(CURVES.values()):
        curve_VxSxCxE[v, :, c, e] = metric(singular_SxK, size)
      pairs = zip(matrix.weight_SxNxD, before.weight_SxNxD, strict=True)
      distance_SxCxE[:, c, e] = [spectra.distance(w, w0) for w, w0 in pairs]
  return {"curve_VxSxCxE": curve_VxSxCxE, "distance_SxCxE": distance_SxCxE}


def _snapshots(run, steps: list[int]) -> Iterator[list[matrices.Matrix]]:
  """Yields the matrices of one snapshot after another."""
  for step in steps:
    yield matrices.of(run.snapshot(step))
