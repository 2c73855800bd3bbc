"""Postfix memory E5: E4 with diagonal Q3-proxy loss and orthogonal slots.

  python train.py --config=configs/zeros_postfix_e5.py --workdir=runs/e5
  python train.py --config=configs/zeros_postfix_e5.py:e5.5 --workdir=runs/e55

4,804,392 parameters; hours per seed on one GPU. Published, unfinished: +0.237,
+0.328, +0.299 nats for three seeds. E5.5 fixes the ids for 2,000 steps first.
"""

import dataclasses

from primelens.configs import zeros_postfix_e4
from primelens.lens import experiment


def get_config(variant: str = "e5") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  if variant not in ("e5", "e5.5"):
    raise ValueError(f"{variant!r} is not one of e5, e5.5.")
  config = zeros_postfix_e4.get_config()
  config.model = dataclasses.replace(
    config.model,
    auxiliary="diagonal",
    orthogonality_ramp=((500, 1e-3), (5000, 1e-2)),
    permutation_warmup=2000 if variant == "e5.5" else 0,
  )
  config.fit.patience = 10_000
  return config
