"""Boundaries of the phases of training, derived from the curves.

The source drew them by eye at 1,500 / 13,300 / 16,600 epochs (B23).
"""

import numpy as np
from primelens.lens import numbers as reported

BOUNDARIES = {
  "memorised": "train accuracy first at 1",
  "peak": "test loss at its largest: memorisation ends",
  "formed": "test loss below that of a guess, ln C, for good: the circuit is formed",
  "cleaned": "test loss below ten times its last value, for good: clean-up ends",
  "restricted": "restricted loss below half of ln C, for good",
  "lead": "steps by which the restricted loss gets below half of ln C before the test loss",
  "lead_heldout": "the same, its waves averaged over test pairs alone",
}
PUBLISHED = {"peak": 1500.0, "formed": 13300.0, "cleaned": 16600.0}


def for_good(step_C, below_SxC) -> np.ndarray:
  """Returns the step from which a condition holds to the end, S; NaN: never."""
  held_SxC = np.flip(np.cumprod(np.flip(below_SxC, 1), axis=1), 1)
  first_S = held_SxC.argmax(1)
  return np.where(held_SxC.any(1), step_C[first_S], np.nan)


def boundaries(step_C, curve, uniform: float):
  """Returns a record per boundary and its step by member, ExS.

  `curve` has train/accuracy, test/nll_nats and, for modular addition,
  test/restricted_nll_nats, each SxC. A boundary that needs the test loss to
  fall is NaN for a member that ends above the loss of a guess.
  """
  test_SxC = curve["test/nll_nats"]
  learned_S = test_SxC[:, -1] < uniform
  full_SxC = curve["train/accuracy"] >= 1
  first = lambda at_SxC: np.where(at_SxC.any(1), step_C[at_SxC.argmax(1)], np.nan)
  value = {
    "memorised": first(full_SxC),
    "peak": step_C[test_SxC.argmax(1)].astype(float),
    "formed": for_good(step_C, test_SxC < uniform),
    "cleaned": np.where(learned_S, for_good(step_C, test_SxC < 10 * test_SxC[:, -1:]), np.nan),
  }
  if "test/restricted_nll_nats" in curve:
    half = lambda name: for_good(step_C, curve[name] < uniform / 2)
    value["restricted"] = half("test/restricted_nll_nats")
    reached_S = half("test/nll_nats")
    value["lead"] = reached_S - value["restricted"]
    heldout_S = half("test/restricted_heldout_nll_nats")
    value["lead_heldout"] = reached_S - heldout_S
  records = tuple(_record(name, value_S) for name, value_S in value.items())
  return records, np.stack(list(value.values()))


def _record(name: str, value_S) -> dict:
  return {
    "boundary": name,
    "meaning": BOUNDARIES[name],
    "by_eye": PUBLISHED.get(name, np.nan),
    **reported.spread(value_S),
    "members": len(value_S),
    "reached": int(np.isfinite(value_S).sum()),
  }
