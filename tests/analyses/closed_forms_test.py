import tempfile

import numpy as np
import scipy.optimize
from absl.testing import absltest, parameterized
from primelens.analyses import formulas, linear
from primelens.tasks import zeros, zeros_sources


def _has_table() -> bool:
  try:
    return bool(zeros_sources.odlyzko_files(""))
  except (ValueError, FileNotFoundError):
    return False


def _lags(count: int, seed: int = 0) -> np.ndarray:
  return np.random.default_rng(seed).gamma(6, 1 / 6, (count, 4))


def _noisy(lag_NxQ, seed: int = 0) -> np.ndarray:
  noise_N = np.random.default_rng(seed + 50).normal(0, 0.1, len(lag_NxQ))
  return 2.9 / lag_NxQ[:, :3].sum(1) + noise_N


class ReciprocalTest(absltest.TestCase):
  def test_equals_lstsq_without_intercept(self):
    lag_NxQ = _lags(200)
    target_N = _noisy(lag_NxQ)
    for k, c in enumerate(formulas.reciprocal(lag_NxQ, target_N), 1):
      x_N = 1 / lag_NxQ[:, :k].sum(1)
      expected, *_ = np.linalg.lstsq(x_N[:, None], target_N, rcond=None)
      self.assertAlmostEqual(c, expected[0])

  def test_targets_can_be_stacked(self):
    lag_NxQ = _lags(60)
    target_YxN = np.stack([_noisy(lag_NxQ), lag_NxQ[:, 0]])
    c_YxQ = formulas.reciprocal(lag_NxQ, target_YxN)
    for c_Q, target_N in zip(c_YxQ, target_YxN, strict=True):
      expected = formulas.reciprocal(lag_NxQ, target_N)
      np.testing.assert_allclose(c_Q, expected)

  def test_a_draw_is_the_fit_to_the_repeated_blocks(self):
    lag_NxQ = _lags(40)
    target_N = _noisy(lag_NxQ)
    draw_RxQ = formulas.reciprocal_draws(lag_NxQ, target_N, block=8, draws=4, seed=2)
    count_RxB = linear.block_counts(5, 4, seed=2).astype(int)
    for draw_Q, count_B in zip(draw_RxQ, count_RxB, strict=True):
      rows = np.arange(40).reshape(5, 8).repeat(count_B, axis=0).ravel()
      expected = formulas.reciprocal(lag_NxQ[rows], target_N[rows])
      np.testing.assert_allclose(draw_Q, expected)


class ShiftedTest(absltest.TestCase):
  def test_recovers_its_own_law(self):
    lag_N = _lags(500)[:, 0]
    c, b = formulas.shifted(lag_N, 3.01 / (lag_N + 1.89))
    self.assertAlmostEqual(c, 3.01, delta=1e-3)
    self.assertAlmostEqual(b, 1.89, delta=1e-3)

  def test_equals_a_two_parameter_fit(self):
    lag_N = _lags(500)[:, 0]
    target_N = 1.5 - 0.4 * lag_N + np.random.default_rng(1).normal(size=500)
    form = lambda s, c, b: c / (s + b)
    expected, _ = scipy.optimize.curve_fit(form, lag_N, target_N, (3, 2))
    actual = formulas.shifted(lag_N, target_N)
    np.testing.assert_allclose(actual, expected, rtol=1e-3)


class TableTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.train, self.test = _lags(4_000), _lags(1_000, seed=1)
    self.rows = formulas.closed_forms(
      self.train,
      _noisy(self.train),
      self.test,
      _noisy(self.test, seed=1),
      block=50,
      draws=200,
      seed=0,
    )
    self.by_family = {row["family"]: row for row in self.rows}

  def test_the_true_form_wins_and_its_interval_covers(self):
    row = self.by_family["c / sum of 3 lags"]
    self.assertBetween(2.9, row["low"], row["high"])
    self.assertLess(row["high"] - row["low"], 0.03)
    self.assertAlmostEqual(row["test_mse"], 0.01, delta=0.001)
    for other in self.rows:
      if other is not row:
        self.assertGreater(other["test_mse"], 1.2 * row["test_mse"])

  def test_every_family_is_there_once(self):
    expected = {"mean", "c / (s1 + b)"}
    expected |= {f"c / sum of {k} lags" for k in range(1, 5)}
    expected |= {f"affine in {k} lags" for k in range(1, 5)}
    self.assertLen(self.rows, len(expected))
    self.assertEqual(set(self.by_family), expected)

  @parameterized.parameters(("mean", 1), ("c / sum of 3 lags", 7), ("c / (s1 + b)", 5))
  def test_complexity_is_the_published_count(self, family, complexity):
    self.assertEqual(self.by_family[family]["complexity"], complexity)

  def test_scores_are_those_of_the_stated_formula(self):
    truth_N = _noisy(self.test, seed=1)
    columns = {f"s{k + 1}": self.test[:, k] for k in range(4)}
    for row in self.rows:
      tree = formulas.parse(row["exact"])
      guess_N = np.broadcast_to(formulas.evaluate(tree, columns), 1_000)
      mse = np.mean((truth_N - guess_N) ** 2)
      self.assertAlmostEqual(row["test_mse"], mse)
      self.assertAlmostEqual(row["test_r2"], 1 - mse / np.var(truth_N))

  def test_affine_is_ols(self):
    fit = linear.ols(self.train, _noisy(self.train))
    row = self.by_family["affine in 4 lags"]
    self.assertAlmostEqual(row["train_r2"], fit.r2)
    self.assertAlmostEqual(row["c"], fit.intercept)
    self.assertTrue(np.isnan(row["low"]))

  def test_wrong_input_is_refused(self):
    with self.assertRaisesRegex(ValueError, r"got \(4000, 4\) and \(3,\)"):
      formulas.closed_forms(self.train, np.ones(3), self.test, np.ones(1_000))
    with self.assertRaisesRegex(ValueError, "must be positive, found -"):
      formulas.closed_forms(-self.train, _noisy(self.train), self.test, 0)


class PublishedTest(parameterized.TestCase):
  @parameterized.parameters(*formulas.PUBLISHED_FORM)
  def test_complexity_is_our_count(self, complexity, loss, text):
    del loss
    actual = formulas.complexity(formulas.parse(text))
    self.assertEqual(actual, complexity)


@absltest.skipUnless(_has_table(), "The extra 'zeros' is not installed.")
class OdlyzkoTest(absltest.TestCase):
  """Independent values: least squares of the truth on all spacings."""

  def test_constants_and_correlations(self):
    cache = self.enter_context(tempfile.TemporaryDirectory())
    series = zeros.load(zeros.Config(cache=cache))
    value_N = series.value_N.astype(np.float64)
    index_N = np.arange(6, len(value_N))
    lag_NxQ = linear.lag_matrix(value_N, index_N, 6)
    c_Q = formulas.reciprocal(lag_NxQ, value_N[6:])
    expected = [0.565, 1.838, 2.912, 3.951, 4.977, 5.996]
    np.testing.assert_allclose(c_Q, expected, atol=6e-4)
    correlation_Q = [
      linear.scores(value_N[6:], guess_N)["correlation"]
      for guess_N in (c_Q / np.cumsum(lag_NxQ, axis=1)).T
    ]
    expected = [0.261, 0.371, 0.385, 0.392, 0.399, 0.408]
    np.testing.assert_allclose(correlation_Q, expected, atol=6e-4)


if __name__ == "__main__":
  absltest.main()
