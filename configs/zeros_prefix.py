"""Prefix memory E2 (E1 with the argument e1, v0 and v1 likewise).

  python train.py --config=configs/zeros_prefix.py --workdir=runs/e2
  python train.py --config=configs/zeros_prefix.py:e1 --workdir=runs/e1

4,800,280 parameters (E1, E2); hours per seed on one GPU. Published: E1 -0.379,
E2 -0.384, v0 -0.127, v1 -0.441 nats.
"""

import dataclasses
from typing import Any

from primelens.configs import zeros_e0
from primelens.lens import experiment
from primelens.models import transformer

VARIANTS: dict[str, dict[str, Any]] = {
  "v0": {"slot_ids": "off"},
  "v1": {"auxiliary": "window_statistics", "auxiliary_ramp": ((1, 0.1),)},
  "e1": {"drift_weight": 0.01, "drift_every": 20, "drift_horizon": 10, "drift_batch": 16},
  "e2": {"drift_weight": 0.1, "drift_every": 10, "drift_horizon": 20, "drift_batch": 32},
}


def get_config(variant: str = "e2") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  if variant not in VARIANTS:
    raise ValueError(f"{variant!r} is not one of {', '.join(VARIANTS)}.")
  config = zeros_e0.get_config()
  config.model = dataclasses.replace(
    config.model, memory="prefix", trunk=transformer.Config(max_positions=264), **VARIANTS[variant]
  )
  config.fit.optimizer.slow_pattern = "memory/.*"
  config.fit.optimizer.slow_factor = 0.3
  if variant in ("v0", "v1"):
    config.fit.steps = 10_000
  return config
