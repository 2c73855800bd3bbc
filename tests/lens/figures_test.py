"""What every panel and page owes: labels with units, nothing outside, the same bytes again."""

import pathlib
import tempfile

import drawn
import matplotlib
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import statistics
from primelens.lens import figures, results


def found(seeds=3, ratios=4):
  """Returns a result with a curve by seed and ratio, and an interval by ratio and edit."""
  rng = np.random.default_rng(0)
  value_VxR = rng.normal(0, 0.1, (2, ratios))
  interval = statistics.Interval(value_VxR, value_VxR - 0.1, value_VxR + 0.1)
  variables = {
    "nll": results.variable("seed edit ratio", rng.normal(size=(seeds, 2, ratios)), "NLL", "nats"),
    "null": results.variable("seed edit ratio", rng.normal(size=(seeds, 2, ratios)), "NLL", "nats"),
    **results.with_interval("delta", "edit ratio", interval, "change of the NLL", "nats"),
  }
  coords = {
    "seed": results.variable("seed", np.arange(seeds), "seed"),
    "edit": results.variable("edit", ["mask", "noise"], "edit"),
    "ratio": results.variable("ratio", np.linspace(0, 0.9, ratios), "fraction removed"),
  }
  return results.dataset(variables, coords)


def pages(its) -> dict[str, figures.Page]:
  """Returns a page for each kind of panel."""
  last = its.isel(ratio=-1)
  panels = {
    "curves": figures.curves(its, "nll", x="ratio", colour="edit", thin="seed", title="Curves"),
    "named": figures.named(its, "delta", x="ratio", each="edit", title="Named"),
    "compared": figures.compared(its, "delta", x="ratio", each="edit", title="Compared"),
    "bands": figures.curves(its, "delta", x="ratio", colour="edit", title="Bands"),
    "bars": figures.bars(last, "nll", x="edit", null="null", title="Bars"),
    "dots": figures.dots({"a": last.nll, "b": last.null}, title="Dots"),
    "strips": figures.strips(last, "nll", y="edit", null="null", title="Strips"),
    "whiskers": figures.whiskers(last.sel(edit="mask"), ["delta"], title="Whiskers"),
    "rows": figures.rows(last, "delta", x="edit", title="Rows"),
    "heat": figures.heat(its.isel(seed=0), "nll", rows="edit", columns="ratio", title="Heat"),
    "scatter": figures.scatter(its, x="nll", y="null", title="Scatter"),
    "histogram": figures.histogram(its, "nll", title="Histogram"),
  }
  return {name: figures.page(panel, heights=[4.0]) for name, panel in panels.items()}


NAMES = tuple(pages(found()))


def _axes(figure):
  return [axes for axes in figure.findobj(matplotlib.axes.Axes) if axes.axison]


def _title(axes):
  """Returns the text that is the title."""
  words = axes.get_title(loc="left")
  return next(text for text in axes.findobj(matplotlib.text.Text) if text.get_text() == words)


class FiguresTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.path = folder / "figures" / "x.png"

  # Warnings are errors, of the drawing and of the layout.
  @parameterized.product(name=NAMES, size=({}, {"seeds": 1, "ratios": 2}))
  def test_drawn_without_warnings_and_a_thousand_pixels_wide(self, name, size):
    path = figures.save(pages(found(**size))[name], self.path)
    header = path.read_bytes()[:24]
    self.assertEqual(header[:8], b"\x89PNG\r\n\x1a\n")
    self.assertBetween(int.from_bytes(header[16:20], "big"), 1100, 1300)

  @parameterized.parameters(*NAMES)
  def test_every_panel_is_labelled_and_those_with_a_loss_name_the_unit(self, name):
    panels = [axes for axes in _axes(pages(found())[name].figure()) if axes.get_title(loc="left")]
    self.assertLen(panels, 1)
    for axes in panels:
      self.assertNotEmpty(axes.get_xlabel())
      labels = axes.get_xlabel() + axes.get_ylabel()
      if "NLL" in labels:
        self.assertIn("nats", labels)

  @parameterized.parameters(*NAMES)
  def test_nothing_drawn_leaves_the_figure(self, name):
    drawn.assert_inside(self, pages(found())[name].figure())

  @parameterized.parameters(1, 2)
  def test_a_title_wider_than_its_panel_is_broken(self, columns):
    long = "a-run-with-a-long-name: " + " ".join(["how far the answers go"] * 5)
    named = lambda title: lambda axes: axes.set(title=title, yticks=[0], yticklabels=["every row"])
    for title in (long, "short"):
      figure = figures.page((named(title),) * columns, heights=[3.0]).figure()
      drawn.assert_inside(self, figure)
      each = drawn.panels(figure)
      self.assertEqual([drawn.title(axes) for axes in each], [title] * columns)
      self.assertEqual("\n" in each[0].get_title(loc="left"), title == long)
      ends = [_title(axes).get_window_extent().x1 for axes in each]
      starts = [axes.get_tightbbox(for_layout_only=True).x0 for axes in each]
      for end, start in zip(ends, starts[1:], strict=False):
        self.assertLess(end, start)

  def test_names_stand_apart_beside_the_ends_of_their_lines(self):
    rise = np.arange(9)[:, None] * 1e-3 + np.zeros(3)
    variables = {"y": results.variable("who x", rise, "y")}
    its = results.dataset(variables, {"who": [f"line {i}" for i in range(9)], "x": [1, 2, 3]})
    its["y"][0] = 5.0  # the first line is far above
    panel = figures.named(its, "y", x="x", each="who", colours={"line 3": figures.GREEN})
    (axes,) = figures.page(panel, heights=[4.0]).figure().subfigs[0].axes
    place = {text.get_text(): text.get_position()[1] for text in axes.texts}
    self.assertEqual(set(place), set(its.who.values))
    self.assertEqual(sorted(place, key=place.get), [f"line {i}" for i in (*range(1, 9), 0)])
    self.assertGreaterEqual(min(np.diff(sorted(place.values()))), 0.99 * figures.NAME_GAP)
    colours = {line.get_label()[1:]: line.get_color() for line in axes.lines}
    self.assertEqual(colours["line 3"], figures.GREEN)
    self.assertEqual({colours[f"line {i}"] for i in (1, 2, 4)}, {figures.GREY})

  def test_compared_keeps_a_colour_for_its_value(self):
    its = results.dataset(
      {"y": results.variable("who x", np.arange(8.0).reshape(4, 2), "y")},
      {"who": ["a", "b", "c", "d"], "x": [1, 2]},
    )
    panel = figures.compared(its, "y", x="x", each="who", colours={"c": figures.ORANGE})
    (axes,) = figures.page(panel, heights=[4.0]).figure().subfigs[0].axes
    colours = {line.get_label(): line.get_color() for line in axes.lines if len(line.get_xdata())}
    self.assertEqual(colours["c"], figures.ORANGE)
    self.assertEqual([colours["b"], colours["d"]], [figures.GREEN, figures.PURPLE])

  def test_same_result_gives_the_same_bytes(self):
    first, second = (figures.save(pages(found())["curves"], self.path).read_bytes() for _ in "12")
    self.assertEqual(first, second)
    self.assertEqual([self.path], list(self.path.parent.iterdir()))

  def test_the_style_of_a_user_or_of_a_folder_changes_nothing(self):
    plain = figures.png(pages(found())["rows"])
    its = {"savefig.facecolor": "red", "xtick.labelsize": 20, "text.hinting": "none"}
    with matplotlib.rc_context(its):
      self.assertEqual(figures.png(pages(found())["rows"]), plain)

  def test_no_pyplot_state_and_no_style_left_behind(self):
    before = dict(matplotlib.rcParams)
    figures.png(pages(found())["heat"])
    self.assertEqual(before, dict(matplotlib.rcParams))

  def test_ticks_of_a_short_logarithmic_axis_are_numbers(self):
    for most, expected in (
      (1.2, ["0.9", "1", "1.1", "1.2"]),
      (30.0, ["1", "2", "5", "10", "20"]),
      (1e5, ["$\\mathdefault{10^{0}}$", "$\\mathdefault{10^{2}}$", "$\\mathdefault{10^{4}}$"]),
    ):
      line = figures.line([0, 1], [0.9, most], None, "black")
      panel = figures.together(line, lambda axes: axes.set(yscale="log"))
      figure = figures.page(panel, heights=[3.0]).figure()
      (axes,) = figure.findobj(matplotlib.axes.Axes)
      drawn.assert_inside(self, figure)
      low, high = axes.get_ylim()
      ticks = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
      shown = [text.get_text() for at, text in ticks if low <= at <= high]
      self.assertContainsSubset(expected, shown)
      small = [text.get_text() for text in axes.get_yticklabels(minor=True)]
      self.assertEqual("".join(small), "")

  def test_rows_in_given_colours(self):
    shades = {"mask": "#000000", "noise": "#FF0000"}
    both = found().isel(ratio=slice(2))
    panel = figures.rows(both, "delta", x="ratio", colour="edit", colours=shades, title="Rows")
    (axes,) = figures.page(panel, heights=[3.0]).figure().findobj(matplotlib.axes.Axes)
    handles, labels = axes.get_legend_handles_labels()
    colours = [handle.get_color() for handle in handles]
    self.assertEqual(dict(zip(labels, colours, strict=True)), shades)

  def test_labels_of_ticks_do_not_touch(self):
    names = ["constant", *(f"cos {i}" for i in range(1, 57))]
    its = results.dataset(
      {
        "y": results.variable("row column", np.eye(57), "y"),
        "small": results.variable("row", np.linspace(0, 0.0017, 57), "small"),
      },
      {"row": names, "column": names},
    )
    heat = figures.heat(its, "y", rows="row", columns="column", title="Heat")
    dots = figures.dots({"a": its.small}, title="Dots")
    figure = figures.page((heat, heat, heat), (dots, dots, dots), heights=[3.0, 3.0]).figure()
    figures.png(figure)
    for axes in figure.findobj(matplotlib.axes.Axes):
      shown = [label for label in axes.get_xticklabels() if label.get_text()]
      boxes = [label.get_window_extent() for label in shown]
      for left, right in zip(boxes, boxes[1:], strict=False):
        self.assertLess(left.x1, right.x0)

  def test_a_run_looks_the_same_in_every_figure_and_like_no_other(self):
    runs = [f"run {i}" for i in range(13)]
    its = lambda names: results.dataset(
      {"y": results.variable("run x", np.ones((len(names), 2)), "y")}, {"run": names, "x": [1, 2]}
    )

    def looks(names):
      panel = figures.curves(its(names), "y", x="x", colour="run")
      (axes,) = figures.page(panel, heights=[3.0]).figure().findobj(matplotlib.axes.Axes)
      lines = {line.get_label(): line for line in axes.lines if line.get_label() in names}
      return {name: (line.get_color(), line.get_marker()) for name, line in lines.items()}

    with figures.ordered(runs):
      everywhere = looks(runs)
      self.assertEqual(looks(runs[5:7]), {name: everywhere[name] for name in runs[5:7]})
    self.assertLen(set(everywhere.values()), len(runs))
    self.assertNotIn(figures.GREY, {colour for colour, _ in everywhere.values()})
    self.assertEqual(looks(runs[5:6])["run 5"][0], figures.BLUE)  # alone, and no longer ordered

  def test_dots_of_a_network_have_its_colour(self):
    value = found().isel(ratio=0, edit=0).nll
    groups = {name: value for name in ("trained", "the sum, untrained", "formed")}
    panel = figures.dots(groups, title="Dots")
    (axes,) = figures.page(panel, heights=[3.0]).figure().findobj(matplotlib.axes.Axes)
    colours = [line.get_color() for line in axes.lines[:3]]
    self.assertEqual(colours, [figures.BLUE, figures.GREY, figures.BLUE])

  def test_a_page_has_a_height_for_each_row(self):
    with self.assertRaisesRegex(ValueError, "2 rows of panels have 1 heights"):
      figures.page(figures.empty("a"), figures.empty("b"), heights=[1.0])


if __name__ == "__main__":
  absltest.main()
