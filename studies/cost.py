"""What a run will cost, before it is started: `train.py --dry_run`."""

import time

import jax
import jax.numpy as jnp
from primelens.models import spacing
from primelens.models import transformer

_UTILISATION = 0.3  # of the measured matrix-product rate, typical of a step


def parameters(model: spacing.Config) -> int:
  """Returns the number of parameters of one seed, without allocating them."""
  shapes = jax.eval_shape(
    lambda key: spacing.init(model, key), jax.random.key(0)
  )
  return transformer.parameter_count(shapes)


def step_flop(model: spacing.Config, batch_size: int) -> float:
  """Returns the FLOP of one training step of one seed, forward and backward.

  3 (forward, and twice for the backward pass) x 2 B L_seq (block weights +
  attention products); causal attention counted without its masked half.
  """
  trunk = model.trunk
  length = model.window + (model.slots if model.memory != "none" else 0)
  weights = trunk.layers * (4 * trunk.width**2 + 2 * trunk.width * trunk.hidden)
  keys = length / 2 if trunk.mask == "causal" else length
  attention = trunk.layers * 2 * trunk.width * keys
  read = 1 if model.memory == "postfix" else model.window
  head = 3 * model.components * trunk.width * read / length
  return 6.0 * batch_size * length * (weights + attention + head)


def memory_bytes(model: spacing.Config, batch_size: int) -> float:
  """Returns the memory of one seed in training, as an estimate.

  Float32 params, best params, two moments and the gradient; and per layer and
  token the activations the backward pass keeps, attention patterns included.
  """
  trunk = model.trunk
  length = model.window + (model.slots if model.memory != "none" else 0)
  size = 2 if trunk.dtype == "bfloat16" else 4
  patterns = trunk.heads * length if trunk.dropout else 0
  kept = trunk.layers * (10 * trunk.width + 2 * trunk.hidden + patterns)
  return 20.0 * parameters(model) + size * batch_size * length * kept


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
  model, fit = experiment.model, experiment.fit
  flop = step_flop(model, fit.batch_size)
  total = flop * fit.steps * fit.seeds
  memory = memory_bytes(model, fit.batch_size) * fit.seeds
  rate = matmul_rate(dtype=model.trunk.dtype) * len(jax.devices())
  seconds = total / (rate * _UTILISATION)
  targets = fit.batch_size * (1 if model.memory == "postfix" else model.window)
  rows = (
    ("parameters per seed", f"{parameters(model):,}"),
    ("seeds", f"{fit.seeds}"),
    ("steps", f"{fit.steps:,}"),
    ("targets per step and seed", f"{targets:,}"),
    ("FLOP per step and seed", f"{flop:.3g}"),
    ("FLOP in all", f"{total:.3g}"),
    ("memory, all seeds (estimate)", f"{memory / 2**30:.2f} GiB"),
    ("devices", f"{len(jax.devices())} x {jax.devices()[0].device_kind}"),
    ("matrix-product rate (measured)", f"{rate / 1e9:.0f} GFLOP/s"),
    (
      f"expected time at {_UTILISATION:.0%} of that rate",
      duration(seconds),
    ),
  )
  return "\n".join(f"{name:<34}{value}" for name, value in rows)


def duration(seconds: float) -> str:
  """Returns seconds in the largest fitting unit."""
  for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
    if seconds >= 2 * size:
      return f"{seconds / size:.1f} {unit}"
  return f"{seconds:.0f} s"
