"""Consecutive zeros at any height, and everyone who predicts them.

A stretch is a run's own or computed; a guess of it is a network's, a filter's, of the sine process,
or of the explicit formula. Shared by the slices that set a network beside primes: `yardstick` reads
stretches by height, `prime_waves`, `prime_response` and `prime_places` the first zeros of test.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np
from primelens.analyses import anchors, autoregression, known_primes, sine_process
from primelens.analyses import linear as linear_lib
from primelens.studies.zeros import guides, program, scoring
from primelens.tasks import windows, zeros

# Where a network that was trained on something else is read: the last tenth of Odlyzko's table, and
# as much before it as an adaptive filter needs.
FIRST, BEFORE = 1_900_001, 21_000
CONTROLS = ("cue", "shuffled", "prime_gaps")  # what such a network was trained on
COUNTED = 1_000  # zeros whose mean tells the number of the first
ERRORS = 5_000  # of the formula, just before the first zeros of test: their sigma
KERNEL = 20  # lags of the filter that knows the sine kernel alone
COMPUTED, BETWEEN = "computed", "between splits"  # where a stretch by height lies


@dataclasses.dataclass(frozen=True)
class Stretch:
  """Consecutive spacings that are scored, and the sequence that they lie in.

  `value_N` (float32) start at the heights `ordinate_N`. Scored are `count` of them from `first` on,
  by windows with `context` or more spacings behind each; `number` is that of the zero at which the
  first scored spacing starts, the first zero of all being 1.

  Of the first zeros of test, filters are fitted on the spacings `train` of the same sequence. Of a
  stretch by height, `split` says where it lies, and whether it is at heights of the run's train
  split (`trained`), of the part that training windows are drawn from (`drawn`), or of its select
  split (`chosen`).
  """

  value_N: np.ndarray
  ordinate_N: np.ndarray
  first: int
  count: int
  number: int
  context: int
  window: int
  train: tuple[int, int] = (0, 0)
  split: str = ""
  trained: bool = False
  drawn: bool = False
  chosen: bool = False

  @property
  def index_N(self) -> np.ndarray:
    """Which of the spacings are scored."""
    return np.arange(self.first, self.first + self.count)

  @property
  def truth_N(self) -> np.ndarray:
    """The scored spacings, float64."""
    return self.value_N[self.index_N].astype(np.float64)

  @property
  def height_N(self) -> np.ndarray:
    """The heights at which they start."""
    return self.ordinate_N[self.index_N]

  @property
  def start_N(self) -> np.ndarray:
    """Where windows start that score every one of them once."""
    begin = self.first - self.context
    return np.arange(begin, begin + self.count, self.window - self.context + 1)

  @property
  def index_NxU(self) -> np.ndarray:
    """Which of the spacings each window scores."""
    return windows.targets(self.start_N, self.window, min_context=self.context)

  def windows(self, column_N) -> np.ndarray:
    """Returns the windows NxT+1 of rows beside the spacings."""
    return windows.take(column_N, self.start_N, self.window)

  def part(self, spacings: int) -> "Stretch":
    """Returns the first windows, with `spacings` targets or a few more."""
    each = self.window - self.context + 1
    return dataclasses.replace(self, count=min(self.count, each * -(-spacings // each)))

  @functools.cached_property
  def floor(self) -> float:
    """R2 of who knows the sine kernel and no primes."""
    mean_N = 1 + _of_sine_process(self, KERNEL)[0]
    return float(known_primes.r2(mean_N[None], self.truth_N)[0])


# --- the first zeros of test ----------------------------------------------------------------------


def no_zeros(experiment) -> str:
  """Returns why a run has no predicted means on zeros, or ""."""
  task = experiment.task
  if program.no_mixtures(experiment):
    return program.no_mixtures(experiment)
  if task.kind == "zeros" or task.ensemble in CONTROLS:
    return ""
  return f"{task.ensemble} spacings are neither zeros nor a control of them"


def of_test(run, spacings: int) -> Stretch:
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
    first=first + context,
    count=each * len(start_N),
    number=numbered(ordinate_N, first + context),
    context=context,
    window=model.window,
    train=train,
  )


def numbered(ordinate_N, first: int) -> int:
  """Returns the number of the zero `first`.

  The mean of many zeros tells it: of earlier ones, lest a guess depend on later zeros, where there
  are enough.
  """
  near = slice(max(0, first - COUNTED), max(first, COUNTED))
  return zeros.number(ordinate_N[near]) - near.start + first


# --- stretches by height --------------------------------------------------------------------------


def by_height(run) -> list[Stretch]:
  """Returns a run's stretches, in order of height.

  Evenly spread in ln(height) from the lowest that has enough before it to the
  end of test, then those that are computed. Raises ValueError if there is none.
  """
  settings, model = run.settings.yardstick, run.experiment.model
  context = program.scored_context(model, run.settings.evaluation.min_context)
  each = model.window - context + 1
  count = each * -(-settings.spacings // each)
  reach = guides.reach(model)
  before = max(settings.past, settings.errors, reach)
  found = [_own(run, first, before, count) for first in _firsts(run, before, count)]
  found += [_computed(run, number, before, count) for number in settings.computed]
  if not found:
    raise ValueError(
      f"the run's {len(run.series.value_N):,} spacings hold no stretch of"
      f" {count:,} with {before:,} before it: lower yardstick.spacings or"
      " yardstick.past, or name zeros in yardstick.computed."
    )
  return sorted(found, key=lambda stretch: stretch.height_N[0])


def _firsts(run, before: int, count: int) -> list[int]:
  """Returns where stretches start that do not overlap, from the last one."""
  series = run.series
  last = series.bounds("test")[1] - count
  if last < before or not run.settings.yardstick.stretches:
    return []
  low, high = np.log(series.ordinate_N[[before, last]])
  height_P = np.exp(np.linspace(high, low, run.settings.yardstick.stretches))
  first_P = np.searchsorted(series.ordinate_N, height_P)
  found = [last]
  for first in np.clip(first_P, before, last).tolist():
    if first <= found[-1] - count:
      found.append(first)
  return found


def _own(run, first: int, before: int, count: int) -> Stretch:
  """Returns a stretch of the run's sequence."""
  series, stop = run.series, first + count
  inside = [
    name
    for name in ("train", "select", "test")
    if series.bounds(name)[0] <= first and stop <= series.bounds(name)[1]
  ]
  ordinate_N = np.asarray(series.ordinate_N[first - before : stop])
  return Stretch(
    value_N=series.value_N[first - before : stop],
    ordinate_N=ordinate_N,
    number=zeros.number(ordinate_N[:before]) + before,  # of those before it
    split=inside[0] if inside else BETWEEN,
    **_place(run, before, count),
    **_met(series, ordinate_N[before], ordinate_N[-1]),
  )


