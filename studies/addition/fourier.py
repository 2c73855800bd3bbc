"""Is modular addition done by waves: weights, neurons, logits?

The published notebook trained one network on (a + b) mod P, with P odd, and read a few key
frequencies in it: W_E and W_logit = W_out W_U are large at these alone in the Fourier basis F, each
neuron works at one of them, and the logits are a sum of cosines of w_k (a + b - c), with
w_k = 2 pi k / P. Its frequencies stand in the code as constants, and its stored run has others.

Here the key frequencies of every network are found: those at which the norm of W_logit is more than
a tenth of the largest. Every number is also measured on the notebook's constants, on as many random
frequencies that are no key, on untrained networks, and on Gaussian matrices of the same size. The
restricted loss keeps the key waves in a + b of the neurons alone, the excluded loss removes them.
The notebook averages its waves over train pairs too, which a table of the train pairs passes as
well: the same loss is measured with waves of test pairs alone. To find the neurons that make
sin(w_k c) the notebook multiplies W_logit by F in the place of F^T: both directions are shown.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier, linear
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)
PUBLISHED_KEYS = (17, 25, 32, 47)  # the source's constants
PUBLISHED_PEAKS = (8, 19, 41, 54)  # where the norms of its stored run stand out
# What is measured with all four constants, and left out where a modulus lacks one.
WITH_PUBLISHED_KEYS = (
  "interference_as_published",
  "restricted_shifted_as_published",
  "excluded_skip_as_published",
  "residual_as_published",
  "fitted_nll_as_published",
)
CONSTANTS = ", ".join(map(str, PUBLISHED_KEYS))

obstacle = program.modular

# --- W_E and W_logit in the Fourier basis ---------------------------------------------------------
# Row r of the basis belongs to frequency (r + 1) // 2: odd rows are sines, even ones cosines.

SHOWN = 8  # left singular vectors
LARGE = 0.1  # of the largest singular value


def row_frequency(P: int) -> np.ndarray:
  """Returns the frequency of every row of the basis."""
  return (np.arange(P) + 1) // 2


def average(value_Q, key_Q):
  """Returns the mean over the key frequencies."""
  return jnp.where(key_Q, value_Q, 0).sum() / jnp.maximum(key_Q.sum(), 1)


def of_embedding(embedding_PxD, key) -> dict:
  """Returns F E's norms, Gram matrix, and singular values.

  `key` draws a Gaussian matrix of the same shape and deviation beside it.
  """
  P = len(embedding_PxD)
  row_PxD = fourier.transform_1d(fourier.basis(P), embedding_PxD)
  shape, deviation = embedding_PxD.shape, jnp.std(embedding_PxD)
  gaussian_PxD = deviation * jax.random.normal(key, shape)
  found_2 = jax.vmap(linear.svd)(jnp.stack([embedding_PxD, gaussian_PxD]))
  return {
    "embedding_wave": row_PxD,
    "embedding_row": jnp.linalg.norm(row_PxD, axis=1),
    "embedding_norm": fourier.frequency_norms(row_PxD),
    "gram": network.exact(row_PxD, row_PxD.T),
    "singular": found_2.value_Q[0],
    "left": found_2.left_NxQ[0, :, :SHOWN],
    "gaussian": found_2.value_Q[1],
    "gaussian_left": found_2.left_NxQ[1, :, :SHOWN],
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
  """Returns the mean of cos(w_k d) over the key frequencies, P."""
  P = 2 * len(key_Q) - 1
  angle_QxP = np.outer(np.arange(len(key_Q)), np.arange(P)) % P
  cosine_QxP = np.cos(2 * np.pi / P * angle_QxP)
  total_P = jnp.where(key_Q[:, None], cosine_QxP, 0).sum(0)
  return total_P / jnp.maximum(key_Q.sum(), 1)


def of_readout(readout_VxF) -> dict:
  """Returns the columns of W_logit F^T, their norms, and directions.

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
  """Returns the norms at the key frequencies of the source's stored run."""
  return {
    f"readout_{wave}_{k}": row_P[2 * k - sine]
    for k in PUBLISHED_PEAKS
    for wave, sine in (("sine", 1), ("cosine", 0))
    if 2 * k < len(row_P)
  }


# --- neurons: two-dimensional spectra and clusters ------------------------------------------------

CLUSTER = 0.85  # share of a neuron's energy at one frequency
MAPS = 6  # neurons 0..5 are stored
LOOKED_AT = (0, 5)  # whose spectra the source shows


def of_neurons(post_NxF, key) -> dict:
  """Returns shares by frequency, maps and spectra of neurons.

  `energy` is the norm over all neurons of their 2-D coefficients, means
  removed. `key` draws the Gaussian map whose spectrum is the null.
  """
  P = int(len(post_NxF) ** 0.5)
  post_PxPxF = fourier.pair_grid(post_NxF, P)
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
  """Returns cos a cos b and cos a of one frequency, PxPx2.

  What a neuron of that frequency is made of: each has one coefficient.
  """
  wave_P = jnp.cos(2 * np.pi / P * (frequency * np.arange(P) % P))
  other_Px2 = jnp.stack([wave_P, jnp.ones(P)], axis=1)
  return wave_P[:, None, None] * other_Px2[None]


def clustered(share_QxF):
  """Returns whether a neuron belongs to a frequency, QxF; to one at most."""
  return share_QxF > CLUSTER


def cluster_readout(member_QxF, readout_QxF):
  """Returns the norms of W_logit[cluster] F^T: cluster by frequency, QxQ.

  `readout_QxF` are those of every single neuron.
  """
  energy_QxQ = network.exact(member_QxF.astype(float), readout_QxF.T**2)
  return jnp.sqrt(energy_QxQ)


