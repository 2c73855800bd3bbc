"""Everything the analyses read of one member: activations at "=", weights.

Arrays are named as in the addition spec, section 0: r_mid is `mid_NxD`, z
`pre_NxF`, h `post_NxF`, W_L `readout_VxF`, E `embedding_PxD`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from primelens.models import tokens

_SITES = ("residual/mid", "mlp/pre", "mlp/post", "attention/pattern")


class Network(NamedTuple):
  """One member on all pairs, a-major, at the last position.

  The pattern is what each head gives to a, b and "=". The logits are those of
  `mid` and `post`: mid W_U + post W_L^T + b_out W_U, which an edit may have
  changed. `bias_V` is b_out W_U, what the MLP's output adds to every input's
  logits; the published network has no biases, and it is 0.
  """

  embedding_PxD: jax.Array
  readout_VxF: jax.Array
  unembed_DxV: jax.Array
  bias_V: jax.Array
  mid_NxD: jax.Array
  pre_NxF: jax.Array
  post_NxF: jax.Array
  logit_NxV: jax.Array
  pattern_NxHxT: jax.Array


def read(model: tokens.Config, params, token_Nx3, edits=None) -> Network:
  """Returns a member on the given inputs, with edits of named sites.

  Raises `ValueError` for an unknown site or a network of several layers.
  """
  if model.trunk.layers != 1:
    raise ValueError(f"This analysis reads one layer; model.trunk.layers={model.trunk.layers}.")
  logit_NxV, site = tokens.apply(model, params, token_Nx3, edits=edits, sites=_SITES)
  last = {name: value[0][:, ..., -1, :] for name, value in site.items()}
  down = jax.tree.map(lambda leaf: leaf[0], params["blocks"]["mlp"]["down"])
  unembed_DxV = params["unembed"]["kernel"]
  bias_1xD = down.get("bias", jnp.zeros_like(unembed_DxV[:, 0]))[None]
  return Network(
    embedding_PxD=params["embedding"]["embedding"][:-1],
    readout_VxF=exact(down["kernel"], unembed_DxV).T,
    unembed_DxV=unembed_DxV,
    bias_V=exact(bias_1xD, unembed_DxV)[0],
    mid_NxD=last["residual/mid"],
    pre_NxF=last["mlp/pre"],
    post_NxF=last["mlp/post"],
    logit_NxV=logit_NxV,
    pattern_NxHxT=last["attention/pattern"],
  )


def exact(a, b) -> jax.Array:
  """Returns the matrix product in full float32 on every device."""
  return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def readout(network: Network, post_NxF, *, skip: bool = True) -> jax.Array:
  """Returns the logits NxV that MLP activations give, with or without the
  direct path: post W_L^T + b_out W_U, and r_mid W_U."""
  logit_NxV = exact(post_NxF, network.readout_VxF.T) + network.bias_V[None]
  return logit_NxV + direct(network) if skip else logit_NxV


def direct(network: Network) -> jax.Array:
  """Returns the logits NxV of the direct path alone, r_mid W_U."""
  return exact(network.mid_NxD, network.unembed_DxV)


def accuracy(logit_NxV, label_N) -> jax.Array:
  """Returns the share of rows whose largest logit is the label's."""
  return jnp.mean(jnp.argmax(logit_NxV, axis=-1) == label_N)


def nll(logit_NxV, label_N) -> jax.Array:
  """Returns the mean cross-entropy in nats, exact down to 1e-30."""
  return jnp.mean(tokens.margin_nll(logit_NxV, label_N))


class Member(NamedTuple):
  """A member's labels and the rows of its splits."""

  label_N: jax.Array
  train_N: jax.Array
  test_N: jax.Array


def members(pairs) -> Member:
  """Returns all members' labels and splits, a leading S on each."""
  return Member(*map(jnp.asarray, (pairs.label_SxN, pairs.train_SxN, pairs.test_SxN)))


def over_members(measure, run, params_S=None):
  """Returns `measure(model, params, member, token_Nx3)` of every member.

  A pytree of numpy arrays with a leading S, from one program, vmapped over
  `member_batch` members at a time, which bounds the memory. `params_S` are by
  default the run's own; `run.untrained_S()` gives the untrained null.
  """
  params_S = run.params_S if params_S is None else params_S
  model, device = run.experiment.model, jax.devices()[0]

  @jax.jit
  def population(params_S, member_S, token_Nx3):
    each = lambda one: measure(model, *one, token_Nx3)
    size = run.settings.member_batch
    return jax.lax.map(each, (params_S, member_S), batch_size=size)

  data = (params_S, members(run.pairs), jnp.asarray(run.pairs.token_Nx3))
  # On one device: decompositions are not partitioned, and gathering their
  # operands from within a program can lock CPU devices up.
  return jax.device_get(population(*jax.device_put(data, device)))
