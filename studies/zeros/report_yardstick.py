"""Section of the report on how predictable the next zero is, by height."""

from primelens.lens import ledger as report_ledger
from primelens.lens import page

_NOTE = page.tag(
  "p",
  "Every predictor is scored on the same spacings of each stretch. Filters are"
  " fitted once, on the run's train split, or again on the spacings just behind"
  " the stretch; the sine process is all that random matrices know; the"
  " explicit formula with the primes up to X has no fitted parameter in its"
  " mean, and its sigma is that of its errors just before the stretch. A value"
  " with a circle (○) is of a predictor whose train or select split lies at"
  " these heights. The other computed zeros no network has seen: they lie above"
  " all that it was trained on, so that a network has to carry what it knows to"
  " other frequencies.",
)


def yardstick(tables) -> page.Markup:
  """Returns the predictors by height, run by run."""
  caption = "R² and NLL of the next spacing by height, network on top."
  runs = report_ledger.each(tables, "yardstick", caption, _yardstick)
  return page.join([_NOTE, runs])


def _yardstick(result) -> page.Markup:
  blocks = f"Intervals over blocks of {result.block} spacings"
  parts = [
    _table(result, "nll_nats", ("low", "high"), f"NLL in nats. {blocks}."),
    _table(result, "r2", ("r2_low", "r2_high"), "R² of the next spacing."),
    _table(
      result,
      "excess_nats",
      ("excess_low", "excess_high"),
      "The network's NLL minus the predictor's, nats, paired; over seeds too.",
    ),
  ]
  more = [
    _table(result, key, (f"{key}_low", f"{key}_high"), caption)
    for key, caption in (("bias", "Mean error."), ("rmse", "Root mean square error."))
  ]
  more.append(
    _table(
      result,
      "excess_r2",
      ("excess_r2_low", "excess_r2_high"),
      "The network's R² minus the predictor's, paired.",
    )
  )
  return page.join([*parts, page.details("Bias, RMSE, R² apart", *more)])


def _table(result, key: str, ends, caption: str) -> page.Markup:
  """Returns one measure: a row per predictor, a column per stretch."""
  by_name: dict = {}
  for row in result.table:
    by_name.setdefault(row["name"], {})[row["stretch"]] = row
  rows = [
    (name, *(_cell(of.get(p["stretch"]), key, ends) for p in result.stretches))
    for name, of in by_name.items()
  ]
  marked = [
    i for i, of in enumerate(by_name.values()) if next(iter(of.values()))["kind"] == "network"
  ]
  heads = [
    page.join([page.number(p["height"], digits=0), " ", _where(p)]) for p in result.stretches
  ]
  return page.table(
    ("predictor", *heads),
    rows,
    caption=f"{caption} {result.scored:,} spacings per height.",
    marked=marked,
  )


def _where(place) -> page.Markup:
  """Returns which zeros a stretch has."""
  unread = place["split"] == "train" and not place["drawn"]
  where = "train, not drawn from" if unread else place["split"]
  return page.tag("small", f"{where}, zero {place['zero']:,} …")


def _cell(row, key: str, ends) -> page.Markup:
  if row is None:
    return page.Markup("–")
  low, high = (row[end] for end in ends)
  signed = key not in ("r2", "rmse")
  shown = page.bounded(row[key], low, high, digits=3, signed=signed)
  seen = row["excess_seen" if key.startswith("excess") else "seen"]
  return page.join([shown, " ○" if seen else ""])
