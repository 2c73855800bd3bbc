"""The precision that numbers are counted in: float32 at least.

Weights and activations come in 16 bits, in float8 and as integers. Sums of
them, and decompositions, need more.
"""

import jax
import jax.numpy as jnp
import numpy as np


def at_least_float32(value):
  """Returns the array in float32, or as it is where it is float32 or wider.

  Halves, bfloat16 and float8 become float32; integers and bools float64 in
  numpy, jax's own float in jax. numpy stays numpy, jax arrays may be traced;
  Python's numbers and lists of them become numpy arrays of float64.
  """
  if not isinstance(value, jax.Array):
    value = np.asarray(value)
  if not jnp.issubdtype(value.dtype, jnp.inexact):
    return value.astype(float)
  return value if value.dtype.itemsize >= 4 else value.astype(np.float32)


def wide(value) -> jax.Array:
  """Returns `at_least_float32` as a jax array, which may be traced."""
  return jnp.asarray(at_least_float32(value))


def epsilon(value) -> float:
  """Returns the rounding unit of the array's numbers: of float64 for integers."""
  dtype = value.dtype if isinstance(value, jax.Array) else np.asarray(value).dtype
  return float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.inexact) else 2.0**-52
