"""Least squares of the guides, on spacings that are linear in one."""

import dataclasses

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
from primelens.models import guided
from primelens.models import transformer
from primelens.studies.zeros import guides_linear
import tiny_study

COUNT = 20_000
SPLITS = {"train": (0, 12_000), "select": (12_100, 13_000)}
SPLITS |= {"test": (13_100, COUNT)}


def a_run(guides=("ar:1",)):
  """s_n - 1 = 2 g_n + 0.5 e_{n-1} + 0.1 noise, e_n = s_n - 1 - g_n."""
  rng = np.random.default_rng(0)
  guess_N = rng.normal(0, 0.2, COUNT)
  noise_N, residual_N = rng.normal(0, 0.1, COUNT), np.zeros(COUNT)
  for n in range(1, COUNT):
    error = residual_N[n - 1] - guess_N[n - 1]
    residual_N[n] = 2 * guess_N[n] + 0.5 * error + noise_N[n]
  column_NxJ1 = np.full((COUNT, 1 + len(guides)), np.nan, np.float32)
  column_NxJ1[:, 0] = 1 + residual_N
  for first, last in SPLITS.values():  # as `guides.columns` leaves them
    rows = slice(first, last - 1)
    column_NxJ1[rows, -1] = guess_N[first + 1 : last]
    column_NxJ1[rows, 1:-1] = rng.normal(size=(last - first - 1, 1))
  model = guided.Config(
    window=tiny_study.T, guides=guides, trunk=transformer.Config()
  )
  run = tiny_study.handmade(
    None, {}, column_NxJ1[:, 0], model=model, splits=SPLITS
  )
  return dataclasses.replace(run, inputs={"column_NxJ1": column_NxJ1})


def entropy(variance):
  return 0.5 * np.log(2 * np.pi * np.e * variance)


class FittedTest(parameterized.TestCase):
  @parameterized.parameters((("ar:1",),), (("height", "ar:1"),))
  def test_by_hand(self, names):
    index_N = np.arange(13_200, COUNT)
    alone, both, every = guides_linear.fitted(a_run(names), index_N)
    # e = g + 0.5 e' + 0.1 noise, so its variance is (0.04 + 0.01) / 0.75.
    self.assertAlmostEqual(
      alone.nll, entropy(0.01 + 0.25 * 0.05 / 0.75), delta=0.03
    )
    self.assertAlmostEqual(both.nll, entropy(0.01), delta=0.03)
    np.testing.assert_allclose(both.scale_N, 0.1, rtol=0.03)
    # A constant, the guides, errors of the one guess, spacings, and sigma.
    last = tiny_study.T - 1
    self.assertEqual(alone.parameters, 1 + len(names) + 1)
    self.assertEqual(both.parameters, 1 + len(names) + last + 1)
    self.assertEqual(every.parameters, 1 + len(names) + 2 * last + 1)
    self.assertEqual(both.name, "least squares of the guides and their errors")
    # Spacings add nothing to the errors here.
    self.assertAlmostEqual(every.nll, both.nll, delta=0.01)

  def test_spacings_are_seen_as_far_back_as_a_window(self):
    last = tiny_study.T - 1
    for lag, seen in ((last, True), (last + 2, False)):
      run = a_run()
      column_NxJ1 = run.columns.copy()
      rng = np.random.default_rng(1)
      residual_N = rng.normal(0, 0.1, COUNT + lag)
      residual_N[lag:] += 0.9 * residual_N[:-lag]
      column_NxJ1[:, 0] = 1 + residual_N[lag:] + 0.9 * residual_N[:COUNT]
      run = dataclasses.replace(run, inputs={"column_NxJ1": column_NxJ1})
      every = guides_linear.fitted(run, np.arange(13_200, COUNT))[-1]
      error_N = column_NxJ1[13_200:, 0] - every.prediction_N
      ratio = error_N.var() / column_NxJ1[13_200:, 0].var()
      self.assertEqual(bool(ratio < 0.9), seen)

  def test_only_for_networks_that_have_guesses(self):
    index_N = np.arange(13_200, COUNT)
    self.assertEqual(guides_linear.fitted(a_run(("height",)), index_N), [])
    plain = tiny_study.handmade(None, {}, np.ones(COUNT))
    self.assertEqual(guides_linear.fitted(plain, index_N), [])


if __name__ == "__main__":
  absltest.main()
