"""Matrices by role and layer: each does to a vector what its module does."""

import functools

import jax
import numpy as np
from absl.testing import absltest, parameterized
from primelens.models import indices, transformer
from primelens.studies import matrices

MEMBERS, LAYERS, WIDTH, HIDDEN, HEADS = 2, 2, 16, 24, 4
SITES = {  # role: where its vectors are, before and after
  "query": ("residual/pre", "attention/query"),
  "key": ("residual/pre", "attention/key"),
  "value": ("residual/pre", "attention/value"),
  "out": ("attention/head", "attention/out"),
  "up": ("residual/mid", "mlp/pre"),
  "down": ("mlp/post", "mlp/out"),
}


def config(**changes) -> indices.Config:
  trunk = indices.one_token_trunk(
    width=WIDTH, layers=LAYERS, heads=HEADS, hidden=HIDDEN, norm="none"
  )
  options = dict(indices=40, head=(20, 4), trunk=trunk)
  return indices.Config(**options | changes)


def drawn(model: indices.Config):
  """Returns params in which no layer or member is like another."""
  start = functools.partial(indices.init, model)
  shapes = jax.eval_shape(start, jax.random.key(0))
  rng = np.random.default_rng(0)
  draw = lambda leaf: np.float32(rng.normal(size=(MEMBERS, *leaf.shape)) / 4)
  return jax.tree.map(draw, shapes)


@functools.cache
def population():
  return drawn(config())


class MatricesTest(parameterized.TestCase):
  def by_name(self, params_S=None):
    found = matrices.of(params_S or population())
    return {matrix.name: matrix for matrix in found}

  def test_names_in_order(self):
    roles = ("down", "key", "out", "query", "up", "value")
    names = [matrix.name for matrix in matrices.of(population())]
    blocks = 2 * len(roles)
    self.assertEqual(sorted(names[:blocks]), sorted(f"{r}/{i}" for r in roles for i in (0, 1)))
    self.assertTrue(all(n.endswith("/0") for n in names[: len(roles)]))
    # The head is 16 -> 20 -> 4 -> 1: a side of 4 is too short.
    self.assertCountEqual(names[blocks:], ["embedding", "head/0"])

  def test_shapes_are_outputs_by_inputs(self):
    shapes = {n: m.weight_SxNxD.shape[1:] for n, m in self.by_name().items()}
    for role in ("query", "key", "value", "out"):
      self.assertEqual(shapes[f"{role}/1"], (WIDTH, WIDTH))
    self.assertEqual(shapes["up/0"], (HIDDEN, WIDTH))
    self.assertEqual(shapes["down/0"], (WIDTH, HIDDEN))
    self.assertEqual(shapes["embedding"], (40, WIDTH))
    self.assertEqual(shapes["head/0"], (20, WIDTH))

  def test_roles_and_layers(self):
    for name, matrix in self.by_name().items():
      self.assertLen(matrix.weight_SxNxD, MEMBERS)
      if name in ("embedding", "head/0"):
        self.assertEqual((matrix.role, matrix.layer), (name.split("/")[0], -1))
      else:
        self.assertEqual(f"{matrix.role}/{matrix.layer}", name)

  def test_a_matrix_does_what_its_module_does(self):
    found, trunk = self.by_name(), config().trunk
    x_BxTxD = np.random.default_rng(1).normal(size=(5, 1, WIDTH))
    sites = tuple({site for pair in SITES.values() for site in pair})
    run = jax.jit(functools.partial(transformer.apply, trunk, sites=sites))
    for member in range(MEMBERS):
      params = jax.tree.map(lambda x, s=member: x[s], population())
      _, record = run(params, np.float32(x_BxTxD))
      for role, (before, after) in SITES.items():
        part = "mlp" if role in ("up", "down") else "attention"
        for layer in range(LAYERS):
          x_BxN, y_BxN = (
            np.float64(record[site][layer]).reshape(5, -1) for site in (before, after)
          )
          bias = params["blocks"][part][role]["bias"][layer].reshape(-1)
          weight_NxD = found[f"{role}/{layer}"].weight_SxNxD[member]
          np.testing.assert_allclose(x_BxN @ weight_NxD.T + bias, y_BxN, rtol=1e-4, atol=1e-4)

  def test_outside_the_blocks(self):
    found = self.by_name()
    for member in range(MEMBERS):
      params = jax.tree.map(lambda x, s=member: x[s], population())
      np.testing.assert_array_equal(
        found["embedding"].weight_SxNxD[member], params["embedding"]["embedding"]
      )
      np.testing.assert_array_equal(
        found["head/0"].weight_SxNxD[member], params["head"]["0"]["kernel"].T
      )

  def test_rows_of_a_query_are_its_heads_in_turn(self):
    weight_SxNxD = self.by_name()["query/1"].weight_SxNxD
    kernel = population()["blocks"]["attention"]["query"]["kernel"]
    for head in range(HEADS):
      for place in range(WIDTH // HEADS):
        row = head * (WIDTH // HEADS) + place
        np.testing.assert_array_equal(weight_SxNxD[:, row], kernel[:, 1, :, head, place])

  def test_a_short_side_is_left_out(self):
    # A context of three features is embedded by a 16 x 3 matrix.
    params_S = drawn(config(embedding="context", features=3))
    self.assertNotIn("embedding", self.by_name(params_S))

  def test_flows(self):
    trunk = indices.flow_trunk(width=16, layers=2, heads=2, hidden=24)
    model = indices.Config(indices=40, flows=2, head=(4,), trunk=trunk)
    found = self.by_name(drawn(model))
    self.assertEqual(found["embedding"].weight_SxNxD.shape, (MEMBERS, 40, 32))
    self.assertLen(found, 2 * 6 + 1)  # mixers of eight rows are left out


if __name__ == "__main__":
  absltest.main()
