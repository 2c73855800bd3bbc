"""What the claims are decided on: curves, numbers and members of runs."""

from collections.abc import Mapping

import numpy as np
from primelens.lens import claims as trial
from primelens.lens.claims import Verdict
from primelens.studies.addition import report_tables, tables

PLAIN, MODULAR = "P = 10", "modulo 113"
SURE = 0.9999  # test accuracy of a member that generalises fully
EARLY = 1000  # step: the train pairs are known, the test pairs are not
ENOUGH = 5  # members that decide a claim about any split and start
MOST = 0.9  # of the members: a claim that holds for so many holds


def result(results, analysis: str, *, of: str = PLAIN, variant: str = tables.PUBLISHED):
  """Returns the first result of an analysis on one kind of population.

  Raises `trial.Missing` where no run has it.
  """
  wanted = f"{of}, {variant}"
  accept = lambda table: report_tables.population(table[analysis]) == wanted
  having = {run: t for run, t in results.items() if analysis in t}
  return next(iter(trial.need(having, analysis, accept, wanted).values()))


def largest(results, analysis: str):
  """Returns an analysis of the modular population with the most members, one
  with frequencies if there is any, and that population; raises `trial.Missing`
  where no run has it."""
  its = lambda table: report_tables.population(table[analysis])
  accept = lambda table: its(table).startswith("modulo") and tables.is_setting(its(table))
  having = {run: t for run, t in results.items() if analysis in t}
  found = trial.need(having, analysis, accept, "of modular addition")
  most = max(found.values(), key=lambda its: (its.modular, len(its.key_SxQ)))
  return most, report_tables.population(most)


def curve(progress, name: str) -> np.ndarray:
  """Returns a curve of a `progress` result, SxC; raises as `_place` does."""
  return np.asarray(progress.curve_VxSxC)[_place(progress, progress.curves, name=name)]


def at(progress, name: str, step: int) -> np.ndarray:
  """Returns a curve at the snapshot next to a step, S."""
  nearest = int(np.abs(np.asarray(progress.step_C) - step).argmin())
  return curve(progress, name)[:, nearest]


def generalises(progress) -> np.ndarray:
  """Returns which members get all test pairs right at the end, S."""
  return curve(progress, "test/accuracy")[:, -1] > SURE


def boundary(progress, name: str) -> np.ndarray:
  """Returns the steps of a boundary by member, S; NaN: never reached. Raises as
  `_place` does."""
  return np.asarray(progress.boundary_ExS)[_place(progress, progress.phases, boundary=name)]


def _place(progress, rows, **where) -> int:
  """Returns which of a `progress` result's records has a value.

  Raises what `trial.row` raises for none, with the reason: networks without
  frequencies, of plain addition and modulo an even number, have other curves.
  """
  try:
    return list(rows).index(trial.row(rows, **where))
  except trial.Missing as missing:
    waves = "has" if progress.modular else "has no"
    reason = f"{missing} ({progress.population} {waves} frequencies of an odd modulus)"
    raise type(missing)(reason) from None


class Number:
  """A number of an analysis: ours, and its value for every member."""

  def __init__(self, found, key: str):
    row = next(row for row in found.table if row["key"] == key)
    self.ours = row["ours"]
    self.value_S = np.asarray(row["values"], float)
    self.untrained = row["untrained"]

  def __str__(self) -> str:
    known_S = self.value_S[np.isfinite(self.value_S)]
    if known_S.size == 1:
      return f"{known_S[0]:.3g}"
    range_ = f"{known_S.min():.3g} to {known_S.max():.3g}"
    median = f"{np.median(known_S):.3g}"
    if not np.isfinite(self.ours):
      return f"{median} in the median ({range_})"
    return f"{self.ours:.3g} (members {median}, {range_})"


def numbers(found, *keys: str) -> list[Number]:
  """Returns numbers of a result by key; raises `trial.Inapplicable` for none."""
  known = {row["key"] for row in found.table}
  for key in keys:
    if key not in known:
      raise trial.Inapplicable(f"the number {key!r}")
  return [Number(found, key) for key in keys]


def behind(**named) -> dict:
  """Returns what stands behind a verdict as plain numbers: of a `Number` ours
  and the median of the members."""
  plain: dict[str, float] = {}
  for name, value in named.items():
    if isinstance(value, Number):
      plain[f"{name}, ours"] = float(value.ours)
      plain[f"{name}, median"] = float(np.nanmedian(value.value_S))
    else:
      plain[name] = float(value)
  return plain


def verdict(status: trial.Status, because: str, numbers: Mapping) -> Verdict:
  """Returns the verdict, its sentence ended with a full stop."""
  return Verdict(status=status, because=f"{because}.", numbers=numbers)


def held(holds: bool, *, artefact: bool = False) -> trial.Status:
  """Returns whether a claim is reproduced, and if, whether by an artefact."""
  if not holds:
    return "not reproduced"
  return "reproduced, but an artefact" if artefact else "reproduced"


def by_members(holds_S, because: str, numbers: Mapping, *, artefact: bool = False) -> Verdict:
  """Returns the verdict on what should hold for members of any split and
  start: for MOST of them it is reproduced; fewer than ENOUGH decide nothing."""
  holds_S = np.asarray(holds_S, bool)
  said = f"holds for {holds_S.sum()} of {holds_S.size} members: {because}"
  if holds_S.size < ENOUGH:
    return verdict("needs more compute", said, numbers)
  status = held(bool(holds_S.mean() >= MOST), artefact=artefact)
  return verdict(status, said, numbers)
