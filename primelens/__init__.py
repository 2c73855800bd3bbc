"""primelens: a lens on networks that learned from primes.

  import primelens
  run = primelens.load("runs/demo/e0")
  run.results["anchors"]        # an xarray.Dataset
  run.params_S, run.apply       # the networks, seeds stacked along S

The rooms are `primelens.tasks`, `models`, `analyses` (the library), `lens` and `studies`.
"""

import importlib.metadata
from pathlib import Path
from typing import Any

__all__ = ["__version__", "load"]
__version__ = importlib.metadata.version("primelens")


def load(workdir: str | Path, *, source: str = "") -> Any:
  """Returns a trained run, rebuilt from its directory alone.

  Its `results` are those that were stored, by name, `params_S` the networks, `apply` their forward
  pass. `source` names the file of its data where config.json names one that is not known. Raises
  `FileNotFoundError` or `ValueError` in one line.
  """
  from primelens.lens import runs  # starts jax

  return runs.load(Path(workdir), source=source)
