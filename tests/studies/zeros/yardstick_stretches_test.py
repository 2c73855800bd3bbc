import dataclasses
from unittest import mock

import jittered_zeros as jittered
import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.studies.zeros import yardstick
from primelens.studies.zeros import yardstick_stretches as stretches
from primelens.tasks import zeros


class StretchesTest(absltest.TestCase):
  def test_evenly_spread_in_the_logarithm_of_height(self):
    run = jittered.run()
    found = stretches.of(run)
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
    stretch = stretches.of(jittered.run())[0]
    window_NxT1 = stretch.windows(stretch.value_N, 8, tiny_study.T)
    self.assertEqual(window_NxT1.shape, (jittered.SPACINGS // 9, tiny_study.T + 1))
    np.testing.assert_array_equal(window_NxT1[:, 8:].ravel(), stretch.truth_N)

  def test_a_part_of_train_that_is_not_drawn_from(self):
    run = jittered.run()
    run = dataclasses.replace(run, data=dataclasses.replace(run.data, recent=900))
    low, *_, high = stretches.of(run)
    self.assertEqual((low.trained, low.drawn), (True, False))
    self.assertEqual((high.trained, high.drawn), (False, False))

  def test_stretches_do_not_overlap(self):
    run = jittered.run(stretches=50)
    found = stretches.of(run)
    self.assertLessEqual(len(found), (jittered.COUNT - 800) // jittered.SPACINGS)
    self.assertGreater(len(found), 4)
    for one, two in zip(found[:-1], found[1:], strict=True):
      self.assertLess(one.height_N[-1], two.height_N[0])

  def test_no_room(self):
    run = jittered.run(past=jittered.COUNT)
    with self.assertRaisesRegex(ValueError, "no stretch of 900 with 10,000"):
      yardstick.run(run)

  def test_networks_know_computed_zeros_at_heights_they_trained_on(self):
    run = jittered.run(stretches=0, computed=(3_000, 20_000))
    made = lambda config: jittered.ordinates(config.first, np.zeros(config.limit))
    with mock.patch.object(zeros, "ordinates", made):
      low, high = stretches.of(run)
    self.assertEqual((low.split, low.trained), ("computed", True))
    self.assertEqual((high.split, high.trained), ("computed", False))
    self.assertEqual((low.drawn, high.drawn), (True, False))
    for stretch, number in ((low, 3_000), (high, 20_000)):
      self.assertEqual(stretch.number, number)
      u = zeros.unfold(stretch.height_N[0])
      self.assertAlmostEqual(u, number - 1.375, places=6)


if __name__ == "__main__":
  absltest.main()
