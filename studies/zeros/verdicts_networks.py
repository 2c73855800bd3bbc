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


def _interval(row, name: str) -> str:
  value = row[f"{name}_nats"]
  return f"{value:+.4f} [{row[name + '_low']:+.4f}, {row[name + '_high']:+.4f}]"
