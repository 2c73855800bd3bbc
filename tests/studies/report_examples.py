"""Small results that a report can be made of, with numbers of our choice."""

from typing import get_args

import numpy as np
from primelens.lens import claims as trial
from primelens.studies.zeros import anchors, formula, heads, linear, masking


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


def masking_result():
  shape = (5, 2, 3)
  delta = np.linspace(-0.02, 0.5, 15).reshape(5, 3)
  row = {"ratio_chosen_on_select": 0.5, "intact_nll_nats": 0.25}
  for key, value in (
    ("masking_gain", -0.0111),
    ("recalibration_gain", -0.0222),
    ("masking_minus_recalibration", 0.0333),
  ):
    row |= {f"{key}_nats": value, f"{key}_low": value - 0.001}
    row |= {f"{key}_high": value + 0.001}
  return masking.Result(
    ratio_R=np.array([0.0, 0.5, 0.95]),
    nll_VxSxR=np.zeros(shape),
    select_nll_SxR=np.zeros(shape[1:]),
    delta_VxR=delta,
    delta_low_VxR=delta - 0.01,
    delta_high_VxR=delta + 0.01,
    log_scale_SxR=np.zeros(shape[1:]),
    shift_SxR=np.zeros(shape[1:]),
    survival_ExR=np.ones((1, 3)),
    variants=tuple({"variant": name} for name in masking.VARIANTS),
    tensors=({"tensor": "head/kernel", "size": 7},),
    summary=tuple({"seed": seed} | row for seed in ("all", "0", "1")),
    selected=4000,
    left_out=321,
    windows=55,
  )


def heads_result():
  delta = np.linspace(-0.1, 0.4, 3 * 2 * 2 * 4).reshape(3, 2, 2, 4)
  joint = np.linspace(0, 1, 2 * 2 * 3).reshape(2, 2, 3)
  return heads.Result(
    delta_VxSxLxH=delta,
    delta_low_VxLxH=delta.mean(1) - 0.01,
    delta_high_VxLxH=delta.mean(1) + 0.01,
    slice_gap_low_SxLxH=delta[2] - delta[0] - 0.05,
    slice_gap_high_SxLxH=delta[2] - delta[0] + 0.05,
    untrained_VxSxLxH=0.01 * delta,
    joint_PxSxR=joint,
    joint_low_PxR=joint.mean(1) - 0.1,
    joint_high_PxR=joint.mean(1) + 0.1,
    count_R=np.array([0, 4, 8]),
    rank_SxLxH=np.zeros((2, 2, 4), int),
    intact_S=np.array([0.24, 0.26]),
    modes=tuple({"mode": mode} for mode in heads.MODES),
    windows=55,
  )


def formula_result():
  scores = {"train_mse": 0.14, "test_mse": 0.1501, "test_r2": 0.2}
  scores |= {"test_correlation": 0.4, "mean_target": 1.0}
  closed = [
    {"target": target, "family": f"c / sum of {k} lags", "lags": k}
    | {"c": k - 0.123, "low": k - 0.2, "high": k - 0.1}
    | {"expression": f"{k - 0.123}/S", "complexity": 3}
    | scores
    for target in ("model", "model seed 0", "truth", "CUE", "shuffled")
    for k in (1, 3, 4)
  ]
  front = [
    {"target": target, "null": null, "expression": f"{target} <s1> & {null}"}
    | {"complexity": 5, "train_mse": 0.1, "test_mse": 0.1357}
    | {"backend": "pyoperon"}
    for target, null in (("model", False), ("truth", False), ("model", True))
  ]
  refitted = {"target": "truth", "published": "3.01/(s1 + 1.89)"}
  refitted |= {"published_mse": 0.135, "expression": "2.5/(s1 + 1.5)"} | scores
  height = dict(first=3, last=99, c=2.9, low=2.8, high=3.0, mean_target=1.0)
  return formula.Result(
    closed=tuple(closed),
    front=tuple(front),
    published=(refitted,),
    heights=(height,),
    train_samples=100,
    test_samples=100,
  )


def linear_result():
  truth = np.array([-0.41, -0.31, -0.21])
  sums = {"order": 3, "truth_sum": -0.93, "truth_r2": 0.2}
  sums |= {"model_sum": -0.6, "model_r2": 0.3}
  sums |= {f"truth_lag{k}": float(truth[k - 1]) for k in (1, 2, 3)}
  sums |= {f"model_lag{k}": -0.2 for k in (1, 2, 3)}
  score = {"predictor": "OLS of the truth, 3 lags", "r2": 0.19}
  return linear.Result(
    truth_Q=truth,
    truth_low_Q=truth - 0.01,
    truth_high_Q=truth + 0.01,
    model_SxQ=np.stack([truth, truth]),
    model_low_Q=truth - 0.02,
    model_high_Q=truth + 0.02,
    jacobian_SxQ=np.stack([truth, truth]),
    sums=(sums,),
    scores=(score | {"correlation": 0.44},),
    samples=100,
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
