import functools
import pathlib
import tempfile
from unittest import mock

import numpy as np
import odlyzko
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.tasks import riemann_siegel, zeros, zeros_computed

try:
  import flint
except ImportError:
  flint = None


@functools.cache
def _computed() -> np.ndarray:
  """Returns 500 zeros, in one block."""
  return zeros_computed.compute(300_000, 500)


class ComputeTest(parameterized.TestCase):
  def test_the_first_three_of_the_literature(self):
    ordinate_N = zeros_computed.compute(1, 3)
    known_N = [14.134725141734693790, 21.022039638771554993, 25.010857580145688763]
    np.testing.assert_allclose(ordinate_N, known_N, rtol=0, atol=1e-9)

  def test_lehmers_pair(self):
    # D. H. Lehmer, Acta Math. 95 (1956): Z dips to 0.004 between them.
    pair_N = zeros_computed.compute(6709, 2)
    np.testing.assert_allclose(pair_N, [7005.06287, 7005.10056], atol=6e-6)

  # Arb's certified values, to 12 decimals (python-flint, `acb.zeta_zero`).
  @parameterized.parameters((1_000_000, 600269.677012444955), (2_001_052, 1132490.658714410923))
  def test_zeros_of_the_issue_to_a_tenth_of_a_millionth(self, number, known):
    self.assertAlmostEqual(zeros_computed.compute(number, 1)[0], known, delta=1e-7)

  @absltest.skipUnless(flint, "python-flint is not installed")
  def test_random_zeros_above_the_table(self):
    flint.ctx.prec = 100
    for first in (21_136_125, 248_008_025, 10_000_000_000):
      ordinate_N = zeros_computed.compute(first, 200)
      for k in np.random.default_rng(first).choice(200, 3, replace=False):
        certain = flint.acb.zeta_zero(first + int(k)).imag
        error = float(certain - flint.arb(float(ordinate_N[k])))
        # At 3.3e9 a unit in the last place of float64 is 4.8e-7.
        self.assertLess(abs(error), max(1e-7, np.spacing(ordinate_N[k])))

  @absltest.skipUnless(odlyzko.installed(), "Odlyzko's table is not installed")
  def test_the_table(self):
    table_N = zeros.ordinates(zeros.Config())
    for first, count in ((1, 2_000), (150_000, 2_000), (1_999_053, 2_000)):
      ordinate_N = zeros_computed.compute(first, count)
      known_N = table_N[first - 1 : first - 1 + count]
      # The table states 4e-9.
      np.testing.assert_allclose(ordinate_N, known_N, rtol=0, atol=4e-9)

  def test_a_block_at_ten_million_is_whole(self):
    first = 21_136_125
    ordinate_N = zeros_computed.compute(first, 40_000)
    # Turing's method has passed; the mean of N - 1/2 - u says the same.
    self.assertEqual(zeros.number(ordinate_N), first)
    self.assertEqual(zeros.number(ordinate_N[-1000:]), first + 39_000)
    self.assertAlmostEqual(zeros.spacings(ordinate_N).mean(), 1, places=4)

  def test_a_grid_too_coarse_is_noticed_and_refined(self):
    whole_N = _computed()
    with mock.patch.object(zeros_computed, "_CELLS", (1,)):
      with self.assertRaisesRegex(ValueError, "zeros are missing|Gram blocks"):
        zeros_computed.compute(300_000, 500)
    with mock.patch.object(zeros_computed, "_CELLS", (1, 16)):
      again_N = zeros_computed.compute(300_000, 500)
    np.testing.assert_allclose(again_N, whole_N, rtol=0, atol=1e-9)

  def test_blocks_join(self):
    whole_N = _computed()
    with mock.patch.object(zeros_computed, "_BLOCK", 200):
      parts_N = zeros_computed.compute(300_000, 500)
    np.testing.assert_allclose(parts_N, whole_N, rtol=0, atol=1e-9)

  def test_two_formulas_agree_where_they_meet(self):
    first = int(riemann_siegel.theta(riemann_siegel.LEAST) / np.pi) - 20
    ordinate_N = zeros_computed.compute(first, 60)
    value_N = riemann_siegel.low(ordinate_N[ordinate_N < 1700])
    np.testing.assert_allclose(value_N, 0, atol=1e-8)

  def test_bad_requests(self):
    for first, count in ((0, 5), (5, 0)):
      with self.assertRaisesRegex(ValueError, "must be at least 1"):
        zeros_computed.compute(first, count)
    with self.assertRaisesRegex(ValueError, "lies above 1e[+]10"):
      zeros_computed.compute(10**12, 10)


class SourceTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    cache = self.enterContext(tempfile.TemporaryDirectory())
    self.config = zeros.Config(
      source="computed", first=300_000, limit=1_500, window=32, gap=100, cache=cache
    )

  def test_series(self):
    series = tasks.load(self.config)
    self.assertLen(series.value_N, 1_499)
    self.assertEqual(zeros.number(series.ordinate_N), 300_000)
    self.assertAlmostEqual(series.value_N.mean(), 1, delta=2e-3)
    with mock.patch.object(zeros_computed, "compute", None):  # from the cache
      again = tasks.load(self.config)
    self.assertEqual(again.data_hash, series.data_hash)
    [file] = pathlib.Path(self.config.cache).iterdir()
    self.assertStartsWith(file.name, "computed-")

  def test_hash_is_of_the_recipe(self):
    # Last bits differ between processors; the same request is the same data.
    whole_N = zeros_computed.compute(300_000, 1_500)
    moved = lambda first, count: np.nextafter(whole_N, np.inf)
    first = tasks.load(self.config).data_hash
    self.config.cache = self.enterContext(tempfile.TemporaryDirectory())
    with mock.patch.object(zeros_computed, "compute", moved):
      self.assertEqual(tasks.load(self.config).data_hash, first)
    self.config.first = 300_001
    self.assertNotEqual(tasks.load(self.config).data_hash, first)

  def test_a_number_of_zeros_is_needed(self):
    self.config.limit = 0
    with self.assertRaisesRegex(ValueError, "computed' needs a number of"):
      tasks.load(self.config)

  def test_heights_beyond_the_method_are_refused(self):
    self.config.first = 10**12
    with self.assertRaisesRegex(ValueError, "lies above"):
      tasks.load(self.config)


if __name__ == "__main__":
  absltest.main()
