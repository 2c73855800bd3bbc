"""The grid of sizes: its configs, its pipelines beside scikit-learn."""

import dataclasses
import tempfile
import types
from unittest import mock

import jax
import numpy as np
import tiny_text
from absl.testing import absltest, parameterized
from primelens.configs import text_scale
from primelens.lens import experiment, legacy
from primelens.models import encoder, transformer
from primelens.studies.text import plots_scale, report, scale, scale_reported
from primelens.studies.text import scale_parts as parts
from sklearn import linear_model, metrics, model_selection, pipeline, preprocessing

# Arithmetic spec, section 5.5.
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
    config = experiment.check(text_scale.get_config(variant))
    shapes = jax.eval_shape(lambda key: encoder.init(config.model, key), jax.random.key(0))
    self.assertEqual(transformer.parameter_count(shapes), expected)

  def test_fit_is_the_published_one(self):
    self.assertEqual(set(text_scale.VARIANTS), set(PARAMETERS))
    config = text_scale.get_config("L6_D512")
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
    with self.assertRaisesRegex(ValueError, "'L3_D128' is not one of L2_D128, "):
      text_scale.get_config("L3_D128")

  def test_a_sum_has_no_residues(self):
    self.assertIn("'sum'", scale.obstacle(tiny_text.experiment()))
    self.assertEqual(scale.obstacle(text_scale.get_config("L2_D128")), "")


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
  """cos and sin in turn, as the spec writes them."""
  angle_N = 2 * np.pi * residue_N / 97
  return np.stack(
    [wave(n * angle_N) for n in range(1, pairs + 1) for wave in (np.cos, np.sin)], axis=1
  )


def peer_harm(z_NxD, residue_N, direction_DxF):
  """Spec, section 4.4: QR, projection, refit; in float64."""
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
    cls.state_SxNxD, cls.residue_N = example()
    cls.wave_NxF = parts.waves(cls.residue_N, 97, 12)
    rng = np.random.default_rng(5)
    cls.order_RxN = np.stack([rng.permutation(150) for _ in range(3)])
    cls.found = jax.device_get(parts.probed(cls.state_SxNxD, cls.wave_NxF, cls.order_RxN))

  def test_waves(self):
    np.testing.assert_allclose(self.wave_NxF, target(self.residue_N, 12), atol=1e-6)

  def test_r2_is_scikit_learns(self):
    for s, state_NxD in enumerate(self.state_SxNxD.astype(np.float64)):
      for q, pairs in enumerate(parts.PAIRS_Q):
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
      parts.in_sample(self.state_SxNxD, self.wave_NxF), self.found["r2_SxQ"], atol=1e-6
    )

  def test_harm_is_that_of_qr_and_refitting(self):
    rng = np.random.default_rng(2)
    state_SxNxD, residue_N = example(width=20)
    direction_KxDxF = rng.normal(size=(2, 20, 12)).astype(np.float32)
    found = jax.device_get(
      parts.removed(
        state_SxNxD,
        parts.waves(residue_N, 97, 12),
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
    state_1xNxD = (self.wave_NxF @ mix_FxD + noise_NxD)[None].astype(np.float32)
    found = parts.probed(state_1xNxD, self.wave_NxF, self.order_RxN)
    self.assertGreater(np.min(found["r2_SxQ"]), 0.95)
    self.assertGreater(np.min(found["cv_r2_SxQ"]), 0.9)
    self.assertLess(np.max(found["null_r2_SxRxQ"]), 0.5)


class RunTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    config = tiny_text.experiment("modk")
    few = dataclasses.replace(config.analyses, untrained=2, permutations=19)
    cls.run_ = tiny_text.run(dataclasses.replace(config, analyses=few))
    cls.result = scale.run(cls.run_)

  def test_cell(self):
    (cell,) = self.result.cell
    self.assertEqual((cell["cell"], cell["layers"]), ("L2_D16", 2))
    # 21 D + 32 D + 2 layers + final norm + readout.
    layer = 4 * 16**2 + 4 * 16 + 2 * 16 * 32 + 16 + 32 + 4 * 16
    self.assertEqual(cell["parameters"], 53 * 16 + 2 * layer + 2 * 16 + 17)
    self.assertEqual((cell["seeds"], cell["probe_rows"]), (2, 40))
    self.assertLess(cell["skill"], 0)
    # An untrained network is one of its null.
    self.assertBetween(cell["r2_6_p"], 0.03, 1)
    self.assertLess(cell["held_out_r2_6"], 0.05)
    self.assertAlmostEqual(cell["excess"], cell["delta_probe"] - cell["delta_random"], places=4)
    self.assertEqual(self.result.table, ())  # no cell of the grid

  def test_stored_and_drawn(self):
    folder = tempfile.mkdtemp()
    legacy.write(folder, "scale", self.result, provenance={})
    again, _ = legacy.read(folder, "scale", scale.Result)
    plots_scale.figure(again).canvas.draw()
    records = scale.joined({"a": {"scale": again}})
    figure = plots_scale.cells(records, scale_reported.grid())
    figure.canvas.draw()
    self.assertLen(figure.axes, 3)

  def test_report_draws_all_cells(self):
    stored = types.SimpleNamespace(result=self.result)
    with mock.patch.object(report, "analysis", return_value="") as each:
      found = report.sizes({"a": {"scale": stored}, "b": {"scale": stored}})
      self.assertEqual(found.count("<img"), 1)
      self.assertEqual(report.sizes({"c": {}}), "")
    self.assertEqual(each.call_count, 2)

  def test_cells_are_joined_by_their_size(self):
    cells = {
      name: dataclasses.replace(self.result, cell=({"cell": name, "parameters": count},))
      for name, count in (("large", 30), ("small", 3), ("middle", 7))
    }
    joined = scale.joined(
      {name: {"scale": result} for name, result in cells.items()} | {"sum": {"answers": None}}
    )
    self.assertEqual(
      [(row["run"], row["parameters"]) for row in joined],
      [("small", 3), ("middle", 7), ("large", 30)],
    )


class ReportedTest(absltest.TestCase):
  def test_grid_is_sorted_and_excess_is_the_difference(self):
    grid = scale_reported.grid()
    self.assertLen(grid, 9)
    self.assertEqual({row["cell"]: row["parameters"] for row in grid}, PARAMETERS)
    self.assertEqual([row["parameters"] for row in grid], sorted(PARAMETERS.values()))
    for row in grid:
      self.assertAlmostEqual(row["excess"], row["delta_probe"] - row["delta_random"], delta=0.011)
      # Skill against the constant's 1.9121e-4.
      skill = 1 - row["best_scaled_mse"] / 1.9121e-4
      self.assertAlmostEqual(row["skill"], skill, delta=6e-4)


if __name__ == "__main__":
  absltest.main()
