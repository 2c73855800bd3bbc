"""Where the fields of pruned went."""

from primelens.lens import tables


def _of(name):
  return lambda new: new["pruned"][name].values


def _attr(name):
  return lambda new: new["pruned"].attrs[name]


def _arms(new):
  rows = []
  for r in tables.rows(new["pruned"], "arms"):
    r = dict(r)
    v = r.pop("after")
    before = r.pop("before")
    rows.append(
      r
      | {"before_nats": before, "after_nats": v.estimate, "after_low": v.low, "after_high": v.high}
    )
  return rows


def _contrasts(new):
  rows = []
  for r in tables.rows(new["pruned"], "contrasts"):
    r = dict(r)
    v, n = r.pop("nats"), r.pop("seeds")
    rows.append(r | {"nats": v.estimate, "low": v.low, "high": v.high, "seeds": n})
  return rows


MAP = {
  "pruned/before_SxR": _of("before"),
  "pruned/after_SxR": _of("after"),
  "pruned/parameters_SxR": _of("parameters"),
  "pruned/frozen_SxR": _of("frozen_step"),
  "pruned/ratio_S": _of("ratio"),
  "pruned/rank_SxLxH": _of("rank"),
  "pruned/arms": _arms,
  "pruned/contrasts": _contrasts,
  **{f"pruned/{n}": _attr(n) for n in ("removed_head", "steps", "batch_size", "windows")},
}
