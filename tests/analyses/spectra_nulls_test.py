import numpy as np
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import spectra


def _alike(a_R, b_R):
  """Returns the p-value of two independent samples having one law."""
  return scipy.stats.ks_2samp(a_R, b_R).pvalue


class SingularNullTest(parameterized.TestCase):
  @parameterized.parameters((40, 25), (25, 40), (20, 20))
  def test_is_that_of_normal_matrices(self, rows, columns):
    draws = 1500
    found_RxK = spectra.singular_null((rows, columns), draws, 1)
    rng = np.random.default_rng(2)
    weight_RxNxD = rng.normal(size=(draws, rows, columns))
    expected_RxK = np.linalg.svd(weight_RxNxD, compute_uv=False)
    self.assertEqual(found_RxK.shape, expected_RxK.shape)
    self.assertTrue(np.all(np.diff(found_RxK) <= 0))
    for index in (0, 1, len(found_RxK.T) // 2, -1):
      p = _alike(found_RxK[:, index], expected_RxK[:, index])
      self.assertGreater(p, 1e-3)
    pooled = scipy.stats.ks_2samp(found_RxK.ravel(), expected_RxK.ravel())
    self.assertLess(pooled.statistic, 0.01)

  @parameterized.parameters((30, 12), (9, 64), (1, 7), (300, 200))
  def test_norm_is_chi(self, rows, columns):
    # |W|_F^2 of a normal matrix is chi^2 with N D degrees of freedom.
    value_RxK = spectra.singular_null((rows, columns), 400, 3)
    law = scipy.stats.chi2(rows * columns)
    p = scipy.stats.kstest(np.sum(value_RxK**2, axis=1), law.cdf).pvalue
    self.assertGreater(p, 1e-3)

  def test_uniform_entries(self):
    value_RxK = spectra.singular_null((30, 20), 800, 0, "uniform")
    square_R = np.sum(value_RxK**2, axis=1)
    # Of x^2, x uniform of variance 1: mean 1, variance 4/5.
    self.assertAlmostEqual(square_R.mean(), 600, delta=4)
    self.assertAlmostEqual(square_R.var() / 480, 1, delta=0.2)

  def test_kept_and_seeded(self):
    one = spectra.singular_null((8, 5), 4, 0)
    self.assertIs(one, spectra.singular_null((8, 5), 4, 0))
    self.assertFalse(np.array_equal(one, spectra.singular_null((8, 5), 4, 1)))
    with self.assertRaises(ValueError):
      one[0, 0] = 1

  def test_refuses(self):
    for shape, draws in (((0, 4), 5), ((4, 4), 0)):
      with self.assertRaisesRegex(ValueError, "draw"):
        spectra.singular_null(shape, draws)
    with self.assertRaisesRegex(ValueError, "gaussian"):
      spectra.singular_null((4, 4), 5, 0, "cauchy")

  def test_noise_edge_is_the_99_percent_point(self):
    for shape in ((64, 64), (300, 60)):
      top_R = spectra.singular_null(shape, 4000, 5)[:, 0]
      share = np.mean(top_R > spectra.noise_edge(shape))
      self.assertAlmostEqual(share, 0.01, delta=0.006)  # sd .0016, and finite N


class OtherNullsTest(parameterized.TestCase):
  def test_goe(self):
    draws, size = 1500, 20
    found_RxN = spectra.goe_null(size, draws, 0)
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(draws, size, size))
    symmetric = (weight + weight.transpose(0, 2, 1)) / np.sqrt(2)
    expected_RxN = np.linalg.eigvalsh(symmetric)
    for index in (0, 10, -1):
      p = _alike(found_RxN[:, index], expected_RxN[:, index])
      self.assertGreater(p, 1e-3)
    trace_R = found_RxN.sum(1) / np.sqrt(2 * size)
    self.assertGreater(scipy.stats.kstest(trace_R, "norm").pvalue, 1e-3)

  def test_shuffled_keeps_the_entries(self):
    weight = np.random.default_rng(0).standard_t(3, (12, 9))
    value_RxK = spectra.shuffled_null(weight, 5)
    np.testing.assert_allclose(np.sum(value_RxK**2, 1), np.sum(weight**2))
    self.assertGreater(np.ptp(value_RxK[:, 0]), 0)
    with self.assertRaisesRegex(ValueError, "one N x D"):
      spectra.shuffled_null(weight[None])

  def test_a_heavy_tail_is_no_structure(self):
    weight = np.random.default_rng(0).normal(size=(40, 40))
    weight[3, 4] = 50
    value_K = spectra.singular_values(weight)
    normal = spectra.against_null(value_K, weight.shape, draws=99)
    self.assertEqual(normal["max_to_mean"].p, 2 / 100)
    shuffled = spectra.against_null(
      value_K, weight.shape, null_RxK=spectra.shuffled_null(weight, 99)
    )
    self.assertGreater(shuffled["max_to_mean"].p, 0.05)

  def test_radius(self):
    radius_R = spectra.radius_null(100, 40)
    self.assertAlmostEqual(radius_R.mean(), 1.05, delta=0.05)
    self.assertBetween(radius_R.std(), 0.02, 0.1)


