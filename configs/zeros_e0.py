"""E0: the causal spacing transformer at its published size.

  python train.py --config=configs/zeros_e0.py --workdir=runs/e0

4,794,136 parameters; 20,000 steps of 512 rows x 255 targets. One GPU, hours
per seed; `--dry_run` says more. Published: -0.561 nats on the whole tail,
with the best checkpoint chosen on that tail; here it is chosen on `select`.
Add --config.model.trunk.dtype=bfloat16 for half the memory on a GPU.
"""

from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing, transformer
from primelens.tasks import zeros


def get_config() -> experiment.Experiment:
  """Returns the experiment."""
  return experiment.Experiment(
    study="zeros",
    # Published rows of 256: 255 inputs, each with the next spacing as target.
    task=zeros.Config(split="published_tail", window=255, stride=256),
    model=spacing.Config(window=255, trunk=transformer.Config(max_positions=256)),
    fit=fit.Config(
      steps=20_000,
      batch_size=512,
      seeds=1,
      evaluate_every=500,
      evaluate_windows=704,
      checkpoint_every=1000,
      optimizer=optimizer.Config(
        rate=3e-4, warmup=1500, floor_rate=1e-5, beta2=0.95, weight_decay=0.01
      ),
    ),
  )
