"""Memory banks: eight slots in front of the window that all windows share, under three masks.

  python train.py --config=zeros_bank:memory_blind --workdir=runs/bank
  python train.py --config=zeros_bank:leak_all --workdir=runs/zeros_leak

`memory_blind` lets slots read slots alone, as the published text says; `leaky_as_published` lets
them read the whole window, as the published code does, and so tells every position but the last its
target; `none`, and `baseline` at the size of the bank, have no slots at all.

The banks (Q3), their baseline (F2) and Flash, which predicts residuals from 512 inputs with rotary
positions, have their published size: 4.7 to 4.8 million parameters, 20,000 steps of 256 rows, hours
per seed on one GPU. Published, on the last tenth of 200 million zeros that are not at hand:
baseline -0.069 nats, Q3 -0.689 and Flash -0.712 (in bfloat16), both leaky. Here they are trained on
Odlyzko's two million, like E0.

`leak_MODE_INPUT_POSITIONS` are small networks that differ in these three alone, so that their table
shows what leaks through the bank: the leaky one of spacings and learned positions is Q3 in small,
that of residuals and rotary positions Flash. Three seeds each, two or three minutes on two CPU
cores; `make leak` trains and reads the twelve.
"""

import dataclasses

from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing, transformer
from primelens.tasks import zeros

SLOTS = 8
WINDOW = 32  # of a small one
LEAK = (
  "leak_memory_blind_spacings_learned",
  "leak_memory_blind_spacings_rotary",
  "leak_memory_blind_residuals_learned",
  "leak_memory_blind_residuals_rotary",
  "leak_leaky_as_published_spacings_learned",
  "leak_leaky_as_published_spacings_rotary",
  "leak_leaky_as_published_residuals_learned",
  "leak_leaky_as_published_residuals_rotary",
  "leak_none_spacings_learned",
  "leak_none_spacings_rotary",
  "leak_none_residuals_learned",
  "leak_none_residuals_rotary",
)
VARIANTS = (
  "memory_blind",
  "leaky_as_published",
  "baseline",
  "flash_memory_blind",
  "flash_leaky_as_published",
  "flash_none",
  *LEAK,
)
GROUPS = {"leak_all": LEAK}


def get_config(variant: str = "memory_blind") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  experiment.chosen(variant, VARIANTS)
  size, _, rest = variant.partition("_")
  if size == "leak":
    return _leak(*rest.rsplit("_", 2))
  if size == "flash":
    return banked(_flash(), rest)
  return banked(_baseline(), variant)


def trunk(**changes) -> transformer.Config:
  """Returns the second family's trunk: E0's, with biases in the norms."""
  return transformer.Config(**{"norm_bias": True} | changes)


def small_trunk(width: int, length: int, **changes) -> transformer.Config:
  """Returns a trunk for minutes on a CPU, started wide enough to learn soon."""
  return trunk(
    width=width,
    layers=2,
    heads=4,
    hidden=4 * width,
    max_positions=length,
    dropout=0.0,
    embed_dropout=0.0,
    init_std=0.1,
    **changes,
  )


def banked(
  config: experiment.Experiment, mode: str, slow_factor: float = 0.1
) -> experiment.Experiment:
  """Returns the experiment with a memory bank under a mask, or as it is.

  The memory learns `slow_factor` times as fast as the rest.
  """
  if mode in ("none", "baseline"):
    return config
  model, its = config.model, config.model.trunk
  changed = dataclasses.replace(
    its,
    mask=mode,
    mask_slots=SLOTS,
    rotary_start=SLOTS if its.positions == "rotary" else 0,
    max_positions=model.window + SLOTS,
  )
  config.model = dataclasses.replace(model, memory="bank", slots=SLOTS, trunk=changed)
  config.fit.optimizer.slow_pattern = "memory/.*"
  config.fit.optimizer.slow_factor = slow_factor
  return config


def _baseline() -> experiment.Experiment:
  """Returns the causal network beside the published bank."""
  return experiment.Experiment(
    # Published: rows of 256, whose first 255 positions have their target in
    # the row. Here a 257th value is the target of the last one.
    task=zeros.Config(split="published_tail", stride=256),
    model=spacing.Config(mean="raw", scale_max=5.0, trunk=trunk()),
    fit=fit.Config(
      batch_size=256,
      evaluate_windows=702,
      checkpoint_every=1000,
      optimizer=optimizer.Config(warmup=1500, end_rate=1e-5, weight_decay=0.1),
    ),
  )


def _flash() -> experiment.Experiment:
  """Returns the causal network beside the published Flash."""
  window = 512
  config = _baseline()
  config.task = dataclasses.replace(config.task, window=window, stride=window)
  config.model = dataclasses.replace(
    config.model,
    window=window,
    residual=True,
    entropy=0.01,
    scale_max=10.0,
    trunk=trunk(positions="rotary", max_positions=window),
  )
  config.fit.evaluate_windows = 350
  config.fit.optimizer.rate = 4e-4
  return config


def _leak(mode: str, reads: str, positions: str) -> experiment.Experiment:
  """Returns a small network."""
  config = experiment.Experiment(
    task=zeros.Config(split="published_tail", window=WINDOW),
    model=spacing.Config(
      window=WINDOW,
      components=4,
      mean="raw",
      scale_max=5.0,
      residual=reads == "residuals",
      entropy=0.0,
      slot_keep=1.0,
      trunk=small_trunk(48, WINDOW, positions=positions),
    ),
    fit=fit.Config(
      steps=1500,
      batch_size=64,
      seeds=3,
      dispatch=20,
      evaluate_every=200,
      optimizer=optimizer.Config(rate=3e-3, warmup=100, end_rate=1e-5, beta2=0.99),
    ),
    analyses=dict(evaluation=dict(windows=2048, select_windows=256, min_context=WINDOW)),
  )
  return banked(config, mode, slow_factor=1.0)
