"""Removed and exchanged subspaces: hand-made states, a network by hand."""

import functools

import jax
import numpy as np
import tiny_text
from absl.testing import absltest
from primelens.analyses import erasure
from primelens.models import encoder
from primelens.studies.text import removal


def white(rows, width, seed=0):
  """Centred columns, uncorrelated, of variance one, exactly."""
  rng = np.random.default_rng(seed)
  x_NxD = rng.standard_normal((rows, width))
  basis_NxD, _ = np.linalg.qr(x_NxD - x_NxD.mean(0))
  return basis_NxD * np.sqrt(rows)


class TargetsTest(absltest.TestCase):
  def test_waves_of_the_residue(self):
    prompts = tiny_text.run(tiny_text.experiment("modk", task={"modulus": 31})).prompts
    y_NxF = removal.targets(prompts)["residue"]
    self.assertEqual(y_NxF.shape[1], 30)
    np.testing.assert_allclose(y_NxF.std(0), 1, rtol=1e-5)
    angle_N = 2 * np.pi * 3 / 31 * prompts.answer_N
    corr = np.corrcoef(y_NxF[:, 4], np.cos(angle_N))[0, 1]
    self.assertAlmostEqual(corr, 1, places=5)

  def test_labels_are_probed_where_they_are_asked_for(self):
    prompts = tiny_text.run(tiny_text.experiment("valid")).prompts
    found = removal.targets(prompts)
    self.assertEqual(set(found), {"sum", "label"})
    right_N = prompts.answer_N == 1
    self.assertLen(np.unique(found["label"][right_N]), 1)
    self.assertLen(np.unique(found["label"][~right_N]), 1)


class ScoresTest(absltest.TestCase):
  def test_readout_of_uncorrelated_features(self):
    white_NxD = white(300, 3)
    bundle = {
      "state_NxD": white_NxD,
      "output_NxV": white_NxD[:, :1] + 2 * white_NxD[:, 1:2],
      "mean_D": np.zeros(3),
      "read_RxDxK": np.eye(3)[:, :, None],
      "write_RxDxK": np.eye(3)[:, :, None],
      "strength_R": np.array([1.0, 0.5, 2]),
      "head_DxV": np.array([[1.0], [2], [0]]),
    }
    bundle_S = {k: np.asarray(v, np.float32)[None] for k, v in bundle.items()}
    target_N = np.asarray(bundle["output_NxV"][:, 0], np.float32)
    found = removal.over(removal.by_readout, bundle_S, np.arange(3), target_N)
    loss_Rx3 = found["loss"][0]
    np.testing.assert_allclose(loss_Rx3[:, removal.REMOVED], [1, 4, 0], atol=1e-5)
    # Half of the second: (0.5 * 2)^2. Twice nothing is nothing.
    np.testing.assert_allclose(loss_Rx3[:, removal.MATCHED], [1, 1, 0], atol=1e-5)
    gap_NxD = white_NxD - np.roll(white_NxD, -1, 0)
    gap_NxD = gap_NxD * [1, 2, 0]
    np.testing.assert_allclose(loss_Rx3[:, removal.EXCHANGED], np.mean(gap_NxD**2, 0), rtol=1e-4)
    way_N = gap_NxD.sum(1)
    share_D = gap_NxD.T @ way_N / (way_N @ way_N)
    np.testing.assert_allclose(found["moved"][0][:, removal.EXCHANGED], share_D, atol=1e-4)
    self.assertAlmostEqual(share_D[:2].sum(), 1)

  def test_classes(self):
    score_NxV = np.array([[5.0, 0, 0], [0, 0, 5]])
    found = jax.jit(removal.measures)(score_NxV, score_NxV + 9, np.array([0, 1]))
    self.assertAlmostEqual(float(found["accuracy"]), 0.5)
    # Targets of the next rows: 1 and 0, both missed.
    self.assertAlmostEqual(float(found["donor_accuracy"]), 0)
    # A shift of all scores is no change.
    self.assertAlmostEqual(float(found["moved"]), 0, places=5)
    expected = np.log(np.exp([5.0, 0, 0]).sum()) - np.array([5.0, 0])
    self.assertAlmostEqual(float(found["loss"]), expected.mean(), places=5)


class NetworkTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = tiny_text.run()
    cls.rows = removal.Rows(cls.run_)
    y_Nx1 = cls.rows.feature_NxF["sum"]
    cls.subspaces = erasure.probed_population(
      np.moveaxis(cls.rows.fit_SxNxExD, 2, 1),
      y_Nx1,
      np.random.default_rng(0).permutation(len(y_Nx1))[None],
      draws=1,
      key=jax.random.key(1),
    )

  def through_layers(self, level, index, way):
    """Outputs of member 0, measured, with a subspace of a level changed."""
    found = self.subspaces
    bundle_S = {
      "params": self.run_.params_S,
      "state_ExNxD": np.moveaxis(self.rows.test_SxNxExD, 2, 1),
      "mean_ExD": self.rows.mean_SxExD.astype(np.float32),
      "output_NxV": self.rows.output_SxNxV,
      "read_ExRxDxK": found.read_RxDxK,
      "write_ExRxDxK": found.write_RxDxK,
      "strength_ExR": found.strength_R,
    }
    cell = {"level": level, "index": index, "way": way}
    cells = {name: np.array([value]) for name, value in cell.items()}
    program = removal.by_network(self.run_.apply, 2)
    measured = removal.over(program, bundle_S, cells, self.rows.token_NxT, self.rows.target_N)
    return {name: value[0, 0] for name, value in measured.items()}

  def test_final_states_are_read_out(self):
    last = jax.tree.map(lambda leaf: np.asarray(leaf)[:, -1], self.subspaces)
    bundle_S = self.rows.bundle(last.read_RxDxK, last.write_RxDxK, last.strength_R)
    index_R = np.arange(last.strength_R.shape[-1])
    direct = removal.over(removal.by_readout, bundle_S, index_R, self.rows.target_N)
    for index in (0, 1, 3):
      for way in (removal.MATCHED, removal.EXCHANGED):
        found = self.through_layers(3, index, way)
        for name in ("loss", "donor_loss", "moved"):
          self.assertAlmostEqual(found[name], direct[name][0, index, way], delta=1e-4)

  def test_before_the_last_norm(self):
    # By hand: the state without the direction, normed, read out.
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[0], self.run_.params_S)
    state_NxD = self.rows.test_SxNxExD[0, :, 2].astype(float)
    read_Dx1, write_Dx1 = (np.asarray(x, float)[0, 2, 1] for x in self.subspaces[:2])
    mean_D = self.rows.mean_SxExD[0, 2]
    left_NxD = state_NxD - (state_NxD - mean_D) @ read_Dx1 @ write_Dx1.T
    left_NxD = left_NxD - left_NxD.mean(1, keepdims=True)
    normed_NxD = left_NxD / np.sqrt(left_NxD.var(1, keepdims=True) + 1e-5)
    norm, head = params["final_norm"], params["readout"]
    output_Nx1 = (normed_NxD * norm["scale"] + norm["bias"]) @ head["kernel"]
    output_N = (output_Nx1 + head["bias"])[:, 0]
    found = self.through_layers(2, 1, removal.MATCHED)
    expected = np.mean((output_N - self.rows.target_N) ** 2)
    self.assertAlmostEqual(found["loss"], expected, delta=1e-4)

  def test_own_answers(self):
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[1], self.run_.params_S)
    answer = jax.jit(functools.partial(encoder.apply, self.run_.experiment.model))
    output_NxV, _ = answer(params, self.rows.token_NxT)
    np.testing.assert_allclose(self.rows.output_SxNxV[1], output_NxV, atol=1e-4)
    text = self.run_.prompts
    answer_N = np.asarray(self.rows.target_N, float) * 2000
    mean = text.answer_N[text.train_N].mean()
    self.assertAlmostEqual(
      self.rows.constant_N.mean() * 2000**2, np.mean((answer_N - mean) ** 2), delta=1.0
    )


if __name__ == "__main__":
  absltest.main()
