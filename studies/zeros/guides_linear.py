"""Anchors of a guided network: linear predictors of the guides it is told.

What a network makes of its guides is worth what it adds to least squares of the
same numbers: the guides of a spacing, how they erred before it, the spacings.
"""

import numpy as np
from primelens.analyses import anchors
from primelens.analyses import autoregression
from primelens.studies.zeros import guides

NAME = "least squares of the guides"
_ROWS = 8192  # in one piece


def fitted(run, index_N) -> list[anchors.Anchor]:
  """Returns Gaussian anchors at the spacings `index_N`, none without guesses.

  s_n - 1 is a linear function of the guides of s_n; with the last errors of
  each guess too; and with the last spacings as well. As many as the longest
  past that the network has in a window, which is longer than it has on the
  mean. By least squares where training windows are drawn; sigma is the error
  there.
  """
  model = run.experiment.model
  if model.kind != "guided" or not model.guesses:
    return []
  last = model.window - 1
  return [
    _fitted(run, index_N, NAME, 0, 0),
    _fitted(run, index_N, f"{NAME} and their errors", last, 0),
    _fitted(run, index_N, f"{NAME}, their errors and spacings", last, last),
  ]


def _fitted(run, index_N, name: str, errors: int, spacings: int):
  model, column_NxJ1 = run.experiment.model, np.asarray(run.columns, np.float64)
  guess_J = np.array([each in model.guesses for each in model.guides])
  design = lambda at_N: _design(column_NxJ1, guess_J, at_N, errors, spacings)
  first, last = guides.drawn(run.series, model.guides)
  own_N = np.arange(first + 1 + max(errors, spacings), last)
  count = 1 + len(guess_J) + errors * guess_J.sum() + spacings
  gram_ExE, moment_E, power = np.zeros((count, count)), np.zeros(count), 0.0
  for part_N in _pieces(own_N):
    told_NxE, truth_N = design(part_N), column_NxJ1[part_N, 0] - 1
    gram_ExE += told_NxE.T @ told_NxE
    moment_E += told_NxE.T @ truth_N
    power += float(truth_N @ truth_N)
  weight_E = np.linalg.lstsq(gram_ExE, moment_E, rcond=None)[0]
  variance = (power - weight_E @ moment_E) / len(own_N)
  guess_N = np.concatenate(
    [design(part) @ weight_E for part in _pieces(index_N)]
  )
  error_N = column_NxJ1[index_N, 0] - 1 - guess_N
  nll_N = autoregression.gaussian_nll(error_N, variance)
  scale_N = np.full(len(index_N), np.sqrt(variance))
  return anchors.Anchor(
    name, int(count) + 1, index_N, nll_N, 1 + guess_N, scale_N
  )


def _pieces(index_N) -> list[np.ndarray]:
  return np.array_split(index_N, -(-len(index_N) // _ROWS))


def _design(column_NxJ1, guess_J, index_N, errors: int, spacings: int):
  """Returns what is known of each spacing: 1, its guides, errors, spacings."""
  told_NxJ = column_NxJ1[index_N - 1, 1:]
  back = lambda lags: index_N[:, None] - 1 - np.arange(lags)[None]
  at_NxQ = back(errors)
  error_NxQxJ = column_NxJ1[at_NxQ, :1] - 1 - column_NxJ1[at_NxQ - 1, 1:]
  # A range starts without guesses before it: no error is known, none is said.
  error_NxQxJ = np.nan_to_num(error_NxQxJ[..., guess_J])
  error_NxE = error_NxQxJ.reshape(len(index_N), -1)
  past_NxQ = column_NxJ1[back(spacings), 0] - 1
  return np.concatenate(
    [np.ones((len(index_N), 1)), told_NxJ, error_NxE, past_NxQ], 1
  )
