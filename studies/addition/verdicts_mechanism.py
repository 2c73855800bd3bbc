"""Verdicts on how plain addition is said to be done."""

from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence


def correlated(results) -> Verdict:
  """More than 130 neurons with r > 0.9: a count at a threshold."""
  found = evidence.result(results, "neurons")
  count, units = evidence.numbers(found, "above_90", "effective_blocks")
  holds_S = count.value_S > 130
  because = (
    f"neurons with r above 0.9: {count}; neurons come in blocks of copies, so "
    "a block just above or below the threshold moves the count by its size, "
    f"and by contribution the network is effectively {units} units"
  )
  return evidence.by_members(holds_S, because, evidence.behind(count=count, units=units))


def flips(results) -> Verdict:
  """Neurons that flip: their share of the change they are said to make."""
  found = evidence.result(results, "neurons")
  share, count = evidence.numbers(found, "flips_share", "flips")
  because = (
    f"at (0, 0) {count} neurons flip and carry a share of {share} of the "
    "change of the true logit; the rest are neurons active in both networks"
  )
  return evidence.by_members(
    share.value_S > 0.5, because, evidence.behind(share=share, flips=count)
  )
