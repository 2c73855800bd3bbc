"""Guides: causal guesses of every next spacing, made once from the sequence.

The guide of spacing n uses the spacings before n and the height at which
spacing n starts, which those spacings lead to, and no later one:

* `adaptive`: AR(256) by least squares on the 20,000 spacings before each block
  of 5,000 (`anchors.adaptive`);
* `ar:Q`: AR(Q) by Yule-Walker on train, so on spacings of train in sample;
* `waves:X`: the explicit formula with the primes up to X, nothing fitted;
* `height`: 1 / ln(g / 2 pi), the mean spacing in turns, which is no guess;
  standardised on train.

They are made for the ranges that a run reads: where training windows are drawn,
select and test. What a network makes of its guides is worth what it adds to least
squares of the same numbers: the guides of a spacing, how they erred before it, the
spacings. Shared by the slices of the study. Source: docs/sources/zeros.md, sections 7 and 7.1.
"""

from typing import Any, NamedTuple

import numpy as np
from primelens.analyses import anchors, autoregression, prime_lines, prime_waves
from primelens.models import guided
from primelens.tasks import primes, riemann_siegel, windows, zeros

ADAPTIVE = 20_000  # spacings that the adaptive filter is fitted on
COUNTED = 1_000  # zeros whose mean tells the number of the first


def past(name: str) -> int:
  """Returns how many spacings a guide needs before the one it guesses."""
  kind, number = guided.parsed(name)
  return {"adaptive": ADAPTIVE, "ar": number}.get(kind, 0)


def drawn(series: windows.Series, names: tuple[str, ...]) -> tuple[int, int]:
  """Returns the range that training windows are drawn from: `series.drawn`
  without spacings that have too short a past. Raises `ValueError` if none is
  left."""
  first, last = series.drawn
  first = max([first, *map(past, names)])
  if last - first < series.window + 1:
    raise ValueError(
      f"guides {', '.join(names)} need {first:,} spacings before the first "
      f"window, but train ends at {last:,}: take more spacings."
    )
  return first, last


