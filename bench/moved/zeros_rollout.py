"""Where the fields of rollout went."""

import math

from primelens.lens import tables


def _ends(found, name, i):
  return found[f"{name}_interval"].values[..., i]


def _table(new):
  found = new["rollout"]
  rows = []
  for e, name in enumerate(found.predictor.values.tolist()):
    row = {"name": name}
    for key, now in (
      ("error", "error_at"),
      ("model_minus", "model_minus_at"),
      ("step", "step_mean"),
    ):
      low, high = map(float, found[f"{now}_interval"].values[e])
      row |= {key: float(found[now][e]), f"{key}_low": low, f"{key}_high": high}
    rows.append(row | {"slope": float(found.slope[e])})
  return rows


def _protocols(new):
  rows = [tables.flat(row) for row in tables.rows(new["rollout"], "protocols")]
  # steps of growing contexts have no difference from the network
  gone = lambda k, v: k.startswith("model_minus") and math.isnan(v)
  return [{k: v for k, v in row.items() if not gone(k, v)} for row in rows]


MAP = {
  "rollout/table": _table,
  "rollout/protocols": _protocols,
  "rollout/horizon_R": lambda new: new["rollout"].horizon.values,
  "rollout/error_ExR": lambda new: new["rollout"].error.values,
  "rollout/error_low_ExR": lambda new: _ends(new["rollout"], "error", 0),
  "rollout/error_high_ExR": lambda new: _ends(new["rollout"], "error", 1),
  "rollout/model_minus_ExR": lambda new: new["rollout"].model_minus.values,
  "rollout/model_minus_low_ExR": lambda new: _ends(new["rollout"], "model_minus", 0),
  "rollout/model_minus_high_ExR": lambda new: _ends(new["rollout"], "model_minus", 1),
  "rollout/step_ExQ": lambda new: new["rollout"].step_error.values,
  "rollout/spread_SxR": lambda new: new["rollout"].spread.values,
  "rollout/truth_spread_R": lambda new: new["rollout"].truth_spread.values,
  "rollout/at": lambda new: new["rollout"].attrs["at"],
  "rollout/starts": lambda new: new["rollout"].starts,
  "rollout/context": lambda new: new["rollout"].context,
  "rollout/draws": lambda new: new["rollout"].draws,
}
