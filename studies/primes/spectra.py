"""Analysis `spectra` of networks on gaps."""

import numpy as np
from primelens.studies import spectra
from primelens.studies.primes import memory

DEAD = ("query", "key")  # without effect where there is one key


def run(run) -> spectra.Result:
  """Returns the spectra of a run beside its errors, trained and held out."""
  one_token = not run.experiment.task.context
  task = run.experiment.task
  return spectra.read(
    run,
    dead=DEAD if one_token else (),
    scores=_scores,
    population=f"{task.sequence}, {task.primes:,} primes",
  )


def _scores(run, step_C: np.ndarray) -> spectra.Scores:
  found = memory.curves(run)
  return spectra.Scores(
    train_SxC=found["trained_SxC"], test_SxC=found["held_SxC"], unit="squared error, z-scores"
  )
