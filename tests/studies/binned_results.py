"""Results of binned networks by hand, as claims and report read them."""

from types import SimpleNamespace

import numpy as np
from primelens.studies.zeros import memory_effect_arms
from zeros_results import anchors

NAMES = memory_effect_arms.NAMES


def perplexity(variant="gpt", model=84.1, width=1.5, leak=0.0, seeds=2):
  """Returns predictors around a network of some perplexity, and a leak."""
  nats = lambda value: float(np.log(value / 64))
  rows = []
  for name, value in (
    (f"model ({variant})", model),
    ("marginal of train", 105.7),
    ("AR(24)", 72.5),
  ):
    row = {"predictor": name, "nll_nats": nats(value), "perplexity": value}
    for end, other in (("low", value - width), ("high", value + width)):
      row |= {end: nats(other), f"perplexity_{end}": other}
    if name != f"model ({variant})":
      row |= {f"model_minus_{x}": 0.1 for x in ("nats", "low", "high")}
    rows.append(row)
  leak_P = np.array([0.5 * leak, leak, 0.0])
  return SimpleNamespace(
    table=tuple(rows),
    floor=105.2,
    nll_S=np.full(seeds, nats(model)),
    leak_SxP=np.tile(leak_P, (seeds, 1)),
    leak_low_P=0.9 * leak_P,
    leak_high_P=1.1 * leak_P,
    position_P=np.array([32, 63, 64]),
    variant=variant,
    scored=1000,
    windows=16,
  )


def memory_effect(variant="gpt", change=None, width=0.02, spread=0.26):
  """Returns arms whose plateaus change as said, `width` to either side.

  The published plateau of independent spacings scatters by `spread`.
  """
  change = change or {}
  rows = []
  for v, name in enumerate(NAMES):
    row = {"arm": name, "mean_spacing": 1.0, "memory_norm": float(v)}
    its = change.get(name, 0.0)
    for key, value in (
      ("plateau", 1 + its),
      ("plateau_change", its),
      ("slope_change", 0.0),
      ("variance_10_change", 0.0),
    ):
      row |= {key: value}
      row |= {f"{key}_low": value - width, f"{key}_high": value + width}
    row |= {"distance": 0.1, "distance_error": 0.01}
    row |= {"published_plateau": 0.9, "published_spread": spread}
    row |= {"gain_percent_low": -40.0, "gain_percent_high": 70.0}
    rows.append(row)
  arms = len(NAMES)
  tau_Q = np.arange(0.1, 2.01, 0.1)
  return SimpleNamespace(
    arms=tuple(rows),
    tau_Q=tau_Q,
    k_VxQ=np.minimum(tau_Q, 1) + np.zeros((arms, 1)),
    real_k_Q=np.minimum(tau_Q, 1),
    renewal_k_Q=np.ones_like(tau_Q),
    published_VxSxR=np.full((arms, 2, 3), 0.9),
    published_null_P=0.87 + spread * np.array([-1.0, 0.0, 1.0]),
    variance_VxE=np.full((arms, 2), 0.5),
    real_variance_E=np.array([0.4, 0.5]),
    length_E=np.array([1.0, 10.0]),
    real_plateau=1.0,
    real_slope=1.0,
    real_blocks=390,
    variant=variant,
    trajectories=50,
    tokens=512,
  )


def runs(data: str) -> dict:
  """Returns runs of published size of every variant the claims ask for."""
  tables = {}
  for variant in ("gpt", "rmt", "bank_leaky_as_published"):
    leak = 0.5 if variant.startswith("bank") else 0.0
    tables[f"binned {variant}"] = {
      "anchors": anchors(f"binned {variant}", 853_120, seeds=5, data=data),
      "perplexity": perplexity(variant, model=82.0, leak=leak, seeds=5),
      "memory_effect": memory_effect(variant),
    }
  return tables
