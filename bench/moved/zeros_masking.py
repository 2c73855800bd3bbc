"""Where the fields of masking went."""


def _ends(found, name, i):
  return found[f"{name}_interval"].values[..., i]


def _summary(new):
  found = new["masking"]
  rows = []
  for i, seed in enumerate(found.members.values.tolist()):
    row = {
      "seed": seed,
      "ratio_chosen_on_select": float(found.chosen_ratio[i]),
      "intact_nll_nats": float(found.intact_nll[i]),
    }
    for old, name in (
      ("masking_gain", "masking"),
      ("recalibration_gain", "recalibration"),
      ("masking_minus_recalibration",) * 2,
    ):
      row[f"{old}_nats"] = float(found[name][i])
      row[f"{old}_low"], row[f"{old}_high"] = map(float, found[f"{name}_interval"].values[i])
    rows.append(row)
  return rows


MAP = {
  "masking/ratio_R": lambda new: new["masking"].ratio.values,
  "masking/nll_VxSxR": lambda new: new["masking"].nll.transpose("variant", "seed", "ratio").values,
  "masking/select_nll_SxR": lambda new: new["masking"].select_nll.values,
  "masking/delta_VxR": lambda new: new["masking"].delta.values,
  "masking/delta_low_VxR": lambda new: _ends(new["masking"], "delta", 0),
  "masking/delta_high_VxR": lambda new: _ends(new["masking"], "delta", 1),
  "masking/log_scale_SxR": lambda new: new["masking"].log_scale.values,
  "masking/shift_SxR": lambda new: new["masking"].mean_shift.values,
  "masking/survival_ExR": lambda new: new["masking"].survival.values,
  "masking/variants": lambda new: [{"variant": v} for v in new["masking"].variant.values.tolist()],
  "masking/tensors": lambda new: [
    {"tensor": t, "size": int(n)}
    for t, n in zip(
      new["masking"].tensor.values.tolist(), new["masking"]["size"].values, strict=True
    )
  ],
  "masking/summary": _summary,
  "masking/selected": lambda new: new["masking"].selected,
  "masking/left_out": lambda new: new["masking"].left_out,
  "masking/windows": lambda new: new["masking"].windows,
}
