"""Where the fields of yardstick went."""


def _table(new):
  found = new["yardstick"]
  rows = []
  for p in range(found.sizes["height"]):
    for g, name in enumerate(found.predictor.values.tolist()):
      one = found.isel(height=p, predictor=g)
      row = _place(found, p) | {"name": name, "kind": str(one.kind.values)}
      row |= {"seen": bool(one.seen), "excess_seen": bool(one.excess_seen)}
      for old, start, key in (
        ("nll_nats", "", "nll"),
        ("r2", "r2_", "r2"),
        ("bias", "bias_", "bias"),
        ("rmse", "rmse_", "rmse"),
        ("excess_nats", "excess_", "excess"),
        ("excess_r2", "excess_r2_", "excess_r2"),
      ):
        low, high = one[f"{key}_interval"].values.tolist()
        row |= {old: float(one[key]), f"{start}low": low, f"{start}high": high}
      rows.append(row)
  return rows


def _place(found, p):
  one = found.isel(height=p)
  return {
    "stretch": p,
    "height": float(one.height),
    "zero": int(one.zero),
    "split": str(one.split.values),
    "drawn": bool(one.drawn),
  }


MAP = {
  "yardstick/table": _table,
  "yardstick/stretches": lambda new: [
    _place(new["yardstick"], p) for p in range(new["yardstick"].sizes["height"])
  ],
  "yardstick/nll_SxP": lambda new: new["yardstick"].network_nll.values,
  "yardstick/height_P": lambda new: new["yardstick"].height.values,
  "yardstick/scored": lambda new: new["yardstick"].scored,
  "yardstick/block": lambda new: new["yardstick"].block,
  "yardstick/past": lambda new: new["yardstick"].past,
  "yardstick/errors": lambda new: new["yardstick"].errors,
}
