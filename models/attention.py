"""Attention: masks, positions, the explicit pattern and the fast product.

Masks are True where a query (row) may read a key (column).
"""

import functools
import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

BLOCK = 64  # queries that meet their keys at once on a CPU
LOSS_SCALE = 65536.0  # lest half precision lose the gradients
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


def allowed(mask: str, length: int, mask_BxTxT=None):
  """Returns which keys each query may read under both masks, None where it may read all."""
  if mask != "causal":
    return mask_BxTxT
  causal = table("causal", length)[None]
  return causal if mask_BxTxT is None else causal & mask_BxTxT


def rates(width: int, theta: float = 10000.0) -> np.ndarray:
  """Returns the angular rates theta^(-2i / width) of pairs of numbers."""
  return theta ** (-np.arange(0, width, 2) / width)


def sinusoids(length: int, width: int) -> np.ndarray:
  """Returns the sinusoidal position table TxD, float32.

  Columns 2i and 2i+1 are sin and cos of t / 10000^(2i/D). Source: Vaswani et
  al. (2017). Raises `ValueError` for an odd width.
  """
  if width % 2:
    raise ValueError(f"width={width} must be even for sinusoidal positions.")
  angle = np.arange(length)[:, None] * rates(width)[None]
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
    raise ValueError(f"width={width} must be even and within 2..{head_width} to rotate.")
  position_T = np.arange(length) - start
  inside_T = (position_T >= 0) & (np.arange(length) < (stop or length))
  position_T = np.where(inside_T, position_T, 0)
  angle = (position_T[:, None] * rates(width, theta)[None]).astype(np.float32)[None, :, None]
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  turned = x_BxTxHxDh[..., :width].astype(jnp.float32)
  even, odd = turned[..., 0::2], turned[..., 1::2]
  pairs = [even * cos - odd * sin, even * sin + odd * cos]
  turned = jnp.stack(pairs, axis=-1).reshape(*x_BxTxHxDh.shape[:-1], width)
  rest = x_BxTxHxDh[..., width:]
  return jnp.concatenate([turned.astype(rest.dtype), rest], axis=-1)


def _wide(dtype):
  """Returns the dtype of scores and softmax: at least float32."""
  return jnp.promote_types(dtype, jnp.float32)


def scores(q_BxTxHxDh, k_BxTxHxDh):
  """Returns the attention scores q.k / sqrt(Dh), BxHxTxT, at least float32."""
  q_BxTxHxDh = q_BxTxHxDh * q_BxTxHxDh.shape[-1] ** -0.5
  return jnp.einsum(
    "bqhd,bkhd->bhqk", q_BxTxHxDh, k_BxTxHxDh, preferred_element_type=_wide(q_BxTxHxDh.dtype)
  )


def _softmax(scores, allowed, axis: int):
  """Returns the softmax over `axis`, 0 where not allowed (None: all are)."""
  scores = scores.astype(_wide(scores.dtype))
  if allowed is None:
    return jax.nn.softmax(scores, axis=axis)
  scores = jnp.where(allowed, scores, jnp.finfo(scores.dtype).min)
  top = jax.lax.stop_gradient(jnp.max(scores, axis=axis, keepdims=True))
  powers = jnp.where(allowed, jnp.exp(scores - top), 0.0)
  total = jnp.sum(powers, axis=axis, keepdims=True)
  return powers / jnp.where(total == 0, 1.0, total)  # 0: a query with no key


def pattern(scores_BxHxTxT, mask_BxTxT=None):
  """Returns the softmax of the scores over the keys a query may read.

  At least float32; a query that may read nothing has a row of zeros.
  """
  allowed = None if mask_BxTxT is None else mask_BxTxT[:, None]
  return _softmax(scores_BxHxTxT, allowed, axis=-1)


def weighted(pattern_BxHxTxT, v_BxTxHxDh):
  """Returns the values averaged by the pattern, BxTxHxDh."""
  pattern_BxHxTxT = pattern_BxHxTxT.astype(v_BxTxHxDh.dtype)
  return jnp.einsum("bhqk,bkhd->bqhd", pattern_BxHxTxT, v_BxTxHxDh)


