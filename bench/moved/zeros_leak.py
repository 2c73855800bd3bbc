"""Where the fields of leak went."""

from primelens.lens import tables


def _bounded(new, name):
  rows = []
  for row in tables.rows(new["leak"], name):
    found = {}
    for key, value in row.items():
      found |= (
        dict(zip(("nats", "low", "high"), map(float, value[:3]), strict=True))
        if key == "nats"
        else {key: value}
      )
    rows.append(found)
  return rows


def _setting(new):
  found = new["leak"]
  names = {
    "mode": "mode",
    "residual": "residual",
    "positions": "positions",
    "window": "window_length",
    "layers": "layers",
    "width": "width",
    "steps": "steps",
  }
  return [
    {old: found.attrs[name] for old, name in names.items()}
    | {"seeds": found.sizes["seed"], "parameters": found.attrs["parameters"]}
  ]


_of = lambda name: lambda new: new["leak"][name].values
MAP = {
  "leak/position_R": _of("cut"),
  "leak/full_SxR": _of("whole"),
  "leak/cut_SxR": _of("ends_there"),
  "leak/leak_R": _of("leak"),
  "leak/leak_low_R": lambda new: new["leak"].leak_interval.values[..., 0],
  "leak/leak_high_R": lambda new: new["leak"].leak_interval.values[..., 1],
  "leak/nll_VxSxT": _of("nll"),
  "leak/all_SxN": _of("all_nll"),
  "leak/last_SxN": _of("last_nll"),
  "leak/mass_SxLxH": _of("mass"),
  "leak/untrained_mass_SxLxH": _of("untrained_mass"),
  "leak/uniform_mass": lambda new: new["leak"].uniform_mass,
  "leak/evaluated": lambda new: [
    {"evaluated": name} for name in new["leak"].evaluated.values.tolist()
  ],
  "leak/scores": lambda new: _bounded(new, "scores"),
  "leak/changes": lambda new: _bounded(new, "changes"),
  "leak/setting": _setting,
  "leak/block": lambda new: new["leak"].block,
}
