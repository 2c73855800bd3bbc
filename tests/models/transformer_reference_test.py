"""The transformer against a plain numpy forward."""

import dataclasses
import functools

import jax
import numpy as np
from absl.testing import absltest, parameterized
from primelens.models import transformer
from scipy import special
from tiny_models import TRANSFORMER, random_params

CASES = {
  "pre_causal": {},
  "pre_full_padding": dict(mask="full", padding=True, zero_padding=True),
  "pre_all_biases": dict(bias=True, norm_bias=True, norm_eps=1e-2),
  "post_relu_sinusoidal": dict(
    norm="post",
    activation="relu",
    positions="sinusoidal",
    mask="full",
    bias=True,
    norm_bias=True,
    padding=True,
    zero_padding=True,
  ),
  "post_causal_no_final": dict(norm="post", final_norm=False, bias=True),
  "none_relu_no_positions": dict(
    norm="none", activation="relu", final_norm=False, positions="none"
  ),
  "causal_padding": dict(padding=True),
  "rotary_memory_blind": dict(
    positions="rotary", rotary_start=2, mask="memory_blind", mask_slots=2
  ),
  "leaky": dict(mask="leaky_as_published", mask_slots=2),
}


def layer_norm(config, p, x):
  centred = x - x.mean(-1, keepdims=True)
  variance = (centred**2).mean(-1, keepdims=True)
  return centred / np.sqrt(variance + config.norm_eps) * p["scale"] + p.get("bias", 0.0)


def may_read(config, length, keep_BxT):
  """Returns by explicit rule whether query q may read key k, BxTxT."""
  memory = config.mask_slots
  rule = {
    "causal": lambda q, k: k <= q,
    "full": lambda q, k: True,
    "memory_blind": lambda q, k: k < memory if q < memory else k <= q,
    "leaky_as_published": lambda q, k: q < memory or k <= q,
  }[config.mask]
  table = [[rule(q, k) for k in range(length)] for q in range(length)]
  return np.array(table)[None] & keep_BxT[:, None, :].astype(bool)


def turned(config, x_TxDh):
  """Returns one head rotated as complex numbers, from `rotary_start` on."""
  half = x_TxDh.shape[1] // 2
  z = x_TxDh[:, 0::2] + 1j * x_TxDh[:, 1::2]
  rate = 10000.0 ** (-2 * np.arange(half) / x_TxDh.shape[1])
  for t in range(config.rotary_start, len(z)):
    z[t] *= np.exp(1j * (t - config.rotary_start) * rate)
  return np.stack([z.real, z.imag], axis=-1).reshape(x_TxDh.shape)


def attention(config, p, x_BxTxD, allowed_BxTxT):
  out = np.zeros_like(x_BxTxD)
  for b in range(x_BxTxD.shape[0]):
    for h in range(config.heads):
      q, k, v = (
        x_BxTxD[b] @ p[role]["kernel"][:, h] + (p[role]["bias"][h] if config.bias else 0)
        for role in ("query", "key", "value")
      )
      if config.positions == "rotary":
        q, k = turned(config, q), turned(config, k)
      scores = q @ k.T / np.sqrt(q.shape[1])
      scores = np.where(allowed_BxTxT[b], scores, -np.inf)
      out[b] += special.softmax(scores, axis=-1) @ v @ p["out"]["kernel"][h]
  return out + (p["out"]["bias"] if config.bias else 0)


def mlp(config, p, x):
  bias = lambda role: p[role]["bias"] if config.bias else 0
  x = x @ p["up"]["kernel"] + bias("up")
  if config.activation == "relu":
    x = np.maximum(x, 0)
  else:
    x = 0.5 * x * (1 + special.erf(x / np.sqrt(2)))
  return x @ p["down"]["kernel"] + bias("down")


def positions(config, params, length):
  if config.positions == "learned":
    return params["positions"]["embedding"][:length]
  table = np.zeros((length, config.width))
  if config.positions == "sinusoidal":
    for t in range(length):
      for i in range(0, config.width, 2):
        angle = t / 10000 ** (i / config.width)
        table[t, i], table[t, i + 1] = np.sin(angle), np.cos(angle)
  return table


def forward(config, params, x_BxTxD, keep_BxT):
  """Returns the final states by loops over layers, rows and heads, float64."""
  params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
  length = x_BxTxD.shape[1]
  allowed = may_read(config, length, keep_BxT)
  x = x_BxTxD.astype(np.float64) + positions(config, params, length)[None]
  for layer in range(config.layers):
    p = jax.tree.map(lambda leaf, i=layer: leaf[i], params["blocks"])
    parts = {
      "norm_attention": lambda z, p=p: attention(config, p["attention"], z, allowed),
      "norm_mlp": lambda z, p=p: mlp(config, p["mlp"], z),
    }
    for name, f in parts.items():
      if config.norm == "pre":
        x = x + f(layer_norm(config, p[name], x))
      elif config.norm == "post":
        x = layer_norm(config, p[name], x + f(x))
      else:
        x = x + f(x)
  if config.zero_padding:
    x = x * keep_BxT[..., None]
  if config.final_norm:
    x = layer_norm(config, params["final_norm"], x)
  return x


class NumpyTest(parameterized.TestCase):
  @parameterized.named_parameters((name, name) for name in CASES)
  def test_fused_and_explicit_paths_equal_numpy(self, name):
    options = dict(CASES[name])
    padded = options.pop("padding", False)
    config = dataclasses.replace(TRANSFORMER, **options)
    params = jax.device_get(random_params(transformer, config, mean=0.2, std=0.5))
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 8, config.width)).astype(np.float32)
    keep = np.ones((2, 8))
    if padded:
      keep[0, 5:] = 0
    expected = forward(config, params, x, keep)
    for sites in ((), ("attention/pattern",)):
      got, _ = jax.jit(
        functools.partial(transformer.apply, config, sites=sites, keep_BxT=keep if padded else None)
      )(params, x)
      scale = np.abs(expected).max()
      np.testing.assert_allclose(got / scale, expected / scale, atol=3e-6)


if __name__ == "__main__":
  absltest.main()
