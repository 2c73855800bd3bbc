import dataclasses
import os
import tempfile
from unittest import mock

import jittered_zeros as jittered
import numpy as np
import tiny_study
import tiny_waves
from absl.testing import absltest
from primelens.studies.zeros import guides, stretches, yardstick
from primelens.tasks import surrogates, zeros, zeros_computed


class StretchesTest(absltest.TestCase):
  def test_evenly_spread_in_the_logarithm_of_height(self):
    run = jittered.run()
    found = stretches.by_height(run)
    low_P = [stretch.height_N[0] for stretch in found]
    np.testing.assert_allclose(np.diff(np.log(low_P), 2), 0, atol=2e-3)
    self.assertEqual(low_P[0], run.series.ordinate_N[800])
    last = run.series.bounds("test")[1] - 1
    self.assertEqual(found[-1].height_N[-1], run.series.ordinate_N[last])
    for stretch in found:
      # u_n = n - 11/8 gives a zero's number away.
      u = zeros.unfold(stretch.height_N[0])
      self.assertAlmostEqual(stretch.number, u + 1.375, delta=0.7)
      place = np.searchsorted(run.series.ordinate_N, stretch.height_N[0])
      np.testing.assert_array_equal(
        stretch.truth_N, run.series.value_N[place : place + jittered.SPACINGS]
      )

  def test_windows_score_every_spacing_once(self):
    stretch = stretches.by_height(jittered.run())[0]
    window_NxT1 = stretch.windows(stretch.value_N)
    self.assertEqual(window_NxT1.shape, (jittered.SPACINGS // 9, tiny_study.T + 1))
    np.testing.assert_array_equal(window_NxT1[:, 8:].ravel(), stretch.truth_N)

  def test_a_part_of_train_that_is_not_drawn_from(self):
    run = jittered.run()
    run = dataclasses.replace(run, data=dataclasses.replace(run.data, recent=900))
    low, *_, high = stretches.by_height(run)
    self.assertEqual((low.trained, low.drawn), (True, False))
    self.assertEqual((high.trained, high.drawn), (False, False))

  def test_stretches_do_not_overlap(self):
    run = jittered.run(stretches=50)
    found = stretches.by_height(run)
    self.assertLessEqual(len(found), (jittered.COUNT - 800) // jittered.SPACINGS)
    self.assertGreater(len(found), 4)
    for one, two in zip(found[:-1], found[1:], strict=True):
      self.assertLess(one.height_N[-1], two.height_N[0])

  def test_no_room(self):
    run = jittered.run(past=jittered.COUNT)
    with self.assertRaisesRegex(ValueError, "no stretch of 900 with 10,000"):
      yardstick.measure(run)

  def test_networks_know_computed_zeros_at_heights_they_trained_on(self):
    run = jittered.run(stretches=0, computed=(3_000, 20_000))
    made = lambda config: jittered.ordinates(config.first, np.zeros(config.limit))
    with mock.patch.object(zeros, "ordinates", made):
      low, high = stretches.by_height(run)
    self.assertEqual((low.split, low.trained), ("computed", True))
    self.assertEqual((high.split, high.trained), ("computed", False))
    self.assertEqual((low.drawn, high.drawn), (True, False))
    for stretch, number in ((low, 3_000), (high, 20_000)):
      self.assertEqual(stretch.number, number)
      u = zeros.unfold(stretch.height_N[0])
      self.assertAlmostEqual(u, number - 1.375, places=6)


def of_before(ordinate_N) -> np.ndarray:
  """The formula's means of the first 700 spacings."""
  number_N = tiny_waves.FIRST + np.arange(700)
  return guides.explicit_spacings(ordinate_N[:700], number_N, 1_000)


class OfTestTest(absltest.TestCase):
  def test_the_explicit_formula_knows_where_it_is(self):
    ordinate_N = zeros_computed.compute(tiny_waves.FIRST, 2_001)
    index_N = np.arange(700, 1_700)
    value_N = np.diff(zeros.unfold(ordinate_N))

    def guessed():
      number = stretches.numbered(ordinate_N[:-1], 700)
      stretch = stretches.Stretch(value_N, ordinate_N[:-1], 700, 1_000, number, 1, 1)
      return stretches.by_formula(stretch, 1_000, stretches.ERRORS)

    (mean_N,), (nll_N,) = guessed()[2:]
    truth_N = value_N[index_N]
    # docs/sources/zeros.md, section 7.1: 0.8817 with primes to 1,000, on 4,000 zeros.
    r2 = 1 - np.mean((mean_N - truth_N) ** 2) / truth_N.var()
    self.assertAlmostEqual(r2, 0.882, delta=0.02)
    # Of the errors before it: nothing that is scored changes the variance.
    value_N[700:] = 9
    (again_N,), (nll_of_9_N,) = guessed()[2:]
    np.testing.assert_array_equal(mean_N, again_N)
    variance = np.mean((value_N[:700] - of_before(ordinate_N)) ** 2)
    for nll, value in ((nll_N, truth_N), (nll_of_9_N, np.full(1_000, 9.0))):
      expected_N = 0.5 * (np.log(2 * np.pi * variance) + (value - mean_N) ** 2 / variance)
      np.testing.assert_allclose(nll, expected_N)
    left = variance / np.mean((mean_N - truth_N) ** 2)
    self.assertAlmostEqual(left, 1, delta=0.15)

  def test_a_control_is_read_on_zeros(self):
    cache = self.enterContext(tempfile.TemporaryDirectory())
    self.enterContext(mock.patch.dict(os.environ, PRIMELENS_CACHE=cache))
    run = tiny_waves.run()
    task = surrogates.Config(ensemble="cue", window=run.experiment.model.window)
    run = dataclasses.replace(run, experiment=dataclasses.replace(run.experiment, task=task))
    stretch = stretches.of_test(run, 100)
    self.assertEqual(zeros.number(stretch.ordinate_N[:20_000]), tiny_waves.FIRST - 21_000)
    np.testing.assert_allclose(
      stretch.truth_N,
      np.diff(zeros.unfold(stretch.ordinate_N))[stretch.index_NxU.ravel()],
      atol=1e-6,
    )

  def test_parts_are_the_first_windows(self):
    stretch = stretches.of_test(tiny_waves.run(), 144)
    each = stretch.index_NxU.shape[1]
    part = stretch.part(each + 1)
    self.assertLen(part.truth_N, 2 * each)
    np.testing.assert_array_equal(part.truth_N, stretch.truth_N[: 2 * each])
    # Consecutive: windows leave nothing out.
    self.assertEqual(set(np.diff(stretch.index_NxU.ravel())), {1})

  def test_a_place_of_a_stretch_is_where_its_windows_score(self):
    run = tiny_waves.run()
    stretch = stretches.of_test(run, 144)
    model = run.experiment.model
    first, _ = run.series.bounds("test")
    self.assertEqual(stretch.start_N[0], first)
    window_NxT1 = stretch.windows(stretch.value_N)
    self.assertEqual(window_NxT1.shape, (len(stretch.start_N), model.window + 1))
    np.testing.assert_array_equal(stretch.index_NxU.ravel(), stretch.index_N)
    np.testing.assert_array_equal(window_NxT1[:, stretch.context :].ravel(), stretch.truth_N)
    self.assertEqual(stretch.number, tiny_waves.FIRST + stretch.first)

  def test_spacings_that_are_neither_zeros_nor_a_control_are_named(self):
    experiment = tiny_study.get_config()
    self.assertIn("poisson", stretches.no_zeros(experiment))
    experiment.task.ensemble = "cue"
    self.assertEqual(stretches.no_zeros(experiment), "")


if __name__ == "__main__":
  absltest.main()
