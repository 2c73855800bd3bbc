"""Primes, their gaps and twins, against published tables and statistics."""

from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.tasks import primes
from scipy import special, stats

COUNTS = (4, 25, 168, 1229, 9592, 78_498, 664_579)  # pi(10^k), OEIS A006880
# Primes before a gap larger than all earlier ones (OEIS A002386, A005250).
MAXIMAL = {
  **{2: 1, 3: 2, 7: 4, 23: 6, 89: 8, 113: 14, 523: 18, 887: 20, 1129: 22},
  **{1327: 34, 9551: 36, 15_683: 44, 19_609: 52, 31_397: 72, 155_921: 86},
  **{360_653: 96, 370_261: 112, 492_113: 114, 1_349_533: 118},
  **{1_357_201: 132, 2_010_733: 148, 4_652_353: 154},
}


def naive(limit: int) -> list[int]:
  """Returns the primes below a limit by Eratosthenes."""
  alive = [True] * max(limit, 2)
  for n in range(2, len(alive)):
    if alive[n]:
      for multiple in range(2 * n, len(alive), n):
        alive[multiple] = False
  return [n for n in range(2, limit) if alive[n]]


class SieveTest(parameterized.TestCase):
  def test_counts_and_maximal_gaps_to_ten_million(self):
    prime_N = primes.below(10**7)
    found = np.searchsorted(prime_N, 10 ** np.arange(1, 8))
    self.assertEqual(tuple(found.tolist()), COUNTS)
    gap_N = np.diff(prime_N)
    record_N = np.maximum.accumulate(gap_N)
    first_N = np.flatnonzero(np.diff(record_N, prepend=0))
    pairs = zip(prime_N[first_N].tolist(), gap_N[first_N].tolist(), strict=True)
    self.assertEqual(dict(pairs), MAXIMAL)

  @parameterized.parameters(1, 2, 7, primes.SEGMENT)
  def test_small_limits(self, segment):
    prime_N = naive(400)
    with mock.patch.object(primes, "SEGMENT", segment):
      for limit in range(-1, 401):
        expected = [p for p in prime_N if p < limit]
        self.assertEqual(primes.below(limit).tolist(), expected)

  def test_around_the_end_of_a_segment(self):
    # Segments of a thousand odd numbers end at 2001, 4001, ...
    prime_N = naive(20_100)
    with mock.patch.object(primes, "SEGMENT", 1000):
      for end in (2001, 4001, 20_001):
        for limit in range(end - 4, end + 5):
          expected = [p for p in prime_N if p < limit]
          self.assertEqual(primes.below(limit).tolist(), expected)

  def test_first(self):
    prime_N = naive(2000)
    for count in range(303):
      self.assertEqual(primes.first(count).tolist(), prime_N[:count])


