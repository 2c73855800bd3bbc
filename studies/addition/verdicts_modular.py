"""Verdicts on modular addition: frequencies, cubes, phases."""

import numpy as np
from primelens.lens import numbers as reported
from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence, phases

SEVERAL = 3  # members of which an interval says something


def _found(results, analysis: str):
  return evidence.result(results, analysis, of=evidence.MODULAR)


def lead(results) -> Verdict:
  """The restricted loss falls before the test loss: with waves averaged over
  all pairs, as published, and over test pairs alone."""
  progress, its = evidence.largest(results, "progress")
  published, heldout = (
    reported.spread(evidence.boundary(progress, name)) for name in ("lead", "lead_heldout")
  )
  known_S = evidence.boundary(progress, "lead_heldout")
  known = int(np.isfinite(known_S).sum())
  numbers = evidence.behind(
    published_median=published["median"],
    heldout_median=heldout["median"],
    heldout_mean_low=heldout["mean_low"],
    heldout_mean_high=heldout["mean_high"],
  )
  because = (
    "the restricted loss gets below half of a guess "
    f"{published['median']:,.0f} steps before the test loss in the median; its "
    "waves are averages over train pairs too, which a memory of these pairs "
    f"improves: with those of test pairs alone {heldout['median']:,.0f} steps "
    f"({known} of {known_S.size} members, {its}"
  )
  if known < SEVERAL:
    because += f"; an interval needs {SEVERAL})"
    return evidence.verdict("needs more compute", because, numbers)
  because += f"; 95 % of the mean {heldout['mean_low']:,.0f} to {heldout['mean_high']:,.0f})"
  status = evidence.held(published["mean_low"] > 0, artefact=heldout["mean_low"] <= 0)
  return evidence.verdict(status, because, numbers)


def excluded(results) -> Verdict:
  """The excluded loss rises while the circuit forms."""
  progress = _found(results, "progress")
  excluded_SxC = evidence.curve(progress, "train/excluded_nll_nats")
  learned_S = evidence.generalises(progress)
  train_S = evidence.curve(progress, "train/nll_nats")[:, -1]
  low_S, end_S = excluded_SxC.min(1), excluded_SxC[:, -1]
  because = (
    f"the excluded loss has its least, {np.median(low_S):.3g} nats, while the "
    f"network memorises, and ends at {np.median(end_S):.3g}, where the train "
    f"loss is {np.median(train_S):.2g} ({learned_S.sum()} of "
    f"{learned_S.size} members generalise)"
  )
  numbers = evidence.behind(least=np.median(low_S), end=np.median(end_S))
  holds = bool((end_S > 10 * low_S)[learned_S].all() and learned_S.any())
  status = evidence.held(holds)
  return evidence.verdict(status, because, numbers)


def boundaries(results) -> Verdict:
  """The phase lines drawn by eye, beside those of the curves."""
  progress = _found(results, "progress")
  found = {name: evidence.boundary(progress, name) for name in phases.PUBLISHED}
  said = ", ".join(
    f"{name} {np.nanmedian(step_S):,.0f} (by eye {phases.PUBLISHED[name]:,.0f})"
    for name, step_S in found.items()
    if np.isfinite(step_S).any()
  )
  members = len(next(iter(found.values())))
  because = f"from the curves of {members} member(s): {said}"
  numbers = evidence.behind(**{name: np.median(step_S) for name, step_S in found.items()})
  if members < SEVERAL:
    return evidence.verdict("needs more compute", because, numbers)
  near = [
    abs(np.nanmedian(step_S) / phases.PUBLISHED[name] - 1) < 0.2 for name, step_S in found.items()
  ]
  status = evidence.held(all(near))
  return evidence.verdict(status, because, numbers)
