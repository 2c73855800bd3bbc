"""Verdicts on the networks: their order, their masks, their heads.

A claim about the published networks can only be decided by networks of that
size; smaller runs say what they say and the status stays open.
"""

import math
from collections.abc import Mapping

import numpy as np
from primelens.lens import claims as trial
from primelens.lens.claims import Verdict
from primelens.studies.zeros import published

PUBLISHED_SIZE = 4_700_000
SEEDS = 5
SEEN = 1e-4  # nats: more than float32 can make of two equal losses


def of_memory(results, analysis: str, memory: str = ""):
  """Returns `published.results` over the runs of one kind of memory; ""
  means any."""
  kind = lambda table: memory in ("", table["anchors"].memory)
  return published.results(results, analysis, kind)


def published_size(results, names) -> list[str]:
  """Returns the runs of published size with enough seeds to decide."""
  big = lambda table: table.parameters >= PUBLISHED_SIZE and len(table.nll_S) >= SEEDS
  return [name for name in names if big(results[name]["anchors"])]


def undecided(because: str, numbers: Mapping) -> Verdict:
  """Returns the verdict where only smaller networks are at hand."""
  return Verdict(
    status="needs more compute",
    because=f"No run of the published size with {SEEDS} seeds is at hand. "
    f"What the small models say: {because}",
    numbers=numbers,
  )


def _interval(row, name: str) -> str:
  value = row[f"{name}_nats"]
  return f"{value:+.4f} [{row[name + '_low']:+.4f}, {row[name + '_high']:+.4f}]"


def slices(results) -> Verdict:
  """The published hook against the removal of the head itself, by network."""
  found = of_memory(results, "heads")
  numbers: dict[str, float] = {}
  parts, apart = [], []
  for name, heads in found.items():
    zero, _, published = heads.delta_VxSxLxH.mean(1).reshape(3, -1)
    correlation = _correlation(zero, published)
    differs = (heads.slice_gap_low_SxLxH > SEEN) | (heads.slice_gap_high_SxLxH < -SEEN)
    numbers |= {
      f"{name}: correlation": correlation,
      f"{name}: heads whose two effects differ": int(differs.sum()),
    }
    apart.append(bool(differs.any()))
    parts.append(
      f"{name}: the effects of the two removals correlate at "
      f"{correlation:.2f}, and for {int(differs.sum())} of {differs.size} heads "
      f"of {len(differs)} networks they differ, paired over windows"
    )
  return Verdict(
    status="not reproduced" if all(apart) else "needs more compute",
    because="The published hook zeroes channels of the projection's output, "
    "to which every head contributes. " + "; ".join(parts) + ".",
    numbers=numbers,
  )


def _correlation(a, b) -> float:
  flat = np.ptp(a) == 0 or np.ptp(b) == 0
  return math.nan if flat else float(np.corrcoef(a, b)[0, 1])


def core(results) -> Verdict:
  """A core of heads: the rest, removed together, must cost little."""
  found = of_memory(results, "heads", "postfix")
  numbers: dict[str, float] = {}
  parts, high = [], {}
  for name, heads in found.items():
    joint_R = heads.joint_PxSxR[0].mean(0)
    total = heads.rank_SxLxH[0].size
    at = int(np.searchsorted(heads.count_R, round(35 / 48 * total)))
    high[name] = float(heads.joint_high_PxR[0][at])
    spread = (
      heads.delta_VxSxLxH[0].std(0, ddof=1).mean()
      if (heads.delta_VxSxLxH.shape[1] > 1)
      else math.nan
    )
    numbers |= {
      f"{name}: heads removed together": int(heads.count_R[at]),
      f"{name}: change of NLL": float(joint_R[at]),
      f"{name}: spread of one head's effect over seeds": float(spread),
    }
    parts.append(
      f"{name}: removing the {int(heads.count_R[at])} of {total} heads that "
      f"cost least on select changes the test NLL by {joint_R[at]:+.4f} nats "
      f"[{heads.joint_low_PxR[0][at]:+.4f}, {heads.joint_high_PxR[0][at]:+.4f}]"
    )
  because = "; ".join(parts) + ". Head indices do not carry over seeds."
  big = published_size(results, found)
  if not big:
    return undecided(because, numbers)
  cheap = all(high[name] < 0.01 for name in big)
  status: trial.Status = "reproduced" if cheap else "not reproduced"
  return Verdict(status=status, because=because, numbers=numbers)


def noise_layers(results) -> Verdict:
  """Removing heads of layers 1 and 2 improves the model, or it does not."""
  found = {
    name: heads
    for name, heads in of_memory(results, "heads", "postfix").items()
    if heads.rank_SxLxH.shape[1] > 1
  }
  if not found:
    raise trial.Missing("heads of a model with more than one layer", analysis="heads")
  numbers = {}
  for name, heads in found.items():
    middle = slice(1, 3) if heads.rank_SxLxH.shape[1] > 3 else slice(1, 2)
    for mode, label in ((0, "head removed"), (2, "published slice")):
      change = heads.delta_VxSxLxH[mode][:, middle].mean()
      numbers[f"{name}: mean change, {label}"] = float(change)
  because = "; ".join(f"{k} {v:+.4f} nats" for k, v in numbers.items()) + "."
  big = published_size(results, found)
  if not big:
    return undecided(because, numbers)
  change = [numbers[f"{name}: mean change, head removed"] for name in big]
  status: trial.Status = "reproduced" if max(change) < 0 else "not reproduced"
  return Verdict(status=status, because=because, numbers=numbers)
