"""The report on guided networks: what each guide contributes, run by run."""

import numpy as np
from primelens.analyses import statistics
from primelens.lens import page
from primelens.studies.zeros import guides, reads_ahead, report_losses

GUIDED, NOTHING = "guided by ", "guided by nothing"
ADAPTIVE, LINEAR = "adaptive AR", guides.LINEAR
NOTE = (
  "A guide is a guess of the next spacing, or the height, that uses the"
  " spacings before it alone; a network is told its guides and how they have"
  " erred in the window, weighs and corrects them. The networks differ in"
  " their guides alone, so that a row minus the network without guides is what"
  " its guides contribute, and a row minus the untrained network, which is its"
  " last guess, is what the training adds. Least squares of the same guides,"
  " their last errors and the last spacings says how much of that is linear."
  " To beat: the adaptive anchor on the same spacings."
)


def contributions(tables) -> page.Markup:
  """Returns one row per run of a guided network: its guides, what they give."""
  found = {
    run: table["anchors"].result
    for run, table in tables.items()
    if "anchors" in table and table["anchors"].result.memory.startswith(GUIDED)
  }
  if not found:
    note = "No run on this page has guides: train configs/zeros_guided.py."
    return page.tag("p", note, class_="none")
  told = {run for run, result in found.items() if reads_ahead.caution(result)}
  ranked = sorted(found, key=lambda run: (run in told, found[run].table[0]["nll_nats"]))
  table = page.table(
    (
      "run",
      "guides",
      "parameters",
      "NLL",
      "R²",
      "minus untrained",
      "minus no guides",
      "least squares, R²",
      "minus least squares",
      "minus adaptive anchor",
      "it is",
    ),
    [_row(run, found[run], found) for run in ranked],
    caption="NLL and its changes in nats per spacing on test; 95 % intervals"
    " over seeds and blocks of data, of 'minus no guides' over seeds and blocks of"
    " heights.",
    text=(0, 1, 10),
  )
  return page.join([page.tag("p", NOTE), table])


def _row(run, result, found):
  model, untrained = result.table[:2]
  anchor, linear = (_last(result, name) for name in (ADAPTIVE, LINEAR))
  standing = report_losses.standing(anchor) if anchor else ""
  if anchor and reads_ahead.caution(result):
    standing = report_losses.TOLD
  ends = (model[end] for end in ("nll_nats", "low", "high"))
  return (
    run,
    result.memory.removeprefix(GUIDED),
    page.number(model["parameters"]),
    page.bounded(*ends, digits=3, signed=False),
    page.number(model["r2"], digits=3),
    _minus(untrained),
    _beside(result, found),
    page.number(linear["r2"], digits=3) if linear else "–",
    _minus(linear) if linear else "–",
    _minus(anchor) if anchor else "–",
    page.badge(standing, report_losses.STANDING[standing]) if anchor else "–",
  )


def _last(result, name: str) -> dict | None:
  """Returns the last anchor of a name that begins so, None without one."""
  rows = [row for row in result.table if row["name"].startswith(name)]
  return rows[-1] if rows else None


def _minus(row) -> page.Markup:
  ends = (row[f"model_minus_{end}"] for end in ("nats", "low", "high"))
  return page.bounded(*ends, digits=3)


def _beside(result, found):
  """Returns the distance from the network without guides on the same
  spacings, "–" without one of as many seeds."""
  for other in found.values():
    same = np.array_equal(other.height_P, result.height_P)
    same = same and len(other.nll_S) == len(result.nll_S)
    if other.memory == NOTHING and same and other is not result:
      return page.bounded(*_apart(result, other)[:3], digits=3)
  return "–"


def _apart(result, other) -> statistics.Interval:
  """Returns the difference of two runs over seeds and blocks of heights.

  Windows are not stored: every seed's mean and every block's mean over seeds
  stand for them, so that all noise by height counts as shared.
  """
  change_S = result.nll_S - other.nll_S
  change_P = result.block_nll_ExP[0] - other.block_nll_ExP[0]
  value_SxP = change_S[:, None] + change_P - change_P.mean()
  return statistics.seed_block_interval(value_SxP, block=1)
