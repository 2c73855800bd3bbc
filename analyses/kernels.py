"""Attention by distance: mean scores and weights of keys d behind a query.

A causal attention map has queries i and keys j <= i. Its distance is d = i - j
(by index) or u_i - u_j with u the running sum of the spacings (unfolded): the
sum s_{j+1} + ... + s_i. Curves are traced; sampling and binning are on the
host, in float64. Source: zeta spec, sections 4.4 and 6.4.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import counts, linear, precision

# Of the published kernel: distances up to 100 in 59 bins, queries from 10 on.
PUBLISHED_EDGES = np.linspace(0, 100, 60)
PUBLISHED_FIRST = 10
PUBLISHED_PAIRS = 30
LEAST = 5  # samples a bin must exceed


class Pairs(NamedTuple):
  """Queries and keys drawn in each of N windows: NxP."""

  query_NxP: np.ndarray
  key_NxP: np.ndarray


def centred(scores_xTxT) -> jax.Array:
  """Returns `s_ij - mean_{j <= i} s_ij` for j <= i, and 0 elsewhere.

  The softmax of a row is the same for s and s + c: only what differs within a
  row, over the keys its query may read, is attention.
  """
  score_ExTxT = jnp.tril(_flat(scores_xTxT))
  keys_T = jnp.arange(1, score_ExTxT.shape[-1] + 1)
  mean_ExT = score_ExTxT.sum(-1) / keys_T[None]
  return jnp.tril(score_ExTxT - mean_ExT[:, :, None]).reshape(jnp.shape(scores_xTxT))


def by_index(value_xTxT) -> jax.Array:
  """Returns the mean of `value[i, i - d]` over i, for d = 1 .. T - 1: `...xQ`.

  Distance d has T - d pairs.
  """
  value_ExTxT = jnp.tril(_flat(value_xTxT))
  length = value_ExTxT.shape[-1]
  # Rows of T in rows of T + 1: entry (i, i - d) comes to column T - d.
  flat = jnp.pad(value_ExTxT.reshape(-1, length**2), ((0, 0), (length, 0)))
  sum_ExT1 = flat.reshape(-1, length, length + 1).sum(1)
  pairs_Q = jnp.arange(length - 1, 0, -1)
  mean_ExQ = sum_ExT1[:, length - 1 : 0 : -1] / pairs_Q[None]
  return mean_ExQ.reshape(*jnp.shape(value_xTxT)[:-2], length - 1)


def by_unfolded(value_xTxT, spacing_T, edge_K1):
  """Returns sums `...xK` and pair counts K of the values of j < i by distance.

  Bin k holds edge_k <= u_i - u_j < edge_{k+1}. Sums of windows may be added
  before they are divided.
  """
  value_ExTxT = _flat(value_xTxT)
  bins = len(edge_K1) - 1
  place_T = jnp.cumsum(precision.wide(spacing_T))
  apart_TxT = place_T[:, None] - place_T[None]
  bin_TxT = jnp.searchsorted(jnp.asarray(edge_K1), apart_TxT, side="right") - 1
  length = value_ExTxT.shape[-1]
  behind_TxT = jnp.tril(jnp.ones((length, length), bool), -1)
  inside_TxT = behind_TxT & (bin_TxT >= 0) & (bin_TxT < bins)
  bin_E = jnp.where(inside_TxT, bin_TxT, bins).ravel()
  add = lambda value_E: jax.ops.segment_sum(value_E, bin_E, bins + 1)[:bins]
  sum_ExK = jax.vmap(add)(value_ExTxT.reshape(-1, length**2))
  lead = jnp.shape(value_xTxT)[:-2]
  return sum_ExK.reshape(*lead, bins), add(jnp.ones(length**2))


def pairs_as_published(
  windows: int, length: int, *, seed: int, pairs: int = PUBLISHED_PAIRS
) -> Pairs:
  """Returns the published draw: i ~ U[10, T), then j ~ U[0, i).

  Near distances come from all queries, far ones from late queries alone.
  Raises `ValueError` for windows of 10 or fewer positions.
  """
  counts.whole(1, windows=windows, length=length, pairs=pairs)
  counts.whole(seed=seed)
  if length <= PUBLISHED_FIRST:
    raise ValueError(f"windows of {length} have no query after the first {PUBLISHED_FIRST}.")
  rng = np.random.default_rng(seed)
  query_NxP = rng.integers(PUBLISHED_FIRST, length, (windows, pairs))
  return Pairs(query_NxP, rng.integers(0, query_NxP))


def unfolded(spacing_NxT, pairs: Pairs) -> np.ndarray:
  """Returns the unfolded distance u_i - u_j of each drawn pair, NxP."""
  place_NxT = np.cumsum(np.asarray(spacing_NxT, np.float64), axis=1)
  at = lambda index_NxP: np.take_along_axis(place_NxT, index_NxP, axis=1)
  return at(pairs.query_NxP) - at(pairs.key_NxP)


def binned(distance_N, value_N, edge_K1=PUBLISHED_EDGES, *, least: int = LEAST):
  """Returns the mean value of each bin of distance, and the counts: both K.

  NaN where a bin has `least` samples or fewer.
  """
  value_N = np.asarray(value_N, np.float64).ravel()
  distance_N = np.asarray(distance_N, np.float64).ravel()
  count_K, _ = np.histogram(distance_N, edge_K1)
  sum_K, _ = np.histogram(distance_N, edge_K1, weights=value_N)
  mean_K = sum_K / np.maximum(count_K, 1)
  return np.where(count_K > least, mean_K, np.nan), count_K


def centres(edge_K1=PUBLISHED_EDGES) -> np.ndarray:
  """Returns the middle of each bin."""
  edge_K1 = np.asarray(edge_K1)
  return (edge_K1[1:] + edge_K1[:-1]) / 2


def uniform_expected(distance, length: int) -> np.ndarray:
  """Returns the mean of 1 / (i + 1) at index distance d under the draw above.

  P(i, d) is proportional to 1 / i for i >= m = max(10, d), so the mean is
  `(1/m - 1/T) / (1/m + ... + 1/(T-1))`: flat up to d = 10, then falling. Of
  attention that looks at nothing.
  """
  least = np.maximum(PUBLISHED_FIRST, np.asarray(distance, np.int64))
  total = np.append(0, np.cumsum(1 / np.arange(1, length)))
  return (1 / least - 1 / length) / (total[length - 1] - total[least - 1])


def physics_score_as_published(curve_xQ) -> np.ndarray:
  """Returns the published score that chose the "physics head", by head.

  0.5 (sign changes of the first difference) + 100 variance + 10 max(0, mu(4) -
  mu(1)), of scores at d = 1, 2, ... It grows with noise and with scale.
  """
  curve_xQ = np.asarray(curve_xQ, np.float64)
  sign_xQ = np.sign(np.diff(curve_xQ, axis=-1))
  turns_x = np.sum(sign_xQ[..., 1:] != sign_xQ[..., :-1], axis=-1)
  rise_x = np.maximum(0, curve_xQ[..., 3] - curve_xQ[..., 0])
  return 0.5 * turns_x + 100 * curve_xQ.var(-1) + 10 * rise_x


def unmasked_as_published(query_TxHxDh, key_TxHxDh) -> jax.Array:
  """Returns softmax(q.k / sqrt Dh) over all T keys, HxTxT: no mask, no rotary.

  The published Flash kernel. Every row sums to 1 over all keys, the future
  too, so that its mean is 1 / T whatever the network.
  """
  query_TxHxDh, key_TxHxDh = precision.wide(query_TxHxDh), precision.wide(key_TxHxDh)
  scale = query_TxHxDh.shape[-1] ** -0.5
  score_HxTxT = scale * jnp.einsum("qhd,khd->hqk", query_TxHxDh, key_TxHxDh)
  return jax.nn.softmax(score_HxTxT, axis=-1)


def extract_operator_as_published(pattern_BxTxT, spacing_BxT) -> dict:
  """Returns correlations of weights with sinc(s_i - s_j) and exp(-d / scale).

  Every fourth query, keys j in [i - 20, i]. What sinc is given is a difference
  of two spacings, 0 between equal spacings however far apart: no distance.
  """
  pattern_BxTxT = np.asarray(pattern_BxTxT, np.float64)
  spacing_BxT = np.asarray(spacing_BxT, np.float64)
  length = pattern_BxTxT.shape[-1]
  query, key = np.array(
    [(i, j) for i in range(0, length, 4) for j in range(max(0, i - 20), i + 1)]
  ).T
  weight_N = pattern_BxTxT[:, query, key].ravel()
  value_BxN = spacing_BxT[:, query] - spacing_BxT[:, key]
  index_N = np.broadcast_to(query - key, value_BxN.shape).ravel()
  feature = {"sinc(s_i - s_j)": np.sinc(value_BxN.ravel())}
  for scale in (5, 10, 20):
    feature[f"exp(-d / {scale})"] = np.exp(-index_N / scale)
  found = {name: float(linear.pearson(x_N, weight_N)) for name, x_N in feature.items()}
  return found | {"samples": len(weight_N)}


def _flat(value_xTxT) -> Any:
  """Returns the matrices along one leading axis E."""
  value_xTxT = precision.wide(value_xTxT)
  return value_xTxT.reshape(-1, *value_xTxT.shape[-2:])
