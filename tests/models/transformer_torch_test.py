"""The transformer against PyTorch's encoder layers and a GPT block."""

import dataclasses
import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.models import transformer
from tiny_models import run

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"


def split_heads(array_3DxD, heads):
  """Returns torch's packed q,k,v rows as three kernels DxHxDh."""
  parts = np.split(array_3DxD, 3)
  return [part.reshape(heads, -1, part.shape[1]).transpose(2, 0, 1) for part in parts]


def encoder_layer(f, prefix, heads=4):
  """Returns one nn.TransformerEncoderLayer as our block."""
  get = lambda name: f[f"{prefix}.{name}"]
  kernels = split_heads(get("self_attn.in_proj_weight"), heads)
  biases = get("self_attn.in_proj_bias").reshape(3, heads, -1)
  width = kernels[0].shape[0]
  out = get("self_attn.out_proj.weight").T.reshape(heads, -1, width)
  dense = lambda name: {"kernel": get(f"{name}.weight").T, "bias": get(f"{name}.bias")}
  norm = lambda name: {"scale": get(f"{name}.weight"), "bias": get(f"{name}.bias")}
  attention = {
    role: {"kernel": kernel, "bias": bias}
    for role, kernel, bias in zip(("query", "key", "value"), kernels, biases, strict=True)
  }
  attention["out"] = {"kernel": out, "bias": get("self_attn.out_proj.bias")}
  return {
    "attention": attention,
    "mlp": {"up": dense("linear1"), "down": dense("linear2")},
    "norm_attention": norm("norm1"),
    "norm_mlp": norm("norm2"),
  }


def gpt_block(f, prefix, heads=4):
  """Returns one GPT block without biases as our block."""
  get = lambda name: f[f"{prefix}.{name}.weight"]
  kernels = split_heads(get("c_attn"), heads)
  attention = {
    role: {"kernel": kernel}
    for role, kernel in zip(("query", "key", "value"), kernels, strict=True)
  }
  out = get("attn_c_proj")
  attention["out"] = {"kernel": out.T.reshape(heads, -1, out.shape[0])}
  return {
    "attention": attention,
    "mlp": {"up": {"kernel": get("c_fc").T}, "down": {"kernel": get("c_proj").T}},
    "norm_attention": {"scale": get("ln_1")},
    "norm_mlp": {"scale": get("ln_2")},
  }


def stacked(blocks):
  return jax.tree.map(lambda *leaves: np.stack(leaves), *blocks)


ENCODER = transformer.Config(
  width=16,
  layers=2,
  heads=4,
  hidden=64,
  positions="none",
  mask="full",
  norm="post",
  norm_bias=True,
  final_norm=False,
  bias=True,
)
GPT = dataclasses.replace(
  ENCODER, mask="causal", norm="pre", norm_bias=False, final_norm=True, bias=False
)


def check_gradients(config, params, grads, fixture, **options):
  """Checks d sum(output * cotangent) / d params leaf by leaf."""
  cotangent = fixture["cotangent_BxTxD"]

  def objective(params):
    out, _ = run(config, params, fixture["input_BxTxD"], **options)
    return jnp.sum(out * cotangent)

  got = jax.jit(jax.grad(objective))(params)
  close = functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-4)
  jax.tree.map(close, got, grads)


def encoder_params(f, root):
  blocks = [encoder_layer(f, f"{root}/layers.{i}") for i in range(2)]
  return {"blocks": stacked(blocks)}


def gpt_params(f, root):
  return {
    "blocks": stacked([gpt_block(f, f"{root}/h.{i}") for i in range(2)]),
    "final_norm": {"scale": f[f"{root}/ln_f.weight"]},
  }


class TorchTest(absltest.TestCase):
  def test_post_norm_encoder(self):
    f = dict(np.load(FIXTURES / "encoder_post_norm.npz"))
    params, keep = encoder_params(f, "param"), f["keep_BxT"]
    sites = ("residual/post", "attention/pattern")
    for got, seen in (
      run(ENCODER, params, f["input_BxTxD"], sites=sites, keep_BxT=keep),
      run(ENCODER, params, f["input_BxTxD"], sites=sites[:1], keep_BxT=keep),
    ):
      first = seen["residual/post"][0]
      np.testing.assert_allclose(got, f["output_BxTxD"], atol=1e-5)
      np.testing.assert_allclose(first, f["first_layer_BxTxD"], atol=1e-5)
      if "attention/pattern" in seen:
        pattern = seen["attention/pattern"][0]
        np.testing.assert_allclose(pattern, f["first_pattern_BxHxTxT"], atol=1e-5)

  def test_post_norm_encoder_gradients(self):
    f = dict(np.load(FIXTURES / "encoder_post_norm.npz"))
    params, grads = encoder_params(f, "param"), encoder_params(f, "grad")
    check_gradients(ENCODER, params, grads, f, keep_BxT=f["keep_BxT"])

  def test_zero_padding_comes_before_the_final_norm(self):
    # torch's inference path writes 0 at padding; a norm behind the stack
    # turns it into the norm's bias.
    f = dict(np.load(FIXTURES / "encoder_post_norm.npz"))
    params, keep = encoder_params(f, "param"), f["keep_BxT"]
    config = dataclasses.replace(ENCODER, zero_padding=True)
    got, _ = run(config, params, f["input_BxTxD"], keep_BxT=keep)
    x = f["fast_path_output_BxTxD"]
    np.testing.assert_allclose(got, x, atol=1e-5)
    rng = np.random.default_rng(0)
    norm = {name: rng.normal(size=16) for name in ("scale", "bias")}
    params = params | {"final_norm": jax.tree.map(np.float32, norm)}
    config = dataclasses.replace(config, final_norm=True)
    got, _ = run(config, params, f["input_BxTxD"], keep_BxT=keep)
    z = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    expected = z * norm["scale"] + norm["bias"]
    np.testing.assert_allclose(got, expected, atol=3e-5)
    np.testing.assert_allclose(got[1, -1], norm["bias"], atol=1e-6)

  def test_pre_norm_gpt(self):
    f = dict(np.load(FIXTURES / "gpt_pre_norm.npz"))
    params, grads = gpt_params(f, "param"), gpt_params(f, "grad")
    got, seen = run(GPT, params, f["input_BxTxD"], sites=("residual/post",))
    np.testing.assert_allclose(got, f["output_BxTxD"], atol=1e-5)
    first = seen["residual/post"][0]
    np.testing.assert_allclose(first, f["first_block_BxTxD"], atol=1e-5)
    check_gradients(GPT, params, grads, f)


if __name__ == "__main__":
  absltest.main()
