import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.analyses import linear

svd, solve = jax.jit(linear.svd), jax.jit(linear.solve)
X_SxNxD = np.random.default_rng(0).normal(size=(5, 30, 8)).astype(np.float32)


class SvdTest(absltest.TestCase):
  def test_equals_numpy_alone_and_in_a_batch(self):
    batch = jax.device_get(jax.jit(jax.vmap(linear.svd))(X_SxNxD))
    for s in range(5):
      alone = jax.device_get(svd(X_SxNxD[s]))
      expected_Q = np.linalg.svd(np.asarray(X_SxNxD[s]), compute_uv=False)
      for found in (alone, jax.tree.map(lambda leaf, s=s: leaf[s], batch)):
        np.testing.assert_allclose(found.value_Q, expected_Q, rtol=1e-5)
        scaled = found.left_NxQ * found.value_Q[None]
        np.testing.assert_allclose(scaled @ found.right_QxD, X_SxNxD[s], atol=1e-5)

  def test_many_batches_in_one_program_come_to_an_end(self):
    # Three batched decompositions at once used to wait for each other.
    def total(x_NxD):
      y_NxF = jnp.tile(x_NxD[:, :1], (1, 512))
      solve = lambda scale: linear.solve(scale * x_NxD, y_NxF).sum()
      return solve(1.0) + solve(2.0) + solve(4.0)

    x_SxNxD = np.random.default_rng(1).normal(size=(36, 100, 20)).astype(np.float32)
    program = jax.jit(jax.vmap(total))
    for _ in range(3):
      total_S = program(x_SxNxD)
    # x b = first column: b is the first unit vector, 512 times.
    np.testing.assert_allclose(total_S, 512 * (1 + 1 / 2 + 1 / 4), rtol=1e-4)


class SolveTest(absltest.TestCase):
  def test_equals_numpy_with_and_without_full_rank(self):
    y_NxF = np.random.default_rng(2).normal(size=(30, 3)).astype(np.float32)
    for x_NxD in (X_SxNxD[0], np.concatenate([X_SxNxD[0], X_SxNxD[0][:, :2]], axis=1)):
      expected = np.linalg.lstsq(
        np.asarray(x_NxD, np.float64), np.asarray(y_NxF, np.float64), 1e-6
      )[0]
      found = solve(x_NxD, y_NxF)
      np.testing.assert_allclose(found, expected, atol=1e-5)


if __name__ == "__main__":
  absltest.main()
