"""The stretch of zeros that is read, and all who predict its spacings."""

import dataclasses
import functools
from typing import Any

import numpy as np
from primelens.analyses import anchors, autoregression
from primelens.studies.zeros import guides, program, scoring
from primelens.studies.zeros import prime_waves_known as known_lib
from primelens.tasks import windows, zeros

# Where a network that was trained on something else is read: the last tenth of
# Odlyzko's table, and as much before it as an adaptive filter needs.
FIRST, BEFORE = 1_900_001, 21_000
COUNTED = 1_000  # zeros whose mean tells the number of the first
ERRORS = 5_000  # of the formula, just before the stretch: their sigma
KERNEL = 20  # lags of the filter that knows the sine kernel alone


@dataclasses.dataclass(frozen=True)
class Stretch:
  """Consecutive scored spacings, and the sequence that they are from.

  `window_NxT1` score the targets `index_NxU` of `value_N`; filters are fitted
  on the spacings `train`. Flat, in the order of heights: `truth_N` at
  `height_N`.
  """

  value_N: np.ndarray
  ordinate_N: np.ndarray
  train: tuple[int, int]
  window_NxT1: np.ndarray
  start_N: np.ndarray
  index_NxU: np.ndarray

  @property
  def truth_N(self) -> np.ndarray:
    return self.value_N[self.index_NxU.ravel()].astype(np.float64)

  @property
  def height_N(self) -> np.ndarray:
    return self.ordinate_N[self.index_NxU.ravel()]

  @functools.cached_property
  def floor(self) -> float:
    """R2 of who knows the sine kernel and no primes."""
    mean_N = _kernel(self, self.index_NxU.ravel()).mean_N
    return float(known_lib.r2(mean_N[None], self.truth_N)[0])

  def part(self, spacings: int) -> "Stretch":
    """Returns the first windows, with `spacings` targets or a few more."""
    keep = -(-spacings // self.index_NxU.shape[1])
    return dataclasses.replace(
      self,
      window_NxT1=self.window_NxT1[:keep],
      start_N=self.start_N[:keep],
      index_NxU=self.index_NxU[:keep],
    )


@dataclasses.dataclass(frozen=True)
class Guess:
  """Predicted means of a stretch, and what they are."""

  mean_N: np.ndarray
  record: dict[str, Any]


def stretch(run, spacings: int) -> Stretch:
  """Returns the zeros that a run is read on: its test split's first.

  A control, trained on other spacings, is read on zeros that are computed.
  """
  model, evaluation = run.experiment.model, run.settings.evaluation
  context = program.scored_context(model, evaluation.min_context)
  if run.experiment.task.kind == "zeros":
    series, (first, last) = run.series, run.series.bounds("test")
    value_N, ordinate_N = series.value_N, series.ordinate_N
    train = series.splits["train"]
  else:
    count = BEFORE + spacings + 2 * model.window + 1
    ordinate_N = zeros.ordinates(zeros.Config(source="computed", first=FIRST - BEFORE, limit=count))
    value_N, ordinate_N = zeros.spacings(ordinate_N), ordinate_N[:-1]
    first, last, train = BEFORE, len(value_N), (0, BEFORE)
  each = model.window - context + 1
  start_N = np.arange(first, last - model.window, each)
  start_N = start_N[: -(-spacings // each)]
  return Stretch(
    value_N=value_N,
    ordinate_N=ordinate_N,
    train=train,
    window_NxT1=windows.take(value_N, start_N, model.window),
    start_N=start_N,
    index_NxU=windows.targets(start_N, model.window, min_context=context),
  )


def guesses(run, stretch: Stretch) -> list[Guess]:
  """Returns the truth, networks, filters and the explicit formula."""
  settings, index_N = run.settings.prime_waves, stretch.index_NxU.ravel()
  found = [Guess(stretch.truth_N, _named("the spacings themselves", "truth"))]
  for kind, params_S in (("network", None), ("untrained", run.untrained_S())):
    nll_SxNxU, mean_SxNxU = scoring.predictions(run, stretch.window_NxT1, params_S)
    for s, mean_NxU in enumerate(mean_SxNxU):
      record = _named(f"{kind} ({run.name}), seed {s}", kind, nll_SxNxU[s])
      found.append(Guess(mean_NxU.ravel(), record | {"seed": s}))
  found.append(_kernel(stretch, index_N))
  fits = [
    ("filter", fit)
    for fit in anchors.autoregressive(stretch.value_N, stretch.train, index_N, settings.orders)
  ]
  if index_N.min() >= 20_000:
    fits.append(("adaptive", anchors.adaptive(stretch.value_N, index_N)))
  found += [Guess(fit.prediction_N, _named(fit.name, kind, fit.nll_N)) for kind, fit in fits]
  for limit in settings.explicit:
    mean_N, variance = by_formula(stretch.value_N, stretch.ordinate_N, index_N, limit)
    nll_N = autoregression.gaussian_nll(stretch.truth_N - mean_N, variance)
    name = f"explicit formula, primes to {limit:,}"
    found.append(Guess(mean_N, _named(name, "formula", nll_N)))
  return found


def by_formula(value_N, ordinate_N, index_N, limit: int) -> tuple[np.ndarray, float]:
  """Returns the explicit formula's means at consecutive spacings `index_N`.

  And the variance of its errors at the spacings just before them.
  """
  first = int(index_N[0])
  errors = min(ERRORS, first)
  from_N = np.arange(first - errors, int(index_N[-1]) + 1)
  # The mean of many zeros tells the number of the first: of earlier ones, lest
  # a guess depend on later zeros, where there are enough.
  near = slice(max(0, first - COUNTED), max(first, COUNTED))
  number = zeros.number(ordinate_N[near]) - near.start
  return guides.explicit_predictions(
    value_N[from_N], ordinate_N[from_N], number + from_N, limit, errors=errors
  )


def _kernel(stretch: Stretch, index_N) -> Guess:
  """Returns the best linear predictor of the sine process: no primes in it."""
  phi_Q, variance = autoregression.of_sine_process(KERNEL).order(KERNEL)
  residual_N = stretch.value_N.astype(np.float64) - 1
  guess_N = autoregression.predict(residual_N, phi_Q, index_N)
  error_N = stretch.truth_N - 1 - guess_N
  nll_N = autoregression.gaussian_nll(error_N, variance)
  name = f"{KERNEL} lags of the sine kernel"
  return Guess(1 + guess_N, _named(name, "kernel", nll_N))


def _named(name: str, kind: str, nll_N=None) -> dict:
  nll = np.nan if nll_N is None else float(np.mean(nll_N))
  return {"name": name, "kind": kind, "nll_nats": nll}
