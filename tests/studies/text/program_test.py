import dataclasses
import functools

import jax
import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.lens import experiment as experiment_lib
from primelens.models import transformer
from primelens.studies.text import program, states


def member(run, index):
  """Returns the parameters of one network."""
  return jax.tree.map(lambda leaf_S: np.asarray(leaf_S)[index], run.params_S)


class PublishedTest(absltest.TestCase):
  """The published network on the rows it was chosen on (docs/sources/text.md, section 1.6)."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.published = published_text.run()

  def test_squared_error(self):
    text = self.published.prompts
    row_N = text.rows("select")
    found_SxNxV = states.over_members(states.outputs, self.published, text.token_NxT[row_N])
    guess_N = found_SxNxV[0, :, 0].astype(np.float64) * 2000
    error_N = (guess_N - text.answer_N[row_N]) ** 2
    self.assertAlmostEqual(error_N.mean(), 872.31, delta=0.01)
    self.assertAlmostEqual(error_N[:1000].mean(), 842.95, delta=0.01)
    exact_N = np.round(guess_N) == text.answer_N[row_N]
    self.assertAlmostEqual(exact_N.mean(), 0.013, delta=0.001)

  def test_parameters(self):
    self.assertEqual(transformer.parameter_count(self.published.params_S), 333_569)


class ProgramTest(parameterized.TestCase):
  def test_loss_of_classes_is_that_of_a_guess_at_first(self):
    config = tiny_text.experiment("modk", outputs=97)
    run = tiny_text.run(config)
    self.assertEqual(run.program.unit, "nll_nats")
    _, _, select = program.build(config, run.data)
    params = member(run, 0)
    score = jax.jit(run.program.evaluate)(params, select, jax.random.key(0))
    # Scores ~ h U(+-1/4) + U(+-1/4), |h|^2 = 16: a variance of 0.35.
    self.assertAlmostEqual(float(score), np.log(97) + 0.35 / 2, delta=0.15)

  def test_evaluation_is_the_mean_over_rows(self):
    config = tiny_text.experiment()
    run = tiny_text.run(config)
    self.assertEqual(run.program.unit, "mse")
    text, row_N = run.prompts, run.prompts.rows("select")
    _, _, select = program.build(config, run.data)
    params = member(run, 0)
    score = jax.jit(run.program.evaluate)(params, select, jax.random.key(0))
    guess_N = np.asarray(jax.jit(run.apply)(params, text.token_NxT[row_N])[0])[:, 0]
    expected = np.mean((guess_N - text.answer_N[row_N] / 2000) ** 2)
    self.assertAlmostEqual(float(score), float(expected), places=5)

  def test_steps_draw_train_rows_alone(self):
    run = tiny_text.run()
    batch = jax.jit(run.program.draw)(run.inputs, jax.random.key(3), 0)
    lines = {tuple(row) for row in run.prompts.token_NxT[run.prompts.train_N]}
    for row in np.asarray(batch["token_BxT"]):
      self.assertIn(tuple(row), lines)

  @parameterized.parameters(
    (dict(outputs=2), "is answered with 1 or 1999"),
    (dict(vocabulary=20), "there are 21 characters"),
  )
  def test_what_does_not_go_together_is_refused(self, changes, said):
    config = tiny_text.experiment()
    model = dataclasses.replace(config.model, **changes)
    with self.assertRaisesRegex(ValueError, said):
      program.check(dataclasses.replace(config, model=model))

  def test_config_is_rebuilt_from_json(self):
    config = tiny_text.experiment("modk")
    again = experiment_lib.from_dict(experiment_lib.to_dict(config))
    self.assertEqual(again, config)


class StatesTest(absltest.TestCase):
  def test_levels_begin_and_end_as_named(self):
    run = tiny_text.run()
    token_NxT = run.prompts.token_NxT[:3]
    params = member(run, 0)
    model = run.experiment.model
    level_ExNxTxD = jax.jit(functools.partial(states.all_levels, model))(params, token_NxT)
    self.assertLen(level_ExNxTxD, len(states.levels(run)))
    table, place = params["embedding"], params["positions"]
    first = table["embedding"][token_NxT] + place["embedding"][None, : token_NxT.shape[1]]
    np.testing.assert_allclose(level_ExNxTxD[0], first, rtol=1e-6)
    kept = token_NxT != 0
    bias_D = params["final_norm"]["bias"]
    np.testing.assert_array_equal(
      np.asarray(level_ExNxTxD[-1])[~kept], np.broadcast_to(bias_D, (np.sum(~kept), len(bias_D)))
    )

  def test_rows_come_in_order_whatever_the_batch(self):
    run = tiny_text.run()
    token_NxT = run.prompts.token_NxT[:390]
    found_SxNxD = states.over_members(states.pooled, run, token_NxT)
    self.assertEqual(found_SxNxD.shape[:2], (2, 390))
    pooled = jax.jit(functools.partial(states.pooled, run.experiment.model))
    last = pooled(member(run, 1), token_NxT[380:381])
    np.testing.assert_allclose(found_SxNxD[1, 380], last[0], atol=1e-5)


if __name__ == "__main__":
  absltest.main()
