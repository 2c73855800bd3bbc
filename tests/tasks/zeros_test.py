import os
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import odlyzko
import scipy.special
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.tasks import zeros, zeros_sources


def _regular(count: int, first: int = 1) -> np.ndarray:
  """Ordinates where u is n - 11/8: zeros if S(t) vanished, mean spacing 1.

  u = x (ln x - 1) with x = g / 2 pi, hence x = exp(1 + W(u / e)).
  """
  height_N = np.arange(first, first + count) - 1.375
  return 2 * np.pi * np.exp(1 + scipy.special.lambertw(height_N / np.e).real)


class UnfoldTest(absltest.TestCase):
  def test_inverse_of_lambert_w(self):
    height_N = zeros.unfold(_regular(1_000, first=10**6))
    np.testing.assert_allclose(height_N, 10**6 - 1.375 + np.arange(1_000))

  def test_spacings_are_one_and_float32(self):
    value_N = zeros.spacings(_regular(1_000))
    self.assertEqual(value_N.dtype, np.float32)
    np.testing.assert_allclose(value_N, np.ones(999), atol=1e-6)


class CheckTest(parameterized.TestCase):
  def test_regular_ordinates_pass(self):
    zeros.check(_regular(5_000), str)
    zeros.check(_regular(5_000, first=10**8), str)

  @parameterized.parameters(
    (lambda x: np.insert(x, 70, x[69]), "^70: .* repeats the one before"),
    (lambda x: np.insert(x, 70, x[60]), "^70: .* is below the one before"),
    (lambda x: np.delete(x, range(70, 81)), "^70: .* gap of over 10 mean"),
    (lambda x: np.where(x == x[70], np.nan, x), "^70: the ordinate is not finite"),
    (lambda x: np.where(x == x[70], np.inf, x), "^70: the ordinate is not finite"),
    (lambda x: np.insert(x, 0, 0.0), "^0: .* below the first zero"),
    (lambda x: x[:1], "^0: a single zero has no spacing"),
  )
  def test_bad_ordinates_are_refused_where_they_stand(self, damage, message):
    with self.assertRaisesRegex(ValueError, message):
      zeros.check(damage(_regular(200)), str)

  @parameterized.parameters(1_500, 2_300, 4_500)
  def test_a_single_missing_or_surplus_zero_is_found(self, at):
    whole = _regular(5_000)
    middle = (whole[at] + whole[at + 1]) / 2
    for bad in (np.delete(whole, at), np.insert(whole, at + 1, middle)):
      with self.assertRaisesRegex(ValueError, "missing or surplus") as caught:
        zeros.check(bad, str)
      self.assertLessEqual(abs(int(str(caught.exception).split(":")[0]) - at), 1_000)


class CacheTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.cache = self.folder / "cache"
    self.whole_N = _regular(4_000)
    self.config = self._config(self.whole_N)

  def _config(self, ordinate_N, **options):
    file = self.folder / "zeros.txt"
    np.savetxt(file, ordinate_N, fmt="%.17g")
    return zeros.Config(source="text", path=str(file), cache=str(self.cache), **options)

  def _cached(self):
    return list(self.cache.iterdir())

  def test_second_load_maps_the_cache(self):
    first = zeros.ordinates(self.config)
    with mock.patch.dict(zeros_sources.READERS, text=None):
      second = zeros.ordinates(self.config)
    self.assertIsInstance(second, np.memmap)
    np.testing.assert_array_equal(first, self.whole_N)
    np.testing.assert_array_equal(second, self.whole_N)
    self.assertLen(self._cached(), 1)

  def test_damaged_cache_is_rebuilt(self):
    zeros.ordinates(self.config)
    [file] = self._cached()
    good = file.read_bytes()
    damages = {
      "empty": b"",
      "half": good[: len(good) // 2],
      "header": b"x" * 128 + good[128:],
      "longer": good + b"\0" * 8,
      "content": good[:1_000] + b"\0" * 8 + good[1_008:],
      "last bit": good[:2_000] + bytes([good[2_000] ^ 1]) + good[2_001:],
      "without digest": good[:-32],
      "type": good.replace(b"<f8", b"<i8"),
    }
    for name, bad in damages.items():
      with self.subTest(name):
        file.write_bytes(bad)
        np.testing.assert_array_equal(zeros.ordinates(self.config), self.whole_N)
        self.assertEqual(file.read_bytes(), good)

  def test_changed_source_is_read_again(self):
    zeros.ordinates(self.config)
    config = self._config(self.whole_N[:3_000])
    self.assertLen(zeros.ordinates(config), 3_000)
    self.assertLen(self._cached(), 2)

  def test_bad_source_is_not_cached(self):
    config = self._config(self.whole_N[::-1])
    with self.assertRaisesRegex(ValueError, r"zeros.txt, line 2 \(zero 2\): "):
      zeros.ordinates(config)
    self.assertFalse(self.cache.exists())

  def test_unwritable_cache_only_warns(self):
    self.cache.write_text("a file where the folder should be")
    with self.assertLogs(level="WARNING") as logs:
      ordinate_N = zeros.ordinates(self.config)
    self.assertIn("not cached", logs.output[0])
    np.testing.assert_array_equal(ordinate_N, self.whole_N)

  def test_environment_names_the_cache(self):
    elsewhere = self.folder / "elsewhere"
    self.config.cache = ""
    with mock.patch.dict(os.environ, PRIMELENS_CACHE=str(elsewhere)):
      zeros.ordinates(self.config)
    self.assertLen(list(elsewhere.iterdir()), 1)


class LoadTest(absltest.TestCase):
  def _config(self, **options):
    folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
    np.savetxt(folder / "zeros.txt", _regular(5_001), fmt="%.17g")
    return zeros.Config(
      source="text", path=str(folder / "zeros.txt"), cache=str(folder), window=32, **options
    )

  def test_series(self):
    series = tasks.load(self._config(gap=100, stride=7))
    self.assertLen(series.value_N, 5_000)
    np.testing.assert_array_equal(series.ordinate_N, _regular(5_000))
    self.assertEqual(series.splits["train"], (0, 3_840))
    self.assertEqual((series.window, series.stride), (32, 7))

  def test_hash_is_of_the_zeros_used(self):
    config = self._config()
    whole = tasks.load(config).data_hash
    config.split = "published_tail"
    self.assertEqual(tasks.load(config).data_hash, whole)
    config.limit = 5_000
    self.assertNotEqual(tasks.load(config).data_hash, whole)

  def test_bad_settings_are_refused(self):
    config = self._config(limit=5_002)
    with self.assertRaisesRegex(ValueError, "limit 5002 exceeds 5001 zeros"):
      tasks.load(config)
    config.limit = 100
    with self.assertRaisesRegex(ValueError, "99 spacings are too few"):
      tasks.load(config)
    bad_fields = {"source": "csv", "split": "random", "limit": -1, "first": 0}
    for name, bad in bad_fields.items():
      with self.subTest(name):
        with self.assertRaisesRegex(ValueError, f"{name}='?{bad}"):
          zeros.Config(**{name: bad})
        changed = self._config()
        setattr(changed, name, bad)  # as a command-line flag does
        with self.assertRaisesRegex(ValueError, f"{name}='?{bad}"):
          tasks.load(changed)

  def test_first_skips_zeros(self):
    whole, later = (tasks.load(self._config(first=first)) for first in (1, 101))
    np.testing.assert_array_equal(later.ordinate_N, whole.ordinate_N[100:])
    with self.assertRaisesRegex(ValueError, "limit 20 exceeds 2 zeros from"):
      tasks.load(self._config(first=5_000, limit=20))

  def test_number_of_the_first_zero(self):
    for first in (1, 777, 10**8):
      self.assertEqual(zeros.number(_regular(300, first=first)), first)

  def test_unknown_kind_is_refused(self):
    with self.assertRaisesRegex(ValueError, "'gaps' .*'zeros', 'surrogate'"):
      tasks.load(mock.Mock(kind="gaps"))

  def test_absent_wheel_says_what_to_do(self):
    with mock.patch.object(zeros_sources, "WHEEL", "no-such-distribution"):
      with self.assertRaisesRegex(
        FileNotFoundError, r"pip install 'primelens\[zeros\]'.*source=text"
      ):
        tasks.load(zeros.Config())


@absltest.skipUnless(odlyzko.installed(), "The extra 'zeros' is not installed.")
class OdlyzkoTest(absltest.TestCase):
  """The published study's sanity numbers, on the real table."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.cache = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.series = zeros.load(zeros.Config(cache=cls.cache, split="published_tail"))

  def test_sanity_numbers(self):
    value_N = self.series.value_N.astype(np.float64)
    self.assertLen(value_N, 2_001_051)
    self.assertAlmostEqual(value_N.mean(), 1.0, delta=5e-7)
    self.assertAlmostEqual(value_N.std(), 0.407523, delta=1e-6)
    self.assertAlmostEqual(value_N.min(), 0.005447, delta=1e-6)
    self.assertAlmostEqual(value_N.max(), 3.303473, delta=1e-6)
    self.assertAlmostEqual(np.median(value_N), 0.967391, delta=1e-6)
    centred_N = value_N - value_N.mean()
    lag1 = np.mean(centred_N[1:] * centred_N[:-1]) / value_N.var()
    self.assertAlmostEqual(lag1, -0.348893, delta=2e-6)

  def test_heights(self):
    ordinate_N = self.series.ordinate_N
    self.assertAlmostEqual(ordinate_N[0], 14.134725142, places=9)
    self.assertAlmostEqual(ordinate_N[1], 21.022039639, places=9)
    self.assertBetween(ordinate_N[-1], 1_132_489, 1_132_490.66)

  def test_published_split(self):
    self.assertEqual(self.series.splits["test"], (1_800_960, 2_000_896))

  def test_numbers_of_its_zeros(self):
    ordinate_N = self.series.ordinate_N
    for first in (1, 50, 1_234, 1_900_001):
      part_N = ordinate_N[first - 1 : first + 299]
      self.assertEqual(zeros.number(part_N), first)

  def test_one_zero_taken_out_of_the_table_is_found(self):
    ordinate_N = np.delete(self.series.ordinate_N[:100_000], 54_321)
    with self.assertRaisesRegex(ValueError, "^5[45]000: .*missing or surplus"):
      zeros.check(ordinate_N, str)

  def test_a_copy_of_the_table_can_be_named(self):
    [file] = zeros_sources.odlyzko_files("")
    config = zeros.Config(cache=self.cache, path=str(file), limit=5_000)
    np.testing.assert_array_equal(zeros.load(config).value_N, self.series.value_N[:4_999])

  def test_sage_is_not_imported(self):
    code = (
      "import sys; from primelens.tasks import zeros;"
      f"zeros.ordinates(zeros.Config(cache={self.cache!r}));"
      "assert not any(m.split('.')[0] == 'sage' for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
  absltest.main()
