import pathlib
import tempfile
import types

import drawn
import matplotlib
import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import figures, legacy
from primelens.studies.zeros import plots_formula

NAMES = ("anchors", "formula", "heads", "linear")


def _anchors(seeds=2, blocks=4):
  names = ("model (e0)", "AR(3)", "adaptive AR(256)")
  nll = (0.25, 0.42, -0.91)
  return types.SimpleNamespace(
    table=tuple(
      {"name": n, "parameters": 10, "nll_nats": x, "low": x - 0.1, "high": x}
      for n, x in zip(names, nll, strict=True)
    ),
    nll_S=np.linspace(0.2, 0.3, seeds),
    block_nll_ExP=np.tile(np.array(nll)[:, None], blocks),
    height_P=1e6 + 1000.5 * np.arange(blocks),
    scored=1000,
    split="test",
  )


def _heads(seeds=2, layers=2, heads=4, removals=3):
  modes = ("zero", "mean", "residual_slice_as_published")
  single = np.linspace(-0.1, 2.0, 3 * seeds * layers * heads)
  single = single.reshape(3, seeds, layers, heads)
  joint = np.ones((2, seeds, removals))  # to zero and to the mean
  return types.SimpleNamespace(
    delta_VxSxLxH=single,
    delta_low_VxLxH=single.mean(1) - 0.01,
    delta_high_VxLxH=single.mean(1) + 0.01,
    slice_gap_low_SxLxH=single[2] - single[0] - 0.01,
    slice_gap_high_SxLxH=single[2] - single[0] + 0.01,
    untrained_VxSxLxH=0.001 * single,
    joint_PxSxR=joint,
    joint_low_PxR=joint.mean(1) - 0.5,
    joint_high_PxR=joint.mean(1) + 0.5,
    count_R=np.arange(removals),
    modes=tuple({"mode": mode} for mode in modes),
  )


def _linear(seeds=2, lags=3):
  model = np.full((seeds, lags), -0.3)
  return types.SimpleNamespace(
    truth_Q=np.full(lags, -0.2),
    truth_low_Q=np.full(lags, -0.25),
    truth_high_Q=np.full(lags, -0.1),
    model_SxQ=model,
    model_low_Q=model[0] - 0.1,
    model_high_Q=model[0] + 0.1,
    jacobian_SxQ=0.9 * model,
    sums=tuple(
      {"order": p, "truth_sum": -p, "truth_r2": 0.1} | {"model_sum": -p, "model_r2": 0.2}
      for p in range(1, lags + 1)
    ),
    samples=100,
  )


def _formula(seeds=2, lags=8):
  targets = (*(f"model seed {s}" for s in range(seeds)), "truth", "CUE")
  closed = [
    {"target": t, "family": f"c / sum of {k} lags"}
    | {"c": k - 0.1, "low": k - 0.2, "high": k + 0.1}
    for t in ("model", *targets)
    for k in range(1, lags + 1)
  ]
  nan = {"c": 1.0, "low": np.nan, "high": np.nan}
  closed.append({"target": "truth", "family": "affine in 2 lags"} | nan)
  front = [
    {"target": "model", "null": null, "complexity": c, "test_mse": 1 / c} | {"backend": "pyoperon"}
    for null in (False, True)
    for c in (1, 5)
  ]
  return types.SimpleNamespace(closed=tuple(closed), front=tuple(front))


FULL = {
  "anchors": _anchors,
  "formula": _formula,
  "heads": _heads,
  "linear": _linear,
}
LEAST = {
  "anchors": lambda: _anchors(seeds=1, blocks=1),
  "formula": lambda: types.SimpleNamespace(closed=(), front=()),
  "heads": lambda: _heads(seeds=1, layers=1, heads=1, removals=1),
  "linear": lambda: _linear(seeds=1, lags=1),
}


def _texts(figure) -> list[str]:
  found = figure.findobj(matplotlib.text.Text)
  return [text.get_text() for text in found if text.get_text()]


def _axes(figure):
  return [axes for axes in figure.findobj(matplotlib.axes.Axes) if axes.axison]


class PlotsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.path = pathlib.Path(folder.name) / "figures" / "x.png"

  # Warnings are errors, of the drawing and of the layout.
  @parameterized.product(name=NAMES, results=(FULL, LEAST))
  def test_drawn_without_warnings_and_a_thousand_pixels_wide(self, name, results):
    path = figures.save(legacy.drawing("zeros", name)(results[name]()), self.path)
    header = path.read_bytes()[:24]
    self.assertEqual(header[:8], b"\x89PNG\r\n\x1a\n")
    width = int.from_bytes(header[16:20], "big")
    self.assertBetween(width, 1100, 1300)

  @parameterized.parameters(*NAMES)
  def test_every_panel_is_labelled_and_those_with_a_loss_name_the_unit(self, name):
    figure = legacy.drawing("zeros", name)(FULL[name]())
    panels = [axes for axes in _axes(figure) if axes.get_title(loc="left")]
    self.assertNotEmpty(panels)
    for axes in panels:
      if not axes.images:
        self.assertNotEmpty(axes.get_xlabel())
        labels = axes.get_xlabel() + axes.get_ylabel()
        if "NLL" in labels or "change" in labels:
          self.assertIn("nats", labels)

  @parameterized.parameters(*NAMES)
  def test_nothing_drawn_leaves_the_figure(self, name):
    figure = legacy.drawing("zeros", name)(FULL[name]())
    box = drawn.assert_inside(self, figure)
    self.assertGreater(box.width, 0.9 * figure.get_size_inches()[0])

  @parameterized.parameters("anchors", "linear")
  def test_same_result_gives_the_same_bytes(self, name):
    first, second = (
      figures.save(legacy.drawing("zeros", name)(FULL[name]()), self.path).read_bytes()
      for _ in range(2)
    )
    self.assertEqual(first, second)
    self.assertEqual([self.path], list(self.path.parent.iterdir()))

  def test_the_style_of_a_user_or_of_a_folder_changes_nothing(self):
    plain = figures.save(legacy.drawing("zeros", "linear")(_linear()), self.path).read_bytes()
    its = {"savefig.facecolor": "red", "xtick.labelsize": 20, "text.hinting": "none"}
    with matplotlib.rc_context(its):
      self.assertEqual(
        figures.save(legacy.drawing("zeros", "linear")(_linear()), self.path).read_bytes(), plain
      )

  def test_no_pyplot_state_and_no_style_left_behind(self):
    before = dict(matplotlib.rcParams)
    legacy.drawing("zeros", "linear")(_linear())
    self.assertEqual(before, dict(matplotlib.rcParams))

  def test_anchors_are_sorted_and_every_number_is_written(self):
    figure = legacy.drawing("zeros", "anchors")(_anchors())
    axes = _axes(figure)[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    starts = ["AR(3)", "model (e0)", "adaptive AR(256)"]
    self.assertEqual([label.split("  ")[0] for label in labels], starts)
    for number in ("+0.250", "+0.420", "-0.910"):
      self.assertIn(number, _texts(figure))

  def test_maps_have_numbers_and_stars_where_the_interval_excludes_zero(self):
    result = _heads()
    result.delta_low_VxLxH[0, 0, 0] = -9.0
    texts = _texts(legacy.drawing("zeros", "heads")(result))
    mean = result.delta_VxSxLxH.mean(1)
    self.assertIn(f"{mean[0, 0, 1]:+.4f}*", texts)
    self.assertIn(f"{mean[0, 0, 0]:+.4f}", texts)
    self.assertNotIn(f"{mean[0, 0, 0]:+.4f}*", texts)

  def test_maps_share_a_scale_centred_on_zero(self):
    figure = legacy.drawing("zeros", "heads")(_heads())
    limits = {image.get_clim() for axes in _axes(figure) for image in axes.images}
    low, high = limits.pop()
    self.assertEmpty(limits)
    self.assertEqual(low, -high)

  def test_large_maps_are_drawn_without_numbers(self):
    figure = legacy.drawing("zeros", "heads")(_heads(layers=9, heads=8))
    self.assertFalse([t for t in _texts(figure) if t.endswith("*")])

  def test_constants_are_the_family_of_sums_alone(self):
    table = plots_formula.constants(_formula())
    self.assertEqual(table["truth"][3]["c"], 2.9)
    self.assertEqual(sorted(table["truth"]), list(range(1, 9)))

  def test_formula_draws_pi_and_its_alternative(self):
    texts = _texts(legacy.drawing("zeros", "formula")(_formula()))
    self.assertIn("π", texts)
    self.assertIn("model, permuted (null)", texts)


if __name__ == "__main__":
  absltest.main()
