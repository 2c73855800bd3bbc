"""Postfix memory E3: fixed slot ids.

  python train.py --config=configs/zeros_postfix_e3.py --workdir=runs/e3

4,802,336 parameters; 20,000 steps of 512 windows with one target each, hours
per seed on one GPU. Published: +0.304, +0.340, +0.394 nats for three seeds.
"""

from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing, transformer
from primelens.tasks import zeros


def get_config() -> experiment.Experiment:
  """Returns the experiment."""
  return experiment.Experiment(
    study="zeros",
    task=zeros.Config(split="published_tail", window=256, stride=1),
    model=spacing.Config(
      window=256,
      memory="postfix",
      weight_floor=1e-8,
      floor="clamp",
      trunk=transformer.Config(max_positions=272),
    ),
    fit=fit.Config(
      steps=20_000,
      batch_size=512,
      seeds=3,
      evaluate_every=500,
      evaluate_windows=2048,
      checkpoint_every=1000,
      optimizer=optimizer.Config(
        rate=3e-4, end_rate=3e-5, weight_decay=0.1, slow_pattern="memory/.*", slow_factor=0.3
      ),
    ),
  )
