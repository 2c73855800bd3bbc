"""Tables of the analysis `spectra`, for any study that has it."""

import math

from primelens.lens import page

MATRIX = (
  "matrix",
  "member",
  "live",
  "rows",
  "columns",
  "effective_rank",
  "effective_rank_null",
  "effective_rank_p_bh",
  "effective_rank_squares",
  "stable_rank",
  "max_to_mean",
  "outliers",
  "ks_matched",
  "distance",
  "moved_effective_rank",
  "r_ratio",
  "ks_goe",
  "ks_poisson",
)


def cell(value) -> str:
  """Returns a value as a cell: yes or no, words as they are, a number short."""
  if isinstance(value, bool):
    return "yes" if value else "no"
  return value if isinstance(value, str) else page.short(value)


def matrices(result) -> page.Markup:
  """Returns every matrix of every member, folded."""
  keys = [key for key in MATRIX if any(key in row for row in result.record)]
  body = [[cell(row.get(key, math.nan)) for key in keys] for row in result.record]
  head = [key.replace("_", " ") for key in keys]
  title = f"Every matrix ({len(body)})"
  return page.details(title, page.table(head, body, caption=title, text=(0, 2)))