def input_map(post_NxF, direction_QxF) -> dict:
  """Returns h times each direction as PxPxQ, its spectrum, and the share of
  its energy in the sin cos and cos sin terms of its frequency.

  sin(w (a + b)) has nothing else.
  """
  P = int(len(post_NxF) ** 0.5)
  read_PxPxQ = fourier.pair_grid(network.exact(post_NxF, direction_QxF.T), P)
  spectrum = fourier.transform_2d(fourier.basis(P), read_PxPxQ).at[0, 0].set(0)
  frequency = np.arange(1, len(direction_QxF))
  sine, cosine = 2 * frequency - 1, 2 * frequency
  mixed_Q = spectrum[sine, cosine, frequency] ** 2 + spectrum[cosine, sine, frequency] ** 2
  total_Q = (spectrum**2).sum((0, 1))
  share_Q = jnp.pad(mixed_Q, (1, 0)) / jnp.where(total_Q > 0, total_Q, 1)
  return {"map": read_PxPxQ, "spectrum": spectrum, "share": share_Q}


def neuron_values(found, key_Q, own_QxQ) -> dict:
  """Returns the table's numbers about neurons; `own_QxQ` as `cluster_readout`.

  A neuron that never fires has no energy and counts as unclustered.
  """
  largest_F = found["share"].max(0)
  member_F = largest_F > CLUSTER
  size_Q = clustered(found["share"]).sum(1)
  energy_QxQ = own_QxQ**2
  total_Q = energy_QxQ.sum(1)
  own_Q = jnp.diagonal(energy_QxQ) / jnp.where(total_Q > 0, total_Q, 1)
  inside_F = jnp.where(member_F, largest_F, jnp.nan)
  outside_QxF = jnp.where(clustered(found["share"]), 0, found["share"])
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
    "cluster_own_readout": average(own_Q, key_Q & (size_Q > 0)),
    "energy_key_share": (jnp.where(block_PxP, energy_PxP, 0).sum() / energy_PxP.sum()),
  }


def _key_blocks(key_Q):
  """Returns where constant, linear and quadratic terms of a key frequency
  stand among the 2-D coefficients, PxP."""
  frequency_P = row_frequency(2 * len(key_Q) - 1)
  one, other = frequency_P[:, None], frequency_P[None]
  block_PxP = (one == other) | (one == 0) | (other == 0)
  highest_PxP = np.maximum(one, other)
  return block_PxP & key_Q[highest_PxP]


# --- logits: cosine cubes, restricted and excluded losses -----------------------------------------


def published_keys(frequencies: int) -> np.ndarray:
  """Returns the mask of the source's constants among the frequencies, of those
  that there are."""
  return np.isin(np.arange(frequencies), PUBLISHED_KEYS)


def without_published_keys(frequencies: int) -> str:
  """Returns why rows of the source's constants are left out, or ""."""
  if frequencies > max(PUBLISHED_KEYS):
    return ""
  return (
    f"Rows of the source's frequencies {CONSTANTS} are left out: this modulus has none"
    f" above {frequencies - 1}."
  )


def losses(read: network.Network, member, mask_Q) -> dict:
  """Returns restricted test losses and excluded train losses, every way."""
  at = lambda logit_NxV, row_N: network.nll(logit_NxV[row_N], member.label_N[row_N])
  keep = lambda **how: at(network.restricted(read, mask_Q, **how), member.test_N)
  drop = lambda skip: at(network.excluded(read, mask_Q, skip=skip), member.train_N)
  return {
    "restricted": keep(),
    "restricted_shifted": keep(like=read.logit_NxV),
    "restricted_skip": keep(skip=True),
    "restricted_heldout": network.restricted_heldout(read, member, mask_Q),
    "excluded": drop(False),
    "excluded_skip": drop(True),
  }


def other_frequencies(key, key_Q):
  """Returns a mask of as many frequencies as key ones, none of them key."""
  free_Q = ~key_Q & (np.arange(len(key_Q)) > 0)
  noise_Q = jnp.where(free_Q, jax.random.uniform(key, key_Q.shape), -1)
  place_Q = jnp.argsort(jnp.argsort(-noise_Q))
  return (place_Q < key_Q.sum()) & free_Q


def every_loss(read: network.Network, member, key_Q, key, draws: int) -> dict:
  """Returns the losses of the key frequencies, as `losses` names them, those
  of the source's constants (`_as_published`: they were another run's keys, so
  this is a control), and the mean over draws of other frequencies (`_other`).
  """
  own_2xQ = jnp.stack([key_Q, jnp.asarray(published_keys(len(key_Q)))])
  other_RxQ = jax.vmap(other_frequencies, (0, None))(jax.random.split(key, draws), key_Q)
  found_R = jax.lax.map(
    lambda mask_Q: losses(read, member, mask_Q), jnp.concatenate([own_2xQ, other_RxQ])
  )
  controls = ("restricted_shifted", "excluded_skip")
  return (
    {name: loss_R[0] for name, loss_R in found_R.items()}
    | {f"{name}_as_published": found_R[name][1] for name in controls}
    | {f"{name}_other": found_R[name][2:].mean() for name in controls}
  )


