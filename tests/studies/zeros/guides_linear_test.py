"""Least squares of the guides, on spacings that are linear in one."""

import dataclasses

import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.models import guided, transformer
from primelens.studies.zeros import guides

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
  model = guided.Config(window=tiny_study.T, guides=guides, trunk=transformer.Config())
  run = tiny_study.handmade(None, {}, column_NxJ1[:, 0], model=model, splits=SPLITS)
  return dataclasses.replace(run, inputs={"column_NxJ1": column_NxJ1})


def entropy(variance):
  return 0.5 * np.log(2 * np.pi * np.e * variance)


SELECT_N = np.arange(12_200, 12_900)
TEST_N = np.arange(13_200, COUNT)


def fitted(run):
  return guides.linear_anchors(run, TEST_N, SELECT_N)


class FittedTest(parameterized.TestCase):
  @parameterized.parameters((("ar:1",),), (("height", "ar:1"),))
  def test_by_hand(self, names):
    alone, past = fitted(a_run(names))
    # e = g + 0.5 e' + 0.1 noise, so its variance is (0.04 + 0.01) / 0.75.
    self.assertAlmostEqual(alone.nll, entropy(0.01 + 0.25 * 0.05 / 0.75), delta=0.03)
    self.assertAlmostEqual(past.nll, entropy(0.01), delta=0.03)
    np.testing.assert_allclose(past.scale_N, 0.1, rtol=0.03)
    # A constant, the guides, and sigma; then the errors of the one guess.
    self.assertEqual(alone.parameters, 1 + len(names) + 1)
    self.assertIn("least squares of the guides, ", past.name)
    self.assertGreater(past.parameters, alone.parameters)

  def test_the_past_is_as_long_as_select_has_it(self):
    # Nothing but the last error tells anything: the shortest past is best.
    last = tiny_study.T - 1
    shortest = min(last, min(guides.LINEAR_LAGS))
    _, past = fitted(a_run())
    self.assertEqual(past.name, f"{guides.LINEAR}, {shortest} errors")
    self.assertEqual(past.parameters, 2 + shortest + 1)

  def test_sigma_is_that_of_select(self):
    # Twice the noise from select on: train's sigma would be half of it.
    run = a_run()
    column_NxJ1 = run.columns.copy()
    after = slice(SPLITS["select"][0], None)
    told_N = np.append(np.nan, column_NxJ1[:-1, 1])[after]
    residual_N = column_NxJ1[after, 0] - 1
    rng = np.random.default_rng(1)
    column_NxJ1[after, 0] += np.where(np.isnan(told_N), 0, rng.normal(0, 0.3, len(residual_N)))
    run = dataclasses.replace(run, inputs={"column_NxJ1": column_NxJ1})
    for anchor in fitted(run):
      error_N = column_NxJ1[TEST_N, 0] - anchor.prediction_N
      np.testing.assert_allclose(anchor.scale_N, error_N.std(), rtol=0.06)
      self.assertGreater(anchor.scale_N[0], 0.29)

  def test_both_have_their_names_where_no_past_helps(self):
    run = a_run()
    column_NxJ1 = run.columns.copy()
    noise_N = np.random.default_rng(1).normal(0, 0.1, COUNT - 1)
    column_NxJ1[1:, 0] = 1 + column_NxJ1[:-1, 1] + noise_N
    column_NxJ1 = np.where(np.isnan(column_NxJ1), 0, column_NxJ1)
    run = dataclasses.replace(run, inputs={"column_NxJ1": column_NxJ1})
    names = [anchor.name for anchor in fitted(run)]
    self.assertEqual(names[0], guides.LINEAR)
    self.assertLen(set(names), 2)

  def test_spacings_are_seen_as_far_back_as_a_window(self):
    last = tiny_study.T - 1
    for lag, seen in ((last, True), (last + 2, False)):
      run = a_run()
      column_NxJ1 = run.columns.copy()
      rng = np.random.default_rng(1)
      noise_N = rng.normal(0, 0.1, COUNT + lag)
      column_NxJ1[:, 0] = 1 + noise_N[lag:] + 0.9 * noise_N[:COUNT]
      run = dataclasses.replace(run, inputs={"column_NxJ1": column_NxJ1})
      _, past = fitted(run)
      error_N = column_NxJ1[TEST_N, 0] - past.prediction_N
      ratio = error_N.var() / column_NxJ1[TEST_N, 0].var()
      self.assertEqual(bool(ratio < 0.9), seen)

  def test_only_for_networks_that_have_guesses(self):
    self.assertEqual(fitted(a_run(("height",))), [])
    plain = tiny_study.handmade(None, {}, np.ones(COUNT))
    self.assertEqual(fitted(plain), [])


if __name__ == "__main__":
  absltest.main()
