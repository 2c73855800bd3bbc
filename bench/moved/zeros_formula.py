"""Where the fields of formula went."""

from primelens.lens import tables


def _rows(name):
  def rows(new):
    found = []
    for row in tables.rows(new["formula"], name):
      if "c" in row:
        c = row["c"]
        row |= {"c": c.estimate, "low": c.low, "high": c.high}
      found.append(row)
    return found

  return rows


MAP = {
  "formula/closed": _rows("closed"),
  "formula/front": _rows("front"),
  "formula/published": _rows("refitted"),
  "formula/heights": _rows("heights"),
  "formula/train_samples": lambda new: new["formula"].train_samples,
  "formula/test_samples": lambda new: new["formula"].test_samples,
}
