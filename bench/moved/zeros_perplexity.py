"""Where the fields of perplexity went."""


def _of(name, *at):
  return lambda new: new["perplexity"][name].values[(..., *at)]


def _table(new):
  found, rows = new["perplexity"], []
  for i, name in enumerate(found.predictor.values.tolist()):
    one = found.isel(predictor=i)
    low, high = map(float, one.nll_interval.values)
    row = {
      "predictor": f"model ({found.network})" if i == 0 else name,
      "nll_nats": float(one.nll),
      "low": low,
      "high": high,
      "perplexity": float(one.perplexity),
    }
    row["perplexity_low"], row["perplexity_high"] = map(float, one.perplexity_interval.values)
    if i:
      row["model_minus_nats"] = float(one.network_minus)
      row["model_minus_low"], row["model_minus_high"] = map(
        float, one.network_minus_interval.values
      )
    rows.append(row)
  return rows


MAP = {
  "perplexity/table": _table,
  "perplexity/floor": lambda new: new["perplexity"].floor,
  "perplexity/nll_S": _of("network_nll"),
  "perplexity/leak_SxP": _of("leak_of_seeds"),
  "perplexity/leak_low_P": _of("leak_interval", 0),
  "perplexity/leak_high_P": _of("leak_interval", 1),
  "perplexity/position_P": _of("position"),
  "perplexity/last_nll_S": _of("last_nll"),
  "perplexity/variant": lambda new: new["perplexity"].variant,
  "perplexity/scored": lambda new: new["perplexity"].scored,
  "perplexity/windows": lambda new: new["perplexity"].windows,
}
