"""Every number of the source beside the recomputed one and ours, one table."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from primelens.studies.addition import tables

CONTROLS = {"permuted": tables.PERMUTED, "no_decay": tables.NO_DECAY, "unordered": tables.UNORDERED}
COLUMNS = (
  "item",
  "quantity",
  "source",
  "recomputed",
  "ours",
  "verdict",
  "drift_low",
  "drift_high",
  "median",
  "minimum",
  "maximum",
  "untrained",
  *CONTROLS,
)


def joined(results: Mapping[str, Mapping]) -> tuple[dict, ...]:
  """Returns a record per number of `{run: {analysis: Result}}`, by COLUMNS.

  median, minimum and maximum are over the members of the published setting,
  drift_low and drift_high over the twins shaken by rounding, and the controls
  are medians of runs that differ in one thing. Runs that are not given leave
  NaN. Several settings of published runs (P = 10, modulo 113) follow each
  other.
  """
  rows: dict[tuple, dict] = {}
  for analysis, row in _rows(results):
    sums, its = row["population"].split(", ", 1)
    rows.setdefault((sums, analysis, row["key"]), {})[its] = row
  return tuple(_record(analysis, found) for (_, analysis, _), found in rows.items())


def _rows(results) -> Iterator[tuple[str, dict]]:
  for table in results.values():
    for analysis, result in table.items():
      for row in getattr(result, "table", ()):
        yield analysis, row


def _record(analysis: str, found: Mapping[str, dict]) -> dict:
  """Returns the record of one number, from its row in each population."""
  main = found.get(tables.PUBLISHED) or next(iter(found.values()))
  twins = found.get(tables.DRIFT, {})
  record = {
    "analysis": analysis,
    "key": main["key"],
    "item": main["item"],
    "quantity": main["quantity"],
    "source": main["source"],
    "recomputed": main["recomputed"],
    "ours": main["ours"],
    "drift_low": twins.get("minimum", np.nan),
    "drift_high": twins.get("maximum", np.nan),
    **{k: main[k] for k in ("median", "minimum", "maximum", "untrained")},
    **{name: found.get(its, {}).get("median", np.nan) for name, its in CONTROLS.items()},
    "remark": main["remark"],
  }
  return record | {"verdict": verdict(record, main["tolerance"])}


def verdict(record: Mapping, tolerance: float) -> str:
  """Returns how our number stands to the recomputed one.

  "agrees": within the tolerance; "within drift": not, but the recomputed one
  lies in the range of the twins; "not portable": a count or a neuron's number
  that no two programs share; "differs"; "" without both numbers.
  """
  ours, recomputed = record["ours"], record["recomputed"]
  if not (math.isfinite(ours) and math.isfinite(recomputed)):
    return ""
  if math.isinf(tolerance):
    return "agrees" if ours == recomputed else "not portable"
  if abs(ours - recomputed) <= tolerance:
    return "agrees"
  low = record["drift_low"] - tolerance
  return "within drift" if low <= recomputed <= record["drift_high"] + tolerance else "differs"
