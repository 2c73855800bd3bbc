"""Binned predictors: 256 tokens of width 1/64, cross-entropy (SpacingGPT).

  python train.py --config=zeros_binned:small --workdir=runs/binned
  python train.py --config=zeros_binned:cpu --workdir=runs/binned_cpu

`small` has 853,120 parameters, `large` 4,852,992; `rmt` adds one recurrent memory token over four
segments of 256, `bank` a memory bank whose query is a causal mean, `bank_leaky_as_published` the
published one, whose mean holds the future. Hours on one GPU; those that begin with `cpu` take about
two minutes on two cores, and so do the controls, the network of `cpu` on other spacings.

Published perplexities: 83.3 (elsewhere 106.7), rmt 78.3, banks 80.11 and 55.43; P of them is
ln(P / 64) nats per spacing. The optimizer is that of `rmt`, the only one published; batch and steps
of the others were chosen here.
"""

from typing import Any

from primelens.lens import experiment
from primelens.models import binned, fit, optimizer
from primelens.tasks import binned as binned_task
from primelens.tasks import zeros

TINY: dict[str, Any] = dict(width=48, layers=2, heads=4, hidden=128, dropout=0.0, embed_dropout=0.0)
LARGE = {
  "small": lambda: binned.Config(),
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
}
CPU = {
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
VARIANTS = (*LARGE, *CPU, *CONTROLS)


def get_config(variant: str = "small") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  experiment.chosen(variant, VARIANTS)
  return _large(variant) if variant in LARGE else _on_cpu(variant)


def _large(variant: str) -> experiment.Experiment:
  """Returns the experiment of a published network."""
  model = LARGE[variant]()
  rmt = variant == "rmt"
  return experiment.Experiment(
    task=zeros.Config(split="published_tail", window=model.window, stride=256),  # published rows
    model=model,
    fit=fit.Config(
      steps=5000 if rmt else 10_000,
      batch_size=16 if rmt else 64,
      evaluate_windows=128,
      checkpoint_every=1000,
      optimizer=adamw(rate=3e-4, end_rate=3e-5),
    ),
  )


def _on_cpu(variant: str) -> experiment.Experiment:
  """Returns the experiment with a small network, two seeds, fewer steps and a higher rate."""
  control = variant in CONTROLS
  model = CPU["cpu" if control else variant]()
  cut: dict[str, Any] = dict(split="published_tail", window=model.window, stride=1)
  return experiment.Experiment(
    task=binned_task.Config(**cut | {"ensemble": variant}) if control else zeros.Config(**cut),
    model=model,
    fit=fit.Config(
      steps=1500,
      batch_size=32,
      seeds=2,
      evaluate_every=250,
      evaluate_windows=128,
      checkpoint_every=1000,
      optimizer=adamw(rate=3e-3, end_rate=1e-4),
    ),
    analyses=dict(
      evaluation=dict(min_context=model.window // 2), memory_effect=dict(trajectories=10)
    ),
  )


def adamw(rate: float, end_rate: float) -> optimizer.Config:
  """Returns the published optimizer at a rate."""
  return optimizer.Config(rate=rate, end_rate=end_rate, warmup=100, weight_decay=0.1, beta2=0.95)