def of_cubes(read: network.Network, member, key_Q, key) -> dict:
  """Returns the logits against every cosine cube, and what those of the key
  frequencies leave and are worth.

  So too for the source's constants and for all frequencies; for a look-up
  table of the train pairs in the place of the logits; and the cosines of
  random numbers with the logits and with the cubes.
  """
  logit_NxV = read.logit_NxV
  cube = fourier.cosine_cube_coefficients(logit_NxV)
  published_Q = jnp.asarray(published_keys(len(key_Q)))

  train_N, label_N = member.train_N, member.label_N
  table_NxV = jnp.zeros_like(logit_NxV).at[train_N, label_N[train_N]].set(1)

  def worth(given):
    logit_NxV, mask_Q = given
    fitted_NxV, left = fourier.cosine_cube_approximation(logit_NxV, mask_Q)
    accuracy = network.accuracy(fitted_NxV, label_N)
    return left, network.nll(fitted_NxV, label_N), accuracy

  every_Q = jnp.ones_like(key_Q)
  given_4 = (
    jnp.stack([logit_NxV] * 3 + [table_NxV]),
    jnp.stack([key_Q, published_Q, every_Q, every_Q]),
  )
  left_4, nll_4, accuracy_4 = jax.lax.map(worth, given_4)
  random_NxV = jax.random.normal(key, logit_NxV.shape)
  inner = (random_NxV * logit_NxV).sum()
  random = fourier.cosine_cube_coefficients(random_NxV)
  value = _cube_values(cube, key_Q) | {
    "residual": left_4[0],
    "residual_as_published": left_4[1],
    "residual_all": left_4[2],
    "fitted_nll": nll_4[0],
    "fitted_nll_as_published": nll_4[1],
    "fitted_accuracy": accuracy_4[0],
    "table_accuracy": accuracy_4[3],
    "random_cube": jnp.abs(inner) / (random.norm * cube.norm),
    "random_logits": jnp.abs(random.similarity_Q[1:]).max(),
  }
  return {"coefficient": cube.coefficient_Q, "similarity": cube.similarity_Q, "value": value}


def _cube_values(cube: fourier.CosineCube, key_Q) -> dict:
  """Returns the norm, the key frequencies' cosines, the source's constants."""
  key_similarity_Q = jnp.where(key_Q, cube.similarity_Q, 0)
  return {
    "logit_norm": cube.norm,
    "key_similarity": jnp.linalg.norm(key_similarity_Q),
    "key_similarity_least": jnp.where(key_Q, cube.similarity_Q, jnp.inf).min(),
  } | {f"coefficient_{k}": cube.coefficient_Q[k] for k in PUBLISHED_KEYS if k < len(key_Q)}


# --- one network ----------------------------------------------------------------------------------


def of_member(*args, threshold: float = 0.1, seed: int = 0, draws: int = 20) -> dict:
  """Returns the waves of one member: `of_network` of what is read of it.

  Arguments as `network.over_members` gives them: model, params, member,
  token_Nx3.
  """
  model, params, member, token_Nx3 = args
  read = network.read(model, params, token_Nx3)
  return of_network(read, member, threshold=threshold, seed=seed, draws=draws)


def of_network(read: network.Network, member, *, threshold: float, seed: int, draws: int) -> dict:
  """Returns the arrays of one member, and the reported numbers as `value`.

  A key frequency exceeds `threshold` times the largest norm; `seed`
  draws the Gaussian controls and `draws` sets of other frequencies.
  """
  keys = jax.random.split(jax.random.key(seed), 4)
  embedding = of_embedding(read.embedding_PxD, keys[0])
  readout = of_readout(read.readout_VxF)
  key_Q, embedding_key_Q = (
    fourier.key_frequencies(norm_Q, threshold)
    for norm_Q in (readout["readout_norm"], embedding["embedding_norm"])
  )
  neurons = of_neurons(read.post_NxF, keys[1])
  member_QxF = clustered(neurons["share"])
  own_QxQ = cluster_readout(member_QxF, readout["readout_QxF"])
  clustered_Q = key_Q & member_QxF.any(1)
  inputs_2 = _inputs(read, readout)
  cubes = of_cubes(read, member, key_Q, keys[2])
  strongest = jnp.argmax(jnp.where(key_Q, readout["readout_norm"], 0))
  value = (
    embedding_values(embedding, key_Q)
    | readout_values(readout, key_Q, member_QxF)
    | neuron_values(neurons, key_Q, own_QxQ)
    | every_loss(read, member, key_Q, keys[3], draws)
    | cubes.pop("value")
    | _other_values(read, member, key_Q, embedding_key_Q)
    | published_norms(readout["readout_row"])
    | _input_values(inputs_2["share"], clustered_Q)
    | _product_values(len(read.embedding_PxD), strongest)
  )
  if without_published_keys(len(key_Q)):
    dropped = WITH_PUBLISHED_KEYS
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
      "cosine": interference(key_Q),
      "cluster_readout": own_QxQ,
      "input_share": inputs_2["share"][0],
      "input": inputs_2["map"][0, ..., strongest],
      "input_spectrum": inputs_2["spectrum"][0, ..., strongest],
    }
  )


def _inputs(read, readout) -> dict:
  """Returns the input maps of the sine directions, those corrected and those
  as published."""
  each = functools.partial(input_map, read.post_NxF)
  directions = ("direction", "direction_as_published")
  return jax.lax.map(each, jnp.stack([readout[name] for name in directions]))


def _input_values(share_2xQ, clustered_Q) -> dict:
  names = ("input_share", "input_share_as_published")
  return {
    name: average(share_Q, clustered_Q) for name, share_Q in zip(names, share_2xQ, strict=True)
  }


def _product_values(P: int, frequency) -> dict:
  """Returns the smaller share of the reference products at their frequency."""
  product_PxPx2 = reference_products(P, frequency)
  share_Qx2 = fourier.neuron_frequency_energy(product_PxPx2)
  return {"product_share": share_Qx2[frequency].min()}


