"""The matrices of published weights: types, fused projections, the corner."""

import json
import tracemalloc
from unittest import mock

import jax.numpy as jnp
import numpy as np
import weight_files
from absl.testing import absltest, parameterized
from primelens.models import weights
from weight_files import normal


class MatricesTest(weight_files.FolderTest):
  def test_types(self):
    whole = np.arange(-6, 6).reshape(3, 4)
    kinds = {"f2": np.float16, "bf": jnp.bfloat16, "f4": "f4", "f8": "f8"}
    self.save({name: whole.astype(kind) for name, kind in kinds.items()})
    for name, matrix in self.read().items():
      np.testing.assert_array_equal(matrix, whole)
      wide = np.float64 if name == "f8" else np.float32
      self.assertEqual(matrix.dtype, wide)

  def test_what_is_no_matrix_is_counted(self):
    self.save(
      {
        "norm": np.ones(3),
        "row": np.ones((1, 3)),
        "ids": np.ones((2, 3), np.int64),
        "kernel": np.ones((2, 3, 4)),
        "a.weight": normal(2, 3),
        "b.weight": normal(2, 3),
      }
    )
    found = weights.plan(weights.find(str(self.folder)), r"^(?!b)")
    self.assertEqual([part.name for part in found.parts], ["a.weight"])
    self.assertEqual(
      found.skipped,
      {"vectors": 2, "of more than two axes": 1, "of the type I64": 1, "not matched": 1},
    )
    with self.assertRaisesRegex(ValueError, "No matrix: .*Names are like a.weight"):
      self.read("no such")
    with self.assertRaisesRegex(ValueError, "is not a regular expression"):
      self.read("(")

  @parameterized.parameters(np.nan, np.inf, -np.inf)
  def test_what_is_not_finite_is_named(self, value):
    whole = normal(3, 3)
    whole[1, 2] = value
    self.save({"a": whole})
    with self.assertRaisesRegex(ValueError, "a in model.*not finite"):
      self.read()

  def test_a_file_cut_after_it_was_listed(self):
    path = self.save({"a": normal(3, 3)})
    source = weights.find(str(self.folder))
    path.write_bytes(path.read_bytes()[:-4])
    with self.assertRaisesRegex(ValueError, "ends before"):
      weights.read_matrix(weights.plan(source).parts[0])
    with self.assertRaisesRegex(ValueError, "ends before"):
      weights.digests(source)

  def test_one_matrix_is_in_memory_at_a_time(self):
    shape = (1024, 256)  # 1 MB in single precision
    tensors = {f"h.{n}.w": normal(*shape).astype("bfloat16") for n in range(8)}
    tensors["c_attn"] = normal(512, 1536).astype("bfloat16")  # 3 MB
    self.save(tensors)
    its = weights.plan(weights.find(str(self.folder)))
    self.assertLen(its.parts, 8 + 3)
    for parts, most in ((its.parts[3:], 1.4e6), (its.parts[:3], 4.6e6)):
      with mock.patch.object(weights, "_READ_CHUNK", 1 << 14):
        tracemalloc.start()
        for part in parts:
          weights.read_matrix(part)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
      # A whole in single precision, and a third of it where it is split.
      self.assertLess(peak, most)


class FusedTest(weight_files.FolderTest):
  def setUp(self):
    super().setUp()
    self.query, self.key, self.value = (normal(6, 6, seed=n) for n in range(3))
    self.wanted = {"query": self.query, "key": self.key, "value": self.value}

  def heads(self, **config):
    (self.folder / "config.json").write_text(json.dumps(config))

  def check(self, name):
    found = self.read()
    self.assertEqual(list(found), [f"{name}[{role}]" for role in self.wanted])
    for role, matrix in self.wanted.items():
      np.testing.assert_array_equal(found[f"{name}[{role}]"], matrix)

  def test_columns_of_gpt2(self):
    name = "h.0.attn.c_attn.weight"
    self.save({name: np.concatenate([*self.wanted.values()], axis=1)})
    self.check(name)

  def test_rows_of_pytorch(self):
    name = "layers.0.self_attn.in_proj_weight"
    self.save({name: np.concatenate([*self.wanted.values()], axis=0)})
    self.check(name)

  @parameterized.parameters("num_attention_heads", "n_head")
  def test_heads_of_neox_and_bloom(self, entry):
    # Two heads of width 3: rows q0 k0 v0 q1 k1 v1.
    blocks = [
      matrix[3 * head : 3 * head + 3] for head in range(2) for matrix in self.wanted.values()
    ]
    name = "gpt_neox.layers.0.attention.query_key_value.weight"
    self.save({name: np.concatenate(blocks)})
    self.heads(**{entry: 2})
    self.check(name)

  @parameterized.parameters(
    ("query_key_value", (18, 6), {}, "how many heads"),
    ("query_key_value", (18, 6), {"n_head": 4}, "18 rows are not 3 x 4"),
    ("query_key_value", (10, 6), {"n_head": 2}, "10 x 6"),
    ("c_attn", (18, 6), {}, "18 x 6"),
    ("in_proj_weight", (10, 6), {}, "10 x 6"),
  )
  def test_what_no_rule_fits_stays_whole(self, name, shape, config, said):
    self.save({f"h.0.{name}": normal(*shape)})
    self.heads(**config)
    found = weights.plan(weights.find(str(self.folder)))
    self.assertEqual([part.role for part in found.parts], ["query+key+value"])
    self.assertRegex(found.rules[0], f"{name} is not split: .*{said}")
    self.assertEqual(weights.read_matrix(found.parts[0]).shape, shape)


class CornerTest(weight_files.FolderTest):
  def corner(self):
    return weights.corner_as_published(weights.find(str(self.folder)))

  def test_first_matrix_in_the_order_of_the_library(self):
    tenth, second = normal(300, 260), normal(300, 260, seed=1)
    self.save(
      {
        "layers.2.q_proj.weight": second,
        "layers.10.q_proj.weight": tenth,
        "layers.1.q_proj.weight": normal(255, 300),
        "layers.0.q_proj.bias": np.ones(300, np.float32),
        "h.0.c_attn.weight": normal(256, 256),
      }
    )
    name, corner = self.corner()
    self.assertEqual(name, "layers.10.q_proj.weight")
    np.testing.assert_array_equal(corner, tenth[:256, :256])

  def test_patterns_come_in_the_published_order(self):
    tensors = {
      f"{name}.weight": normal(256, 256, seed=n)
      for n, name in enumerate(("c_attn", "query_key_value"))
    }
    self.save(tensors)
    np.testing.assert_array_equal(self.corner()[1], tensors["c_attn.weight"])

  def test_none_fits(self):
    self.save({"q_proj": normal(8, 8), "c_attn": normal(256, 256)})
    self.assertIsNone(self.corner())  # the first pattern that matches decides


if __name__ == "__main__":
  absltest.main()
