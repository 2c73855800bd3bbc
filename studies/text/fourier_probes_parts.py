"""Probes of every frequency of the residue and of the digits, traced.

A frequency n of modulus m is the pair cos, sin of 2 pi n (x + y) / m; all of
all moduli are columns of one ridge regression, and so are they of permuted
labels. Networks, levels and permutations go by `lax.map`, one at a time: see
`scale_parts`.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import erasure, regression, ridge, statistics, subspace
from primelens.studies.text import causal_subspaces as causal
from primelens.studies.text import scale_parts

DIGITS_M = (2, 5, 10, 100)  # moduli of the sum's last digits
FLAT = 1e-6  # a column that varies less is no target
LEVEL = 0.05
REMOVED = 6  # frequencies whose directions are removed
ROUNDING = 1e-6  # of an R2
_exact = lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


class Targets(NamedTuple):
  """Waves of every label, VxF, cos and sin in turn; whether columns vary, F;
  the frequency of every pair, Q."""

  wave_VxF: np.ndarray
  keep_F: np.ndarray
  frequency_Q: np.ndarray


class States(NamedTuple):
  """Standardised states of the rows fitted and of others, the deviations they
  are in, and (gram + alpha I)^-1 of every one of ALPHAS_R."""

  fitted_NxD: jax.Array
  scored_NxD: jax.Array
  deviation_D: jax.Array
  gram_DxD: jax.Array
  inverse_RxDxD: jax.Array


def targets(fitted_N, scored_N, moduli) -> Targets:
  """Returns all frequencies 1..m // 2 of every modulus, of labels 0..max, from
  the labels of both parts of the rows; a column is kept that varies in both."""
  label_V = np.arange(max(fitted_N.max(), scored_N.max()) + 1)
  wave_VxF = np.concatenate([scale_parts.waves(label_V % m, m, m // 2) for m in moduli], axis=1)
  varies = lambda label_N: wave_VxF[label_N].astype(float).var(0) >= FLAT
  frequency_Q = np.concatenate([np.arange(1, m // 2 + 1) for m in moduli])
  return Targets(wave_VxF, varies(fitted_N) & varies(scored_N), frequency_Q)


def permutations(rows: int, count: int, seed) -> np.ndarray:
  """Returns random orders of some rows, RxN."""
  rng = np.random.default_rng(seed)
  return rng.permuted(np.tile(np.arange(rows), (count, 1)), axis=1)


def pairs(value_F, keep_F) -> jax.Array:
  """Returns the mean of every pair's columns that are kept, Q; NaN for a pair
  without one."""
  keep_F = jnp.asarray(keep_F)
  value_Qx2 = jnp.where(keep_F, value_F, 0).reshape(-1, 2)
  count_Q = keep_F.reshape(-1, 2).sum(1)
  total_Q = value_Qx2.sum(1)
  return jnp.where(count_Q > 0, total_Q / jnp.maximum(count_Q, 1), jnp.nan)


def prepared(fitted_NxD, scored_NxD) -> States:
  """Returns both parts in deviations of the rows fitted, for `fit`."""
  scale = ridge.scaler(fitted_NxD)
  z_NxD = scale(fitted_NxD)
  gram_DxD, one_DxD = _exact(z_NxD.T, z_NxD), jnp.eye(z_NxD.shape[1])
  inverse_RxDxD = jax.lax.map(
    lambda alpha: ridge.solved(gram_DxD, one_DxD, alpha), jnp.asarray(ridge.ALPHAS_R, z_NxD.dtype)
  )
  scored_NxD = scale(scored_NxD)
  return States(z_NxD, scored_NxD, scale.deviation_D, gram_DxD, inverse_RxDxD)


def fit(states: States, y_NxF, place_F) -> tuple[jax.Array, jax.Array]:
  """Returns the ridge regression's kernel DxF and R2 of every column on the
  rows fitted, F; NaN for one that does not vary. `place_F` are the columns' own
  alphas, by their place in ALPHAS_R."""
  y_NxF = y_NxF - y_NxF.mean(0)[None]
  cross_DxF = _exact(states.fitted_NxD.T, y_NxF)
  kernel_RxDxF = _exact(states.inverse_RxDxD, cross_DxF[None])
  kernel_DxF = jnp.take_along_axis(kernel_RxDxF, place_F[None, None], 0)[0]
  seen_DxF = 2 * cross_DxF - _exact(states.gram_DxD, kernel_DxF)
  variance_F = jnp.mean(y_NxF**2, 0)
  known_F = jnp.sum(kernel_DxF * seen_DxF, 0) / len(y_NxF)
  return kernel_DxF, regression.explained(variance_F - known_F, variance_F)


def held_out(states: States, fitted_NxF, scored_NxF, place_F) -> jax.Array:
  """Returns R2 of every column on the rows not fitted, F."""
  kernel_DxF, _ = fit(states, fitted_NxF, place_F)
  guess_NxF = fitted_NxF.mean(0)[None] + _exact(states.scored_NxD, kernel_DxF)
  return ridge.r2(scored_NxF, guess_NxF)


def alphas(fitted_NxD, y_NxF, keep_F) -> jax.Array:
  """Returns the alpha of every pair, at both of its columns, F: the place in
  ALPHAS_R of that with the largest R2 over inner folds of the rows fitted.

  Folds are neighbours and have one size; rows that are left over are in none.
  """
  size = len(fitted_NxD) // ridge.FOLDS
  fold_ExN = np.arange(size * ridge.FOLDS).reshape(ridge.FOLDS, size)
  rest_ExN = np.stack([np.delete(fold_ExN, e, 0).ravel() for e in range(ridge.FOLDS)])

  def one(rows):
    rest_N, fold_N = rows
    states = prepared(fitted_NxD[rest_N], fitted_NxD[fold_N])

    def score(place):
      place_F = jnp.full(y_NxF.shape[1], place)
      r2_F = held_out(states, y_NxF[rest_N], y_NxF[fold_N], place_F)
      return pairs(r2_F, keep_F)

    return jax.lax.map(score, jnp.arange(len(ridge.ALPHAS_R)))

  r2_RxQ = jax.lax.map(one, (rest_ExN, fold_ExN)).mean(0)
  return jnp.repeat(jnp.argmax(jnp.nan_to_num(r2_RxQ), 0), 2)


def over_levels(fitted_SxNxExD, scored_SxNxExD, targets, labels, orders):
  """Returns `probed` of every network and level, as numpy arrays."""
  states = (np.moveaxis(x, 2, 1) for x in (fitted_SxNxExD, scored_SxNxExD))
  waves = (targets.wave_VxF, targets.keep_F)
  return jax.device_get(probed(*states, *waves, labels, orders))


@jax.jit
def probed(fitted_SxExNxD, scored_SxExNxD, wave_VxF, keep_F, labels, orders):
  """Returns R2 of every network, level and frequency, `r2_SxExQ`, with
  permuted labels `null_SxExRxQ`, and the alphas `place_SxExF`.

  `labels` are those of the rows fitted and scored, `orders` permutations RxN
  of each; there may be none. Permuted labels have the alphas of the labels.
  """
  fitted_N, scored_N = labels

  def one(states):
    fitted_NxD, scored_NxD = states
    place_F = alphas(fitted_NxD, wave_VxF[fitted_N], keep_F)
    both = prepared(fitted_NxD, scored_NxD)

    def score(labels):
      mine_NxF, other_NxF = (wave_VxF[label_N] for label_N in labels)
      r2_F = held_out(both, mine_NxF, other_NxF, place_F)
      return pairs(r2_F, keep_F)

    shuffled = (fitted_N[orders[0]], scored_N[orders[1]])
    return {
      "r2_SxExQ": score(labels),
      "null_SxExRxQ": jax.lax.map(score, shuffled),
      "place_SxExF": place_F,
    }

  level = lambda states_E: jax.lax.map(one, states_E)
  return jax.lax.map(level, (fitted_SxExNxD, scored_SxExNxD))


def max_t(r2_Q, null_RxQ) -> dict[str, np.ndarray]:
  """Returns `z`, `p` and `threshold` of every frequency, Q.

  z is in deviations of the frequency's own permutations. p is that of the
  largest of all frequencies (`statistics.max_t`), each in deviations of
  permutations and labels as they are, which treats both alike. An R2 above the
  threshold has so large a z as LEVEL of the permutations have somewhere. A
  frequency whose R2 never changes, of states that are all the same, has z = 0.
  """
  true_Q, null_RxQ = np.asarray(r2_Q, float), np.asarray(null_RxQ, float)
  every_RxQ = np.concatenate([true_Q[None], null_RxQ])
  t_RxQ = _deviations(every_RxQ, every_RxQ)
  null_z_RxQ = _deviations(null_RxQ, null_RxQ)
  top = np.quantile(null_z_RxQ.max(1), 1 - LEVEL)
  return {
    "z": _deviations(true_Q[None], null_RxQ)[0],
    "p": statistics.max_t(t_RxQ[0], t_RxQ[1:]),
    "threshold": null_RxQ.mean(0) + top * null_RxQ.std(0),
  }


def worth(r2_SxExQ, null_SxExRxQ) -> dict[str, np.ndarray]:
  """Returns `max_t` of every network and level, SxExQ."""
  networks, levels, frequencies = r2_SxExQ.shape
  found = [
    max_t(r2_Q, null_RxQ)
    for r2_Q, null_RxQ in zip(
      r2_SxExQ.reshape(-1, frequencies),
      null_SxExRxQ.reshape(networks * levels, -1, frequencies),
      strict=True,
    )
  ]
  return {name: np.stack([one[name] for one in found]).reshape(r2_SxExQ.shape) for name in found[0]}


def _deviations(value_RxQ, null_RxQ) -> np.ndarray:
  spread_Q = null_RxQ.std(0)
  varies_Q = spread_Q > ROUNDING
  gap_RxQ = (value_RxQ - null_RxQ.mean(0)) / np.where(varies_Q, spread_Q, 1)
  return np.where(varies_Q, gap_RxQ, 0)


@functools.partial(jax.jit, static_argnames="draws")
def subspaces(
  state_SxNxD, wave_VxF, keep_F, place_SxF, sum_N, order_RxN, key, *, draws
) -> tuple[causal.Subspaces, jax.Array]:
  """Returns the directions of the REMOVED best frequencies of every network's
  fitted rows, in the order of `causal_subspaces.VARIANTS`, S first, and which
  frequencies those of the labels are, SxQ.

  The best have the largest R2 on these rows, for permuted labels as well.
  `ridge` is the span of the probe's coefficients over the features' deviations,
  which are those of raw states; `leace` what leaves no covariance with them.
  """
  count = min(REMOVED, wave_VxF.shape[1] // 2)

  def one(member):
    state_NxD, place_F = member
    states = prepared(state_NxD, state_NxD[:1])
    gap_NxD = state_NxD - state_NxD.mean(0)[None]
    gram_DxD = _exact(gap_NxD.T, gap_NxD)

    best = lambda order_N: _directions(
      states, gap_NxD, gram_DxD, wave_VxF[sum_N[order_N]], keep_F, place_F, count
    )
    shape = (draws, state_NxD.shape[1], 2 * count)
    order = jnp.concatenate([jnp.arange(len(sum_N))[None], order_RxN])
    found, best_RxQ = jax.lax.map(best, order)
    random = jax.lax.map(subspace.basis, jax.random.normal(key, shape))
    read_RxDxK, write_RxDxK = (
      jnp.concatenate([r[:1], e[:1], r[1:], e[1:], random])
      for r, e in zip(found["ridge"], found["leace"], strict=True)
    )
    removed_R = jax.lax.map(
      lambda both: erasure.removed(gram_DxD, *both), (read_RxDxK, write_RxDxK)
    )
    like_R = jnp.asarray([0, 1, 0, 1, 0])[causal.kinds(len(order_RxN), draws)]
    ratio_R = removed_R[like_R] / jnp.where(removed_R > 0, removed_R, jnp.inf)
    joined = causal.Subspaces(read_RxDxK, write_RxDxK, jnp.sqrt(ratio_R), removed_R)
    return joined, best_RxQ[0]

  return jax.lax.map(one, (state_SxNxD, place_SxF))


def _directions(
  states: States, gap_NxD, gram_DxD, y_NxF, keep_F, place_F, count: int
) -> tuple[dict, jax.Array]:
  """Returns read and write of `ridge` and `leace`, of `count` frequencies."""
  kernel_DxF, r2_F = fit(states, y_NxF, place_F)
  best_Q = jax.lax.top_k(jnp.nan_to_num(pairs(r2_F, keep_F)), count)[1]
  column_K = (2 * best_Q[:, None] + jnp.arange(2)[None]).ravel()
  some = lambda x_NxF: jnp.where(keep_F[None], x_NxF, 0)[:, column_K]
  ridge_DxK = subspace.basis(some(kernel_DxF) / states.deviation_D[:, None])
  cross_DxK = _exact(gap_NxD.T, some(y_NxF))
  leace = erasure.whitened(gram_DxD, cross_DxK, causal.ALPHA)
  return {"ridge": (ridge_DxK, ridge_DxK), "leace": leace}, best_Q
