"""Verdicts on polynomial fits, and on what neurons write to the logits."""

from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence


def sinusoids(results) -> Verdict:
  """Components of W_L beside sine and cosine of frequency 1."""
  found = evidence.result(results, "readout")
  first, second, chance, period = evidence.numbers(
    found, "similarity_1", "similarity_2", "chance_similarity_1", "period_1"
  )
  because = (
    f"similarity of PC1 {first}, of PC2 {second}, where 95 % of random curves "
    f"as smooth reach {chance}; the best period of PC1 is {period}, not 20"
  )
  holds_S = (first.value_S > 0.9) & (second.value_S > 0.9)
  numbers = evidence.behind(pc1=first, pc2=second, chance=chance)
  return evidence.by_members(holds_S, because, numbers)


def sparse(results) -> Verdict:
  """How many of the ten frequencies all answers need."""
  found = evidence.result(results, "readout")
  (needed,) = evidence.numbers(found, "needed")
  because = (
    f"frequencies that all 100 answers need: {needed} of 10, where the source looked at (0, 0)"
  )
  return evidence.by_members(needed.value_S <= 6, because, evidence.behind(needed=needed))


def two_directions(results) -> Verdict:
  """Two components of W_L, 98.3 % of its variance."""
  found = evidence.result(results, "readout")
  (share,) = evidence.numbers(found, "pc12_share")
  because = f"share of two components {share}, of untrained networks {share.untrained:.2f}"
  return evidence.by_members(share.value_S > 0.95, because, evidence.behind(share=share))
