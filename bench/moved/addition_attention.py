"""Where the fields of the addition study's slice `attention` went."""

from primelens.studies.addition import attention, program

from moved import addition


def _table(new) -> list[dict]:
  modular = new["config"]["task"]["modular"]
  return addition.table("attention", attention.MODULAR if modular else "")(new)


def _of(name: str):
  return lambda new: new["attention"][name].values


MAP = {
  "attention/table": _table,
  "attention/fits": addition.fits("attention"),
  "attention/edits": lambda new: [{"edit": k, "pattern": v} for k, v in attention.EDITS.items()],
  "attention/mean_SxHx3": _of("mean_attention"),
  "attention/deviation_SxHx3": _of("deviation"),
  "attention/asymmetry_SxH": _of("asymmetry"),
  "attention/score_SxHx2xP": _of("score"),
  "attention/accuracy_SxV": _of("accuracy"),
  "attention/nll_SxV": _of("nll"),
  "attention/additive_SxV": _of("additive_r2"),
  "attention/fixed_accuracy_SxH": _of("fixed_accuracy"),
  "attention/moving_accuracy_SxH": _of("moving_accuracy"),
  "attention/pattern_Hx3xPxP": _of("pattern"),
  "attention/shown": lambda new: program.shown(new["attention"]),
}
