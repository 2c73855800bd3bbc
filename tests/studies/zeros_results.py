"""Results of the zeros study written by hand, as its claims read them."""

from types import SimpleNamespace

import numpy as np
from primelens.studies.zeros import published

BIG, SMALL = 4_802_336, 45_000
L, H = 6, 8


def anchors(memory="postfix", parameters=BIG, seeds=5, nll=0.2, ar24=0.124, data=published.DATA):
  filters = tuple(
    {"name": name, "nll_nats": nll, "low": nll - 0.01, "high": nll + 0.01}
    for name, nll in (("AR(24)", ar24), ("AR(64)", -0.045))
  )
  return SimpleNamespace(
    memory=memory,
    data=data,
    parameters=parameters,
    nll_S=np.full(seeds, nll),
    table=({"name": "model"}, *filters),
  )


def heads(middle=0.01, joint=0.5, apart=True, layers=L, seeds=5):
  """Results of layers x 8 heads; layers 1 and 2 change the NLL by `middle`.

  `joint` is what removing many heads together costs; `apart` says whether the
  published slices and the removals differ by more than their noise.
  """
  delta = np.full((3, seeds, layers, H), 0.02)
  delta[:, :, 1:3] = middle
  delta[0] += 0.001 * np.arange(H)
  delta[2] += 0.1 if apart else 0.0
  count_R = np.arange(0, layers * H + 1, 3)
  joint_R = np.where(count_R >= 3 * layers * H // 4 - 3, joint, 0.0)
  return SimpleNamespace(
    delta_VxSxLxH=delta,
    delta_low_VxLxH=delta.mean(1) - 0.01,
    delta_high_VxLxH=delta.mean(1) + 0.01,
    slice_gap_low_SxLxH=(delta[2] - delta[0]) - 0.05,
    slice_gap_high_SxLxH=(delta[2] - delta[0]) + 0.05,
    joint_PxSxR=np.tile(joint_R, (2, seeds, 1)),
    joint_low_PxR=np.tile(joint_R - 0.005, (2, 1)),
    joint_high_PxR=np.tile(joint_R + 0.005, (2, 1)),
    count_R=count_R,
    rank_SxLxH=np.zeros((seeds, layers, H), int),
  )


def formula(truth=2.91, cue=2.92, shuffled=2.83, width=0.05, r2=0.148, four=3.95):
  rows = []
  for family, constants in (
    ("c / sum of 3 lags", {"truth": truth, "CUE": cue, "shuffled": shuffled}),
    ("c / sum of 4 lags", {"truth": four, "CUE": 3.95, "shuffled": 3.8}),
  ):
    for target, c in constants.items():
      rows.append(
        {
          "family": family,
          "target": target,
          "c": c,
          "low": c - width,
          "high": c + width,
          "mean_target": 1.0,
          "test_r2": r2,
          "test_correlation": 0.385,
        }
      )
  heights = ({"c": truth}, {"c": truth + 0.01})
  return SimpleNamespace(closed=tuple(rows), heights=heights)


def linear(lags=(-0.4467, -0.2819, -0.1586), r2=0.178):
  three = {"order": 3, "truth_sum": sum(lags), "model_sum": -0.9}
  three |= {f"truth_lag{k}": lag for k, lag in enumerate(lags, 1)}
  long = {"order": 20, "truth_sum": -2.9, "model_sum": -2.5}
  scores = ({"predictor": "OLS of the truth, 3 lags", "r2": r2},)
  return SimpleNamespace(sums=(three, long), scores=scores)
