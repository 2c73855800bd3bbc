"""The one-layer network on [a, b, =], by tables instead of by sequence.

At "=" the query is one vector, so a head's score depends on a alone at the
first position, on b alone at the second, and is constant at the third
(docs/sources/addition.md, section 2). With e = exp(score), v the value and E = 2P + 1
keys (a, then b, then "="):

  head(a, b) = (e_a v_a + e_b v_b + e_= v_=) / (e_a + e_b + e_=)
  z(a, b) = x_= W_in + sum_h head_h(a, b) W_O,h W_in

which needs 2P + 1 keys in place of 3 P^2. Equal to the generic forward pass
to rounding while a head's scores span less than 80 (trained networks: below
10); only for a trunk that `supports` accepts.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import transformer

_SPAN = 80.0  # e^-80 is still a normal float32: no mass is 0
_EXACT = jax.lax.Precision.HIGHEST  # losses go down to 1e-8


class Keys(NamedTuple):
  """What "=" attends to: e^score and value of every key, and x at "="."""

  weight_ExH: jax.Array
  value_ExHxDh: jax.Array
  query_D: jax.Array


def supports(trunk: transformer.Config) -> bool:
  """Returns whether the tables describe this trunk."""
  return (
    trunk.layers == 1
    and (trunk.norm, trunk.final_norm, trunk.bias) == ("none", False, False)
    and (trunk.positions, trunk.mask) == ("learned", "causal")
    and (trunk.activation, trunk.dtype) == ("relu", "float32")
    and not (trunk.dropout or trunk.embed_dropout)
  )


def one_hot(pair_Nx2, digits: int) -> jax.Array:
  """Returns the keys of every pair, NxE: ones at a, P + b and 2P."""
  a_NxP, b_NxP = (jax.nn.one_hot(pair_Nx2[:, i], digits, dtype=jnp.float32) for i in (0, 1))
  equal_Nx1 = jnp.ones((len(pair_Nx2), 1), jnp.float32)
  return jnp.concatenate([a_NxP, b_NxP, equal_Nx1], axis=1)


def _layer(params) -> dict:
  """Returns the only block's kernels, without the layer axis."""
  return jax.tree.map(lambda leaf: leaf[0], params["blocks"])


def _matrix(kernel) -> jax.Array:
  """Returns DxHxDh as DxHDh: one product is faster than one per head."""
  return kernel.reshape(kernel.shape[0], -1)


def keys(params) -> Keys:
  """Returns scores and values of all 2P + 1 keys.

  Scores are counted from the head's largest, so that none overflows.
  """
  attention = _layer(params)["attention"]
  query, key, value = (attention[name]["kernel"] for name in ("query", "key", "value"))
  _, heads, head_width = key.shape
  token_VxD = params["embedding"]["embedding"]
  place_TxD = params["positions"]["embedding"]
  x_ExD = jnp.concatenate(
    [
      token_VxD[:-1] + place_TxD[:1],
      token_VxD[:-1] + place_TxD[1:2],
      token_VxD[-1:] + place_TxD[2:3],
    ]
  )
  project = lambda x, kernel: jnp.matmul(x, _matrix(kernel), precision=_EXACT)
  product_ExHDh = project(x_ExD, key) * project(x_ExD[-1:], query)
  score_ExH = product_ExHDh.reshape(-1, heads, head_width).sum(-1)
  score_ExH = score_ExH / np.sqrt(head_width)
  highest_H = jax.lax.stop_gradient(score_ExH.max(axis=0))
  value_ExHxDh = project(x_ExD, value).reshape(-1, heads, head_width)
  span_ExH = jnp.maximum(score_ExH - highest_H[None], -_SPAN)
  return Keys(jnp.exp(span_ExH), value_ExHxDh, x_ExD[-1])


