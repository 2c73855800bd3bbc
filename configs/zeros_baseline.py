"""F2 baseline: the causal network beside the published memory bank.

  python train.py --config=configs/zeros_baseline.py --workdir=runs/baseline

4,797,464 parameters; 20,000 steps of 256 rows x 256 targets. One GPU, hours
per seed. Published: -0.069 nats on the last tenth of 200 million zeros, which
are not at hand; here it is trained on Odlyzko's two million, like E0.
"""

from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing, transformer
from primelens.tasks import zeros


def trunk(**change) -> transformer.Config:
  """Returns the second family's trunk: E0's, with biases in the norms."""
  return transformer.Config(**{"norm_bias": True} | change)


def get_config() -> experiment.Experiment:
  """Returns the experiment."""
  return experiment.Experiment(
    study="zeros",
    # Published: rows of 256, whose first 255 positions have their target in
    # the row. Here a 257th value is the target of the last one.
    task=zeros.Config(split="published_tail", window=256, stride=256),
    model=spacing.Config(window=256, mean="raw", scale_max=5.0, trunk=trunk(max_positions=256)),
    fit=fit.Config(
      steps=20_000,
      batch_size=256,
      seeds=1,
      evaluate_every=500,
      evaluate_windows=702,
      checkpoint_every=1000,
      optimizer=optimizer.Config(rate=3e-4, warmup=1500, end_rate=1e-5, weight_decay=0.1),
    ),
  )
