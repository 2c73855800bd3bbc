"""Binned models in the zeros study: training, anchors, who reads them."""

import dataclasses

import jax
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from handmade_binned import handmade, model
from primelens.lens import experiment, study
from primelens.models import binned, fit
from primelens.models import optimizer as optimizer_lib
from primelens.studies.zeros import anchors, program
from primelens.tasks import surrogates

T = tiny_study.T


class ProgramTest(parameterized.TestCase):
  def an_experiment(self, **changes):
    return experiment.Experiment(
      task=surrogates.Config(ensemble="cue", count=3000, size=50, window=T, gap=20),
      model=model(),
      fit=fit.Config(
        steps=30, batch_size=16, evaluate_windows=16, optimizer=optimizer_lib.Config(rate=3e-2)
      ),
      **changes,
    )

  def test_learns_the_marginal_at_least(self):
    config = experiment.check(self.an_experiment())
    series = surrogates.load(config.task)
    made, data, select = program.build(config, series)
    keys_S = fit.seed_keys(config.fit)
    optimizer = optimizer_lib.build(config.fit.optimizer, config.fit.steps)
    state_S = fit.init(made, optimizer, data, keys_S)
    score = jax.jit(jax.vmap(made.evaluate, (0, None, 0)))
    before = float(score(state_S.params, select, keys_S)[0])
    state_S, mean = fit.advance(made, optimizer)(state_S, data, keys_S, 0, 30)
    after = float(score(state_S.params, select, keys_S)[0])
    self.assertGreater(before, np.log(4) - 0.1)  # all bins alike, or worse
    self.assertLess(after, before - 0.3)
    np.testing.assert_allclose(mean["loss"], mean["nll_nats"])

  def test_window_must_agree(self):
    wrong = dataclasses.replace(self.an_experiment(), model=binned.Config())
    with self.assertRaisesRegex(ValueError, "window=16 and model.window=256"):
      experiment.check(wrong)

  def test_cost(self):
    config = self.an_experiment()
    found = program.cost(config)
    start = lambda: binned.init(config.model, jax.random.key(0))
    count = sum(x.size for x in jax.tree.leaves(jax.eval_shape(start)))
    self.assertEqual((found.parameters, found.targets), (count, 16 * T))

  def test_who_reads_binned_runs(self):
    own, other = self.an_experiment(), tiny_study.get_config()
    bank = dataclasses.replace(own, model=model("bank"))
    says = lambda name, run: study.find("zeros").slices[name].obstacle(run)
    for name in ("masking", "heads", "formula", "linear"):
      self.assertIn("256 bins", says(name, own))
      self.assertEqual(says(name, other), "")
    for name in ("perplexity", "memory_effect"):
      self.assertEqual(says(name, own), "")
      self.assertIn("no tokens", says(name, other))
    self.assertEqual(says("anchors", own), "")
    self.assertEqual(says("perplexity", bank), "")
    self.assertIn("bank", says("memory_effect", bank))


class AnchorsTest(absltest.TestCase):
  def test_stand_beside_a_binned_model(self):
    found = anchors.measure(handmade(model(), blank=True))
    self.assertAlmostEqual(float(found.loss[0]), np.log(4), places=4)
    self.assertEqual(found.memory, "binned gpt")
    self.assertEqual(found.permuted_nll.shape, (2, 0))
    ends = found.loss_interval
    self.assertLess(float(ends.sel(predictor="AR(3)", end="high")), float(ends[0].sel(end="low")))


if __name__ == "__main__":
  absltest.main()
