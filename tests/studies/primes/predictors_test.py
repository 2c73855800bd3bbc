"""Answers without a network, by hand and by other libraries."""

import numpy as np
from absl.testing import absltest, parameterized
from primelens.studies.primes import predictors
from primelens.tasks import primes
from sklearn import linear_model


def load(**options):
  return primes.load(primes.Config(**{"primes": 1500} | options))


class PredictorsTest(parameterized.TestCase):
  @parameterized.parameters("none", "random", "tail")
  def test_constants_are_of_trained_gaps(self, held_out):
    gaps = load(held_out=held_out)
    row_N = gaps.held_N if held_out != "none" else gaps.train_N[-7:]
    found = predictors.answers(gaps, row_N)
    self.assertEqual(set(found), {"mean", "median", "line in ln p", "local mean"})
    trained_N = np.diff(primes.first(1500))[gaps.train_N]
    for name, value in (("mean", trained_N.mean()), ("median", np.median(trained_N))):
      np.testing.assert_allclose(found[name], np.full(len(row_N), value))

  @parameterized.parameters("none", "random", "tail")
  def test_line_is_that_of_polyfit(self, held_out):
    gaps = load(held_out=held_out)
    prime_N = primes.first(1500)
    size_N, gap_N = np.log(prime_N[:-1]), np.diff(prime_N)
    line = np.polyfit(size_N[gaps.train_N], gap_N[gaps.train_N], 1)
    row_N = np.arange(1499)
    found = predictors.answers(gaps, row_N)["line in ln p"]
    np.testing.assert_allclose(found, np.polyval(line, size_N), rtol=1e-9)
    # A gap near x is ln x on average: a slope of 1.
    self.assertAlmostEqual(line[0], 1, delta=0.15)

  @parameterized.parameters("none", "random", "tail")
  def test_local_mean_leaves_itself_out(self, held_out):
    gaps = load(held_out=held_out)
    trained = gaps.train_N.tolist()
    for row in (0, 1, 9, 700, 701, 1488, 1497, 1498):
      before = [i for i in trained if i < row][-predictors.NEAR :]
      after = [i for i in trained if i > row][: predictors.NEAR]
      expected = gaps.gap_N[before + after].mean()
      found = predictors.local_mean(gaps, np.array([row]))
      np.testing.assert_allclose(found, [expected], rtol=1e-9)

  def test_no_answer_depends_on_its_own_gap(self):
    # The mean, the median and the line do, as 1 of 1499.
    gaps = load()
    changed_N = gaps.gap_N.copy()
    changed_N[800] += 1000
    other = primes.Gaps(**{**vars(gaps), "gap_N": changed_N})
    row_N = np.array([800, 805])
    before, after = (predictors.local_mean(g, row_N) for g in (gaps, other))
    self.assertEqual(before[0], after[0])
    self.assertAlmostEqual(after[1] - before[1], 1000 / 20)

  @parameterized.parameters((), (3,), (3, 5))
  def test_least_squares_is_that_of_sklearn(self, *moduli):
    gaps = load(context=4, moduli=moduli, held_out="tail")
    after_N = gaps.prime_N + gaps.gap_N

    def features(row):
      found = []
      for i in range(row - 4, row):
        hot = [float(after_N[i] % m == j) for m in moduli for j in range(m)]
        found += [gaps.gap_N[i], *hot]
      return found

    of = lambda row_N: np.array([features(row) for row in row_N])
    model = linear_model.LinearRegression()
    model.fit(of(gaps.train_N), gaps.gap_N[gaps.train_N])
    found = predictors.answers(gaps, gaps.held_N)["least squares"]
    expected = model.predict(of(gaps.held_N))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


if __name__ == "__main__":
  absltest.main()
