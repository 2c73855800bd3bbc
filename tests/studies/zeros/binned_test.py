"""Binned models in the zeros study: training, anchors, perplexity, effects."""

import dataclasses
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.lens import experiment, legacy
from primelens.models import binned, fit
from primelens.models import optimizer as optimizer_lib
from primelens.studies import zeros
from primelens.studies.zeros import (
  anchors,
  memory_effect,
  memory_effect_arms,
  perplexity,
  program,
)
from primelens.tasks import surrogates

T = tiny_study.T


def setUpModule():
  jax.config.update("jax_disable_most_optimizations", True)


def tearDownModule():
  jax.config.update("jax_disable_most_optimizations", True)


NAMES = memory_effect_arms.NAMES


def model(variant: str = "gpt", **changes) -> binned.Config:
  bank = variant.startswith("bank")
  options = dict(width=8, layers=1, heads=2, hidden=16, max_positions=T + 1)
  options |= dict(dropout=0.0, embed_dropout=0.0, init_std=0.5)
  trunk = (binned.encoder_trunk if bank else binned.plain_trunk)(**options | changes)
  return binned.Config(window=T, variant=variant, segment=8, trunk=trunk)


def handmade(config: binned.Config, *, blank: bool, seeds: int = 2):
  """A run around fresh networks; blank ones find all bins alike."""
  keys_S = jax.random.split(jax.random.key(0), seeds)
  params_S = jax.vmap(lambda key: binned.init(config, key))(keys_S)
  if blank:
    zeros_like = jnp.zeros_like(params_S["embedding"]["embedding"])
    params_S["embedding"] = {"embedding": zeros_like}
  return tiny_study.handmade(
    binned.bind(config),
    params_S,
    np.clip(tiny_study.ar([0.7], 3000), 0.02, 3.9),
    model=config,
    fresh_S=params_S,
  )


def stored(test, name, result):
  folder = test.enterContext(tempfile.TemporaryDirectory())
  legacy.write(folder, name, result, provenance={})
  back, _ = legacy.read(folder, name, type(result))
  jax.tree.map(np.testing.assert_array_equal, vars(back), vars(result))


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
    says = lambda name, run: zeros.ANALYSES[name].obstacle(run)
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
    result = anchors.run(handmade(model(), blank=True))
    row = result.table[0]
    self.assertAlmostEqual(row["nll_nats"], np.log(4), places=4)
    self.assertEqual(result.memory, "binned gpt")
    self.assertEqual(result.permuted_nll_SxR.shape, (2, 0))
    (ar,) = (r for r in result.table if r["name"] == "AR(3)")
    self.assertLess(ar["high"], row["low"])


class PerplexityTest(absltest.TestCase):
  def test_of_a_network_to_which_all_bins_are_alike(self):
    result = perplexity.run(handmade(model(), blank=True))
    rows = {row["predictor"]: row for row in result.table}
    for name in ("model (handmade)", "all bins alike"):
      self.assertAlmostEqual(rows[name]["perplexity"], 256, delta=0.01)
      self.assertAlmostEqual(rows[name]["nll_nats"], np.log(4), places=4)
    # s_n - 1 = 0.7 (s_{n-1} - 1) + 0.2 e_n, so that AR(1) has the density
    # N(0, 0.04), and the marginal N(0, 0.04 / 0.51).
    entropy = lambda variance: 0.5 * np.log(2 * np.pi * np.e * variance)
    filtered = rows["AR(1)"]["nll_nats"]
    self.assertAlmostEqual(filtered, entropy(0.04), delta=0.1)
    # Of 2,320 tokens 256 frequencies are known to a tenth of a nat.
    alone = rows["marginal of train"]["nll_nats"]
    self.assertBetween(alone, entropy(0.04 / 0.51), entropy(0.04 / 0.51) + 0.25)
    gap = rows["AR(1)"]["model_minus_nats"]
    self.assertAlmostEqual(gap, np.log(4) - rows["AR(1)"]["nll_nats"], places=4)
    np.testing.assert_allclose(result.leak_SxP, 0, atol=1e-6)
    stored(self, "perplexity", result)

  def test_the_leak_of_a_bank(self):
    told = {}
    for variant in ("bank_leaky_as_published", "bank"):
      run = handmade(model(variant, init_std=3.0), blank=False, seeds=1)
      end_P, nll_SxPxNx2, _ = perplexity._leaks(run)
      self.assertEqual(list(end_P + 1), [15, 16])
      told[variant] = np.abs(np.diff(nll_SxPxNx2)).max((0, 2, 3))
    # At the end of the window nothing is left to read ahead of.
    np.testing.assert_allclose(told["bank"], 0, atol=1e-5)
    leaky_P = told["bank_leaky_as_published"]
    self.assertLess(leaky_P[1], 1e-5)
    self.assertGreater(leaky_P[0], 1e-4)


class MemoryEffectTest(absltest.TestCase):
  def test_memories_do_nothing_to_a_network_without_a_head(self):
    result = memory_effect.run(handmade(model(), blank=True))
    self.assertEqual([row["arm"] for row in result.arms], list(NAMES))
    for row in result.arms:
      self.assertEqual(row["plateau_change"], 0)
      self.assertEqual(row["gain_percent_as_published"], 0)
      self.assertAlmostEqual(row["mean_spacing"], 2.0, delta=0.15)
    self.assertEqual(result.plateau_VxSxR.shape, (len(NAMES), 2, 2))
    self.assertEqual(result.published_null_P.shape, (40,))
    stored(self, "memory_effect", result)

  def test_arms(self):
    run = handmade(model(), blank=False)
    token, memory_SxVxD = memory_effect_arms.trajectories(run, run.params_S)
    by_name = {name: token[:, v] for v, name in enumerate(NAMES)}
    self.assertEqual(token.shape, (2, len(NAMES), 2, 4, 64))
    plain = by_name["amnesiac"]
    self.assertFalse(np.array_equal(plain[:, 0], plain[:, 1]))
    for name in NAMES[1:]:
      self.assertFalse(np.array_equal(plain, by_name[name]), name)
    norm_SxV = np.linalg.norm(memory_SxVxD, axis=-1)
    np.testing.assert_allclose(norm_SxV[:, 0], 0)
    np.testing.assert_allclose(norm_SxV[:, -1], 4 * 8**0.5, rtol=1e-5)

  def test_memories_of_a_recurrent_network_begin_at_its_own(self):
    run = handmade(model("rmt"), blank=False, seeds=1)
    memory_SxVxD = memory_effect_arms._sources(run, run.params_S)
    self.assertEqual(memory_SxVxD.shape, (1, 6, 8))
    start_SxD = run.params_S["memory"]["start"]
    np.testing.assert_array_equal(memory_SxVxD[:, 0], start_SxD)


if __name__ == "__main__":
  absltest.main()
