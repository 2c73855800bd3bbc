import numpy as np
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.tasks import binned, zeros


class TokensTest(absltest.TestCase):
  def test_centres_and_edges(self):
    token_V = np.arange(256)
    centre_V = 0.0078125 + token_V * 0.015625  # docs/sources/zeros.md, section 1.4
    np.testing.assert_array_equal(binned.decode(token_V), centre_V)
    np.testing.assert_array_equal(binned.encode(centre_V), token_V)
    np.testing.assert_array_equal(binned.encode(token_V / 64), token_V)

  def test_is_the_published_clip_and_floor(self):
    value_N = np.random.default_rng(0).exponential(1.5, 2000)
    clipped_N = np.clip(value_N.astype(np.float32), 0, 4 - 1e-6)
    expected_N = np.floor(clipped_N.astype(np.float64) / 0.015625)
    self.assertGreater((value_N > 4).sum(), 50)
    np.testing.assert_array_equal(binned.encode(value_N), expected_N)
    np.testing.assert_array_equal(binned.encode([-1.0, 4.0, 99.0]), [0, 255, 255])


class ControlsTest(parameterized.TestCase):
  def test_rows_keep_their_spacings(self):
    value_N = np.arange(3 * 256 + 7, dtype=np.float32)
    found_N = binned.shuffled_rows(value_N, 42)
    for row in range(3):
      at = slice(256 * row, 256 * row + 256)
      np.testing.assert_array_equal(np.sort(found_N[at]), value_N[at])
      self.assertFalse(np.array_equal(found_N[at], value_N[at]))
    np.testing.assert_array_equal(found_N[768:], value_N[768:])
    order_NxT = found_N[:768].reshape(3, 256) % 256
    self.assertFalse(np.array_equal(order_NxT[0], order_NxT[1]))

  def test_tail_and_train_keep_theirs(self):
    value_N = np.arange(1000, dtype=np.float32)
    found_N = binned.shuffled(value_N, 42, 700)
    for part in (slice(0, 700), slice(700, 1000)):
      np.testing.assert_array_equal(np.sort(found_N[part]), value_N[part])
    lag = np.corrcoef(found_N[1:700], found_N[:699])[0, 1]
    self.assertLess(abs(lag), 4 / np.sqrt(700))

  def test_prime_gaps_become_the_published_tokens(self):
    # 2 3 5 7 11 13 17 19 23 29 31 have gaps 1 2 2 4 2 4 2 4 6 2, median 2.
    found_N = binned.encode(binned.prime_gaps(11))
    expected_N = [64, 128, 128, 255, 128, 255, 128, 255, 255, 128]
    np.testing.assert_array_equal(found_N, expected_N)

  def test_odd_ratios_lose_nothing_to_float32(self):
    gap_N, median = np.arange(2, 200, 2), 10
    published_N = np.clip((gap_N * 128 / median).astype(int), 0, 255)
    ours_N = binned.encode((2 * gap_N / median).astype(np.float32))
    np.testing.assert_array_equal(ours_N, published_N)

  def test_prime_gaps_load(self):
    config = binned.Config(ensemble="prime_gaps", primes=9000)
    series = tasks.load(config)
    self.assertLen(series.value_N, 8999)
    self.assertEqual((series.window, series.stride), (255, 256))
    self.assertIsNone(series.ordinate_N)

  @parameterized.parameters(
    ({"ensemble": "sorted"}, "not one of shuffled_rows, shuffled, prime_gaps"),
    ({"primes": 3}, "primes=3 must be at least 100"),
    ({"seed": -1}, "seed=-1 must be at least 0"),
  )
  def test_bad_configs_are_refused(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      binned.Config(**changes)


class ZerosTest(absltest.TestCase):
  def test_shuffled_zeros_keep_every_part(self):
    base = zeros.load(zeros.Config(split="published_tail"))
    tail, end = base.bounds("test")
    for ensemble in ("shuffled", "shuffled_rows"):
      series = tasks.load(binned.Config(ensemble=ensemble))
      self.assertEqual(series.bounds("test"), (tail, end))
      for part in (slice(0, tail), slice(tail, None)):
        own_N, other_N = series.value_N[part], base.value_N[part]
        np.testing.assert_array_equal(np.sort(own_N), np.sort(other_N))
      lag = np.corrcoef(series.value_N[1:], series.value_N[:-1])[0, 1]
      self.assertLess(abs(lag), 0.01)  # -0.349 of the zeros
      self.assertNotEqual(series.data_hash, base.data_hash)


if __name__ == "__main__":
  absltest.main()
