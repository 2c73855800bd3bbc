"""The length-2P Fourier view of logits and readout (analysis `readout`).

Items A40-A45 of the addition spec. Plain addition has 2P classes and no cycle,
so the transform's wrap-around is an assumption, which `sparsity` tries:
if few frequencies made the logits, few would keep their argmax, and fewer than
of logits with the same spectra but random phases, or of random planes.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import fourier, regression, sinusoids
from primelens.studies.addition import network

ACTIVE = 30  # neurons averaged (A44)
PUBLISHED_COUNTS = (3, 6, 7)  # whose reconstructions were discussed (A41)
NEURONS = (184, 357)  # of the reference network (A42)


def ranks(magnitude_ExQ) -> jax.Array:
  """Returns the frequencies of each spectrum, the largest first: ExQ."""
  return jnp.argsort(-magnitude_ExQ, axis=1)


def of_logits(full, reduced, pair_3) -> dict:
  """Returns |rfft| of the logits at the three pairs, full and reduced (A40)."""
  return {
    "logit": fourier.rfft_magnitude(full.logit_NxV[pair_3]),
    "reduced_logit": fourier.rfft_magnitude(reduced.logit_NxV[pair_3]),
  }


def of_neurons(full, reduced, label_N, pair_3) -> dict:
  """Returns spectra of W_L's columns: each, and means over groups (A42-A45).

  `active` of the 30 most active neurons at the pairs, `flipped` of those that
  at the first pair are on in the reduced network alone ("off"), then of those
  on in the full one alone. A group without neurons has a spectrum of zeros.
  """
  magnitude_QxF = fourier.rfft_magnitude(full.readout_VxF, axis=0)
  peak_F = jnp.argmax(magnitude_QxF, axis=0)
  most = min(ACTIVE, full.post_NxF.shape[1])
  _, active_3xE = jax.lax.top_k(full.post_NxF[pair_3], most)
  on_F, reduced_F = full.pre_NxF[0] > 0, reduced.pre_NxF[0] > 0
  flip_2xF = jnp.stack([~on_F & reduced_F, on_F & ~reduced_F])
  correlation_F = regression.pearson(full.post_NxF, label_N)
  norm = lambda weight: jnp.linalg.norm(fourier.rfft_magnitude(weight, axis=0), axis=1)
  return {
    "magnitude": magnitude_QxF,
    "order": jnp.argsort(-correlation_F),
    "peak_count": jnp.bincount(peak_F, length=len(magnitude_QxF)),
    "peak": jnp.take(peak_F, jnp.array(NEURONS), mode="clip"),
    "active": magnitude_QxF[:, active_3xE].mean(2).T,
    "flipped": _mean(magnitude_QxF, flip_2xF),
    "embedding_norm": norm(full.embedding_PxD),
    "readout_norm": norm(full.readout_VxF),
  }


def _mean(magnitude_QxF, group_2xF):
  """Mean spectra 2xQ of the neurons in each group, 0 for an empty one."""
  group_2xF = group_2xF.astype(magnitude_QxF.dtype)
  size_2x1 = jnp.maximum(group_2xF.sum(1), 1)[:, None]
  return network.exact(group_2xF, magnitude_QxF.T) / size_2x1


def sparsity(logit_NxV, label_N, settings) -> dict:
  """Returns what 1, 2, ... frequencies beside the constant are worth (A41).

  Accuracy and cross-entropy of the logits rebuilt from each input's largest
  frequencies, as published too (off by one), and agreement: how many inputs
  keep the argmax of their own logits. Its two nulls, means over
  `random_directions` draws: the same logits with every phase random (the same
  spectra and smoothness), and random planes instead of frequencies.
  `needed` is the least number with which all inputs agree.
  """
  classes, draws = logit_NxV.shape[1], settings.random_directions
  count_R = jnp.arange(1, classes // 2 + 1)
  shuffled_DxNxV = jax.vmap(sinusoids.shuffle_phases, (0, None))(
    jax.random.split(jax.random.key(settings.seed), draws), logit_NxV
  )
  # The first "draw" are the logits themselves.
  logit_DxNxV = jnp.concatenate([logit_NxV[None], shuffled_DxNxV])
  over = lambda rebuild, x: jax.vmap(rebuild, (None, 0))(x, count_R)
  rebuilt_RxDxNxV = over(fourier.top_frequencies_reconstruct, logit_DxNxV)
  published_RxNxV = over(fourier.top_frequencies_as_published, logit_NxV)
  basis_DxVxV = np.stack(
    [sinusoids.random_basis(classes, [settings.seed, i]) for i in range(draws)]
  )
  plane_RxDxNxV = jax.vmap(
    lambda basis_VxV: over(
      functools.partial(sinusoids.top_planes_reconstruct, basis_VxV), logit_NxV
    ),
    out_axes=1,
  )(jnp.asarray(basis_DxVxV))
  exact_RxNxV = rebuilt_RxDxNxV[:, 0]
  agreement_DxR = _agreement(rebuilt_RxDxNxV, logit_DxNxV)
  plane_DxR = _agreement(plane_RxDxNxV, logit_NxV[None])
  accuracy = jax.vmap(lambda x_NxV: network.accuracy(x_NxV, label_N))
  nll = jax.vmap(lambda x_NxV: network.nll(x_NxV, label_N))
  needed_D = _needed(agreement_DxR)
  return {
    "count": count_R,
    "accuracy": accuracy(exact_RxNxV),
    "nll_nats": nll(exact_RxNxV),
    "accuracy_as_published": accuracy(published_RxNxV),
    "agreement": agreement_DxR[0],
    "shuffled_agreement": agreement_DxR[1:].mean(0),
    "plane_agreement": plane_DxR.mean(0),
    "needed": needed_D[0],
    "needed_shuffled": needed_D[1:].mean(),
    "needed_planes": _needed(plane_DxR).mean(),
  }


def _agreement(rebuilt_RxDxNxV, own_DxNxV):
  """Share of inputs whose rebuilt logits have their own argmax: DxR."""
  own_DxN = jnp.argmax(own_DxNxV, axis=-1)
  same_RxDxN = jnp.argmax(rebuilt_RxDxNxV, axis=-1) == own_DxN[None]
  return same_RxDxN.mean(-1).T


def _needed(agreement_DxR):
  """The first count with which all agree; the last one where none does."""
  whole_DxR = (agreement_DxR == 1).at[:, -1].set(True)
  return 1.0 + jnp.argmax(whole_DxR, axis=1)


def as_published(logit_V) -> dict:
  """Returns the published reconstructions of one input's logits (A41).

  For every "K" discussed: the variance explained, the argmax and how many
  frequencies beside the constant were kept.
  """
  rebuilt_RxV = jax.vmap(fourier.top_frequencies_as_published, (None, 0))(
    logit_V, jnp.array(PUBLISHED_COUNTS)
  )
  variance_R = 1 - jnp.var(logit_V[None] - rebuilt_RxV, axis=1) / jnp.var(logit_V)
  size_RxQ = fourier.rfft_magnitude(rebuilt_RxV)[:, 1:]
  # What was not kept comes back as rounding.
  kept_RxQ = size_RxQ > 1e-4 * size_RxQ.max(1, keepdims=True)
  found: dict = {}
  for at, count in enumerate(PUBLISHED_COUNTS):
    found |= {
      f"published_variance_{count}": variance_R[at],
      f"published_argmax_{count}": jnp.argmax(rebuilt_RxV[at]),
      f"published_kept_{count}": kept_RxQ[at].sum(),
    }
  return found
