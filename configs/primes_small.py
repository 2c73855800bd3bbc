"""Prime gaps by index at CPU size, with their controls: 2^15 indices.

  python train.py --config=primes_small:a --workdir=runs/primes_small/a

Four members each of two layers of width 64. Plans `a` (16 parts of 128 to a
step), `b` (one) and `c` (sinusoid; `c_few` has 2^13 indices, which its 0.1
million weights can hold). Controls of `a`: another sequence (`shuffled`,
`cramer`, `marginal`, `gaussian`, `constant`, `logistic`), another start or
order (`wide`, `mixed`, `wide_mixed`; `chaos` is the published logistic setting
with both and a cosine, `chaos_c` that with a sinusoid), rows left out
(`held_random`, `held_tail`), `flows` (hyper-connections), and `context`: the
eight gaps before and residues, scored on later primes. `kernel`,
`kernel_shuffled`, `kernel_wide`, `kernel_logistic` and `kernel_logistic_wide`
have 2^13 indices and a backward pass that does not fit its forward pass. A
minute or two each on 2 CPU cores; `make primes` runs all of them.
Expected: `a` remembers its gaps within 2 on average.
"""

import dataclasses
from typing import Any

from primelens.configs import primes_published
from primelens.lens import experiment
from primelens.models import fit, indices, optimizer
from primelens.studies.primes import program
from primelens.tasks import primes

PRIMES = 2**15
FEW = 2**13
MEMBERS = 4
PART = 128  # rows of a part; 16 parts are a step of plan a
MODULI = (3, 5, 7)
LENGTH = 8  # gaps of a context
KERNEL = {"primes": FEW + 1}
# What a variant changes in the task and in the model, beside plan a.
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
  "a": ({}, {}),
  "b": ({}, {}),
  "c": ({}, {"embedding": "sinusoidal"}),
  "c_few": ({"primes": FEW}, {"embedding": "sinusoidal"}),
  "shuffled": ({"sequence": "shuffled"}, {}),
  "cramer": ({"sequence": "cramer"}, {}),
  "marginal": ({"sequence": "marginal"}, {}),
  "gaussian": ({"sequence": "gaussian"}, {}),
  "constant": ({"sequence": "constant"}, {}),
  "logistic": ({"sequence": "logistic"}, {}),
  "wide": ({}, {"embedding_std": 1.0}),
  "mixed": ({"order": "shuffled"}, {}),
  "wide_mixed": ({"order": "shuffled"}, {"embedding_std": 1.0}),
  "chaos": ({"sequence": "logistic", "order": "shuffled"}, {"embedding_std": 1.0}),
  "chaos_c": ({"sequence": "logistic", "order": "shuffled"}, {"embedding": "sinusoidal"}),
  "held_random": ({"held_out": "random"}, {}),
  "held_tail": ({"held_out": "tail"}, {}),
  "flows": ({}, {"flows": 4}),
  "context": (
    {"context": LENGTH, "moduli": MODULI, "held_out": "tail", "order": "shuffled"},
    {"embedding": "context", "features": 1 + sum(MODULI)},
  ),
  "kernel": (KERNEL, {}),
  "kernel_shuffled": (KERNEL | {"sequence": "shuffled"}, {}),
  "kernel_wide": (KERNEL, {"embedding_std": 1.0}),
  "kernel_logistic": (KERNEL | {"sequence": "logistic"}, {}),
  "kernel_logistic_wide": (KERNEL | {"sequence": "logistic"}, {"embedding_std": 1.0}),
}
EPOCHS = {"b": 16, "c_few": 150, "context": 12, "kernel": 156}  # a: 64
PARTS = {"b": 1, "c_few": 2, "context": 2, "kernel": 2}  # a: 16


def trunk(variant: str):
  """Returns two layers of width 64, or of four flows of 16."""
  options: dict[str, Any] = dict(width=64, layers=2, heads=4, hidden=256)
  if variant == "flows":
    return indices.flow_trunk(**options | {"width": 16})
  if variant == "context":
    options |= {"positions": "learned", "max_positions": LENGTH}
  if variant.startswith("kernel"):
    options |= {"implementation": "mismatched"}
  return indices.one_token_trunk(**options)


def rate_of(variant: str) -> optimizer.Config:
  """Returns the optimizer: the random walk of the rate, or the cosine of the
  published chaos; constant where a run has few epochs."""
  if variant.startswith("chaos"):
    return primes_published.adamw(0, 4e-4, schedule="cosine", end_rate=1e-6)
  if variant == "context":
    return primes_published.adamw(0, 1e-3, schedule="cosine")
  if variant.startswith(("kernel", "c_few")):
    rate = 1e-3 if variant == "c_few" else 3e-4
    return primes_published.adamw(0, rate, schedule="constant")
  return primes_published.adamw(1, 4e-4)  # the cycle is set with the epoch


def get_config(variant: str = "a") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for an unknown variant."""
  if variant not in VARIANTS:
    raise ValueError(f"{variant!r} is not one of {', '.join(VARIANTS)}.")
  of_task, of_model = VARIANTS[variant]
  family = variant.partition("_")[0] if "kernel" in variant else variant
  parts = PARTS.get(family, 16)
  task = primes.Config(**{"primes": PRIMES} | of_task)
  cycle = -(-program.trained_rows(task) // (PART * parts))
  adamw = rate_of(variant)
  if adamw.schedule == "random_walk":
    adamw = dataclasses.replace(adamw, cycle=cycle)
  width = 16 if variant == "flows" else 64
  head = (width // 2, width // 4)
  sizes: dict[str, Any] = {"indices": task.primes, "head": head}
  return experiment.Experiment(
    study="primes",
    task=task,
    model=indices.Config(**sizes | of_model, trunk=trunk(variant)),
    fit=fit.Config(
      steps=EPOCHS.get(family, 64) * cycle,
      batch_size=PART * parts,
      accumulation=parts,
      seeds=MEMBERS,
      dispatch=cycle,
      evaluate_every=4 * cycle,
      evaluate_windows=4096,
      checkpoint_every=16 * cycle,
      snapshot_every=4 * cycle,
      optimizer=adamw,
    ),
  )
