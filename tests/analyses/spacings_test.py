import tempfile

import numpy as np
import odlyzko
import scipy.stats
import threadpoolctl
from absl.testing import absltest, parameterized
from primelens.analyses import sine_process, spacings, spectra
from primelens.tasks import surrogates, zeros


def setUpModule():
  # The matrices here are small: more threads would wait for each other.
  limit = threadpoolctl.threadpool_limits(1, user_api="blas")
  absltest.unittest.addModuleCleanup(limit.restore_original_limits)


def _poisson(count, seed=0):
  return np.cumsum(np.random.default_rng(seed).exponential(size=count))


def _gue(matrices, size, seed=0):
  """Returns unfolded levels RxN of the central half of GUE matrices."""
  gap_RxN = surrogates.gue_spacings(seed, matrices=matrices, size=size)
  return np.cumsum(gap_RxN, axis=1)


class PairCorrelationTest(parameterized.TestCase):
  EDGE = np.linspace(0, 3, 31)

  def test_independent_levels_are_at_every_distance(self):
    r2_P, error_P = spacings.pair_correlation(np.diff(_poisson(200_000)), self.EDGE)
    np.testing.assert_allclose(r2_P, 1, atol=0.05)
    self.assertLess(np.abs((r2_P - 1) / error_P).max(), 5)

  def test_a_picket_fence_has_its_pickets(self):
    r2_P, error_P = spacings.pair_correlation(np.ones(200), [0.5, 1.5, 1.9, 2.1])
    np.testing.assert_allclose(r2_P, [1, 0, 5])  # one level in bins of 1, 0.4 and 0.2
    np.testing.assert_allclose(error_P, 0, atol=1e-12)

  def test_the_sine_process_has_one_minus_sinc_squared(self):
    gap_RxN = surrogates.cue_spacings(0, matrices=300, size=100)
    r2_P, error_P = spacings.pair_correlation(gap_RxN, self.EDGE)
    middle_P = (self.EDGE[:-1] + self.EDGE[1:]) / 2
    away_P = (r2_P - (1 - np.sinc(middle_P) ** 2)) / np.maximum(error_P, 2e-3)
    self.assertLess(np.abs(away_P).max(), 5)

  def test_edges_rise(self):
    with self.assertRaisesRegex(ValueError, "edges of bins rise"):
      spacings.pair_correlation(np.ones(100), [1.0, 0.5])


class UnfoldTest(parameterized.TestCase):
  def test_central(self):
    found = spacings.central(np.arange(256)[::-1])
    np.testing.assert_array_equal(found, np.arange(38, 217))
    found = spacings.central(np.arange(10), (0, 0.5))
    np.testing.assert_array_equal(found, np.arange(5))

  def test_polynomial_counts_become_even(self):
    level_N = np.sqrt(np.arange(50) + 0.5)  # count = level^2
    np.testing.assert_allclose(spacings.unfold(level_N), np.arange(50) + 0.5)

  def test_local_by_hand(self):
    level_N = np.cumsum([0.0, 1, 2, 3, 6])
    found = spacings.unfold(level_N, "local", reach=1, degree=2)
    np.testing.assert_allclose(np.diff(found), [1 / 1.5, 1, 9 / 11, 6 / 4.5])

  def test_none(self):
    found = spacings.unfold([3.0, 5, 4, 9, 10, 11, 21], "none")
    np.testing.assert_allclose(np.diff(found), np.array([1, 1, 4, 1, 1, 10]) / 3)

  def test_a_law_of_ones_own(self):
    level_N = np.linspace(1, 2, 9)
    np.testing.assert_array_equal(spacings.unfold(level_N, np.square), level_N**2)

  def test_semicircle(self):
    size = 400
    rng = np.random.default_rng(0)
    level_N = surrogates.gue_eigenvalues(rng, size)
    level_N[-1] = 1e3  # an outlier moves nothing
    found = spacings.unfold(level_N, "semicircle")
    expected = surrogates.semicircle_counts(level_N, size)
    np.testing.assert_allclose(found, expected, atol=3)

  def test_equal_levels(self):
    level_N = np.append(np.zeros(30), np.arange(10.0))
    found = spacings.unfold(level_N, "local", reach=3)
    np.testing.assert_array_equal(np.diff(found)[:26], 0)
    np.testing.assert_allclose(np.diff(found)[-6:], 1)
    with self.assertRaisesRegex(ValueError, "half of the levels"):
      spacings.semicircle(level_N)

  @parameterized.parameters("polynomial", "local", "semicircle", "none")
  def test_mean_spacing_is_one(self, method):
    for level_N in spectra.goe_null(256, 3):
      if method != "semicircle":
        level_N = spacings.central(level_N)
      unfolded_N = spacings.unfold(level_N, method)
      step_N = np.diff(spacings.central(unfolded_N, (0.2, 0.8)))
      self.assertAlmostEqual(step_N.mean(), 1, delta=0.05)

  def test_refuses(self):
    for bad, message in (
      (np.ones(9), "equal"),
      (np.ones((9, 2)), "in a row"),
      ([1.0, 2, 3], "7 levels"),
      ([*range(9), np.nan], "finite"),
    ):
      with self.assertRaisesRegex(ValueError, message):
        spacings.unfold(bad)
    with self.assertRaisesRegex(ValueError, "polynomial, local, semicircle"):
      spacings.unfold(np.arange(9.0), "spline")


