"""Sections of the report on losses: models beside anchors, and all models."""

from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.zeros import published, reads_ahead

TOLD = "reads its target"
STANDING = {"ahead": "good", "behind": "bad", "undecided": "open", TOLD: "odd"}


def standing(row) -> str:
  """Returns whether the model is ahead of an anchor, by the paired interval."""
  if row["model_minus_high"] < 0:
    return "ahead"
  return "behind" if row["model_minus_low"] > 0 else "undecided"


def runs(tables) -> page.Markup:
  """Returns the anchors of every run."""
  parts = [
    _run(run, table["anchors"]) if "anchors" in table else report_ledger.absent("anchors", run)
    for run, table in tables.items()
  ]
  note = page.tag(
    "p",
    "An anchor is what anyone can predict without a network. It may look back"
    " over the whole sequence; only the scored spacings are shared with the"
    " model. A network that is behind an anchor has nothing to teach about"
    " what the anchor already knows.",
  )
  return page.join([note, *(parts or [report_ledger.absent("anchors")])])


def seeds(result) -> str:
  """Returns how many networks a run has, and what its intervals are over."""
  count = len(result.nll_S)
  return f"{count} seeds" if count > 1 else "1 seed: the interval is over data alone"


def _run(run, stored) -> page.Markup:
  result, mine = stored.result, stored.result.table[0]
  caution = reads_ahead.caution(result)
  last = lambda row: bool(caution) and row is mine  # what is no prediction has no rank
  rows = sorted(result.table, key=lambda row: (last(row), row["nll_nats"]))
  each = ", ".join(page.number(float(x)) for x in result.nll_S)
  table = page.table(
    ("predictor", "parameters", "NLL", "interval", "R²", "model minus anchor", "the model is"),
    [_row(row, TOLD if caution else "") for row in rows],
    caption=f"NLL in nats per spacing on {result.scored:,} spacings of"
    f" {result.split}, each with at least {result.min_context} spacings behind"
    f" it. Model by seed: {each} ({seeds(result)}){caution and f'; {caution}'}.",
    text=(0, 6),
    marked=[i for i, row in enumerate(rows) if row is mine],
  )
  caption = f"{run}: model and anchors, overall and by height."
  return page.join(
    [report_ledger.heading(run, stored), page.figure(stored.figure_path, caption), table]
  )


def _row(row, told: str):
  """Returns the cells of a predictor; a network that is told is ahead of none."""
  parts = (
    row["name"],
    page.number(row.get("parameters") or None),
    page.number(row["nll_nats"]),
    page.interval(row["low"], row["high"], signed=False),
    page.number(row.get("r2"), digits=3),
  )
  if "model_minus_low" not in row:
    return (*parts, "", page.badge(told, STANDING[told]) if told else "")
  ends = (row[f"model_minus_{end}"] for end in ("nats", "low", "high"))
  verdict = told or standing(row)
  return (*parts, page.bounded(*ends), page.badge(verdict, STANDING[verdict]))


def comparison(tables) -> page.Markup:
  """Returns published networks, linear filters and our runs, by NLL."""
  rows = [(row, "published", "odd") for row in published.NETWORKS]
  rows += [(row, "linear filter", "open") for row in published.FILTERS]
  rows += [(row, "this page", "good") for row in _ours(tables)]
  rows.sort(key=lambda item: item[0]["nll_nats"])
  rows += [(row, TOLD, STANDING[TOLD]) for row in _ours(tables, told=True)]
  table = page.table(
    ("predictor", "NLL", "from", "interval", "parameters", "scored on"),
    [
      (
        row["name"],
        page.number(row["nll_nats"], digits=3),
        page.badge(origin, kind),
        page.interval(row.get("low"), row.get("high"), digits=3, signed=False),
        page.number(row["parameters"]),
        row["remark"],
      )
      for row, origin, kind in rows
    ],
    caption="NLL in nats per spacing, best first, behind them networks that read their targets."
    " Published networks came without intervals.",
    text=(0, 2, 5),
    marked=[i for i, item in enumerate(rows) if item[1] == "this page"],
  )
  return page.join([_caution(), table])


def _ours(tables, *, told: bool = False) -> list[dict]:
  """Returns a row for each run whose network predicts, or else is told."""
  cautions = reads_ahead.cautions(tables)
  return [
    stored.result.table[0]
    | {
      "remark": f"{stored.result.split}, {stored.result.scored:,} spacings with"
      f" at least {stored.result.min_context} behind them,"
      f" {seeds(stored.result)}{f'; {cautions[run]}' if told else ''}"
    }
    for run, table in tables.items()
    if (stored := table.get("anchors")) and (run in cautions) == told
  ]


def _caution() -> page.Markup:
  return page.tag(
    "p",
    "Published values are quoted as reported; they were selected and reported"
    " on the same tail, one seed a row. Filters were computed apart from this"
    " code, with numpy. Rows scored on other positions compare only roughly:"
    " E0, E1, E2, v0 and v1 average over positions with little behind them too."
    f" The study's later headline, {published.FLASH_NLL}, is left out: it is"
    " on other zeros, by a network whose attention mask lets the future in.",
  )
