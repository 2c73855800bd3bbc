"""How far the numbers of `neurons` move by rounding alone.

The reference network was trained twelve times from its start shaken by half a
unit in the last place (addition_p10:drift). TWINS are the ranges of those
numbers of which the reference misses the recomputed one, which all hold, one
(neuron_248_pc_r2) to within its tolerance.
"""

from collections.abc import Mapping

from primelens.studies.addition.tables import Reported

TWINS = {
  "top_r": (0.910, 0.942),
  "median_readout_norm": (0.428, 0.583),
  "top_pc_r2_as_published": (0.585, 0.990),
  "top_pc_r2": (0.880, 0.989),
  "neuron_408_pc_r2_as_published": (0.964, 0.990),
  "neuron_408_pc_r2": (0.735, 0.981),
  "neuron_248_pc_r2_as_published": (0.979, 0.990),
  "neuron_248_pc_r2": (0.767, 0.944),
  "neuron_408_pc1_a": (0.0, 0.787),
  "neuron_408_pc2_a": (-0.099, 0.0),
  "neuron_408_pc1_b": (0.0, 0.787),
  "neuron_408_pc2_b": (-0.100, 0.0),
  "row_0_positive": (0.41, 0.87),
  "row_0_mean": (-0.125, 0.143),
  "row_0_std": (0.247, 0.385),
  "row_0_largest": (0.44, 1.13),
  "row_9_positive": (0.14, 0.60),
  "row_9_mean": (-0.272, -0.129),
  "row_9_largest": (0.83, 1.91),
  "flips_true": (0.0, 37.6),
  "flips_predicted": (-3.5, 0.0),
  "flips_share": (0.0, 0.115),
  "active_1_strength": (232, 313),
  "active_3_strength": (177, 221),
  "pre_reduced_r2_mean": (0.611, 0.727),
  "post_reduced_r2_mean": (0.485, 0.586),
  "post_reduced_r2_median": (0.433, 0.639),
  "post_reduced_r2_max": (0.793, 0.945),
  "pre_full_r2_mean": (0.611, 0.739),
  "post_full_r2_mean": (0.480, 0.605),
  "change_linear_r2_median": (0.917, 0.953),
  "change_quadratic_r2_median": (0.924, 0.959),
}


def remarked(reported: Mapping[str, Reported]) -> dict[str, Reported]:
  """Returns the same, each with the twins' range in its remark."""
  found = dict(reported)
  for key, (low, high) in TWINS.items():
    words = f"Float drift: twins {low:g} to {high:g}."
    before = found[key].remark
    remark = f"{before} {words}" if before else words
    found[key] = found[key]._replace(remark=remark)
  return found