class NeighboursTest(parameterized.TestCase):
  def test_distances_are_scipys(self):
    gap_N = np.diff(_poisson(3000))
    found = spacings.distances(gap_N)
    for name, value in found._asdict().items():
      law = lambda s, name=name: sine_process.spacing_cdf(s, name)
      self.assertAlmostEqual(value, scipy.stats.kstest(gap_N, law).statistic)
    self.assertLess(found.poisson, min(found.goe, found.gue) / 2)

  def test_a_distance_is_at_most_1_where_unfolding_turns_levels_round(self):
    # Three quarters of the levels are almost equal: the polynomial falls between them.
    level_N = np.append(1e-3 * np.arange(30), np.linspace(5, 6, 10) ** 3)
    gap_N = np.diff(spacings.unfold(level_N))
    self.assertLess(gap_N.min(), -0.5)
    share = float((gap_N < 0).mean())
    for value in spacings.distances(gap_N):
      self.assertBetween(value, share - 1e-12, 1)

  def test_surmises_are_exact_for_two_levels(self):
    goe_Rx2 = spectra.goe_null(2, 4000)
    rng = np.random.default_rng(1)
    gue_Rx2 = np.stack([surrogates.gue_eigenvalues(rng, 2) for _ in range(4000)])
    for name, level_Rx2 in (("goe", goe_Rx2), ("gue", gue_Rx2)):
      gap_R = np.ptp(level_Rx2, axis=1)
      found = spacings.distances(gap_R / gap_R.mean())._asdict()
      self.assertLess(found.pop(name), 0.025)  # 99.9 % point .031
      self.assertGreater(min(found.values()), 0.05)

  def test_r_ratio(self):
    # Atas et al. 2013; the sd of a mean of n ratios is about .26 / sqrt(n).
    self.assertAlmostEqual(spacings.r_ratio(_poisson(40_000)), 2 * np.log(2) - 1, delta=0.005)
    goe_RxN = spectra.goe_null(400, 100)[:, 100:300]
    found_R = spacings.r_ratio(goe_RxN)
    self.assertEqual(found_R.shape, (100,))
    self.assertAlmostEqual(found_R.mean(), 0.5307, delta=0.006)
    found = spacings.r_ratio(_gue(100, 400)).mean()
    self.assertAlmostEqual(found, 0.5996, delta=0.006)
    # Singular values of a real matrix repel as eigenvalues of a symmetric one.
    value_RxK = spectra.singular_null((400, 400), 100)[:, 100:300]
    found = spacings.r_ratio(value_RxK).mean()
    self.assertAlmostEqual(found, 0.5307, delta=0.006)

  def test_r_ratio_by_hand(self):
    self.assertAlmostEqual(spacings.r_ratio([0.0, 1, 3, 3, 3]), (0.5 + 0) / 3)
    with self.assertRaisesRegex(ValueError, "3 finite levels"):
      spacings.r_ratio([1.0, 2])


