"""What a training step of a spacing model takes, for the dry run."""

from typing import Any

import jax
from primelens.lens.study import Cost
from primelens.models import guided, spacing, transformer
from primelens.studies.zeros import binned


def step(experiment) -> Cost:
  """Returns the cost of one step of one seed, as an estimate."""
  if experiment.model.kind == "binned":
    return binned.cost(experiment)
  model, batch_size = experiment.model, experiment.fit.batch_size
  count = parameters(model)
  return Cost(
    parameters=count,
    targets=batch_size * (1 if model.memory == "postfix" else model.window),
    flop=flop(model, batch_size),
    memory_bytes=20.0 * count + kept(model, batch_size // experiment.fit.accumulation),
  )


def parameters(model: spacing.Config | guided.Config) -> int:
  """Returns the number of parameters of one seed, without allocating them."""
  its: Any = guided if model.kind == "guided" else spacing
  start = lambda key: its.init(model, key)
  shapes = jax.eval_shape(start, jax.random.key(0))
  return transformer.parameter_count(shapes)


def _length(model) -> int:
  return model.window + (model.slots if model.memory != "none" else 0)


def flop(model, batch_size: int) -> float:
  """Returns the FLOP of one training step of one seed, forward and backward.

  3 (forward, and twice for the backward pass) x 2 B L_seq (block weights +
  attention products); causal attention counted without its masked half.
  """
  trunk, length = model.trunk, _length(model)
  weights = trunk.layers * (4 * trunk.width**2 + 2 * trunk.width * trunk.hidden)
  keys = length / 2 if trunk.mask == "causal" else length
  attention = trunk.layers * 2 * trunk.width * keys
  read = 1 if model.memory == "postfix" else model.window
  head = 3 * model.components * trunk.width * read / length
  return 6.0 * batch_size * length * (weights + attention + head)


def kept(model, rows: int) -> float:
  """Returns the bytes that a backward pass over so many rows keeps, as an estimate.

  Per layer and token the activations, attention patterns included. (Params, best params, two
  moments and the gradient are 20 bytes for each parameter beside it.)
  """
  trunk, length = model.trunk, _length(model)
  size = 2 if trunk.dtype == "bfloat16" else 4
  patterns = trunk.heads * length if trunk.dropout else 0
  values = trunk.layers * (10 * trunk.width + 2 * trunk.hidden + patterns)
  return float(size * rows * length * values)
