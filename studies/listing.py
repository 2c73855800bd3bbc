"""Records as aligned text, for a terminal."""

import math
from collections.abc import Mapping, Sequence

from primelens.tasks import files


def aligned(records: Sequence[Mapping], columns: Sequence[str]) -> str:
  """Returns a line per record under a line of names; numbers to the right."""
  cells = [[_cell(row[name]) for name in columns] for row in records]
  lines = [list(columns), *cells]
  width = [max(map(len, column)) for column in zip(*lines, strict=True)]
  numeric = [any(isinstance(row[name], float) for row in records) for name in columns]
  pad = lambda cell, i: cell.rjust(width[i]) if numeric[i] else cell.ljust(width[i])
  return "\n".join(
    "  ".join(pad(cell, i) for i, cell in enumerate(line)).rstrip() for line in lines
  )


def _cell(value) -> str:
  if not isinstance(value, float):
    return files.shown(value)
  return "-" if math.isnan(value) else f"{value:.4g}"