def _other_values(read, member, key_Q, embedding_key_Q) -> dict:
  """Returns the numbers of the whole network and of the two sets of keys."""
  worth = network.of_logits(read, read.logit_NxV, member)
  published_Q = jnp.asarray(published_keys(len(key_Q)))
  away = lambda mask_Q: interference(mask_Q)[1:].max()
  either = (key_Q | embedding_key_Q).sum()
  basis_PxP = fourier.basis(len(read.embedding_PxD))
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


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns the waves of every network; raises `ValueError` unless modulo an odd number.

  Maps are those of one network: the source's own, else the first.
  """
  task = run.experiment.task
  if not task.modular or task.digits % 2 == 0:
    raise ValueError("fourier is about addition modulo an odd task.digits.")
  settings = run.settings
  each = functools.partial(
    of_member,
    threshold=settings.key_threshold,
    seed=settings.seed,
    draws=settings.random_directions,
  )
  found, null = network.beside(each, run)
  at = program.drawn(run.experiment)
  one = {name: x[at] for name, x in found.items() if name != "value"}
  stored = numbers_lib.stored(found["value"], null["value"])
  variables = stored | _of_all(found, null) | _of_one(one)
  return program.dataset(run, variables, _coords(found, task.digits))


def _of_all(found, null) -> dict:
  """Returns the variables of every network."""
  over = results.variable
  both = lambda name: np.stack([found[name], null[name]])
  singular_2xSxR = np.stack([found["singular"], found["gaussian"]])
  size_SxQ = clustered(found["share"]).sum(2)
  return {
    "key": over("seed frequency", found["key"], "key frequency of W_logit"),
    "embedding_key": over("seed frequency", found["embedding_key"], "key frequency of F E"),
    "embedding_norm": over("network seed frequency", both("embedding_norm"), "norm in F E"),
    "readout_norm": over("network seed frequency", both("readout_norm"), "norm in W_logit Fᵀ"),
    "embedding_row": over("seed row", found["embedding_row"], "norm of the row of F E"),
    "readout_row": over("seed row", found["readout_row"], "norm of the column of W_logit Fᵀ"),
    "singular": over("matrix seed component", singular_2xSxR, "singular value"),
    "interference": over("seed distance", found["cosine"], "mean cosine of the key frequencies"),
    "share": over("seed frequency neuron", found["share"], "share of the neuron's energy"),
    "cluster_size": over("seed frequency", size_SxQ, "neurons of the frequency"),
    "cluster_readout": over(
      "seed cluster frequency", found["cluster_readout"], "norm of what a cluster writes"
    ),
    "coefficient": over("seed frequency", found["coefficient"], "coefficient of the cosine cube"),
    "similarity": over("seed frequency", found["similarity"], "cosine of the logits with the cube"),
    "input_share": over(
      "seed frequency", found["input_share"], "share of sin cos and cos sin in the input map"
    ),
  }


def _of_one(one) -> dict:
  """Returns the maps of one network."""
  over = results.variable
  directions = np.stack([one["direction"], one["direction_as_published"]])
  return {
    "gram": over("row other_row", one["gram"], "inner products of the rows of F E"),
    "embedding_wave": over("row width", one["embedding_wave"], "entry of F E"),
    "left": over("digit vector", one["left"], "left singular vectors of E"),
    "gaussian_left": over(
      "digit vector", one["gaussian_left"], "left singular vectors of the Gaussian matrix"
    ),
    "activation": over("shown_neuron a b", one["map"], "activation"),
    "spectrum": over("shown_map a_row b_row", one["spectrum"], "coefficient"),
    "direction": over("basis frequency neuron", directions, "weight of the neuron"),
    "input": over("a b", one["input"], "neurons along the sine direction of the strongest key"),
    "input_spectrum": over("a_row b_row", one["input_spectrum"], "coefficient"),
    "energy": over("a_row b_row", one["energy"], "norm over neurons"),
  }


def _coords(found, P: int) -> dict:
  """Returns the coordinates; the rows of the basis are named by their waves."""
  frequencies, neurons = found["share"].shape[1:]
  waves = ["constant", *(f"{wave} {k}" for k in range(1, frequencies) for wave in ("sin", "cos"))]
  looked_at = [f"neuron {number % neurons}" for number in LOOKED_AT]
  over = results.variable
  return {
    "frequency": over("frequency", np.arange(frequencies), "frequency"),
    "cluster": over("cluster", np.arange(frequencies), "frequency of the cluster"),
    "row": over("row", waves, "row of F"),
    "other_row": over("other_row", waves, "row of F"),
    "a_row": over("a_row", waves, "row of F, a"),
    "b_row": over("b_row", waves, "row of F, b"),
    "a": over("a", np.arange(P), "a"),
    "b": over("b", np.arange(P), "b"),
    "digit": over("digit", np.arange(P), "digit"),
    "width": over("width", np.arange(found["embedding_wave"].shape[2]), "place in the vector"),
    "distance": over("distance", np.arange(P), "difference of two digits"),
    "matrix": over("matrix", ["embedding", "Gaussian"], "matrix"),
    "component": over("component", 1 + np.arange(found["singular"].shape[1]), "component"),
    "vector": over("vector", 1 + np.arange(found["left"].shape[2]), "component"),
    "neuron": over("neuron", np.arange(neurons), "neuron"),
    "shown_neuron": over("shown_neuron", np.arange(found["map"].shape[1]), "neuron"),
    "shown_map": over("shown_map", [*looked_at, "Gaussian map"], "map"),
    "basis": over("basis", ["Fᵀ", "F, as published"], "what W_logit is multiplied by"),
  }


numbers = numbers_lib.of  # by the keys of published.csv


# --- figures, tables ------------------------------------------------------------------------------

FEW = 8  # key frequencies whose numbers are written
SINGULAR = 30  # singular values drawn
GAUSSIAN = draw.COLOUR_OF["random"]
# Shares, and cosines with the whole, of which several runs are compared.
COMPARED = (
  "embedding_key_share",
  "clustered",
  "cluster_own_readout",
  "energy_key_share",
  "input_share",
  "key_similarity",
  "residual",
)


def figures(runs) -> dict:
  """Returns four pages for each run of the source's setting and, of several runs, one of all.

  The others of a run are on its weights, on its neurons, and on the Fourier basis itself.
  """
  main = program.main(runs)
  pages = {run: _page(run, found) for run, found in main.items()}
  pages |= {f"{run}, weights": _weights(run, found) for run, found in main.items()}
  pages |= {f"{run}, neurons": _neurons(run, found) for run, found in main.items()}
  pages |= {f"{run}, basis": _basis(run, found) for run, found in main.items()}
  return pages | ({"all runs": _all_runs(runs)} if len(runs) > 1 else {})


def _all_runs(runs) -> draw.Page:
  number = results.across(runs, "number")["number"].sel(quantity=list(COMPARED))
  value, null = (number.sel(network=name, drop=True) for name in numbers_lib.NETWORKS)
  words = [PUBLISHED[key].quantity for key in COMPARED]
  both = xr.Dataset({"value": value, "null": null}).assign_coords(quantity=words)
  both["value"].attrs = {"long_name": "share, fraction or cosine"}
  title = "How far waves describe the networks (small: networks, large: median)"
  panel = draw.strips(both, "value", y="quantity", colour="run", null="null", title=title)
  return draw.page(panel, heights=[1.6 + 0.45 * len(COMPARED)])


def _page(run: str, found: xr.Dataset) -> draw.Page:
  """Returns weights, then neurons, then what the readout reads of them."""
  one = _sorted(found.isel(seed=program.shown(found)))
  strongest = _strongest(one)
  return draw.page(
    (
      _norms(found, one, "embedding_norm", f"{run}: embedding, F E"),
      _norms(found, one, "readout_norm", "Readout, W_logit Fᵀ"),
    ),
    (_cubes(found, one), _interference(found), _singular(found)),
    (
      _map(one, "share", "frequency", "neuron", "Energy of each neuron", "share", limits=(0, 1)),
      _written(one),
      _map(one, "energy", "a_row", "b_row", "Energy of all neurons", "norm over neurons"),
    ),
    _loudest(one),
    (
      _directions(one, strongest),
      _signed(one, "input", "a", "b", f"Activations along\nsin of {strongest}", "activation"),
      _signed(one, "input_spectrum", "a_row", "b_row", "Spectrum of these", "coefficient"),
    ),
    heights=[3.2, 3.3, 3.0, 3.2, 3.4],
  )


def _weights(run: str, found: xr.Dataset) -> draw.Page:
  """Returns sines and cosines of embedding and readout, and singular vectors, of one network."""
  one = found.isel(seed=program.shown(found))
  seed = one["seed"].item()
  return draw.page(
    _waves(one, "embedding_row", f"{run}, seed {seed}: embedding, F E", "norm of the row of F E"),
    _waves(one, "readout_row", f"Readout, W_logit Fᵀ, seed {seed}", "norm of the column"),
    (
      _signed(one, "embedding_wave", "row", "width", "Embedding in the basis, F E", "entry"),
      _gram(one),
    ),
    (
      _vectors(one, "left", "Left singular vectors of E", draw.BLUE),
      _vectors(one, "gaussian_left", "Those of a Gaussian matrix", GAUSSIAN),
    ),
    _cosines(one),
    heights=[2.7, 2.7, 3.3, 4.4, 3.2],
  )


def _neurons(run: str, found: xr.Dataset) -> draw.Page:
  """Returns activations and spectra of a few neurons, and which frequency all work at."""
  one = found.isel(seed=program.shown(found))
  strongest, seed = _strongest(one), one["seed"].item()
  maps = [
    _map(one.isel(shown_neuron=i), "activation", "a", "b", f"Neuron {number}", "activation")
    for i, number in enumerate(one["shown_neuron"].values.tolist())
  ]
  first = draw.together(maps[0], lambda axes: axes.set_title(f"{run}, seed {seed}: neuron 0"))
  spectra = [
    _signed(one.isel(shown_map=i), "spectrum", "a_row", "b_row", f"Spectrum, {name}", "coefficient")
    for i, name in enumerate(one["shown_map"].values)
  ]
  return draw.page(
    (first, *maps[1:3]),
    tuple(maps[3:]),
    tuple(spectra),
    _products(one, strongest),
    (_largest(found), _sizes(one)),
    heights=[2.8, 2.8, 2.8, 3.0, 3.4],
  )


def _basis(run: str, found: xr.Dataset) -> draw.Page:
  """Returns the Fourier basis of the modulus, that it is orthonormal, and some of its rows."""
  P = found.sizes["row"]
  basis_PxP = fourier.basis(P)
  error = numbers_lib.median(found["number"].sel(quantity="basis_error", network="trained").values)
  variables = {
    "basis": results.variable("row digit", basis_PxP, "entry of F"),
    "product": results.variable("row other_row", basis_PxP @ basis_PxP.T, "entry of F Fᵀ"),
  }
  made = results.dataset(variables, {name: found[name] for name in ("row", "other_row", "digit")})
  middle = P // 2 - SHOWN // 2
  return draw.page(
    (
      _signed(made, "basis", "row", "digit", f"{run}: Fourier basis F", "entry"),
      _signed(
        made,
        "product",
        "row",
        "other_row",
        f"F Fᵀ: at most {error:.1g} from the identity",
        "entry",
        limits=(-1, 1),
      ),
    ),
    (
      _rows(made, range(SHOWN), "The first rows of F"),
      _rows(made, range(middle, middle + SHOWN), "Rows in the middle of F"),
    ),
    heights=[3.4, 4.4],
  )


def _sorted(one: xr.Dataset) -> xr.Dataset:
  """Returns the waves of one network, its neurons by frequency, then by share."""
  share_QxF = one["share"].transpose("frequency", "neuron").values
  order_F = np.lexsort((-share_QxF.max(0), share_QxF.argmax(0)))
  place = results.variable("neuron", np.arange(len(order_F)), "neuron, sorted by frequency")
  return one.isel(neuron=order_F).assign_coords(neuron=place)


def _strongest(one: xr.Dataset) -> int:
  """Returns the key frequency with the largest norm in the readout."""
  norm_Q = one["readout_norm"].sel(network="trained").values
  return int(np.where(one["key"].values, norm_Q, 0).argmax())


def _norms(found: xr.Dataset, one: xr.Dataset, name: str, title: str) -> draw.Panel:
  """Returns norms by frequency, those of every network thin; keys may differ by network."""
  look = {"x": "frequency", "colour": "network", "thin": "seed", "names": draw.NETWORKS}
  lines = draw.curves(found.isel(frequency=slice(1, None)), name, style=LINE, title=title, **look)
  return draw.together(lines, _marks(one, one[name].sel(network="trained")))


LINE = {"marker": ""}
MANY = {"color": draw.GREY, "lw": 0.5, "alpha": 0.25}  # lines that are too many to tell apart
TRAINED = {"names": {None: "trained"}, "thin": "seed", "style": LINE}


def _cubes(found: xr.Dataset, one: xr.Dataset) -> draw.Panel:
  waves = found.isel(frequency=slice(1, None))
  look = {"title": "Logits and cosine cubes", "ylabel": "cosine"} | TRAINED
  lines = draw.curves(waves, "similarity", x="frequency", **look)
  return draw.together(lines, _marks(one, one["similarity"]))


def _marks(one: xr.Dataset, value: xr.DataArray) -> draw.Panel:
  """Returns circles at the key frequencies of one network, with their numbers where few."""
  key = one["frequency"].values[one["key"].values]
  value_K = value.values[one["key"].values]

  def mark(axes):
    label = f"key frequencies, seed {one['seed'].item()}"
    axes.plot(key, value_K, "o", ms=5, mfc="none", color=draw.ORANGE, label=label)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.15 * (high - low))
    if len(key) > FEW:
      return
    place = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "fontsize": 7.5}
    for k, at in zip(key, value_K, strict=True):
      axes.annotate(str(k), (k, at), color=draw.ORANGE, **place)

  return mark


def _interference(found: xr.Dataset) -> draw.Panel:
  look = {"title": "Mean of the keys' cosines", "ylabel": "mean cosine"} | TRAINED
  return draw.curves(found, "interference", x="distance", **look)


def _cosines(one: xr.Dataset) -> draw.Panel:
  """Returns the cosines of the key frequencies, and their mean, which is large at 0 alone."""
  key_K = one["frequency"].values[one["key"].values]
  distance_P = one["distance"].values
  title = f"Cosines of {len(key_K)} key frequencies cancel but at 0, seed {one['seed'].item()}"
  colours = draw.COLOURS[1:]
  colour_of = dict(zip(key_K, colours, strict=False)) if len(key_K) <= len(colours) else {}

  def lines(axes):
    for k in key_K:
      wave_P = np.cos(2 * np.pi * k * distance_P / len(distance_P))
      label = f"frequency {k}" if k in colour_of else None
      look = {"color": colour_of[k], "lw": 0.8} if colour_of else MANY
      axes.plot(distance_P, wave_P, label=label, **look)
    if not colour_of:
      axes.plot([], [], color=draw.GREY, lw=0.8, label="each key frequency")
    axes.plot(distance_P, one["interference"].values, color=draw.BLUE, lw=2.4, label="their mean")
    axes.axhline(0, color="black", lw=0.8)
    axes.set(title=title, xlabel=results.label(one["distance"]), ylabel="cosine")

  return lines


def _singular(found: xr.Dataset) -> draw.Panel:
  first = found.isel(component=slice(0, SINGULAR))
  text = {"x": "component", "thin": "seed", "title": "Singular values of E"}
  panels = [
    draw.curves(
      first.sel(matrix=name),
      "singular",
      names={None: name},
      style={"ms": 2.5, "color": colour},
      **text,
    )
    for name, colour in (("Gaussian", GAUSSIAN), ("embedding", draw.COLOUR_OF["trained"]))
  ]
  return draw.together(*panels)


def _gram(one: xr.Dataset) -> draw.Panel:
  """Returns the inner products of the rows of F E at the embedding's key frequencies."""
  row_R = np.flatnonzero(one["embedding_key"].values[row_frequency(one.sizes["row"])])
  if not row_R.size:
    return draw.empty("no key frequency")
  keys = one.isel(row=row_R, other_row=row_R)
  keys = keys.assign(gram=keys["gram"].assign_attrs(units="inner product"))
  look = {"centred": True, "written": ".1f", "most": 10, "tilted": True}
  title = "Key rows of F E: inner products"
  return draw.heat(keys, "gram", rows="row", columns="other_row", title=title, **look)


