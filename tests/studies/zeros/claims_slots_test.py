import numpy as np
import slots_results
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.studies.zeros import claims_slots, published, published_slots, slots_table
from zeros_results import SMALL, anchors

ARTEFACT = "reproduced, but an artefact"
NOT = "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"


def verdict(claim_id, data=published.DATA, parameters=SMALL, **options):
  table = {"anchors": anchors(parameters=parameters, data=data)}
  table["slots"] = slots_results.slots(**options)
  rows = trial.ledger(claims_slots.CLAIMS, {"demo": table}).rows
  (row,) = (row for row in rows if row["id"] == claim_id)
  return row


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("slots.functional", NOT, {}),
    ("slots.specialised", NOT, {}),
    ("slots.blocks", NOT, {}),
    ("slots.names", NOT, {}),
    ("slots.permuted", ARTEFACT, {}),
    ("slots.permuted", OPEN, {"J": {"met": 1}}),
    ("slots.permuted", NOT, {"J": {"met": 1}, "parameters": 4_802_336}),
    ("slots.permuted", NOT_RUN, {"permuted": False}),
    ("slots.functional", NOT_RUN, {"data": "other"}),
    ("slots.names", NOT_RUN, {"data": "other"}),
  )
  def test_status(self, claim_id, status, options):
    row = verdict(claim_id, **options)
    self.assertEqual(row["status"], status, row["because"])

  def test_every_claim_needs_a_run(self):
    rows = trial.ledger(claims_slots.CLAIMS, {}).rows
    self.assertEqual({row["status"] for row in rows}, {NOT_RUN})

  def test_published_numbers_against_the_published_rules(self):
    # Spec 5.7: the largest of all single removals is 0.0058, asked for 0.02.
    name = "largest single removal, as published"
    self.assertLess(max(published_slots.READINGS[name]), slots_table.SINGLE)
    row = verdict("slots.functional", A={"untrained_met": 2, "met": 0})
    self.assertIn("+0.0058, +0.0021, +0.0041", row["because"])
    self.assertIn("0 of 2 seeds reach it, 2 of 2 untrained", row["because"])

  def test_chance_in_the_published_blocks(self):
    numbers = verdict("slots.blocks")["numbers"]
    for name, reported in zip(published_slots.NETWORKS, (0.644, 0.888, 0.279), strict=True):
      self.assertAlmostEqual(numbers[f"reported, {name}"], reported, places=3)
    # Standard errors 0.118, 0.079, 0.137, 0.109 about a mean of 0.275.
    chance = np.sqrt(np.mean(np.square([0.118, 0.0785, 0.137, 0.1095])))
    self.assertAlmostEqual(numbers["by chance alone, E4, seed 7"], chance / 0.275, places=2)

  def test_names_of_the_readings_are_those_of_the_table(self):
    names = {reading.name for reading in slots_table.readings(8, 256)}
    self.assertEqual(set(published_slots.READINGS) - names, set())

  def test_agreement_of_effects_over_seeds(self):
    result = slots_results.slots()
    self.assertAlmostEqual(claims_slots._agreement(result), 1)
    result.effect_SxM = np.array([[1.0, 2.0], [2.0, 1.0]])
    self.assertAlmostEqual(claims_slots._agreement(result), -1)
    result.effect_SxM = np.ones((2, 3))
    self.assertTrue(np.isnan(claims_slots._agreement(result)))


if __name__ == "__main__":
  absltest.main()
