"""Where the fields of memory_effect went."""


def _of(name):
  return lambda new: new["memory_effect"][name].values


def _arms(new):
  found, rows = new["memory_effect"], []
  for i, name in enumerate(found.arm.values.tolist()):
    one = found.isel(arm=i)
    row = {"arm": name, "mean_spacing": float(one.mean_spacing)}
    for stem in ("plateau", "slope", "variance_10"):
      for key in (stem, f"{stem}_change"):
        row[key] = float(one[key])
        row[f"{key}_low"], row[f"{key}_high"] = map(float, one[f"{key}_interval"].values)
    row |= {
      "distance": float(one.distance),
      "distance_error": float(one.distance_error),
      "memory_norm": float(one.memory_norm),
    }
    for old, key in (
      ("published_plateau", "mean_as_published"),
      ("published_spread", "spread_as_published"),
      ("gain_percent_as_published", "gain"),
      ("gain_percent_low", "lowest_gain"),
      ("gain_percent_high", "highest_gain"),
    ):
      row[old] = float(one[key])
    rows.append(row)
  return rows


MAP = (
  {"memory_effect/arms": _arms}
  | {
    f"memory_effect/{old}": _of(new)
    for old, new in (
      ("tau_Q", "tau"),
      ("k_VxQ", "k"),
      ("real_k_Q", "real_k"),
      ("renewal_k_Q", "renewal_k"),
      ("plateau_VxSxR", "plateau_by_repeat"),
      ("published_VxSxR", "plateau_as_published"),
      ("published_null_P", "null_as_published"),
      ("variance_VxE", "number_variance"),
      ("real_variance_E", "real_number_variance"),
      ("length_E", "length"),
      ("norm_S", "norm"),
    )
  }
  | {
    f"memory_effect/{name}": (lambda new, name=name: new["memory_effect"].attrs[name])
    for name in ("real_plateau", "real_slope", "real_blocks", "variant", "trajectories", "tokens")
  }
)
