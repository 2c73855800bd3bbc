"""Where the fields of slots went."""

from primelens.lens import tables


def _of(name):
  return lambda new: new["slots"][name].values


def _end(name, i):
  return lambda new: new["slots"][f"{name}_interval"].values[..., i]


def _attr(name):
  return lambda new: new["slots"].attrs[name]


def _table(new):
  rows = []
  for r in tables.rows(new["slots"], "readings"):
    r = dict(r)
    v = r.pop("value")
    rows.append(
      {
        "letter": r["letter"],
        "reading": r["reading"],
        "unit": r["unit"],
        "value": v.estimate,
        "low": v.low,
        "high": v.high,
        **{k: r[k] for k in ("untrained", "standing", "rule", "met", "untrained_met", "seeds")},
      }
    )
  return rows


MAP = {
  "slots/keep_ExM": _of("keep"),
  "slots/delta_SxE": _of("delta"),
  "slots/delta_low_E": _end("mean_delta", 0),
  "slots/delta_high_E": _end("mean_delta", 1),
  "slots/untrained_SxE": _of("untrained_delta"),
  "slots/joint_SxR": _of("joint"),
  "slots/joint_low_R": _end("mean_joint", 0),
  "slots/joint_high_R": _end("mean_joint", 1),
  "slots/sum_as_published_SxR": _of("sum_as_published"),
  "slots/single_as_published_SxM": _of("single_as_published"),
  "slots/order_SxV": _of("order_delta"),
  "slots/remeasured_nll_SxN": _of("remeasured_nll"),
  "slots/remeasured_single_SxN": _of("remeasured_single"),
  "slots/effect_SxM": _of("effect"),
  "slots/readout_SxM": _of("readout"),
  "slots/cosine_SxMxM": _of("cosine"),
  "slots/gradient_correlation_SxMxM": _of("gradient_correlation"),
  "slots/attention_SxMxT": _of("attention"),
  "slots/untrained_attention_SxMxT": _of("untrained_attention"),
  "slots/error_SxQ": _of("rollout_error"),
  "slots/horizon_Q": _of("horizon"),
  "slots/block_nll_SxP": _of("block_nll"),
  "slots/block_error_SxP": _of("block_error"),
  "slots/quarter_nll_Sx4": _of("quarter_nll"),
  "slots/quarter_error_Sx4": _of("quarter_error"),
  "slots/table": _table,
  "slots/memory": _attr("memory"),
  "slots/permuted": _attr("permuted"),
  "slots/windows": _attr("windows"),
  "slots/random_windows": _attr("random_windows"),
}
