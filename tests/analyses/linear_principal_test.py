import jax
import numpy as np
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.analyses import linear as linear_lib
from sklearn import decomposition

linear = Jitted(linear_lib)
X_NxD = np.random.default_rng(0).normal(size=(10, 7)) * np.arange(1, 8) + 3


def _pca(x_NxD, **options):
  found = linear.pca(x_NxD, **options)
  return linear_lib.Components(*map(np.asarray, found))


class PcaTest(parameterized.TestCase):
  def test_equals_sklearn(self):
    peer = decomposition.PCA().fit(X_NxD)
    found = _pca(X_NxD)
    np.testing.assert_allclose(found.mean_D, peer.mean_, rtol=1e-5)
    np.testing.assert_allclose(found.share_Q, peer.explained_variance_ratio_, rtol=1e-4)
    sign_Q = np.sign(np.sum(found.direction_QxD * peer.components_, axis=1))
    np.testing.assert_allclose(found.direction_QxD * sign_Q[:, None], peer.components_, atol=1e-4)
    np.testing.assert_allclose(found.score_NxQ * sign_Q, peer.transform(X_NxD), atol=1e-4)

  @parameterized.product(shape=((10, 7), (5, 7)), centre=(True, False), signs=(True, False))
  def test_rebuilds_the_rows(self, shape, centre, signs):
    x_NxD = X_NxD[: shape[0]]
    found = _pca(x_NxD, centre=centre)
    found = linear.oriented(found) if signs else found
    mean_D, score_NxQ, direction_QxD, _ = map(np.asarray, found)
    self.assertEqual(score_NxQ.shape, (shape[0], min(shape)))
    rebuilt_NxD = mean_D + score_NxQ @ direction_QxD
    np.testing.assert_allclose(rebuilt_NxD, x_NxD, atol=2e-5)

  def test_uncentred_shares_are_the_squared_singular_values(self):
    value_Q = np.linalg.svd(X_NxD, compute_uv=False)
    found = _pca(X_NxD, centre=False)
    np.testing.assert_array_equal(found.mean_D, np.zeros(7))
    np.testing.assert_allclose(found.share_Q, value_Q**2 / np.sum(X_NxD**2), rtol=1e-4)

  def test_kept_and_removed_parts_meet_in_the_mean(self):
    x_NxD = np.float32(X_NxD)
    found = _pca(x_NxD)
    span_DxK = found.direction_QxD[:2].T
    centred_NxD = x_NxD - found.mean_D[None]
    both = linear.project(linear.project_out(centred_NxD, span_DxK), span_DxK)
    np.testing.assert_allclose(both, np.zeros((10, 7)), atol=2e-5)


class OrientedTest(absltest.TestCase):
  def test_an_arc_is_drawn_from_left_to_right_with_its_ends_up(self):
    k_N = np.arange(10) - 4.5
    score_NxQ = np.stack([k_N, 0.2 * (k_N**2 - np.mean(k_N**2))], 1)
    direction_QxD = np.linalg.qr(X_NxD[:7, :2])[0].T
    for sign_Q in ([1, 1], [1, -1], [-1, 1], [-1, -1]):
      x_NxD = (score_NxQ * sign_Q) @ direction_QxD + 2
      found = linear_lib.Components(*map(np.asarray, linear.oriented(linear.pca(x_NxD))))
      np.testing.assert_allclose(found.score_NxQ[:, :2], score_NxQ, atol=1e-4)
      np.testing.assert_allclose(
        found.direction_QxD[:2], direction_QxD * np.array(sign_Q)[:, None], atol=1e-5
      )

  def test_vmaps_over_snapshots(self):
    x_CxNxD = np.float32(np.stack([X_NxD, X_NxD[::-1]]))
    orient = jax.jit(lambda x: linear_lib.oriented(linear_lib.pca(x)).score_NxQ)
    many_CxNxQ = np.asarray(jax.vmap(orient)(x_CxNxD))
    for c in (0, 1):
      one = orient(x_CxNxD[c])
      np.testing.assert_allclose(many_CxNxQ[c], one, atol=1e-4)
    # The first score rises along the rows, whichever way they are ordered.
    np.testing.assert_allclose(many_CxNxQ[0][:, 0], -many_CxNxQ[1][::-1, 0], atol=1e-4)


if __name__ == "__main__":
  absltest.main()
