"""Does a network read what it is to predict? Measured on the trained one.

`train.py` refuses such a model before it is trained (`models/causality.py`);
runs of other code and of the published masks are read all the same, and what is
scored of them is no prediction.
"""

import numpy as np
from primelens.studies.zeros import scoring


def measured(run, window_NxT1, nll_SxNxU, mean_SxNxU) -> dict[str, float]:
  """Returns how far scored predictions move when later inputs are replaced.

  `ahead_spacings` is the largest change of a predicted mean, in mean spacings,
  `ahead_nats` that of an NLL in nats; both are exactly 0 where no scored
  prediction reads ahead. NLL and means are those of the windows as they are.
  In window n all from a position on is taken from window n - 1; the position
  goes through those behind a scored prediction. Empty for a single window.
  """
  count, length, scored = len(window_NxT1), window_NxT1.shape[1] - 1, mean_SxNxU.shape[-1]
  if count < 2:
    return {}
  last_U = length - scored + np.arange(scored)  # the last input before a target
  first_P = last_U[1:]
  if not len(first_P):
    return {"ahead_spacings": 0.0, "ahead_nats": 0.0}
  first_N = first_P[np.arange(count) % len(first_P)]
  later_NxT1 = np.arange(length + 1)[None] >= first_N[:, None]
  later = later_NxT1.reshape(*later_NxT1.shape, *(1,) * (window_NxT1.ndim - 2))
  replaced = np.where(later, np.roll(window_NxT1, 1, axis=0), window_NxT1)
  changed_SxNxU = scoring.predictions(run, replaced)

  def largest(before_SxNxU, after_SxNxU, kept_NxU) -> float:
    change_SxNxU = np.abs(after_SxNxU - before_SxNxU)
    return float(np.max(change_SxNxU, where=kept_NxU[None], initial=0.0))

  before_NxU = last_U[None] < first_N[:, None]
  same_NxU = last_U[None] + 1 < first_N[:, None]  # the target is as it was
  return {
    "ahead_spacings": largest(mean_SxNxU, changed_SxNxU[1], before_NxU),
    "ahead_nats": largest(nll_SxNxU, changed_SxNxU[0], same_NxU),
  }


def moved(row) -> float:
  """Returns the larger of a row's two changes, 0 where none was measured."""
  return max(row.get("ahead_spacings", 0.0), row.get("ahead_nats", 0.0))


def caution(result) -> str:
  """Returns why a run's loss is no loss of predictions, of the result of its
  `anchors`, or "" where it is one."""
  row = result.table[0]
  if moved(row):
    return (
      "it reads its target: inputs from the target on, replaced, move a scored prediction by up to"
      f" {row['ahead_spacings']:.2g} mean spacings and {row['ahead_nats']:.2g} nats"
    )
  if result.memory.endswith("leaky_as_published"):
    return "its mask lets the future in: only the last position of a window is free of it"
  return ""


def cautions(tables) -> dict[str, str]:
  """Returns the cautions by run, of `{run: {analysis: Stored}}`."""
  found = {
    run: caution(table["anchors"].result) for run, table in tables.items() if "anchors" in table
  }
  return {run: said for run, said in found.items() if said}
