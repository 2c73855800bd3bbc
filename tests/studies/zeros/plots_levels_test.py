"""The figures of the form factor and of the operators."""

import dataclasses
import pathlib
import tempfile

import drawn
import levels_results
from absl.testing import absltest, parameterized
from primelens.lens import figures, legacy


class FigureTest(parameterized.TestCase):
  @parameterized.parameters("form_factor", "operators")
  def test_drawn_without_warnings_and_nothing_leaves_it(self, name):
    figure = legacy.drawing("zeros", name)(levels_results.table()[name])
    with tempfile.TemporaryDirectory() as folder:
      path = figures.save(figure, pathlib.Path(folder) / "x.png")
      self.assertEqual(path.read_bytes()[:4], b"\x89PNG")
    drawn.assert_inside(self, figure)
    for axes in figure.findobj(match=lambda part: hasattr(part, "get_xlabel")):
      self.assertNotEmpty(axes.get_xlabel())

  def test_a_short_sequence(self):
    result = levels_results.form_factor()
    short = dataclasses.replace(result, scaling=())
    self.assertNotEmpty(legacy.drawing("zeros", "form_factor")(short).axes)


if __name__ == "__main__":
  absltest.main()
