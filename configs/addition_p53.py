"""Modular addition, P = 53: grokking of a population on a CPU.

  python train.py --config=addition_p53 --workdir=runs/addition_p53

Six members on six splits of half of all pairs, from JAX keys, so that phases
and lead times have an interval over seeds where 32 members of P = 113 need a
GPU; 8,000 epochs, minutes on 2 CPU cores.
"""

import dataclasses

from primelens.configs import addition_p113
from primelens.lens import experiment


def get_config(members: str = "6") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for a wrong member count."""
  large = addition_p113.get_config(members)
  return dataclasses.replace(
    large,
    task=dataclasses.replace(large.task, digits=53, train_fraction=0.5),
    model=dataclasses.replace(large.model, vocabulary=54, classes=53, torch_seeds=()),
    fit=dataclasses.replace(large.fit, steps=8000),
  )
