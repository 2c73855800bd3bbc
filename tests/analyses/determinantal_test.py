import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import autoregression, sine_process
from primelens.tasks import surrogates

SIZE = 60


def _rows(spacing_RxN, lags):
  """The lags before each spacing within a row, and that spacing."""
  count = spacing_RxN.shape[1] - lags
  lag = [spacing_RxN[:, lags - q :][:, :count] for q in range(1, lags + 1)]
  return np.stack(lag, -1).reshape(-1, lags), spacing_RxN[:, lags:].ravel()


def _score(value_N):
  """How many standard errors the mean of nearly independent values is off."""
  return value_N.mean() / value_N.std() * len(value_N) ** 0.5


class MomentsTest(parameterized.TestCase):
  def test_variance_is_gaudins(self):
    # Bornemann (2010): 0.1799938776 for the sine process.
    found = sine_process.spacing_moments(3)
    self.assertAlmostEqual(found.variance, 0.1799938776, places=9)

  @parameterized.parameters(
    # Simulated by another route (docs/sources/zeros.md, section 4.14), about 30,000
    # spacings: an error of 0.005 or so.
    (60, 1, -0.3106),
    (60, 2, -0.076),
    (60, 3, -0.034),
    (12, 1, -0.314),
    (16, 1, -0.311),
  )
  def test_correlations_are_near_simulated_ones(self, size, lag, expected):
    found = sine_process.spacing_moments(3, size)
    self.assertAlmostEqual(found.correlation_Q[lag - 1], expected, delta=0.006)

  @parameterized.parameters((5, 4_000), (SIZE, 400))
  def test_moments_are_those_of_sampled_matrices(self, size, matrices):
    spacing_RxN = surrogates.cue_spacings(5, matrices=matrices, size=size)
    exact = sine_process.spacing_moments(3, size)
    self.assertAlmostEqual(spacing_RxN.var(), exact.variance, delta=0.008)
    for lag, rho in enumerate(exact.correlation_Q, 1):
      product = (spacing_RxN - 1) * (np.roll(spacing_RxN, -lag, 1) - 1)
      self.assertAlmostEqual(product.mean() / spacing_RxN.var(), rho, delta=0.022)

  def test_three_levels_on_a_circle(self):
    # Two spacings determine the third, and all pairs are alike: -1/2.
    found = sine_process.spacing_moments(1, 3)
    self.assertAlmostEqual(found.correlation_Q[0], -0.5, places=10)

  def test_two_levels_on_a_circle_by_hand(self):
    # Density of the angle x between them sin^2(x / 2) / pi on 0..2 pi.
    x = (np.arange(20_000) + 0.5) * 2 * np.pi / 20_000
    weight = np.sin(x / 2) ** 2 / np.pi * (x[1] - x[0])
    longer = 1 - np.cumsum(weight * np.where(x < np.pi, 1, 0))[-1]
    self.assertAlmostEqual(longer, 0.5, places=4)
    empty, one, two = sine_process.counts(1.0, 2, size=2)
    # On half the circle: E_0 = E_2, by symmetry, and E_1 + 2 E_2 = 1.
    self.assertAlmostEqual(empty, two)
    self.assertAlmostEqual(one + 2 * two, 1.0)
    # E_2 = 1/4 - 1/pi^2 from the joint density.
    self.assertAlmostEqual(two, 0.25 - 1 / np.pi**2)

  def test_linear_optimum_of_three_lags_as_in_the_spec(self):
    # R2 0.146 on simulated CUE (docs/sources/zeros.md, section 6.3).
    moments = sine_process.spacing_moments(3)
    filters = autoregression.yule_walker(moments.autocovariance_Q)
    self.assertAlmostEqual(filters.r2_Q[2], 0.146, delta=0.006)

  def test_bad_lags_are_refused(self):
    for lags, size in ((0, 0), (4, 5)):
      with self.assertRaisesRegex(ValueError, "must lie in 1..size - 2"):
        sine_process.spacing_moments(lags, size)


class SinePredictorTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.spacing_RxN = surrogates.cue_spacings(1, matrices=30, size=SIZE)
    node, weight = np.polynomial.legendre.leggauss(40)
    cls.s, cls.weight = (node + 1) / 2 * 4.2, weight / 2 * 4.2

  def test_without_a_history_it_is_the_law_of_a_spacing(self):
    empty_NxQ = np.zeros((40, 0))
    density = np.exp(sine_process.next_log_density(empty_NxQ, self.s))
    moment = [density @ (self.weight * self.s**k) for k in range(3)]
    np.testing.assert_allclose(moment[:2], 1, atol=1e-6)
    self.assertAlmostEqual(moment[2] - 1, 0.1799938776, delta=1e-6)
    np.testing.assert_allclose(sine_process.next_mean(empty_NxQ[:1]), 1, 1e-7)

  def test_small_spacings_repel_as_a_square(self):
    # p(s) = pi^2 s^2 / 3 + O(s^4) of the sine process.
    s = np.array([1e-3, 1e-2])
    found = np.exp(sine_process.next_log_density(np.zeros((2, 0)), s))
    np.testing.assert_allclose(found, np.pi**2 * s**2 / 3, rtol=1e-3)

  def test_covariance_of_neighbours_from_the_conditional_mean(self):
    # int p(s) s E[s' | s] ds = 1 + c_1, where c_1 comes from counting levels.
    density = np.exp(sine_process.next_log_density(np.zeros((40, 0)), self.s))
    mean = sine_process.next_mean(self.s[:, None])
    moments = sine_process.spacing_moments(1)
    expected = 1 + moments.variance * moments.correlation_Q[0]
    found = density @ (self.weight * self.s * mean)
    self.assertAlmostEqual(found, expected, delta=1e-6)

  @parameterized.parameters(([1.0, 1.0, 1.0],), ([0.02, 0.3, 2.0],), ([3.0, 2.5, 0.5],), ([0.005],))
  def test_density_and_mean_agree(self, history):
    history_NxQ = np.tile(history, (40, 1))
    density = np.exp(sine_process.next_log_density(history_NxQ, self.s))
    self.assertAlmostEqual(density @ self.weight, 1, delta=1e-5)
    mean = sine_process.next_mean([history])[0]
    self.assertAlmostEqual(density @ (self.weight * self.s), mean, delta=2e-5)

  @parameterized.parameters(1, 3)
  def test_on_sampled_matrices_no_function_of_the_past_improves_it(self, lags):
    lag_NxQ, truth_N = _rows(self.spacing_RxN, lags)
    mean_N = sine_process.next_mean(lag_NxQ)
    error_N = truth_N - mean_N
    for name, function in {
      "constant": np.ones_like,
      "last": lambda x: x,
      "square": np.square,
      "inverse": lambda x: 1 / (x + 0.5),
      "short": lambda x: x < np.median(x),
    }.items():
      for column in (lag_NxQ[:, 0], lag_NxQ[:, -1], mean_N):
        score = _score(error_N * function(column))
        self.assertLess(abs(score), 4, name)

  def test_likelihood_on_sampled_matrices(self):
    # A second route: p(s_1, s_2) = p(s_1) p(s_2 | s_1) is symmetric.
    lag_NxQ, next_N = _rows(self.spacing_RxN[:6], 1)
    empty_NxQ = np.zeros((len(next_N), 0))
    log_p = sine_process.next_log_density
    forward = log_p(empty_NxQ, lag_NxQ[:, 0]) + log_p(lag_NxQ, next_N)
    backward = log_p(empty_NxQ, next_N) + log_p(next_N[:, None], lag_NxQ[:, 0])
    np.testing.assert_allclose(forward, backward, atol=1e-8)

  def test_chunks_do_not_matter(self):
    lag_NxQ, next_N = _rows(self.spacing_RxN[:1], 2)
    np.testing.assert_allclose(
      sine_process.next_mean(lag_NxQ), sine_process.next_mean(lag_NxQ, chunk=1), rtol=1e-12
    )

  def test_bad_spacings_are_refused(self):
    for bad in ([[0.0]], [1.0, 2.0], [[np.nan]]):
      with self.assertRaisesRegex(ValueError, "positive spacings NxQ"):
        sine_process.next_mean(bad)
    with self.assertRaisesRegex(ValueError, "all but excludes"):
      sine_process.next_mean([[9.0, 9.0, 9.0]])


if __name__ == "__main__":
  absltest.main()
