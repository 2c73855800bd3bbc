"""The linear autoregressive skip: a bank of filters beside the transformer.

`kernel` JxQxQ holds J filters; row q - 1 of one is its order-q filter, most
recent lag first. The transformer sees how each has erred and weighs them.
"""

import jax
import jax.numpy as jnp
from primelens.models import mixture as mixture_lib


def matrix(kernel_QxQ, window: int):
  """Returns the TxT matrix of the autoregressive skip.

  Row t holds the filter of order min(t + 1, Q) over s_t, s_{t-1}, ...: early
  positions use the short filters, so none reaches beyond the window's edge.
  """
  order = kernel_QxQ.shape[0]
  t_T = jnp.arange(window)
  lag_TxT = t_T[:, None] - t_T[None, :]
  row_TxT = jnp.broadcast_to(jnp.minimum(t_T, order - 1)[:, None], lag_TxT.shape)
  taps_TxT = kernel_QxQ[row_TxT, jnp.clip(lag_TxT, 0, order - 1)]
  inside_TxT = (lag_TxT >= 0) & (lag_TxT <= row_TxT)
  return jnp.where(inside_TxT, taps_TxT, 0.0)


def predictions(kernel_JxQxQ, x_BxT):
  """Returns what each filter of the skip expects of the next s - 1, BxTxJ."""
  each = jax.vmap(lambda kernel_QxQ: matrix(kernel_QxQ, x_BxT.shape[1]))
  filters_JxTxT = each(kernel_JxQxQ)
  # Default precision is 10 or 8 bits on GPU and TPU, and the taps cancel.
  highest = jax.lax.Precision.HIGHEST
  return jnp.einsum("bu,jtu->btj", x_BxT - 1.0, filters_JxTxT, precision=highest)


def inputs(x_BxT, guess_BxTxJ):
  """Returns what a data token is told: its spacing, and how each filter erred.

  The error of filter j at t is s_t - 1 - (its prediction made at t - 1).
  """
  if guess_BxTxJ is None:
    return x_BxT[..., None]
  before_BxTxJ = jnp.pad(guess_BxTxJ[:, :-1], ((0, 0), (1, 0), (0, 0)))
  error_BxTxJ = x_BxT[..., None] - 1.0 - before_BxTxJ
  return jnp.concatenate([x_BxT[..., None], error_BxTxJ], axis=-1)


def gated(raw_BxUxE, guess_BxUxJ, scale_BxUx1) -> mixture_lib.Mixture:
  """Returns mixtures around guesses of the next s - 1, weighed by a network.

  Raw numbers are J gates and 3 K of a mixture: mean_k = 1 + sum_j g_j guess_j +
  scale m_k, scale_k = scale sigma_k, with g the last guess alone at raw = 0.
  """
  guesses = guess_BxUxJ.shape[-1]
  gate_BxUxJ, raw = jnp.split(raw_BxUxE, [guesses], axis=-1)
  last_J = jnp.arange(guesses) == guesses - 1
  gate_BxUxJ = gate_BxUxJ + last_J[None, None]
  centre_BxUx1 = 1.0 + jnp.sum(gate_BxUxJ * guess_BxUxJ, -1, keepdims=True)
  unit = mixture_lib.from_raw(raw, mean="raw", unit_scale=True)
  return mixture_lib.Mixture(
    unit.log_weight, centre_BxUx1 + scale_BxUx1 * unit.mean, scale_BxUx1 * unit.scale
  )
