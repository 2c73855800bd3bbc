"""Where the fields of operators went."""

from primelens.lens import tables


def _of(name):
  return lambda new: new["operators"][name].values


def _records(name):
  def each(new):
    rows = []
    for row in tables.rows(new["operators"], name):
      flat = {}
      for key, value in row.items():
        if hasattr(value, "estimate"):
          flat |= {key: value.estimate, f"{key}_low": value.low, f"{key}_high": value.high}
        else:
          flat[key] = value
      rows.append(flat)
    return rows

  return each


MAP = {
  "operators/spectra": _records("spectra"),
  "operators/process": _records("process"),
  "operators/density_P": _of("density"),
  "operators/value_PxN": _of("eigenvalue"),
  "operators/largest_off_diagonal": lambda new: new["operators"].largest_off_diagonal,
  "operators/spacing_Q": _of("spacing"),
  "operators/density_VxQ": _of("spacing_density"),
  "operators/size": lambda new: new["operators"].matrix_size,
}
