import itertools
import math

import numpy as np
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import rollout, slots

LN8 = 2.0794415


class RemovalTest(parameterized.TestCase):
  def test_few_slots_have_all_subsets(self):
    keep_RxM = slots.removals(4, draws=6, seed=0)
    found = {tuple(row) for row in keep_RxM.tolist()}
    self.assertEqual(found, set(itertools.product((0.0, 1.0), repeat=4)))
    self.assertLen(keep_RxM, 16)
    np.testing.assert_array_equal(keep_RxM[0], 1)
    np.testing.assert_array_equal(keep_RxM[1:5], 1 - np.eye(4))
    np.testing.assert_array_equal(keep_RxM[-1], 0)

  def test_many_slots_have_drawn_subsets(self):
    keep_RxM = slots.removals(8, draws=5, seed=3)
    removed_R = 8 - keep_RxM.sum(1)
    count_P = np.bincount(removed_R.astype(int))
    # Every slot alone is there; 7 of 8 removed has 8 subsets, more than 5.
    np.testing.assert_array_equal(count_P, [1, 8, 5, 5, 5, 5, 5, 5, 1])
    self.assertLen({tuple(row) for row in keep_RxM.tolist()}, len(keep_RxM))
    self.assertTrue((np.diff(removed_R) >= 0).all())
    again = slots.removals(8, draws=5, seed=3)
    np.testing.assert_array_equal(keep_RxM, again)
    self.assertTrue((keep_RxM != slots.removals(8, draws=5, seed=4)).any())

  def test_one_slot(self):
    np.testing.assert_array_equal(slots.removals(1, draws=2, seed=0), [[1], [0]])

  def test_sums_hide_what_identical_slots_can_do_for_each_other(self):
    keep_RxM = slots.removals(3, draws=9, seed=0)
    loss_R = np.where(keep_RxM.any(1), 0.0, 0.7)  # any one slot will do
    single_M = loss_R[1:4]
    np.testing.assert_array_equal(single_M, 0)
    sum_R = slots.sums_as_published(single_M, keep_RxM)
    np.testing.assert_array_equal(sum_R, 0)
    joint_P = slots.by_count(loss_R, keep_RxM)
    np.testing.assert_allclose(joint_P, [0, 0, 0, 0.7])

  def test_sums_of_independent_slots_are_exact(self):
    keep_RxM = slots.removals(4, draws=9, seed=0)
    effect_M = np.array([0.1, 0.2, 0.4, 0.8])
    loss_R = np.array([sum(effect_M[row == 0]) for row in keep_RxM])
    sum_R = slots.sums_as_published(effect_M, keep_RxM)
    np.testing.assert_allclose(sum_R, loss_R)
    # Each slot is in half of all subsets of size 2: mean 2 * 1.5 / 4.
    joint_P = slots.by_count(loss_R, keep_RxM)
    np.testing.assert_allclose(joint_P, [0, 0.375, 0.75, 1.125, 1.5])

  def test_published_sum_of_eight_single_effects(self):
    delta_M = [0.000321, -0.001248, 0.002834, 0.005754]
    delta_M += [-0.003201, 0.003520, 0.001415, 0.002954]
    (total,) = slots.sums_as_published(delta_M, np.zeros((1, 8)))
    self.assertAlmostEqual(total, 0.01235, places=5)

  @parameterized.parameters(
    (lambda: slots.removals(0, draws=1, seed=0), "0 slots"),
    (lambda: slots.by_count([0.0], [[1, 1]]), r"removes \[1, 2\]"),
    (lambda: slots.entropy([-1.0, 2.0]), "not negative"),
    (lambda: slots.homogeneity([1.0], [1.0]), "two means"),
    (lambda: slots.homogeneity([1.0, 2.0], [1.0, 0.0]), "error above 0"),
    (lambda: slots.remeasured([1.0], 0, draws=1, seed=0), "size=0"),
  )
  def test_bad_input_is_named(self, call, said):
    with self.assertRaisesRegex(ValueError, said):
      call()


