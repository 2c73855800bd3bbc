"""Which run a claim of the primes study is about, and what is read of it."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from primelens.lens import claims as trial
from primelens.lens.claims import Claim

REPOSITORY = "benjiesun666-gif/svd-prime-grokking (2026-02-05 to 2026-04-01)"
SEEDS = 3  # members that decide a claim
# Plan A: what a run is like unless a claim says otherwise.
PLAN_A: dict[str, Any] = {
  "sequence": "primes",
  "embedding": "learned",
  "embedding_std": 0.02,
  "order": "fixed",
  "held_out": "none",
  "context": 0,
  "flows": 1,
  "kernel": False,
  "accumulation": 16,
}
KERNEL = {"kernel": True, "accumulation": 2}


def find(results, analysis: str, **where) -> dict[str, Any]:
  """Returns `{run: result}` of the runs like plan A but for `where`.

  Raises `trial.Missing`, in words, where there is none with SEEDS members.
  """
  wanted = PLAN_A | where

  def accept(table: Mapping) -> bool:
    if "memory" not in table:
      return False
    setting = table["memory"].setting[0]
    same = all(setting[name] == value for name, value in wanted.items())
    return same and setting["seeds"] >= SEEDS

  said = ", ".join(f"{name} {value}" for name, value in where.items())
  return trial.need(results, analysis, accept, said or "of plan A")


def of(results, analysis: str, **where):
  """Returns the first result that `find` finds; of a few sizes the largest."""
  found = find(results, analysis, **where)
  size = lambda name: results[name]["memory"].setting[0]["primes"]
  return found[max(found, key=size)]


def error(memory, part: str, predictor: str, name: str = "mae") -> float:
  """Returns an error of a predictor on a part, the mean over members."""
  return trial.row(memory.errors, part=part, predictor=predictor)[name]


def held_out(memory) -> float:
  """Returns the squared error of gaps left out, in variances; NaN for none."""
  try:
    return error(memory, "held out", "network", "z_mse")
  except trial.Missing:
    return math.nan


def constant(memory, part: str) -> float:
  """Returns the mean absolute error of the better of two constants."""
  return min(error(memory, part, kind) for kind in ("mean", "median"))


def published(spectra, name: str, when: str = "end") -> float:
  """Returns the median over members of a number of the first query matrix."""
  rows = [row for row in spectra.published if row["when"] == when]
  return float(np.median([row[name] for row in rows]))


def noise(spectra, name: str) -> float:
  """Returns the mean of a metric over noise of the first query matrix's
  shape."""
  rows = [row for row in spectra.record if row["matrix"] == "query/0"]
  return float(rows[0][f"{name}_null"])


def records(spectra, **where) -> list[Mapping]:
  """Returns the records of matrices that have these values."""
  return [row for row in spectra.record if all(row[name] == value for name, value in where.items())]


def claim(id: str, item: str, statement: str, reported: str, test: Callable) -> Claim:
  """Returns a claim of the source; `item` are sections of the primes spec."""
  source = f"{REPOSITORY} (spec {item})"
  return Claim(id=id, source=source, statement=statement, reported=reported, test=test)