def columns(series: windows.Series, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
  """Returns spacings beside their guides Nx(1 + J), and the guesses' scales.

  Row n is s_n and what the J guides say of s_{n+1} (guesses of s_{n+1} - 1), in
  float32; NaN outside the ranges. The scale of a guess is the logarithm of its
  root mean square error on `drawn`; without a guess there is one, of a guess
  of 1. Raises `ValueError` for a guide that lacks heights or a past.
  """
  parts = _guided(series, names)
  residual_N = series.value_N.astype(np.float64) - 1
  column_NxJ1 = np.full((len(residual_N), 1 + len(names)), np.nan, np.float32)
  column_NxJ1[:, 0] = series.value_N
  log_scales = []
  for j, name in enumerate(names):
    for part, index_N in enumerate(parts):
      guide_N = guide(series, name, index_N)
      column_NxJ1[index_N - 1, 1 + j] = guide_N
      if part == 0 and name not in guided.INPUTS:
        log_scales.append(_log_scale(residual_N[index_N] - guide_N))
  log_scales = log_scales or [_log_scale(residual_N[parts[0]])]
  return column_NxJ1, np.array(log_scales, np.float32)


def _guided(series: windows.Series, names: tuple[str, ...]) -> list[np.ndarray]:
  """Returns the spacings that have guides: where windows are drawn, of select and of test."""
  ranges = (drawn(series, names), series.bounds("select"), series.bounds("test"))
  return [np.arange(first + 1, last) for first, last in ranges]


def may_be(series: windows.Series, names: tuple[str, ...], column_NxJ1, log_scale_J) -> bool:
  """Returns whether arrays may be what `columns` makes: by all that is known without making it."""
  guesses = sum(name not in guided.INPUTS for name in names)
  if any(array.dtype != np.float32 for array in (column_NxJ1, log_scale_J)):
    return False
  if column_NxJ1.shape != (len(series.value_N), 1 + len(names)):
    return False
  there_N = np.zeros(len(series.value_N), bool)
  there_N[np.concatenate(_guided(series, names)) - 1] = True
  return bool(
    log_scale_J.shape == (max(1, guesses),)
    and np.isfinite(log_scale_J).all()
    and np.array_equal(column_NxJ1[:, 0], series.value_N.astype(np.float32))
    and (np.isfinite(column_NxJ1[:, 1:]) == there_N[:, None]).all()
    and np.isnan(column_NxJ1[~there_N, 1:]).all()
  )


def _log_scale(error_N) -> float:
  return float(0.5 * np.log(np.mean(error_N**2)))


def guide(series: windows.Series, name: str, index_N) -> np.ndarray:
  """Returns one guide of the consecutive spacings `index_N`, float64.

  Guesses are of s - 1. Raises `ValueError` as `columns`, and for another name.
  """
  kind, number = guided.parsed(name)
  if kind in ("waves", "height") and series.ordinate_N is None:
    raise ValueError(f"guide {name!r} needs heights: take task.kind='zeros'.")
  if index_N.min() < past(name):
    raise ValueError(
      f"guide {name!r} needs {past(name):,} spacings before the first that it "
      f"guesses, not {index_N.min():,}: take more spacings."
    )
  return _GUIDES[kind](series, index_N, number)


def _adaptive(series, index_N, number) -> np.ndarray:
  del number
  found = anchors.adaptive(series.value_N, index_N, window=ADAPTIVE)
  return found.prediction_N - 1


def _ar(series, index_N, order) -> np.ndarray:
  train = series.bounds("train")
  (found,) = anchors.autoregressive(
    series.value_N, train, index_N, (order,), method=anchors.YULE_WALKER
  )
  return found.prediction_N - 1


def _waves(series, index_N, limit) -> np.ndarray:
  # Counted once, at the sequence's beginning, where many zeros give the number
  # of the first: no guess depends on a later zero, but for those of the first
  # thousand, by that one number.
  number = zeros.number(series.ordinate_N[:COUNTED])
  return explicit_spacings(series.ordinate_N[index_N], number + index_N, limit) - 1


def _height(series, index_N, number) -> np.ndarray:
  del number
  level = lambda t_N: 1 / np.log(np.asarray(t_N, np.float64) / (2 * np.pi))
  train_N = level(series.ordinate_N[slice(*series.bounds("train"))])
  return (level(series.ordinate_N[index_N]) - train_N.mean()) / train_N.std()


_GUIDES = {"adaptive": _adaptive, "ar": _ar, "waves": _waves, "height": _height}


# --- the explicit formula -------------------------------------------------------------------------


def explicit_spacings(ordinate_N, number_N, limit: int) -> np.ndarray:
  """Returns the unfolded spacing after each zero, with primes up to a limit.

  `number_N` are the zeros' numbers, the first of all being 1. No fit.
  """
  next_N = prime_waves.following(
    ordinate_N, number_N, prime_waves.waves(primes.below(limit + 1), limit), smooth
  )
  return zeros.unfold(next_N) - zeros.unfold(ordinate_N)


def explicit_predictions(
  value_N, ordinate_N, number_N, limit: int, *, errors: int
) -> tuple[np.ndarray, float]:
  """Returns the formula's means after the first `errors`, and their variance.

  Nothing in a mean is fitted; the variance is the mean square of the first
  errors, those before what is scored, so that it does not know that.
  """
  mean_N = explicit_spacings(ordinate_N, number_N, limit)
  error_N = np.asarray(value_N, np.float64)[:errors] - mean_N[:errors]
  return mean_N[errors:], float(np.mean(error_N**2))


def smooth(t_N) -> np.ndarray:
  """Returns theta(t) / pi + 1, the smooth part of the number of zeros."""
  return riemann_siegel.theta(t_N) / np.pi + 1


def lines(limit: int) -> np.ndarray:
  """Returns m ln p of every prime power up to twice a limit, rising.

  A null below the limit has to keep off those just above it as well.
  """
  return prime_lines.every_line(primes.below(2 * limit), 2 * limit - 1)


# --- linear predictors of what a network is told --------------------------------------------------


LINEAR = "least squares of the guides"
LINEAR_LAGS = (7, 15, 31, 63, 127)  # of errors and spacings, to choose from
_ROWS = 8192  # in one piece


def linear_anchors(run, index_N, select_N) -> list[anchors.Anchor]:
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
  lags = sorted({min(lag, last) for lag in LINEAR_LAGS})
  pasts = [(errors, 0) for errors in (0, *lags)]
  pasts += [(lag, lag) for lag in lags]
  fits = [_fit(design, moments, past) for past in pasts]
  variance_P = np.mean(_linear_errors(design, fits, select_N)[0] ** 2, 1)
  best = int(np.argmin(variance_P))
  shown = [fits[0]._replace(name=LINEAR), fits[best]]
  return _linear_of(design, shown, variance_P[[0, best]], index_N)


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
  name = f"{LINEAR}, {errors} errors"
  if spacings:
    name += f" and {spacings} spacings"
  return _Fit(name, len(chosen_E) + 1, weight_E)


def _linear_errors(design, fits: list[_Fit], index_N) -> tuple[np.ndarray, np.ndarray]:
  """Returns errors and guesses of the fits, PxN, from one pass."""
  weight_ExP = np.stack([fit.weight_E for fit in fits], 1)
  guess_PxN = design.predict(index_N, weight_ExP).T
  return design.truth(index_N) - guess_PxN, guess_PxN


def _linear_of(design, fits, variance_P, index_N) -> list[anchors.Anchor]:
  error_PxN, guess_PxN = _linear_errors(design, fits, index_N)
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
    self.drawn = drawn(run.series, model.guides)

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


# --- guides on a stretch of zeros; one fitted on train stays what it is there ---------------------


_OF_TRAIN = ("ar", "height")  # guides whose numbers are those of train


def of_model(model) -> tuple[str, ...]:
  """Returns the guides of a model, none of one that has none."""
  return model.guides if model.kind == "guided" else ()


def reach(model) -> int:
  """Returns how many spacings a window's first target needs before it."""
  return model.window + max([0, *map(past, of_model(model))])


def columns_on(run, stretch):
  """Returns the spacings N, or Nx(1 + J) with what guides say of the next.

  For windows whose last `window` inputs lie before a scored spacing; NaN in
  guides before.
  """
  model = run.experiment.model
  if not of_model(model):
    return stretch.value_N
  count = len(stretch.value_N)
  index_N = np.arange(stretch.first - model.window + 1, count)
  column_NxJ1 = np.full((count, 1 + len(of_model(model))), np.nan, np.float32)
  column_NxJ1[:, 0] = stretch.value_N
  for j, name in enumerate(of_model(model)):
    behind = guided.parsed(name)[0] in _OF_TRAIN
    series, shift = _series(run, stretch, behind)
    guide_N = guide(series, name, index_N + shift)
    column_NxJ1[index_N - 1, 1 + j] = guide_N
  return column_NxJ1


def _series(run, stretch, behind: bool):
  """Returns the stretch as a sequence, `behind` the train split or alone, and
  where it starts in it."""
  first, last = run.series.bounds("train") if behind else (0, 0)
  join = lambda train_N, own_N: np.concatenate([train_N[first:last], own_N])
  return windows.Series(
    value_N=join(run.series.value_N, stretch.value_N),
    ordinate_N=join(run.series.ordinate_N, stretch.ordinate_N),
    splits={"train": (0, last - first)} if behind else {},
    window=run.series.window,
    data_hash="",
  ), last - first
