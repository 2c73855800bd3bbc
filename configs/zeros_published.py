"""The spacing transformers of the first family, at their published size.

  python train.py --config=zeros_published:e4 --workdir=runs/e4

E0 is causal and has 4,794,136 parameters; v0, v1, E1 and E2 have eight memory slots in front of the
window (prefix), E3, E4 and E5 behind it (postfix), and some thousand parameters more. 20,000 steps
of 512 windows (v0 and v1: 10,000), hours per seed on one GPU; `--dry_run` says more. Half the
memory suffices with --config.model.trunk.dtype=bfloat16.

The published nats, below, are of the whole tail, with the best checkpoint chosen on that tail; here
it is chosen on `select`. The published runs of E4 and E5 also permuted the slot ids when they were
evaluated: --config.model.eval_slot_ids=permute_per_batch.
"""

from typing import Any

from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing, transformer
from primelens.tasks import zeros

# What a variant changes in the model.
CAUSAL: dict[str, dict[str, Any]] = {"e0": {}}  # -0.561 nats
PREFIX: dict[str, dict[str, Any]] = {
  "v0": {"slot_ids": "off"},  # -0.127
  "v1": {"auxiliary": "window_statistics", "auxiliary_ramp": ((1, 0.1),)},  # -0.441
  "e1": {"drift_weight": 0.01},  # -0.379
  "e2": {  # -0.384
    "drift_weight": 0.1,
    "drift_every": 10,
    "drift_horizon": 20,
    "drift_batch": 32,
  },
}
_E4: dict[str, Any] = {"slot_ids": "permute_per_batch", "auxiliary": "mean"}
_E5 = _E4 | {"auxiliary": "diagonal", "orthogonality_ramp": ((500, 1e-3), (5000, 1e-2))}
POSTFIX: dict[str, dict[str, Any]] = {
  "e3": {},  # +0.304, +0.340, +0.394, one for each seed
  "e4": _E4,  # +0.194, +0.329, +0.343
  "e5": _E5,  # +0.237, +0.328, +0.299, unfinished
  "e5.5": _E5 | {"permutation_warmup": 2000},  # fixed ids for that many steps
}
VARIANTS = CAUSAL | PREFIX | POSTFIX
GROUPS = {"prefix_all": tuple(PREFIX)}
SLOW: dict[str, Any] = {"slow_pattern": "memory/.*", "slow_factor": 0.3}  # rate of the memory


def get_config(variant: str = "e0") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  experiment.chosen(variant, VARIANTS)
  return _postfix(variant) if variant in POSTFIX else _causal(variant)


def _causal(variant: str) -> experiment.Experiment:
  """Returns E0, or the same behind memory slots."""
  prefix = variant in PREFIX
  memory: dict[str, Any] = {"memory": "prefix"} | PREFIX[variant] if prefix else {}
  return experiment.Experiment(
    # Published rows of 256: 255 inputs, each with the next spacing as target.
    task=zeros.Config(split="published_tail", window=255, stride=256),
    model=spacing.Config(
      window=255, trunk=transformer.Config(max_positions=264 if prefix else 256), **memory
    ),
    fit=fit.Config(
      steps=10_000 if variant in ("v0", "v1") else 20_000,
      evaluate_windows=704,
      checkpoint_every=1000,
      optimizer=optimizer.Config(
        warmup=1500, floor_rate=1e-5, beta2=0.95, **SLOW if prefix else {}
      ),
    ),
  )


def _postfix(variant: str) -> experiment.Experiment:
  """Returns the network whose memory comes last: one target for each window."""
  return experiment.Experiment(
    task=zeros.Config(split="published_tail"),
    model=spacing.Config(
      memory="postfix",
      weight_floor=1e-8,
      floor="clamp",
      trunk=transformer.Config(max_positions=272),
      **POSTFIX[variant],
    ),
    fit=fit.Config(
      seeds=3,
      evaluate_windows=2048,
      checkpoint_every=1000,
      patience=10_000 if variant.startswith("e5") else 0,
      optimizer=optimizer.Config(end_rate=3e-5, weight_decay=0.1, **SLOW),
    ),
  )
