"""Analysis `fourier`: addition modulo odd P as waves.

Items B4-B19, B24, B26 and, once each, B27 and B29 of the addition spec; B20
and B21 are the sine and cosine rows of a basis and `effects`.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import fourier as fourier_lib
from primelens.studies.addition import (
  effects,
  fourier_logits,
  fourier_neurons,
  fourier_reported,
  fourier_weights,
  network,
  tables,
  untrained,
)

REPORTED = fourier_reported.REPORTED


@dataclasses.dataclass(frozen=True)
class Result:
  """Every member's spectra, and maps of the reference member, else the first.

  Axis Q has frequencies 0..P // 2, and P rows of the basis or residues.
  `frequencies` has a record per member and key frequency; `key_SxQ` marks
  them by W_logit, `embedding_key_SxQ` by F E. `share_SxQxF` is each neuron's
  energy by frequency, `cluster_readout_SxQxQ` what a cluster writes by
  frequency, `cosine_SxP` the mean cosine of the key frequencies. Maps: `gram`
  of F E, `left` singular vectors of E, neurons 0..5, spectra of neurons 0, 5
  and a Gaussian map, directions of neurons (`_published`: with F in the place
  of F^T), the input map of the strongest key, its spectrum, and the neurons'
  energy by 2-D frequency.
  """

  table: tuple[dict, ...]
  frequencies: tuple[dict, ...]
  key_SxQ: np.ndarray
  embedding_key_SxQ: np.ndarray
  embedding_norm_SxQ: np.ndarray
  readout_norm_SxQ: np.ndarray
  untrained_embedding_norm_SxQ: np.ndarray
  untrained_readout_norm_SxQ: np.ndarray
  embedding_row_SxP: np.ndarray
  readout_row_SxP: np.ndarray
  singular_SxR: np.ndarray
  gaussian_SxR: np.ndarray
  cosine_SxP: np.ndarray
  share_SxQxF: np.ndarray
  cluster_readout_SxQxQ: np.ndarray
  coefficient_SxQ: np.ndarray
  similarity_SxQ: np.ndarray
  gram_PxP: np.ndarray
  left_Px8: np.ndarray
  neuron_6xPxP: np.ndarray
  spectrum_3xPxP: np.ndarray
  direction_QxF: np.ndarray
  direction_published_QxF: np.ndarray
  input_PxP: np.ndarray
  input_spectrum_PxP: np.ndarray
  energy_PxP: np.ndarray
  shown: int


def measure(*args, threshold: float = 0.1, seed: int = 0, draws: int = 20) -> dict:
  """Returns the waves of one member: `of_network` of what is read of it.

  Arguments as `network.over_members` gives them: model, params, member,
  token_Nx3.
  """
  model, params, member, token_Nx3 = args
  read = network.read(model, params, token_Nx3)
  return of_network(read, member, threshold=threshold, seed=seed, draws=draws)


def of_network(read: network.Network, member, *, threshold: float, seed: int, draws: int) -> dict:
  """Returns the arrays of a Result of one member, and the table's `value`.

  A key frequency exceeds `threshold` times the largest norm (B16); `seed`
  draws the Gaussian controls and `draws` sets of other frequencies.
  """
  keys = jax.random.split(jax.random.key(seed), 4)
  embedding = fourier_weights.embedding(read.embedding_PxD, keys[0])
  readout = fourier_weights.readout(read.readout_VxF)
  key_Q, embedding_key_Q = (
    fourier_lib.key_frequencies(norm_Q, threshold)
    for norm_Q in (readout["readout_norm"], embedding["embedding_norm"])
  )
  neurons = fourier_neurons.spectra(read.post_NxF, keys[1])
  member_QxF = fourier_neurons.clusters(neurons["share"])
  own_QxQ = fourier_neurons.cluster_readout(member_QxF, readout["readout_QxF"])
  clustered_Q = key_Q & member_QxF.any(1)
  inputs_2 = _inputs(read, readout)
  cubes = fourier_logits.cubes(read, member, key_Q, keys[2])
  strongest = jnp.argmax(jnp.where(key_Q, readout["readout_norm"], 0))
  value = (
    fourier_weights.embedding_values(embedding, key_Q)
    | fourier_weights.readout_values(readout, key_Q, member_QxF)
    | fourier_neurons.values(neurons, key_Q, own_QxQ)
    | fourier_logits.every_loss(read, member, key_Q, keys[3], draws)
    | cubes.pop("value")
    | _other_values(read, member, key_Q, embedding_key_Q)
    | fourier_weights.published_norms(readout["readout_row"])
    | _input_values(inputs_2["share"], clustered_Q)
    | _product_values(len(read.embedding_PxD), strongest)
  )
  if fourier_logits.without_published_keys(len(key_Q)):
    dropped = fourier_logits.WITH_PUBLISHED_KEYS
    value = {name: x for name, x in value.items() if name not in dropped}
  return (
    embedding
    | readout
    | neurons
    | cubes
    | {
      "value": value,
      "key": key_Q,
      "embedding_key": embedding_key_Q,
      "cosine": fourier_weights.interference(key_Q),
      "cluster_readout": own_QxQ,
      "input_share": inputs_2["share"][0],
      "input": inputs_2["map"][0, ..., strongest],
      "input_spectrum": inputs_2["spectrum"][0, ..., strongest],
    }
  )


def _inputs(read, readout) -> dict:
  """Returns the input maps of the sine directions, those corrected and those
  as published (B19)."""
  each = functools.partial(fourier_neurons.input_map, read.post_NxF)
  directions = ("direction", "direction_as_published")
  return jax.lax.map(each, jnp.stack([readout[name] for name in directions]))


def _input_values(share_2xQ, clustered_Q) -> dict:
  names = ("input_share", "input_share_as_published")
  return {
    name: fourier_weights.average(share_Q, clustered_Q)
    for name, share_Q in zip(names, share_2xQ, strict=True)
  }


def _product_values(P: int, frequency) -> dict:
  """Returns the smaller share of the reference products at their frequency."""
  product_PxPx2 = fourier_neurons.reference_products(P, frequency)
  share_Qx2 = fourier_lib.neuron_frequency_energy(product_PxPx2)
  return {"product_share": share_Qx2[frequency].min()}


def _other_values(read, member, key_Q, embedding_key_Q) -> dict:
  """Returns the numbers of the whole network and of the two sets of keys."""
  worth = effects.of_logits(read, read.logit_NxV, member)
  published_Q = jnp.asarray(fourier_logits.published_keys(len(key_Q)))
  away = lambda mask_Q: fourier_weights.interference(mask_Q)[1:].max()
  either = (key_Q | embedding_key_Q).sum()
  basis_PxP = fourier_lib.basis(len(read.embedding_PxD))
  gap_PxP = basis_PxP @ basis_PxP.T - np.eye(len(basis_PxP))
  return {
    "basis_error": jnp.float32(np.abs(gap_PxP).max()),
    "readout_keys": key_Q.sum(),
    "embedding_keys": embedding_key_Q.sum(),
    "keys_shared": (key_Q & embedding_key_Q).sum() / jnp.maximum(either, 1),
    "interference": away(key_Q),
    "interference_as_published": away(published_Q),
    "all_accuracy": worth["all/accuracy"],
    "all_nll": worth["all/nll_nats"],
    "train_nll": worth["train/nll_nats"],
    "test_nll": worth["test/nll_nats"],
  }


def _frequencies(found) -> tuple[dict, ...]:
  """Returns a record per member and key frequency."""
  size_SxQ = fourier_neurons.clusters(found["share"]).sum(2)
  waves = ("sine", "cosine")
  return tuple(
    {
      "member": int(s),
      "frequency": int(k),
      **{
        f"{name}_{wave}": float(found[f"{name}_row"][s, 2 * k - 1 + at])
        for name in ("readout", "embedding")
        for at, wave in enumerate(waves)
      },
      "in_embedding": bool(found["embedding_key"][s, k]),
      "cluster": int(size_SxQ[s, k]),
      "input_share": float(found["input_share"][s, k]),
      "coefficient": float(found["coefficient"][s, k]),
      "similarity": float(found["similarity"][s, k]),
    }
    for s, k in np.argwhere(found["key"])
  )


def run(run) -> Result:
  """Returns the waves of every member; `ValueError` unless modulo odd P."""
  task = run.experiment.task
  if not task.modular or task.digits % 2 == 0:
    raise ValueError("fourier is about addition modulo an odd task.digits.")
  settings = run.settings
  each = functools.partial(
    measure, threshold=settings.key_threshold, seed=settings.seed, draws=settings.random_directions
  )
  found, null = untrained.beside(each, run)
  at = tables.reference(run) or 0
  return Result(
    table=tables.rows(run, REPORTED, found["value"], null["value"]),
    frequencies=_frequencies(found),
    untrained_embedding_norm_SxQ=null["embedding_norm"],
    untrained_readout_norm_SxQ=null["readout_norm"],
    shown=at,
    **_arrays(found, at),
  )


def _arrays(found, at: int) -> dict:
  """Returns the arrays of every member, and the maps of one."""
  every = {
    "key_SxQ": "key",
    "embedding_key_SxQ": "embedding_key",
    "embedding_norm_SxQ": "embedding_norm",
    "readout_norm_SxQ": "readout_norm",
    "embedding_row_SxP": "embedding_row",
    "readout_row_SxP": "readout_row",
    "singular_SxR": "singular",
    "gaussian_SxR": "gaussian",
    "cosine_SxP": "cosine",
    "share_SxQxF": "share",
    "cluster_readout_SxQxQ": "cluster_readout",
    "coefficient_SxQ": "coefficient",
    "similarity_SxQ": "similarity",
  }
  one = {
    "gram_PxP": "gram",
    "left_Px8": "left",
    "neuron_6xPxP": "map",
    "spectrum_3xPxP": "spectrum",
    "direction_QxF": "direction",
    "direction_published_QxF": "direction_as_published",
    "input_PxP": "input",
    "input_spectrum_PxP": "input_spectrum",
    "energy_PxP": "energy",
  }
  return {field: found[name] for field, name in every.items()} | {
    field: found[name][at] for field, name in one.items()
  }