class LongRangeTest(parameterized.TestCase):
  length_Q = np.array([0.5, 1.0, 2.0, 4.0])

  def test_number_variance(self):
    found_Q = spacings.number_variance(_poisson(100_000), self.length_Q)
    np.testing.assert_allclose(found_Q, self.length_Q, rtol=0.03)
    goe = [
      spacings.central(spacings.unfold(level_N, "semicircle"))
      for level_N in spectra.goe_null(400, 60)
    ]
    for name, unfolded_RxN in (("goe", goe), ("gue", _gue(60, 400))):
      found_RxQ = [spacings.number_variance(level_N, self.length_Q) for level_N in unfolded_RxN]
      expected_Q = sine_process.number_variance(self.length_Q, name)
      np.testing.assert_allclose(np.mean(found_RxQ, 0), expected_Q, rtol=0.03)

  def test_number_variance_of_a_fence(self):
    found_Q = spacings.number_variance(np.arange(100), [0.5, 1, 2])
    np.testing.assert_allclose(found_Q, [0.25, 0, 0], atol=2e-3)
    with self.assertRaisesRegex(ValueError, "lengths lie in"):
      spacings.number_variance(np.arange(100), [60])

  def test_form_factor(self):
    tau_Q = np.linspace(0.1, 1.5, 29)
    tops = slice(None, None, 7)
    gap_RxN = np.random.default_rng(0).exponential(size=(200, 200))
    goe = np.stack(
      [
        spacings.central(spacings.unfold(level_N, "semicircle"))
        for level_N in spectra.goe_null(400, 200)
      ]
    )
    sources = {"poisson": np.cumsum(gap_RxN, axis=1), "goe": goe, "gue": _gue(200, 400)}
    for name, unfolded_RxN in sources.items():
      found_Q = spacings.form_factor(unfolded_RxN, tau_Q).mean(0)
      gap_Q = found_Q - sine_process.form_factor(tau_Q, name)
      # A mean over 200 spectra scatters by 1 / sqrt(200) of itself.
      self.assertLess(np.abs(gap_Q.mean()), 0.03, name)
      self.assertLess(np.abs(gap_Q[tops]).max(), 0.25, name)

  def test_form_factor_of_a_fence(self):
    found_Q = spacings.form_factor(np.arange(64.0), [0.25, 0.5, 1.0])
    np.testing.assert_allclose(found_Q[:2], 0, atol=1e-3)
    # sum_j w = 63 / 2, sum_j w^2 = 63 * 3 / 8: all in step at tau 1.
    self.assertAlmostEqual(found_Q[2], (63 / 2) ** 2 / (63 * 3 / 8))

  @parameterized.parameters(1, 7, 50)
  def test_waves_at_even_steps_are_the_sums_term_by_term(self, count):
    rng = np.random.default_rng(0)
    level_N, weight_N = np.cumsum(rng.exponential(size=30_000)), rng.random(30_000)
    even_Q = 0.3 + 0.01 * np.arange(count)
    for tau_Q in (even_Q, even_Q**2):
      term_QxN = np.exp(2j * np.pi * np.outer(tau_Q, level_N))
      for weight in (1.0, weight_N):
        found_Q = spacings.waves(level_N, tau_Q, weight)
        np.testing.assert_allclose(found_Q, (weight * term_QxN).sum(1), rtol=1e-8, atol=1e-7)

  def test_form_factor_refuses(self):
    with self.assertRaisesRegex(ValueError, "4 finite levels"):
      spacings.form_factor([1.0, np.nan, 2, 3], 0.5)


