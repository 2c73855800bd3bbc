"""Where numbers come from: sequences, splits and batches; no networks."""

from collections.abc import Callable
from typing import Any

from primelens.tasks import surrogates
from primelens.tasks import windows
from primelens.tasks import zeros

KINDS = {"zeros": zeros.Config, "surrogate": surrogates.Config}
LOADERS: dict[str, Callable[[Any], windows.Series]] = {
  "zeros": zeros.load,
  "surrogate": surrogates.load,
}


def load(config: Any) -> windows.Series:
  """Returns the sequence a task config describes.

  Raises ValueError for an unknown kind and whatever the task's loader raises.
  """
  kind = getattr(config, "kind", None)
  if kind not in LOADERS:
    raise ValueError(f"task.kind {kind!r} is not one of {list(LOADERS)}.")
  return LOADERS[kind](config)
