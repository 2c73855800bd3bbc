"""Anchors of a guided network: linear predictors of what it is told.

What a network makes of its guides is worth what it adds to least squares of the
same numbers: the guides of a spacing, how they erred before it, the spacings.
"""

from typing import Any, NamedTuple

import numpy as np
from primelens.analyses import anchors, autoregression
from primelens.studies.zeros import guides

NAME = "least squares of the guides"
LAGS = (7, 15, 31, 63, 127)  # of errors and spacings, to choose from
_ROWS = 8192  # in one piece


def fitted(run, index_N, select_N) -> list[anchors.Anchor]:
  """Returns Gaussian anchors at the spacings `index_N`, none without guesses.

  s_n - 1 is a linear function of the guides of s_n; and of these with the last
  errors of each guess, or with errors and spacings, as many as is best at
  `select_N` and at most the longest past in a window of the network. By least
  squares where training windows are drawn. Sigma is the error at `select_N`:
  on the heights of train it is too small for those above them, and a network
  that knows its sigma would seem to know more spacings.
  """
  model = run.experiment.model
  if model.kind != "guided" or not model.guesses:
    return []
  design = Design(run)
  moments = design.moments()
  last = model.window - 1
  lags = sorted({min(lag, last) for lag in LAGS})
  pasts = [(errors, 0) for errors in (0, *lags)]
  pasts += [(lag, lag) for lag in lags]
  fits = [_fit(design, moments, past) for past in pasts]
  variance_P = np.mean(_errors(design, fits, select_N)[0] ** 2, 1)
  best = int(np.argmin(variance_P))
  shown = [fits[0]._replace(name=NAME), fits[best]]
  return _anchors(design, shown, variance_P[[0, best]], index_N)


class _Fit(NamedTuple):
  name: str
  parameters: int
  weight_E: np.ndarray


def _fit(design, moments, past) -> _Fit:
  """Returns least squares of so many last errors and spacings."""
  gram_ExE, moment_E = moments
  chosen_E = design.columns(*past)
  weight_E = np.zeros(len(moment_E))
  weight_E[chosen_E] = np.linalg.lstsq(
    gram_ExE[np.ix_(chosen_E, chosen_E)], moment_E[chosen_E], rcond=None
  )[0]
  errors, spacings = past
  name = f"{NAME}, {errors} errors"
  if spacings:
    name += f" and {spacings} spacings"
  return _Fit(name, len(chosen_E) + 1, weight_E)


def _errors(design, fits: list[_Fit], index_N) -> tuple[np.ndarray, np.ndarray]:
  """Returns errors and guesses of the fits, PxN, from one pass."""
  weight_ExP = np.stack([fit.weight_E for fit in fits], 1)
  guess_PxN = design.predict(index_N, weight_ExP).T
  return design.truth(index_N) - guess_PxN, guess_PxN


def _anchors(design, fits, variance_P, index_N) -> list[anchors.Anchor]:
  error_PxN, guess_PxN = _errors(design, fits, index_N)
  return [
    anchors.Anchor(
      fit.name,
      fit.parameters,
      index_N,
      autoregression.gaussian_nll(error_N, variance),
      1 + guess_N,
      np.full(len(index_N), np.sqrt(variance)),
    )
    for fit, variance, error_N, guess_N in zip(fits, variance_P, error_PxN, guess_PxN, strict=True)
  ]


class Design:
  """What is known of each spacing: 1, its guides, last errors and spacings."""

  def __init__(self, run):
    model = run.experiment.model
    self.column_NxJ1 = np.asarray(run.columns, np.float64)
    self.guess_J = np.array([each in model.guesses for each in model.guides])
    self.lags = model.window - 1
    self.drawn = guides.drawn(run.series, model.guides)

  def truth(self, index_N) -> np.ndarray:
    return self.column_NxJ1[index_N, 0] - 1

  def rows(self, index_N) -> np.ndarray:
    """Returns NxE; no error is known, and none said, before a range starts."""
    column_NxJ1 = self.column_NxJ1
    told_NxJ = column_NxJ1[index_N - 1, 1:]
    at_NxQ = index_N[:, None] - 1 - np.arange(self.lags)[None]
    error_NxQxJ = column_NxJ1[at_NxQ, :1] - 1 - column_NxJ1[at_NxQ - 1, 1:]
    error_NxQxJ = np.nan_to_num(error_NxQxJ[..., self.guess_J])
    return np.concatenate(
      [
        np.ones((len(index_N), 1)),
        told_NxJ,
        error_NxQxJ.reshape(len(index_N), -1),
        column_NxJ1[at_NxQ, 0] - 1,
      ],
      1,
    )

  def columns(self, errors: int, spacings: int) -> np.ndarray:
    """Returns the places of the columns with so many errors and spacings."""
    guides_, guesses = len(self.guess_J), int(self.guess_J.sum())
    first = 1 + guides_
    behind = first + self.lags * guesses
    return np.concatenate(
      [
        np.arange(first),
        np.arange(first, first + errors * guesses),
        np.arange(behind, behind + spacings),
      ]
    )

  def moments(self) -> tuple[Any, Any]:
    """Returns the Gram matrix and the moments of the target on train."""
    first, last = self.drawn
    own_N = np.arange(first + 1 + self.lags, last)
    gram, moment = 0.0, 0.0
    for part_N in _pieces(own_N):
      told_NxE, truth_N = self.rows(part_N), self.truth(part_N)
      gram = gram + told_NxE.T @ told_NxE
      moment = moment + told_NxE.T @ truth_N
    return gram, moment

  def predict(self, index_N, weight_ExP) -> np.ndarray:
    return np.concatenate([self.rows(part_N) @ weight_ExP for part_N in _pieces(index_N)])


def _pieces(index_N) -> list[np.ndarray]:
  return np.array_split(index_N, -(-len(index_N) // _ROWS))
