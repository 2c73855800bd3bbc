from absl.testing import absltest, parameterized
from levels_results import form_factor, operators
from primelens.lens import claims as trial
from primelens.studies.zeros import claims
from zeros_results import SMALL, anchors

REPRODUCED = "reproduced"
ARTEFACT = "reproduced, but an artefact"
NOT = "not reproduced"
NOT_RUN = "not run"


def verdict(claim_id: str, data=None, **table) -> dict:
  """The verdict of a small run: these claims are on data alone."""
  of = {} if data is None else {"data": data}
  run = {"anchors": anchors(parameters=SMALL, **of)} | table
  ledger = trial.ledger(claims.CLAIMS, {"tiny": run})
  [row] = [row for row in ledger.rows if row["id"] == claim_id]
  return row


class LevelsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("suppression", {}, ARTEFACT),
    ("suppression", {"shuffled": 1.0}, REPRODUCED),
    ("suppression", {"window": 1.0}, NOT),
    ("spike", {}, REPRODUCED),
    ("spike", {"peak": 9.0}, NOT),
    ("jitter", {}, NOT),
    ("jitter", {"kept": 0.9}, REPRODUCED),
    ("scaling", {}, ARTEFACT),
    ("scaling", {"plateau": 4.0}, REPRODUCED),
    ("scaling", {"near": 0.5}, NOT),
  )
  def test_form_factor(self, claim, values, status):
    row = verdict(f"form_factor.{claim}", form_factor=form_factor(**values))
    self.assertEqual(row["status"], status, row["because"])
    other = "2,001,051 spacings of shuffled, published_tail"
    row = verdict(f"form_factor.{claim}", other, form_factor=form_factor())
    self.assertEqual(row["status"], NOT_RUN)

  @parameterized.parameters(
    ({}, ARTEFACT), ({"noise": "GUE"}, REPRODUCED), ({"verdict": "GUE"}, NOT)
  )
  def test_operators(self, values, status):
    row = verdict("operators.toeplitz", operators=operators(**values))
    self.assertEqual(row["status"], status, row["because"])
    self.assertIn("disorder of 0.01", row["because"])

  def test_numbers_are_those_of_the_result(self):
    row = verdict("form_factor.suppression", form_factor=form_factor())
    self.assertIn("0.660 [0.610, 0.710]", row["because"])
    self.assertIn("windows of 8 is 0.40 against 4.40", row["because"])
    row = verdict("form_factor.jitter", form_factor=form_factor(kept=0.25))
    self.assertAlmostEqual(row["numbers"]["retention"], 0.25)
    self.assertIn("0.70 to 4.60 with it", row["because"])


if __name__ == "__main__":
  absltest.main()
