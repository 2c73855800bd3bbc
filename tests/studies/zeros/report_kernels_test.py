import pathlib
import re
import tempfile

import numpy as np
from absl.testing import absltest
from kernels_results import hermiticity, kernels
from primelens.lens import figures, legacy, report
from primelens.studies.zeros import report_hermiticity, report_kernels


def _tables(**runs):
  stored = lambda result: report.Stored(result, {}, False, pathlib.Path("none"))
  return {
    run: {name: stored(result) for name, result in table.items()} for run, table in runs.items()
  }


def _cells(html: str, caption: str) -> list[list[str]]:
  """Returns the rows of the table whose caption starts so."""
  [body] = re.findall(rf'<table aria-label="{caption}.*?</table>', html, re.S)
  rows = re.findall(r"<tr.*?</tr>", body, re.S)
  cell = lambda row: re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)
  return [cell(row) for row in rows]


class KernelsSectionTest(absltest.TestCase):
  def test_runs_are_compared_by_their_kernels(self):
    html = report_kernels.kernels(
      _tables(zeros={"kernels": kernels()}, shuffled={"kernels": kernels(shift=0.01)})
    )
    rows = _cells(html, "Distance between published kernels")
    self.assertEqual(rows[0], ["run", "zeros", "shuffled", "untrained", "uniform"])
    spread = np.linspace(0.03, 0.006, 59).std()
    gap = f"{0.01 / spread:.3f}"
    self.assertEqual(rows[1], ["zeros", "0.000", gap, "0.000", "0.000"])
    self.assertEqual(rows[2], ["shuffled", gap, "0.000", gap, gap])

  def test_families_with_their_controls(self):
    html = report_kernels.kernels(_tables(e0={"kernels": kernels()}))
    rows = _cells(html, "The published kernel, weights after")
    self.assertEqual([row[1] for row in rows[1:]], list(report_kernels._NETWORKS))
    self.assertEqual(rows[3][2:4], ["0.974", "0.900"])
    self.assertEqual(rows[1][4], "(0.050 d + 0.030) exp(-0.85 √d) + 0.0060")
    rows = _cells(html, "Families of the centred scores")
    self.assertEqual(rows[1][:3], ["trained", "aic", "damped sinusoid 1; exponential 1"])
    rows = _cells(html, "Published kernels as reported")
    self.assertEqual(rows[2][3], "0.9927")
    rows = _cells(html, "Heads in the order of the published score")
    self.assertEqual(rows[1][:2], ["seed 0, L0.H0", "28.5"])

  def test_absent_analyses_are_named(self):
    for section, name in (
      (report_kernels.kernels, "kernels"),
      (report_hermiticity.hermiticity, "hermiticity"),
    ):
      self.assertIn(f"--only={name}", section({"e0": {}}))
      self.assertIn(f"--only={name}", section({}))

  def test_no_percentages(self):
    tables = _tables(e0={"kernels": kernels(), "hermiticity": hermiticity()})
    text = report_kernels.kernels(tables) + report_hermiticity.hermiticity(tables)
    self.assertNotIn("%", re.sub("<[^>]*>", "", text))


class HermiticitySectionTest(absltest.TestCase):
  def test_our_scores_below_the_published_one(self):
    html = report_hermiticity.hermiticity(_tables(e0={"hermiticity": hermiticity(1)}))
    rows = _cells(html, "Asymmetry of all heads and seeds")
    self.assertEqual(rows[1][1], "0.994")
    self.assertEqual(
      rows[2], ["e0", "0.950", "0.900 … 1.000", "0.990", "0.970 ± 0.040", "1 of 8", "2.78 (1.50)"]
    )
    rows = _cells(html, "Published: 0.408 against")
    self.assertEqual(
      rows[1], ["trained, seed 0", "8", "0.408", "0.427 ± 0.020", "0.400", "0.400", "0.600"]
    )

  def test_a_model_without_memory_says_so(self):
    html = report_hermiticity.hermiticity(_tables(e0={"hermiticity": hermiticity(slots=False)}))
    self.assertIn("The model has no memory vectors.", html)


class FigureTest(absltest.TestCase):
  def test_drawn_within_the_page(self):
    folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
    for name, result in (
      ("kernels", kernels()),
      ("hermiticity", hermiticity()),
      ("hermiticity", hermiticity(slots=False)),
    ):
      path = figures.save(legacy.drawing("zeros", name)(result), folder / "x.png")
      width = int.from_bytes(path.read_bytes()[16:20], "big")
      self.assertBetween(width, 1100, 1300)


if __name__ == "__main__":
  absltest.main()
