"""Small predictors that a transformer can be distilled into.

Both read spacings s_1..s_T and give a Gaussian mixture for the next one at
every position, as `spacing` does: an MLP on the last lags, and a causal
Toeplitz filter with one fixed shape of the error.
"""

from typing import Any

import jax
import jax.numpy as jnp
from primelens.models import mixture as mixture_lib
from primelens.models import transformer


def lags(x_BxT, count: int):
  """Returns s - 1 of the last `count` spacings at each position, BxTxQ.

  The newest comes first; before the window's edge stands the mean, 0.
  """
  length = x_BxT.shape[1]
  padded = jnp.pad(x_BxT - 1.0, ((0, 0), (count - 1, 0)))
  ends = range(count - 1, -1, -1)
  return jnp.stack([padded[:, end : end + length] for end in ends], axis=-1)


def mlp_init(key, *, inputs: int, hidden: int, components: int) -> dict:
  """Returns fresh parameters: He's normal weights inside, a small head."""
  key_hidden, key_head = jax.random.split(key)
  normal = lambda key, shape, std: std * jax.random.normal(key, shape)
  return {
    "hidden": {
      "kernel": normal(key_hidden, (inputs, hidden), (2 / inputs) ** 0.5),
      "bias": jnp.zeros(hidden),
    },
    "head": {
      "kernel": normal(key_head, (hidden, 3 * components), 0.02),
      "bias": _head_bias(components),
    },
  }


def mlp(params: Any, x_BxT, **_):
  """Returns the mixtures BxTxK of two affine maps around a GELU, and no
  activations; means are 1 plus what the head says."""
  hidden, head = params["hidden"], params["head"]
  lag_BxTxQ = lags(x_BxT, hidden["kernel"].shape[0])
  state = transformer.gelu(lag_BxTxQ @ hidden["kernel"] + _wide(hidden["bias"]))
  raw = state @ head["kernel"] + _wide(head["bias"])
  return _around(mixture_lib.from_raw(raw, mean="raw"), 1.0), {}


def toeplitz_init(key, *, taps: int, components: int) -> dict:
  """Returns fresh parameters: no taps, and the components spread a little."""
  bias = _head_bias(components)
  spread = 0.02 * jax.random.normal(key, bias.shape)
  return {"filter": {"kernel": jnp.zeros(taps)}, "head": {"bias": bias + spread}}


def toeplitz(params: Any, x_BxT, **_):
  """Returns the mixtures BxTxK of a linear filter, and no activations.

  mean_k = 1 + sum_q h_q (s_{t-q+1} - 1) + m_k; the weights, the m_k and the
  scales are the same everywhere.
  """
  kernel_Q = params["filter"]["kernel"]
  guess_BxT = jnp.einsum("btq,q->bt", lags(x_BxT, len(kernel_Q)), kernel_Q)
  raw = params["head"]["bias"]
  raw = jnp.broadcast_to(_wide(raw), (*x_BxT.shape, len(raw)))
  shape = mixture_lib.from_raw(raw, mean="raw")
  return _around(shape, 1.0 + guess_BxT[..., None]), {}


def _head_bias(components: int):
  """Returns raw numbers of equal weights, means 0 and scales near 0.4, the
  standard deviation of the zeros' spacings."""
  scale = jnp.log(jnp.expm1(0.4))
  return jnp.zeros(3 * components).at[2 * components :].set(scale)


def _wide(bias):
  return bias[None, None]


def _around(mixture: mixture_lib.Mixture, centre) -> mixture_lib.Mixture:
  return mixture._replace(mean=mixture.mean + centre)
