"""The scale analysis' pipelines, traced: of all members in one program.

Members and permutations go by `lax.map`, one at a time: on a CPU two batched
Cholesky factors in one program may wait for each other for ever, as batched
singular values do (`decompositions.svd`).
"""

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import ridge, subspace
from primelens.studies.text import folds

PAIRS_Q = (1, 3, 6, 12)  # Fourier pairs of a probe
REMOVED = 6  # pairs whose directions are removed
FRESH = 4000  # rows to fit and as many to score a held-out probe


def waves(residue_N, modulus: int, pairs: int) -> np.ndarray:
  """Returns cos and sin of 2 pi n r / k for n = 1..pairs, Nx2pairs."""
  angle_NxQ = 2 * np.pi / modulus * np.outer(residue_N, np.arange(1, pairs + 1))
  wave_NxQx2 = np.stack([np.cos(angle_NxQ), np.sin(angle_NxQ)], -1)
  return wave_NxQx2.reshape(len(angle_NxQ), -1).astype(np.float32)


def macro(r2_F) -> jax.Array:
  """Returns the mean R2 of the first PAIRS_Q pairs, Q; columns that do not
  vary have none (NaN) and are left out."""
  return jnp.stack([jnp.nanmean(r2_F[..., : 2 * n], -1) for n in PAIRS_Q], -1)


@jax.jit
def in_sample(state_SxNxD, wave_NxF):
  """Returns the in-sample R2 of every network, SxQ."""

  def one(state_NxD):
    z_NxD = ridge.scaler(state_NxD)(state_NxD)
    guess_NxF = ridge.fit(z_NxD, wave_NxF).predict(z_NxD)
    return macro(ridge.r2(wave_NxF, guess_NxF))

  return jax.lax.map(one, state_SxNxD)


@jax.jit
def probed(state_SxNxD, wave_NxF, permuted_RxN):
  """Returns R2 in-sample, with permuted labels, and over folds."""
  rows, columns = wave_NxF.shape
  fold_N = folds.numbers(rows)
  null_NxRF = jnp.moveaxis(wave_NxF[permuted_RxN], 0, 1).reshape(rows, -1)

  def one(state_NxD):
    z_NxD = ridge.scaler(state_NxD)(state_NxD)
    null = ridge.r2(null_NxRF, ridge.fit(z_NxD, null_NxRF).predict(z_NxD))
    guess_NxF = ridge.cross_predicted(state_NxD, wave_NxF, fold_N=fold_N)
    own_NxF = ridge.fit(z_NxD, wave_NxF).predict(z_NxD)
    return {
      "r2_SxQ": macro(ridge.r2(wave_NxF, own_NxF)),
      "null_r2_SxRxQ": macro(null.reshape(-1, columns)),
      "cv_r2_SxQ": macro(ridge.fold_r2(wave_NxF, guess_NxF, fold_N)),
    }

  return jax.lax.map(one, state_SxNxD)


def harm(z_NxD, residue_N, direction_DxF) -> tuple[jax.Array, jax.Array]:
  """Returns how much a refitted ridge readout of the residue loses when the
  directions' span is removed (squared error, in-sample), and the share of
  variance that went."""
  kept_NxD = subspace.project_out(z_NxD, direction_DxF)
  error = lambda x_NxD: ridge.mean_squared_error(
    residue_N[:, None], ridge.fit(x_NxD, residue_N[:, None]).predict(x_NxD)
  )
  share = 1 - jnp.sum(kept_NxD**2) / jnp.sum(z_NxD**2)
  return error(kept_NxD) - error(z_NxD), share


@jax.jit
def removed(state_SxNxD, wave_NxF, residue_N, permuted_RxN, direction_KxDxF):
  """Returns the harm of the probe's directions, of random ones, and of the
  whole pipeline with permuted labels."""
  wave_NxF = wave_NxF[:, : 2 * REMOVED]

  def one(state_NxD):
    z_NxD = ridge.scaler(state_NxD)(state_NxD)

    def probe(order_N):
      kernel_DxF = ridge.fit(z_NxD, wave_NxF[order_N]).kernel_DxF
      return harm(z_NxD, residue_N[order_N], kernel_DxF)

    random = lambda direction_DxF: harm(z_NxD, residue_N, direction_DxF)
    delta, share = probe(jnp.arange(len(residue_N)))
    random_K, random_share_K = jax.lax.map(random, direction_KxDxF)
    permuted_R, permuted_share_R = jax.lax.map(probe, permuted_RxN)
    return {
      "delta_S": delta,
      "delta_random_SxK": random_K,
      "delta_permuted_SxR": permuted_R,
      "removed_S": share,
      "removed_random_SxK": random_share_K,
      "removed_permuted_SxR": permuted_share_R,
    }

  return jax.lax.map(one, state_SxNxD)


def held_out(probes, pooled) -> np.ndarray:
  """Returns R2 on fresh pairs of a probe fitted on other fresh pairs, SxQ;
  `pooled(token_NxT)` are the members' states."""
  fit_N, score_N = probes.train_N[:FRESH], probes.test_N[:FRESH]
  row_N = np.concatenate([fit_N, score_N])
  residue_N, modulus = probes.answer_N[row_N], probes.config.modulus
  wave_NxF = waves(residue_N, modulus, max(PAIRS_Q))
  fitted_N = np.arange(len(row_N)) < len(fit_N)
  state_SxNxD = pooled(probes.token_NxT[row_N])
  return np.asarray(_held_out(state_SxNxD, wave_NxF, fitted_N))


@jax.jit
def _held_out(state_SxNxD, wave_NxF, fitted_N):
  def one(state_NxD):
    guess_NxF, _ = ridge.held_out(state_NxD, wave_NxF, fitted_N)
    return macro(ridge.r2(wave_NxF, guess_NxF, ~fitted_N))

  return jax.lax.map(one, state_SxNxD)
