import numpy as np
import scipy.stats
from absl.testing import absltest
from primelens.analyses import perplexity
from primelens.tasks import binned, zeros

EDGE_E = np.arange(257) / 64


class PerplexityTest(absltest.TestCase):
  def test_uniform_tokens(self):
    # p = 1 / 256 on bins of 1 / 64 is the density 1 / 4 on [0, 4].
    nll = perplexity.density_nll(np.log(256), 1 / 64)
    self.assertAlmostEqual(nll, np.log(4), places=12)
    self.assertAlmostEqual(perplexity.perplexity(nll, 1 / 64), 256, places=9)

  def test_marginal(self):
    found_N = perplexity.marginal_nll([0, 0, 1], [0, 1, 2], 3)
    # (count + 1/2) / 4.5
    expected_N = -np.log(np.array([2.5, 1.5, 0.5]) / 4.5)
    np.testing.assert_allclose(found_N, expected_N, rtol=1e-12)
    with self.assertRaisesRegex(ValueError, "0..2"):
      perplexity.marginal_nll([0, 3], [0], 3)

  def test_bins_of_a_gaussian(self):
    law = scipy.stats.norm(0.9, 0.3)
    token_N = np.array([0, 1, 40, 57, 58, 100, 254, 255])
    found_N = perplexity.gaussian_nll(0.9, 0.3, token_N, EDGE_E)
    mass_V = np.diff(law.cdf(EDGE_E))
    mass_V[0] += law.cdf(0)
    np.testing.assert_allclose(found_N[:6], -np.log(mass_V[token_N[:6]]), rtol=1e-9)
    # Beyond float64's 1 - cdf: by the survival function.
    last = -law.logsf(255 / 64)
    self.assertAlmostEqual(found_N[-1], last, places=6)
    total = np.exp(-perplexity.gaussian_nll(0.9, 0.3, np.arange(256), EDGE_E))
    self.assertAlmostEqual(total.sum(), 1.0, places=12)


class PublishedTailTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.series = zeros.load(zeros.Config(split="published_tail"))
    cls.token_N = np.asarray(binned.encode(cls.series.value_N))
    cls.train = cls.series.bounds("train_published")
    cls.index_N = np.arange(*cls.series.bounds("test"))

  def test_entropy_floor(self):
    # README 105.2, project note 106.5.
    own_N, tail_N = self.token_N[slice(*self.train)], self.token_N[self.index_N]
    train = np.exp(perplexity.marginal_nll(own_N, own_N, 256).mean())
    tail = np.exp(perplexity.marginal_nll(own_N, tail_N, 256).mean())
    self.assertAlmostEqual(train, 105.2, delta=0.05)
    self.assertBetween(tail, 105.2, 106.5)

  def test_three_coefficients_are_below_the_floor(self):
    # NLL of AR(3) and AR(24) on the tail by another program: docs/sources/zeros.md, section 7.
    for order, nll in ((3, 0.4221), (24, 0.1243)):
      found_N = perplexity.autoregressive_nll(
        self.series.value_N, self.train, self.index_N, self.token_N[self.index_N], EDGE_E, order
      )
      density = perplexity.density_nll(found_N.mean(), 1 / 64)
      self.assertAlmostEqual(density, nll, delta=1e-3)
      self.assertLess(np.exp(found_N.mean()), 105.2)


if __name__ == "__main__":
  absltest.main()
