"""Where the fields of prime_waves went."""

import numpy as np

NAN = float("nan")


def _table(new):
  found = new["prime_waves"]
  judged = (~np.isnan(found.max_t.values)).sum(1)
  rows = []
  for e, name in enumerate(found.prediction.values.tolist()):
    one = found.isel(prediction=e)
    member = int(one.member)
    row = {
      "name": name,
      "kind": str(one.kind.values),
      "nll_nats": float(one.nll),
      "seed": member if member >= 0 else NAN,
    }
    row |= {
      "r2": float(one.r2),
      "primes": found.sizes["prime"],
      "judged": int(judged[e]),
      "found": int(one.found),
      "stands": int(found.stands_out.sum()),
    }
    row |= {
      "known": int(one.known),
      "beside": float(one.beside),
      "beyond": float(one.beyond),
      "cutoff": int(one.cutoff),
    }
    row |= {"correlation": float(one.correlation), "slope": float(one.slope)}
    rows.append(row)
  if found.planted:
    rows.append(
      {
        "name": f"{found.planted} waves planted at composites",
        "kind": "planted",
        "primes": found.planted,
        "found": found.planted_found,
        "elsewhere": found.planted_elsewhere,
      }
    )
  keys = dict.fromkeys(key for row in rows for key in row)
  return [{key: row.get(key, NAN) for key in keys} for row in rows]


def _rows(found, name, drop=()):
  names = [k for k in found.data_vars if found[k].dims == (name,) and str(k).startswith(name + "_")]
  return [
    {
      str(k).removeprefix(name + "_"): found[k].values[i].item()
      for k in names
      if str(k).removeprefix(name + "_") not in drop
    }
    for i in range(found.sizes[name])
  ]


def _memory(new):
  model = new["config"]["model"]
  bank = model["kind"] == "spacing" and model["memory"] == "bank"
  return f"bank_{model['trunk']['mask']}" if bank else model["memory"]


def _of(slice_, name, *dims):
  return lambda new: new[slice_][name].transpose(*dims).values if dims else new[slice_][name].values


W, R, P = "prime_waves", "prime_response", "prime_places"
FIELDS = {
  "prime_Q": _of(W, "prime"),
  "law_Q": _of(W, "law"),
  "amplitude_ExQ": _of(W, "amplitude"),
  "gain_ExQ": _of(W, "gain"),
  "left_ExQ": _of(W, "left"),
  "stands_Q": _of(W, "stands_out"),
  "line_ExQ": _of(W, "line"),
  "max_t_ExQ": _of(W, "max_t"),
  "table": _table,
  "frequency_F": _of(R, "frequency"),
  "spectrum_PxF": _of(R, "spectrum"),
  "peaks": lambda new: _rows(new[R], "predictor"),
  "context_T": _of(P, "context"),
  "context_stands_TxQ": _of(P, "stands_by_context"),
  "context_known_SxTxQ": _of(P, "known_by_context"),
  "context_beside_SxT": _of(P, "beside_by_context"),
  "context_r2_SxT": _of(P, "r2_by_context"),
  "filter_known_TxQ": _of(P, "filter_known"),
  "filter_beside_T": _of(P, "filter_beside"),
  "filter_r2_T": _of(P, "filter_r2"),
  "step_C": _of(P, "step"),
  "known_SxCxQ": _of(P, "known_by_step"),
  "beside_SxC": _of(P, "beside_by_step"),
  "r2_SxC": _of(P, "r2_by_step"),
  "first_SxQ": _of(P, "first_step"),
  "head_SxLxHxQ": _of(P, "head_gain"),
  "head_max_t_SxLxHxQ": _of(P, "head_max_t"),
  "state_SxLxQ": _of(P, "state_share"),
  "state_max_t_SxLxQ": _of(P, "state_max_t"),
  "untrained_LxQ": _of(P, "untrained_share"),
  "untrained_max_t_SxLxQ": _of(P, "untrained_max_t"),
  "formulas": lambda new: _rows(new[W], "formula", ("near",)),
  "trained_on": lambda new: new[W].trained_on,
  "memory": _memory,
  "plan": lambda new: new[W].plan,
  "height": lambda new: new[W].height,
  "spacings": lambda new: new[W].spacings,
  "part_spacings": lambda new: new[P].part_spacings,
  "context_windows": lambda new: new[P].context_windows,
}
MAP = {f"prime_waves/{name}": make for name, make in FIELDS.items()}
