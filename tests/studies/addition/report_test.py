import math
import pathlib
import tempfile
import types

import pages
from absl.testing import absltest
from primelens.lens import claims as trial
from primelens.lens import legacy, report
from primelens.lens import numbers as reported
from primelens.studies.addition import claims
from primelens.studies.addition.report import REPORT

PUBLISHED = "P = 10, published"


def row(key, **changes):
  return {
    "key": key,
    "population": PUBLISHED,
    "item": "A46",
    "quantity": f"quantity <{key}>",
    "source": "0.99",
    "recomputed": 0.5,
    "tolerance": 0.01,
    "ours": 0.505,
    "agrees": True,
    "untrained": math.nan,
    "values": [0.5, 0.6],
    "remark": "",
    **reported.spread([0.5, 0.6]),
    **changes,
  }


def stored(result):
  return report.Stored(result, {}, False, pathlib.Path("absent.png"))


class ReportTest(absltest.TestCase):
  def read(self, results):
    ledger = trial.ledger(claims.CLAIMS, {})
    with tempfile.TemporaryDirectory() as folder:
      path = report.write(f"{folder}/r.html", legacy.presented(REPORT), results, ledger)
      return pages.Reader(path.read_text())

  def test_numbers_are_in_one_table_and_escaped(self):
    fit = {"item": "A46", "target": "z", "design": "Poly2", "r2_mean": 0.9}
    spread = {"r2_mean_ours": 0.9, "r2_mean_min": 0.8, "r2_mean_max": 1.0}
    result = types.SimpleNamespace(
      table=(row("known"), row("open", recomputed=math.nan)), fits=({**fit, **spread},)
    )
    page = self.read({"run": {"polynomial": stored(result)}})
    head, known = page.table("1 numbers that were recomputed")
    self.assertEqual(head[:6], [*head[:5], ""])
    self.assertEqual(known[1], "quantity <known>")
    self.assertEqual(known[5], "agrees")
    self.assertLen(page.table("1 numbers of the source or of controls"), 2)
    self.assertTrue(all(link.startswith("#") for link in page.links))

  def test_controls_show_no_figure_of_their_own(self):
    own = types.SimpleNamespace(table=(row("known"),), fits=())
    other = types.SimpleNamespace(
      table=(row("known", population="P = 10, permuted labels"),), fits=()
    )
    page = self.read({"a": {"readout": stored(own)}, "b": {"readout": stored(other)}})
    text = " ".join(page.text)
    self.assertIn("Members: P = 10, published.", text)
    self.assertNotIn("Members: P = 10, permuted labels.", text)

  def test_without_results_every_section_says_what_to_run(self):
    text = " ".join(self.read({}).text)
    self.assertIn("analyze.py --only=", text)


if __name__ == "__main__":
  absltest.main()
