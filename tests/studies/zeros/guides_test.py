"""Guides: what each says of the next spacing; none knows later ones."""

import dataclasses

import numpy as np
import odlyzko
import tiny_study
from absl.testing import absltest, parameterized
from primelens.studies.zeros import guides
from primelens.tasks import riemann_siegel, windows, zeros

SPLITS = {"train": (0, 22_000), "select": (22_100, 22_400)}
SPLITS |= {"test": (22_500, 23_000)}


def series(value_N, ordinate_N=None, **options):
  options = dict(splits=SPLITS, recent=1_500, window=16) | options
  return windows.Series(
    value_N=np.asarray(value_N, np.float32), ordinate_N=ordinate_N, data_hash="", **options
  )


def heights(count, first=1000, seed=0):
  """Returns made-up zeros from number `first` on, and their spacings."""
  noise_N = np.random.default_rng(seed).uniform(-0.3, 0.3, count)
  # Zero k has theta / pi + 1 = k - 1/2, were it not for S.
  number_N = first + np.arange(count)
  ordinate_N = riemann_siegel.gram(number_N - 1.5 + noise_N)
  return ordinate_N[:-1], zeros.spacings(ordinate_N)


class GuideTest(absltest.TestCase):
  def test_a_filter_of_train(self):
    phi_Q = [0.5, -0.3]
    its = series(tiny_study.ar(phi_Q, 23_000))
    index_N = np.arange(22_501, 22_600)
    found_N = guides.guide(its, "ar:2", index_N)
    r_N = its.value_N.astype(float) - 1
    c = [r_N[: 22_000 - k] @ r_N[k:22_000] / 22_000 for k in range(3)]
    toeplitz = np.array([[c[0], c[1]], [c[1], c[0]]])
    fitted = np.linalg.solve(toeplitz, c[1:])
    np.testing.assert_allclose(fitted, phi_Q, atol=0.02)
    expected_N = fitted @ [r_N[index_N - 1], r_N[index_N - 2]]
    np.testing.assert_allclose(found_N, expected_N, rtol=1e-8, atol=1e-10)

  def test_the_adaptive_filter_learns_the_20_000_before(self):
    # Another process up to 2,500, which no fit of these indices may see.
    value_N = np.append(tiny_study.ar([-0.6], 2_500, seed=1), tiny_study.ar([0.7], 21_000))
    its = series(value_N)
    found_N = guides.guide(its, "adaptive", np.arange(22_500, 22_800))
    r_N = value_N.astype(float) - 1
    past = np.lib.stride_tricks.sliding_window_view(r_N[2_500:22_499], 256)
    phi_Q = np.linalg.solve(past.T @ past, past.T @ r_N[2_756:22_500])
    expected_N = [r_N[n - 256 : n] @ phi_Q for n in range(22_500, 22_800)]
    np.testing.assert_allclose(found_N, expected_N, rtol=1e-6, atol=1e-8)

  @absltest.skipUnless(odlyzko.installed(), "Odlyzko's table is not installed")
  def test_waves_as_in_the_table_of_the_spec(self):
    # docs/sources/zeros.md, section 7.1: 4,000 zeros from #1,900,001, R2 and RMSE.
    its = zeros.load(zeros.Config(split="published_tail"))
    index_N = np.arange(1_900_000, 1_904_000)
    truth_N = its.value_N[index_N].astype(float) - 1
    for name, r2, rmse in (("waves:100", 0.7658, 0.1974),) + (("waves:1000", 0.8817, 0.1403),):
      error_N = truth_N - guides.guide(its, name, index_N)
      square = np.mean(error_N**2)
      self.assertAlmostEqual(1 - square / truth_N.var(), r2, delta=5.1e-5)
      self.assertAlmostEqual(np.sqrt(square), rmse, delta=5.1e-5)

  def test_the_height_is_standardised_on_train(self):
    ordinate_N, value_N = heights(23_001)
    its = series(value_N, ordinate_N)
    found_N = guides.guide(its, "height", np.arange(22_500, 22_510))
    level_N = 1 / np.log(ordinate_N / (2 * np.pi))
    mean, std = level_N[:22_000].mean(), level_N[:22_000].std()
    np.testing.assert_allclose(found_N, (level_N[22_500:22_510] - mean) / std)
    self.assertAlmostEqual(guides.guide(its, "height", np.arange(22_000)).std(), 1.0)


