"""Least-squares readings of activations, and what they are worth as logits.

A high R2 is not a function (addition spec, section 7): every fit carries the
accuracy and cross-entropy of the logits that its fitted values give, and is
made twice, on all pairs and on the train pairs to be scored on the test pairs.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from primelens.analyses import least_squares
from primelens.lens import numbers as reported
from primelens.studies.addition import network, tables

THRESHOLDS = ("above_90", "above_95", "above_99", "above_999")
MEASURES = {
  "r2_mean": "R2, mean over columns, all pairs",
  "r2_median": "R2, median over columns, all pairs",
  "r2_min": "R2, smallest of the columns, all pairs",
  "r2_max": "R2, largest of the columns, all pairs",
  **{
    name: f"columns with R2 above {value:g}"
    for name, value in zip(THRESHOLDS, least_squares.THRESHOLDS_V, strict=True)
  },
  "r2_overall": "one R2 of all entries about their global mean, all pairs",
  "heldout_mean": "R2, mean over columns: fitted on train, scored on test",
  "heldout_median": "R2, median over columns: fitted on train, scored on test",
  "accuracy": "accuracy of the fitted logits, all pairs",
  "nll_nats": "cross-entropy of the fitted logits, all pairs",
  "test_accuracy": "accuracy of the logits fitted on train, test pairs",
  "test_nll_nats": "cross-entropy of the logits fitted on train, test pairs",
}


class Fit(NamedTuple):
  """Which fit: its item in the spec, what is fitted, and on what."""

  item: str
  target: str
  design: str


def score(design_NxQ, target_NxF, member: network.Member, logits: Callable | None = None) -> dict:
  """Returns the MEASURES of fitting a target of one member, traced.

  `logits(prediction_NxF) -> logit_NxV` says what the fitted values are worth;
  without it the four measures of function are absent. Columns that do not
  vary have no R2 and are left out.
  """
  everything = least_squares.fit(design_NxQ, target_NxF)
  outside = least_squares.fit(design_NxQ, target_NxF, member.train_N)
  test_N = member.test_N
  r2 = least_squares.summary(least_squares.r2_columns(target_NxF, everything.prediction_NxF))
  held = least_squares.summary(
    least_squares.r2_columns(target_NxF[test_N], outside.prediction_NxF[test_N])
  )
  found = {
    "r2_mean": r2.mean,
    "r2_median": r2.median,
    "r2_min": r2.minimum,
    "r2_max": r2.maximum,
    **dict(zip(THRESHOLDS, r2.above_V, strict=True)),
    "r2_overall": least_squares.r2_overall(target_NxF, everything.prediction_NxF),
    "heldout_mean": held.mean,
    "heldout_median": held.median,
  }
  if logits is None:
    return found
  label_N = member.label_N
  logit_NxV = logits(everything.prediction_NxF)
  outside_NxV = logits(outside.prediction_NxF)[test_N]
  return found | {
    "accuracy": network.accuracy(logit_NxV, label_N),
    "nll_nats": network.nll(logit_NxV, label_N),
    "test_accuracy": network.accuracy(outside_NxV, label_N[test_N]),
    "test_nll_nats": network.nll(outside_NxV, label_N[test_N]),
  }


def records(
  run,
  named: Mapping[str, Fit],
  value: Mapping[str, Mapping[str, np.ndarray]],
  untrained: Mapping[str, Mapping[str, np.ndarray]],
) -> tuple[dict, ...]:
  """Returns a record per fit, in the order of `named`.

  For every measure m that the fit has: `m` is the median over members, `m_min`
  and `m_max` their range, `m_ours` the reference member's (NaN without one),
  `m_untrained` the median of the untrained networks. Raises `KeyError` for a
  fit that has no name.
  """
  at = tables.reference(run)
  unknown = sorted(set(value) - set(named))
  if unknown:
    raise KeyError(f"{unknown[0]!r} is not among the named fits.")
  return tuple(
    {"fit": key, **entry._asdict()} | _columns(value[key], untrained[key], at)
    for key, entry in named.items()
    if key in value
  )


def _columns(measure_S, untrained_S, at: int | None) -> dict:
  row: dict[str, float] = {}
  for name in MEASURES:
    if name in measure_S:
      row |= reported.columns(name, measure_S[name], untrained_S[name], at)
  return row
