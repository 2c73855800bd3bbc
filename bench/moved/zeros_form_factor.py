"""Where the fields of form_factor went."""

from primelens.lens import tables


def _of(name):
  return lambda new: new["form_factor"][name].values


def _records(name):
  def each(new):
    return [dict(row) for row in tables.rows(new["form_factor"], name)]

  return each


def _sequences(new):
  found, rows = new["form_factor"], []
  for i, name in enumerate(found.sequence.values.tolist()):
    one = found.isel(sequence=i)
    row = {
      "sequence": name,
      "spacings": int(one.spacings),
      "blocks": int(one.blocks),
      "enough_blocks": bool(one.enough_blocks),
      "mean": float(one.mean_spacing),
      "variance": float(one.spacing_variance),
    }
    for old, key in (
      ("ramp_intercept",) * 2,
      ("ramp_slope",) * 2,
      ("plateau",) * 2,
      ("window", "published_window"),
      ("squared_distance_gue",) * 2,
      ("squared_distance_renewal",) * 2,
    ):
      row[old] = float(one[key])
      row[f"{old}_low"], row[f"{old}_high"] = map(float, one[f"{key}_interval"].values)
    rows.append(row)
  return rows


def _plateaus(new):
  found = new["form_factor"]
  return [
    {
      "measure": m,
      "sequence": s,
      "value": float(found.single_plateau[i, j]),
      "shuffled_mean": float(found.shuffled_plateau[i]),
      "spread": float(found.plateau_spread[i]),
    }
    for i, m in enumerate(found.measure.values.tolist())
    for j, s in enumerate(found.sequence.values.tolist())
  ]


MAP = {
  "form_factor/tau_Q": _of("tau"),
  "form_factor/form_factor_VxQ": _of("form_factor"),
  "form_factor/error_VxQ": _of("form_factor_error"),
  "form_factor/renewal_Q": _of("renewal"),
  "form_factor/gue_Q": _of("gue"),
  "form_factor/length_E": _of("length"),
  "form_factor/number_variance_VxE": _of("number_variance"),
  "form_factor/number_variance_error_VxE": _of("number_variance_error"),
  "form_factor/gue_number_variance_E": _of("gue_number_variance"),
  "form_factor/sequences": _sequences,
  "form_factor/plateaus": _plateaus,
  "form_factor/scaling": _records("scaling"),
  "form_factor/jitter": _records("jitter"),
  "form_factor/resonance_tau_T": _of("fine_tau"),
  "form_factor/resonance_VxT": _of("resonance"),
  "form_factor/resonance_jittered_T": _of("resonance_jittered"),
  "form_factor/resonance_expected_T": _of("resonance_expected"),
  "form_factor/block": lambda new: new["form_factor"].block,
}
