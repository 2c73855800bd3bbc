"""Modular addition, P = 97, two layers: the spectra of a grokking network.

  python train.py --config=addition_p97 --workdir=runs/addition_p97

The sizes of primes spec 7.4 (width 128, two layers, four heads, MLP 512, ReLU),
whose training is not part of its source: split, start and optimizer here are
those of the grokking demonstration, `addition_p113`. 17,500 epochs as in the
published curves; about 2 hours on 2 CPU cores, one member. `:3` trains three.
"""

import dataclasses

from primelens.configs import addition_p113
from primelens.lens import experiment
from primelens.models import tokens


def get_config(members: str = "1") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for a wrong member count."""
  large = addition_p113.get_config(members)
  return dataclasses.replace(
    large,
    task=dataclasses.replace(large.task, digits=97),
    model=dataclasses.replace(
      large.model, vocabulary=98, classes=97, torch_seeds=(), trunk=tokens.plain_trunk(layers=2)
    ),
    fit=dataclasses.replace(large.fit, steps=17_500, dispatch=50, snapshot_every=250),
  )