class FutureTest(parameterized.TestCase):
  @parameterized.parameters("adaptive", "ar:5", "waves:30", "height")
  def test_nothing_later_is_known(self, name):
    ordinate_N, value_N = heights(23_001)
    index_N, now = np.arange(22_500, 23_000), 22_700
    its = series(value_N, ordinate_N)
    # Spacing `now` and all later ones change, and with them the heights at
    # which those after it start.
    other_N, later_N = value_N.copy(), ordinate_N.copy()
    other_N[now:] *= 1.1
    later_N[now + 1 :] = ordinate_N[now] + 1.1 * (ordinate_N[now + 1 :] - ordinate_N[now])
    changed = dataclasses.replace(its, value_N=other_N, ordinate_N=later_N)
    one, two = (guides.guide(each, name, index_N) for each in (its, changed))
    known = index_N <= now
    np.testing.assert_allclose(one[known], two[known], rtol=0, atol=2e-6)
    self.assertGreater(np.abs(one - two)[~known].max(), 1e-4)


class ColumnsTest(parameterized.TestCase):
  def test_rows_hold_the_guides_of_the_next_spacing(self):
    ordinate_N, value_N = heights(23_001)
    its = series(value_N, ordinate_N)
    names = ("height", "ar:2", "waves:10")
    column_NxJ1, log_scale_J = guides.columns(its, names)
    self.assertEqual(column_NxJ1.dtype, np.float32)
    np.testing.assert_array_equal(column_NxJ1[:, 0], its.value_N)
    there_N = np.isfinite(column_NxJ1).all(1)
    for first, last in (its.drawn, SPLITS["select"], SPLITS["test"]):
      # The last value of a range is a target alone.
      self.assertTrue(there_N[first : last - 1].all())
      there_N[first : last - 1] = False
      index_N = np.arange(first + 1, last)
      for j, name in enumerate(names):
        np.testing.assert_allclose(
          column_NxJ1[first : last - 1, 1 + j],
          guides.guide(its, name, index_N),
          rtol=1e-5,
          atol=1e-6,
        )
    self.assertFalse(there_N.any())
    # Two guesses, so two scales, of their errors where windows are drawn.
    self.assertEqual(its.drawn, (20_500, 22_000))
    r_N = value_N[20_501:22_000].astype(float) - 1
    error_NxJ = r_N[:, None] - column_NxJ1[20_500:21_999, 2:]
    expected_J = np.log(np.sqrt(np.mean(error_NxJ**2, axis=0)))
    np.testing.assert_allclose(log_scale_J, expected_J, rtol=1e-5)

  def test_without_guesses_the_scale_is_that_of_the_spacings(self):
    its = series(1 + 0.3 * (-1.0) ** np.arange(23_000))
    column_NxJ1, log_scale_J = guides.columns(its, ())
    self.assertEqual(column_NxJ1.shape, (23_000, 1))
    np.testing.assert_allclose(log_scale_J, [np.log(0.3)], rtol=1e-5)

  def test_windows_have_the_past_that_their_guides_need(self):
    its = series(np.ones(23_000), recent=0)
    for names, first in (((), 0), (("ar:64",), 64), (("ar:64", "adaptive"), 20_000)):
      self.assertEqual(guides.drawn(its, names), (first, 22_000))
    column_NxJ1, _ = guides.columns(series(tiny_study.ar([0.5], 23_000), recent=0), ("ar:64",))
    there_N = np.isfinite(column_NxJ1[:22_000, 1])
    np.testing.assert_array_equal(np.flatnonzero(there_N)[[0, -1]], [64, 21_998])

  @parameterized.parameters(
    ("waves:100", "'waves:100' needs heights: take task.kind='zeros'"),
    ("height", "'height' needs heights"),
    ("ar:21990", "guides ar:21990 need 21,990 spacings before the first win"),
    ("oracle", "'oracle' is not one of adaptive"),
  )
  def test_refused(self, name, message):
    with self.assertRaisesRegex(ValueError, message):
      guides.columns(series(np.ones(23_000)), (name,))

  def test_a_short_past_is_refused(self):
    its = series(tiny_study.ar([0.5], 23_000))
    with self.assertRaisesRegex(
      ValueError, "'adaptive' needs 20,000 spacings before .* not 7: take more"
    ):
      guides.guide(its, "adaptive", np.arange(7, 100))


if __name__ == "__main__":
  absltest.main()
