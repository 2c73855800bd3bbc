"""Digit sums in the states, and the residue that they give by themselves.

With A, B, C the sums of the hundreds, tens and units digits of x and y,
x + y = 100 A + 10 B + C, so that the residue modulo k is that of
u = (100 mod k) A + (10 mod k) B + (1 mod k) C. A u with few wraps is nearly
linear in the digits, and a regression on u alone does the wrapping. Source:
arithmetic spec, section 5.4.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import ridge
from primelens.studies.text import folds

TARGETS = ("x + y", "hundreds", "tens", "units", "u")
RESIDUES = {"residue by u": "u", "residue by x + y": "x + y"}
MEASURED = (*TARGETS, *RESIDUES)
NEIGHBOURS = 60


class Rounds(NamedTuple):
  """Which rows are fitted in every round K, and their inner folds."""

  fitted_KxN: np.ndarray
  inner_KxN: np.ndarray


def weights(modulus: int) -> tuple[int, int, int]:
  """Returns what a hundred, a ten and a unit count for in u."""
  return 100 % modulus, 10 % modulus, 1 % modulus


def digits(x_N) -> np.ndarray:
  """Returns hundreds, tens and units of numbers below 1000, Nx3."""
  return np.stack([x_N // 100, x_N // 10 % 10, x_N % 10], -1)


def targets(x_N, y_N, modulus: int) -> np.ndarray:
  """Returns the columns of TARGETS, NxF."""
  sum_Nx3 = digits(x_N) + digits(y_N)
  u_N = sum_Nx3 @ np.array(weights(modulus))
  return np.column_stack([x_N + y_N, sum_Nx3, u_N]).astype(np.float32)


def in_turn(rows: int) -> Rounds:
  """Returns five rounds, each without one of the `folds`; inner folds are those
  of scikit-learn's `KFold(5)` among the rows fitted."""
  return _rounds(folds.numbers(rows)[None] != np.arange(folds.COUNT)[:, None])


def once(fitted_N) -> Rounds:
  """Returns the one round that fits the rows of a bool."""
  return _rounds(np.asarray(fitted_N)[None])


def _rounds(fitted_KxN) -> Rounds:
  inner_KxN = np.asarray(jax.vmap(ridge.folds)(jnp.asarray(fitted_KxN)))
  return Rounds(fitted_KxN, inner_KxN)


def measure(state_SxNxD, target_NxF, residue_N, rounds: Rounds, alphas_R):
  """Returns R2 of MEASURED on rows not fitted, of all rounds together, SxF.

  Targets by a ridge regression of standardised states, the residue by the
  mean of the NEIGHBOURS nearest in a regressed u (or x + y). What a row fitted
  has for its own u comes from a regression without it.
  """
  return np.asarray(_measure(state_SxNxD, target_NxF, residue_N, rounds, tuple(alphas_R)))


@functools.partial(jax.jit, static_argnums=4)
def _measure(state_SxNxD, target_NxF, residue_N, rounds, alphas_R):
  residue_N = jnp.asarray(residue_N, jnp.float32)
  at_F = jnp.array([TARGETS.index(name) for name in RESIDUES.values()])

  def one(state_NxD):
    def held_out(fitted_N, inner_N):
      guess_NxF = _nested(state_NxD, target_NxF, fitted_N, inner_N, alphas_R)
      near = lambda at_N: nearest_mean(at_N, residue_N, fitted_N)
      near_FxN = jax.vmap(near)(guess_NxF[:, at_F].T)
      return jnp.concatenate([guess_NxF, near_FxN.T], axis=1)

    guess_KxNxF = jax.lax.map(lambda both: held_out(*both), tuple(rounds))
    left_KxN = ~rounds.fitted_KxN
    guess_NxF = jnp.sum(jnp.where(left_KxN[..., None], guess_KxNxF, 0), axis=0)
    again_NxF = jnp.repeat(residue_N[:, None], len(RESIDUES), axis=1)
    truth_NxF = jnp.concatenate([target_NxF, again_NxF], axis=1)
    return ridge.r2(truth_NxF, guess_NxF, jnp.any(left_KxN, axis=0))

  return jax.lax.map(one, state_SxNxD)


def _nested(state_NxD, target_NxF, fitted_N, inner_N, alphas_R):
  """Returns regressed targets NxF: of rows left out by all rows fitted, of
  rows fitted by those of the other inner folds."""
  weight_N = jnp.asarray(fitted_N, state_NxD.dtype)
  z_NxD = ridge.scaler(state_NxD, weight_N)(state_NxD)
  error_R = ridge.inner_errors(z_NxD, target_NxF, weight_N, alphas_R)
  alpha = jnp.asarray(alphas_R)[jnp.argmin(error_R)]

  def without(fold):
    some_N = weight_N * (inner_N != fold)
    x_NxD = ridge.scaler(state_NxD, some_N)(state_NxD)
    return ridge.fit(x_NxD, target_NxF, alpha, some_N).predict(x_NxD)

  inner_FOLDSxNxF = jax.lax.map(without, jnp.arange(ridge.FOLDS))
  own_NxF = inner_FOLDSxNxF[inner_N, jnp.arange(len(state_NxD))]
  guess_NxF = ridge.fit(z_NxD, target_NxF, alpha, weight_N).predict(z_NxD)
  return jnp.where(fitted_N[:, None], own_NxF, guess_NxF)


def nearest_mean(at_N, value_N, fitted_N, count: int = NEIGHBOURS):
  """Returns the mean value of the `count` fitted rows nearest in `at_N`, N.

  In one dimension they are neighbours in rising order: the window begins at
  the first place whose next window is not nearer, which the middles of its
  two ends tell. All fitted rows where they are not more than `count`.
  """
  count = min(count, len(at_N) - 1)
  far_N = jnp.where(fitted_N, at_N, jnp.inf)
  order_N = jnp.argsort(far_N)
  rising_N, weight_N = far_N[order_N], jnp.asarray(fitted_N, float)[order_N]
  middle = (rising_N[:-count] + rising_N[count:]) / 2
  first_N = jnp.searchsorted(middle, at_N)
  # About the mean, lest a long sum drown its parts.
  centre = jnp.mean(value_N, where=fitted_N)
  total = lambda x_N: jnp.pad(jnp.cumsum(x_N), (1, 0))
  window = lambda sum_N: sum_N[first_N + count] - sum_N[first_N]
  summed_N = window(total((value_N[order_N] - centre) * weight_N))
  return centre + summed_N / jnp.maximum(window(total(weight_N)), 1)
