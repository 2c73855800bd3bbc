"""Groups of columns: planted copies, and scipy's components."""

import jax
import numpy as np
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.analyses import slots as slots_lib
from scipy.sparse import csgraph

slots = Jitted(slots_lib)
components = jax.jit(jax.vmap(slots_lib.components))


class DuplicatesTest(parameterized.TestCase):
  def test_cosines_equal_numpy_and_zero_columns_have_none(self):
    x_DxF = np.random.default_rng(0).normal(size=(5, 4))
    expected = np.corrcoef(np.vstack([x_DxF, -x_DxF]).T)  # means are 0
    x_DxF = np.column_stack([x_DxF, np.zeros(5)])
    found = np.asarray(slots.cosines(x_DxF))
    np.testing.assert_allclose(found[:4, :4], expected, atol=1e-6)
    np.testing.assert_array_equal(found[4], np.zeros(5))

  @parameterized.parameters(0.0, 0.01, 0.02, 0.04, 0.3)
  def test_components_are_those_of_scipy(self, density):
    rng = np.random.default_rng(1)
    edge_SxFxF = rng.random((3, 80, 80)) < density / 2
    edge_SxFxF |= edge_SxFxF.swapaxes(1, 2)
    found_SxF = components(edge_SxFxF)
    for edge, label in zip(edge_SxFxF, np.asarray(found_SxF), strict=True):
      count, peer = csgraph.connected_components(edge, directed=False)
      self.assertLen(np.unique(label), count)
      self.assertLen(set(zip(label, peer, strict=True)), count)
      np.testing.assert_array_equal(label[label], label)

  def test_a_long_path_is_one_component(self):
    order = np.random.default_rng(0).permutation(200)
    edge = np.zeros((200, 200), bool)
    edge[order[1:], order[:-1]] = edge[order[:-1], order[1:]] = True
    np.testing.assert_array_equal(slots.components(edge), np.zeros(200))

  def test_planted_blocks_come_by_weight(self):
    axis_DxE = np.eye(4)[:, :3]
    of_F = np.array([2, 0, 0, 1, 2, 2])
    scale_F = np.array([1.0, 2, 3, 1, 0.1, 5])
    weight_F = np.float32([1.0, 4, 5, 8, 1, 1])  # sums: 0: 9, 1: 8, 2: 3
    found = slots.copies(axis_DxE[:, of_F] * scale_F, weight_F)
    np.testing.assert_array_equal(found.rank_F, of_F)
    np.testing.assert_array_equal(found.size_F, [2, 1, 3, 0, 0, 0])
    np.testing.assert_allclose(found.weight_F, [9, 8, 3, 0, 0, 0])

  def test_opposite_columns_are_no_copies(self):
    x_DxF = np.array([[1.0, -1], [1, -1]])
    self.assertEqual(np.asarray(slots.copies(x_DxF, np.ones(2, np.float32)).size_F)[1], 1)

  def test_groups_without_weight_come_before_none(self):
    found = slots.copies(np.eye(3), np.float32([0.0, 1, 0]))
    np.testing.assert_array_equal(found.size_F, [1, 1, 1])
    np.testing.assert_array_equal(found.rank_F, [1, 0, 2])

  def test_effective_number(self):
    self.assertAlmostEqual(float(slots.effective_number(np.float32([2.0, 2, 2, 0]))), 3.0, places=6)


if __name__ == "__main__":
  absltest.main()
