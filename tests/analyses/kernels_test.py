import jax
import numpy as np
import scipy.special
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.analyses import kernels

T = 12
compiled = Jitted(kernels)


def _scores(seed=0, lead=(2, 3)):
  return np.random.default_rng(seed).normal(size=(*lead, T, T))


class CurveTest(absltest.TestCase):
  def test_centring_is_over_the_keys_a_query_may_read(self):
    scores = _scores()
    found = np.asarray(compiled.centred(scores))
    for i in range(T):
      row = scores[..., i, : i + 1]
      expected = row - row.mean(-1, keepdims=True)
      np.testing.assert_allclose(found[..., i, : i + 1], expected, atol=1e-6)
    self.assertTrue((np.triu(found, 1) == 0).all())

  def test_row_constants_which_softmax_ignores_change_nothing(self):
    scores = _scores()
    moved = scores + 5 * np.random.default_rng(1).normal(size=(2, 3, T, 1))
    np.testing.assert_allclose(compiled.centred(scores), compiled.centred(moved), atol=1e-5)

  def test_by_index_is_the_mean_of_a_diagonal(self):
    value = _scores()
    found = np.asarray(compiled.by_index(value))
    self.assertEqual(found.shape, (2, 3, T - 1))
    for d in range(1, T):
      expected = np.diagonal(value, -d, axis1=-2, axis2=-1).mean(-1)
      np.testing.assert_allclose(found[..., d - 1], expected, atol=1e-6)

  def test_by_unfolded_adds_up_the_spacings_between(self):
    rng = np.random.default_rng(2)
    value, spacing_T = _scores(), rng.uniform(0.2, 2, T)
    edges = np.array([0.5, 1.0, 2.5, 4.0])
    total = np.zeros((2, 3, 3))
    count = np.zeros(3)
    for i in range(T):
      for j in range(i):
        apart = spacing_T[j + 1 : i + 1].sum()
        for k in range(3):
          if edges[k] <= apart < edges[k + 1]:
            total[..., k] += value[..., i, j]
            count[k] += 1
    found, pairs = compiled.by_unfolded(value, spacing_T, edges)
    np.testing.assert_allclose(found, total, atol=1e-5)
    np.testing.assert_array_equal(pairs, count)

  def test_a_planted_kernel_of_index_distance_comes_back(self):
    curve = lambda d: np.cos(0.9 * d) * np.exp(-0.1 * d)
    d_TxT = np.arange(T)[:, None] - np.arange(T)
    found = compiled.by_index(curve(d_TxT))
    np.testing.assert_allclose(found, curve(np.arange(1, T)), atol=1e-6)

  def test_curves_can_be_traced(self):
    run = jax.jit(lambda x, s: kernels.by_unfolded(x, s, np.arange(4.0)))
    total, _ = run(np.ones((T, T), np.float32), np.ones(T, np.float32))
    # Spacings of 1: distance k has T - k pairs, k = 1, 2.
    np.testing.assert_allclose(total, [0, T - 1, T - 2])


class PublishedTest(parameterized.TestCase):
  def test_the_draw_is_seeded_and_causal(self):
    pairs = kernels.pairs_as_published(300, 256, seed=3)
    again = kernels.pairs_as_published(300, 256, seed=3)
    np.testing.assert_array_equal(pairs.query_NxP, again.query_NxP)
    self.assertEqual(pairs.query_NxP.shape, (300, 30))
    self.assertTrue((pairs.key_NxP < pairs.query_NxP).all())
    self.assertEqual(pairs.query_NxP.min(), 10)
    self.assertEqual(pairs.query_NxP.max(), 255)
    with self.assertRaisesRegex(ValueError, "no query after the first 10"):
      kernels.pairs_as_published(1, 10, seed=0)

  def test_distance_is_the_sum_of_the_spacings_between(self):
    spacing_NxT = np.random.default_rng(0).uniform(0.1, 2, (4, 20))
    pairs = kernels.pairs_as_published(4, 20, seed=1, pairs=5)
    found = kernels.unfolded(spacing_NxT, pairs)
    for n, p in np.ndindex(4, 5):
      i, j = pairs.query_NxP[n, p], pairs.key_NxP[n, p]
      expected = spacing_NxT[n, j + 1 : i + 1].sum()
      self.assertAlmostEqual(found[n, p], expected)

  def test_bins_need_more_than_five_samples(self):
    distance = np.repeat([0.5, 1.5, 2.5], [5, 6, 7])
    mean, count = kernels.binned(distance, 2 * distance, np.arange(4.0))
    np.testing.assert_array_equal(count, [5, 6, 7])
    np.testing.assert_array_equal(mean, [np.nan, 3, 5])

  def test_uniform_attention_has_a_closed_form_under_the_draw(self):
    """By brute force over every pair with its chance, and by sampling."""
    length = 40
    chance, value = np.zeros(length), np.zeros(length)
    for i in range(10, length):
      for j in range(i):
        chance[i - j] += 1 / i
        value[i - j] += 1 / i / (i + 1)
    expected = value[1:] / chance[1:]
    found = kernels.uniform_expected(np.arange(1, length), length)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    self.assertEqual(np.ptp(found[:10]), 0)

  @parameterized.parameters(0, 1, 2)
  def test_uniform_attention_is_fitted_as_well_as_the_published_kernel(self, seed):
    """The source's review found R2 .974 and a range of .006 to .030."""
    pairs = kernels.pairs_as_published(300, 256, seed=seed)
    rng = np.random.default_rng(seed)
    spacing_NxT = np.clip(rng.normal(1, 0.4, (300, 256)), 0.05, None)
    curve_K, count_K = kernels.binned(
      kernels.unfolded(spacing_NxT, pairs), 1 / (pairs.query_NxP + 1)
    )
    self.assertGreater(count_K.min(), 5)
    families = {kernels.STRETCHED: kernels.FAMILIES[kernels.STRETCHED]}
    fit = kernels.fits(kernels.centres(), curve_K, families=families)[kernels.STRETCHED]
    self.assertAlmostEqual(fit.r2, 0.974, delta=0.015)
    slope, level, rest = fit.amplitudes
    # The same family with the same "linear term", of attention to nothing.
    self.assertGreater(slope, 0)
    self.assertAlmostEqual(slope / level, 0.127 / 0.062, delta=2)
    self.assertAlmostEqual(rest, 0.006, delta=0.003)
    self.assertAlmostEqual(curve_K[:5].mean(), 0.030, delta=0.002)
    self.assertAlmostEqual(curve_K[-5:].mean(), 0.006, delta=0.001)

  def test_physics_score(self):
    # Differences +2, -3, +5, -1: three turns; mu(4) - mu(1) = 4.
    curve = np.array([[1.0, 3.0, 0.0, 5.0, 4.0], [5.0, 4.0, 3.0, 2.0, 1.0]])
    expected = [0.5 * 3 + 100 * np.var(curve[0]) + 40, 100 * np.var(curve[1])]
    found = kernels.physics_score_as_published(curve)
    np.testing.assert_allclose(found, expected)
    # Noise of a larger scale scores higher: no evidence of physics.
    noise = np.random.default_rng(0).normal(size=127)
    self.assertGreater(
      kernels.physics_score_as_published(3 * noise), 5 * kernels.physics_score_as_published(noise)
    )


