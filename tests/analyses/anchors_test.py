import tempfile

import numpy as np
import scipy.linalg
import scipy.signal
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.analyses import anchors
from primelens.tasks import zeros, zeros_sources

ORDERS = (3, 16, 20, 24, 32, 40, 64, 80, 96, 128, 256, 511)
TAIL_NLL = (0.4221, 0.3136, 0.2477, 0.1243, 0.065, -0.015)
TAIL_NLL += (-0.032, -0.037, -0.034, 0.001, 0.099, 0.442)
# By numpy's QR decomposition of the lag matrix, in pieces.
LEAST_SQUARES_NLL = {24: 0.12436, 64: -0.04482, 256: 0.07081}


def _has_table() -> bool:
  try:
    return bool(zeros_sources.odlyzko_files(""))
  except (ValueError, FileNotFoundError):
    return False


def _spacings(count: int, seed: int = 0) -> np.ndarray:
  """Unit-mean AR(1) values: s_n - 1 = -0.6 (s_{n-1} - 1) + e_n, std e 0.2."""
  noise_N = np.random.default_rng(seed).normal(0, 0.2, count)
  return (1 + scipy.signal.lfilter([1], [1, 0.6], noise_N)).astype(np.float32)


class MarginalTest(absltest.TestCase):
  def test_density_equals_scipy(self):
    rng = np.random.default_rng(0)
    sample_N = rng.gamma(5, 0.2, 3_000)
    at_N = np.linspace(-0.2, 4, 300)
    expected = scipy.stats.gaussian_kde(sample_N).logpdf(at_N)
    actual = anchors.log_density(sample_N, at_N)
    near = expected > -7
    self.assertGreater(near.sum(), 150)
    np.testing.assert_allclose(actual[near], expected[near], atol=2e-3)

  def test_far_tail_is_finite_and_falls(self):
    sample_N = np.random.default_rng(0).normal(size=1_000)
    log_density = anchors.log_density(sample_N, [10.0, 20.0, 1e3])
    self.assertTrue(np.isfinite(log_density).all())
    self.assertTrue((np.diff(log_density) < 0).all())

  def test_constant_is_the_gaussian_of_train(self):
    value_N = _spacings(500)
    index_N = np.arange(400, 500)
    anchor = anchors.constant(value_N, (0, 300), index_N)
    mean, std = value_N[:300].mean(), value_N[:300].std()
    expected = -scipy.stats.norm.logpdf(value_N[400:], mean, std)
    np.testing.assert_allclose(anchor.nll_N, expected, rtol=1e-4)
    self.assertLess(abs(anchors.r2(anchor, value_N)), 0.02)

  def test_train_alone_is_seen(self):
    value_N = _spacings(500)
    index_N = np.array([450])
    before = anchors.marginal(value_N, (0, 300), index_N).nll
    value_N[300:450] = 2.0
    self.assertEqual(anchors.marginal(value_N, (0, 300), index_N).nll, before)