def _computed(run, number: int, before: int, count: int) -> Stretch:
  """Returns a stretch that starts at the zero `number`."""
  ordinate_N = zeros.ordinates(
    zeros.Config(
      source="computed",
      first=number - before,
      limit=before + count + 1,
      cache=getattr(run.experiment.task, "cache", ""),
    )
  )
  return Stretch(
    value_N=zeros.spacings(ordinate_N),
    ordinate_N=np.asarray(ordinate_N[:-1]),
    number=number,
    split=COMPUTED,
    **_place(run, before, count),
    **_met(run.series, ordinate_N[before], ordinate_N[-2]),
  )


def _place(run, before: int, count: int) -> dict[str, Any]:
  """Returns what is scored of a sequence that has `before` spacings in front of it."""
  model = run.experiment.model
  context = program.scored_context(model, run.settings.evaluation.min_context)
  return {"first": before, "count": count, "context": context, "window": model.window}


def _met(series: windows.Series, low: float, high: float) -> dict[str, Any]:
  """Returns which parts of a run's sequence have zeros between two heights."""
  parts = {
    "trained": series.bounds("train"),
    "drawn": series.drawn,
    "chosen": series.bounds("select"),
  }
  height_N = np.asarray(series.ordinate_N)
  return {
    name: bool(height_N[first] <= high and low <= height_N[stop - 1])
    for name, (first, stop) in parts.items()
  }


# --- who predicts a stretch -----------------------------------------------------------------------

# Kinds that were fitted on the train split, as the fresh network's filter is.
FITTED = ("constant", "filter", "untrained")


class Guess(NamedTuple):
  """One predictor at the scored spacings: means and NLL in nats of S seeds."""

  name: str
  kind: str
  mean_SxN: np.ndarray
  nll_SxN: np.ndarray

  def seen(self, stretch: Stretch) -> bool:
    """Whether it was fitted or chosen on spacings of the stretch."""
    if self.kind == "network":
      return stretch.trained or stretch.chosen
    return self.kind in FITTED and stretch.trained


def networks(run, stretch: Stretch) -> list[Guess]:
  """Returns the run's network and fresh ones, each with all its seeds."""
  window_NxT1 = stretch.windows(guides.columns_on(run, stretch))
  found = []
  for name, kind, params_S in (
    (f"model ({run.name})", "network", None),
    ("untrained network", "untrained", run.untrained_S()),
  ):
    nll_SxNxU, mean_SxNxU = scoring.predictions(run, window_NxT1, params_S)
    flat = lambda x: x.reshape(len(x), -1)
    found.append(Guess(name, kind, flat(mean_SxNxU), flat(nll_SxNxU)))
  return found


def by_formula(stretch: Stretch, limit: int, errors: int) -> Guess:
  """Returns the explicit formula, whose sigma is that of its errors just before the stretch."""
  errors = min(errors, stretch.first)
  index_N = np.arange(stretch.first - errors, stretch.first + stretch.count)
  number_N = stretch.number + index_N - stretch.first
  mean_N, variance = guides.explicit_predictions(
    stretch.value_N[index_N], stretch.ordinate_N[index_N], number_N, limit, errors=errors
  )
  name = f"explicit formula, primes to {limit:,}"
  return _gaussian(name, "formula", stretch.truth_N, mean_N, variance)


