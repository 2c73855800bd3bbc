"""Projections onto and away from a subspace of an activation or weight."""

import functools

import jax
import jax.numpy as jnp
from primelens.analyses import decompositions


def basis(directions_DxK: jax.Array) -> jax.Array:
  """Returns an orthonormal basis of the columns' span, `basis_DxK`.

  The left singular vectors; columns beyond the rank are zero, so repeated or
  zero directions do no harm and the shape stays static.
  """
  left_DxK, value_K, _ = decompositions.svd(directions_DxK)
  tolerance = jnp.finfo(value_K.dtype).eps * max(directions_DxK.shape) * value_K[0]
  return left_DxK * (value_K > tolerance).astype(left_DxK.dtype)[None, :]


def keep(x: jax.Array, directions_DxK: jax.Array) -> jax.Array:
  """Returns the part of `x` (...xD) inside the span: `x U U^T`, U = basis.

  Computed in float32, returned in the type of `x`, or float32 for integers.
  Raises ValueError if the widths differ.
  """
  _check(x, directions_DxK)
  basis_DxK = basis(jnp.asarray(directions_DxK, jnp.float32))
  exact = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
  inside = exact(exact(jnp.asarray(x, jnp.float32), basis_DxK), basis_DxK.T)
  return inside.astype(returned(x))


def project_out(
  x: jax.Array, directions_DxK: jax.Array, strength: jax.Array | float = 0.0
) -> jax.Array:
  """Returns `x - (1 - strength) x U U^T`: the span scaled by `strength`.

  Masks mean one thing: 1 keeps `x` as it is, 0 removes the subspace.
  Raises ValueError if the widths differ.
  """
  _check(x, directions_DxK)
  inside = keep(jnp.asarray(x, jnp.float32), directions_DxK)
  return (x - (1 - strength) * inside).astype(returned(x))


def returned(x):
  """Returns the type of a projected x: its own, float32 for integers, which
  hold no projection."""
  return x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.float32


def _check(x, directions_DxK):
  width = directions_DxK.shape[0]
  if x.shape[-1] != width:
    raise ValueError(f"x has the width {x.shape[-1]}, directions {width}.")
