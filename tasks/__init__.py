"""Where numbers come from: sequences, splits and batches; no networks."""

from collections.abc import Callable
from typing import Any

from primelens.tasks import addition, binned, primes, surrogates, text, zeros

KINDS = {
  "zeros": zeros.Config,
  "surrogate": surrogates.Config,
  "binned": binned.Config,
  "addition": addition.Config,
  "text": text.Config,
  "primes": primes.Config,
}
LOADERS: dict[str, Callable[[Any], Any]] = {
  "zeros": zeros.load,
  "surrogate": surrogates.load,
  "binned": binned.load,
  "addition": addition.load,
  "text": text.load,
  "primes": primes.load,
}


def load(config: Any) -> Any:
  """Returns the data a task config describes: they have `splits` and a
  `data_hash`.

  Raises ValueError for an unknown kind and whatever the task's loader raises.
  """
  kind = getattr(config, "kind", None)
  if kind not in LOADERS:
    raise ValueError(f"task.kind {kind!r} is not one of {list(LOADERS)}.")
  return LOADERS[kind](config)


def table(config: Any) -> zeros.Config | None:
  """Returns the part of a task config that says which zeros are read, None if none are."""
  if isinstance(config, zeros.Config):
    return config
  if isinstance(config, surrogates.Config) and config.ensemble in surrogates.RESAMPLED:
    return config.base
  if isinstance(config, binned.Config) and config.ensemble != "prime_gaps":
    return config.base
  return None
