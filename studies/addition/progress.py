"""Analysis `progress`: measures of the mechanism at every checkpoint.

Modular addition: B22-B23, B25, B27-B30. Plain addition: its own transition,
which the source never looked at (A63).
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import checkpoints
from primelens.studies.addition import network
from primelens.studies.addition import phases
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
  loss of a guess.
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


def run(run) -> Result:
  """Returns the curves; raises `ValueError` for a run without snapshots."""
  folder = run.workdir / "snapshots"
  step_C = checkpoints.snapshot_steps(folder)
  if not step_C:
    raise ValueError(
      f"{run.workdir} has no snapshots; train with fit.snapshot_every=100."
    )
  task = run.experiment.task
  waves = task.modular and task.digits % 2 == 1
  curves = measures.LOSSES | (measures.MODULAR if waves else measures.PLAIN)
  key_SxQ, found = _measured(run, folder, step_C, waves)
  uniform = float(np.log(task.classes))
  records, boundary_ExS = phases.boundaries(np.array(step_C), found, uniform)
  return Result(
    curves=tuple({"name": k, **v._asdict()} for k, v in curves.items()),
    phases=records,
    step_C=np.array(step_C),
    curve_VxSxC=np.stack([found[name] for name in curves]),
    boundary_ExS=boundary_ExS,
    key_SxQ=key_SxQ,
    similarity_SxCxQ=found.get(
      "similarity_Q", np.zeros((len(key_SxQ), len(step_C), 0))
    ),
    uniform_nll=uniform,
    modular=waves,
  )


def _measured(run, folder, step_C, waves: bool):
  """Returns the key frequencies SxQ and all measures, SxC."""
  member_S = network.members(run.pairs)
  seeds = len(member_S.label_N)
  model, device = run.experiment.model, jax.devices()[0]
  params_S = jax.device_put(run.params_S, device)
  if waves:
    threshold = run.settings.key_threshold
    find = functools.partial(measures.key_frequencies, threshold=threshold)
    key_SxQ = jax.vmap(find)(params_S)
  else:
    key_SxQ = jnp.zeros((seeds, 0), bool)
  measure = measures.modular if waves else measures.plain
  over_S = jax.vmap(functools.partial(measure, model), (0, 0, None, 0))
  over_CxS = jax.jit(jax.vmap(over_S, (0, None, None, None)))
  rest = (member_S, jnp.asarray(run.pairs.token_Nx3), key_SxQ)
  chunks = []
  for params_CxS in _snapshots(folder, step_C, run):
    found = over_CxS(jax.device_put(params_CxS, device), *rest)
    chunks.append(jax.device_get(found))
  stacked = jax.tree.map(lambda *parts: np.concatenate(parts), *chunks)
  by_seed = {k: np.swapaxes(v, 0, 1) for k, v in stacked.items()}
  return np.asarray(key_SxQ), by_seed


def _snapshots(folder, step_C, run):
  """Yields the params of `snapshot_batch` snapshots at a time, CxS."""
  size = run.settings.snapshot_batch
  for start in range(0, len(step_C), size):
    chunk = [
      checkpoints.read_snapshot(folder, step, run.params_S)
      for step in step_C[start : start + size]
    ]
    yield jax.tree.map(lambda *leaves: np.stack(leaves), *chunk)