class FlashTest(absltest.TestCase):
  def test_the_unmasked_softmax_is_uniform_by_construction(self):
    length, heads, width = 264, 4, 8
    rng = np.random.default_rng(0)
    query, key = rng.normal(size=(2, length, heads, width))
    pattern = np.asarray(compiled.unmasked_as_published(query, key), np.float64)
    expected = scipy.special.softmax(np.einsum("qhd,khd->hqk", query, key) / width**0.5, axis=-1)
    np.testing.assert_allclose(pattern, expected, atol=1e-6)
    # Whatever the weights: the mean over all offsets, both ways, is 1 / 264.
    np.testing.assert_allclose(pattern.mean((1, 2)), 1 / 264, rtol=1e-5)
    self.assertTrue((np.triu(pattern, 1).sum((1, 2)) > 0).all())
    # Peaks of random queries and keys are as high as the published ones,
    # which lie between .0034 and .0052.
    peak = np.asarray(compiled.by_index(pattern))[:, :16].max(1)
    self.assertGreater(peak.min(), 0.0034)
    self.assertLess(peak.max(), 0.0060)

  def test_silent_queries_give_exactly_one_over_the_keys(self):
    key = np.random.default_rng(0).normal(size=(264, 1, 8))
    pattern = compiled.unmasked_as_published(np.zeros((264, 1, 8)), key)
    np.testing.assert_allclose(pattern, 1 / 264, rtol=1e-6)


class ExtractOperatorTest(absltest.TestCase):
  def _pattern(self, of):
    pattern = np.zeros((2, 40, 40))
    for i in range(40):
      weight = of(i - np.arange(i + 1))
      pattern[:, i, : i + 1] = weight / weight.sum()
    return pattern

  def test_the_published_argument_of_sinc_is_no_distance(self):
    # Attention that is sinc of the distance, on equal spacings: the distance
    # is known exactly, the difference of values is 0 everywhere.
    pattern = self._pattern(lambda d: 1 + np.sinc(0.3 * d))
    equal = np.ones((2, 40))
    found = kernels.extract_operator_as_published(pattern, equal)
    self.assertEqual(found["sinc(s_i - s_j)"], 0)
    self.assertGreater(found["exp(-d / 5)"], 0.3)
    # Attention to equal values, whatever the distance: a perfect correlation.
    spacing = np.random.default_rng(0).uniform(0.2, 2, (2, 40))
    value = spacing[:, :, None] - spacing[:, None]
    found = kernels.extract_operator_as_published(np.sinc(value), spacing)
    self.assertAlmostEqual(found["sinc(s_i - s_j)"], 1)
    self.assertLess(abs(found["exp(-d / 5)"]), 0.3)

  def test_the_published_count_of_samples(self):
    # 64 rows of queries 0, 4, ..., and keys up to 20 before them.
    counts = sum(min(i, 20) + 1 for i in range(0, 40, 4))
    found = kernels.extract_operator_as_published(self._pattern(lambda d: 1 + d), np.ones((2, 40)))
    self.assertEqual(found["samples"], 2 * counts)


if __name__ == "__main__":
  absltest.main()