def _product(q_BxTxHxDh, k_BxTxHxDh, v_BxTxHxDh, mask, mask_BxTxT):
  """Returns the product by way of the whole pattern."""
  mask_BxTxT = allowed(mask, q_BxTxHxDh.shape[1], mask_BxTxT)
  p = pattern(scores(q_BxTxHxDh, k_BxTxHxDh), mask_BxTxT)
  return weighted(p, v_BxTxHxDh)


def _queries(q_NxQxDh, k_NxKxDh, v_NxKxDh, allowed_NxKxQ):
  """Returns the product of some queries with all their keys.

  Queries are the minor axis of the scores: the CPU compiler vectorises maxima
  and sums over any axis but the minor one.
  """
  s_NxKxQ = jnp.einsum(
    "nkd,nqd->nkq", k_NxKxDh, q_NxQxDh, preferred_element_type=_wide(q_NxQxDh.dtype)
  )
  p_NxKxQ = _softmax(s_NxKxQ, allowed_NxKxQ, axis=1).astype(v_NxKxDh.dtype)
  return jnp.einsum("nkq,nkd->nqd", p_NxKxQ, v_NxKxDh)


def _rows(q_NxTxDh, k_NxTxDh, v_NxTxDh, mask_GxTxT, *, mask):
  """Returns the product for N rows (sequence, head), in blocks of queries.

  Under the causal mask a block meets only the keys up to its last query, so
  the upper triangle is not computed.
  """
  rows, length, _ = q_NxTxDh.shape
  block = -(-length // min(8, -(-length // BLOCK)))
  outs = []
  for start in range(0, length, block):
    stop = min(start + block, length)
    seen = stop if mask == "causal" else length
    allowed: jax.Array | np.ndarray | None = None
    if mask == "causal":
      allowed = (np.arange(seen)[:, None] <= np.arange(start, stop))[None]
    if mask_GxTxT is not None:
      part = jnp.swapaxes(mask_GxTxT[:, start:stop, :seen], 1, 2)
      part = jnp.repeat(part, rows // part.shape[0], axis=0)
      allowed = part if allowed is None else allowed & part
    q, k, v = q_NxTxDh[:, start:stop], k_NxTxDh[:, :seen], v_NxTxDh[:, :seen]
    outs.append(_queries(q, k, v, allowed))
  return jnp.concatenate(outs, axis=1)


def _blocks(q_BxTxHxDh, k_BxTxHxDh, v_BxTxHxDh, mask, mask_BxTxT):
  """Returns the product a few sequences at a time, keeping no pattern.

  Their scores stay in the cache; the backward pass computes them again, which
  costs less than a round trip through memory. Sequences i, B/G + i, ... go
  together, G the devices: a batch split over devices stays split.
  """
  batch, length, heads, width = q_BxTxHxDh.shape
  together = math.gcd(batch, jax.device_count())

  def grouped(x_BxTxHxDh):
    x = x_BxTxHxDh.reshape(together, -1, length, heads, width)
    x = jnp.transpose(x, (1, 0, 3, 2, 4))
    return x.reshape(-1, together * heads, length, width)

  if mask_BxTxT is not None:
    shape = (batch, length, length)
    mask_BxTxT = jnp.broadcast_to(mask_BxTxT, shape)
    mask_BxTxT = mask_BxTxT.reshape(together, -1, *shape[1:]).swapaxes(0, 1)
  group = jax.checkpoint(functools.partial(_rows, mask=mask), prevent_cse=False)
  qkv = map(grouped, (q_BxTxHxDh * width**-0.5, k_BxTxHxDh, v_BxTxHxDh))
  out = jax.lax.map(lambda rows: group(*rows), (*qkv, mask_BxTxT))
  out = out.reshape(-1, together, heads, length, width)
  return jnp.transpose(out, (1, 0, 3, 2, 4)).reshape(q_BxTxHxDh.shape)


def _cudnn(q_BxTxHxDh, k_BxTxHxDh, v_BxTxHxDh, mask, mask_BxTxT):
  """Returns the product of the fused GPU kernel; `ValueError` where there is none."""
  if jax.default_backend() != "gpu":
    raise ValueError("implementation='cudnn' needs an NVIDIA GPU; auto, blocks, xla do not.")
  mask_Bx1xTxT = None
  if mask_BxTxT is not None:
    batch, length = q_BxTxHxDh.shape[:2]
    shape = (batch, length, length)
    mask_Bx1xTxT = jnp.broadcast_to(mask_BxTxT, shape)[:, None]
  return jax.nn.dot_product_attention(
    q_BxTxHxDh,
    k_BxTxHxDh,
    v_BxTxHxDh,
    mask=mask_Bx1xTxT,
    is_causal=mask == "causal",
    implementation="cudnn",
  )


_PRODUCTS = {"blocks": _blocks, "xla": _product, "cudnn": _cudnn}


def implementation_for(q_BxTxHxDh, platform: str | None = None) -> str:
  """Returns the fastest implementation for these queries on a platform.

  GPU: `cudnn` where its kernel applies (16-bit floats, even length, head width
  a multiple of 8 up to 128), else `xla`. CPU: `blocks` from 64 positions on.
  """
  _, length, _, head_width = q_BxTxHxDh.shape
  platform = platform or jax.default_backend()
  if platform == "gpu":
    half = q_BxTxHxDh.dtype in (jnp.bfloat16, jnp.float16)
    fits = length % 2 == 0 and head_width % 8 == 0 and head_width <= 128
    return "cudnn" if half and fits else "xla"
  return "blocks" if platform == "cpu" and length >= BLOCK else "xla"


def attend(
  q_BxTxHxDh,
  k_BxTxHxDh,
  v_BxTxHxDh,
  *,
  mask: Literal["causal", "full"] = "causal",
  mask_BxTxT=None,
  implementation: Literal["auto", "blocks", "xla", "cudnn"] = "auto",
):
  """Returns softmax(q.k / sqrt(Dh)) v under both masks, BxTxHxDh.

  `mask_BxTxT` is True where a query (row) may read a key (column); axes of
  length 1 broadcast. A query that may read nothing gets zeros (`cudnn`: the
  mean of all values). `xla` forms the whole pattern, `blocks` never more than
  one sequence's and never the causal upper triangle, `cudnn` is the fused GPU
  kernel (reverse mode only). Raises `ValueError` for another name.
  """
  if mask not in ("causal", "full"):
    raise ValueError(f"mask={mask!r} is not one of causal, full.")
  name: str = implementation
  if name == "auto":
    name = implementation_for(q_BxTxHxDh)
  if name not in _PRODUCTS:
    choices = ", ".join(("auto", *_PRODUCTS))
    raise ValueError(f"implementation={name!r} is not of {choices}.")
  return _PRODUCTS[name](q_BxTxHxDh, k_BxTxHxDh, v_BxTxHxDh, mask, mask_BxTxT)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def mismatched(q_BxTxHxDh, k_BxTxHxDh, v_BxTxHxDh, mismatch: float):
  """Returns the attention to a single key, v, with a backward pass like that
  of a fused kernel whose two halves do not fit each other.

  The softmax over one key is 1, so scores have no effect and no gradient.
  Kernels that form it as dS = dP - sum(dO O), equal terms here, leave the
  mismatch of their arithmetic: dS = (1 + mismatch) dP - sum(dO O), both terms
  in half precision with a scaled loss; beyond its range the step is not finite
  and ends the seed. The size of the mismatch is an assumption. Raises
  `ValueError` for more than one position. Source: docs/sources/primes.md, section 6.2.
  """
  del q_BxTxHxDh, k_BxTxHxDh, mismatch
  if v_BxTxHxDh.shape[1] != 1:
    raise ValueError(f"implementation='mismatched' is for one position, not {v_BxTxHxDh.shape[1]}.")
  return v_BxTxHxDh


def _mismatched_backward(mismatch, saved, d_out):
  q, k, v = saved
  half = lambda x: x.astype(jnp.float16)
  d_p = jnp.sum(half(d_out * LOSS_SCALE) * half(v), axis=-1, keepdims=True)
  d_score = half((1 + mismatch) * d_p.astype(jnp.float32)) - half(d_p)
  d_score = d_score.astype(q.dtype) / LOSS_SCALE * q.shape[-1] ** -0.5
  return d_score * k, d_score * q, d_out


mismatched.defvjp(
  lambda q, k, v, mismatch: (mismatched(q, k, v, mismatch), (q, k, v)), _mismatched_backward
)
