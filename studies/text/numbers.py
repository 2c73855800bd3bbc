"""Every number of the source beside the recomputed one and ours, one table.

ours is of the published network, imported; median and range are over the
members trained here, with the published settings.
"""

import math
from collections.abc import Mapping

import numpy as np
from primelens.lens import numbers as reported

COLUMNS = (
  "item",
  "quantity",
  "source",
  "recomputed",
  "ours",
  "verdict",
  "runs",
  "median",
  "minimum",
  "maximum",
  "untrained",
)


def joined(results: Mapping[str, Mapping]) -> tuple[dict, ...]:
  """Returns a record per number of `{run: {analysis: Result}}`, by COLUMNS.

  Runs of one question are joined: the imported network gives ours, the others
  the distribution, one record per population where they differ.
  """
  found: dict[tuple, list[tuple[str, dict]]] = {}
  for run, table in results.items():
    for analysis, result in table.items():
      for row in getattr(result, "table", ()):
        question = row["population"].partition(",")[0]
        key = (question, analysis, row["key"])
        found.setdefault(key, []).append((run, row))
  return tuple(_record(key, rows) for key, rows in found.items())


def _record(key: tuple[str, str, str], rows) -> dict:
  """Returns the record of one number, from its row in each run."""
  question, analysis, name = key
  first = rows[0][1]
  own = [row for _, row in rows if np.isfinite(row["ours"])]
  trained = [(run, row) for run, row in rows if not np.isfinite(row["ours"])]
  values = [v for _, row in trained for v in row["values"]]
  record = {
    "question": question,
    "analysis": analysis,
    "key": name,
    **{field: first[field] for field in ("item", "quantity", "source")},
    "recomputed": first["recomputed"],
    "ours": own[0]["ours"] if own else math.nan,
    "runs": ", ".join(run for run, _ in trained),
    **reported.spread(values),
    "untrained": reported.median([row["untrained"] for _, row in rows]),
    "remark": first["remark"],
  }
  return record | {"verdict": verdict(record, first["tolerance"])}


def verdict(record: Mapping, tolerance: float) -> str:
  """Returns "agrees" or "differs" of ours and the recomputed number, within
  the tolerance; "" without both, "not portable" where none is given."""
  ours, recomputed = record["ours"], record["recomputed"]
  if not (math.isfinite(ours) and math.isfinite(recomputed)):
    return ""
  if math.isinf(tolerance):
    return "agrees" if ours == recomputed else "not portable"
  return "agrees" if abs(ours - recomputed) <= tolerance else "differs"
