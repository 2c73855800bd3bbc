"""Guided models in the zeros study: training, anchors, cost, report."""

import dataclasses

import jax
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.analyses import statistics
from primelens.configs import zeros_guided
from primelens.lens import experiment, results, study
from primelens.models import fit, guided, transformer
from primelens.models import optimizer as optimizer_lib
from primelens.studies.zeros import anchors, program
from primelens.tasks import surrogates, windows

T = tiny_study.T
SPLITS = {"train": (50, 3000), "select": (3050, 3400), "test": (3450, 4000)}


def an_experiment(guides=("ar:1",), **changes):
  trunk = dict(width=8, layers=1, heads=2, hidden=16, max_positions=T)
  return experiment.Experiment(
    task=surrogates.Config(ensemble="cue", count=4000, size=50, window=T, gap=20),
    model=guided.Config(
      window=T,
      guides=guides,
      components=2,
      trunk=transformer.Config(**trunk, dropout=0.0, embed_dropout=0.0),
    ),
    fit=fit.Config(
      steps=40,
      batch_size=16,
      seeds=2,
      evaluate_windows=16,
      optimizer=optimizer_lib.Config(rate=1e-2),
    ),
    analyses=tiny_study.tiny_settings(),
    **changes,
  )


def series(value_N):
  return windows.Series(
    value_N=np.asarray(value_N, np.float32), splits=SPLITS, window=T, data_hash=""
  )


def trained(config, its, steps):
  made, data, select = program.build(config, its)
  keys_S = fit.seed_keys(config.fit)
  optimizer = optimizer_lib.build(config.fit.optimizer, config.fit.steps)
  state_S = fit.init(made, optimizer, data, keys_S)
  score = jax.jit(jax.vmap(made.evaluate, (0, None, 0)))
  before_S = np.asarray(score(state_S.params, select, keys_S))
  state_S, _ = fit.advance(made, optimizer)(state_S, data, keys_S, 0, steps)
  after_S = np.asarray(score(state_S.params, select, keys_S))
  return state_S.params, before_S, after_S, made, data


