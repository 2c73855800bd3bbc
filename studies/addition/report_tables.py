"""Tables of the report, analysis by analysis."""

import math

from primelens.lens import page
from primelens.studies.addition import tables


def is_main(result) -> bool:
  """Returns whether a result is of the source's own setting, or differs from it
  in sizes alone."""
  return tables.is_setting(population(result))


def population(result) -> str:
  """Returns what the members of a result's run have in common."""
  rows = getattr(result, "table", ())
  return rows[0]["population"] if rows else getattr(result, "population", "")


def of(name: str, result) -> page.Markup:
  """Returns the tables of an analysis' result."""
  parts = [page.tag("p", f"Members: {population(result)}.")]
  if getattr(result, "fits", ()):
    parts.append(_fits(result.fits))
  own = {"subspace": _variants}.get(name)
  own = {"progress": _phases}.get(name)
  if own:
    parts.append(own(result))
  return page.join(parts)


def _fits(rows) -> page.Markup:
  """Returns the fits: R2 in and out of sample, and what they are worth."""
  measure = lambda row, name: page.short(row.get(name, math.nan))
  body = [
    (
      row["item"],
      f"{row['target']} on {row['design']}",
      measure(row, "r2_mean_ours"),
      measure(row, "r2_mean"),
      page.span(row["r2_mean_min"], row["r2_mean_max"]),
      measure(row, "heldout_mean"),
      measure(row, "accuracy"),
      measure(row, "nll_nats"),
      measure(row, "test_accuracy"),
      measure(row, "r2_mean_untrained"),
    )
    for row in rows
  ]
  head = (
    "item",
    "fit",
    "R² ours",
    "R²",
    "range",
    "R² held out",
    "accuracy",
    "loss",
    "test accuracy",
    "R² untrained",
  )
  return page.table(
    head,
    body,
    caption="Least-squares fits: mean R² over columns (ours: the source's own"
    " network; else the median over members), fitted on train pairs and scored"
    " on test pairs (held out), and accuracy and cross-entropy in nats of the"
    " logits that the fitted values give.",
    text=(0, 1),
  )


