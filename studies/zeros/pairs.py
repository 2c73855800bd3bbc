"""What a run's model predicts, beside the truth and the lags before it."""

from typing import NamedTuple

import numpy as np
from primelens.analyses import regression
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import program, scoring
from primelens.tasks import windows


class Pairs(NamedTuple):
  """Rows by height: Q lags (most recent first), the truth, the model's mean."""

  lag_NxQ: np.ndarray
  truth_N: np.ndarray
  mean_SxN: np.ndarray
  index_N: np.ndarray


def of(run, split: str, samples: int, lags: int) -> Pairs:
  """Returns about `samples` predicted positions of a split, evenly spread."""
  model, evaluation = run.experiment.model, run.settings.evaluation
  context = program.scored_context(model, evaluation.min_context)
  each = run.series.window - context + 1
  there = len(windows.starts(run.series, split, min_context=context))
  count = min(there, -(-samples // each))
  window_NxT1, start_N = run.batches(split, count)
  mean_SxNxU = mixture_lib.mean(scoring.mixtures(run, window_NxT1))
  index_N = scoring.targets(run, start_N).ravel()
  value_N = run.series.value_N.astype(np.float64)
  return Pairs(
    lag_NxQ=regression.lag_matrix(value_N, index_N, lags),
    truth_N=value_N[index_N],
    mean_SxN=np.asarray(mean_SxNxU, np.float64).reshape(len(mean_SxNxU), -1),
    index_N=index_N,
  )


def rows_per_block(run, index_N) -> int:
  """Returns the bootstrap block in rows: `bootstrap.block` spacings or more.

  The rows must leave at least four blocks.
  """
  span = max(1, int(index_N[-1] - index_N[0]))
  rows = int(np.ceil(run.settings.bootstrap.block * len(index_N) / span))
  return int(np.clip(rows, 1, max(1, len(index_N) // 4)))
