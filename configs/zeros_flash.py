"""Flash: the memory bank on residuals, 512 inputs, rotary positions.

  python train.py --config=configs/zeros_flash.py --workdir=runs/flash
  python train.py --config=zeros_flash:leaky_as_published --workdir=runs/leaky

4,733,976 parameters; 20,000 steps of 256 rows x 512 targets, hours per seed on
one GPU. Modes as in zeros_bank.py. Published: -0.712 nats under the leaky
mask, on 200 million other zeros, in bfloat16
(--config.model.trunk.dtype=bfloat16).
"""

import dataclasses

from primelens.configs import zeros_bank, zeros_baseline
from primelens.lens import experiment

WINDOW = 512


def get_config(mode: str = "memory_blind") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another mode."""
  config = zeros_baseline.get_config()
  config.task = dataclasses.replace(config.task, window=WINDOW, stride=WINDOW)
  config.model = dataclasses.replace(
    config.model,
    window=WINDOW,
    residual=True,
    entropy=0.01,
    scale_max=10.0,
    trunk=zeros_baseline.trunk(positions="rotary", max_positions=WINDOW),
  )
  config.fit.evaluate_windows = 350
  config.fit.optimizer.rate = 4e-4
  return zeros_bank.moded(config, mode)