class AlikeTest(absltest.TestCase):
  def test_identical_and_orthogonal_slots(self):
    same_MxD = np.tile([0.3, -0.4, 1.2], (5, 1))
    cosine_MxM = slots.cosines(same_MxD.T)
    self.assertAlmostEqual(slots.off_diagonal(cosine_MxM), 1.0, places=6)
    cosine_MxM = slots.cosines(3 * np.eye(4))
    self.assertEqual(slots.off_diagonal(cosine_MxM), 0.0)
    self.assertTrue(np.isnan(slots.off_diagonal([[1.0]])))

  def test_off_diagonal_keeps_leading_axes(self):
    matrix = np.array([[[9.0, 1.0], [3.0, 9.0]], [[0.0, 5.0], [7.0, 0.0]]])
    np.testing.assert_array_equal(slots.off_diagonal(matrix), [2, 6])

  def test_correlation_equals_numpy_and_knows_signs(self):
    rng = np.random.default_rng(0)
    gradient_RxMxD = rng.normal(2, 1, (7, 3, 5))
    gradient_RxMxD[:, 2] = 4 - 2 * gradient_RxMxD[:, 0]
    found_MxM = slots.gradient_correlation(gradient_RxMxD)
    flat = [gradient_RxMxD[:, m].ravel() for m in range(3)]
    np.testing.assert_allclose(found_MxM, np.corrcoef(flat), atol=1e-12)
    self.assertAlmostEqual(found_MxM[0, 2], -1)

  def test_constant_gradient_correlates_with_nothing(self):
    gradient_RxMxD = np.stack([np.arange(6.0), np.ones(6)])[None]
    found_MxM = slots.gradient_correlation(gradient_RxMxD)
    np.testing.assert_allclose(found_MxM, [[1, 0], [0, 0]])


class EntropyTest(absltest.TestCase):
  def test_uniform_and_single(self):
    self.assertAlmostEqual(slots.entropy(np.full(8, 3.0)), LN8)
    self.assertAlmostEqual(slots.uniformity(np.ones(8)), 1)
    self.assertAlmostEqual(slots.uniformity_as_published(np.ones(8)), 1)
    one_M = np.eye(8)[2]
    self.assertEqual(slots.entropy(one_M), 0)
    self.assertAlmostEqual(slots.uniformity(one_M), 1 / 8)
    self.assertTrue(np.isnan(slots.entropy(np.zeros(8))))
    half_M = np.repeat([1.0, 0.0], 4)
    self.assertAlmostEqual(slots.uniformity(half_M), 0.5)
    self.assertAlmostEqual(slots.uniformity_as_published(half_M), 2 / 3)

  def test_published_readout_weights(self):
    weight_M = [0.126858, 0.126072, 0.125810, 0.122699]
    weight_M += [0.122674, 0.127294, 0.124935, 0.123659]
    found = slots.uniformity_as_published(weight_M)
    self.assertAlmostEqual(found, 0.99996, places=5)

  def test_published_effects(self):
    effect_M = [0.00470, 0.02064, 0.00398, 0.01454]
    effect_M += [0.01163, 0.01464, 0.01819, 0.01567]
    self.assertAlmostEqual(slots.entropy(effect_M), 1.972, places=3)


class BlocksTest(parameterized.TestCase):
  @parameterized.parameters(
    ((0.20132, 0.01902, 0.42837, 0.45068), 0.644),  # E4, seed 7
    ((-0.01558, 0.05921, 0.26660, 0.32488), 0.888),  # the same weights again
    ((0.33146, 0.15433, 0.35480, 0.34742), 0.279),  # E5, seed 7
  )
  def test_published_variation(self, mean_P, reported):
    found = slots.variation_as_published(mean_P)
    self.assertAlmostEqual(found, reported, places=3)

  def test_variation_has_no_scale(self):
    # ln 2 nats on every block: spacings in other units.
    mean_P = np.array([0.2, 0.3, 0.4])
    first = slots.variation_as_published(mean_P)
    second = slots.variation_as_published(mean_P + math.log(2))
    self.assertGreater(first / second, 3)

  def test_homogeneity_by_hand(self):
    found = slots.homogeneity([0.0, 3.0], [1.0, 2.0])
    # Weights 1 and 1/4: mean 0.6, X^2 = 0.36 + 5.76 / 4 = 1.8.
    self.assertAlmostEqual(found.p, scipy.stats.norm.sf(1.8**0.5) * 2)
    self.assertAlmostEqual(found.sd, 3 / 2**0.5)
    self.assertAlmostEqual(found.noise, 2.5**0.5)

  def test_equal_blocks_are_noise_and_shifted_ones_are_not(self):
    nll_PxN = np.random.default_rng(0).normal(0.3, 1.2, (8, 400))
    same = slots.blocks(nll_PxN, block=5)
    np.testing.assert_allclose(same.mean_P, nll_PxN.mean(1))
    np.testing.assert_allclose(same.error_P, 1.2 / 20, rtol=0.2)
    self.assertGreater(same.p, 0.01)
    self.assertBetween(same.sd / same.noise, 0.4, 1.8)
    nll_PxN += 0.3 * np.arange(8)[:, None]
    apart = slots.blocks(nll_PxN, block=5)
    self.assertLess(apart.p, 1e-9)
    self.assertAlmostEqual(apart.noise, same.noise)


