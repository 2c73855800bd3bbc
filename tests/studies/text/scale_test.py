"""The grid of sizes: its configs, its pipelines beside scikit-learn."""

import dataclasses
import tempfile

import jax
import numpy as np
import tiny_text
from absl.testing import absltest, parameterized
from primelens.analyses import fourier
from primelens.configs import text as text_configs
from primelens.lens import claims as claims_lib
from primelens.lens import experiment, figures, results
from primelens.models import encoder, transformer
from primelens.studies.text import program, scale
from sklearn import linear_model, metrics, model_selection, pipeline, preprocessing

# From docs/sources/text.md, section 5.5.
PARAMETERS = {
  "L2_D128": 465_153,
  "L2_D256": 1_716_737,
  "L2_D512": 6_579_201,
  "L4_D128": 861_697,
  "L4_D256": 3_296_257,
  "L4_D512": 12_883_969,
  "L6_D128": 1_258_241,
  "L6_D256": 4_875_777,
  "L6_D512": 19_188_737,
}


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(*PARAMETERS.items())
  def test_number_of_parameters(self, variant, expected):
    config = experiment.check(text_configs.get_config(f"scale_{variant}"))
    shapes = jax.eval_shape(lambda key: encoder.init(config.model, key), jax.random.key(0))
    self.assertEqual(transformer.parameter_count(shapes), expected)

  def test_fit_is_the_published_one(self):
    self.assertEqual(set(text_configs.SCALE), {f"scale_{name}" for name in PARAMETERS})
    config = text_configs.get_config("scale_L6_D512")
    optimizer = config.fit.optimizer
    self.assertEqual(
      (optimizer.rate, optimizer.schedule, optimizer.weight_decay), (3e-4, "constant", 0.01)
    )
    self.assertEqual((config.fit.steps, config.fit.batch_size), (1410, 128))
    self.assertEqual(config.task.question, "modk")
    self.assertEqual(config.model.outputs, 1)
    trunk = config.model.trunk
    self.assertEqual((trunk.heads, trunk.hidden, trunk.dropout), (4, 2048, 0.1))

  def test_another_size_is_refused(self):
    with self.assertRaisesRegex(ValueError, "'scale_L3_D128' is not one of sum, .*scale_L2_D128, "):
      text_configs.get_config("scale_L3_D128")

  def test_a_sum_has_no_residues(self):
    self.assertIn("'sum'", scale.obstacle(tiny_text.experiment()))
    self.assertEqual(scale.obstacle(text_configs.get_config("scale_L2_D128")), "")


def example(rows=150, width=12, seed=0):
  """Returns states of two networks and residues they do not hold."""
  rng = np.random.default_rng(seed)
  mean, deviation = rng.normal(size=width), rng.uniform(0.1, 4, width)
  state_SxNxD = mean + deviation * rng.normal(size=(2, rows, width))
  residue_N = rng.integers(0, 97, rows)
  return state_SxNxD.astype(np.float32), residue_N


def probe():
  return pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge(alpha=1.0))


def target(residue_N, pairs):
  """cos and sin in turn, as docs/sources/text.md writes them."""
  angle_N = 2 * np.pi * residue_N / 97
  return np.stack(
    [wave(n * angle_N) for n in range(1, pairs + 1) for wave in (np.cos, np.sin)], axis=1
  )


def peer_harm(z_NxD, residue_N, direction_DxF):
  """From docs/sources/text.md, section 4.4: QR, projection, refit; in float64."""
  basis_DxF, _ = np.linalg.qr(direction_DxF)
  kept_NxD = z_NxD - z_NxD @ basis_DxF @ basis_DxF.T

  def error(x_NxD):
    fit = linear_model.Ridge(alpha=1.0).fit(x_NxD, residue_N)
    return metrics.mean_squared_error(residue_N, fit.predict(x_NxD))

  return error(kept_NxD) - error(z_NxD)


class PipelineTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.state_SxNxD, cls.residue_N = example(width=40)
    cls.wave_NxF = fourier.label_waves(cls.residue_N, 97, 12)
    rng = np.random.default_rng(5)
    cls.order_RxN = np.stack([rng.permutation(150) for _ in range(3)])
    cls.found = jax.device_get(scale.probed(cls.state_SxNxD, cls.wave_NxF, cls.order_RxN))

  def test_r2_is_scikit_learns(self):
    for s, state_NxD in enumerate(self.state_SxNxD.astype(np.float64)):
      for q, pairs in enumerate(scale.PAIRS_Q):
        y_NxF = target(self.residue_N, pairs)
        r2 = metrics.r2_score(y_NxF, probe().fit(state_NxD, y_NxF).predict(state_NxD))
        self.assertAlmostEqual(self.found["r2_SxQ"][s, q], r2, delta=1e-5)
        for r, order_N in enumerate(self.order_RxN):
          y = y_NxF[order_N]
          r2 = metrics.r2_score(y, probe().fit(state_NxD, y).predict(state_NxD))
          self.assertAlmostEqual(self.found["null_r2_SxRxQ"][s, r, q], r2, delta=1e-5)
        folds = model_selection.cross_val_score(
          probe(),
          state_NxD,
          y_NxF,
          cv=model_selection.KFold(5, shuffle=True, random_state=0),
          scoring="r2",
        )
        self.assertAlmostEqual(self.found["cv_r2_SxQ"][s, q], folds.mean(), delta=2e-4)

  def test_untrained_go_the_same_way(self):
    np.testing.assert_allclose(
      scale.in_sample(self.state_SxNxD, self.wave_NxF), self.found["r2_SxQ"], atol=1e-6
    )

  def test_harm_is_that_of_qr_and_refitting(self):
    rng = np.random.default_rng(2)
    state_SxNxD, residue_N = example(width=20)
    direction_KxDxF = rng.normal(size=(2, 20, 12)).astype(np.float32)
    found = jax.device_get(
      scale.removed(
        state_SxNxD,
        fourier.label_waves(residue_N, 97, 12),
        residue_N.astype(np.float32),
        self.order_RxN,
        direction_KxDxF,
      )
    )
    for s, state_NxD in enumerate(state_SxNxD.astype(np.float64)):
      z_NxD = preprocessing.StandardScaler().fit_transform(state_NxD)

      def harm(order_N, z_NxD=z_NxD):
        y_NxF, residue = target(residue_N, 6)[order_N], residue_N[order_N]
        fit = linear_model.Ridge(alpha=1.0).fit(z_NxD, y_NxF)
        return peer_harm(z_NxD, residue, fit.coef_.T)

      everyone = np.arange(150)
      self.assertAlmostEqual(found["delta_S"][s], harm(everyone), delta=0.02)
      for r, order_N in enumerate(self.order_RxN):
        self.assertAlmostEqual(found["delta_permuted_SxR"][s, r], harm(order_N), delta=0.02)
      for k, direction_DxF in enumerate(direction_KxDxF):
        self.assertAlmostEqual(
          found["delta_random_SxK"][s, k], peer_harm(z_NxD, residue_N, direction_DxF), delta=0.02
        )
        # 12 of 20 directions of white states.
        self.assertBetween(found["removed_random_SxK"][s, k], 0.5, 0.7)

  def test_states_that_hold_the_residue_are_told_from_their_null(self):
    rng = np.random.default_rng(3)
    mix_FxD = rng.normal(size=(24, 40))
    noise_NxD = 0.05 * rng.normal(size=(150, 40))
    state_NxD = (self.wave_NxF @ mix_FxD + noise_NxD).astype(np.float32)
    found = scale.probed(np.stack([state_NxD] * 2), self.wave_NxF, self.order_RxN)
    self.assertGreater(np.min(found["r2_SxQ"]), 0.95)
    self.assertGreater(np.min(found["cv_r2_SxQ"]), 0.9)
    self.assertLess(np.max(found["null_r2_SxRxQ"]), 0.5)


class RunTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    config = tiny_text.experiment("modk")
    few = dataclasses.replace(config.analyses, untrained=2, permutations=19)
    cls.found = scale.measure(tiny_text.run(dataclasses.replace(config, analyses=few)))

  def test_size(self):
    row = scale.size(self.found)
    self.assertEqual((row["cell"], row["layers"]), (None, 2))  # no cell of the grid
    of_grid = scale.size(self.found.assign_attrs(in_grid=True))
    self.assertEqual(of_grid["cell"], "L2_D16")
    # 21 D + 32 D + 2 layers + final norm + readout.
    layer = 4 * 16**2 + 4 * 16 + 2 * 16 * 24 + 16 + 24 + 4 * 16
    self.assertEqual(row["parameters"], 53 * 16 + 2 * layer + 2 * 16 + 17)
    self.assertEqual((row["seeds"], self.found.probe_rows), (2, 40))
    self.assertLess(row["skill"].estimate, 0)
    np.testing.assert_allclose(row["skill"].estimate, self.found.skill.mean())

  def test_probes_and_directions(self):
    six = claims_lib.row(scale.by_pairs(self.found), pairs=6)
    # An untrained network is one of its null.
    self.assertBetween(six["p"], 0.03, 1)
    self.assertLess(six["held_out_r2"].estimate, 0.05)
    harm = {row["directions"]: row["harm"] for row in scale.directions(self.found)}
    gap = harm["probe"].estimate - harm["random"].estimate
    self.assertAlmostEqual(harm["probe - random"].estimate, gap, places=4)
    self.assertEqual(scale.numbers(self.found), {})  # no cell of the grid

  def test_is_stored_and_drawn(self):
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "scale", self.found, provenance={})
      again, _ = results.read(folder, "scale")
    self.assertTrue(again.identical(self.found))
    larger = again.isel(seed=[0]).assign_attrs(parameters=10_000, cell="L2_D128", in_grid=True)
    for runs in ({"a": again}, {"b": larger, "a": again}):
      pages = scale.figures(runs)
      self.assertEqual(set(pages), {*runs, *(["all runs"] if "b" in runs else [])})
      for name in {*pages} - ({"a"} if "b" in runs else set()):
        figure = pages[name].figure()
        self.assertStartsWith(figures.png(figure), b"\x89PNG")
        if name == "all runs":
          self.assertLen(figure.axes, 3)
          self.assertEqual(figure.axes[0].lines[0].get_xdata().tolist(), [10_000])
      sizes, probes, removed = scale.tables(runs)
      for table in (sizes, probes, removed):
        self.assertLen(table.text().splitlines(), 2 + len(table.rows))
      self.assertLen(sizes.rows, len(runs) + 9)
    cells = {
      (row["run"], row["cell"], row["published"]) for row in probes.rows if row["pairs"] == 12
    }
    self.assertEqual(cells, {("a", None, None), ("b", "L2_D128", 0.0635)})

  def test_runs_are_joined_by_their_size(self):
    sizes = {"large": 30, "small": 3, "middle": 7}
    runs = {name: self.found.assign_attrs(parameters=count) for name, count in sizes.items()}
    self.assertEqual(list(scale.by_size(runs)), ["small", "middle", "large"])

  def test_numbers_have_the_keys_of_the_cell(self):
    cell = {"in_grid": True, "cell": "L4_D128"}
    values = scale.numbers(self.found.assign_attrs(cell))
    known = {key for key in scale.PUBLISHED if key.startswith("L4_D128_")}
    self.assertEqual(set(values), known)
    excess = values["L4_D128_delta_probe"] - values["L4_D128_delta_random"]
    np.testing.assert_array_equal(values["L4_D128_excess"], excess)