def _gaussian(name: str, kind: str, truth_N, mean_N, variance) -> Guess:
  nll_N = autoregression.gaussian_nll(truth_N - mean_N, variance)
  return Guess(name, kind, mean_N[None], nll_N[None])


def _predicted(stretch: Stretch, phi_Q) -> np.ndarray:
  """Returns what a linear filter says of s - 1."""
  residual_N = stretch.value_N.astype(np.float64) - 1
  return autoregression.predict(residual_N, phi_Q, stretch.index_N)


def _of_sine_process(stretch: Stretch, lags: int) -> tuple[np.ndarray, float]:
  """Returns what its best linear predictor says of s - 1, and its variance: no primes in it."""
  phi_Q, variance = autoregression.of_sine_process(lags).order(lags)
  return _predicted(stretch, phi_Q), variance


# --- everyone on the first zeros of test ----------------------------------------------------------


def on_test(run, stretch: Stretch, settings) -> list[Guess]:
  """Returns the truth, networks, filters and the explicit formula, for `prime_waves`."""
  truth_N, index_N = stretch.truth_N, stretch.index_N
  nothing_N = np.full(len(truth_N), np.nan)
  found = [Guess("the spacings themselves", "truth", truth_N[None], nothing_N[None])]
  for guess in networks(run, stretch):
    found.append(guess._replace(name=f"{guess.kind} ({run.name})"))
  guess_N, variance = _of_sine_process(stretch, KERNEL)
  nll_N = autoregression.gaussian_nll(truth_N - 1 - guess_N, variance)
  name = f"{KERNEL} lags of the sine kernel"
  found.append(Guess(name, "kernel", 1 + guess_N[None], nll_N[None]))
  fits = [
    ("filter", fit)
    for fit in anchors.autoregressive(stretch.value_N, stretch.train, index_N, settings.orders)
  ]
  if index_N.min() >= 20_000:
    fits.append(("adaptive", anchors.adaptive(stretch.value_N, index_N)))
  for kind, fit in fits:
    found.append(Guess(fit.name, kind, fit.prediction_N[None], fit.nll_N[None]))
  return found + [by_formula(stretch, limit, ERRORS) for limit in settings.explicit]


# --- everyone by height ---------------------------------------------------------------------------


class Fits(NamedTuple):
  """What is fitted once: on the train split, and on the sine process."""

  mean: float
  variance: float
  train: autoregression.LeastSquares
  kernel: autoregression.YuleWalker


def fit(run) -> Fits:
  """Returns the anchors' filters, and the kernel's by its exact covariances."""
  settings = run.settings.yardstick
  train = run.series.bounds("train")
  value_N = run.series.value_N[slice(*train)].astype(np.float64)
  return Fits(
    mean=float(value_N.mean()),
    variance=float(value_N.var()),
    train=anchors.filters(run.series.value_N, train, max(settings.orders)),
    kernel=autoregression.of_sine_process(settings.kernel),
  )


def everyone_else(stretch: Stretch, fits: Fits, settings) -> list[Guess]:
  """Returns the anchors, from the mean to the explicit formula, for `yardstick`."""
  truth_N = stretch.truth_N
  mean_N = np.full(len(truth_N), fits.mean)
  found = [_gaussian("constant", "constant", truth_N, mean_N, fits.variance)]
  for p in settings.orders:
    name = f"AR({p}) fitted on train"
    found.append(_filtered(name, "filter", stretch, fits.train, p))
  name = f"sine process, best linear, {settings.kernel} lags"
  found.append(_filtered(name, "kernel", stretch, fits.kernel, settings.kernel))
  found += _exact(stretch, settings.exact)
  for p in dict.fromkeys((*settings.orders, settings.adaptive)):
    its = anchors.adaptive(
      stretch.value_N, stretch.index_N, order=p, window=settings.past, block=settings.refit
    )
    name = f"AR({p}) fitted on the last {settings.past:,}"
    found.append(Guess(name, "adaptive", its.prediction_N[None], its.nll_N[None]))
  return found + [by_formula(stretch, limit, settings.errors) for limit in settings.explicit]


def _filtered(name: str, kind: str, stretch: Stretch, filters, p: int) -> Guess:
  """Returns a linear filter, with its own innovation variance."""
  phi_Q, variance = filters.order(p)
  return _gaussian(name, kind, stretch.truth_N, 1 + _predicted(stretch, phi_Q), variance)


def _exact(stretch: Stretch, lags: int) -> list[Guess]:
  """Returns the sine process's own law of the next spacing, or nothing."""
  if not lags:
    return []
  lag_NxQ = linear_lib.lag_matrix(stretch.value_N, stretch.index_N, lags)
  name = f"sine process, exact, {lags} lag{'s' * (lags > 1)}"
  mean_N = sine_process.next_mean(lag_NxQ)
  nll_N = -sine_process.next_log_density(lag_NxQ, stretch.truth_N)
  return [Guess(name, "kernel", mean_N[None], nll_N[None])]
