"""Probed subspaces: hand-made states, scikit-learn."""

import jax
import numpy as np
from absl.testing import absltest
from jitted import Jitted
from primelens.analyses import erasure as erasure_lib
from sklearn import linear_model

erasure = Jitted(erasure_lib)


def white(rows, width, seed=0):
  """Centred columns, uncorrelated, of variance one, exactly."""
  rng = np.random.default_rng(seed)
  x_NxD = rng.standard_normal((rows, width))
  basis_NxD, _ = np.linalg.qr(x_NxD - x_NxD.mean(0))
  return basis_NxD * np.sqrt(rows)


class SubspacesTest(absltest.TestCase):
  def test_two_of_uncorrelated_features(self):
    scale_D = np.array([0.5, 2.0, 1.0, 3.0])
    white_NxD = white(4000, 4)
    y_Nx1 = white_NxD[:, :1] + white_NxD[:, 1:2]
    order_RxN = np.random.default_rng(0).permuted(np.tile(np.arange(4000), (3, 1)), axis=1)
    x_NxD = np.float32(white_NxD * scale_D + 1.0)
    found = erasure.probed(x_NxD, np.float32(y_Nx1), order_RxN, draws=2, key=jax.random.key(0))
    found = jax.device_get(found)
    self.assertEqual(found.read_RxDxK.shape, (2 + 3 + 3 + 2, 4, 1))
    projector = lambda r: found.read_RxDxK[r] @ found.write_RxDxK[r].T
    # The regression reads z0 + z1: by 1 / scale of both.
    unit_D = np.array([2, 0.5, 0, 0]) / np.hypot(2, 0.5)
    np.testing.assert_allclose(projector(0), np.outer(unit_D, unit_D), atol=2e-3)
    # LEACE removes (z0 + z1) / 2 from both.
    along_D = np.array([1, 1, 0, 0])
    expected = np.outer(along_D / scale_D, along_D * scale_D) / 2
    np.testing.assert_allclose(projector(1), expected, atol=2e-3)
    removed_R, total = np.asarray(found.removed_R), np.sum(scale_D**2)
    self.assertAlmostEqual(removed_R[0] * total, 2 / (4 + 0.25), delta=2e-3)
    self.assertAlmostEqual(removed_R[1] * total, 4.25 / 2, delta=2e-3)
    # Permuted labels have directions of their own, as scikit-learn says.
    for r, order_N in enumerate(order_RxN):
      peer = linear_model.Ridge().fit(np.asarray(x_NxD), y_Nx1[order_N, 0])
      other_D = peer.coef_ / np.linalg.norm(peer.coef_)
      np.testing.assert_allclose(projector(2 + r), np.outer(other_D, other_D), atol=2e-3)
    # Strengths make all of them move states as far as the probed one.
    like_R = np.array([0, 1, 0, 0, 0, 1, 1, 1, 0, 0])
    np.testing.assert_allclose(
      np.asarray(found.strength_R) ** 2 * removed_R, removed_R[like_R], rtol=1e-4
    )

  def test_frequencies_with_a_code_are_found(self):
    rng = np.random.default_rng(0)
    angle_NxQ = 2 * np.pi / 31 * rng.integers(0, 31, 400)[:, None] * np.arange(1, 16)
    y_NxF = np.stack([np.cos(angle_NxQ), np.sin(angle_NxQ)], -1).reshape(400, -1)
    y_NxF = (y_NxF / y_NxF.std(0)).astype(np.float32)
    x_NxD = rng.standard_normal((len(y_NxF), 16))
    kept = [2 * (n - 1) + i for n in (3, 7, 8, 12, 15) for i in range(2)]
    x_NxD[:, :10] = y_NxF[:, kept]
    x_NxD = np.float32(x_NxD)
    x_NxD = x_NxD - x_NxD.mean(0)[None]
    count = erasure_lib.probed_rank(30)
    found = erasure.fitted_subspaces(x_NxD, x_NxD.T @ x_NxD, y_NxF, count=count)
    basis_DxK, _ = found["ridge"]
    self.assertEqual(basis_DxK.shape, (16, 10))
    inside_D = np.sum(np.asarray(basis_DxK) ** 2, 1)
    np.testing.assert_allclose(inside_D[:10], 1, atol=0.01)
    np.testing.assert_allclose(inside_D[10:], 0, atol=0.01)

  def test_states_that_never_vary_have_no_subspace(self):
    x_NxD = np.full((50, 4), 0.3, np.float32) + np.float32(1e-8)
    y_Nx1 = np.float32(white(50, 1))
    found = erasure.probed(x_NxD, y_Nx1, np.arange(50)[None], draws=1, key=jax.random.key(0))
    found = jax.device_get(found)
    np.testing.assert_array_equal(found.read_RxDxK[:-1], 0)
    self.assertTrue(np.isfinite(found.strength_R).all())


if __name__ == "__main__":
  absltest.main()
