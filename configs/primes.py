"""Prime gaps by index: networks that remember gaps, small with their controls, and as published.

  python train.py --config=primes:small_a --workdir=runs/primes_small/a
  python train.py --config=primes:published_a --workdir=runs/primes/a

Plans a and b have a learned table of the indices, c a sinusoid; a and c take 16 parts of a batch to
a step, b one.

The small ones have 2^15 indices and four members each of two layers of width 64, for a minute or
two on 2 CPU cores; `make primes` trains and reads all of them. Beside the plans there are controls
of plan a. Expected: `small_a` remembers its gaps within 2 on average.

The published ones have a million primes (260,779,777 parameters, plan c 4,779,777) and are for a
GPU: 5 to 12 hours each in the source, on a P100; not run here. Expected training loss: .006 (a),
.015 then rising (b), .33 (c). A `replay` takes the logged learning rates in the place of the random
walk; `chaos` has the logistic map and the other settings of its source, `flows` identity
hyper-connections.
"""

from typing import Any

from primelens.lens import experiment
from primelens.models import fit, indices, optimizer
from primelens.studies.primes import program
from primelens.tasks import primes

FEW = 2**13  # indices
MODULI = (3, 5, 7)
LENGTH = 8  # gaps of a context
KERNEL: dict[str, Any] = {"primes": FEW + 1}
CHAOS: dict[str, Any] = {"sequence": "logistic", "order": "shuffled"}
COSINE: dict[str, Any] = {"schedule": "cosine", "end_rate": 1e-6}
WIDE: dict[str, Any] = {"embedding_std": 1.0}
SINUSOID: dict[str, Any] = {"embedding": "sinusoidal"}
# What a variant changes in the task and in the model, beside plan a.
SMALL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
  "small_a": ({}, {}),
  "small_b": ({}, {}),
  "small_c": ({}, SINUSOID),
  "small_c_few": ({"primes": FEW}, SINUSOID),  # what 0.1 million weights can hold
  # Another sequence.
  "small_shuffled": ({"sequence": "shuffled"}, {}),
  "small_cramer": ({"sequence": "cramer"}, {}),
  "small_marginal": ({"sequence": "marginal"}, {}),
  "small_gaussian": ({"sequence": "gaussian"}, {}),
  "small_constant": ({"sequence": "constant"}, {}),
  "small_logistic": ({"sequence": "logistic"}, {}),
  # Another start, another order of the rows.
  "small_wide": ({}, WIDE),
  "small_mixed": ({"order": "shuffled"}, {}),
  "small_wide_mixed": ({"order": "shuffled"}, WIDE),
  # The published logistic setting: both, and a cosine.
  "small_chaos": (CHAOS, WIDE),
  "small_chaos_c": (CHAOS, SINUSOID),
  # Rows left out.
  "small_held_random": ({"held_out": "random"}, {}),
  "small_held_tail": ({"held_out": "tail"}, {}),
  "small_flows": ({}, {"flows": 4}),  # hyper-connections
  # The eight gaps before and residues, scored on later primes.
  "small_context": (
    {"context": LENGTH, "moduli": MODULI, "held_out": "tail", "order": "shuffled"},
    {"embedding": "context", "features": 1 + sum(MODULI)},
  ),
  # A backward pass that does not fit its forward pass.
  "small_kernel": (KERNEL, {}),
  "small_kernel_shuffled": (KERNEL | {"sequence": "shuffled"}, {}),
  "small_kernel_wide": (KERNEL, WIDE),
  "small_kernel_logistic": (KERNEL | {"sequence": "logistic"}, {}),
  "small_kernel_logistic_wide": (KERNEL | {"sequence": "logistic"}, WIDE),
}
PUBLISHED = (
  "published_a",
  "published_b",
  "published_c",
  "published_a_replay",
  "published_b_replay",
  "published_c_replay",
  "published_chaos_a",
  "published_chaos_c",
  "published_flows",
  "published_flows_chaos",
)
VARIANTS = (*SMALL, *PUBLISHED)
GROUPS = {"small_all": tuple(SMALL), "published_all": PUBLISHED}
SMALL_EPOCHS = {"b": 16, "c_few": 150, "context": 12, "kernel": 156}  # a: 64
SMALL_PARTS = {"b": 1, "c_few": 2, "context": 2, "kernel": 2}  # a: 16
PUBLISHED_EPOCHS = {"a": 325, "b": 161, "c": 320}  # others: 300
Events = tuple[tuple[float, ...], ...]
EVENTS: dict[str, Events] = {  # docs/sources/primes.md, section 3: epoch, rate after it
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


def get_config(variant: str = "small_a") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  experiment.chosen(variant, VARIANTS)
  size, _, plan = variant.partition("_")
  return _small(plan) if size == "small" else _published(plan)


def fit_of(
  task: primes.Config, rates: dict[str, Any], *, epochs: int, part: int, parts: int, **changes
) -> fit.Config:
  """Returns a fit of whole epochs whose steps read `parts` times `part` rows.

  The optimizer is the published one, AdamW on everything, the table too; its rate takes a random
  walk unless `rates` says another. What is done every so often is counted in epochs.
  """
  cycle = -(-program.trained_rows(task) // (part * parts))
  options: dict[str, Any] = {"rate": 1e-4, "schedule": "random_walk", "clip": 5.0} | rates
  if options["schedule"] in ("random_walk", "replay"):
    options["cycle"] = cycle
  every = {key: value * cycle for key, value in changes.items() if key.endswith("_every")}
  return fit.Config(
    steps=epochs * cycle,
    batch_size=part * parts,
    accumulation=parts,
    dispatch=cycle,
    optimizer=optimizer.Config(**options),
    **changes | every,
  )


def _small(plan: str) -> experiment.Experiment:
  of_task, of_model = SMALL[f"small_{plan}"]
  kin = "kernel" if plan.startswith("kernel") else plan
  task = primes.Config(**{"primes": 2**15} | of_task)
  trunk = _small_trunk(plan)
  head = (trunk.width // 2, trunk.width // 4)
  return experiment.Experiment(
    study="primes",
    task=task,
    model=indices.Config(indices=task.primes, head=head, trunk=trunk, **of_model),
    fit=fit_of(
      task,
      _small_rates(plan),
      epochs=SMALL_EPOCHS.get(kin, 64),
      part=128,
      parts=SMALL_PARTS.get(kin, 16),
      seeds=4,
      evaluate_every=4,
      evaluate_windows=4096,
      checkpoint_every=16,
      snapshot_every=4,
    ),
  )


def _small_trunk(plan: str):
  """Returns two layers of width 64, or of four flows of 16."""
  options: dict[str, Any] = dict(width=64, layers=2, heads=4, hidden=256)
  if plan == "flows":
    return indices.flow_trunk(**options | {"width": 16})
  if plan == "context":
    options |= {"positions": "learned", "max_positions": LENGTH}
  if plan.startswith("kernel"):
    options |= {"implementation": "mismatched"}
  return indices.one_token_trunk(**options)


def _small_rates(plan: str) -> dict[str, Any]:
  """Returns what is said of the rate: the random walk, or the cosine of the published chaos;
  constant where a run has few epochs."""
  if plan.startswith("chaos"):
    return {"rate": 4e-4} | COSINE
  if plan == "context":
    return {"rate": 1e-3, "schedule": "cosine"}
  if plan == "c_few":
    return {"rate": 1e-3, "schedule": "constant"}
  if plan.startswith("kernel"):
    return {"rate": 3e-4, "schedule": "constant"}
  return {"rate": 4e-4}


def _published(variant: str) -> experiment.Experiment:
  plan, replay, _ = variant.partition("_replay")
  chaos = "chaos" in plan
  task = primes.Config(**CHAOS if chaos else {})
  rates: dict[str, Any] = {"schedule": "replay", "events": EVENTS[plan]} if replay else {}
  return experiment.Experiment(
    study="primes",
    task=task,
    model=_published_model(plan),
    fit=fit_of(
      task,
      COSINE if chaos else rates,
      epochs=PUBLISHED_EPOCHS.get(plan, 300),
      part=256,
      parts=1 if plan == "b" else 16,
      evaluate_every=1,
      evaluate_windows=10_000,
      checkpoint_every=10,
      snapshot_every=40,
    ),
  )


def _published_model(plan: str) -> indices.Config:
  if plan in ("c", "chaos_c"):
    return indices.Config(embedding="sinusoidal_float32_as_published")
  start = WIDE if plan in ("chaos_a", "flows_chaos") else {}
  if plan.startswith("flows"):
    return indices.Config(flows=4, head=(32, 16), trunk=indices.flow_trunk(), **start)
  return indices.Config(**start)
