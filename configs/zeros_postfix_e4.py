"""Postfix memory E4: permuted slot ids and the mean Q3-proxy loss.

  python train.py --config=configs/zeros_postfix_e4.py --workdir=runs/e4

4,804,392 parameters; hours per seed on one GPU. Published: +0.194, +0.329,
+0.343 nats for three seeds. The published runs also permuted the ids when
evaluating: --config.model.eval_slot_ids=permute_per_batch.
"""

import dataclasses

from primelens.configs import zeros_postfix_e3
from primelens.lens import experiment


def get_config() -> experiment.Experiment:
  """Returns the experiment."""
  config = zeros_postfix_e3.get_config()
  config.model = dataclasses.replace(config.model, slot_ids="permute_per_batch", auxiliary="mean")
  return config