class FilterTest(parameterized.TestCase):
  def test_ar1_reaches_the_entropy_of_its_innovations(self):
    value_N, index_N = _spacings(60_000), np.arange(40_000, 60_000)
    (anchor,) = anchors.autoregressive(value_N, (0, 40_000), index_N, (1,))
    entropy = 0.5 * np.log(2 * np.pi * np.e * 0.2**2)
    self.assertAlmostEqual(anchor.nll, entropy, delta=0.02)
    self.assertAlmostEqual(anchors.r2(anchor, value_N), 0.36, delta=0.02)
    expected = 1 - 0.6 * (value_N[index_N - 1] - 1)
    np.testing.assert_allclose(anchor.prediction_N, expected, atol=0.02)

  def test_filters_equal_lstsq(self):
    value_N, index_N = _spacings(1_000), np.arange(800, 1_000)
    r_N = value_N.astype(np.float64) - 1
    for anchor, p in zip(
      anchors.autoregressive(value_N, (100, 700), index_N, (2, 7)), (2, 7), strict=True
    ):
      x = np.array([r_N[m - p : m][::-1] for m in range(107, 700)])
      phi, *_ = np.linalg.lstsq(x, r_N[107:700], rcond=None)
      sigma = np.sqrt(np.mean((r_N[107:700] - x @ phi) ** 2)) * (1 + p / 593)
      guess_N = np.array([phi @ r_N[n - p : n][::-1] for n in index_N])
      np.testing.assert_allclose(anchor.prediction_N, 1 + guess_N, rtol=1e-9)
      expected_N = -scipy.stats.norm.logpdf(r_N[index_N], guess_N, sigma)
      np.testing.assert_allclose(anchor.nll_N, expected_N, rtol=1e-9)
      self.assertEqual(anchor.name, f"AR({p})")

  def test_yule_walker_is_named(self):
    value_N, index_N = _spacings(500), np.arange(400, 500)
    (anchor,) = anchors.autoregressive(value_N, (0, 300), index_N, (2,), method="yule_walker")
    r_N = value_N[:300].astype(np.float64) - 1
    c_Q = np.array([r_N[k:] @ r_N[: 300 - k] for k in range(3)]) / 300
    phi_Q = scipy.linalg.solve_toeplitz(c_Q[:2], c_Q[1:])
    lag_Nx2 = np.stack([value_N[index_N - 1], value_N[index_N - 2]], 1).astype(np.float64) - 1
    np.testing.assert_allclose(anchor.prediction_N, 1 + lag_Nx2 @ phi_Q)
    self.assertEqual(anchor.name, "AR(2), Yule-Walker")

  def test_a_long_filter_of_a_sharp_spectrum_is_better_by_least_squares(self):
    # Waves that never end: the taper of Yule-Walker blurs them.
    n = np.arange(6_000)
    rng = np.random.default_rng(0)
    value_N = 1 + 0.2 * np.cos(0.7 * n) + 0.2 * np.sin(1.9 * n) + rng.normal(0, 0.005, len(n))
    index_N = np.arange(5_000, 6_000)
    nll = {
      method: anchors.autoregressive(value_N, (0, 1_000), index_N, (32,), method=method)[0].nll
      for method in anchors.METHODS
    }
    entropy = 0.5 * np.log(2 * np.pi * np.e * 0.005**2)
    self.assertBetween(nll["least_squares"], entropy, entropy + 0.1)
    self.assertGreater(nll["yule_walker"], entropy + 0.5)

  def test_windowed_takes_the_best_order_on_select(self):
    value_N, index_N = _spacings(4_000), np.arange(3_000, 4_000)
    select_N = np.arange(2_000, 3_000)
    train, orders = (0, 2_000), (1, 40, 90)
    on_select = anchors.autoregressive(value_N, train, select_N, orders)
    at = int(np.argmin([a.nll for a in on_select]))
    best, expected = orders[at], anchors.autoregressive(value_N, train, index_N, orders)[at]
    actual = anchors.windowed(value_N, train, select_N, index_N, orders)
    np.testing.assert_allclose(actual.nll_N, expected.nll_N, atol=1e-9)
    self.assertEqual(actual.name, f"AR({best}) inside the window")

  @parameterized.parameters("least_squares", "yule_walker")
  def test_adaptive_ignores_its_own_block(self, method):
    value_N, index_N = _spacings(3_000), np.arange(2_000, 3_000)
    options = dict(order=3, window=900, block=500, method=method)
    before = anchors.adaptive(value_N, index_N, **options)
    value_N[2_499:] += 1
    after = anchors.adaptive(value_N, index_N, **options)
    same = slice(0, 500)
    np.testing.assert_array_equal(before.prediction_N[same], after.prediction_N[same])
    self.assertNotEqual(before.prediction_N[500], after.prediction_N[500])

  def test_adaptive_equals_lstsq_block_by_block(self):
    value_N, index_N = _spacings(2_000), np.arange(1_500, 2_000, 3)
    anchor = anchors.adaptive(value_N, index_N, order=4, window=700, block=200)
    r_N = value_N.astype(np.float64) - 1
    for row, n in enumerate(index_N):
      start = 1_500 + (n - 1_500) // 200 * 200
      targets = range(start - 700 + 4, start)
      x = np.array([r_N[m - 4 : m][::-1] for m in targets])
      y = r_N[start - 700 + 4 : start]
      phi, *_ = np.linalg.lstsq(x, y, rcond=None)
      sigma = np.sqrt(np.mean((y - x @ phi) ** 2)) * (1 + 4 / 696)
      error = r_N[n] - phi @ r_N[n - 4 : n][::-1]
      expected = -scipy.stats.norm.logpdf(error, scale=sigma)
      self.assertAlmostEqual(anchor.nll_N[row], expected, places=9)

  def test_wrong_input_is_refused(self):
    value_N, index_N = _spacings(100), np.arange(90, 100)
    with self.assertRaisesRegex(ValueError, "'ridge' is not one of"):
      anchors.adaptive(value_N, index_N, method="ridge")
    with self.assertRaisesRegex(ValueError, "window=8 must exceed twice"):
      anchors.adaptive(value_N, index_N, order=4, window=8)
    with self.assertRaisesRegex(ValueError, "not inside 0..100"):
      anchors.adaptive(value_N, index_N, order=4, window=95)
    with self.assertRaisesRegex(ValueError, "indices in 0..99"):
      anchors.constant(value_N, (0, 50), np.array([100]))


