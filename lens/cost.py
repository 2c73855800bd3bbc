"""What a run will cost, before it is started: `train.py --dry_run`."""

import math
import os
import time

import jax
import jax.numpy as jnp
from primelens.lens import study

_UTILISATION = 0.3  # of the measured matrix-product rate, typical of a step
_BEYOND = 4  # times the memory there is: an estimate is right to a factor of two


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


def available() -> float:
  """Returns the bytes of memory of all devices; of a CPU, the machine's."""
  if jax.devices()[0].platform == "cpu":
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
  stats = [device.memory_stats() or {} for device in jax.local_devices()]
  return float(sum(each.get("bytes_limit", math.inf) for each in stats)) * jax.process_count()


def refuse(experiment) -> None:
  """Raises `ValueError` for an experiment that cannot fit in memory, with the numbers."""
  said = _beyond(experiment, study.find(experiment.study).cost(experiment))
  if said:
    raise ValueError(said)


def _beyond(experiment, step) -> str:
  """Returns why a population cannot fit in memory, or ""."""
  seeds, there = experiment.fit.seeds, available()
  needed = step.memory_bytes * seeds
  if needed <= _BEYOND * there:
    return ""
  return (
    f"This does not fit: {step.memory_bytes / 2**30:,.1f} GiB for each of {seeds:,} seeds, by"
    f" estimate, in {there / 2**30:,.1f} GiB of memory. A seed has {step.parameters:,} parameters"
    f" and sees {step.targets:,} targets in a step: train fewer seeds, a smaller model, or in more"
    " parts (fit.accumulation)."
  )


def table(experiment) -> str:
  """Returns the dry run's table: parameters, memory, FLOP, steps, time."""
  settings = experiment.fit
  step = study.find(experiment.study).cost(experiment)
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
    ("memory there is", f"{available() / 2**30:.2f} GiB"),
    ("devices", f"{len(jax.devices())} x {jax.devices()[0].device_kind}"),
    ("matrix-product rate (measured)", f"{rate / 1e9:.0f} GFLOP/s"),
    (f"expected time at {_UTILISATION:.0%} of that rate", duration(seconds)),
  )
  lines = [f"{name:<34}{value}" for name, value in rows]
  return "\n".join([*lines, *filter(None, [_beyond(experiment, step)])])


def duration(seconds: float) -> str:
  """Returns seconds in the largest fitting unit."""
  for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
    if seconds >= 2 * size:
      return f"{seconds / size:.1f} {unit}"
  return f"{seconds:.0f} s"
