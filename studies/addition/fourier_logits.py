"""Logits as cosine cubes; restricted and excluded losses, once each.

Items B24, B27 and B29 of the addition spec; over training: `progress`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import fourier
from primelens.studies.addition import effects, network

PUBLISHED_KEYS = (17, 25, 32, 47)  # the source's constants
# What is measured with all four of them, and left out where a modulus lacks one.
WITH_PUBLISHED_KEYS = (
  "interference_as_published",
  "restricted_shifted_as_published",
  "excluded_skip_as_published",
  "residual_as_published",
  "fitted_nll_as_published",
)


def published_keys(frequencies: int) -> np.ndarray:
  """Returns the mask of the source's constants among the frequencies, of those
  that there are."""
  return np.isin(np.arange(frequencies), PUBLISHED_KEYS)


def without_published_keys(frequencies: int) -> str:
  """Returns why rows of the source's constants are left out, or ""."""
  if frequencies > max(PUBLISHED_KEYS):
    return ""
  constants = ", ".join(map(str, PUBLISHED_KEYS))
  return (
    f"Rows of the source's frequencies {constants} are left out: this modulus has none"
    f" above {frequencies - 1}."
  )


def restricted(read: network.Network, mask_Q, *, skip=False, like=None):
  """Returns the logits of the masked waves in a + b alone (B27).

  `skip` adds the direct path, which the source leaves out; `like` (logits)
  shifts every class to its mean there, as the source does over checkpoints
  and not in its one-off version.
  """
  kept_NxF = fourier.keep_sum_waves(read.post_NxF, mask_Q)
  logit_NxV = network.readout(read, kept_NxF, skip=skip)
  return logit_NxV if like is None else effects.shifted(logit_NxV, like)


def excluded(read: network.Network, mask_Q, *, skip=True):
  """Returns the logits without the masked waves in a + b (B29).

  The source's one-off version has no `skip`, that over checkpoints has it.
  """
  without_NxF = fourier.remove_sum_waves(read.post_NxF, mask_Q)
  return network.readout(read, without_NxF, skip=skip)


def seen_on(post_NxF, row_N):
  """Returns the activations averaged over the given rows of equal sum, NxF.

  A sum without such a row gets zeros.
  """
  P = int(len(post_NxF) ** 0.5)
  sum_N = np.add.outer(np.arange(P), np.arange(P)).ravel() % P
  sum_R = jnp.asarray(sum_N)[row_N]
  total_PxF = jnp.zeros((P, post_NxF.shape[1])).at[sum_R].add(post_NxF[row_N])
  count_P = jnp.zeros(P).at[sum_R].add(1)
  return (total_PxF / jnp.maximum(count_P, 1)[:, None])[sum_N]


def restricted_heldout(read: network.Network, member, mask_Q):
  """Returns the restricted loss of waves that only test pairs make.

  The published waves are averages over all inputs, train pairs among them:
  those of a network that knows its train pairs alone tell the right class too.
  """
  test_N = member.test_N
  seen = read._replace(post_NxF=seen_on(read.post_NxF, test_N))
  logit_NxV = effects.shifted(restricted(seen, mask_Q)[test_N], read.logit_NxV[test_N])
  return network.nll(logit_NxV, member.label_N[test_N])


def losses(read: network.Network, member, mask_Q) -> dict:
  """Returns restricted test losses and excluded train losses, every way."""
  at = lambda logit_NxV, row_N: network.nll(logit_NxV[row_N], member.label_N[row_N])
  keep = lambda **how: at(restricted(read, mask_Q, **how), member.test_N)
  drop = lambda skip: at(excluded(read, mask_Q, skip=skip), member.train_N)
  return {
    "restricted": keep(),
    "restricted_shifted": keep(like=read.logit_NxV),
    "restricted_skip": keep(skip=True),
    "restricted_heldout": restricted_heldout(read, member, mask_Q),
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


def cubes(read: network.Network, member, key_Q, key) -> dict:
  """Returns the logits against every cosine cube, and what those of the key
  frequencies leave and are worth (B24).

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
