"""Prime gaps by index at their published size, for a GPU.

  python train.py --config=primes_published:a --workdir=runs/primes/a

One million primes; plans a and b have a learned table (260,779,777
parameters), c a sinusoid (4,779,777); a and c take 16 batches of 256 to a step,
b one. `:a_replay`, `:b_replay`, `:c_replay` take the logged learning rates in
the place of the random walk. `:chaos_a` and `:chaos_c` have the logistic map
and the other settings of its source, `:flows` and `:flows_chaos` identity
hyper-connections. 5 to 12 hours each in the source, on a P100; not run here.
Expected training loss: .006 (a), .015 then rising (b), .33 (c).
"""

from typing import Any

from primelens.lens import experiment
from primelens.models import fit, indices, optimizer
from primelens.tasks import primes

PRIMES = 1_000_000
PART = 256  # rows in memory at once
EPOCHS = {"a": 325, "b": 161, "c": 320, "chaos_a": 300, "chaos_c": 300}
Events = tuple[tuple[float, ...], ...]
EVENTS: dict[str, Events] = {  # primes spec, section 3: epoch, rate after it
  "a": (
    (30, 7.00e-5),
    (52, 6.77e-5),
    (72, 7.32e-5),
    (92, 7.74e-5),
    (119, 7.22e-5),
    (139, 7.34e-5),
    (159, 7.30e-5),
    (190, 7.66e-5),
    (237, 7.55e-5),
    (284, 9.32e-5),
    (314, 6.52e-5),
  ),
  "b": (
    (30, 8.77e-5),
    (52, 9.03e-5),
    (72, 9.50e-5),
    (92, 9.90e-5),
    (112, 1.03e-4),
    (132, 8.12e-5),
    (152, 6.73e-5),
  ),
  "c": (
    (30, 9.50e-5),
    (67, 9.07e-5),
    (97, 8.84e-5),
    (127, 8.17e-5),
    (174, 8.75e-5),
    (221, 8.88e-5),
    (290, 7.79e-5),
  ),
}
VARIANTS = (
  "a",
  "b",
  "c",
  "a_replay",
  "b_replay",
  "c_replay",
  "chaos_a",
  "chaos_c",
  "flows",
  "flows_chaos",
)


def adamw(cycle: int, rate: float = 1e-4, **changes) -> optimizer.Config:
  """Returns the published optimizer: AdamW on everything, the table too."""
  options: dict[str, Any] = dict(
    rate=rate, schedule="random_walk", cycle=cycle, weight_decay=0.01, clip=5.0
  )
  return optimizer.Config(**options | changes)


def model_of(plan: str) -> indices.Config:
  """Returns the model of a variant."""
  if plan.startswith("flows"):
    return indices.Config(
      indices=PRIMES,
      embedding_std=1.0 if plan == "flows_chaos" else 0.02,
      flows=4,
      head=(32, 16),
      trunk=indices.flow_trunk(),
    )
  if plan in ("c", "chaos_c"):
    return indices.Config(embedding="sinusoidal_float32_as_published")
  return indices.Config(embedding_std=1.0 if plan == "chaos_a" else 0.02)


def optimizer_of(plan: str, replay: str, cycle: int) -> optimizer.Config:
  """Returns the optimizer of a variant."""
  if "chaos" in plan:
    return adamw(0, schedule="cosine", end_rate=1e-6)
  if replay:
    return adamw(cycle, schedule="replay", events=EVENTS[plan])
  return adamw(cycle)


def get_config(variant: str = "a") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for an unknown variant."""
  if variant not in VARIANTS:
    raise ValueError(f"{variant!r} is not one of {', '.join(VARIANTS)}.")
  plan, replay, _ = variant.partition("_replay")
  parts = 1 if plan == "b" else 16
  cycle = -(-(PRIMES - 1) // (PART * parts))
  chaos = "chaos" in plan
  return experiment.Experiment(
    study="primes",
    task=primes.Config(
      primes=PRIMES,
      sequence="logistic" if chaos else "primes",
      order="shuffled" if chaos else "fixed",
    ),
    model=model_of(plan),
    fit=fit.Config(
      steps=EPOCHS.get(plan, 300) * cycle,
      batch_size=PART * parts,
      accumulation=parts,
      dispatch=cycle,
      evaluate_every=cycle,
      evaluate_windows=10_000,
      checkpoint_every=10 * cycle,
      snapshot_every=40 * cycle,
      optimizer=optimizer_of(plan, replay, cycle),
    ),
  )
