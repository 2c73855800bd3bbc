import pathlib
import tempfile
import types

import drawn
import matplotlib
import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import figures, legacy

NAMES = ("anchors",)


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


FULL = {
  "anchors": _anchors,
}
LEAST = {
  "anchors": lambda: _anchors(seeds=1, blocks=1),
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

  @parameterized.parameters(*((name,) for name in NAMES))
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

  @parameterized.parameters(*((name,) for name in NAMES))
  def test_nothing_drawn_leaves_the_figure(self, name):
    figure = legacy.drawing("zeros", name)(FULL[name]())
    box = drawn.assert_inside(self, figure)
    self.assertGreater(box.width, 0.9 * figure.get_size_inches()[0])

  @parameterized.parameters(("anchors",))
  def test_same_result_gives_the_same_bytes(self, name):
    first, second = (
      figures.save(legacy.drawing("zeros", name)(FULL[name]()), self.path).read_bytes()
      for _ in range(2)
    )
    self.assertEqual(first, second)
    self.assertEqual([self.path], list(self.path.parent.iterdir()))

  def test_the_style_of_a_user_or_of_a_folder_changes_nothing(self):
    plain = figures.save(legacy.drawing("zeros", "anchors")(_anchors()), self.path).read_bytes()
    its = {"savefig.facecolor": "red", "xtick.labelsize": 20, "text.hinting": "none"}
    with matplotlib.rc_context(its):
      self.assertEqual(
        figures.save(legacy.drawing("zeros", "anchors")(_anchors()), self.path).read_bytes(), plain
      )

  def test_no_pyplot_state_and_no_style_left_behind(self):
    before = dict(matplotlib.rcParams)
    legacy.drawing("zeros", "anchors")(_anchors())
    self.assertEqual(before, dict(matplotlib.rcParams))

  def test_anchors_are_sorted_and_every_number_is_written(self):
    figure = legacy.drawing("zeros", "anchors")(_anchors())
    axes = _axes(figure)[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    starts = ["AR(3)", "model (e0)", "adaptive AR(256)"]
    self.assertEqual([label.split("  ")[0] for label in labels], starts)
    for number in ("+0.250", "+0.420", "-0.910"):
      self.assertIn(number, _texts(figure))


if __name__ == "__main__":
  absltest.main()
