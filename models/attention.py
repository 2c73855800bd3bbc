"""Attention: masks, positions, the explicit pattern and the fused product."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

_MASKS = ("causal", "full", "leaky_as_published", "memory_blind")


def table(kind: str, length: int, slots: int = 0) -> np.ndarray:
  """Returns which key (column) each query (row) may read, TxT bool.

  `causal`: keys up to the query itself; `full`: all keys. Two masks have
  `slots` memory positions in front of causal data: in `leaky_as_published`
  memory reads the whole row, future included, and so leaks it to the data; in
  `memory_blind` memory reads memory only. Raises `ValueError` otherwise.
  """
  if kind not in _MASKS:
    raise ValueError(f"mask {kind!r} is not one of {', '.join(_MASKS)}.")
  if kind == "full":
    return np.ones((length, length), bool)
  causal = np.tril(np.ones((length, length), bool))
  if kind == "leaky_as_published":
    causal[:slots] = True
  elif kind == "memory_blind":
    causal[:slots, :slots] = True
  return causal


def sinusoids(length: int, width: int) -> np.ndarray:
  """Returns the sinusoidal position table TxD, float32.

  Columns 2i and 2i+1 are sin and cos of t / 10000^(2i/D). Source: Vaswani et
  al. (2017). Raises `ValueError` for an odd width.
  """
  if width % 2:
    raise ValueError(f"width={width} must be even for sinusoidal positions.")
  rate = 10000.0 ** (-np.arange(0, width, 2) / width)
  angle = np.arange(length)[:, None] * rate[None]
  waves = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
  return waves.reshape(length, width).astype(np.float32)


def rotary(x_BxTxHxDh, *, start=0, stop=None, width=None, theta=10000.0):
  """Returns queries or keys turned by their position, pair by pair.

  The pair (2i, 2i+1) of the first `width` numbers of a head (all, if None)
  turns by angle p theta^(-2i/width). Position p counts from 0 at `start`;
  positions outside [start, stop) stay as they are. Computed in float32.
  Source: Su et al. (2021). Raises `ValueError` for an odd width.
  """
  length, head_width = x_BxTxHxDh.shape[1], x_BxTxHxDh.shape[-1]
  width = head_width if width is None else width
  if width % 2 or not 0 < width <= head_width:
    raise ValueError(
      f"width={width} must be even and within 2..{head_width} to rotate."
    )
  position_T = np.arange(length) - start
  inside_T = (position_T >= 0) & (np.arange(length) < (stop or length))
  position_T = np.where(inside_T, position_T, 0)
  rate = theta ** (-np.arange(0, width, 2) / width)
  angle = (position_T[:, None] * rate[None]).astype(np.float32)[None, :, None]
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  turned = x_BxTxHxDh[..., :width].astype(jnp.float32)
  even, odd = turned[..., 0::2], turned[..., 1::2]
  pairs = [even * cos - odd * sin, even * sin + odd * cos]
  turned = jnp.stack(pairs, axis=-1).reshape(*x_BxTxHxDh.shape[:-1], width)
  rest = x_BxTxHxDh[..., width:]
  return jnp.concatenate([turned.astype(rest.dtype), rest], axis=-1)


def scores(q_BxTxHxDh, k_BxTxHxDh):
  """Returns the attention scores q.k / sqrt(Dh), BxHxTxT."""
  q_BxTxHxDh = q_BxTxHxDh * q_BxTxHxDh.shape[-1] ** -0.5
  return jnp.einsum("bqhd,bkhd->bhqk", q_BxTxHxDh, k_BxTxHxDh)


def pattern(scores_BxHxTxT, mask_BxTxT=None):
  """Returns the softmax of the scores over the keys a query may read.

  Computed in float32; a query that may read nothing has a row of zeros.
  """
  s = scores_BxHxTxT.astype(jnp.float32)
  if mask_BxTxT is None:
    return jax.nn.softmax(s, axis=-1).astype(scores_BxHxTxT.dtype)
  mask = mask_BxTxT[:, None]
  s = jnp.where(mask, s, jnp.finfo(jnp.float32).min)
  p = jnp.where(mask, jax.nn.softmax(s, axis=-1), 0.0)
  return p.astype(scores_BxHxTxT.dtype)


def weighted(pattern_BxHxTxT, v_BxTxHxDh):
  """Returns the values averaged by the pattern, BxTxHxDh."""
  return jnp.einsum("bhqk,bkhd->bqhd", pattern_BxHxTxT, v_BxTxHxDh)


def _combined(mask, length, mask_BxTxT):
  """Returns both masks as one broadcastable BxTxT, or None."""
  if mask == "full":
    return mask_BxTxT
  causal = table(mask, length)[None]
  return causal if mask_BxTxT is None else causal & mask_BxTxT


def attend(
  q_BxTxHxDh,
  k_BxTxHxDh,
  v_BxTxHxDh,
  *,
  mask: Literal["causal", "full"] = "causal",
  mask_BxTxT=None,
  implementation: Literal["auto", "blocks", "xla", "cudnn"] = "auto",
):
  """Returns softmax(q.k / sqrt(Dh)) v under the mask, BxTxHxDh."""
  if mask not in ("causal", "full"):
    raise ValueError(f"mask {mask!r} is not one of causal, full.")
  combined = _combined(mask, q_BxTxHxDh.shape[1], mask_BxTxT)
  p = pattern(scores(q_BxTxHxDh, k_BxTxHxDh), combined)
  return weighted(p, v_BxTxHxDh)
