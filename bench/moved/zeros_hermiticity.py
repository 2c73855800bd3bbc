"""Where the fields of hermiticity went."""

from primelens.lens import tables


def _parts(new):
  found = new["hermiticity"]
  place = {int(seed): s for s, seed in enumerate(found.seed.values)}
  rows = []
  for part, name in (("heads", "networks"), ("bank", "bank"), ("slots", "slots")):
    for i, row in enumerate(tables.rows(found, name)):
      row = {"part": part} | row | {"seed": place[row["seed"]]}
      if part == "slots":
        row["frequencies"] = found.frequency.values[i].tolist()
      rows.append(row)
  return rows


_of = lambda name: lambda new: new["hermiticity"][name].values
_attr = lambda name: lambda new: new["hermiticity"].attrs[name]
MAP = {
  "hermiticity/asymmetry_SxLxH": _of("asymmetry"),
  "hermiticity/rotation_SxLxH": _of("rotation"),
  "hermiticity/untrained_SxLxH": _of("untrained_asymmetry"),
  "hermiticity/z_SxLxH": _of("z"),
  "hermiticity/p_SxLxH": _of("p"),
  "hermiticity/p_holm_SxLxH": _of("p_holm"),
  "hermiticity/null_mean": _attr("null_mean"),
  "hermiticity/null_sd": _attr("null_sd"),
  "hermiticity/null_rotation": _attr("null_rotation"),
  "hermiticity/draws": _attr("draws"),
  "hermiticity/parts": _parts,
  "hermiticity/slot_obstacle": _attr("slot_obstacle"),
}
