"""Measures of every member at every snapshot, some snapshots at a time."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from primelens.studies.addition import network


def found(run) -> np.ndarray:
  """Returns the steps with a snapshot, C, which may be none."""
  return np.array(run.snapshot_steps(), int)


def steps(run) -> np.ndarray:
  """Returns the steps with a snapshot, C; raises `ValueError` for none."""
  step_C = found(run)
  if not step_C.size:
    raise ValueError(f"{run.workdir} has no snapshots; train with fit.snapshot_every=100.")
  return step_C


def over_members(measure: Callable, run, extra_S=None):
  """Returns `measure(model, params, member, token_Nx3, extra)` over training.

  A pytree of numpy arrays SxC... from one vmapped program, called once per
  `snapshot_batch` snapshots, which bounds the memory. `extra_S` is a pytree
  of further data of each member. Raises `ValueError` for a run without
  snapshots.
  """
  model, device = run.experiment.model, jax.devices()[0]
  each = lambda params, member, token_Nx3, extra: measure(model, params, member, token_Nx3, extra)
  over_S = jax.vmap(each, (0, 0, None, 0))
  over_CxS = jax.jit(jax.vmap(over_S, (0, None, None, None)))
  data = (network.members(run.pairs), jnp.asarray(run.pairs.token_Nx3), extra_S)
  data = jax.device_put(data, device)
  chunks = [
    jax.device_get(over_CxS(jax.device_put(params_CxS, device), *data))
    for params_CxS in _chunks(run)
  ]
  return jax.tree.map(lambda *parts: np.concatenate(parts).swapaxes(0, 1), *chunks)


def _chunks(run):
  """Yields the params of `snapshot_batch` snapshots at a time, CxS."""
  size, step_C = run.settings.snapshot_batch, steps(run).tolist()
  for start in range(0, len(step_C), size):
    chunk = [run.snapshot(step) for step in step_C[start : start + size]]
    yield jax.tree.map(lambda *leaves: np.stack(leaves), *chunk)