def _vectors(one: xr.Dataset, name: str, title: str, colour: str) -> draw.Panel:
  """Returns the first left singular vectors of a matrix, one below the other."""
  names = [str(number) for number in one["vector"].values]
  lines_RxP = one[name].transpose("vector", "digit").values
  return _stacked(lines_RxP, names, colour, title=title, xlabel="digit", ylabel="component")


def _rows(made: xr.Dataset, places: range, title: str) -> draw.Panel:
  """Returns some rows of the basis, one below the other."""
  its = made["basis"].isel(row=list(places))
  names = its["row"].values.tolist()
  return _stacked(its.values, names, draw.BLUE, title=title, xlabel="digit", ylabel="row of F")


def _stacked(line_RxP, names, colour: str, **text) -> draw.Panel:
  """Returns lines of one scale, one below the other, with their names."""
  step = 2.2 * float(np.abs(line_RxP).max())
  place_R = [-step * r for r in range(len(line_RxP))]

  def lines(axes):
    for place, line_P in zip(place_R, line_RxP, strict=True):
      axes.plot(line_P + place, color=colour, lw=0.9)
    axes.set_yticks(place_R, names)
    axes.set(**text)

  return lines


def _waves(one: xr.Dataset, name: str, title: str, ylabel: str) -> draw.Panel:
  """Returns the norms of the rows of sines and of cosines by frequency, beside each other."""
  value_P = one[name].values
  both_2xQ = np.stack([value_P[1::2], value_P[2::2]])
  frequency_Q = one["frequency"].values[1:]
  made = results.dataset(
    {"norm": results.variable("wave frequency", both_2xQ, "norm")},
    {
      "wave": ["sine", "cosine"],
      "frequency": results.variable("frequency", frequency_Q, "frequency"),
    },
  )
  look = {"x": "frequency", "colour": "wave", "title": title, "ylabel": ylabel}
  return draw.together(draw.bars(made, "norm", **look), _fewer(frequency_Q))


