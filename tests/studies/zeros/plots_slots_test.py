import pathlib
import tempfile
import types

import drawn
import matplotlib
import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import figures, legacy


def _slots(seeds=2, slots=4, blocks=3, positions=16, reading=1.0):
  keep_ExM = np.concatenate([np.ones((1, slots)), 1 - np.eye(slots)])
  joint_SxR = np.tile(0.1 * np.arange(slots + 1), (seeds, 1))
  attention = np.full((seeds, slots, positions), reading / positions)
  single_SxE = np.tile(0.01 * np.arange(slots + 1), (seeds, 1))
  return types.SimpleNamespace(
    keep_ExM=keep_ExM,
    delta_SxE=single_SxE,
    untrained_SxE=-single_SxE,
    joint_SxR=joint_SxR,
    joint_low_R=joint_SxR[0] - 0.05,
    joint_high_R=joint_SxR[0] + 0.05,
    sum_as_published_SxR=0.5 * joint_SxR,
    remeasured_single_SxN=np.linspace(0, 0.02, 201) + np.zeros((seeds, 1)),
    attention_SxMxT=attention,
    untrained_attention_SxMxT=attention,
    block_nll_SxP=np.tile(0.1 * np.arange(blocks), (seeds, 1)),
    block_error_SxP=np.full((seeds, blocks), 0.05),
    quarter_nll_Sx4=np.full((seeds, 4), 0.2),
    random_windows=500,
  )


def _panels(figure):
  found = figure.findobj(matplotlib.axes.Axes)
  return [axes for axes in found if axes.axison]


class PlotsTest(parameterized.TestCase):
  @parameterized.parameters(
    {}, {"seeds": 1, "slots": 1, "blocks": 2}, {"seeds": 9, "slots": 12}, {"reading": 0.0}
  )
  def test_drawn_without_warnings_inside_the_figure(self, **options):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    figure = legacy.drawing("zeros", "slots")(_slots(**options))
    header = figures.save(figure, pathlib.Path(folder, "x.png")).read_bytes()
    self.assertEqual(header[:8], b"\x89PNG\r\n\x1a\n")
    drawn.assert_inside(self, figure)

  def test_losses_name_their_unit(self):
    panels = _panels(legacy.drawing("zeros", "slots")(_slots()))
    self.assertLen(panels, 4)
    for axes in panels:
      self.assertNotEmpty(axes.get_xlabel())
      if "NLL" in axes.get_ylabel():
        self.assertIn("nats", axes.get_ylabel())

  def test_joint_and_published_sum_are_those_of_the_result(self):
    joint, *_ = _panels(legacy.drawing("zeros", "slots")(_slots(seeds=1)))
    lines = {line.get_label(): line.get_ydata() for line in joint.lines}
    np.testing.assert_allclose(lines["together"], 0.1 * np.arange(5))
    label = "sum of single ones (as published)"
    np.testing.assert_allclose(lines[label], 0.05 * np.arange(5))

  def test_slots_that_read_no_data(self):
    figure = legacy.drawing("zeros", "slots")(_slots(reading=0.0))
    texts = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    self.assertIn("These slots read no data.", texts)


if __name__ == "__main__":
  absltest.main()
