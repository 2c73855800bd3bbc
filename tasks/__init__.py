"""Where numbers come from: sequences, splits and batches; no networks.

The tasks, and with them jax, are imported where they are used: a command line that only prints its
help does not wait for them.
"""

from collections.abc import Callable
from typing import Any


def kinds() -> dict[str, tuple[type, Callable[[Any], Any]]]:
  """Returns of every kind of task its config, and what loads the data that one describes."""
  from primelens.tasks import addition, binned, primes, surrogates, text, zeros

  return {
    "zeros": (zeros.Config, zeros.load),
    "surrogate": (surrogates.Config, surrogates.load),
    "binned": (binned.Config, binned.load),
    "addition": (addition.Config, addition.load),
    "text": (text.Config, text.load),
    "primes": (primes.Config, primes.load),
  }


def load(config: Any) -> Any:
  """Returns the data a task config describes: they have `splits` and a
  `data_hash`.

  Raises ValueError for an unknown kind and whatever the task's loader raises.
  """
  kind, known = getattr(config, "kind", None), kinds()
  if kind not in known:
    raise ValueError(f"task.kind {kind!r} is not one of {list(known)}.")
  return known[kind][1](config)


def table(config: Any) -> Any:
  """Returns the part of a task config that says which zeros are read, None if none are."""
  from primelens.tasks import binned, surrogates, zeros

  if isinstance(config, zeros.Config):
    return config
  if isinstance(config, surrogates.Config) and config.ensemble in surrogates.RESAMPLED:
    return config.base
  if isinstance(config, binned.Config) and config.ensemble != "prime_gaps":
    return config.base
  return None
