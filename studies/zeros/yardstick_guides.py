"""What a network reads on a stretch: spacings, and its guides where it has any.

A guide that was fitted on train stays what it is there, at other heights too.
"""

import numpy as np
from primelens.models import guided
from primelens.studies.zeros import guides
from primelens.tasks import windows

_OF_TRAIN = ("ar", "height")  # guides whose numbers are those of train


def names(model) -> tuple[str, ...]:
  """Returns the guides of a model, none of one that has none."""
  return model.guides if model.kind == "guided" else ()


def past(model) -> int:
  """Returns how many spacings a window's first target needs before it."""
  return model.window + max([0, *map(guides.past, names(model))])


def columns(run, stretch):
  """Returns the spacings N, or Nx(1 + J) with what guides say of the next.

  For windows whose last `window` inputs lie before a scored spacing; NaN in
  guides before.
  """
  model = run.experiment.model
  if not names(model):
    return stretch.value_N
  count = len(stretch.value_N)
  index_N = np.arange(stretch.first - model.window + 1, count)
  column_NxJ1 = np.full((count, 1 + len(names(model))), np.nan, np.float32)
  column_NxJ1[:, 0] = stretch.value_N
  for j, name in enumerate(names(model)):
    behind = guided.parsed(name)[0] in _OF_TRAIN
    series, shift = _series(run, stretch, behind)
    guide_N = guides.guide(series, name, index_N + shift)
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