def residual(params, hot_NxE) -> jax.Array:
  """Returns the residual stream at "=" before the MLP, NxD."""
  table = keys(params)
  _, heads, width = table.value_ExHxDh.shape
  weighted_ExHxDh = table.weight_ExH[..., None] * table.value_ExHxDh
  both_ExG = jnp.concatenate([_matrix(weighted_ExHxDh), table.weight_ExH], axis=1)
  both_NxG = jnp.matmul(hot_NxE, both_ExG, precision=_EXACT)
  sum_NxHDh, mass_NxH = jnp.split(both_NxG, [heads * width], axis=1)
  head_NxHxDh = sum_NxHDh.reshape(-1, heads, width) / mass_NxH[..., None]
  out_HDhxD = _layer(params)["attention"]["out"]["kernel"].reshape(heads * width, -1)
  mixed_NxD = jnp.matmul(_matrix(head_NxHxDh), out_HDhxD, precision=_EXACT)
  return table.query_D[None] + mixed_NxD


def _readouts(params) -> tuple[jax.Array, jax.Array]:
  """Returns [W_in, W_U] as Dx(F+C), and (W_out W_U)^T as VxF.

  The transpose is what both passes multiply by without copying it.
  """
  mlp, kernel_DxV = _layer(params)["mlp"], params["unembed"]["kernel"]
  both = jnp.concatenate([mlp["up"]["kernel"], kernel_DxV], axis=1)
  logit_VxF = jnp.einsum("fd,dc->cf", mlp["down"]["kernel"], kernel_DxV, precision=_EXACT)
  return both, logit_VxF


def _logits(pre_NxG, logit_VxF) -> jax.Array:
  """Returns skip + relu(z) W_L^T, from z and skip side by side."""
  z_NxF, skip_NxV = jnp.split(pre_NxG, [logit_VxF.shape[1]], axis=1)
  direct = jnp.einsum("nf,cf->nc", jax.nn.relu(z_NxF), logit_VxF, precision=_EXACT)
  return skip_NxV + direct


def logits(params, hot_NxE) -> jax.Array:
  """Returns the logits NxV of chosen pairs, cheap to differentiate."""
  both_DxG, logit_VxF = _readouts(params)
  pre_NxG = jnp.matmul(residual(params, hot_NxE), both_DxG, precision=_EXACT)
  return _logits(pre_NxG, logit_VxF)


def _grid(params, both_DxG) -> jax.Array:
  """Returns the residual times a matrix for all pairs, PxPxG.

  Every key is multiplied once, and pairs only add.
  """
  table = keys(params)
  out_HxDhxD = _layer(params)["attention"]["out"]["kernel"]
  key_ExHxG = jnp.einsum(
    "ehk,hkd,dg->ehg",
    table.weight_ExH[..., None] * table.value_ExHxDh,
    out_HxDhxD,
    both_DxG,
    precision=_EXACT,
    optimize=[(0, 1), (0, 1)],
  )
  digits = (len(table.weight_ExH) - 1) // 2
  a, b, equal = slice(digits), slice(digits, 2 * digits), -1
  e_ExH = table.weight_ExH
  mass_PxPxH = e_ExH[a][:, None] + (e_ExH[b] + e_ExH[equal][None])[None]
  share_PxPxH = 1 / mass_PxPxH
  start_G = jnp.matmul(table.query_D, both_DxG, precision=_EXACT)
  total_PxPxG = start_G[None, None]
  for head in range(e_ExH.shape[1]):  # one fused pass over the pairs
    key_ExG = key_ExHxG[:, head]
    b_PxG = key_ExG[b] + key_ExG[equal][None]
    total_PxPxG = total_PxPxG + share_PxPxH[:, :, head, None] * (key_ExG[a][:, None] + b_PxG[None])
  return total_PxPxG


def all_logits(params, row_N=None) -> jax.Array:
  """Returns the logits of all pairs a-major, or of rows a P + b: NxV.

  Half the cost of `logits` where no gradient is wanted.
  """
  both_DxG, logit_VxF = _readouts(params)
  pre_PxPxG = _grid(params, both_DxG)
  pre_NxG = pre_PxPxG.reshape(-1, pre_PxPxG.shape[-1])
  return _logits(pre_NxG if row_N is None else pre_NxG[row_N], logit_VxF)
