"""Parts of the causal tests: hand-made states, a network by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import tiny_text
from absl.testing import absltest
from primelens.models import encoder
from primelens.studies.text import causal
from primelens.studies.text import causal_scores as scores
from primelens.studies.text import causal_subspaces as subspaces
from primelens.studies.text.causal_rows import Rows
from sklearn import linear_model


def white(rows, width, seed=0):
  """Centred columns, uncorrelated, of variance one, exactly."""
  rng = np.random.default_rng(seed)
  x_NxD = rng.standard_normal((rows, width))
  basis_NxD, _ = np.linalg.qr(x_NxD - x_NxD.mean(0))
  return basis_NxD * np.sqrt(rows)


class SubspacesTest(absltest.TestCase):
  def test_two_of_uncorrelated_features(self):
    scale_D = np.array([0.5, 2.0, 1.0, 3.0])
    white_NxD = white(4000, 4)
    y_Nx1 = white_NxD[:, :1] + white_NxD[:, 1:2]
    order_RxN = np.random.default_rng(0).permuted(np.tile(np.arange(4000), (3, 1)), axis=1)
    x_NxD = jnp.asarray(white_NxD * scale_D + 1.0, jnp.float32)
    found = subspaces.of_states(
      x_NxD, jnp.asarray(y_Nx1, jnp.float32), order_RxN, draws=2, key=jax.random.key(0)
    )
    self.assertEqual(found.read_RxDxK.shape, (2 + 3 + 3 + 2, 4, 1))
    projector = lambda r: found.read_RxDxK[r] @ found.write_RxDxK[r].T
    # The regression reads z0 + z1: by 1 / scale of both.
    unit_D = np.array([2, 0.5, 0, 0]) / np.hypot(2, 0.5)
    np.testing.assert_allclose(projector(0), np.outer(unit_D, unit_D), atol=2e-3)
    # LEACE removes (z0 + z1) / 2 from both.
    along_D = np.array([1, 1, 0, 0])
    expected = np.outer(along_D / scale_D, along_D * scale_D) / 2
    np.testing.assert_allclose(projector(1), expected, atol=2e-3)
    removed_R, total = np.asarray(found.removed_R), np.sum(scale_D**2)
    self.assertAlmostEqual(removed_R[0] * total, 2 / (4 + 0.25), delta=2e-3)
    self.assertAlmostEqual(removed_R[1] * total, 4.25 / 2, delta=2e-3)
    # Permuted labels have directions of their own, as scikit-learn says.
    for r, order_N in enumerate(order_RxN):
      peer = linear_model.Ridge().fit(np.asarray(x_NxD), y_Nx1[order_N, 0])
      other_D = peer.coef_ / np.linalg.norm(peer.coef_)
      np.testing.assert_allclose(projector(2 + r), np.outer(other_D, other_D), atol=2e-3)
    # Strengths make all of them move states as far as the probed one.
    like_R = np.array([0, 1, 0, 0, 0, 1, 1, 1, 0, 0])
    np.testing.assert_allclose(
      np.asarray(found.strength_R) ** 2 * removed_R, removed_R[like_R], rtol=1e-4
    )

  def test_frequencies_with_a_code_are_found(self):
    config = tiny_text.experiment("modk", task={"modulus": 31})
    prompts = tiny_text.run(config).prompts
    y_NxF = subspaces.targets(prompts)["residue"]
    self.assertEqual(y_NxF.shape[1], 30)
    np.testing.assert_allclose(y_NxF.std(0), 1, rtol=1e-5)
    angle_N = 2 * np.pi * 3 / 31 * prompts.answer_N
    corr = np.corrcoef(y_NxF[:, 4], np.cos(angle_N))[0, 1]
    self.assertAlmostEqual(corr, 1, places=5)
    rng = np.random.default_rng(0)
    x_NxD = rng.standard_normal((len(y_NxF), 16))
    kept = [2 * (n - 1) + i for n in (3, 7, 8, 12, 15) for i in range(2)]
    x_NxD[:, :10] = y_NxF[:, kept]
    x_NxD = jnp.asarray(x_NxD, jnp.float32)
    x_NxD = x_NxD - x_NxD.mean(0)[None]
    found = subspaces.fitted(x_NxD, x_NxD.T @ x_NxD, jnp.asarray(y_NxF), subspaces.rank(30))
    basis_DxK, _ = found["ridge"]
    self.assertEqual(basis_DxK.shape, (16, 10))
    inside_D = np.sum(np.asarray(basis_DxK) ** 2, 1)
    np.testing.assert_allclose(inside_D[:10], 1, atol=0.01)
    np.testing.assert_allclose(inside_D[10:], 0, atol=0.01)

  def test_labels_are_probed_where_they_are_asked_for(self):
    prompts = tiny_text.run(tiny_text.experiment("valid")).prompts
    found = subspaces.targets(prompts)
    self.assertEqual(set(found), {"sum", "label"})
    right_N = prompts.answer_N == 1
    self.assertLen(np.unique(found["label"][right_N]), 1)
    self.assertLen(np.unique(found["label"][~right_N]), 1)

  def test_states_that_never_vary_have_no_subspace(self):
    x_NxD = jnp.full((50, 4), 0.3) + 1e-8
    y_Nx1 = jnp.asarray(white(50, 1), jnp.float32)
    found = subspaces.of_states(x_NxD, y_Nx1, jnp.arange(50)[None], draws=1, key=jax.random.key(0))
    np.testing.assert_array_equal(found.read_RxDxK[:-1], 0)
    self.assertTrue(np.isfinite(found.strength_R).all())


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
    found = scores.over(scores.by_readout, bundle_S, np.arange(3), target_N)
    loss_Rx3 = found["loss"][0]
    np.testing.assert_allclose(loss_Rx3[:, scores.REMOVED], [1, 4, 0], atol=1e-5)
    # Half of the second: (0.5 * 2)^2. Twice nothing is nothing.
    np.testing.assert_allclose(loss_Rx3[:, scores.MATCHED], [1, 1, 0], atol=1e-5)
    gap_NxD = white_NxD - np.roll(white_NxD, -1, 0)
    gap_NxD = gap_NxD * [1, 2, 0]
    np.testing.assert_allclose(loss_Rx3[:, scores.EXCHANGED], np.mean(gap_NxD**2, 0), rtol=1e-4)
    way_N = gap_NxD.sum(1)
    share_D = gap_NxD.T @ way_N / (way_N @ way_N)
    np.testing.assert_allclose(found["moved"][0][:, scores.EXCHANGED], share_D, atol=1e-4)
    self.assertAlmostEqual(share_D[:2].sum(), 1)

  def test_classes(self):
    score_NxV = np.array([[5.0, 0, 0], [0, 0, 5]])
    found = scores.measures(jnp.asarray(score_NxV), jnp.asarray(score_NxV + 9), np.array([0, 1]))
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
    cls.rows = Rows(cls.run_)
    y_Nx1 = cls.rows.feature_NxF["sum"]
    cls.subspaces = subspaces.population(
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
    program = scores.by_network(self.run_.apply, 2)
    measured = scores.over(program, bundle_S, cells, self.rows.token_NxT, self.rows.target_N)
    return {name: value[0, 0] for name, value in measured.items()}

  def test_final_states_are_read_out(self):
    part = jax.tree.map(lambda leaf: leaf[:, -1:], self.subspaces)
    direct = causal._last(self.rows, part)
    for index in (0, 1, 3):
      for way in (scores.MATCHED, scores.EXCHANGED):
        found = self.through_layers(3, index, way)
        for name in ("loss", "donor_loss", "moved"):
          self.assertAlmostEqual(found[name], direct[name][0, 0, index, way], delta=1e-4)

  def test_before_the_last_norm(self):
    # By hand: the state without the direction, normed, read out.
    params = jax.tree.map(lambda leaf: np.asarray(leaf[0]), self.run_.params_S)
    state_NxD = self.rows.test_SxNxExD[0, :, 2].astype(float)
    read_Dx1, write_Dx1 = (np.asarray(x[0, 2, 1], float) for x in self.subspaces[:2])
    mean_D = self.rows.mean_SxExD[0, 2]
    left_NxD = state_NxD - (state_NxD - mean_D) @ read_Dx1 @ write_Dx1.T
    left_NxD = left_NxD - left_NxD.mean(1, keepdims=True)
    normed_NxD = left_NxD / np.sqrt(left_NxD.var(1, keepdims=True) + 1e-5)
    norm, head = params["final_norm"], params["readout"]
    output_Nx1 = (normed_NxD * norm["scale"] + norm["bias"]) @ head["kernel"]
    output_N = (output_Nx1 + head["bias"])[:, 0]
    found = self.through_layers(2, 1, scores.MATCHED)
    expected = np.mean((output_N - self.rows.target_N) ** 2)
    self.assertAlmostEqual(found["loss"], expected, delta=1e-4)

  def test_own_answers(self):
    params = jax.tree.map(lambda leaf: leaf[1], self.run_.params_S)
    output_NxV, _ = encoder.apply(self.run_.experiment.model, params, self.rows.token_NxT)
    np.testing.assert_allclose(self.rows.output_SxNxV[1], output_NxV, atol=1e-4)
    text = self.run_.prompts
    answer_N = np.asarray(self.rows.target_N, float) * 2000
    mean = text.answer_N[text.train_N].mean()
    self.assertAlmostEqual(
      self.rows.constant_N.mean() * 2000**2, np.mean((answer_N - mean) ** 2), delta=1.0
    )


if __name__ == "__main__":
  absltest.main()
