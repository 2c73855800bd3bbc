"""States replaced in a hand-made linear network, whose effects are known."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.analyses import patching

LAYERS, LENGTH, WIDTH = 2, 3, 2
RNG = np.random.default_rng(0)
MIX_TxT = RNG.standard_normal((LENGTH, LENGTH))
TURN_DxD = RNG.standard_normal((WIDTH, WIDTH))
SHIFT = 1.5  # of the final states


def step(x_BxTxD):
  """One layer: positions and features mixed."""
  return np.einsum("ut,btd,de->bue", MIX_TxT, x_BxTxD, TURN_DxD)


def network(x_BxTxD, edits):
  """The layers by scan with the sites of the transformer, as jax."""

  def body(x, layer):
    x = edits["residual/pre"](x, layer)
    x = jnp.einsum("ut,btd,de->bue", MIX_TxT, x, TURN_DxD)
    return edits["residual/post"](x, layer), None

  x, _ = jax.lax.scan(body, x_BxTxD, jnp.arange(LAYERS))
  return edits["final"](x + SHIFT, None)


def levels(x_BxTxD):
  """The states of all levels, in numpy."""
  found = [x_BxTxD]
  for _ in range(LAYERS):
    found.append(step(found[-1]))
  return [*found, found[-1] + SHIFT]


def onwards(x_BxTxD, level):
  """What the network makes of the states of a level, in numpy."""
  for _ in range(level, LAYERS):
    x_BxTxD = step(x_BxTxD)
  return x_BxTxD + (SHIFT if level <= LAYERS else 0)


class LevelsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    rng = np.random.default_rng(1)
    cls.x = rng.standard_normal((4, LENGTH, WIDTH)).astype(np.float32)
    cls.donor = rng.standard_normal((4, LENGTH, WIDTH)).astype(np.float32)
    cls.position_B = np.array([0, 2, 1, -1])

  def swept(self, make_change):
    """The network's output with a change made at every level, in one
    program."""
    program = jax.jit(
      jax.vmap(lambda level: network(self.x, patching.edits(make_change(level), level, LAYERS)))
    )
    return np.asarray(program(jnp.arange(LAYERS + 2)))

  def test_donor_at_one_position_of_each_row(self):
    donor_ExBxTxD = jnp.asarray(np.stack(levels(self.donor)), jnp.float32)
    where_BxT = patching.at(self.position_B, LENGTH)
    found = self.swept(lambda level: patching.replaced(donor_ExBxTxD[level], where_BxT))
    for level, state_BxTxD in enumerate(levels(self.x)):
      expected = state_BxTxD.copy()
      for row, position in enumerate(self.position_B[:3]):
        expected[row, position] = levels(self.donor)[level][row, position]
      np.testing.assert_allclose(found[level], onwards(expected, level), rtol=2e-4, atol=2e-4)

  def test_whole_level_is_the_donor(self):
    donor_ExBxTxD = jnp.asarray(np.stack(levels(self.donor)), jnp.float32)
    everywhere_BxT = jnp.ones((4, LENGTH), bool)
    found = self.swept(lambda level: patching.replaced(donor_ExBxTxD[level], everywhere_BxT))
    for output in found:
      np.testing.assert_allclose(output, levels(self.donor)[-1], rtol=2e-4, atol=2e-4)

  def test_direction_is_removed_or_exchanged(self):
    read_D, write_D = np.array([1.0, -1]), np.array([0.5, 2])
    where_BxT = patching.at(self.position_B, LENGTH)
    mean_D, donor_BxD = np.array([0.3, 0.7]), self.donor[:, 0]
    for centre in (mean_D[None], donor_BxD):
      change = patching.along(
        jnp.asarray(centre, jnp.float32),
        jnp.asarray(read_D, jnp.float32)[:, None],
        jnp.asarray(write_D, jnp.float32)[:, None],
        where_BxT,
      )
      found = self.swept(lambda level, change=change: change)
      for level, state_BxTxD in enumerate(levels(self.x)):
        expected = state_BxTxD.copy()
        for row, position in enumerate(self.position_B[:3]):
          gap_D = expected[row, position] - np.broadcast_to(centre, (4, 2))[row]
          expected[row, position] -= (gap_D @ read_D) * write_D
        np.testing.assert_allclose(found[level], onwards(expected, level), rtol=2e-4, atol=2e-4)


class ShareTest(absltest.TestCase):
  def test_ratio_of_means_over_rows_with_weight(self):
    clean_N, donor_N = np.array([0.0, 10, 5]), np.array([4.0, 12, 99])
    patched_N, weight_N = np.array([1.0, 12, 77]), np.array([1.0, 1, 0])
    found = patching.moved(patched_N, clean_N, donor_N, weight_N)
    self.assertAlmostEqual(float(found), (1 + 2) / (4 + 2), places=6)
    none = patching.moved(patched_N, clean_N, clean_N, weight_N)
    self.assertTrue(np.isnan(none))

  def test_slope_of_donors_to_either_side(self):
    clean_Nx1 = np.array([[0.0], [0]])
    donor_Nx1 = np.array([[2.0], [-2]])
    half = patching.slope(donor_Nx1 / 2, clean_Nx1, donor_Nx1)
    self.assertAlmostEqual(float(half), 0.5, places=6)
    # (1 * 2 + 1 * -2) / 8: the same change in all rows follows no donor.
    both = patching.slope(clean_Nx1 + 1, clean_Nx1, donor_Nx1)
    self.assertAlmostEqual(float(both), 0, places=6)


if __name__ == "__main__":
  absltest.main()
