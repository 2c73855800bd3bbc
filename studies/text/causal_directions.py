"""Single directions of the final states: one by one, and by penalty.

How the sum's direction is fitted decides what its removal does: the penalty
and the features' scale turn it. LEACE's eraser does not depend on them.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from primelens.analyses import erasure, ridge, statistics
from primelens.studies.text import causal_scores as scores
from primelens.studies.text.causal_rows import Rows

COUNT = 15  # directions removed one by one
NULLS = 3  # permutations removed one by one
LADDERS = ("ridge", "ridge, standardised", "leace")


def iterated(run, rows: Rows) -> dict[str, np.ndarray]:
  """Returns R2 of a new probe on test rows and the skill of the own readout,
  SxR, after 0..COUNT directions of the sum; `null` with permuted ones."""
  y_Nx1 = rows.feature_NxF["sum"]
  fit = erasure.moments(rows.fit_SxNxExD[:, :, -1], y_Nx1)
  test = erasure.moments(rows.test_SxNxExD[:, :, -1], rows.sum_Nx1)
  rng, null = np.random.default_rng(run.settings.seed), []
  for _ in range(NULLS):
    y_Nx1 = rng.permutation(y_Nx1)
    wrong = erasure.moments(rows.fit_SxNxExD[:, :, -1], y_Nx1)
    null.append(_reread(fit, test, _first(wrong)))
  basis_SxRxDxK = _first(fit)
  found = scores.over(
    scores.by_readout,
    rows.bundle(basis_SxRxDxK, basis_SxRxDxK),
    np.arange(COUNT + 1),
    rows.target_N,
  )
  return {
    "r2": _reread(fit, test, basis_SxRxDxK),
    "null": np.mean(null, 0),
    "skill": rows.skill(found["loss"][..., scores.REMOVED]),
  }


def _first(moments: erasure.Moments) -> np.ndarray:
  """Returns the first 0..COUNT directions, the others zero, SxRxDxK."""
  direction_SxKxD = erasure.null_space(moments, COUNT)
  basis_Sx1xDxK = np.swapaxes(direction_SxKxD, -1, -2)[:, None]
  kept_RxK = np.tri(COUNT + 1, COUNT, -1)
  return basis_Sx1xDxK * kept_RxK[:, None]


def _reread(fit, test, basis_SxRxDxK) -> np.ndarray:
  """Returns R2 on the test rows of probes fitted to what is left, SxR."""
  wide = lambda moments: erasure.Moments(
    moments.rows, *(np.asarray(x)[:, None] for x in moments[1:])
  )
  fit, test = wide(fit), wide(test)
  eraser = erasure.Eraser(fit.mean_D, basis_SxRxDxK, basis_SxRxDxK)
  fit, test = erasure.without(fit, eraser), erasure.without(test, eraser)
  kernel_DxF = erasure.ridge(fit)
  return erasure.r2(test, kernel_DxF, erasure.intercept(fit, kernel_DxF))[..., 0]


def ladder(run, rows: Rows) -> dict[str, dict]:
  """Returns single directions by name, what they are and what goes with them:
  the sum's with every penalty, the first component, the readout's."""
  fit = erasure.moments(rows.fit_SxNxExD[:, :, -1], rows.feature_NxF["sum"])
  named = lines(fit)
  if run.regression:
    named["readout"] = _orthogonal(rows.head_SxDxV.astype(float))
  read_SxRxDx1, write_SxRxDx1 = (
    np.stack([pair[i] for pair in named.values()], 1) for i in range(2)
  )
  measured = scores.over(
    scores.by_readout,
    rows.bundle(read_SxRxDx1, write_SxRxDx1),
    np.arange(len(named)),
    rows.target_N,
  )
  total_S = np.trace(fit.gram_DxD, axis1=-2, axis2=-1)
  head_SxDxV = rows.head_SxDxV if run.regression else None
  found = {}
  for r, (name, (read_SxDx1, write_SxDx1)) in enumerate(named.items()):
    inside_S = _square(read_SxDx1, fit.gram_DxD)
    found[name] = {
      "removed": inside_S * np.sum(write_SxDx1**2, (1, 2)) / total_S,
      "cosine": _cosine(read_SxDx1, head_SxDxV),
      "skill": rows.skill(measured["loss"][:, r, scores.REMOVED]),
      "accuracy": measured["accuracy"][:, r, scores.REMOVED],
      "moved": measured["moved"][:, r, scores.EXCHANGED],
    }
  return found


def lines(fit: erasure.Moments) -> dict[str, tuple]:
  """Returns read and write SxDx1 of every direction, by name.

  The ridge's with every penalty, also of standardised states and mapped back
  to raw ones, and the oblique eraser with the ridge's metric; and the first
  component.
  """
  deviation_SxD = np.sqrt(np.diagonal(fit.gram_DxD, axis1=-2, axis2=-1) / fit.rows)
  scale_SxD = np.where(deviation_SxD > 1e-9, deviation_SxD, 1)
  standard = fit._replace(
    gram_DxD=fit.gram_DxD / (scale_SxD[:, None] * scale_SxD[..., None]),
    cross_DxF=fit.cross_DxF / scale_SxD[..., None],
  )
  found = {}
  for alpha in ridge.ALPHAS_R:
    kernel_SxDx1 = erasure.ridge(fit, alpha)
    mapped_SxDx1 = erasure.ridge(standard, alpha) / scale_SxD[..., None]
    size_Sx1x1 = np.sum(fit.cross_DxF * kernel_SxDx1, (1, 2), keepdims=True)
    oblique = (kernel_SxDx1 / np.maximum(size_Sx1x1, 1e-30), fit.cross_DxF)
    pairs = (_orthogonal(kernel_SxDx1), _orthogonal(mapped_SxDx1), oblique)
    for name, pair in zip(LADDERS, pairs, strict=True):
      found[named(name, alpha)] = pair
  _, vector_SxDxD = np.linalg.eigh(fit.gram_DxD)
  return found | {"first component": _orthogonal(vector_SxDxD[..., -1:])}


def named(ladder: str, alpha: float) -> str:
  """Returns the name of a ladder's direction with one penalty."""
  return f"{ladder}, alpha {alpha:g}"


