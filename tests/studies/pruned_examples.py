"""Results of pruning and of the curriculum written by hand."""

import numpy as np
from primelens.studies.zeros import curriculum, pruned

CHOSEN = "costliest on select"


def _bounded(value: float, width: float = 0.01) -> dict:
  return {"nats": value, "low": value - width, "high": value + width}


def _arm(what, choice, kept, parameters, after, start="trained", draw=0):
  row = {"what": what, "choice": choice, "start": start, "draw": draw}
  row |= {"kept": kept, "parameters": parameters, "before_nats": after + 0.5}
  return row | {"after_nats": after, "after_low": after - 0.02, "after_high": after + 0.02}


def _arms(heads: int) -> list[dict]:
  kept = max(1, round(heads * 13 / 48))
  rows = [_arm("network", "intact", 1.0, 4_794_136.0, 0.2)]
  for start in ("trained", "scratch"):
    rows.append(_arm("heads", CHOSEN, kept, 3_647_256.0, 0.3, start))
    for draw in (0, 1):
      rows.append(_arm("heads", "random", kept, 3_647_256.0, 0.4, start, draw))
  for what in ("attention of layers", "layers"):
    for choice in ("middle", "others"):
      rows.append(_arm(what, choice, 4.0, 4_000_000.0, 0.35))
  for rule in ("magnitude", "random"):
    rows.append(_arm("weights, published ratio", rule, 0.6, 2_880_000.0, 0.25))
  return rows


def pruned_result(heads=0.1, scratch=-0.05, random=-0.1, layers=0.15, mask=0.05, control=-0.1):
  """Returns differences in nats: `heads`, `layers` and `mask` from the intact
  network trained as long; from scratch, from random heads and masks."""
  arms = _arms(48)
  kept = arms[1]["kept"]
  differences = [
    ("network", 1.0, "trained on minus intact", -0.01),
    ("heads", kept, "removed minus intact", 0.6),
    ("heads", kept, "retrained minus intact trained on", heads),
    ("heads", kept, "chosen minus random, retrained", random),
    ("heads", kept, "retrained minus from scratch", scratch),
    ("attention of layers", 4.0, "retrained minus intact trained on", layers),
    ("layers", 4.0, "retrained minus intact trained on", layers),
    ("layers", 4.0, "middle minus others, retrained", -0.02),
    ("attention of layers", 4.0, "middle minus others, retrained", -0.02),
  ]
  for what in ("weights, ratio of select", "weights, published ratio"):
    differences += [
      (what, 0.6, "retrained minus intact trained on", mask),
      (what, 0.6, "magnitude minus random, retrained", control),
    ]
  shape = (2, len(arms))
  return pruned.Result(
    before_SxR=np.full(shape, 0.7),
    after_SxR=np.tile([row["after_nats"] for row in arms], (2, 1)),
    parameters_SxR=np.tile([int(row["parameters"]) for row in arms], (2, 1)),
    frozen_SxR=np.full(shape, -1),
    ratio_S=np.full(2, 0.1),
    rank_SxLxH=np.tile(np.arange(48).reshape(6, 8), (2, 1, 1)),
    arms=tuple(arms),
    contrasts=tuple(
      {"what": what, "kept": k, "contrast": name, "seeds": 2} | _bounded(x)
      for what, k, name, x in differences
    ),
    removed_head=32_768,
    steps=100,
    batch_size=16,
    windows=55,
  )


def curriculum_result(alone=-0.1, whole=-0.05, untrained=-0.2, teacher=0.02):
  """Returns differences in nats of the curriculum from each other way."""
  names = ("smaller transformer", "MLP, 64 lags", "Toeplitz, 64 lags")
  others = {"no teacher": alone, "whole teacher": whole}
  others |= {"untrained teacher": untrained, "the teacher itself": teacher}
  contrasts, table = [], []
  for name in names:
    table += [
      {"student": name, "arm": arm, "seeds": 2} | _bounded(0.3 + 0.1 * r)
      for r, arm in enumerate(curriculum.ARMS)
    ]
    contrasts += [
      {"student": name, "contrast": f"curriculum minus {other}", "seeds": 2} | _bounded(x)
      for other, x in others.items()
    ]
  for name in ("the teacher itself", "AR(64), fitted"):
    table.append({"student": name, "arm": "–", "seeds": 2} | _bounded(0.2))
  return curriculum.Result(
    nll_VxSxR=np.full((3, 2, 4), 0.3),
    kl_VxSxR=np.full((3, 2, 4), 0.05),
    start_VxS=np.full((3, 2), 0.6),
    teacher_S=np.full(2, 0.2),
    frozen_VxSxR=np.full((3, 2, 4), -1),
    students=tuple({"student": name, "parameters": 4940 + v} for v, name in enumerate(names)),
    arms=tuple({"arm": arm} for arm in curriculum.ARMS),
    table=tuple(table),
    contrasts=tuple(contrasts),
    steps=100,
    batch_size=16,
    windows=55,
  )


def table() -> dict:
  """Returns both results by the names of their analyses."""
  return {"pruned": pruned_result(), "curriculum": curriculum_result()}