class ProgramTest(parameterized.TestCase):
  def test_windows_hold_the_rows_of_one_stretch(self):
    config, its = an_experiment(), series(np.arange(4000) / 4000)
    made, data, select = program.build(config, its)
    batch = np.asarray(jax.jit(made.draw)(data, jax.random.key(0), 0))
    self.assertEqual(batch.shape, (16, T + 1, 2))
    start_B = np.rint(batch[:, 0, 0] * 4000).astype(int)
    self.assertGreater(len(set(start_B)), 10)
    expected = windows.take(np.asarray(data["column_NxJ1"]), start_B, T)
    np.testing.assert_array_equal(batch, expected)
    self.assertEqual(select["window_NxT1"].shape, (16, T + 1, 2))
    self.assertTrue(np.isfinite(np.asarray(select["window_NxT1"])[:, :-1]).all())

  def test_later_spacings_change_no_prediction(self):
    # From the sequence on: guides, rows, network. Spacing `now` is a target.
    now, value_N = 3_600, tiny_study.ar([0.7], 4000)
    other_N = value_N.copy()
    other_N[now:] = np.random.default_rng(1).uniform(0, 3, 4000 - now)
    config, means = an_experiment(("ar:3",)), []
    config.model.head_scale = config.model.trunk.init_std = 0.5
    start = jax.jit(lambda key: guided.init(config.model, key))
    params = start(jax.random.key(0))
    apply_fn = jax.jit(guided.bind(config.model))
    for each_N in (value_N, other_N):
      _, data, _ = program.build(config, series(each_N))
      rows = np.asarray(data["column_NxJ1"])[now - 8 : now - 8 + T]
      means.append(np.asarray(apply_fn(params, rows[None])[0].mean)[0])
    # Row t is spacing now - 8 + t and predicts the next.
    np.testing.assert_array_equal(means[0][:8], means[1][:8])
    self.assertGreater(np.abs(means[0] - means[1])[8:].min(), 1e-5)

  def test_training_goes_beyond_the_guide(self):
    # Fitted on noise first, the guide knows little of what is drawn later,
    # s_n - 1 = 0.8 (s_{n-1} - 1) + 0.1 e_n.
    late_N = tiny_study.ar([0.8], 2050, scale=0.1)
    value_N = np.append(tiny_study.ar([0.0], 1950, scale=0.3), late_N)
    its = dataclasses.replace(series(value_N), recent=1000)
    _, before_S, after_S, _, data = trained(an_experiment(), its, 40)
    entropy = lambda variance: 0.5 * np.log(2 * np.pi * np.e * variance)
    residual_N = its.value_N[2001:3000] - 1.0
    error_N = residual_N - np.asarray(data["column_NxJ1"])[2000:2999, 1]
    self.assertGreater(np.var(error_N), 2 * 0.01)
    np.testing.assert_allclose(before_S, entropy(np.var(error_N)), atol=0.15)
    self.assertLess(after_S.max(), before_S.min() - 0.15)
    self.assertGreater(after_S.min(), entropy(0.01) - 0.1)

  @parameterized.parameters(
    (("waves:100",), "'waves:100' needs heights, which task.kind='surrogate'"),
    (("height",), "'height' needs heights"),
  )
  def test_guides_that_need_heights(self, names, message):
    with self.assertRaisesRegex(ValueError, message):
      experiment.check(an_experiment(names))

  def test_a_bad_name_in_a_flag_is_refused(self):
    config = an_experiment()
    config.model.guides = ("oracle",)
    with self.assertRaisesRegex(ValueError, "'oracle' is not one of adaptive"):
      experiment.check(config)

  def test_the_config_comes_back_from_json(self):
    config = experiment.check(an_experiment())
    data = experiment.to_dict(config)
    data["model"]["guides"] = ["ar:1"]
    self.assertEqual(experiment.from_dict(data), config)

  def test_who_reads_guided_runs(self):
    own = an_experiment()
    says = {name: its.obstacle(own) for name, its in study.find("zeros").slices.items()}
    for name in ("masking", "heads", "formula", "kernels", "predictors"):
      self.assertIn("guides", says[name])
    for name in ("leak", "perplexity", "memory_effect", "slots"):
      self.assertTrue(says[name])
    self.assertEqual(says["anchors"], "")


class AnchorsTest(absltest.TestCase):
  def test_stand_beside_a_guided_network(self):
    # Nothing but its guide: an AR(1) fitted on train, as the anchor.
    config = an_experiment()
    config.model.head_scale = 0.0
    its = series(tiny_study.ar([0.7], 4000))
    made, data, _ = program.build(config, its)
    params_S = fit.fresh(made, data, fit.seed_keys(config.fit))
    run = tiny_study.handmade(
      guided.bind(config.model),
      params_S,
      its.value_N,
      model=config.model,
      splits=SPLITS,
      fresh_S=params_S,
    )
    run = dataclasses.replace(run, inputs=data)
    window_NxT1xJ1, start_N = run.batches("test", 5)
    self.assertEqual(window_NxT1xJ1.shape, (5, T + 1, 2))
    np.testing.assert_array_equal(window_NxT1xJ1[..., 0], windows.take(its.value_N, start_N, T))
    found = anchors.measure(run)
    self.assertEqual(found.memory, "guided by ar:1")
    # s_n - 1 = 0.7 (s_{n-1} - 1) + 0.2 e_n.
    entropy = 0.5 * np.log(2 * np.pi * np.e * 0.04)
    self.assertAlmostEqual(float(found.loss[0]), entropy, delta=0.1)
    self.assertAlmostEqual(float(found.r2[0]), 0.49, delta=0.1)
    self.assertAlmostEqual(float(found.model_minus.sel(predictor="AR(3)")), 0.0, delta=0.02)