class PublishedTest(absltest.TestCase):
  def test_grid_is_sorted_and_excess_is_the_difference(self):
    grid = scale.grid()
    self.assertLen(grid, 9)
    self.assertEqual({row["cell"]: row["parameters"] for row in grid}, PARAMETERS)
    self.assertEqual([row["parameters"] for row in grid], sorted(PARAMETERS.values()))
    for row in grid:
      self.assertAlmostEqual(row["excess"], row["delta_probe"] - row["delta_random"], delta=0.011)
      # Skill against the constant's 1.9121e-4.
      skill = 1 - row["best_scaled_mse"] / 1.9121e-4
      self.assertAlmostEqual(row["skill"], skill, delta=6e-4)

  def test_a_run_of_the_grid(self):
    run = lambda config: program.Run(None, config, None, None, 0, None, {})
    self.assertTrue(scale.in_grid(run(text_configs.get_config("scale_L6_D128"))))
    self.assertFalse(scale.in_grid(run(tiny_text.experiment("modk"))))


NOT_RUN, NOT = "not run", "not reproduced"
YES, ARTEFACT = "reproduced", "reproduced, but an artefact"


def made_up(width=128, r2=0.065, null=0.064, skill=-0.1):
  """Returns one size of five networks, the same number everywhere; skill is within 0.1."""
  pairs = lambda value, *shape: np.full((5, *shape, 4), value)
  variables = {
    "r2": results.variable("seed pairs", pairs(r2), "R²"),
    "null_r2": results.variable("seed permutation pairs", pairs(null, 3), "R²"),
    "untrained_r2": results.variable("untrained pairs", pairs(null), "R²"),
    "cv_r2": results.variable("seed pairs", pairs(-0.1), "R²"),
    "held_out_r2": results.variable("seed pairs", pairs(-0.1), "R²"),
    "mean_skill": results.variable("", skill, "skill"),
    "mean_skill_interval": results.variable("end", [skill - 0.1, skill + 0.1], "skill"),
  }
  coords = {"pairs": list(scale.PAIRS_Q)}
  about = dict(width=width, cell=f"L2_D{width}", probe_rows=1000, in_grid=True)
  return results.dataset(variables, coords, **about)


def decided(claim, *found, seeds=5):
  """Returns the row of a claim, from sizes."""
  runs = {f"run{i}": {"scale": each} for i, each in enumerate(found)}
  its = claims_lib.Results(runs, dict.fromkeys(runs, {"seeds": seeds}))
  return claims_lib.row(claims_lib.ledger(tuple(scale.CLAIMS), its).rows, id=claim)


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters((0.15, 0.14, ARTEFACT), (0.15, 0.07, YES), (0.05, 0.14, NOT))
  def test_width_is_judged_beside_permuted_labels(self, r2, null, expected):
    row = decided("scale.width", made_up(512, r2, null), made_up())
    self.assertEqual(row["status"], expected, row["because"])
    self.assertIn("from width 128 to 512", row["because"])
    for one_width in ([made_up()], [made_up(), made_up()]):
      self.assertEqual(decided("scale.width", *one_width)["status"], NOT_RUN)

  @parameterized.parameters(
    ((-0.1,), 5, NOT_RUN), ((-0.1, -0.2), 5, NOT), ((-0.1, 0.4), 5, YES), ((-0.1, 0.4), 1, NOT_RUN)
  )
  def test_sizes_need_two_and_a_constant(self, skills, seeds, expected):
    found = [made_up(128 * (1 + i), skill=skill) for i, skill in enumerate(skills)]
    row = decided("scale.skill", *found, seeds=seeds)
    self.assertEqual(row["status"], expected, row["because"])

  def test_two_runs_of_one_size_are_one_and_another_network_is_none(self):
    again, other = made_up(skill=0.5), made_up(256, skill=0.5).assign_attrs(in_grid=False)
    self.assertEqual(decided("scale.skill", made_up(), again, other)["status"], NOT_RUN)

  def test_what_was_reported(self):
    self.assertEqual(
      [claim.reported for claim in scale.CLAIMS],
      [
        "R2 of six frequencies 0.065 at width 128, 0.153 at 512, in sample",
        "nine networks of 0.5 to 19 million parameters, no constant beside them",
      ],
    )


if __name__ == "__main__":
  absltest.main()
