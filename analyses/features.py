"""Designs for least squares on all P x P pairs, row n = a P + b.

Every design contains its constant, so least squares needs no intercept.
"""

import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from primelens.analyses import precision


def grid(x_N, P: int) -> jax.Array:
  """Returns the rows as a table over (a, b): PxP before the other axes of x.

  Raises ValueError unless there are P^2 rows.
  """
  x_N = jnp.asarray(x_N)
  if x_N.shape[:1] != (P * P,):
    raise ValueError(f"need {P * P} rows for P={P}, got shape {x_N.shape}.")
  return x_N.reshape(P, P, *x_N.shape[1:])


def pairs(score_PxQ) -> jax.Array:
  """Returns the scores of a and of b, column by column: Nx2Q.

  Columns: first of a, first of b, second of a, second of b, ... With the
  first two principal scores of the embedding (p1, p2),
  `monomials(pairs(score_PxQ), 2)` are the 15 features called Poly2; with
  `jnp.linspace(-1, 1, P)[:, None]`, which keeps float32 well conditioned,
  `monomials(..., 4)` is the quartic in the raw (a, b).
  """
  score_PxQ = jnp.asarray(score_PxQ)
  P, Q = score_PxQ.shape
  first_NxQ = jnp.repeat(score_PxQ, P, axis=0)
  second_NxQ = jnp.tile(score_PxQ, (P, 1))
  return jnp.stack([first_NxQ, second_NxQ], axis=2).reshape(P * P, 2 * Q)


def monomials(x_NxQ, degree: int) -> jax.Array:
  """Returns all monomials of the columns up to a degree, constant first.

  binomial(Q + degree, degree) columns, in the order of `monomial_names`: by
  degree, then lexicographic (that of scikit-learn's PolynomialFeatures).
  """
  x_NxQ = precision.wide(x_NxQ)
  one_N = jnp.ones_like(x_NxQ[:, 0])
  columns = [
    math.prod((x_NxQ[:, q] for q in powers), start=one_N)
    for powers in _powers(x_NxQ.shape[1], degree)
  ]
  return jnp.stack(columns, axis=1)


def monomial_names(names: Sequence[str], degree: int) -> list[str]:
  """Returns the names of the columns of `monomials`: "1", "x", "x x", ..."""
  every = _powers(len(names), degree)
  return [" ".join(names[q] for q in powers) or "1" for powers in every]


def symmetric(pair_Nx2Q) -> jax.Array:
  """Returns all quadratics of `pairs` unchanged by swapping a and b.

  With s = (of a) + (of b) and d = (of a) - (of b): 1, s, s s' and d d'. For
  two scores these are the constant and 8 features.
  """
  pair_Nx2Q = precision.wide(pair_Nx2Q)
  d_NxQ = pair_Nx2Q[:, 0::2] - pair_Nx2Q[:, 1::2]
  squares_NxE = monomials(d_NxQ, 2)[:, 1 + d_NxQ.shape[1] :]
  return jnp.concatenate([sums(pair_Nx2Q), squares_NxE], axis=1)


def sums(pair_Nx2Q) -> jax.Array:
  """Returns the quadratics of s = (of a) + (of b) alone: 1, s, s s'.

  For two scores the constant and the 5 features published as symmetric (spec
  A50): 1, s1, s2, s1^2, s1 s2, s2^2. They do not see the difference a - b,
  which `symmetric` does.
  """
  pair_Nx2Q = precision.wide(pair_Nx2Q)
  return monomials(pair_Nx2Q[:, 0::2] + pair_Nx2Q[:, 1::2], 2)


def additive(P: int) -> jax.Array:
  """Returns one indicator per value of a, then of b: Nx2P, of rank 2P - 1.

  Its span is every f(a) + g(b), the baseline of no interaction.
  """
  one_PxP = jnp.eye(P)
  first_NxP = jnp.repeat(one_PxP, P, axis=0)
  return jnp.concatenate([first_NxP, jnp.tile(one_PxP, (P, 1))], axis=1)


def _powers(count: int, degree: int) -> list[tuple[int, ...]]:
  """The columns multiplied in each monomial."""
  if degree < 0:
    raise ValueError(f"degree must be 0 or more, got {degree}.")
  choose = itertools.combinations_with_replacement
  return [p for d in range(degree + 1) for p in choose(range(count), d)]