class CostTest(parameterized.TestCase):
  @parameterized.parameters("none", "every", "gpu", "gpu_every")
  def test_counts_are_those_of_the_parameters(self, variant):
    config = zeros_guided.get_config(variant)
    found = program.cost(config)
    trunk, its = config.model.trunk, config.model
    guesses = len(its.guesses)
    self.assertEqual(
      found.parameters,
      trunk.max_positions * trunk.width
      + trunk.layers * (4 * trunk.width**2 + 2 * trunk.width * trunk.hidden)
      + (2 * trunk.layers + 1) * trunk.width  # gains of the norms
      + (1 + len(its.guides) + guesses + 1) * trunk.width
      + (trunk.width + 1) * (guesses + 3 * its.components)
      + max(1, guesses),
    )
    self.assertEqual(found.targets, config.fit.batch_size * its.window)

  def test_the_gpu_variant_is_an_hour_of_flops(self):
    config = zeros_guided.get_config("gpu")
    total = program.cost(config).flop * config.fit.steps * config.fit.seeds
    self.assertLess(total / 3600, 50e12)  # a fraction of one GPU's peak

  def test_variants_differ_in_their_guides_alone(self):
    base = experiment.to_dict(zeros_guided.get_config("none"))
    for variant in zeros_guided.GROUPS["all"]:
      other = experiment.to_dict(zeros_guided.get_config(variant))
      other["model"]["guides"] = base["model"]["guides"]
      self.assertEqual(other, base)

  def test_other_variants_are_refused(self):
    with self.assertRaisesRegex(ValueError, "'big' is not one of every, none, height"):
      zeros_guided.get_config("big")


class ContributionsTest(absltest.TestCase):
  """What each guide contributes, of results by hand."""

  def found(self, memory, nll, block_P, seeds=(0.0, 0.0)):
    losses = {"model": nll, "untrained network": 0.5, "adaptive AR(256)": -0.9}
    value = np.array(list(losses.values()))
    ends = lambda value: statistics.Interval(value, value - 0.01, value + 0.01)
    block_ExP = np.zeros((3, 2))
    block_ExP[0] = block_P
    variables = {
      **results.with_interval("loss", "predictor", ends(value), "NLL", "nats"),
      **results.with_interval("model_minus", "predictor", ends(nll - value), "minus", "nats"),
      "parameters": results.variable("predictor", [9, 9, 256], "parameters"),
      "r2": results.variable("predictor", [0.1, 0.2, 0.3], "R2"),
      "nll": results.variable("seed", nll + np.array(seeds), "NLL", "nats"),
      "loss_by_height": results.variable("predictor height", block_ExP, "NLL", "nats"),
    }
    coords = {"predictor": list(losses), "seed": [0, 1], "height": [10.0, 20.0]}
    words = {"memory": memory, "scored": 9, "min_context": 8, "split": "test", "told": False}
    return results.dataset(variables, coords, **words)

  def table(self, **runs):
    return {its.name: its.rows for its in anchors.tables(runs)}.get("guides")

  def test_one_row_per_run_beside_the_one_without_guides(self):
    rows = self.table(
      none=self.found("guided by nothing", 0.3, [0.2, 0.4]),
      all=self.found("guided by ar:64, height", -1.0, [-1.1, -0.9]),
      e0=self.found("none", 0.0, [0, 0]),
    )
    self.assertEqual([row["guides"] for row in rows], ["ar:64, height", "nothing"])
    first, last = rows
    self.assertAlmostEqual(first["minus no guides"].estimate, -1.3)  # in both blocks
    self.assertIsNone(last["minus no guides"])
    self.assertEqual((first["it is"], last["it is"]), ("ahead", "behind"))
    self.assertAlmostEqual(first["minus untrained"].estimate, -1.5)
    self.assertIsNone(first["minus least squares"])

  def test_the_difference_of_two_runs_has_students_interval_over_seeds(self):
    rows = self.table(
      none=self.found("guided by nothing", 0.3, [0.2, 0.4]),
      all=self.found("guided by ar:64, height", -1.0, [-1.1, -0.9], (-0.02, 0.02)),
    )
    # Changes of -1.32 and -1.28.
    ends = [-1.3 + sign * 0.02 * np.tan(0.475 * np.pi) for sign in (0, -1, 1)]
    np.testing.assert_allclose(rows[0]["minus no guides"][:3], ends, rtol=1e-9)

  def test_without_guided_runs(self):
    self.assertIsNone(self.table(e0=self.found("none", 0.0, [0, 0])))


if __name__ == "__main__":
  absltest.main()