class PublishedTest(parameterized.TestCase):
  def test_untrained_and_spiked_matrices(self):
    rng = np.random.default_rng(0)
    plain, spiked = [], []
    for _ in range(40):
      bound = np.sqrt(6 / 1024)
      weight = rng.uniform(-bound, bound, (256, 256))
      plain.append(_published(weight))
      direction_D = rng.normal(size=256)
      direction_D *= 13.66 / 2 / np.linalg.norm(direction_D)
      sign_Nx1 = rng.choice([-1.0, 1.0], (256, 1))
      spiked.append(_published(weight + sign_Nx1 * direction_D))
    goe_R, _, poisson_R = np.transpose(plain)
    # From docs/sources/primes.md, section 4.4: .048 +- .013 and .227 +- .021;
    # .054 +- .007 with a spike.
    self.assertAlmostEqual(goe_R.mean(), 0.048, delta=0.006)
    self.assertBetween(goe_R.std(), 0.008, 0.018)
    self.assertAlmostEqual(poisson_R.mean(), 0.227, delta=0.01)
    self.assertAlmostEqual(np.mean(spiked, 0)[0], 0.054, delta=0.006)

  def test_spacings_by_hand(self):
    level_N = np.arange(20.0) ** 2
    found = spacings.central_spacings_as_published(np.diag(level_N))
    np.testing.assert_allclose(found, np.arange(7, 33, 2) / 19)
    skew = np.diag(level_N) + np.triu(np.ones((20, 20)), 1)
    skew -= np.tril(np.ones((20, 20)), -1)
    np.testing.assert_allclose(spacings.symmetrised_levels(skew), level_N, atol=1e-10)
    with self.assertRaisesRegex(ValueError, "square"):
      spacings.central_spacings_as_published(np.ones((3, 4)))

  def test_goe_distance(self):
    # Wigner's quantiles: little but the rounding of the histogram remains.
    share_N = (np.arange(200_000) + 0.5) / 200_000
    spacing_N = np.sqrt(-4 / np.pi * np.log1p(-share_N))
    found = spacings.goe_distance_as_published(spacing_N)
    self.assertLess(found, 1e-3)
    # All in the first bin: its height is 100 / 3, the others are empty.
    s_B = 0.03 * (np.arange(100) + 0.5)
    density_B = np.pi / 2 * s_B * np.exp(-np.pi / 4 * s_B**2)
    expected = (100 / 3 - density_B[0] + density_B[1:].sum()) / 100
    found = spacings.goe_distance_as_published([0.01, 0.02])
    self.assertAlmostEqual(found, expected)

  def test_long_spacings_are_dropped(self):
    gap_N = np.array([0.5, 1.0, 1.5, 5.0])
    self.assertEqual(spacings.distances_as_published(gap_N), spacings.distances(gap_N[:3]))


def _published(weight):
  spacing_N = spacings.central_spacings_as_published(weight)
  return spacings.distances_as_published(spacing_N)


@absltest.skipUnless(odlyzko.installed(), "The extra 'zeros' is not installed.")
class ZetaTest(absltest.TestCase):
  def test_zeros_are_levels_of_the_gue(self):
    with tempfile.TemporaryDirectory() as cache:
      ordinate_N = np.array(zeros.ordinates(zeros.Config(cache=cache)))
    level_N = ordinate_N[1_000_000:1_020_000]
    found = spacings.r_ratio(level_N)
    # .5996 in the limit; finite height adds a little, sd .002.
    self.assertAlmostEqual(found, 0.603, delta=0.008)
    unfolded_N = spacings.unfold(level_N)
    np.testing.assert_allclose(np.diff(unfolded_N), np.diff(zeros.unfold(level_N)), rtol=1e-3)
    distance = spacings.distances(np.diff(unfolded_N))
    self.assertLess(distance.gue, 0.02)
    self.assertGreater(min(distance.goe, distance.poisson), 0.05)
    length_Q = np.array([0.5, 1.0])
    np.testing.assert_allclose(
      spacings.number_variance(unfolded_N, length_Q),
      sine_process.number_variance(length_Q, "gue"),
      rtol=0.05,
    )


if __name__ == "__main__":
  absltest.main()
