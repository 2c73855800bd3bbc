import pathlib
import re
import tempfile

import forecast_results as examples
from absl.testing import absltest
from primelens.lens import report
from primelens.studies.zeros import published_forecasts as published
from primelens.studies.zeros import report_forecasts


class ReportTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
    (folder / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    stored = lambda result: report.Stored(result, {}, False, folder / "x.png")
    self.tables = {
      "e0": {
        "rollout": stored(examples.rolled()),
        "calibration": stored(examples.calibrated(luck=-0.0125)),
      }
    }

  def _text(self, section, tables=None) -> str:
    markup = section(self.tables if tables is None else tables)
    return re.sub(r"<[^>]*>", "", str(markup))

  def test_rollouts_beside_anchors_and_published_numbers(self):
    text = self._text(report_forecasts.rollout)
    self.assertIn("0.1370 [0.1170, 0.1570]", text)  # the adaptive filter
    self.assertIn("+0.0630 [+0.0430, +0.0830]", text)  # model minus it
    self.assertIn("cumulative seed 42 as published", text)
    for value in ("0.354", "0.310", "0.241", "2.41"):
      self.assertIn(value, text)

  def test_calibration_beside_published_numbers(self):
    text = self._text(report_forecasts.calibration)
    self.assertIn("0.0532 [0.0332, 0.0732]", text)
    self.assertIn("0.084 [0.064, 0.104]", text)  # raw, short window
    self.assertIn("-0.0125", text)  # the golden batch
    for value in ("0.0835", "0.4670", "0.2730"):
      self.assertIn(value, text)

  def test_runs_without_slots_have_no_golden_batch(self):
    self.assertIn("Golden batch", self._text(report_forecasts.calibration))
    result = examples.calibrated(luck=1)
    self.assertNotIn("Golden", str(report_forecasts._calibration(result)))

  def test_absent_analyses_and_no_percentages(self):
    for name in ("rollout", "calibration"):
      section = getattr(report_forecasts, name)
      text = self._text(section, {"e0": {}})
      self.assertIn(f"analyze.py --only={name}", text)
      self.assertEmpty(re.findall(r"[\d.]+ ?%", self._text(section)))

  def test_published_slope_is_that_of_the_errors(self):
    self.assertLess(published.E4_SLOPE, published.SLOPE_LIMIT)
    self.assertAlmostEqual(published.CONFORMAL["raw_width"] + 2 * 1.001, 2.5095)


if __name__ == "__main__":
  absltest.main()
