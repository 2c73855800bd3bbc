"""Verdicts on the networks: their order.

A claim about the published networks can only be decided by networks of that
size; smaller runs say what they say and the status stays open.
"""

from collections.abc import Mapping

from primelens.lens import claims as trial
from primelens.lens.claims import Verdict
from primelens.studies.zeros import published

PUBLISHED_SIZE = 4_700_000
SEEDS = 5


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


def _bounded(row) -> str:
  return f"{row['nll_nats']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def _interval(row, name: str) -> str:
  value = row[f"{name}_nats"]
  return f"{value:+.4f} [{row[name + '_low']:+.4f}, {row[name + '_high']:+.4f}]"


def order_of_models(results) -> Verdict:
  """POSTFIX against the memory-less baseline, both behind their anchors."""
  postfix = of_memory(results, "anchors", "postfix")
  plain = of_memory(results, "anchors", "none")
  numbers = {
    f"{name}: NLL": float(result.nll_S.mean()) for name, result in (postfix | plain).items()
  }
  because = (
    "The study's own later files give E3 as +0.304, +0.340 and +0.394; only "
    "one note prints them with a minus sign, and E2 is truly -0.384. "
    + "; ".join(f"{k} {v:+.3f} nats" for k, v in numbers.items())
    + "."
  )
  big = published_size(results, postfix), published_size(results, plain)
  if not all(big):
    return undecided(because, numbers)
  best = lambda names: min(numbers[f"{name}: NLL"] for name in names)
  better = best(big[0]) < best(big[1])
  status: trial.Status = "reproduced" if better else "not reproduced"
  return Verdict(status=status, because=because, numbers=numbers)


def anchored(results) -> Verdict:
  """Is the published E4 beyond a linear filter with few coefficients?"""
  rows = {r["name"]: r for r in published.first(results, "anchors").table}
  short, long = rows["AR(24)"], rows["AR(64)"]
  reported = published.E4["nll_nats"]
  status: trial.Status = "needs more compute"
  if short["high"] < reported:
    status = "not reproduced"
    said = "ahead of it, so the number is no evidence of an operator"
  elif reported < short["low"]:
    status = "reproduced"
    said = "not ahead of it: the network is"
  else:
    said = "not ahead of it, nor the network: the interval holds its number"
  because = (
    "On our scored positions of the tail, Gaussian filters fitted on "
    f"train: AR(24) {_bounded(short)} nats, AR(64) {_bounded(long)}; the "
    f"reported E4 {reported:+.3f}. A linear filter with 24 coefficients is "
    f"{said}."
  )
  return Verdict(
    status=status,
    because=because,
    numbers={"AR(24)": short["nll_nats"], "AR(64)": long["nll_nats"], "reported E4": reported},
  )
