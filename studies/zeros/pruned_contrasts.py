"""Paired differences between the arms of analysis `pruned`."""

from collections.abc import Iterator

import numpy as np
from primelens.studies.zeros import pruned_arms, scoring

CHOSEN = "costliest on select"


class Losses:
  """The NLL of every arm before and after training, SxN, draws averaged."""

  def __init__(self, arms, before_SxRxN, after_SxRxN):
    self.arms = arms
    self.nll = {"before": before_SxRxN, "after": after_SxRxN}

  def of(self, when: str, **where) -> np.ndarray:
    """Returns the mean over the arms whose records have these values."""
    rows = [
      r
      for r, arm in enumerate(self.arms)
      if all(arm.record[name] == value for name, value in where.items())
    ]
    return self.nll[when][:, rows].mean(1)

  def values(self, name: str) -> list:
    """Returns the values that arms have of a record's entry, in order."""
    return list(dict.fromkeys(arm.record[name] for arm in self.arms))


def all_contrasts(run, arms, before_SxRxN, after_SxRxN, start_N):
  """Returns every paired difference of interest as a record, in nats."""
  losses = Losses(arms, before_SxRxN, after_SxRxN)
  named = [*_network(losses), *_heads(losses), *_parts(losses)]
  return tuple(
    scoring.contrast(run, minuend - base, start_N, **names) for names, minuend, base in named
  )


def _named(what: str, kept: float, contrast: str) -> dict:
  return {"what": what, "kept": kept, "contrast": contrast}


def _network(losses: Losses) -> Iterator:
  yield (
    _named("network", 1.0, "trained on minus intact"),
    losses.of("after", what="network"),
    losses.of("before", what="network"),
  )


def _beside_intact(losses: Losses, what: str, kept: float, where) -> Iterator:
  """Yields what the removal costs, at once and with training."""
  yield (
    _named(what, kept, "removed minus intact"),
    losses.of("before", **where),
    losses.of("before", what="network"),
  )
  yield (
    _named(what, kept, "retrained minus intact trained on"),
    losses.of("after", **where),
    losses.of("after", what="network"),
  )


def _heads(losses: Losses) -> Iterator:
  kept_heads = {a.kept for a in losses.arms if a.what == "heads"}
  for kept in sorted(kept_heads):
    its = {"what": "heads", "kept": kept, "start": "trained"}
    scratch = its | {"start": "scratch"}
    yield from _beside_intact(losses, "heads", kept, its | {"choice": CHOSEN})
    for when, place, label in (
      ("before", its, "chosen minus random, removed"),
      ("after", its, "chosen minus random, retrained"),
      ("after", scratch, "chosen minus random, from scratch"),
    ):
      yield (
        _named("heads", kept, label),
        losses.of(when, choice=CHOSEN, **place),
        losses.of(when, choice="random", **place),
      )
    yield (
      _named("heads", kept, "retrained minus from scratch"),
      losses.of("after", choice=CHOSEN, **its),
      losses.of("after", choice=CHOSEN, **scratch),
    )


def _parts(losses: Losses) -> Iterator:
  """Yields layers and weights beside others of the same size."""
  pairs = {"layers": ("middle", "others"), "weights": pruned_arms.RULES[1:]}
  for what in losses.values("what"):
    kind = what.removeprefix("attention of ").partition(",")[0]
    if kind not in pairs:
      continue
    chosen, other = pairs[kind]
    kept = next(a.kept for a in losses.arms if a.what == what)
    its = {"what": what, "choice": chosen}
    yield from _beside_intact(losses, what, kept, its)
    for when, done in (("before", "removed"), ("after", "retrained")):
      yield (
        _named(what, kept, f"{chosen} minus {other}, {done}"),
        losses.of(when, **its),
        losses.of(when, what=what, choice=other),
      )
