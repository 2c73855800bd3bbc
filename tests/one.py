"""One of several: the config that a name gives, the data that a seed sees."""

from typing import Any

import jax
from primelens.lens import cli
from primelens.models import fit


def config(name: str, kind: type = object) -> Any:
  """Returns what `get_config` of a config file gives for one variant."""
  (found,) = cli.load_configs(name, kind).values()
  return found


def seed(program: fit.Program, data: dict, index: int) -> dict:
  """Returns the data of a program as one seed sees them."""
  axes = fit.seed_axes(program, data)
  own = lambda leaf: leaf[index]
  return {
    name: value if axes[name] is None else jax.tree.map(own, value) for name, value in data.items()
  }
