"""What a run will cost, before it is started: `train.py --dry_run`."""

import time

import jax
import jax.numpy as jnp
from primelens.studies import registry

_UTILISATION = 0.3  # of the measured matrix-product rate, typical of a step


def matmul_rate(size: int = 1024, dtype: str = "float32") -> float:
  """Returns the measured FLOP/s of a square matrix product on one device."""
  x = jax.random.normal(jax.random.key(0), (size, size), jnp.dtype(dtype))
  product = jax.jit(lambda x: x @ x)
  product(x).block_until_ready()
  best = float("inf")
  for _ in range(5):
    began = time.perf_counter()
    product(x).block_until_ready()
    best = min(best, time.perf_counter() - began)
  return 2 * size**3 / best


def table(experiment) -> str:
  """Returns the dry run's table: parameters, memory, FLOP, steps, time."""
  settings = experiment.fit
  step = registry.STUDIES[experiment.study].cost(experiment)
  total = step.flop * settings.steps * settings.seeds
  memory = step.memory_bytes * settings.seeds
  dtype = experiment.model.trunk.dtype
  rate = matmul_rate(dtype=dtype) * len(jax.devices())
  seconds = total / (rate * _UTILISATION)
  rows = (
    ("parameters per seed", f"{step.parameters:,}"),
    ("seeds", f"{settings.seeds}"),
    ("steps", f"{settings.steps:,}"),
    ("targets per step and seed", f"{step.targets:,}"),
    ("FLOP per step and seed", f"{step.flop:.3g}"),
    ("FLOP in all", f"{total:.3g}"),
    ("memory, all seeds (estimate)", f"{memory / 2**30:.2f} GiB"),
    ("devices", f"{len(jax.devices())} x {jax.devices()[0].device_kind}"),
    ("matrix-product rate (measured)", f"{rate / 1e9:.0f} GFLOP/s"),
    (f"expected time at {_UTILISATION:.0%} of that rate", duration(seconds)),
  )
  return "\n".join(f"{name:<34}{value}" for name, value in rows)


def duration(seconds: float) -> str:
  """Returns seconds in the largest fitting unit."""
  for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
    if seconds >= 2 * size:
      return f"{seconds / size:.1f} {unit}"
  return f"{seconds:.0f} s"
