"""Where the fields of probe went."""

from primelens.lens import numbers

from moved import addition


def _probes(new):
  found = new["probe"]
  at = found.reference if found.reference >= 0 else None
  rows = []
  for name in found["probe"].values.tolist():
    one = found.sel(probe=name)
    row = {"probe": name} | {key: one[key].item() for key in ("features", "split")}
    for measure in found["measure"].values.tolist():
      own_S, fresh_S = (one["score"].sel(network=n, measure=measure) for n in numbers.NETWORKS)
      row |= addition.columns(measure, own_S.values, fresh_S.values, at)
    rows.append(row)
  return rows


def _prediction(network):
  return lambda new: new["probe"]["prediction"].sel(network=network).values


MAP = {
  "probe/table": addition.table("probe"),
  "probe/probes": _probes,
  "probe/truth_N": lambda new: new["probe"]["truth"].values,
  "probe/prediction_SxN": _prediction("trained"),
  "probe/untrained_SxN": _prediction("untrained"),
  "probe/permuted_r2_SxK": lambda new: new["probe"]["permuted_r2"].values,
  "probe/tolerance_R": lambda new: new["probe"]["tolerance"].values,
  "probe/ladder_r2_SxR": lambda new: new["probe"]["ladder_r2"].values,
  "probe/p_S": lambda new: new["probe"]["p"].values,
}
