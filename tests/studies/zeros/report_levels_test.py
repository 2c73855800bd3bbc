import pathlib
import re
import types

import levels_results
from absl.testing import absltest
from primelens.studies.zeros import report_levels


def _tables(*names):
  made = levels_results.table()
  return {
    "e0": {
      name: types.SimpleNamespace(
        result=made[name], stale=False, figure_path=pathlib.Path("none.png")
      )
      for name in names
    }
  }


class ReportTest(absltest.TestCase):
  def test_form_factor(self):
    html = report_levels.form_factor(_tables("form_factor"))
    self.assertIn("0.660 <small>[0.610, 0.710]</small>", html)
    self.assertIn("fewer than the 400 blocks", html)
    self.assertIn("4.58", html)  # 51.67 / 11.28
    for reported in ("1.58", "2.06", "3.71", "4.57", "2.16", "2.37"):
      self.assertIn(reported, html)
    self.assertIn("0.400 ± 0.010", html)
    self.assertEqual(html.count("<table"), html.count("</table"))
    self.assertLen(re.findall("<table", html), 5)

  def test_operators_are_shown_once(self):
    tables = _tables("operators")
    tables["e1"] = tables["e0"]
    html = report_levels.operators(tables)
    self.assertIn("published kernel, times cos", html)
    self.assertLen(re.findall("<table", html), 2)
    self.assertNotIn("e1", html)

  def test_absent(self):
    for section in (report_levels.form_factor, report_levels.operators):
      self.assertIn("not run", section({"e0": {}}))
      self.assertIn("not run", section({}))


if __name__ == "__main__":
  absltest.main()
