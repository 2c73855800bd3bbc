"""Runs in which seeds stopped: their only checkpoint is replaced."""

import shutil
from pathlib import Path

import jax
import numpy as np
from primelens import tasks
from primelens.lens import runs, study
from primelens.models import checkpoints

STEP = 7  # at which a seed is made to have stopped


def built(workdir: Path):
  """Returns a run's experiment, its program and the program's data."""
  experiment = runs.read_experiment(workdir)
  build = study.find(experiment.study).build
  return experiment, *build(experiment, tasks.load(experiment.task))[:2]


def frozen(state_S, rows):
  """Returns the state with seeds that stopped at STEP."""
  step_S = np.full(len(state_S.frozen_step), -1, np.int32)
  step_S[list(rows)] = STEP
  return state_S._replace(frozen_step=jax.numpy.asarray(step_S))


def replace_state(workdir: Path, step: int, state_S) -> None:
  """Makes a state the only checkpoint of a run."""
  shutil.rmtree(workdir / "checkpoints", ignore_errors=True)
  saved = checkpoints.Checkpoints(workdir / "checkpoints")
  saved.save(step, state_S)
  saved.close()
