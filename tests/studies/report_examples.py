"""Small results that a report can be made of, with numbers of our choice."""

from typing import get_args

import numpy as np
from primelens.lens import claims as trial
from primelens.studies.zeros import anchors


def anchors_result(name="e0", nll=0.2513):
  rows = [("model (" + name + ")", 4321, nll)]
  rows += [("AR(3)", 4, 0.4221), ("AR(64)", 65, nll + 0.001)]
  rows += [("adaptive AR(256)", 257, -0.9117)]
  table = [
    {"name": n, "parameters": p, "nll_nats": x, "low": x - 0.02} | {"high": x + 0.03, "r2": 0.1}
    for n, p, x in rows
  ]
  for row in table[1:]:
    change = nll - row["nll_nats"]
    row |= {"model_minus_nats": change, "model_minus_low": change - 0.01}
    row |= {"model_minus_high": change + 0.01}
  return anchors.Result(
    table=tuple(table),
    nll_S=np.array([nll - 0.01, nll + 0.01]),
    block_nll_ExP=np.zeros((4, 2)),
    height_P=np.array([1.5, 2.5]),
    permuted_nll_SxR=np.zeros((2, 0)),
    ensemble_nll_S=np.full(2, np.nan),
    permuted_windows=0,
    memory="none",
    parameters=4321,
    scored=98765,
    min_context=128,
    split="test",
    data="99 spacings of cue, contiguous",
  )


LEDGER = trial.Ledger(
  rows=tuple(
    {
      "id": f"group.claim{i}",
      "statement": f"Statement <{i}> & more",
      "source": f"source {i}",
      "reported": f"reported {i}",
      "status": status,
      "because": f"because of {i}",
      "numbers": {"gain, run <e0>": 0.123456789, "heads": 7 + i},
      "command": f"analyze.py --only=claim{i}" if status == "not run" else "",
    }
    for i, status in enumerate(get_args(trial.Status))
  )
)
