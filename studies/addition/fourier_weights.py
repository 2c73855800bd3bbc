"""W_E and W_out W_U in the Fourier basis, odd P.

Items B5, B8-B11 and B16-B18 of the addition spec. Row r of the basis belongs
to frequency (r + 1) // 2: odd rows are sines, even ones cosines.
"""

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import decompositions, fourier
from primelens.studies.addition import network

SHOWN = 8  # left singular vectors
LARGE = 0.1  # of the largest singular value
PUBLISHED_PEAKS = (8, 19, 41, 54)  # where its stored norms stand out


def row_frequency(P: int) -> np.ndarray:
  """Returns the frequency of every row of the basis."""
  return (np.arange(P) + 1) // 2


def average(value_Q, key_Q):
  """Returns the mean over the key frequencies."""
  return jnp.where(key_Q, value_Q, 0).sum() / jnp.maximum(key_Q.sum(), 1)


def embedding(embedding_PxD, key) -> dict:
  """Returns F E's norms, Gram matrix, and singular values (B5, B8-B10).

  `key` draws a Gaussian matrix of the same shape and deviation beside it.
  """
  P = len(embedding_PxD)
  row_PxD = fourier.transform_1d(fourier.basis(P), embedding_PxD)
  shape, deviation = embedding_PxD.shape, jnp.std(embedding_PxD)
  gaussian_PxD = deviation * jax.random.normal(key, shape)
  found_2 = jax.vmap(decompositions.svd)(jnp.stack([embedding_PxD, gaussian_PxD]))
  return {
    "embedding_row": jnp.linalg.norm(row_PxD, axis=1),
    "embedding_norm": fourier.frequency_norms(row_PxD),
    "gram": network.exact(row_PxD, row_PxD.T),
    "singular": found_2.value_Q[0],
    "left": found_2.left_NxQ[0, :, :SHOWN],
    "gaussian": found_2.value_Q[1],
  }


def embedding_values(found, key_Q) -> dict:
  """Returns the table's numbers about the embedding."""
  P, norm_Q = len(found["gram"]), found["embedding_norm"]
  key_P = key_Q[row_frequency(P)]
  size_P = jnp.sqrt(jnp.diagonal(found["gram"]))
  scale_PxP = size_P[:, None] * size_P[None]
  cosine_PxP = jnp.abs(found["gram"]) / jnp.where(scale_PxP > 0, scale_PxP, 1)
  pair_PxP = key_P[:, None] & key_P[None] & ~np.eye(P, dtype=bool)
  sine, cosine = size_P[1::2], size_P[2::2]
  ratio_Q = jnp.minimum(sine, cosine) / jnp.maximum(sine, cosine)
  share = lambda value_Q: (value_Q[:SHOWN] ** 2).sum() / (value_Q**2).sum()
  large = lambda value_Q: (value_Q > LARGE * value_Q[0]).sum()
  return {
    "singular_large": large(found["singular"]),
    "gaussian_large": large(found["gaussian"]),
    "singular_share": share(found["singular"]),
    "gaussian_share": share(found["gaussian"]),
    "embedding_key_share": (jnp.where(key_Q, norm_Q, 0) ** 2).sum() / (norm_Q**2).sum(),
    "gram_off": jnp.where(pair_PxP, cosine_PxP, 0).max(),
    "gram_ratio": jnp.where(key_Q[1:], ratio_Q, jnp.inf).min(),
  }


def interference(key_Q):
  """Returns the mean of cos(w_k d) over the key frequencies, P (B11)."""
  P = 2 * len(key_Q) - 1
  angle_QxP = np.outer(np.arange(len(key_Q)), np.arange(P)) % P
  cosine_QxP = np.cos(2 * np.pi / P * angle_QxP)
  total_P = jnp.where(key_Q[:, None], cosine_QxP, 0).sum(0)
  return total_P / jnp.maximum(key_Q.sum(), 1)


def readout(readout_VxF) -> dict:
  """Returns the columns of W_logit F^T, their norms, and directions (B16, B18).

  Direction k of neurons is W_logit times the wave sin(w_k c). The published
  one takes column 2k - 1 of W_logit F in its place, F not transposed.
  """
  basis_PxP = fourier.basis(len(readout_VxF))
  row_PxF = fourier.transform_1d(basis_PxP, readout_VxF)
  mixed_PxF = fourier.transform_1d(basis_PxP.T, readout_VxF)
  sine = lambda x_PxF: jnp.pad(x_PxF[1::2], ((1, 0), (0, 0)))
  return {
    "readout_row": jnp.linalg.norm(row_PxF, axis=1),
    "readout_norm": fourier.frequency_norms(row_PxF),
    "readout_QxF": jax.vmap(fourier.frequency_norms, 1, 1)(row_PxF),
    "direction": sine(row_PxF),
    "direction_as_published": sine(mixed_PxF),
  }


def readout_values(found, key_Q, member_QxF) -> dict:
  """Returns the table's numbers about W_logit; `member_QxF` are clusters."""
  key_P = key_Q[row_frequency(len(found["readout_row"]))]
  row_P = found["readout_row"].at[0].set(0)
  corrected, published = found["direction"], found["direction_as_published"]
  inner_Q = (corrected * published).sum(1)
  norm = lambda x_QxF: jnp.linalg.norm(x_QxF, axis=1)
  scale_Q = norm(corrected) * norm(published)
  cosine_Q = jnp.abs(inner_Q) / jnp.where(scale_Q > 0, scale_Q, 1)

  def on_cluster(direction_QxF):
    energy_QxF = direction_QxF**2
    total_Q = energy_QxF.sum(1)
    own_Q = jnp.where(member_QxF, energy_QxF, 0).sum(1)
    share_Q = own_Q / jnp.where(total_Q > 0, total_Q, 1)
    return average(share_Q, key_Q & member_QxF.any(1))

  return {
    "readout_key_least": jnp.where(key_P, row_P, jnp.inf).min(),
    "readout_other_largest": jnp.where(key_P, 0, row_P).max(),
    "direction_cluster": on_cluster(corrected),
    "direction_cluster_as_published": on_cluster(published),
    "direction_cosine": average(cosine_Q, key_Q),
  }


def published_norms(row_P) -> dict:
  """Returns the norms at what the source's stored run has as keys (B16)."""
  return {
    f"readout_{wave}_{k}": row_P[2 * k - sine]
    for k in PUBLISHED_PEAKS
    for wave, sine in (("sine", 1), ("cosine", 0))
    if 2 * k < len(row_P)
  }
