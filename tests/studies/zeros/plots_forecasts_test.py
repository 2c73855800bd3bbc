import types

import drawn
import matplotlib
import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import legacy


def _rollout(seeds=2, horizons=3, steps=120):
  names = ("model (e0)", "model, mean of draws", "model, single draws")
  names += ("untrained network", "constant 1", "AR(3)", "adaptive AR(256)")
  error_ExR = np.linspace(0.1, 0.5, len(names))[:, None] * np.ones(horizons)
  return types.SimpleNamespace(
    table=tuple({"name": name} for name in names),
    horizon_R=np.array([1, 10, 100])[:horizons],
    error_ExR=error_ExR,
    error_low_ExR=0.9 * error_ExR,
    error_high_ExR=1.1 * error_ExR,
    step_ExQ=np.full((len(names), steps), 0.33),
    spread_SxR=np.full((seeds, horizons), 0.2),
    truth_spread_R=np.full(horizons, 0.45),
    starts=40,
    context=256,
    draws=8,
  )


def _calibration(predictors=7, ways=2):
  names = ["model (e0)", *(f"predictor {e}" for e in range(1, predictors))]
  level_V = np.linspace(0.1, 0.9, 5)
  coverage = np.tile(0.9 * level_V, (predictors, 1))
  row = {"alpha": 0.1, "raw_width": 0.5, "width": 0.8}
  for key, value in (("raw_coverage", 0.6), ("coverage", 0.9)):
    row |= {key: value, f"{key}_low": value - 0.05, f"{key}_high": value + 0.05}
  return types.SimpleNamespace(
    table=tuple({"name": name} for name in names),
    conformal=tuple(
      {"predictor": name, "way": f"way {way}"} | row for name in names for way in range(ways)
    ),
    level_V=level_V,
    coverage_ExV=coverage,
    coverage_low_ExV=coverage - 0.02,
    coverage_high_ExV=coverage + 0.02,
    density_ExP=np.ones((predictors, 20)),
  )


FULL = {"rollout": _rollout, "calibration": _calibration}
LEAST = {
  "rollout": lambda: _rollout(seeds=1, horizons=1, steps=1),
  "calibration": lambda: _calibration(predictors=1, ways=1),
}


class PlotsTest(parameterized.TestCase):
  # Warnings are errors, of the drawing and of the layout.
  @parameterized.product(name=tuple(FULL), results=(FULL, LEAST))
  def test_drawn_inside_the_figure_and_labelled(self, name, results):
    figure = legacy.drawing("zeros", name)(results[name]())
    drawn.assert_inside(self, figure)
    for axes in figure.findobj(matplotlib.axes.Axes):
      self.assertNotEmpty(axes.get_xlabel())

  def test_lines_are_the_results_numbers(self):
    result = _rollout()
    figure = legacy.drawing("zeros", "rollout")(result)
    top = figure.findobj(matplotlib.axes.Axes)[0]
    lines = {line.get_label(): line.get_ydata() for line in top.lines}
    np.testing.assert_array_equal(lines["constant 1"], result.error_ExR[4])
    self.assertNotIn("model, mean of draws", lines)
    reliability = legacy.drawing("zeros", "calibration")(_calibration())
    axes = reliability.findobj(matplotlib.axes.Axes)[0]
    level_V = _calibration().level_V
    np.testing.assert_allclose(axes.lines[0].get_ydata(), -0.1 * level_V)


if __name__ == "__main__":
  absltest.main()
