"""Analysis `progress`: measures of the mechanism at every checkpoint.

Modular addition: B22-B23, B25, B27-B30. Plain addition: its own transition,
which the source never looked at (A63).
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.studies.addition import phases, snapshots, tables
from primelens.studies.addition import progress_measures as measures


@dataclasses.dataclass(frozen=True)
class Result:
  """Curves over training of every member.

  `curves` names the rows V of `curve_VxSxC`; `step_C` are the snapshots'
  steps (the source's epochs are one less). `phases` has a record per
  boundary (`phases.boundaries`) and `boundary_ExS` its step by member, NaN
  where a member never gets there. `key_SxQ` marks the key frequencies and
  `similarity_SxCxQ` is the cosine similarity of the logits with each cosine
  cube (no frequencies: empty, for plain addition). `uniform_nll` is ln C, the
  loss of a guess; `population` is that of `tables.population`.
  """

  curves: tuple[dict, ...]
  phases: tuple[dict, ...]
  step_C: np.ndarray
  curve_VxSxC: np.ndarray
  boundary_ExS: np.ndarray
  key_SxQ: np.ndarray
  similarity_SxCxQ: np.ndarray
  uniform_nll: float
  modular: bool
  population: str


def run(run) -> Result:
  """Returns the curves; raises `ValueError` for a run without snapshots."""
  step_C = snapshots.steps(run)
  task = run.experiment.task
  waves = task.modular and task.digits % 2 == 1
  curves = measures.LOSSES | (measures.MODULAR if waves else measures.PLAIN)
  key_SxQ = _keys(run, waves)
  measure = measures.modular if waves else measures.plain
  found = snapshots.over_members(measure, run, key_SxQ)
  uniform = float(np.log(task.classes))
  records, boundary_ExS = phases.boundaries(step_C, found, uniform)
  # Plain addition has no frequencies.
  without_SxCx0 = np.zeros((len(key_SxQ), len(step_C), 0))
  return Result(
    curves=tuple({"name": k, **v._asdict()} for k, v in curves.items()),
    phases=records,
    step_C=step_C,
    curve_VxSxC=np.stack([found[name] for name in curves]),
    boundary_ExS=boundary_ExS,
    key_SxQ=np.asarray(key_SxQ),
    similarity_SxCxQ=found.get("similarity_Q", without_SxCx0),
    uniform_nll=uniform,
    modular=waves,
    population=tables.population(run),
  )


def _keys(run, waves: bool):
  """Returns the key frequencies of the last networks; none without waves."""
  if not waves:
    return jnp.zeros((len(run.pairs.label_SxN), 0), bool)
  threshold = run.settings.key_threshold
  find = functools.partial(measures.key_frequencies, threshold=threshold)
  return jax.vmap(find)(run.params_S)
