"""Where the fields of predictors went."""

_ENDS = {
  "r2": ("r2_low", "r2_high"),
  "nll": ("low", "high"),
  "explains": ("explains_low", "explains_high"),
}
_OLD = {"nll": "nll_nats"}


def _table(new):
  found = new["predictors"]
  rows = []
  for i, name in enumerate(found.predictor.values.tolist()):
    row = {
      "name": name,
      "knows": found.knows.values[i].item()
      if hasattr(found.knows.values[i], "item")
      else str(found.knows.values[i]),
    }
    for key, ends in _ENDS.items():
      row[_OLD.get(key, key)] = float(found[key][i])
      row |= dict(zip(ends, map(float, found[f"{key}_interval"].values[i]), strict=True))
    row |= {
      key: float(found[key][i]) for key in ("explains_untrained", "beyond_filter", "r2_on_cue")
    }
    rows.append(row)
  return rows


MAP = {
  "predictors/table": _table,
  "predictors/scored": lambda new: new["predictors"].scored,
  "predictors/split": lambda new: new["predictors"].split,
}