def _fewer(names) -> draw.Panel:
  """Returns what names few of many bars, lest the names touch."""
  step = -(-len(names) // 28)
  return lambda axes: axes.set_xticks(range(0, len(names), step), names[::step])


def _largest(found: xr.Dataset) -> draw.Panel:
  """Returns the largest share of every neuron's energy at one frequency, sorted."""
  share_SxF = found["share"].max("frequency").transpose("seed", "neuron").values
  falling_SxF = -np.sort(-share_SxF, axis=1)
  place_F = np.arange(share_SxF.shape[1])
  made = results.dataset(
    {"largest": results.variable("seed place", falling_SxF, "share of the neuron's energy")},
    {"place": results.variable("place", place_F, "neuron, by falling share")},
  )
  gaussian = found["number"].sel(quantity="gaussian_neuron_share", network="trained").values
  look = {"names": {None: "trained, median (thin: networks)"}, "thin": "seed", "style": LINE}
  title = "Each neuron's energy at its best frequency"
  return draw.together(
    draw.level(CLUSTER, f"belongs to a cluster above {CLUSTER:g}"),
    draw.level(numbers_lib.median(gaussian), "Gaussian map", color=draw.GREY, ls=":", lw=1.5),
    draw.curves(made, "largest", x="place", ylim=(0, 1.04), title=title, **look),
  )


def _sizes(one: xr.Dataset) -> draw.Panel:
  """Returns how many neurons work at each frequency of one network."""
  title = f"Neurons by the frequency they work at, seed {one['seed'].item()}"
  if not one["cluster_size"].values.any():
    return _none()
  bars = draw.bars(one[["cluster_size"]], "cluster_size", x="frequency", title=title)
  return draw.together(bars, _fewer(one["frequency"].values), _half)


def _half(axes) -> None:
  """Leaves every other tick out: of a panel that is half as wide as the page."""
  names = [tick.get_text() for tick in axes.get_xticklabels()]
  axes.set_xticks(axes.get_xticks()[::2], names[::2])


def _none() -> draw.Panel:
  return draw.empty(f"no neuron has more than {CLUSTER:g}\nof its energy at one frequency")


def _written(one: xr.Dataset) -> draw.Panel:
  """Returns what each cluster of neurons writes, by frequency."""
  if not one["cluster_readout"].values.any():
    return _none()
  return _map(one, "cluster_readout", "cluster", "frequency", "What clusters write", "norm")


def _map(
  one: xr.Dataset, name: str, rows: str, columns: str, title: str, bar: str, **look
) -> draw.Panel:
  """Returns a matrix as colours, with room for the ticks of three side by side.

  `bar` is what the colours mean.
  """
  one = one.assign({name: one[name].assign_attrs(units=bar)})
  panel = draw.heat(one, name, rows=rows, columns=columns, written="", title=title, **look)

  def fewer(axes):
    words = [tick.get_text() for tick in axes.get_xticklabels()]
    axes.set_xticks(axes.get_xticks()[::4], words[::4], fontsize=8)

  return draw.together(panel, fewer)


def _signed(
  one: xr.Dataset, name: str, rows: str, columns: str, title: str, bar: str, **look
) -> draw.Panel:
  return _map(one, name, rows, columns, title, bar, centred=True, **look)


def _loudest(one: xr.Dataset) -> tuple[draw.Panel, draw.Panel]:
  """Returns the stored neuron that varies most, and its energy by pair of frequencies."""
  number = int(np.var(one["activation"].values, axis=(1, 2)).argmax())
  neuron = one.isel(shown_neuron=number)
  energy_QxQ = _pairs_of_frequencies(neuron["activation"].values)
  energy_QxQ[0, 0] = 0  # the mean
  over = lambda name: results.variable(name, np.arange(len(energy_QxQ)), f"frequency of {name}")
  norm = results.variable("a b", np.sqrt(energy_QxQ), "norm")
  spectrum = results.dataset({"norm": norm}, {"a": over("a"), "b": over("b")})
  title = f"Neuron {number}, which varies most of the first {one.sizes['shown_neuron']}"
  return (
    _map(neuron, "activation", "a", "b", title, "activation"),
    _map(spectrum, "norm", "a", "b", f"Spectrum of neuron {number}", "norm"),
  )


def _pairs_of_frequencies(neuron_PxP) -> np.ndarray:
  """Returns the energy of a map by frequency of a and of b, odd P."""
  complex_PxP = np.fft.fft2(neuron_PxP, norm="ortho")
  energy_PxP = np.abs(complex_PxP) ** 2
  half = len(energy_PxP) // 2 + 1
  folded_QxP = energy_PxP[:half].copy()
  folded_QxP[1:] += energy_PxP[:0:-1][: half - 1]
  folded_QxQ = folded_QxP[:, :half].copy()
  folded_QxQ[:, 1:] += folded_QxP[:, :0:-1][:, : half - 1]
  return folded_QxQ


def _products(one: xr.Dataset, frequency: int) -> tuple[draw.Panel, ...]:
  """Returns the maps of one frequency that neurons are compared with."""
  P = one.sizes["a"]
  wave_P = np.cos(2 * np.pi * frequency * np.arange(P) / P)
  panels = []
  for other_P, words in ((wave_P, "cos a · cos b"), (np.ones(P), "cos a")):
    value = results.variable("a b", np.outer(wave_P, other_P), words)
    product = results.dataset({"product": value}, {name: one[name] for name in ("a", "b")})
    title = f"{words}, frequency {frequency}"
    panels.append(_signed(product, "product", "a", "b", title, "product"))
  return tuple(panels)


def _directions(one: xr.Dataset, frequency: int) -> draw.Panel:
  names = {"Fᵀ": "column of W_logit Fᵀ", "F, as published": "of W_logit F, as published"}
  look = {"x": "neuron", "colour": "basis", "names": names, "style": LINE | {"lw": 0.9}}
  title = f"Direction of neurons:\nsin of {frequency}"
  return draw.curves(one.sel(frequency=frequency), "direction", title=title, **look)


def tables(runs) -> list[tables_lib.Table]:
  """Returns the key frequencies of every network."""
  shown = program.main(runs)
  notes = {run: without_published_keys(found.sizes["frequency"]) for run, found in shown.items()}
  said = [f"{run}: {why}" for run, why in notes.items() if why]
  caption = (
    "Key frequencies of every network: norms in W_logit and in the embedding, neurons that work at"
    " the frequency, share of sin cos and cos sin in the input map of its direction, and the"
    " coefficient and the cosine of its cosine cube in the logits."
  )
  rows = tables_lib.by_run(shown, _keys)
  return [tables_lib.Table(" ".join([caption, *said]), rows, name="keys")]


def _keys(found: xr.Dataset):
  for s, k in np.argwhere(found["key"].transpose("seed", "frequency").values):
    one = found.isel(seed=s, frequency=k)
    row = lambda name, wave, one=one: one[name].sel(row=f"{wave} {one['frequency'].item()}").item()
    yield {
      "seed": one["seed"].item(),
      "frequency": one["frequency"].item(),
      "readout sine": row("readout_row", "sin"),
      "readout cosine": row("readout_row", "cos"),
      "embedding sine": row("embedding_row", "sin"),
      "embedding cosine": row("embedding_row", "cos"),
      "key of the embedding": one["embedding_key"].item(),
      "neurons": one["cluster_size"].item(),
      "input share": one["input_share"].item(),
      "coefficient": one["coefficient"].item(),
      "cosine": one["similarity"].item(),
    }


def line(runs) -> str:
  """Returns a sentence of how much of the logits is waves at the key frequencies."""
  said = []
  for run, found in runs.items():
    keys, left = program.numbers(found, "readout_keys", "residual")
    count, share = (np.nanmedian(number.value_S) for number in (keys, left))
    said.append(f"{run} {share:.2f} at {count:g} frequencies")
  return (
    "Share of the logits that cosines of a + b - c at the key frequencies leave, median over"
    f" networks: {'; '.join(said)}."
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
LEFT = 0.5  # of the logits' norm: cubes that leave less are most of the logits
MOST = 0.8  # of the neurons
SAME = 1e-3  # nats: losses this close are the same


def _found(results) -> xr.Dataset:
  return program.first(results, "fourier", of=program.MODULAR)


@CLAIMS.add(
  "modular.constants",
  "The key frequencies are {}, {}, {} and {}.".format(*PUBLISHED_KEYS),
  reported=f"constants of the notebook; its stored run has {', '.join(map(str, PUBLISHED_PEAKS))}",
  source=f"{program.MODULAR_SOURCE} (B16, B24)",
)
def constants(results):
  """Returns the verdict on the published frequencies, on a network trained here."""
  found = _found(results)
  residual, loss, own = program.numbers(
    found, "residual_as_published", "fitted_nll_as_published", "residual"
  )
  guess = np.log(int(program.networks(found).split()[-1]))  # modulo so many
  because = (
    f"in {program.networks(found)}, cosine cubes at {CONSTANTS} leave a share of {residual} of the"
    f" logits' norm (below {LEFT:g} is wanted) and have a loss in nats of {loss}, where a guess has"
    f" {guess:.2f}; those at the frequencies found in the network leave {own}"
  )
  holds = bool((residual.value_S < LEFT).all())
  if not holds:
    because += ": key frequencies differ from run to run and must be found"
  values = program.behind(residual=residual, loss_nats=loss, own=own)
  return program.verdict(program.held(holds), because, values)


@CLAIMS.add(
  "modular.clusters",
  "Most neurons work at one frequency each.",
  reported=f"{PUBLISHED['clustered'].source} neurons: frac above {CLUSTER:g}; members of the stored"
  f" cluster {PUBLISHED['cluster_median'].source.partition(' (')[0]}",
  source=f"{program.MODULAR_SOURCE} (B14, B15)",
)
def clusters(results):
  """Returns the verdict on neurons at one frequency each."""
  found = _found(results)
  share, median, null = program.numbers(found, "clustered", "share_median", "gaussian_neuron_share")
  because = (
    f"in {program.networks(found)}, the share of neurons with more than {CLUSTER:g} of their energy"
    f" at one frequency is {share}, where above {MOST:g} is wanted; the median neuron has"
    f" {median} of its energy at its best frequency, a map of Gaussian noise {null.middle}"
  )
  holds = bool((share.value_S > MOST).all())
  values = program.behind(clustered=share, median=median, gaussian=null)
  return program.verdict(program.held(holds), because, values)


@CLAIMS.add(
  "modular.cubes",
  "The logits are a sum of cos(w (a + b - c)) over few key frequencies.",
  reported="expected: a small residual and a comparable loss",
  source=f"{program.MODULAR_SOURCE} (B24)",
)
def cubes(results):
  """Returns the verdict on logits as a sum of cosine cubes at few frequencies."""
  found = _found(results)
  keys, residual, loss, full, random, held_out = program.numbers(
    found,
    "readout_keys",
    "residual",
    "fitted_nll",
    "all_nll",
    "random_cube",
    "restricted_heldout",
  )
  because = (
    f"in {program.networks(found)}, cosine cubes at {keys} key frequencies leave a share of"
    f" {residual} of the logits' norm (below {LEFT:g} is wanted); alone they have a loss in nats of"
    f" {loss}, the network {full} (at most {SAME:g} more is wanted); a cube of random numbers has a"
    f" cosine of {random} with the logits. Cubes are fitted to train pairs too, but waves of test"
    f" pairs alone give a restricted loss in nats of {held_out}"
  )
  holds = bool(((residual.value_S < LEFT) & (loss.value_S < full.value_S + SAME)).all())
  values = program.behind(keys=keys, residual=residual, fitted_nll=loss, all_nll=full)
  return program.verdict(program.held(holds), because, values)
