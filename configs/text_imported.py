"""A published network, read from an NPZ of its PyTorch state dict.

  python train.py --config=text_imported --workdir=runs/text/imported \
    --config.model.checkpoint=reg_sum.npz

One step at rate 0, which leaves the weights as they are, makes it a run that
all analyses can read; less than a minute. `:modk` is read with prompts of sums
modulo 97.
"""

import dataclasses

from primelens.configs import text_sum
from primelens.lens import experiment


def get_config(question: str = "sum") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for an unknown question."""
  if question not in ("sum", "modk"):
    raise ValueError(f"{question!r} is not one of sum, modk.")
  config = text_sum.get_config(question)
  still = text_sum.published_fit(rate=0.0, seeds=1)
  return dataclasses.replace(
    config, fit=dataclasses.replace(still, steps=1, dispatch=1, evaluate_every=1)
  )
