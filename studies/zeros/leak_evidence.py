"""Which runs a claim on the leak is about, and what is read of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from primelens.analyses import statistics
from primelens.lens import claims as trial
from primelens.studies.zeros import published

SEEDS = 3  # that a run needs, to be compared
LEAKY, BLIND, NONE = "leaky_as_published", "memory_blind", "none"
Q3 = {"residual": False, "positions": "learned"}
FLASH = {"residual": True, "positions": "rotary"}
_SAME = ("residual", "positions", "window", "layers", "width", "steps")


class Trio(NamedTuple):
  """Three runs that differ in what the slots may read, by mode, and names."""

  setting: Mapping[str, Any]
  results: Mapping[str, Any]
  names: tuple[str, ...]

  @property
  def said(self) -> str:
    """What tells the trio from the others."""
    return inputs(self.setting)


def inputs(setting) -> str:
  """Returns what a run reads and how it knows positions, in words."""
  reads = "residuals" if setting["residual"] else "spacings"
  return f"{reads}, {setting['positions']} positions"


def find(results, **where) -> dict[str, Any]:
  """Returns `{run: result}` on the published data whose setting is `where`.

  Raises `trial.Missing` where there is none with SEEDS seeds.
  """
  words = ", ".join(f"{name} {value}" for name, value in where.items())

  def accept(table) -> bool:
    if "anchors" not in table or table["anchors"].data != published.DATA:
      return False
    setting = table["leak"].setting[0]
    same = all(setting[name] == value for name, value in where.items())
    return same and setting["seeds"] >= SEEDS

  return trial.need(results, "leak", accept, f"on {published.DATA} ({words})")


def trios(results, **where) -> list[Trio]:
  """Returns the sets of runs that differ in their mode alone.

  Raises `trial.Missing` where no leaky run has both companions.
  """
  found = []
  for name, leaky in find(results, mode=LEAKY, **where).items():
    setting = leaky.setting[0]
    same = {key: setting[key] for key in _SAME}
    try:
      others = [find(results, mode=mode, **same) for mode in (BLIND, NONE)]
    except trial.Missing:
      continue
    (blind_name, blind), (none_name, none) = (next(iter(o.items())) for o in others)
    of = {LEAKY: leaky, BLIND: blind, NONE: none}
    if len({result.all_SxN.shape for result in of.values()}) == 1:
      found.append(Trio(setting, of, (name, blind_name, none_name)))
  if not found:
    raise trial.Missing(
      f"leak of runs on {published.DATA} that are leaky, blind and without"
      " memory, alike in all else",
      analysis="leak",
    )
  return found


def companion(result, found, mode: str):
  """Returns the first of the runs `{run: result}` that differs in its mode
  alone, or None."""
  setting = result.setting[0]
  wanted = {key: setting[key] for key in _SAME} | {"mode": mode}
  for other in found.values():
    same = all(other.setting[0][key] == value for key, value in wanted.items())
    if same and other.all_SxN.shape == result.all_SxN.shape:
      return other
  return None


def difference(a, b, name: str) -> dict[str, float]:
  """Returns the mean of a minus b over seeds and windows, with its interval.

  `name` is "all" or "last": which positions are scored.
  """
  field = f"{name}_SxN"
  change_SxN = getattr(a, field) - getattr(b, field)
  found = statistics.seed_block_interval(change_SxN, block=a.block)
  ends = zip(("nats", "low", "high"), found[:3], strict=True)
  return {key: float(value) for key, value in ends}


def told(result) -> Mapping[str, float]:
  """Returns the leak, averaged over the positions read."""
  return trial.row(result.changes, change="leak")


def bounded(row) -> str:
  """Returns a change with its interval."""
  return f"{row['nats']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def gains(trio: Trio) -> dict[str, dict]:
  """Returns what leaky and blind slots gain over none, in two places."""
  none = trio.results[NONE]
  return {
    f"{mode}, {where}": difference(trio.results[mode], none, where)
    for mode in (LEAKY, BLIND)
    for where in ("all", "last")
  }


def effect(results, factor: str, mode: str, where: str):
  """Returns the change by one factor, the other at both its settings, and the
  runs that it takes."""
  other = {"residual": "positions", "positions": "residual"}[factor]
  levels: dict[str, tuple] = {"residual": (False, True), "positions": ("learned", "rotary")}
  used, changes = set(), []
  for held in levels[other]:
    pair = []
    for value in levels[factor]:
      one = find(results, mode=mode, **{other: held, factor: value})
      name, result = next(iter(one.items()))
      used.add(name)
      pair.append(result)
    before, after = (getattr(result, f"{where}_SxN") for result in pair)
    if before.shape != after.shape:
      raise trial.Missing("leak of runs on the same windows", analysis="leak")
    changes.append(after - before)
  found = statistics.seed_block_interval(np.mean(changes, axis=0), block=pair[0].block)
  ends = zip(("nats", "low", "high"), found[:3], strict=True)
  return {key: float(value) for key, value in ends}, used
