"""Records of the causal tests, and the reported numbers beside ours."""

from collections.abc import Iterator, Mapping

import numpy as np
from primelens.analyses import statistics
from primelens.studies.text import causal_scores as scores
from primelens.studies.text import causal_subspaces as subspaces
from primelens.studies.text import reported

PROBED = {0: 2, 1: 3}  # a variant, and that of its permuted labels
ENOUGH = 19  # draws, for a p-value of 0.05


def by_variant(measured, found, rows, count, kind_R) -> dict[str, np.ndarray]:
  """Returns means over the draws of every variant, SxExV each.

  `measured` are SxExRx3, scored on the first `count` rows. `p` is how often a
  subspace of permuted labels, scaled to move states as far, does as much
  damage, `p_moved` how often one goes as far towards the donor, unscaled.
  """
  taken = {
    "skill": rows.skill(measured["loss"][..., scores.MATCHED], count),
    "skill_unscaled": rows.skill(measured["loss"][..., scores.REMOVED], count),
    "accuracy": measured["accuracy"][..., scores.MATCHED],
    "moved": measured["moved"][..., scores.EXCHANGED],
    "donor_skill": rows.skill(measured["donor_loss"][..., scores.EXCHANGED], count),
    "donor_accuracy": measured["donor_accuracy"][..., scores.EXCHANGED],
    "removed": np.asarray(found.removed_R, float),
    "strength": np.asarray(found.strength_R, float),
  }
  many = range(len(subspaces.VARIANTS))
  means = {
    name: np.stack([x[..., kind_R == v].mean(-1) for v in many], -1) for name, x in taken.items()
  }
  draws_V = np.bincount(kind_R, minlength=len(many))
  rows_V = np.full(len(many), len(rows.target_N[:count]))
  spread = lambda count_V: np.broadcast_to(count_V, means["skill"].shape)
  return means | {
    "p": _against(taken["skill"], kind_R, "less"),
    "p_moved": _against(taken["moved"], kind_R, "greater"),
    "draws": spread(draws_V),
    "rows": spread(rows_V),
  }


def _against(value_SxExR, kind_R, tail) -> np.ndarray:
  """Returns p-values SxExV of the probed variants; NaN for the others, where
  there are less than ENOUGH draws, and where a network never changes."""
  shape = (*value_SxExR.shape[:-1], len(subspaces.VARIANTS))
  p_SxExV = np.full(shape, np.nan)
  for v, null in PROBED.items():
    null_RxSxE = np.moveaxis(value_SxExR[..., kind_R == null], -1, 0)
    known = np.isfinite(value_SxExR[..., v]).all() & np.isfinite(null_RxSxE).all()
    if known and len(null_RxSxE) >= ENOUGH:
      p_SxExV[..., v] = statistics.permutation_p(value_SxExR[..., v], null_RxSxE, tail=tail)
  return p_SxExV


def interventions(by_target: Mapping, levels) -> Iterator[dict]:
  """Yields a record per target, level and variant, over members."""
  for target, found in by_target.items():
    for e, level in enumerate(levels):
      for v, variant in enumerate(subspaces.VARIANTS):
        of = lambda key, e=e, v=v, found=found: found[key][:, e, v]
        row = {
          "target": target,
          "level": level,
          "subspace": variant,
          "rank": found["rank"],
          "draws": int(of("draws")[0]),
          "rows": int(of("rows")[0]),
        }
        for key in ("skill", "moved"):
          row |= _interval(key, of(key))
        for key in (
          "skill_unscaled",
          "accuracy",
          "donor_skill",
          "donor_accuracy",
          "removed",
          "strength",
        ):
          row[key] = float(np.median(of(key)))
        yield row | {key: float(np.max(of(key))) for key in ("p", "p_moved")}


def _interval(name: str, value_S) -> dict[str, float]:
  mean = statistics.seed_interval(value_S)
  return {
    name: float(mean.estimate),
    f"{name}_low": float(mean.low),
    f"{name}_high": float(mean.high),
    f"{name}_min": float(value_S.min()),
    f"{name}_max": float(value_S.max()),
  }


def table(run, numbers: Mapping, old: Mapping) -> tuple[dict, ...]:
  """Returns the reported numbers beside ours, of published prompts alone."""
  task = run.experiment.task
  if (task.layout, task.operands) != ("published", 1000):
    return ()
  found = {f"{task.question}_{key}": value_S for key, value_S in old.items()}
  known = {key: value_S for key, value_S in found.items() if key in numbers}
  return reported.rows(run, numbers, known)
