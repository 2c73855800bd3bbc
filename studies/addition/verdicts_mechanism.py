"""Verdicts on how plain addition is said to be done."""

import numpy as np
from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence

SAME = 0.1  # accuracies this close are the same, of 100 inputs


def second_component(results) -> Verdict:
  """PC2 removed: a drop, but one that is there before generalisation."""
  subspace = evidence.result(results, "subspace")
  progress = evidence.result(results, "progress")
  keep, without, random, matched = evidence.numbers(
    subspace,
    "keep_pc1_accuracy",
    "remove_pc2_accuracy",
    "remove_line_space_accuracy",
    "remove_line_digits_accuracy",
  )
  early_S = evidence.at(progress, "keep_pc1_accuracy", evidence.EARLY)
  late_S = evidence.at(progress, "keep_pc1_accuracy", int(progress.step_C[-1]))
  change = float(np.median(late_S - early_S))
  because = (
    f"accuracy with PC1 alone {keep}, with PC2 removed {without}, with a "
    f"random direction removed {random}, with one within the digits' span "
    f"{matched}; at step {evidence.EARLY:,}, when "
    f"test pairs are not known yet, PC1 alone gives {np.median(early_S):.2f} "
    f"in the median, at the end {np.median(late_S):.2f}: the drop does not "
    "tell the solution that generalises from the one that does not"
  )
  numbers = evidence.behind(
    keep_pc1=keep,
    without_pc2=without,
    random=random,
    random_of_digits=matched,
    change_since_early=change,
  )
  return evidence.by_members(without.value_S < 0.6, because, numbers, artefact=abs(change) < SAME)


def correction(results) -> Verdict:
  """The source's own rejection: PC2 does not explain the errors."""
  found = evidence.result(results, "subspace")
  line, bow = evidence.numbers(found, "error_pc2_r2", "error_pc2_quadratic_r2")
  because = f"R2 of the error on PC2 {line}, on its quadratic {bow}"
  return evidence.by_members(
    bow.value_S < 0.1, because, evidence.behind(linear=line, quadratic=bow)
  )


def direct(results) -> Verdict:
  """Without the direct path the MLP alone still adds."""
  found = evidence.result(results, "subspace")
  accuracy, loss = evidence.numbers(found, "mlp_accuracy", "mlp_nll_nats")
  full = evidence.numbers(found, "full_nll_nats")[0]
  learned_S = evidence.generalises(evidence.result(results, "progress"))
  because = (
    "accuracy stays above 0.98, among members that generalise; over all "
    f"members: accuracy {accuracy}, loss {loss}, with the direct path {full}"
  )
  numbers = evidence.behind(accuracy=accuracy, loss_nats=loss)
  return evidence.by_members(accuracy.value_S[learned_S] > 0.98, because, numbers)


def average(results) -> Verdict:
  """Attention as a plain average: what freezing it costs."""
  found = evidence.result(results, "attention")
  frozen, half = evidence.numbers(found, "frozen_all/accuracy", "half_all/accuracy")
  intact = evidence.numbers(found, "intact_all/accuracy")[0]
  because = (
    f"accuracy {intact}; with every pattern replaced by its mean over inputs "
    f"{frozen}, by halves {half}: a and b get equal attention on average only"
  )
  holds_S = frozen.value_S > intact.value_S - 0.05
  numbers = evidence.behind(intact=intact, frozen=frozen, half=half)
  return evidence.by_members(holds_S, because, numbers)
