"""The functions of a module, each compiled whole.

Called as they are they compile a program for every operation.
"""

import functools
import types

import jax
import numpy as np


class Jitted:
  """A module whose functions are compiled; what is given by name and is no array is static."""

  def __init__(self, module: types.ModuleType):
    self._module = module
    self._programs: dict = {}

  def __getattr__(self, name: str):
    found = getattr(self._module, name)
    return functools.partial(self._call, found) if isinstance(found, types.FunctionType) else found

  def _call(self, function, *args, **options):
    arrays = {name: v for name, v in options.items() if isinstance(v, np.ndarray | jax.Array)}
    static = {name: v for name, v in options.items() if name not in arrays}
    key = (function.__name__, tuple(sorted(static.items())))
    if key not in self._programs:
      self._programs[key] = jax.jit(functools.partial(function, **static))
    return self._programs[key](*args, **arrays)
