"""Whether the wheel with Odlyzko's table is there: an extra, not a need."""

import importlib.metadata

from primelens.tasks import zeros_sources


def installed() -> bool:
  """Returns whether the wheel is installed."""
  try:
    importlib.metadata.distribution(zeros_sources.WHEEL)
  except importlib.metadata.PackageNotFoundError:
    return False
  return True
