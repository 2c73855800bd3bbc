import dataclasses
import pathlib
import tempfile
from unittest import mock

import numpy as np
import tiny_waves
from absl.testing import absltest
from primelens.models import checkpoints
from primelens.studies.zeros import prime_waves_parts as parts
from primelens.studies.zeros import prime_waves_predictors as predictors
from primelens.tasks import primes


class PartsTest(absltest.TestCase):
  """By predictions that are the truth, or say nothing."""

  def setUp(self):
    super().setUp()
    self.run_ = tiny_waves.run(context_windows=1_100, contexts=(8, 2))
    self.stretch = predictors.stretch(self.run_, 1_100)
    self.prime_Q = primes.below(50)

  def test_contexts_are_places_of_the_windows(self):
    value_N = self.stretch.value_N

    def told(run, window_NxT1):
      # The truth at the place with 8 spacings before it, nothing elsewhere.
      mean_SxNxT = np.ones((2, len(window_NxT1), run.experiment.model.window))
      start = int(self.stretch.start_N[0])
      mean_SxNxT[0, :, 7] = value_N[start + 8 :][: len(window_NxT1)]
      return mean_SxNxT

    with mock.patch.object(parts, "everywhere", told):
      found = parts.contexts(self.run_, self.stretch, self.prime_Q)
    self.assertEqual(found["context_T"].tolist(), [8, 2])
    stands = found["context_stands_TxQ"].sum(-1)
    self.assertGreaterEqual(stands.min(), 12)
    np.testing.assert_array_equal(found["context_known_SxTxQ"].sum(-1), [[stands[0], 0], [0, 0]])
    np.testing.assert_allclose(found["context_beside_SxT"], [[stands[0], 0], [0, 0]])
    np.testing.assert_allclose(found["context_r2_SxT"][0, 0], 1)

  def test_a_prime_is_learned_when_it_is_known_to_stay(self):
    workdir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="run")))
    for step in (10, 20, 30):
      checkpoints.write_snapshot(workdir / "snapshots", step, self.run_.params_S)
    run = dataclasses.replace(self.run_, workdir=workdir)
    truth_1xN = self.stretch.truth_N[None]
    nothing_1xN = np.ones_like(truth_1xN)
    # One seed knows all at first and forgets, the other learns in the end.
    answers = [
      np.stack(rows)
      for rows in ((truth_1xN, nothing_1xN), (nothing_1xN, nothing_1xN), (nothing_1xN, truth_1xN))
    ]
    with mock.patch.object(parts.scoring, "predictions", side_effect=[(None, a) for a in answers]):
      found = parts.snapshots(run, self.stretch, self.prime_Q)
    stands = int(np.isfinite(found["first_SxQ"][1]).sum())
    self.assertGreaterEqual(stands, 12)
    self.assertEqual(found["step_C"].tolist(), [10, 20, 30])
    np.testing.assert_array_equal(found["known_SxCxQ"].sum(-1), [[stands, 0, 0], [0, 0, stands]])
    np.testing.assert_allclose(found["beside_SxC"], [[stands, 0, 0], [0, 0, stands]])
    self.assertTrue(np.isnan(found["first_SxQ"][0]).all())
    self.assertEqual(np.nanmin(found["first_SxQ"][1]), 30)


if __name__ == "__main__":
  absltest.main()
