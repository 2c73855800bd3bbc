"""Where the fields of linear went."""

from primelens.lens import tables


def _of(name):
  return lambda new: new["linear"][name].values


def _end(name, i):
  return lambda new: new["linear"][f"{name}_interval"].values[..., i]


def _sums(new):
  found, rows = new["linear"], []
  for order in found.order.values.tolist():
    one = {key: found.sel(regressed=key, order=order) for key in ("truth", "model")}
    row = {"order": order}
    for key in ("truth", "model"):
      row |= {f"{key}_sum": one[key].coefficient_sum.item(), f"{key}_r2": one[key].r2.item()}
    for k in range(1, min(order, 3) + 1):
      row |= {f"{key}_lag{k}": one[key].coefficient.sel(lag=k).item() for key in ("truth", "model")}
    rows.append(row)
  return rows


MAP = {
  "linear/truth_Q": _of("truth"),
  "linear/truth_low_Q": _end("truth", 0),
  "linear/truth_high_Q": _end("truth", 1),
  "linear/model_SxQ": _of("model"),
  "linear/model_low_Q": _end("mean_model", 0),
  "linear/model_high_Q": _end("mean_model", 1),
  "linear/jacobian_SxQ": _of("jacobian"),
  "linear/sums": _sums,
  "linear/scores": lambda new: tables.rows(new["linear"], "scores"),
  "linear/samples": lambda new: new["linear"].samples,
}
