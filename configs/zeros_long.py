"""Networks that are trained until they know primes, on two CPU cores.

  python train.py --config=zeros_long:all --workdir=runs/zeros_long

No filters in front, no guides: what they know of the primes they have found in
spacings by gradient descent. `none` has no memory; `memory_blind` is Flash in
small (residuals, rotary positions, slots that read slots alone), all else
equal. About 100,000 parameters, 2 seeds, 30 minutes each on one core.
"""

import dataclasses

from primelens.configs import zeros_bank, zeros_baseline, zeros_small
from primelens.lens import experiment
from primelens.models import optimizer

VARIANTS = ("none", "memory_blind")  # of `:all`


def get_config(mode: str = "none") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another mode."""
  small = zeros_small.get_config("zeros")
  trunk = zeros_baseline.trunk(
    width=64,
    layers=2,
    heads=4,
    hidden=256,
    positions="rotary",
    max_positions=zeros_small.WINDOW,
    dropout=0.0,
    embed_dropout=0.0,
    init_std=0.1,
  )
  config = dataclasses.replace(
    small,
    model=dataclasses.replace(
      small.model, residual=True, mean="raw", scale_max=5.0, slot_keep=1.0, trunk=trunk
    ),
    fit=dataclasses.replace(
      small.fit,
      steps=12_000,
      seeds=2,
      evaluate_every=500,
      checkpoint_every=500,
      snapshot_every=1000,
      optimizer=optimizer.Config(
        rate=3e-3, warmup=200, end_rate=1e-5, beta2=0.99, weight_decay=0.01
      ),
    ),
  )
  return zeros_bank.moded(config, mode, slow_factor=1.0)
