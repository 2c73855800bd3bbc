"""Modular addition, P = 113: the grokking demonstration.

  python train.py --config=addition_p113 --workdir=runs/addition_p113

One member with the published start (split 598, init 999, the order of
registration that the stored outputs were made with); 25,000 epochs, about 25
minutes on 2 CPU cores. `:32` trains 32 members from JAX keys on 32 splits,
for a GPU. Expected: test loss below 1e-5 at the end (published 2.0e-7).
"""

from primelens.configs import addition_p10
from primelens.lens import experiment
from primelens.models import fit, tokens
from primelens.tasks import addition


def get_config(members: str = "1") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for a wrong member count."""
  if not members.isdigit() or int(members) < 1:
    raise ValueError(f"{members!r} is not a number of members, as in 32.")
  count = int(members)
  return experiment.Experiment(
    study="addition",
    task=addition.Config(
      digits=113, modular=True, train_fraction=0.3, split_seeds=tuple(598 + i for i in range(count))
    ),
    model=tokens.Config(
      vocabulary=114, classes=113, torch_seeds=(999,) if count == 1 else (), torch_order="old"
    ),
    fit=fit.Config(
      steps=25_000,
      seeds=count,
      dispatch=100,
      evaluate_every=0,
      checkpoint_every=1000,
      snapshot_every=100,
      optimizer=addition_p10.adamw(),
    ),
  )
