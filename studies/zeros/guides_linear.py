"""Anchors of a guided network: linear predictors of the guides it is told.

What a network makes of its guides is worth what it adds to least squares of the
same numbers: the guides of a spacing, or these and how they erred before it.
"""

import numpy as np
from primelens.analyses import anchors
from primelens.analyses import autoregression
from primelens.studies.zeros import guides

NAME = "least squares of the guides"
ERRORS = 63  # of each guess: the last ones that a window of 64 shows
_ROWS = 8192  # in one piece


def fitted(run, index_N, context: int) -> list[anchors.Anchor]:
  """Returns Gaussian anchors at the spacings `index_N`, none without guesses.

  s_n - 1 is a linear function of the guides of s_n, and with errors of the last
  ones of each guess too, as many as `context` spacings of a window show, by
  least squares where training windows are drawn; sigma is its error there.
  """
  model = run.experiment.model
  if model.kind != "guided" or not model.guesses:
    return []
  both = (NAME, 0), (f"{NAME} and their errors", min(ERRORS, context - 1))
  return [_fitted(run, index_N, *each) for each in both]


def _fitted(run, index_N, name: str, lags: int) -> anchors.Anchor:
  model, column_NxJ1 = run.experiment.model, np.asarray(run.columns, np.float64)
  guess_J = np.array([each in model.guesses for each in model.guides])
  design = lambda at_N: _design(column_NxJ1, guess_J, at_N, lags)
  first, last = guides.drawn(run.series, model.guides)
  own_N = np.arange(first + 1 + lags, last)
  count = 1 + len(guess_J) + lags * guess_J.sum()
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


def _design(column_NxJ1, guess_J, index_N, lags: int) -> np.ndarray:
  """Returns what is known of each spacing: 1, its guides, the last errors."""
  told_NxJ = column_NxJ1[index_N - 1, 1:]
  back_NxQ = index_N[:, None] - 1 - np.arange(lags)[None]
  error_NxQxJ = column_NxJ1[back_NxQ, :1] - 1 - column_NxJ1[back_NxQ - 1, 1:]
  error_NxE = error_NxQxJ[..., guess_J].reshape(len(index_N), -1)
  return np.concatenate([np.ones((len(index_N), 1)), told_NxJ, error_NxE], 1)