@absltest.skipUnless(_has_table(), "The extra 'zeros' is not installed.")
class PublishedTailTest(parameterized.TestCase):
  """Independent values: fitted on the published train part, scored on the tail.

  All but the density were measured with other code, numpy in float64.
  """

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cache = cls.enterClassContext(tempfile.TemporaryDirectory())
    series = zeros.load(zeros.Config(cache=cache, split="published_tail"))
    cls.value_N = series.value_N
    cls.train = series.splits["train_published"]
    cls.index_N = np.arange(*series.splits["test"])

  def test_least_squares(self):
    orders = tuple(LEAST_SQUARES_NLL)
    rows = anchors.autoregressive(self.value_N, self.train, self.index_N, orders)
    for anchor, (order, nll) in zip(rows, LEAST_SQUARES_NLL.items(), strict=True):
      with self.subTest(order=order):
        self.assertAlmostEqual(anchor.nll, nll, delta=2e-5)

  def test_yule_walker(self):
    rows = anchors.autoregressive(
      self.value_N, self.train, self.index_N, ORDERS, method="yule_walker"
    )
    for order, anchor, nll in zip(ORDERS, rows, TAIL_NLL, strict=True):
      with self.subTest(order=order):
        tolerance = 6e-5 if order <= 20 else 1e-3
        self.assertAlmostEqual(anchor.nll, nll, delta=tolerance)

  def test_marginal_equals_a_fine_histogram(self):
    # Two estimates of one density from 1.8 million spacings.
    anchor = anchors.marginal(self.value_N, self.train, self.index_N)
    train_N = self.value_N[slice(*self.train)]
    density, edges = np.histogram(train_N, 200, (0, 3.5), density=True)
    place_N = np.digitize(self.value_N[self.index_N], edges) - 1
    expected = -np.log(np.maximum(density[place_N], 1e-7)).mean()
    self.assertAlmostEqual(anchor.nll, expected, delta=1e-3)

  @parameterized.parameters(
    (64, 100_000, "yule_walker", 10_000, -0.451, None),
    (128, 50_000, "yule_walker", 10_000, -0.625, None),
    (192, 20_000, "yule_walker", 10_000, -0.707, None),
    (256, 20_000, "least_squares", 5_000, -0.912, 0.9437),
  )
  def test_adaptive(self, order, window, method, block, nll, r2):
    anchor = anchors.adaptive(
      self.value_N, self.index_N, order=order, window=window, block=block, method=method
    )
    self.assertAlmostEqual(anchor.nll, nll, delta=6e-4)
    if r2 is not None:
      self.assertAlmostEqual(anchors.r2(anchor, self.value_N), r2, delta=6e-5)


if __name__ == "__main__":
  absltest.main()
