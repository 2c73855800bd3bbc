"""Verdicts on what is learned and when, and on the probe and the embedding."""

import numpy as np
from primelens.lens import numbers as reported
from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence, tables

SOON = 5  # a delay is one of at least so many times the time to memorise


def learns(results) -> Verdict:
  """All test pairs right, over splits and starts; unordered pairs beside."""
  progress = evidence.result(results, "progress")
  accuracy_S = evidence.curve(progress, "test/accuracy")[:, -1]
  mirrored_S, lone_S = (
    evidence.curve(progress, f"test/{name}_accuracy")[:, -1] for name in ("mirrored", "lone")
  )
  because = (
    "test accuracy after training is "
    f"{np.median(accuracy_S):.2f} in the median ({accuracy_S.min():.2f} to "
    f"{accuracy_S.max():.2f}), the source's own network at 1; pairs whose "
    f"mirror image (b, a) is in train {np.mean(mirrored_S):.2f}, the others "
    f"{np.mean(lone_S):.2f} on average"
  )
  numbers = evidence.behind(
    test_accuracy_median=np.median(accuracy_S),
    mirrored_accuracy_mean=np.mean(mirrored_S),
    lone_accuracy_mean=np.mean(lone_S),
  )
  try:
    other = evidence.result(results, "progress", variant=tables.UNORDERED)
    other_S = evidence.curve(other, "test/accuracy")[:, -1]
    numbers["unordered_test_accuracy_median"] = float(np.median(other_S))
    because += (
      "; where both orders of a pair are on one side of the split, median "
      f"{np.median(other_S):.2f}, {(other_S > evidence.SURE).sum()} of "
      f"{other_S.size} at 1"
    )
  except LookupError:
    pass
  return evidence.by_members(evidence.generalises(progress), because, numbers)


def delay(results) -> Verdict:
  """Delayed generalisation, on the source's network and its twins."""
  twins = evidence.result(results, "progress", variant=tables.DRIFT)
  memorised_S = evidence.boundary(twins, "memorised")
  formed_S = evidence.boundary(twins, "formed")
  delayed_S = formed_S >= SOON * memorised_S  # NaN: never, so no delay
  known, formed = reported.spread(memorised_S), reported.spread(formed_S)
  numbers = evidence.behind(
    memorised_median=known["median"],
    generalised_earliest=formed["minimum"],
    generalised_latest=formed["maximum"],
  )
  because = (
    "the source's network, its start shaken by rounding alone, knows the train "
    f"pairs by step {known['maximum']:.0f} and has a test loss below a guess "
    f"for good from step {formed['minimum']:.0f} to {formed['maximum']:.0f}, "
    "by member: the length of a delay is not portable between programs"
  )
  return evidence.by_members(delayed_S, because, numbers)


def arc(results) -> Verdict:
  """PC1 a line, PC2 a parabola, together nearly all: of generalising ones."""
  embedding = evidence.result(results, "embedding")
  learned_S = evidence.generalises(evidence.result(results, "progress"))
  both, line, bow = evidence.numbers(embedding, "pc12_share", "pc1_linear_r2", "pc2_quadratic_r2")
  holds_S = (both.value_S > 0.95) & (line.value_S > 0.9) & (bow.value_S > 0.9)
  because = (
    "share of PC1 and PC2 above 0.95 and both R2 above 0.9, among members that "
    f"generalise; over all members: share {both}, R2 of PC1 {line}, of PC2 "
    f"{bow}"
  )
  numbers = evidence.behind(share=both, line_r2=line, bow_r2=bow)
  return evidence.by_members(holds_S[learned_S], because, numbers)


def probe(results) -> Verdict:
  """The sum read by a linear probe; an untrained network gives it as well."""
  found = evidence.result(results, "probe")
  r2, untrained = evidence.numbers(found, "r2", "untrained_r2")
  because = (
    f"held out the probe has R2 {r2}, and on untrained networks {untrained}: "
    "512 numbers and 70 rows read the sum out of anything"
  )
  numbers = evidence.behind(r2=r2, untrained_r2=untrained)
  typical, null = np.median(r2.value_S), np.median(untrained.value_S)
  status = evidence.held(typical > 0.99, artefact=null > typical - 0.01)
  return evidence.verdict(status, because, numbers)
