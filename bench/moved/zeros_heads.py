"""Where the fields of heads went."""


def _of(name):
  return lambda new: new["heads"][name].values


def _end(name, i):
  return lambda new: new["heads"][f"{name}_interval"].values[..., i]


MAP = {
  "heads/delta_VxSxLxH": _of("delta"),
  "heads/delta_low_VxLxH": _end("mean_delta", 0),
  "heads/delta_high_VxLxH": _end("mean_delta", 1),
  "heads/slice_gap_low_SxLxH": _end("slice_gap", 0),
  "heads/slice_gap_high_SxLxH": _end("slice_gap", 1),
  "heads/untrained_VxSxLxH": _of("untrained_delta"),
  "heads/joint_PxSxR": _of("joint"),
  "heads/joint_low_PxR": _end("mean_joint", 0),
  "heads/joint_high_PxR": _end("mean_joint", 1),
  "heads/count_R": _of("removed"),
  "heads/rank_SxLxH": _of("rank_on_select"),
  "heads/intact_S": _of("intact_nll"),
  "heads/modes": lambda new: [{"mode": mode} for mode in new["heads"].removal.values.tolist()],
  "heads/windows": lambda new: new["heads"].windows,
}
