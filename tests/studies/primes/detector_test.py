import types

import numpy as np
from absl.testing import absltest, parameterized
from primelens.studies.primes import detector


class DetectorTest(parameterized.TestCase):
  @parameterized.parameters(
    (20, 0.69, True),  # .31 below the mean 1
    (20, 0.71, False),
    (19, 0.10, False),  # too few epochs before it
  )
  def test_drop_below_the_epochs_before(self, before, last, expected):
    loss_N = np.append(np.ones(before), last)
    self.assertEqual(detector.drop(loss_N), expected)

  def test_drop_in_absolute_terms(self):
    self.assertFalse(detector.drop(0.02 * np.append(np.ones(20), 0.6)))
    self.assertTrue(detector.drop(0.03 * np.append(np.ones(20), 0.6)))

  def test_only_the_last_twenty_count(self):
    loss_N = np.concatenate([[100.0] * 5, np.ones(20), [0.9]])
    self.assertFalse(detector.drop(loss_N))

  def test_sizes_not_signs(self):
    target_N = np.random.default_rng(0).normal(size=500)
    self.assertTrue(detector.logarithms(-target_N, target_N))
    other_N = np.random.default_rng(1).normal(size=500)
    self.assertFalse(detector.logarithms(other_N, target_N))
    self.assertFalse(detector.logarithms(np.ones(500), target_N))

  def test_one_frequency(self):
    time_N = np.arange(1000)
    self.assertTrue(detector.waves(np.sin(2 * np.pi * time_N / 10)))
    # White noise, differenced: no amplitude is five times the mean.
    self.assertFalse(detector.waves(np.random.default_rng(0).normal(size=1000)))

  def test_two_of_three(self):
    target_N = np.random.default_rng(0).normal(size=1200)
    gaps = types.SimpleNamespace(train_N=np.arange(1200), target_N=target_N)

    def predicted(answer, row_N, *, dropout):
      self.assertTrue(dropout)
      return answer[None][:, row_N]

    run = types.SimpleNamespace(
      settings=types.SimpleNamespace(seed=0), gaps=gaps, predicted=predicted
    )
    losses = {10: np.ones((1, 5)), 30: np.append(np.ones(20), 0.5)[None]}
    answers = {10: target_N, 30: target_N}
    rows = detector.watched(run, (10, 30), answers.get, losses.get)
    self.assertEqual([row["logarithms"] for row in rows], [True, True])
    self.assertEqual([row["drop"] for row in rows], [False, True])
    self.assertEqual([row["says"] for row in rows], [False, True])


if __name__ == "__main__":
  absltest.main()
