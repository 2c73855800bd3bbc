"""The figure of the leak, with slots in front of the window and without."""

import pathlib
import tempfile
import types

import drawn
import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import figures
from primelens.studies.zeros import plots_leak


def result(names, seeds=3, positions=16, layers=6, heads=8):
  """A result whose values differ everywhere."""
  told_R = np.array([1.2, 0.9, 0.5, 0.0]) if positions > 1 else np.zeros(1)
  position_R = np.array([3, 7, 11, 15])[-len(told_R) :]
  shape = (len(names), seeds, positions)
  nll = 0.5 - np.linspace(0, 1, np.prod(shape)).reshape(shape)
  full = np.full((seeds, len(told_R)), 0.1)
  mass = np.linspace(0, 1, seeds * layers * heads)
  return types.SimpleNamespace(
    position_R=position_R,
    full_SxR=full,
    cut_SxR=full + told_R[None],
    leak_R=told_R,
    leak_low_R=told_R - 0.1,
    leak_high_R=told_R + 0.2,
    nll_VxSxT=nll,
    evaluated=tuple({"evaluated": name} for name in names),
    mass_SxLxH=mass.reshape(seeds, layers, heads),
    untrained_mass_SxLxH=0.1 * mass.reshape(seeds, layers, heads),
    uniform_mass=0.3,
  )


CASES = {
  "bank": lambda: result(("as trained", "memory blind", "untrained network")),
  "plain": lambda: result(("as trained", "untrained network"), layers=0),
  "postfix": lambda: result(("as trained",), seeds=1, positions=1, heads=0),
}


def _title(axes) -> str:
  return axes.get_title(loc="left")


class FigureTest(parameterized.TestCase):
  @parameterized.named_parameters(*CASES.items())
  def test_drawn_without_warnings_and_nothing_leaves_it(self, make):
    figure = plots_leak.figure(make())
    with tempfile.TemporaryDirectory() as folder:
      path = figures.save(figure, pathlib.Path(folder) / "leak.png")
      self.assertEqual(path.read_bytes()[:4], b"\x89PNG")
    drawn.assert_inside(self, figure)

  @parameterized.named_parameters(*CASES.items())
  def test_losses_are_in_nats_and_every_position_is_there(self, make):
    axes = plots_leak.figure(make()).get_axes()
    curves, leak, *mass = sorted(axes, key=lambda a: "Attention" in _title(a))
    for axes in (curves, leak):
      self.assertIn("nats", axes.get_ylabel())
      self.assertNotEmpty(_title(axes))
    names = [label.get_text() for label in leak.get_xticklabels()]
    self.assertEqual(names, [str(t) for t in make().position_R])
    self.assertLen(mass, int(make().mass_SxLxH.size > 0))


if __name__ == "__main__":
  absltest.main()
