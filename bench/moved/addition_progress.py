"""Where the fields of progress went."""

from primelens.lens import numbers
from primelens.studies.addition import progress


def _curves(new):
  found = new["progress"]
  return [
    {"name": name}
    | {key: found[f"curve_{key}"].values[i].item() for key in ("title", "item", "loss")}
    for i, name in enumerate(found["curve"].values.tolist())
  ]


def _phases(new):
  found = new["progress"]
  rows = []
  for i, name in enumerate(found["boundary"].values.tolist()):
    step_S = found["boundary_step"].values[i]
    rows.append(
      {
        "boundary": name,
        "meaning": found["boundary_meaning"].values[i].item(),
        "by_eye": progress.BY_EYE.get(name, float("nan")),
        **numbers.spread(step_S),
        "members": len(step_S),
        "reached": int((step_S == step_S).sum()),
      }
    )
  return rows


MAP = {
  "progress/curves": _curves,
  "progress/phases": _phases,
  "progress/step_C": lambda new: new["progress"]["step"].values,
  "progress/curve_VxSxC": lambda new: new["progress"]["value"].values,
  "progress/boundary_ExS": lambda new: new["progress"]["boundary_step"].values,
  "progress/key_SxQ": lambda new: new["progress"]["key"].values,
  "progress/similarity_SxCxQ": lambda new: new["progress"]["similarity"].values,
  "progress/uniform_nll": lambda new: new["progress"].uniform_nll,
  "progress/modular": lambda new: new["progress"].modular,
  "progress/population": lambda new: new["progress"].population,
}
