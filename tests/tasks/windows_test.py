import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.tasks import windows


def _series(n=100, window=8, **splits):
  return windows.Series(
    value_N=np.arange(n, dtype=np.float32),
    splits=splits or {"train": (0, n)},
    window=window,
    data_hash="",
  )


class SplitsTest(absltest.TestCase):
  def test_contiguous_is_80_10_10_with_gaps(self):
    splits = windows.contiguous(102_000, window=256)
    self.assertEqual(
      splits, {"train": (0, 80_000), "select": (81_000, 91_000), "test": (92_000, 102_000)}
    )

  def test_gap_is_at_least_a_window(self):
    splits = windows.contiguous(100_000, window=2_000)
    self.assertEqual(splits["select"][0] - splits["train"][1], 2_000)
    self.assertEqual(splits["test"][0] - splits["select"][1], 2_000)

  def test_published_tail_of_the_full_table(self):
    splits = windows.published_tail(2_001_051, window=255)
    self.assertEqual(splits["test"], (1_800_960, 2_000_896))
    self.assertEqual(splits["train_published"], (0, 7_035 * 256))
    self.assertEqual(splits["select"], (1_620_864, 1_800_960))
    self.assertEqual(splits["train"], (0, 1_619_864))

  def test_too_few_spacings_are_refused(self):
    for name, make in windows.SPLITS.items():
      with self.subTest(name):
        with self.assertRaisesRegex(ValueError, "too few.*window of 256"):
          make(2_100, window=256)

  def test_series_refuses_bad_ranges(self):
    with self.assertRaisesRegex(ValueError, "'test' holds 8 .* needs 9"):
      _series(test=(10, 18))
    with self.assertRaisesRegex(ValueError, "outside the 100 spacings"):
      _series(test=(10, 101))
    with self.assertRaisesRegex(ValueError, "window 0"):
      _series(window=0)

  def test_training_windows_come_from_the_recent_part(self):
    for recent, expected in {0: (10, 60), 20: (40, 60), 99: (10, 60)}.items():
      series = dataclasses.replace(_series(train=(10, 60)), recent=recent)
      self.assertEqual(series.drawn, expected)
    with self.assertRaisesRegex(ValueError, "recent.* holds 8 .* needs 9"):
      _ = dataclasses.replace(_series(), recent=8).drawn

  def test_unknown_split_names_the_known(self):
    with self.assertRaisesRegex(ValueError, "'val'.*'train'"):
      windows.starts(_series(), "val")


class DrawTest(absltest.TestCase):
  def _draw(self, batch_size=4_000, **options):
    draw = jax.jit(functools.partial(windows.draw, batch_size=batch_size, **options))
    return np.asarray(draw(jnp.arange(100.0), jax.random.key(0)))

  def test_windows_are_consecutive_and_reach_both_ends(self):
    window_BxT = self._draw(first=10, last=40, window=8)
    self.assertEqual(window_BxT.shape, (4_000, 9))
    np.testing.assert_array_equal(np.diff(window_BxT, axis=1), np.ones((4_000, 8)))
    self.assertEqual(set(window_BxT[:, 0]), set(range(10, 32)))
    self.assertEqual(window_BxT.max(), 39)

  def test_stride_gives_rows(self):
    first_B = self._draw(first=10, last=50, window=9, stride=10)[:, 0]
    self.assertEqual(set(first_B), {10, 20, 30, 40})

  def test_starts_are_uniform(self):
    first_B = self._draw(first=0, last=13, window=8)[:, 0]
    count = np.bincount(first_B.astype(int))
    # Five starts, 800 each; 5 sigma is 126.
    self.assertLess(np.abs(count - 800).max(), 126)

  def test_range_without_window_is_refused(self):
    with self.assertRaisesRegex(ValueError, r"\[0, 8\) holds no window"):
      self._draw(first=0, last=8, window=8)


class StartsTest(absltest.TestCase):
  def test_every_spacing_is_scored_once(self):
    series = _series(test=(20, 90))
    for min_context in (1, 4, 8):
      with self.subTest(min_context=min_context):
        start_N = windows.starts(series, "test", min_context=min_context)
        index_NxU = windows.targets(start_N, 8, min_context=min_context)
        flat = index_NxU.reshape(-1)
        expected = 20 + min_context + np.arange(len(flat))
        np.testing.assert_array_equal(flat, expected)
        # Less than one more window would fit.
        self.assertLess(90 - flat[-1] - 1, index_NxU.shape[1])

  def test_last_window_ends_at_the_split(self):
    start_N = windows.starts(_series(test=(0, 25)), "test")
    np.testing.assert_array_equal(start_N, [0, 8, 16])

  def test_targets_are_the_values_after_the_inputs(self):
    series, start_N = _series(), np.array([3, 50])
    window_NxT = windows.take(series.value_N, start_N, 8)
    np.testing.assert_array_equal(window_NxT[:, 1:], series.value_N[windows.targets(start_N, 8)])
    np.testing.assert_array_equal(
      window_NxT[:, 6:], series.value_N[windows.targets(start_N, 8, min_context=6)]
    )

  def test_count_spreads_over_the_split(self):
    series = _series(n=1_000)
    start_N = windows.starts(series, "train", 5)
    np.testing.assert_array_equal(start_N, [0, 248, 496, 736, 984])

  def test_seed_chooses_without_replacement_in_order(self):
    series = _series(n=1_000)
    every = windows.starts(series, "train")
    one = windows.starts(series, "train", 50, seed=1)
    self.assertTrue((np.diff(one) > 0).all())
    self.assertTrue(set(one) <= set(every))
    self.assertFalse(np.array_equal(one, windows.starts(series, "train", 50, seed=2)))

  def test_bad_requests_are_refused(self):
    with self.assertRaisesRegex(ValueError, "has 12 disjoint windows, not 13"):
      windows.starts(_series(), "train", 13)
    with self.assertRaisesRegex(ValueError, "min_context 9 is not in 1 .. 8"):
      windows.starts(_series(), "train", min_context=9)

  def test_take_agrees_on_host_and_device(self):
    value_N, start_N = np.arange(50.0, dtype=np.float32), np.array([0, 7, 41])
    host = windows.take(value_N, start_N, 8)
    device = jax.jit(windows.take, static_argnums=2)(jnp.asarray(value_N), jnp.asarray(start_N), 8)
    np.testing.assert_array_equal(host, device)


if __name__ == "__main__":
  absltest.main()
