from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import trees


class Layer(NamedTuple):
  w: Any
  gain: Any


def _params():
  return {
    "embed": jnp.ones((4, 2)),
    "layers": [Layer(jnp.ones((2, 3)), jnp.ones(3)) for _ in range(2)],
    "pair": (jnp.zeros(5), jnp.float32(1.0)),
  }


NAMES = ["embed", "layers/0/w", "layers/0/gain", "layers/1/w", "layers/1/gain", "pair/0", "pair/1"]


class TreesTest(parameterized.TestCase):
  def test_names_of_dicts_lists_tuples_and_namedtuples(self):
    self.assertEqual(trees.names(_params()), NAMES)

  @parameterized.parameters(
    (r"embed", ["embed"]),
    (r"layers/.*/w", ["layers/0/w", "layers/1/w"]),
    (r"layers/1/(w|gain)", ["layers/1/w", "layers/1/gain"]),
    (r".*", NAMES),
  )
  def test_select_matches_whole_paths(self, pattern, expected):
    params = _params()
    where = trees.select(params, pattern)
    self.assertEqual(jax.tree.structure(where), jax.tree.structure(params))
    self.assertEqual(list(trees.selected(params, where)), expected)

  def test_select_names_the_pattern_and_the_leaves(self):
    # "layers" is a part of four paths, and the whole of none.
    with self.assertRaisesRegex(ValueError, "'layers' .*embed, layers/0/w"):
      trees.select(_params(), "layers")
    with self.assertRaisesRegex(ValueError, r"'\(' is not a regular expr"):
      trees.select(_params(), "(")

  def test_two_leaves_of_one_name_are_refused(self):
    with self.assertRaisesRegex(ValueError, "two leaves are named 'a/b'"):
      trees.select({"a/b": np.zeros(2), "a": {"b": np.zeros(2)}}, ".*")

  def test_size_counts_numbers(self):
    params = _params()
    self.assertEqual(trees.size(params), 8 + 2 * (6 + 3) + 5 + 1)
    self.assertEqual(trees.size(params, trees.select(params, ".*/w")), 12)

  def test_replace_touches_the_selected_leaves_alone(self):
    params = _params()
    where = trees.select(params, ".*/gain")
    new = trees.replace(params, where, lambda name, leaf: (name, leaf.shape))
    self.assertEqual(new["layers"][1].gain, ("layers/1/gain", (3,)))
    self.assertIs(new["embed"], params["embed"])

  def test_where_of_another_tree_is_refused(self):
    where = trees.select({"a": 1, "b": 2}, "a")
    with self.assertRaisesRegex(ValueError, "where has the leaves"):
      trees.selected({"a": 1}, where)

  def test_stack_and_unstack_are_inverse(self):
    members = [{"a": jnp.arange(3.0) + i, "b": [jnp.int32(i)]} for i in (0, 7)]
    stacked = trees.stack(members)
    np.testing.assert_array_equal(stacked["a"], [[0, 1, 2], [7, 8, 9]])
    self.assertEqual(trees.length(stacked), 2)
    for member, back in zip(members, trees.unstack(stacked), strict=True):
      jax.tree.map(np.testing.assert_array_equal, member, back)
      self.assertEqual(back["b"][0].dtype, jnp.int32)

  def test_bad_stacks_are_refused(self):
    with self.assertRaisesRegex(ValueError, "at least one member"):
      trees.stack([])
    with self.assertRaisesRegex(ValueError, "member 1 has the leaves"):
      trees.stack([{"a": 1.0}, {"b": 1.0}])
    with self.assertRaisesRegex(ValueError, "leaf 'b' has the shape"):
      trees.unstack({"a": jnp.ones((2, 3)), "b": jnp.ones(3)})
    with self.assertRaisesRegex(ValueError, r"leaf 'a' has the shape \(\)"):
      trees.length({"a": 1.0})
    with self.assertRaisesRegex(ValueError, "at least one leaf"):
      trees.length({})


if __name__ == "__main__":
  absltest.main()
