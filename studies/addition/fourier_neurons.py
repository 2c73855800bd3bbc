"""The neurons' two-dimensional spectra and their clusters, odd P.

Items B4, B12-B15, B17, B19 and B26 of the addition spec.
"""

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import features, fourier
from primelens.studies.addition import fourier_weights, network

CLUSTER = 0.85  # share of a neuron's energy at one frequency (B17)
MAPS = 6  # neurons 0..5 are stored
LOOKED_AT = (0, 5)  # whose spectra the source shows


def spectra(post_NxF, key) -> dict:
  """Returns shares by frequency, maps and spectra of neurons (B4, B13, B26).

  `energy` is the norm over all neurons of their 2-D coefficients, means
  removed. `key` draws the Gaussian map whose spectrum stands beside.
  """
  P = int(len(post_NxF) ** 0.5)
  post_PxPxF = features.grid(post_NxF, P)
  basis_PxP = fourier.basis(P)
  coefficient_PxPxF = fourier.transform_2d(basis_PxP, post_PxPxF)
  gaussian_PxPx1 = jax.random.normal(key, (P, P, 1))
  seen = np.array(LOOKED_AT) % post_NxF.shape[1]
  shown = [coefficient_PxPxF[..., seen], fourier.transform_2d(basis_PxP, gaussian_PxPx1)]
  return {
    "share": fourier.neuron_frequency_energy(post_PxPxF),
    "gaussian_share": fourier.neuron_frequency_energy(gaussian_PxPx1),
    "map": jnp.moveaxis(post_PxPxF[..., :MAPS], -1, 0),
    "spectrum": jnp.moveaxis(jnp.concatenate(shown, axis=-1), -1, 0),
    "energy": jnp.linalg.norm(coefficient_PxPxF, axis=-1).at[0, 0].set(0),
  }


def reference_products(P: int, frequency):
  """Returns cos a cos b and cos a of one frequency, PxPx2 (B12).

  What a neuron of that frequency is made of: each has one coefficient.
  """
  wave_P = jnp.cos(2 * np.pi / P * (frequency * np.arange(P) % P))
  other_Px2 = jnp.stack([wave_P, jnp.ones(P)], axis=1)
  return wave_P[:, None, None] * other_Px2[None]


def clusters(share_QxF):
  """Returns whether a neuron belongs to a frequency, QxF; to one at most."""
  return share_QxF > CLUSTER


def cluster_readout(member_QxF, readout_QxF):
  """Returns the norms of W_logit[cluster] F^T: cluster by frequency, QxQ (B17).

  `readout_QxF` are those of every single neuron.
  """
  energy_QxQ = network.exact(member_QxF.astype(float), readout_QxF.T**2)
  return jnp.sqrt(energy_QxQ)


def input_map(post_NxF, direction_QxF) -> dict:
  """Returns h times each direction as PxPxQ, its spectrum, and the share of
  its energy in the sin cos and cos sin terms of its frequency (B19).

  sin(w (a + b)) has nothing else.
  """
  P = int(len(post_NxF) ** 0.5)
  read_PxPxQ = features.grid(network.exact(post_NxF, direction_QxF.T), P)
  spectrum = fourier.transform_2d(fourier.basis(P), read_PxPxQ).at[0, 0].set(0)
  frequency = np.arange(1, len(direction_QxF))
  sine, cosine = 2 * frequency - 1, 2 * frequency
  mixed_Q = spectrum[sine, cosine, frequency] ** 2 + spectrum[cosine, sine, frequency] ** 2
  total_Q = (spectrum**2).sum((0, 1))
  share_Q = jnp.pad(mixed_Q, (1, 0)) / jnp.where(total_Q > 0, total_Q, 1)
  return {"map": read_PxPxQ, "spectrum": spectrum, "share": share_Q}


def values(found, key_Q, own_QxQ) -> dict:
  """Returns the table's numbers about neurons; `own_QxQ` as `cluster_readout`.

  A neuron that never fires has no energy and counts as unclustered.
  """
  largest_F = found["share"].max(0)
  member_F = largest_F > CLUSTER
  size_Q = clusters(found["share"]).sum(1)
  energy_QxQ = own_QxQ**2
  total_Q = energy_QxQ.sum(1)
  own_Q = jnp.diagonal(energy_QxQ) / jnp.where(total_Q > 0, total_Q, 1)
  inside_F = jnp.where(member_F, largest_F, jnp.nan)
  outside_QxF = jnp.where(clusters(found["share"]), 0, found["share"])
  others_F = jnp.sort(outside_QxF, axis=0)[-1]
  energy_PxP = found["energy"] ** 2
  block_PxP = _key_blocks(key_Q)
  seen = np.array(LOOKED_AT) % len(largest_F)
  return {
    "neuron0_share": largest_F[seen[0]],
    "neuron5_share": largest_F[seen[1]],
    "gaussian_neuron_share": found["gaussian_share"].max(),
    "share_median": jnp.median(largest_F),
    "clustered": member_F.mean(),
    "cluster_median": jnp.nanmedian(inside_F),
    "cluster_next": jnp.nanmedian(jnp.where(member_F, others_F, jnp.nan)),
    "cluster_sizes": jnp.where(key_Q, size_Q, 0).sum(),
    "cluster_own_readout": fourier_weights.average(own_Q, key_Q & (size_Q > 0)),
    "energy_key_share": (jnp.where(block_PxP, energy_PxP, 0).sum() / energy_PxP.sum()),
  }


def _key_blocks(key_Q):
  """Returns where constant, linear and quadratic terms of a key frequency
  stand among the 2-D coefficients, PxP."""
  frequency_P = fourier_weights.row_frequency(2 * len(key_Q) - 1)
  one, other = frequency_P[:, None], frequency_P[None]
  block_PxP = (one == other) | (one == 0) | (other == 0)
  highest_PxP = np.maximum(one, other)
  return block_PxP & key_Q[highest_PxP]
