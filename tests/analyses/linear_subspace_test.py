import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.analyses import linear

DIRECTIONS_DxK = jax.random.normal(jax.random.key(0), (6, 2))
X_BxTxD = jax.random.normal(jax.random.key(1), (3, 4, 6))


class SubspaceTest(absltest.TestCase):
  def test_the_known_answer_of_an_axis(self):
    axis_DxK = jnp.array([[0.0], [3.0], [0.0]])
    x_D = jnp.array([1.0, 2.0, 5.0])
    np.testing.assert_allclose(linear.project(x_D, axis_DxK), [0, 2, 0])
    np.testing.assert_allclose(linear.project_out(x_D, axis_DxK), [1, 0, 5])
    half = linear.project_out(x_D, axis_DxK, 0.5)
    np.testing.assert_allclose(half, [1, 1, 5])

  def test_equals_least_squares(self):
    flat = np.asarray(X_BxTxD, np.float64).reshape(-1, 6).T
    basis = np.asarray(DIRECTIONS_DxK, np.float64)
    fitted = basis @ np.linalg.lstsq(basis, flat, rcond=None)[0]
    np.testing.assert_allclose(
      linear.project(X_BxTxD, DIRECTIONS_DxK), fitted.T.reshape(3, 4, 6), atol=1e-6
    )

  def test_twice_is_once_and_the_parts_add_up(self):
    inside = linear.project(X_BxTxD, DIRECTIONS_DxK)
    outside = linear.project_out(X_BxTxD, DIRECTIONS_DxK)
    np.testing.assert_allclose(inside + outside, X_BxTxD, atol=1e-6)
    for once, act in ((inside, linear.project), (outside, linear.project_out)):
      np.testing.assert_allclose(act(once, DIRECTIONS_DxK), once, atol=1e-6)
    # |x| |direction| is about 10, so float32 rounds these products at 1e-6.
    np.testing.assert_allclose(outside @ DIRECTIONS_DxK, 0 * inside[..., :2], atol=1e-5)

  def test_dependent_directions_span_no_more(self):
    doubled_DxK = jnp.concatenate(
      [DIRECTIONS_DxK, DIRECTIONS_DxK.sum(1, keepdims=True), jnp.zeros((6, 1))], axis=1
    )
    np.testing.assert_allclose(
      linear.project(X_BxTxD, doubled_DxK), linear.project(X_BxTxD, DIRECTIONS_DxK), atol=2e-6
    )
    nothing_DxK = jnp.zeros((6, 2))
    np.testing.assert_array_equal(linear.project_out(X_BxTxD, nothing_DxK), X_BxTxD)

  def test_vmaps_over_directions(self):
    directions_RxDxK = jax.random.normal(jax.random.key(3), (5, 6, 2))
    many = jax.vmap(lambda basis: linear.project_out(X_BxTxD, basis))
    np.testing.assert_allclose(
      many(directions_RxDxK)[3], linear.project_out(X_BxTxD, directions_RxDxK[3]), atol=1e-6
    )

  def test_other_widths_are_refused(self):
    with self.assertRaisesRegex(ValueError, "x has the width 6, directions 5"):
      linear.project(X_BxTxD, jnp.ones((5, 1)))


if __name__ == "__main__":
  absltest.main()