class AgainstNullTest(absltest.TestCase):
  def test_p_of_noise_is_uniform(self):
    rng = np.random.default_rng(4)
    shape = (32, 24)
    p_Rx6 = np.array(
      [
        [
          found.p
          for found in spectra.against_null(
            spectra.singular_values(0.03 * rng.normal(size=shape)), shape, draws=999
          ).values()
        ]
        for _ in range(200)
      ]
    )
    for index, name in enumerate(spectra.METRICS):
      if name != "outliers":  # a count, nearly always 0
        p = scipy.stats.kstest(p_Rx6[:, index], "uniform").pvalue
        self.assertGreater(p, 1e-3, name)
    self.assertLess(np.mean(p_Rx6 < 0.05), 0.08)

  def test_an_outlier_is_found(self):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(50, 30)) + 3  # a constant: one outlier
    found = spectra.against_null(spectra.singular_values(weight), weight.shape, draws=199)
    self.assertEqual(found["effective_rank"].p, 2 / 200)
    self.assertEqual(found["outliers"].observed, 1)
    self.assertGreater(found["ks_matched"].p, 0.01)  # the bulk is noise

  def test_compare(self):
    null_R = np.array([1.0, 2, 3, 4])
    found = spectra.compare(9, null_R)
    self.assertEqual(found, (9, 2.5, null_R.std(ddof=1), 2 / 5))
    # 0.1 + 0.2 differs from 0.3 by rounding: a tie with all draws.
    self.assertEqual(spectra.compare(0.1 + 0.2, [0.3] * 9).p, 1)
    self.assertTrue(np.isnan(spectra.compare(np.nan, null_R).p))
    self.assertTrue(np.isnan(spectra.compare(1, [np.nan, 1]).p))


class CorrectedTest(absltest.TestCase):
  """Corrections over 40 matrices that 39 draws each cannot reach by `holm`."""

  def _records(self, observed_V, null_VxR):
    return [
      {
        "m": observed,
        "m_p": spectra.compare(observed, null_R).p,
        spectra.DRAWS: {"m": (observed, null_R)},
      }
      for observed, null_R in zip(observed_V, null_VxR, strict=True)
    ]

  def test_one_finding_among_many_is_reached(self):
    rng = np.random.default_rng(0)
    observed_V = np.append(9.0, rng.normal(size=39))
    found = spectra.corrected(self._records(observed_V, rng.normal(size=(40, 39))))
    self.assertEqual(found[0]["m_p_any"], 1 / 40)
    self.assertEqual(found[0]["m_p_bh"], 1)  # 40 x 2 / 40, not reached
    self.assertEqual(spectra.needed(40), 1599)
    self.assertNotIn(spectra.DRAWS, found[0])
    without = spectra.corrected([{"m_p": row["m_p"]} for row in found])
    self.assertEqual(without[0]["m_p_any"], 1)  # `holm`'s

  def test_a_false_finding_is_as_rare_as_stated(self):
    rng = np.random.default_rng(1)
    for law in (rng.normal, rng.exponential):
      least = []
      for seed in range(300):
        records = self._records(law(size=12), law(size=(12, 39)))
        found = spectra.corrected(records, seed=seed)
        least.append(min(row["m_p_any"] for row in found))
      # 15 of 300 are expected; 27 are one in 300.
      self.assertLess(np.mean(np.array(least) <= 0.05), 0.09, law)
      self.assertGreater(np.mean(np.array(least) <= 0.5), 0.4, law)


class HolmTest(absltest.TestCase):
  def test_worked_example(self):
    found = spectra.holm([[0.01, 0.04], [0.03, 0.005]])
    np.testing.assert_allclose(found, [[0.03, 0.06], [0.06, 0.02]])
    np.testing.assert_array_equal(spectra.holm([0.9, 0.8]), [1, 1])
    self.assertEqual(spectra.holm([]).shape, (0,))

  def test_refuses(self):
    for bad in ([1.1], [-0.1], [np.nan]):
      with self.assertRaisesRegex(ValueError, "0..1"):
        spectra.holm(bad)


if __name__ == "__main__":
  absltest.main()
