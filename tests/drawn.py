"""What every figure owes: nothing that is drawn leaves it."""

from matplotlib import axes as axes_lib
from matplotlib.backends import backend_agg
from primelens.lens import figures


def assert_inside(test, figure):
  """Returns the box of all that is drawn; fails the test where it leaves."""
  if figure.stale:  # it is not drawn yet
    backend_agg.FigureCanvasAgg(figure).draw()
  drawn = figure.get_tightbbox(figure.canvas.get_renderer())
  width, height = figure.get_size_inches()
  for low, high, most in ((drawn.x0, drawn.x1, width), (drawn.y0, drawn.y1, height)):
    test.assertGreater(low, -0.02)
    test.assertLess(low, most)
    test.assertGreater(high, 0)
    test.assertLess(high, most + 0.02)
  return drawn


class Made(dict):
  """The figures of pages by name, each made when it is first asked for."""

  def __init__(self, pages):
    super().__init__()
    self.pages = pages

  def __missing__(self, name):
    self[name] = self.pages[name].figure()
    return self[name]


def one_and_all(test, pages_of, runs) -> dict:
  """Returns the drawn figures by name: all pages of the first run alone, and what all runs add.

  Each page is drawn once; fails the test where one makes no PNG.
  """
  first = next(iter(runs))
  made = {}
  for some in ({first: runs[first]}, runs):
    for name, page in pages_of(some).items():
      if name not in made:
        made[name] = page.figure()
        test.assertStartsWith(figures.png(made[name]), b"\x89PNG")
  return made


def panels(figure, words: str = "") -> list:
  """Returns the axes of the figure whose title has these words, in order."""
  every = figure.findobj(axes_lib.Axes)
  return [one for one in every if words in title(one) and one.axison]


def title(axes) -> str:
  """Returns the title of a panel, on one line."""
  return " ".join(axes.get_title(loc="left").split())


def dots(axes, index: int = -1) -> list[float]:
  """Returns the places along x of one set of markers."""
  return list(axes.get_lines()[index].get_xdata())
