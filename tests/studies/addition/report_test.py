import math
import pathlib
import tempfile
import types

import numpy as np
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


def progress(population=PUBLISHED, modular=False):
  curves = ("test/accuracy", "pre_additive_r2", "frozen_accuracy")
  boundaries = ("formed", "lead_heldout")
  return types.SimpleNamespace(
    curves=tuple({"name": name} for name in curves),
    curve_VxSxC=np.ones((3, 2, 2)),
    phases=tuple(
      {
        "boundary": name,
        "meaning": name,
        "by_eye": math.nan,
        "members": 2,
        "reached": 2,
        **reported.spread([200.0, 300.0]),
      }
      for name in boundaries
    ),
    key_SxQ=np.array([[False, True, False, True]] * 2),
    step_C=np.array([100, 200]),
    modular=modular,
    population=population,
  )


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
    page = self.read({"a": {"probe": stored(own)}, "b": {"probe": stored(other)}})
    text = " ".join(page.text)
    self.assertIn("Members: P = 10, published.", text)
    self.assertNotIn("Members: P = 10, permuted labels.", text)

  def test_phases_and_summary(self):
    for modular, said in ((False, "additive in a and b"), (True, "1, 3 / 1, 3")):
      its = "modulo 113, published" if modular else PUBLISHED
      results = {"run": {"progress": stored(progress(its, modular))}}
      lines = REPORT.summary(results, trial.Ledger(()))
      self.assertLen(lines, 5)
      self.assertIn("2 of 2 members get all test pairs right", lines[0])
      self.assertIn("250 (200 … 300; 2 of 2 members)", lines[1])
      self.assertIn(said, lines[3])
      rows = self.read(results).table("Phases of training")
      self.assertEqual([line[0] for line in rows[1:]], ["formed", "lead_heldout"])

  def test_without_results_every_section_says_what_to_run(self):
    text = " ".join(self.read({}).text)
    self.assertIn("analyze.py --only=progress", text)
    self.assertLen(REPORT.summary({}, trial.Ledger(())), 5)


if __name__ == "__main__":
  absltest.main()
