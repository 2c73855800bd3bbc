"""Where the fields of kernels went."""

import numpy as np
from primelens.lens import tables


def _ends(new, name, i):
  return new["kernels"][f"{name}_interval"].values[..., i]


def _rows(new, name):
  """Records with the old seed numbers (places), and without what only trained heads have."""
  found = new["kernels"]
  place = {int(seed): s for s, seed in enumerate(found.seed.values)}
  return [row | {"seed": place[row["seed"]]} for row in tables.rows(found, name)]


_TRAINED = ("positions_correlation", "positions_spread", "content_correlation", "content_spread")


def _heads(new):
  return [
    row if row["network"] == "trained" else {k: v for k, v in row.items() if k not in _TRAINED}
    for row in _rows(new, "heads")
  ]


def _fits(new):
  rows = []
  for row in _rows(new, "fits"):
    for name, count in (("rate", 2), ("amplitude", 3)):
      values = [row.pop(f"{name}_{i + 1}") for i in range(count)]
      row[f"{name}s"] = [value for value in values if not np.isnan(value)]
    rows.append(row)
  return rows


MAP = {
  "kernels/index_VxSxLxHxQ": lambda new: np.stack(
    [new["kernels"][n].values for n in ("score", "score_positions", "score_content")]
  ),
  "kernels/index_low_SxLxHxQ": lambda new: _ends(new, "score", 0),
  "kernels/index_high_SxLxHxQ": lambda new: _ends(new, "score", 1),
  "kernels/untrained_SxLxHxQ": lambda new: new["kernels"].untrained_score.values,
  "kernels/distance_Q": lambda new: new["kernels"].distance.values,
  "kernels/unfolded_SxLxHxK": lambda new: new["kernels"].unfolded.values,
  "kernels/untrained_unfolded_SxLxHxK": lambda new: new["kernels"].untrained_unfolded.values,
  "kernels/unfolded_K": lambda new: new["kernels"].unfolded_distance.values,
  "kernels/kernel_PxSx59": lambda new: new["kernels"].kernel.values,
  "kernels/kernel_low_59": lambda new: _ends(new, "mean_kernel", 0),
  "kernels/kernel_high_59": lambda new: _ends(new, "mean_kernel", 1),
  "kernels/kernel_distance_59": lambda new: new["kernels"].kernel_distance.values,
  "kernels/kernel_count_59": lambda new: new["kernels"]["count"].values,
  "kernels/unmasked_SxLxHxQ": lambda new: new["kernels"].unmasked.values,
  "kernels/noise_r2_R": lambda new: new["kernels"].noise_r2.values,
  "kernels/heads": _heads,
  "kernels/fits": _fits,
  "kernels/ripples": lambda new: _rows(new, "ripples"),
  "kernels/keys": lambda new: new["kernels"].all_keys,
  "kernels/windows": lambda new: new["kernels"].windows,
  "kernels/published_windows": lambda new: new["kernels"].published_windows,
}