def _orthogonal(direction_SxDx1) -> tuple:
  size_Sx1x1 = np.linalg.norm(direction_SxDx1, axis=1, keepdims=True)
  unit_SxDx1 = direction_SxDx1 / np.where(size_Sx1x1 > 0, size_Sx1x1, 1)
  return unit_SxDx1, unit_SxDx1


def _square(read_SxDx1, gram_SxDxD) -> np.ndarray:
  return np.sum(read_SxDx1 * (gram_SxDxD @ read_SxDx1), (1, 2))


def _cosine(read_SxDx1, head_SxDxV) -> np.ndarray:
  """Returns the cosine of a direction and the readout; NaN without one."""
  if head_SxDxV is None:
    return np.full(len(read_SxDx1), np.nan)
  unit, _ = _orthogonal(read_SxDx1)
  other, _ = _orthogonal(head_SxDxV.astype(float))
  return np.sum(unit * other, (1, 2))


def records(found: Mapping[str, Mapping]) -> Iterator[dict]:
  """Yields a record per direction: medians, the skill with its interval."""
  for name, one in found.items():
    mean = statistics.seed_interval(one["skill"])
    yield {
      "direction": name,
      "skill": float(mean.estimate),
      "skill_low": float(mean.low),
      "skill_high": float(mean.high),
      "skill_min": float(one["skill"].min()),
      "skill_max": float(one["skill"].max()),
      **{key: float(np.median(one[key])) for key in ("accuracy", "removed", "cosine", "moved")},
    }
