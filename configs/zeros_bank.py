"""Memory bank Q3: eight slots in front of the window, under three masks.

  python train.py --config=configs/zeros_bank.py --workdir=runs/bank
  python train.py --config=zeros_bank:leaky_as_published --workdir=runs/leaky

4,801,560 parameters; 20,000 steps of 256 rows x 256 targets, hours per seed on
one GPU. `memory_blind`, the default, lets slots read slots alone, as the
published text says; `leaky_as_published` lets them read the whole window, as
the published code does, and so tells every position but the last its target;
`none` has no slots at all. Published: -0.689 nats under the leaky mask, on
200 million other zeros.
"""

import dataclasses

from primelens.configs import zeros_baseline
from primelens.lens import experiment

SLOTS = 8
MODES = ("memory_blind", "leaky_as_published", "none")


def moded(
  config: experiment.Experiment, mode: str, slow_factor: float = 0.1
) -> experiment.Experiment:
  """Returns the experiment with a memory bank under a mask, or without one.

  The memory learns `slow_factor` times as fast as the rest. Raises
  `ValueError` for another mode.
  """
  if mode not in MODES:
    raise ValueError(f"{mode!r} is not one of {', '.join(MODES)}.")
  if mode == "none":
    return config
  model, trunk = config.model, config.model.trunk
  rotary = trunk.positions == "rotary"
  changed = dataclasses.replace(
    trunk,
    mask=mode,
    mask_slots=SLOTS,
    rotary_start=SLOTS if rotary else 0,
    max_positions=model.window + SLOTS,
  )
  config.model = dataclasses.replace(model, memory="bank", slots=SLOTS, trunk=changed)
  config.fit.optimizer.slow_pattern = "memory/.*"
  config.fit.optimizer.slow_factor = slow_factor
  return config


def get_config(mode: str = "memory_blind") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another mode."""
  return moded(zeros_baseline.get_config(), mode)
