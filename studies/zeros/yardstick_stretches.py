"""Where the yardstick is laid: stretches of zeros by height, and before them.

Some are the run's own; those above were computed and no network has seen them.
"""

import dataclasses

import numpy as np
from primelens.studies.zeros import guides, program
from primelens.tasks import windows, zeros

COMPUTED = "computed"
BETWEEN = "between splits"


@dataclasses.dataclass(frozen=True)
class Stretch:
  """Consecutive spacings that are scored, behind those that come before.

  `value_N` (float32) start at `ordinate_N`; scored are the last ones, from
  `first` on. `number` is that of the zero at which the first of these starts,
  `split` where they lie. Some are at heights of the run's train split
  (`trained`), of the part that training windows are drawn from (`drawn`), or of
  its select split (`chosen`).
  """

  value_N: np.ndarray
  ordinate_N: np.ndarray
  first: int
  number: int
  split: str
  trained: bool
  drawn: bool
  chosen: bool

  @property
  def index_N(self) -> np.ndarray:
    """Which of the spacings are scored."""
    return np.arange(self.first, len(self.value_N))

  @property
  def truth_N(self) -> np.ndarray:
    """The scored spacings, float64."""
    return self.value_N[self.first :].astype(np.float64)

  @property
  def height_N(self) -> np.ndarray:
    """The heights at which they start."""
    return self.ordinate_N[self.first : len(self.value_N)]

  def windows(self, column_N, context: int, window: int) -> np.ndarray:
    """Returns windows, NxT+1, whose targets with `context` spacings behind
    them are the scored spacings, each once: of rows beside the spacings."""
    each = window - context + 1
    start_N = np.arange(self.first - context, len(self.value_N) - window, each)
    return windows.take(column_N, start_N, window)


def of(run) -> list[Stretch]:
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
    first=before,
    number=zeros.number(ordinate_N[:before]) + before,  # of those before it
    split=inside[0] if inside else BETWEEN,
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
    first=before,
    number=number,
    split=COMPUTED,
    **_met(run.series, ordinate_N[before], ordinate_N[-2]),
  )


def _met(series: windows.Series, low: float, high: float) -> dict[str, bool]:
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
