"""Where the fields of curriculum went."""

from primelens.lens import tables


def _of(name):
  return lambda new: new["curriculum"][name].values


def _attr(name):
  return lambda new: new["curriculum"].attrs[name]


def _rows(name):
  def rows(new):
    found = []
    for r in tables.rows(new["curriculum"], name):
      r = dict(r)
      v, n = r.pop("nats"), r.pop("seeds")
      found.append(r | {"nats": v.estimate, "low": v.low, "high": v.high, "seeds": n})
    return found

  return rows


MAP = {
  "curriculum/nll_VxSxR": _of("nll"),
  "curriculum/kl_VxSxR": _of("kl"),
  "curriculum/start_VxS": _of("start_nll"),
  "curriculum/teacher_S": _of("teacher_nll"),
  "curriculum/frozen_VxSxR": _of("frozen_step"),
  "curriculum/students": lambda new: [
    {"student": s, "parameters": int(n)}
    for s, n in zip(
      new["curriculum"].student.values.tolist(), new["curriculum"].parameters.values, strict=True
    )
  ],
  "curriculum/arms": lambda new: [{"arm": a} for a in new["curriculum"].arm.values.tolist()],
  "curriculum/table": _rows("losses"),
  "curriculum/contrasts": _rows("contrasts"),
  **{f"curriculum/{n}": _attr(n) for n in ("steps", "batch_size", "windows")},
}
