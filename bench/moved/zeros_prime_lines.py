"""Where the fields of prime_lines went."""

from primelens.lens import tables

_SUMMARY = (
  "correlation",
  "slope",
  "primes",
  "max_t",
  "bh",
  "above_composites",
  "share_above_composites",
)


def _summary(new):
  found = new["prime_lines"]
  return [
    {"height": float(found.height[p])} | {key: found[key][p].item() for key in _SUMMARY}
    for p in range(found.sizes["height"])
  ]


def _overall(new):
  found = new["prime_lines"]
  rows = []
  for i, quantity in enumerate(found.quantity.values.tolist()):
    low, high = map(float, found.overall_interval.values[i])
    rows.append({"quantity": quantity, "mean": float(found.overall[i]), "low": low, "high": high})
  return rows


MAP = {
  "prime_lines/height_P": lambda new: new["prime_lines"].height.values,
  "prime_lines/prime_Q": lambda new: new["prime_lines"].prime.values,
  "prime_lines/amplitude_PxQ": lambda new: new["prime_lines"].amplitude.values,
  "prime_lines/law_PxQ": lambda new: new["prime_lines"].law.values,
  "prime_lines/max_t_PxQ": lambda new: new["prime_lines"].p_max_t.values,
  "prime_lines/bh_PxQ": lambda new: new["prime_lines"].p_bh.values,
  "prime_lines/composite_E": lambda new: new["prime_lines"].composite.values,
  "prime_lines/composite_PxE": lambda new: new["prime_lines"].composite_amplitude.values,
  "prime_lines/nulls": lambda new: tables.rows(new["prime_lines"], "nulls"),
  "prime_lines/powers": lambda new: tables.rows(new["prime_lines"], "powers"),
  "prime_lines/summary": _summary,
  "prime_lines/overall": _overall,
  "prime_lines/spacings": lambda new: new["prime_lines"].spacings,
}
