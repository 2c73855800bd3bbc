"""Published checkpoints: read, converted, and refused when damaged."""

import pathlib
import tempfile

import jax
import numpy as np
from absl.testing import absltest, parameterized
from primelens.models import encoder, imports, transformer

FIXTURE = pathlib.Path(__file__).parent.parent / "fixtures/encoder_state.npz"
LAYER = "enc.layers.1."


def without(name):
  return lambda state: state.pop(name)


def put(name, value):
  return lambda state: state.__setitem__(name, value)


def spoil(name, value):
  def change(state):
    state[name] = state[name].copy()
    state[name].flat[3] = value

  return change


DAMAGED = {
  "no_embedding": (without("tok.weight"), "no matrix 'tok.weight'"),
  "no_readout": (without("readout.weight"), "no matrix 'readout.weight'"),
  "no_first_layer": (without("enc.layers.0.linear1.weight"), "no 'enc.layers.0.linear1.weight'"),
  "no_bias": (without("ln.bias"), "no 'ln.bias'"),
  "no_array_of_a_layer": (without(LAYER + "norm2.weight"), "no 'enc.layers.1.norm2.weight'"),
  "array_too_many": (put("head.weight", np.zeros(3)), "'head.weight', which no encoder has"),
  "layer_too_many": (
    put("enc.layers.2.norm1.bias", np.zeros(16)),
    "no 'enc.layers.2.self_attn.in_proj_weight'",
  ),
  "another_shape": (
    put(LAYER + "linear2.bias", np.zeros(17)),
    r"'enc.layers.1.linear2.bias' .* \(17,\), not \(16,\)",
  ),
  "turned": (put(LAYER + "linear1.weight", np.zeros((16, 24))), r"\(16, 24\), not \(24, 16\)"),
  "vector_for_a_matrix": (put("pos.weight", np.zeros(16)), "no matrix 'pos.weight'"),
  "words": (put(LAYER + "norm1.weight", np.full(16, "a")), "is of type <U1, no numbers"),
  "nan": (spoil("tok.weight", np.nan), "'tok.weight' .* is not finite"),
  "infinite": (
    spoil(LAYER + "norm1.weight", np.inf),
    "'enc.layers.1.norm1.weight' .* is not finite",
  ),
}


class ImportTest(parameterized.TestCase):
  def test_sizes_are_those_of_the_arrays(self):
    config, params = imports.text_encoder(imports.read(FIXTURE), 4)
    trunk = config.trunk
    self.assertEqual((config.vocabulary, config.outputs), (21, 1))
    self.assertEqual((trunk.width, trunk.layers, trunk.heads, trunk.hidden), (16, 2, 4, 24))
    self.assertEqual(trunk.max_positions, 32)
    self.assertEqual(
      transformer.parameter_count(params),
      sum(value.size for value in imports.read(FIXTURE).values()),
    )

  def test_every_number_has_its_place(self):
    state = imports.read(FIXTURE)
    _, params = imports.text_encoder(state, 4)
    blocks = params["blocks"]
    for i in range(2):
      of = lambda name, i=i: state[f"enc.layers.{i}.{name}"]
      for part, role in enumerate(("query", "key", "value")):
        kernel_DxHxDh = blocks["attention"][role]["kernel"][i]
        packed = of("self_attn.in_proj_weight")
        # Output number 16 part + 4 h + j of the packed map.
        for h, j in ((0, 0), (1, 3), (3, 2)):
          at = 16 * part + 4 * h + j
          np.testing.assert_array_equal(kernel_DxHxDh[:, h, j], packed[at])
          self.assertEqual(
            blocks["attention"][role]["bias"][i, h, j], of("self_attn.in_proj_bias")[at]
          )
      out_HxDhxD = blocks["attention"]["out"]["kernel"][i]
      np.testing.assert_array_equal(out_HxDhxD[2, 1], of("self_attn.out_proj.weight")[:, 9])
      for ours, its in (("up", "linear1"), ("down", "linear2")):
        np.testing.assert_array_equal(blocks["mlp"][ours]["kernel"][i], of(f"{its}.weight").T)
      for ours, its in (("norm_attention", "norm1"), ("norm_mlp", "norm2")):
        np.testing.assert_array_equal(blocks[ours]["scale"][i], of(f"{its}.weight"))
    np.testing.assert_array_equal(params["final_norm"]["bias"], state["ln.bias"])
    np.testing.assert_array_equal(params["readout"]["kernel"], state["readout.weight"].T)

  def test_layout_is_that_of_a_start(self):
    config, params = imports.text_encoder(imports.read(FIXTURE), 4)
    start = lambda key: encoder.init(config, key)
    started = jax.eval_shape(start, jax.random.key(0))
    shapes = lambda tree: jax.tree.map(lambda leaf: tuple(leaf.shape), tree)
    self.assertEqual(shapes(params), shapes(started))

  @parameterized.named_parameters(*((name, *case) for name, case in DAMAGED.items()))
  def test_damaged_ones_are_named(self, change, message):
    state = dict(imports.read(FIXTURE))
    change(state)
    with self.assertRaisesRegex(ValueError, message) as caught:
      imports.text_encoder(state, 4)
    self.assertNotIn("\n", str(caught.exception))

  def test_heads_must_divide_the_width(self):
    with self.assertRaisesRegex(ValueError, "not a multiple of heads=3"):
      imports.text_encoder(imports.read(FIXTURE), 3)


class ReadTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.path = pathlib.Path(folder.name) / "state.npz"

  @parameterized.parameters(
    (lambda whole: whole[: len(whole) // 2],),
    (lambda whole: whole[:100],),
    (lambda whole: b"",),
    (lambda whole: b"no archive",),
    (lambda whole: whole[:2000] + bytes(200) + whole[2200:],),
  )
  def test_broken_files_are_named(self, broken):
    self.path.write_bytes(broken(FIXTURE.read_bytes()))
    with self.assertRaisesRegex(ValueError, "state.npz is not a readable NPZ"):
      imports.read(self.path)

  def test_damage_inside_a_compressed_file_is_named(self):
    np.savez_compressed(self.path, **imports.read(FIXTURE))
    whole = self.path.read_bytes()
    self.path.write_bytes(whole[:3000] + bytes(500) + whole[3500:])
    with self.assertRaisesRegex(ValueError, "state.npz is not a readable NPZ"):
      imports.read(self.path)

  def test_a_single_array_is_no_archive(self):
    with self.path.open("wb") as file:
      np.save(file, np.zeros(3))
    with self.assertRaisesRegex(ValueError, "state.npz is not a readable NPZ"):
      imports.read(self.path)

  def test_a_pickle_is_not_opened(self):
    np.savez(self.path, a=np.array([{"a": 1}], dtype=object))
    with self.assertRaisesRegex(ValueError, "state.npz is not a readable NPZ"):
      imports.read(self.path)

  def test_missing_ones_are_another_error(self):
    with self.assertRaises(FileNotFoundError):
      imports.read(self.path)


if __name__ == "__main__":
  absltest.main()
