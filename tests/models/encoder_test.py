"""The encoder beside a plain numpy one, and what filler must not change."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.models import encoder, imports, transformer
from scipy import special

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
HEADS = 4
# Rows of 5, 3 and 7 characters.
TOKEN_BxT = np.array([[2, 1, 12, 5, 15, 0, 0], [9, 12, 15, 0, 0, 0, 0], [3, 4, 5, 12, 6, 14, 15]])


def state() -> dict[str, np.ndarray]:
  return imports.read(FIXTURES / "encoder_state.npz")


def norm(x, gain, bias):
  x = x - x.mean(-1, keepdims=True)
  return gain * x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) + bias


def gelu(x):
  return x * (1 + special.erf(x / np.sqrt(2))) / 2


def layer(of, x_TxD):
  """One post-norm layer of a row without filler, q, k and v packed."""
  packed_Tx3D = x_TxD @ of("self_attn.in_proj_weight").T
  packed_Tx3D = packed_Tx3D + of("self_attn.in_proj_bias")
  width = x_TxD.shape[1] // HEADS
  heads = []
  for h in range(HEADS):
    q, k, v = (part[:, h * width : (h + 1) * width] for part in np.split(packed_Tx3D, 3, axis=1))
    power_TxT = np.exp(q @ k.T / np.sqrt(width))
    heads.append(power_TxT / power_TxT.sum(1, keepdims=True) @ v)
  mixed = np.concatenate(heads, 1) @ of("self_attn.out_proj.weight").T
  mixed = mixed + of("self_attn.out_proj.bias")
  x_TxD = norm(x_TxD + mixed, of("norm1.weight"), of("norm1.bias"))
  hidden = gelu(x_TxD @ of("linear1.weight").T + of("linear1.bias"))
  out = hidden @ of("linear2.weight").T + of("linear2.bias")
  return norm(x_TxD + out, of("norm2.weight"), of("norm2.bias"))


def plain(state, token_T) -> tuple[np.ndarray, np.ndarray]:
  """Returns the final states and the output of one row without filler."""
  state = {name: value.astype(np.float64) for name, value in state.items()}
  x_TxD = state["tok.weight"][token_T] + state["pos.weight"][: len(token_T)]
  for i in range(2):
    x_TxD = layer(lambda name, i=i: state[f"enc.layers.{i}.{name}"], x_TxD)
  x_TxD = norm(x_TxD, state["ln.weight"], state["ln.bias"])
  output = x_TxD[-1] @ state["readout.weight"].T + state["readout.bias"]
  return x_TxD, output


class EncoderTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.config, cls.params = imports.text_encoder(state(), HEADS)
    cls.run_ = staticmethod(jax.jit(functools.partial(encoder.apply, cls.config, sites=("final",))))
    cls.alone = staticmethod(jax.jit(functools.partial(encoder.apply, cls.config)))

  def apply(self, token_BxT, params=None):
    """Returns outputs BxV and final states BxTxD."""
    output_BxV, record = self.run_(params or self.params, token_BxT)
    return np.asarray(output_BxV), np.asarray(record["final"])

  def test_is_the_plain_one(self):
    output_BxV, final_BxTxD = self.apply(TOKEN_BxT)
    alone_BxV, _ = self.alone(self.params, TOKEN_BxT)
    for row, token_T in enumerate(TOKEN_BxT):
      token_T = token_T[token_T != 0]
      states_TxD, output_V = plain(state(), token_T)
      np.testing.assert_allclose(final_BxTxD[row, : len(token_T)], states_TxD, atol=2e-5)
      np.testing.assert_allclose(output_BxV[row], output_V, atol=2e-5)
      np.testing.assert_allclose(alone_BxV[row], output_V, atol=2e-5)

  def test_answer_is_read_at_the_last_character(self):
    output_BxV, final_BxTxD = self.apply(TOKEN_BxT)
    pooled_BxD = np.asarray(jax.jit(encoder.pooled)(final_BxTxD, TOKEN_BxT))
    weight, bias = state()["readout.weight"], state()["readout.bias"]
    for row, last in enumerate((4, 2, 6)):
      np.testing.assert_array_equal(pooled_BxD[row], final_BxTxD[row, last])
      np.testing.assert_allclose(
        output_BxV[row], final_BxTxD[row, last] @ weight.T + bias, atol=2e-6
      )

  @parameterized.parameters(1, 20)
  def test_more_filler_changes_nothing(self, more):
    short_BxV, _ = self.apply(TOKEN_BxT)
    long_BxV, _ = self.apply(np.pad(TOKEN_BxT, ((0, 0), (0, more))))
    np.testing.assert_allclose(long_BxV, short_BxV, atol=2e-6)

  def test_content_of_filler_changes_nothing(self):
    table_VxD = np.asarray(self.params["embedding"]["embedding"])
    other_VxD = np.vstack([100 + 0 * table_VxD[:1], table_VxD[1:]])
    params = self.params | {"embedding": {"embedding": other_VxD}}
    before_BxV, _ = self.apply(TOKEN_BxT)
    after_BxV, _ = self.apply(TOKEN_BxT, params)
    np.testing.assert_allclose(after_BxV, before_BxV, atol=2e-6)

  def test_filler_ends_as_the_bias_of_the_last_norm(self):
    _, final_BxTxD = self.apply(TOKEN_BxT)
    filler_NxD = final_BxTxD[TOKEN_BxT == 0]
    self.assertLen(filler_NxD, 6)
    bias_D = state()["ln.bias"]
    np.testing.assert_array_equal(filler_NxD, np.broadcast_to(bias_D, filler_NxD.shape))

  def test_every_character_counts(self):
    length = TOKEN_BxT.shape[1]
    changed_BxT = TOKEN_BxT[2] + np.eye(length, dtype=int)
    output_BxV, _ = self.apply(np.vstack([TOKEN_BxT[2:], changed_BxT]))
    change_B = np.abs(output_BxV[1:, 0] - output_BxV[0, 0])
    self.assertLen(change_B, length)
    self.assertGreater(change_B.min(), 1e-4)


def small(**changes):
  trunk = encoder.encoder_trunk(width=16, hidden=32, max_positions=8, **changes)
  return encoder.Config(outputs=5, trunk=trunk)


def start(config):
  return jax.device_get(jax.jit(functools.partial(encoder.init, config))(jax.random.key(1)))


class StartTest(parameterized.TestCase):
  def test_published_size(self):
    shapes = jax.eval_shape(lambda key: encoder.init(encoder.Config(), key), jax.random.key(0))
    self.assertEqual(transformer.parameter_count(shapes), 333_569)

  def test_starts_as_torch_does(self):
    params = start(encoder.Config())
    for table in (params["embedding"], params["positions"]):
      self.assertAlmostEqual(float(table["embedding"].std()), 1, delta=0.05)
    kernel = params["readout"]["kernel"]
    bound = 128**-0.5
    self.assertBetween(float(np.abs(kernel).max()), 0.9 * bound, bound)
    self.assertLessEqual(float(jnp.abs(params["readout"]["bias"][0])), bound)
    self.assertNotEqual(float(params["readout"]["bias"][0]), 0)

  @parameterized.parameters(True, False)
  def test_layers_are_copies_where_asked(self, identical):
    params = start(small(identical_layers=identical))
    first, second = params["blocks"]["mlp"]["up"]["kernel"]
    self.assertEqual(bool(np.all(first == second)), identical)

  def test_another_start_has_no_bias(self):
    params = start(small(init="gpt2"))
    np.testing.assert_array_equal(params["readout"]["bias"], np.zeros(5))
    self.assertLess(float(params["embedding"]["embedding"].std()), 0.03)

  def test_bad_sizes_are_refused(self):
    with self.assertRaisesRegex(ValueError, "outputs=0 must be at least 1"):
      encoder.Config(outputs=0)


if __name__ == "__main__":
  absltest.main()
