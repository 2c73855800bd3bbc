"""A plain network that is trained until it knows primes, on two CPU cores.

  python train.py --config=zeros_long --workdir=runs/zeros_long

No filters in front, no guides, no memory: what it knows of the primes it has
found in spacings by gradient descent. Rotary positions and residuals s - 1 as
inputs, which small networks learn from soonest.
"""

import dataclasses

from primelens.configs import zeros_baseline
from primelens.configs import zeros_small
from primelens.models import optimizer
from primelens.studies import experiment


def get_config() -> experiment.Experiment:
  """Returns the experiment."""
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
  return dataclasses.replace(
    small,
    model=dataclasses.replace(
      small.model, residual=True, mean="raw", scale_max=5.0, trunk=trunk
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
