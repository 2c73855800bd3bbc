"""Binned predictors: 256 tokens of width 1/64, cross-entropy (SpacingGPT).

  python train.py --config=configs/zeros_binned.py --workdir=runs/binned
  python train.py --config=configs/zeros_binned.py:cpu --workdir=runs/binned_cpu

`small` (the default) has 853,120 parameters, `large` 4,852,992; `rmt` adds one
recurrent memory token over four segments of 256, `bank` a memory bank whose
query is a causal mean, `bank_leaky_as_published` the published one, whose mean
holds the future. Hours on one GPU; `cpu` takes about two minutes on two cores,
and `cpu_rmt`, `cpu_bank`, `cpu_bank_leaky_as_published` are as small.
`shuffled_rows`, `shuffled` and `prime_gaps` train `cpu` on the controls.

Published perplexities: 83.3 (elsewhere 106.7), rmt 78.3, banks 80.11 and 55.43;
P of them is ln(P / 64) nats per spacing. The optimizer is that of `rmt`, the
only one published; batch and steps of the others are ours.
"""

from typing import Any

from primelens.lens import experiment
from primelens.models import binned, fit, optimizer
from primelens.tasks import binned as binned_task
from primelens.tasks import zeros

TINY: dict[str, Any] = dict(width=48, layers=2, heads=4, hidden=128, dropout=0.0, embed_dropout=0.0)
MODELS = {
  "small": lambda: binned.Config(trunk=binned.plain_trunk()),
  "large": lambda: binned.Config(
    trunk=binned.plain_trunk(width=256, layers=6, heads=8, hidden=1024)
  ),
  "rmt": lambda: binned.Config(
    variant="rmt", window=1024, trunk=binned.plain_trunk(max_positions=257)
  ),
  "bank": lambda: binned.Config(variant="bank", trunk=binned.encoder_trunk()),
  "bank_leaky_as_published": lambda: binned.Config(
    variant="bank_leaky_as_published", trunk=binned.encoder_trunk()
  ),
  "cpu": lambda: binned.Config(window=64, trunk=binned.plain_trunk(max_positions=64, **TINY)),
  "cpu_rmt": lambda: binned.Config(
    variant="rmt", window=128, segment=32, trunk=binned.plain_trunk(max_positions=33, **TINY)
  ),
  "cpu_bank": lambda: binned.Config(
    variant="bank", window=64, trunk=binned.encoder_trunk(max_positions=64, **TINY)
  ),
  "cpu_bank_leaky_as_published": lambda: binned.Config(
    variant="bank_leaky_as_published",
    window=64,
    trunk=binned.encoder_trunk(max_positions=64, **TINY),
  ),
}
CONTROLS = ("shuffled_rows", "shuffled", "prime_gaps")


def get_config(variant: str = "small") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  if variant not in (*MODELS, *CONTROLS):
    known = ", ".join((*MODELS, *CONTROLS))
    raise ValueError(f"{variant!r} is not one of {known}.")
  control = variant in CONTROLS
  model = MODELS["cpu" if control else variant]()
  cpu = control or variant.startswith("cpu")
  # Published rows of 256; small ones begin anywhere.
  cut: dict[str, Any] = dict(split="published_tail", window=model.window, stride=1 if cpu else 256)
  task = binned_task.Config(**cut | {"ensemble": variant}) if control else zeros.Config(**cut)
  config = experiment.Experiment(
    study="zeros",
    task=task,
    model=model,
    fit=fit.Config(
      steps=5000 if variant == "rmt" else 10_000,
      batch_size=16 if variant == "rmt" else 64,
      seeds=1,
      evaluate_every=500,
      evaluate_windows=128,
      checkpoint_every=1000,
      optimizer=optimizer.Config(
        rate=3e-4, end_rate=3e-5, warmup=100, weight_decay=0.1, beta2=0.95
      ),
    ),
  )
  return _on_cpu(config) if cpu else config


def _on_cpu(config: experiment.Experiment) -> experiment.Experiment:
  """Returns the experiment with two seeds, fewer steps and a higher rate."""
  config.fit.steps, config.fit.seeds = 1500, 2
  config.fit.batch_size = 32
  config.fit.evaluate_every = 250
  config.fit.optimizer.rate, config.fit.optimizer.end_rate = 3e-3, 1e-4
  config.analyses.evaluation.min_context = config.model.window // 2
  config.analyses.memory_effect.trajectories = 10
  return config
