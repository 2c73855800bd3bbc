"""Verdict on spectra over training (primes spec 7.4): rank and grokking."""

import numpy as np
from primelens.studies import trial
from primelens.studies.addition import evidence
from primelens.studies.trial import Verdict

ATTENTION = ("query", "key", "value", "out")
LEARNED = 0.9  # test accuracy at the end of a member that generalises
HALF = 0.5  # test accuracy from which on it is said to
FELL = 0.5  # of the rank of noise: below it the weights are compressed
SEVERAL = 3  # members, of each kind, that decide


def ranks(found) -> np.ndarray:
  """Returns the mean effective rank of all attention matrices over that of
  noise, SxC, as the source averages them."""
  at = [row["name"] for row in found.curves].index("effective_rank")
  its = [e for e, row in enumerate(found.matrix) if row["role"] in ATTENTION]
  share_SxCxE = np.asarray(found.curve_VxSxCxE)[at] / found.null_VxE[at]
  return share_SxCxE[..., its].mean(-1)


def before(share_C: np.ndarray, test_C: np.ndarray) -> float:
  """Returns the share of the fall that came before test accuracy did."""
  first = int(np.argmax(np.asarray(test_C) >= HALF))
  fall = 1 - share_C[-1]
  return float((1 - share_C[first]) / fall) if fall > 0 else np.nan


def compression(results) -> Verdict:
  """The fall of the rank in members that generalise and in those that never
  do, and how much of it came first."""
  learned, others, early, names = [], [], [], []
  for run, table in results.items():
    found = table.get("spectra")
    if found is None or not len(found.step_C):
      continue
    names.append(run)
    test_SxC = np.asarray(found.test_SxC)
    for share_C, test_C in zip(ranks(found), test_SxC, strict=True):
      if test_C[-1] > LEARNED:
        learned.append(share_C[-1])
        early.append(before(share_C, test_C))
      else:
        others.append(share_C[-1])
  if min(len(learned), len(others)) < SEVERAL:
    raise trial.Missing(
      f"spectra over snapshots of {SEVERAL} members that generalise and of "
      f"{SEVERAL} that do not"
    )
  own, null, first = (float(np.nanmedian(v)) for v in (learned, others, early))
  because = (
    f"the rank of the attention matrices ends at {100 * own:.0f} % of that of "
    f"noise in {len(learned)} members that generalise, and at {100 * null:.0f} "
    f"% in {len(others)} that do not; {100 * first:.0f} % of the fall comes "
    f"before half of the test pairs are right (runs {', '.join(names)})"
  )
  numbers = evidence.behind(learned=own, others=null, early=first)
  status = evidence.held(own < FELL, artefact=null < (1 + own) / 2)
  return evidence.verdict(status, because, numbers)
