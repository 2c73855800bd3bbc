"""Verdict on spectra over training (primes spec 7.4): rank and grokking."""

import numpy as np
from primelens.lens import claims as trial
from primelens.lens import numbers as reported
from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence, tables

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


def members(results) -> dict[str, list]:
  """Returns the records of all members, by what they did: those that
  generalise, those that never do, and those without weight decay."""
  found: dict[str, list] = {"learned": [], "never": [], "no decay": []}
  for table in results.values():
    its = table.get("spectra")
    if its is None or not len(its.step_C):
      continue
    test_SxC = np.asarray(its.test_SxC)
    for share_C, test_C in zip(ranks(its), test_SxC, strict=True):
      record = {"share": share_C[-1], "test": test_C[-1]}
      if its.population.endswith(tables.NO_DECAY):
        found["no decay"].append(record)
      elif test_C[-1] > LEARNED:
        found["learned"].append(record | {"early": before(share_C, test_C)})
      elif test_C.max() < HALF:
        found["never"].append(record)
  return found


def compression(results) -> Verdict:
  """The fall of the rank in members that generalise, in those that never do
  and in those without weight decay, and how much of it came first."""
  found = members(results)
  if min(len(found["learned"]), len(found["never"])) < SEVERAL:
    raise trial.Missing(
      f"spectra over snapshots of {SEVERAL} members that generalise and of {SEVERAL} that never do",
      analysis="spectra",
    )
  median = lambda kind, name: reported.median([row[name] for row in found[kind]])
  own, null = median("learned", "share"), median("never", "share")
  early, bare = median("learned", "early"), median("no decay", "share")
  said = (
    f"; without weight decay it ends at {100 * bare:.0f} % ({len(found['no decay'])})"
    if found["no decay"]
    else ""
  )
  because = (
    f"the rank of the attention matrices ends at {100 * own:.0f} % of that of "
    f"noise in {len(found['learned'])} members that generalise and at "
    f"{100 * null:.0f} % in {len(found['never'])} that never do{said}; "
    f"{100 * early:.0f} % of the fall comes before half of the test pairs are "
    "right: weight decay takes away what the fit does not need"
  )
  numbers = evidence.behind(learned=own, never=null, no_decay=bare, early=early)
  status = evidence.held(own < FELL, artefact=null < (1 + own) / 2)
  return evidence.verdict(status, because, numbers)