class PublishedTest(absltest.TestCase):
  """The million primes of the source (docs/sources/primes.md, section 1)."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.gaps = tasks.load(primes.Config())

  def test_sizes(self):
    gaps = self.gaps
    self.assertEqual(gaps.splits, {"train": 999_999, "held_out": 0})
    np.testing.assert_array_equal(gaps.train_N, np.arange(999_999))
    self.assertEqual(gaps.prime_N[0], 2)
    self.assertEqual(gaps.prime_N[-1] + gaps.gap_N[-1], 15_485_863)
    self.assertEqual((gaps.gap_N.min(), gaps.gap_N.max()), (1, 154))
    np.testing.assert_array_equal(np.flatnonzero(gaps.gap_N == 1), [0])

  def test_z_scores(self):
    gaps = self.gaps
    self.assertAlmostEqual(gaps.mean, 15.485876, delta=5e-7)
    self.assertAlmostEqual(gaps.deviation, 12.981716, delta=5e-7)
    self.assertEqual(gaps.target_N.dtype, np.float32)
    self.assertAlmostEqual(float(gaps.target_N.min()), -1.1159, delta=5e-5)
    self.assertAlmostEqual(float(gaps.target_N.max()), 10.6699, delta=5e-5)
    target_N = gaps.target_N.astype(float)
    self.assertAlmostEqual(target_N.mean(), 0, delta=1e-7)
    self.assertAlmostEqual(target_N.std(), 1, delta=1e-7)

  def test_distribution(self):
    gap_N = self.gaps.gap_N.astype(float)
    value_V, count_V = np.unique(gap_N, return_counts=True)
    self.assertLen(value_V, 78)
    self.assertEqual(value_V[count_V.argmax()], 6)
    self.assertEqual(count_V.max(), 146_518)
    self.assertAlmostEqual(stats.entropy(count_V), 2.92, delta=0.005)
    lag = np.corrcoef(gap_N[:-1], gap_N[1:])[0, 1]
    self.assertAlmostEqual(lag, -0.036, delta=5e-4)
    size = np.log(self.gaps.prime_N)
    explained = np.corrcoef(size, gap_N)[0, 1] ** 2
    self.assertAlmostEqual(explained, 0.007, delta=5e-4)

  def test_errors_of_constants(self):
    gaps = self.gaps
    last_N = gaps.gap_N[gaps.train_N[-1000:]]
    self.assertAlmostEqual(last_N.mean(), 16.55, delta=0.005)
    self.assertAlmostEqual(last_N.std(), 14.09, delta=0.005)
    self.assertEqual(np.median(last_N), 12)
    self.assertEqual((last_N.min(), last_N.max()), (2, 90))
    for row_N, constant, expected in (
      (last_N, gaps.mean, 10.37),
      (last_N, 12, 10.00),
      (gaps.gap_N, gaps.mean, 9.73),
      (gaps.gap_N, 12, 9.16),
    ):
      error = np.abs(row_N - constant).mean()
      self.assertAlmostEqual(error, expected, delta=0.005)

  def test_logistic(self):
    # From docs/sources/primes.md, section 7.1.
    gaps = primes.load(primes.Config(sequence="logistic"))
    self.assertLen(gaps.gap_N, 999_999)
    self.assertAlmostEqual(gaps.mean, 0, delta=1e-6)
    self.assertAlmostEqual(gaps.deviation, 0.44416, delta=5e-6)
    self.assertAlmostEqual(gaps.gap_N.min(), -0.7695, delta=5e-5)
    self.assertAlmostEqual(gaps.gap_N.max(), 0.5158, delta=5e-5)
    error_N = np.abs(gaps.gap_N[-1000:] - gaps.mean)
    self.assertAlmostEqual(error_N.mean(), 0.40578, delta=5e-6)
    x_N = gaps.prime_N[:3]
    np.testing.assert_allclose(x_N, [0.5, 0.95, 0.1805], rtol=1e-14)


class TwinsTest(absltest.TestCase):
  COUNT = 20_000

  def load(self, sequence, **options):
    config = primes.Config(primes=self.COUNT, sequence=sequence, **options)
    return primes.load(config)

  def test_shuffled(self):
    real, twin = self.load("primes"), self.load("shuffled")
    np.testing.assert_array_equal(np.sort(twin.gap_N), np.sort(real.gap_N))
    self.assertLess(np.mean(twin.gap_N == real.gap_N), 0.2)
    self.assertEqual((twin.mean, twin.deviation), (real.mean, real.deviation))
    np.testing.assert_array_equal(twin.prime_N, 2 + np.cumsum(twin.gap_N) - twin.gap_N)

  def test_cramer(self):
    gaps = self.load("cramer")
    self.assertLen(gaps.gap_N, self.COUNT - 1)
    value_N = np.append(gaps.prime_N, gaps.prime_N[-1] + gaps.gap_N[-1])
    self.assertEqual(value_N[0], 2)
    self.assertTrue((gaps.gap_N > 0).all())
    # Counts in two ranges: independent draws with chance 1 / ln n.
    for low, high in ((3, 50_000), (50_000, 200_000)):
      chance_N = 1 / np.log(np.arange(low, high))
      wide = np.sqrt(np.sum(chance_N * (1 - chance_N)))
      count = np.sum((value_N >= low) & (value_N < high))
      self.assertLess(abs(count - chance_N.sum()), 4 * wide)
      smooth = special.expi(np.log(high)) - special.expi(np.log(low))
      self.assertLess(abs(count - smooth), 4 * wide + 2)
    odd = np.mean(gaps.gap_N % 2)  # gaps of a fair coin may be odd: 1 / (2 - p)
    self.assertAlmostEqual(odd, 1 / (2 - 1 / np.log(1e5)), delta=0.02)

  def test_marginal(self):
    real, twin = self.load("primes"), self.load("marginal")
    self.assertContainsSubset(set(twin.gap_N), set(real.gap_N))
    self.assertFalse(np.array_equal(np.sort(twin.gap_N), np.sort(real.gap_N)))
    for gap in (2, 6, 12):
      share = np.mean(real.gap_N == gap)
      wide = np.sqrt(share * (1 - share) / self.COUNT)
      self.assertLess(abs(np.mean(twin.gap_N == gap) - share), 4 * wide)

  def test_gaussian(self):
    real, twin = self.load("primes"), self.load("gaussian")
    wide = real.deviation / np.sqrt(self.COUNT)
    self.assertAlmostEqual(twin.mean, real.mean, delta=4 * wide)
    self.assertAlmostEqual(twin.deviation, real.deviation, delta=4 * wide)
    self.assertLess(stats.kstest(twin.target_N, "norm").statistic, 0.015)

  def test_constant(self):
    real, twin = self.load("primes"), self.load("constant")
    np.testing.assert_allclose(twin.target_N, 1, atol=1e-6)
    np.testing.assert_allclose(twin.gap_N, real.mean + real.deviation)

  def test_seeds(self):
    for sequence in ("shuffled", "cramer", "marginal", "gaussian"):
      first, again, other = (self.load(sequence, seed=seed).data_hash for seed in (0, 0, 1))
      self.assertEqual(first, again)
      self.assertNotEqual(first, other)


class SplitTest(parameterized.TestCase):
  @parameterized.product(held_out=("none", "random", "tail"), context=(0, 5), seed=(0, 3))
  def test_rows_are_split(self, held_out, context, seed):
    gaps = primes.load(primes.Config(primes=1000, held_out=held_out, context=context, seed=seed))
    both_N = np.concatenate([gaps.train_N, gaps.held_N])
    np.testing.assert_array_equal(np.sort(both_N), np.arange(context, 999))
    held = 0 if held_out == "none" else int(0.1 * (999 - context))
    self.assertLen(gaps.held_N, held)
    np.testing.assert_array_equal(gaps.train_N, np.sort(gaps.train_N))
    if held_out == "tail":
      self.assertEqual(gaps.train_N[-1] + 1, gaps.held_N[0])
    if held_out == "random":  # spread evenly: U(0, 999) has a mean of 499
      self.assertAlmostEqual(gaps.held_N.mean(), 499, delta=4 * 288 / 99**0.5)

  @parameterized.parameters("random", "tail")
  def test_statistics_are_those_of_trained_rows(self, held_out):
    gaps = primes.load(primes.Config(primes=1000, held_out=held_out))
    trained_N = np.diff(naive(7920))[gaps.train_N]
    self.assertAlmostEqual(gaps.mean, trained_N.mean())
    self.assertAlmostEqual(gaps.deviation, np.sqrt(trained_N.var()))
    self.assertNotAlmostEqual(gaps.mean, gaps.gap_N.mean(), places=3)
    z_N = (np.diff(naive(7920)) - trained_N.mean()) / trained_N.std()
    np.testing.assert_allclose(gaps.target_N, z_N, rtol=1e-6)

  def test_members_of_a_random_split_depend_on_the_seed(self):
    held = lambda seed: primes.load(
      primes.Config(primes=1000, held_out="random", seed=seed)
    ).held_N.tolist()
    self.assertEqual(held(0), held(0))
    self.assertNotEqual(held(0), held(1))

  def test_tokens(self):
    gaps = primes.load(primes.Config(primes=200, context=4, moduli=(3, 5)))
    token_NxF = primes.tokens(gaps)
    prime_N = naive(1224)
    self.assertEqual((token_NxF.shape, len(prime_N)), ((199, 9), 200))
    self.assertEqual(token_NxF.dtype, np.float32)
    np.testing.assert_array_equal(token_NxF[:, 0], gaps.target_N)
    for row in range(199):
      after = prime_N[row + 1]
      hot = [float(after % 3 == i) for i in range(3)]
      hot += [float(after % 5 == i) for i in range(5)]
      self.assertEqual(token_NxF[row, 1:].tolist(), hot)

  def test_hash_tells_data_apart(self):
    options = (
      {},
      {"primes": 201},
      {"held_out": "random"},
      {"held_out": "tail"},
      {"held_out": "tail", "held_fraction": 0.2},
      {"context": 3},
      *({"sequence": name} for name in ("shuffled", "cramer", "constant")),
      *({"sequence": name} for name in ("marginal", "gaussian", "logistic")),
    )
    load = lambda o: primes.load(primes.Config(**{"primes": 200} | o))
    hashes = {load(o).data_hash for o in options}
    self.assertLen(hashes, len(options))
    # Targets are all 1 here: rows alone tell these apart.
    hashes = {
      load({"sequence": "constant", "held_out": held_out}).data_hash
      for held_out in ("none", "random")
    }
    self.assertLen(hashes, 2)
    self.assertEqual(load({}).data_hash, load({}).data_hash)


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"primes": 99}, "primes=99 must be at least 100"),
    ({"context": -1}, "context=-1 must be at least 0"),
    ({"seed": -1}, "seed=-1 must be at least 0"),
    ({"sequence": "odd"}, "sequence='odd' is not one of primes, shuffled"),
    ({"held_out": "head"}, "held_out='head' is not one of none, random, tail"),
    ({"order": "up"}, "order='up' is not one of fixed, shuffled"),
    ({"held_fraction": 0.0}, "held_fraction=0.0 must be above 0 and below 1"),
    ({"held_fraction": 1.0}, "held_fraction=1.0 must be above 0 and below 1"),
    ({"moduli": (3,)}, "need a context of 1 or more"),
    ({"moduli": (3, 1), "context": 2}, "has 1, which must be at least 2"),
    ({"primes": 100, "context": 50}, "context=50 leaves no gaps to ask for"),
  )
  def test_wrong_configs(self, options, message):
    with self.assertRaisesRegex(ValueError, message) as caught:
      primes.Config(**options)
    self.assertLen(str(caught.exception).splitlines(), 1)

  def test_fields_set_later_are_checked_on_loading(self):
    config = primes.Config()
    config.primes = 5
    with self.assertRaisesRegex(ValueError, "primes=5 must be at least 100"):
      primes.load(config)


if __name__ == "__main__":
  absltest.main()
