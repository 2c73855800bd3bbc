"""Erasers: scikit-learn's ridge, another whitening, closed forms by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.analyses import erasure
from sklearn import linear_model


def rows(n=200, width=6, targets=2, seed=0):
  """Correlated states with a mean, and targets that depend on them."""
  rng = np.random.default_rng(seed)
  mixed_DxD = rng.standard_normal((width, width))
  x_NxD = rng.standard_normal((n, width)) @ mixed_DxD + 3.0
  y_NxF = x_NxD @ rng.standard_normal((width, targets)) - 5.0
  return x_NxD, y_NxF + rng.standard_normal((n, targets))


def erased(x_NxD, eraser):
  """The eraser row by row, in plain numpy."""
  inside_NxK = (x_NxD - eraser.mean_D) @ eraser.read_DxK
  return x_NxD - inside_NxK @ eraser.write_DxK.T


def covariance(x_NxD, y_NxF):
  return (x_NxD - x_NxD.mean(0)).T @ (y_NxF - y_NxF.mean(0)) / len(x_NxD)


class MomentsTest(absltest.TestCase):
  def test_ridge_is_scikit_learns(self):
    x_NxD, y_NxF = rows()
    other_NxD, other_NxF = rows(seed=1)
    found = erasure.moments(x_NxD, y_NxF)
    kernel_DxF = erasure.ridge(found, 2.5)
    bias_F = erasure.intercept(found, kernel_DxF)
    peer = linear_model.Ridge(alpha=2.5).fit(x_NxD, y_NxF)
    np.testing.assert_allclose(kernel_DxF, peer.coef_.T, rtol=1e-9)
    np.testing.assert_allclose(bias_F, peer.intercept_, rtol=1e-9)
    # On rows that were not fitted the errors have a mean, too.
    scored = erasure.moments(other_NxD, other_NxF)
    error_NxF = peer.predict(other_NxD) - other_NxF
    np.testing.assert_allclose(
      erasure.squared_error(scored, kernel_DxF, bias_F), np.mean(error_NxF**2, 0), rtol=1e-9
    )
    np.testing.assert_allclose(
      erasure.r2(scored, kernel_DxF, bias_F),
      1 - np.mean(error_NxF**2, 0) / other_NxF.var(0),
      rtol=1e-9,
    )

  def test_leading_axes_are_members(self):
    pairs = [rows(seed=seed) for seed in range(3)]
    x_SxNxD, y_SxNxF = (np.stack(x) for x in zip(*pairs, strict=True))
    kernel_SxDxF = erasure.ridge(erasure.moments(x_SxNxD, y_SxNxF))
    for kernel_DxF, (x_NxD, y_NxF) in zip(kernel_SxDxF, pairs, strict=True):
      peer = linear_model.Ridge().fit(x_NxD, y_NxF)
      np.testing.assert_allclose(kernel_DxF, peer.coef_.T, rtol=1e-9)

  def test_erased_moments_are_those_of_erased_rows(self):
    x_NxD, y_NxF = rows()
    rng = np.random.default_rng(5)
    eraser = erasure.Eraser(*map(rng.standard_normal, ((6,), (6, 2), (6, 2))))
    found = erasure.without(erasure.moments(x_NxD, y_NxF), eraser)
    expected = erasure.moments(erased(x_NxD, eraser), y_NxF)
    for mine, peer in zip(found, expected, strict=True):
      np.testing.assert_allclose(mine, peer, rtol=1e-8)

  def test_readout_of_erased_states(self):
    x_NxD, _ = rows()
    rng = np.random.default_rng(6)
    eraser = erasure.Eraser(*map(rng.standard_normal, ((6,), (6, 2), (6, 2))))
    kernel_DxF, bias_F = rng.standard_normal((6, 3)), rng.standard_normal(3)
    changed = erasure.readout(eraser, kernel_DxF, bias_F)
    np.testing.assert_allclose(
      x_NxD @ changed[0] + changed[1], erased(x_NxD, eraser) @ kernel_DxF + bias_F, rtol=1e-9
    )


class LeaceTest(absltest.TestCase):
  def test_whitens_projects_unwhitens(self):
    # By another whitening, Cholesky's: the eraser is the same.
    x_NxD, y_NxF = rows()
    lower_DxD = np.linalg.cholesky(covariance(x_NxD, x_NxD))
    white_NxD = np.linalg.solve(lower_DxD, (x_NxD - x_NxD.mean(0)).T).T
    inside_DxK, _ = np.linalg.qr(covariance(white_NxD, y_NxF))
    white_NxD = white_NxD - white_NxD @ inside_DxK @ inside_DxK.T
    found = erased(x_NxD, erasure.leace(erasure.moments(x_NxD, y_NxF)))
    np.testing.assert_allclose(found, white_NxD @ lower_DxD.T + x_NxD.mean(0), rtol=1e-8)

  def test_leaves_no_covariance_and_moves_least(self):
    x_NxD, y_NxF = rows()
    eraser = erasure.leace(erasure.moments(x_NxD, y_NxF))
    found_NxD = erased(x_NxD, eraser)
    np.testing.assert_allclose(covariance(found_NxD, y_NxF), 0, atol=1e-10)
    np.testing.assert_allclose(found_NxD.mean(0), x_NxD.mean(0), rtol=1e-9)
    least = np.mean((found_NxD - x_NxD) ** 2)
    cross_DxF = covariance(x_NxD, y_NxF)
    rng = np.random.default_rng(2)
    for _ in range(20):
      # Any other one: x - cross (A cross)^-1 A (x - mean).
      other_FxD = eraser.read_DxK.T + 0.1 * rng.standard_normal((2, 6))
      read_DxF = np.linalg.solve(other_FxD @ cross_DxF, other_FxD).T
      other = erasure.Eraser(x_NxD.mean(0), read_DxF, cross_DxF)
      other_NxD = erased(x_NxD, other)
      np.testing.assert_allclose(covariance(other_NxD, y_NxF), 0, atol=1e-9)
      self.assertGreater(np.mean((other_NxD - x_NxD) ** 2), least)

  def test_isotropic_states_lose_one_direction(self):
    rng = np.random.default_rng(3)
    white_NxD, _ = np.linalg.qr(rng.standard_normal((50, 4)))
    white_NxD, _ = np.linalg.qr(white_NxD - white_NxD.mean(0))
    y_Nx1 = white_NxD @ np.array([[3.0], [0], [4], [0]])
    eraser = erasure.leace(erasure.moments(white_NxD, y_Nx1))
    projector_DxD = eraser.read_DxK @ eraser.write_DxK.T
    expected_D = np.array([0.6, 0, 0.8, 0])
    np.testing.assert_allclose(projector_DxD, np.outer(expected_D, expected_D), atol=1e-9)

  def test_directions_that_do_not_vary_stay(self):
    x_NxD, y_NxF = rows()
    x_NxD = np.concatenate([x_NxD, np.full((200, 1), 7.0)], 1)
    found_NxD = erased(x_NxD, erasure.leace(erasure.moments(x_NxD, y_NxF)))
    np.testing.assert_allclose(found_NxD[:, -1], 7)
    np.testing.assert_allclose(covariance(found_NxD, y_NxF), 0, atol=1e-9)


class DirectionsTest(absltest.TestCase):
  def test_repeated_and_zero_columns_erase_their_span_alone(self):
    x_D = np.array([0.0, 1.0, 1.0])
    e1, e2, zero = np.eye(3)[0], np.eye(3)[1], np.zeros(3)
    for columns, expected_D in (
      ([e1, e1], [0, 1, 1]),
      ([zero, e2], [0, 0, 1]),
      ([zero, zero], [0, 1, 1]),
      ([e1, e2, e1 + e2], [0, 0, 1]),
      ([e2, 1e-13 * np.eye(3)[2]], [0, 0, 1]),  # rounding beside the longest
      ([e2, 1e-9 * np.eye(3)[2]], [0, 0, 0]),
    ):
      eraser = erasure.directions(np.zeros(3), np.stack(columns, 1))
      np.testing.assert_allclose(erased(x_D[None], eraser)[0], expected_D, atol=1e-12)

  def test_the_tolerance_follows_the_numbers_given(self):
    # A third of float32 is off by 1e-8 of itself: one direction, not two.
    column_D = np.random.default_rng(0).standard_normal(8).astype(np.float32)
    pair_Dx2 = np.stack([column_D, column_D / np.float32(3)], 1)
    basis_DxK = erasure.directions(np.zeros(8), pair_Dx2).read_DxK
    np.testing.assert_allclose(np.linalg.norm(basis_DxK, axis=0), [1, 0], atol=1e-6)

  def test_members_may_differ_in_rank(self):
    direction_SxDxK = np.stack([np.eye(3)[:, :2], np.eye(3)[:, [0, 0]]])
    basis_SxDxK = erasure.directions(np.zeros((2, 3)), direction_SxDxK).read_DxK
    projector = basis_SxDxK @ np.swapaxes(basis_SxDxK, 1, 2)
    np.testing.assert_allclose(projector, [np.diag([1, 1, 0]), np.diag([1, 0, 0])], atol=1e-12)

  def test_equal_targets_are_one_direction_of_leace(self):
    x_NxD, y_NxF = rows(targets=1)
    once = erasure.leace(erasure.moments(x_NxD, y_NxF))
    twice = erasure.leace(erasure.moments(x_NxD, y_NxF[:, [0, 0]]))
    np.testing.assert_allclose(erased(x_NxD, twice), erased(x_NxD, once), atol=1e-8)


class R2Test(absltest.TestCase):
  def test_a_constant_target_has_none(self):
    x_NxD, y_NxF = rows()
    y_NxF[:, 1] = 1e8 / 3
    found = erasure.moments(x_NxD, y_NxF)
    kernel_DxF = erasure.ridge(found)
    r2_F = erasure.r2(found, kernel_DxF, erasure.intercept(found, kernel_DxF))
    np.testing.assert_array_equal(np.isnan(r2_F), [False, True])


class NullSpaceTest(absltest.TestCase):
  def test_no_direction_comes_twice_beyond_the_rank(self):
    x_NxD, y_NxF = rows(width=3, targets=1)
    wide_NxD = x_NxD @ np.random.default_rng(4).standard_normal((3, 5))
    full_NxD = rows(width=5)[0]
    found = erasure.moments(np.stack([wide_NxD, full_NxD]), np.stack([y_NxF, y_NxF]))
    found_SxRxD = erasure.null_space(found, 7, 1e-3)
    for found_RxD, rank in zip(found_SxRxD, (3, 5), strict=True):
      there_R = (np.arange(7) < rank).astype(float)
      np.testing.assert_allclose(found_RxD @ found_RxD.T, np.diag(there_R), atol=1e-9)

  def test_no_rows_and_no_penalty(self):
    found = erasure.moments(*rows())
    self.assertEqual(erasure.null_space(found, 0).shape, (0, 6))
    with self.assertRaisesRegex(ValueError, "count=-1 must be a whole number of at least 0"):
      erasure.null_space(found, -1)
    for alpha in (0.0, np.nan):
      with self.assertRaisesRegex(ValueError, "need alpha > 0, got"):
        erasure.null_space(found, 2, alpha)

  def test_is_a_loop_over_fits_of_rows(self):
    x_NxD, y_NxF = rows(width=8, targets=1)
    found_RxD = erasure.null_space(erasure.moments(x_NxD, y_NxF), 4, 2.0)
    np.testing.assert_allclose(found_RxD @ found_RxD.T, np.eye(4), atol=1e-9)
    for direction_D in found_RxD:
      peer = linear_model.Ridge(alpha=2.0).fit(x_NxD, y_NxF[:, 0])
      expected_D = peer.coef_ / np.linalg.norm(peer.coef_)
      np.testing.assert_allclose(direction_D, expected_D, atol=1e-8)
      x_NxD = x_NxD - np.outer(x_NxD @ expected_D, expected_D)

  def test_one_direction_is_all_that_isotropic_states_have(self):
    white_NxD, _ = np.linalg.qr(rows()[0] - rows()[0].mean(0))
    found = erasure.moments(white_NxD, white_NxD @ np.ones((6, 1)))
    direction_RxD = erasure.null_space(found, 1, 1e-9)
    basis_DxR = direction_RxD.T
    left = erasure.without(found, erasure.Eraser(found.mean_D, basis_DxR, basis_DxR))
    np.testing.assert_allclose(left.cross_DxF, 0, atol=1e-9)


class TracedTest(absltest.TestCase):
  def test_whitened_is_leace(self):
    x_NxD, y_NxF = rows()
    found = erasure.moments(x_NxD, y_NxF)
    expected = erasure.leace(found)
    read_DxK, write_DxK = jax.jit(erasure.whitened)(
      jnp.asarray(found.gram_DxD, jnp.float32), jnp.asarray(found.cross_DxF, jnp.float32)
    )
    np.testing.assert_allclose(
      read_DxK @ write_DxK.T, expected.read_DxK @ expected.write_DxK.T, atol=2e-4
    )

  def test_penalty_makes_room_and_leaves_no_covariance(self):
    x_NxD, y_NxF = rows(width=4, targets=1)
    x_NxD = np.concatenate([x_NxD, x_NxD[:, :2]], 1)  # of rank 4 in 6
    found = erasure.moments(x_NxD, np.concatenate([y_NxF, 2 * y_NxF], 1))
    read_DxK, write_DxK = erasure.whitened(
      jnp.asarray(found.gram_DxD, jnp.float32), jnp.asarray(found.cross_DxF, jnp.float32), 5.0
    )
    erased_NxD = erasure.erase(
      jnp.asarray(x_NxD, jnp.float32),
      jnp.asarray(found.mean_D, jnp.float32)[None],
      read_DxK,
      write_DxK,
    )
    before = np.abs(covariance(x_NxD, y_NxF)).max()
    after = np.abs(covariance(np.asarray(erased_NxD, float), y_NxF)).max()
    self.assertLess(after, 1e-4 * before)
    # Two targets that are one leave one direction.
    np.testing.assert_array_equal(np.asarray(read_DxK)[:, 1], 0)

  def test_another_rows_component_takes_its_place(self):
    x_NxD = jnp.array([[1.0, 2, 3], [4, 5, 6]])
    second_Dx1 = jnp.array([[0.0], [1], [0]])
    found = erasure.erase(x_NxD, x_NxD[::-1], second_Dx1, second_Dx1)
    np.testing.assert_allclose(found, [[1, 5, 3], [4, 2, 6]])
    mean_1xD = jnp.array([[9.0, 9, 9]])
    found = erasure.erase(x_NxD, mean_1xD, second_Dx1, second_Dx1)
    np.testing.assert_allclose(found, [[1, 9, 3], [4, 9, 6]])

  def test_share_of_variance_removed(self):
    gram_DxD = jnp.diag(jnp.array([1.0, 2, 5]))
    share = lambda read, write: float(
      erasure.removed(gram_DxD, jnp.array(read)[:, None], write[:, None])
    )
    second_D = jnp.array([0.0, 1, 0])
    self.assertAlmostEqual(share(second_D, second_D), 2 / 8, places=6)
    # Scaled by 3 it moves states three times as far.
    self.assertAlmostEqual(share(second_D, 3 * second_D), 18 / 8, places=5)
    # Oblique: reads the second, moves along the first and the third.
    write_D = jnp.array([1.0, 0, 2])
    self.assertAlmostEqual(share(second_D, write_D), 10 / 8, places=6)
    eye_DxD = jnp.eye(3)
    self.assertAlmostEqual(float(erasure.removed(gram_DxD, eye_DxD, eye_DxD)), 1, places=6)


if __name__ == "__main__":
  absltest.main()
