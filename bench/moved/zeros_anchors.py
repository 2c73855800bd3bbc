"""Where the fields of anchors went."""


def _table(new):
  found, rows = new["anchors"], []
  for e, name in enumerate(found.predictor.values.tolist()):
    low, high = found.loss_interval.values[e].tolist()
    row = {
      "name": name,
      "parameters": int(found.parameters[e]),
      "nll_nats": float(found.loss[e]),
      "low": low,
      "high": high,
      "r2": float(found.r2[e]),
    }
    if e < 2:
      row["seed_standard_error"] = float(found.seed_standard_error[e])
    if e == 0:
      row |= {
        key: found.attrs[key] for key in ("ahead_spacings", "ahead_nats") if key in found.attrs
      }
    else:
      low, high = found.model_minus_interval.values[e].tolist()
      row |= {
        "model_minus_nats": float(found.model_minus[e]),
        "model_minus_low": low,
        "model_minus_high": high,
      }
    rows.append(row)
  return rows


MAP = {
  "anchors/table": _table,
  "anchors/nll_S": lambda new: new["anchors"].nll.values,
  "anchors/block_nll_ExP": lambda new: new["anchors"].loss_by_height.values,
  "anchors/height_P": lambda new: new["anchors"].height.values,
  "anchors/permuted_nll_SxR": lambda new: new["anchors"].permuted_nll.values,
  "anchors/ensemble_nll_S": lambda new: new["anchors"].ensemble_nll.values,
  "anchors/parameters": lambda new: int(new["anchors"].parameters[0]),
} | {
  f"anchors/{key}": (lambda new, key=key: new["anchors"].attrs[key])
  for key in ("permuted_windows", "memory", "scored", "min_context", "split", "data")
}