class AttentionTest(absltest.TestCase):
  def test_centre_of_mass(self):
    attention_MxT = np.zeros((3, 10))
    attention_MxT[0, 7] = 0.25  # one-hot, whatever its weight
    attention_MxT[1] = 0.1
    centre_M = slots.centre_of_mass(attention_MxT)
    np.testing.assert_allclose(centre_M, [7, 4.5, np.nan])


class RankTest(absltest.TestCase):
  def test_rank_one_gradients(self):
    rng = np.random.default_rng(0)
    direction_D = rng.normal(size=6)
    gradient_RxMxD = rng.normal(1, 1, (5, 4, 1)) * direction_D
    for rank in (slots.gradient_rank, slots.gradient_rank_as_published):
      found = rank(gradient_RxMxD)
      self.assertEqual(found.r90, 1)
      self.assertAlmostEqual(found.effective, 1)

  def test_common_gradient_is_rank_one_only_without_the_centring(self):
    gradient_RxMxD = np.ones((3, 4, 5))
    self.assertEqual(slots.gradient_rank(gradient_RxMxD), (1, 1.0))

  def test_orthogonal_slots_fill_the_rank(self):
    gradient_RxMxD = np.tile(np.eye(8, 12), (20, 1, 1))
    found = slots.gradient_rank(gradient_RxMxD)
    self.assertEqual(found.r90, 8)
    self.assertAlmostEqual(found.effective, 8)

  def test_noise_of_batches_counts_as_rank_as_published(self):
    rng = np.random.default_rng(1)
    common_D = np.ones(64)
    gradient_RxMxD = common_D + 0.3 * rng.normal(size=(20, 8, 64))
    self.assertEqual(slots.gradient_rank(gradient_RxMxD).r90, 1)
    found = slots.gradient_rank_as_published(gradient_RxMxD)
    self.assertGreater(found.r90 / 8, 2)
    value_K = np.sort(
      np.linalg.svd(
        (gradient_RxMxD - gradient_RxMxD.mean((0, 1))).reshape(160, 64), compute_uv=False
      )
    )[::-1]
    share_K = value_K**2 / np.sum(value_K**2)
    self.assertGreaterEqual(share_K[: found.r90].sum(), 0.9)
    self.assertLess(share_K[: found.r90 - 1].sum(), 0.9)
    entropy = -np.sum(share_K * np.log(share_K))
    self.assertAlmostEqual(found.effective, np.exp(entropy))


class RemeasuredTest(absltest.TestCase):
  def test_spread_is_that_of_a_mean(self):
    # Published: standard deviation about 1.2 by window, 500 windows, so that
    # two measurements differ by about 0.08 (0.172 and 0.203 were seen).
    value_N = np.random.default_rng(0).normal(0.19, 1.2, 4000)
    mean_R = slots.remeasured(value_N, 500, draws=3000, seed=1)
    self.assertAlmostEqual(mean_R.std(), value_N.std() / 500**0.5, delta=2e-3)
    self.assertAlmostEqual(mean_R.mean(), value_N.mean(), delta=3e-3)

  def test_differences_stay_paired(self):
    value_2xN = np.random.default_rng(0).normal(size=(1, 50)) + [[0.0], [2.0]]
    mean_2xR = slots.remeasured(value_2xN, 10, draws=20, seed=0)
    np.testing.assert_allclose(mean_2xR[1] - mean_2xR[0], 2)


class SlopeTest(absltest.TestCase):
  def test_published_slope(self):
    error_Q = np.full(200, np.nan)
    error_Q[[0, 9, 49, 199]] = 0.26038, 0.33256, 0.34597, 0.39822
    slope = rollout.log_log_slope_as_published(error_Q, (1, 10, 50, 200))
    self.assertAlmostEqual(slope, 0.0760, places=4)


if __name__ == "__main__":
  absltest.main()
