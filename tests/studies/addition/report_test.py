"""The page of the study: numbers in one table, and what to run where there are none."""

import math
import tempfile
from pathlib import Path

import adder_cards
import pages
from absl.testing import absltest
from primelens.lens import claims, report, study
from primelens.lens.results import Stored


class ReportTest(absltest.TestCase):
  def read(self, tables):
    its = study.find("addition")
    results = adder_cards.of(*tables)
    ledger = claims.ledger(its.claims, results)
    shown = {
      run: {name: Stored(found, {}, False, Path("absent.png")) for name, found in table.items()}
      for run, table in results.items()
    }
    with tempfile.TemporaryDirectory() as folder:
      path = report.write(f"{folder}/r.html", its, shown, ledger, results)
      return pages.Reader(path.read_text())

  def test_without_results_every_section_says_what_to_run(self):
    text = " ".join(self.read(()).text)
    for name in study.find("addition").slices:
      self.assertIn(f"analyze.py --only={name}", text)

  def test_every_claim_is_open_without_runs(self):
    its = study.find("addition")
    for row in claims.ledger(its.claims, adder_cards.of()).rows:
      self.assertEqual(row["status"], "not run", row["id"])
      self.assertRegex(row["command"], r"^analyze.py --workdir=RUN --only=[a-z_]+$")

  def test_numbers_have_columns_for_drift_and_every_control(self):
    own = adder_cards.numbers(pc1_share=0.7266, pc1_slope=math.nan)
    null = adder_cards.numbers("P = 10, permuted labels", reference=-1, pc1_share=0.5)
    its = study.find("addition")
    rows = its.numbers(adder_cards.of({"embedding": own}, {"embedding": null}))
    by_key = {row["key"]: row for row in rows}
    self.assertEqual(by_key["pc1_share"]["permuted"], 0.5)
    self.assertEqual(by_key["pc1_share"]["verdict"], "agrees")
    self.assertTrue(math.isnan(by_key["pc1_share"]["no_decay"]))
    for column in ("drift_low", "permuted", "no_decay", "unordered"):
      self.assertIn(column, its.number_columns)


if __name__ == "__main__":
  absltest.main()
