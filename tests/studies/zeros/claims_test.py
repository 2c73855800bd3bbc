"""What all claims of the zeros study owe; each slice's own test tries its verdicts."""

import re

import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.lens import claims, study
from primelens.studies.zeros import program

ZEROS = study.find("zeros")
IDS = [claim.id for claim in ZEROS.claims]
# A run of every kind that a claim may be about.
KINDS = {
  "e0": {"memory": "none"},
  "prefix": {"memory": "prefix"},
  "e4": {"memory": "postfix"},
  "bank": {"memory": "bank_memory_blind"},
  "binned": {"memory": "binned memory", "kind": "binned"},
}


def ledger(data=program.DATA, tables=None):
  """Returns the ledger over runs of every kind, whose results hold nothing."""
  empty = dict.fromkeys(ZEROS.slices, xr.Dataset()) if tables is None else tables
  runs = {name: (zeros_cards.card(data=data, **words), empty) for name, words in KINDS.items()}
  return claims.ledger(ZEROS.claims, zeros_cards.results(**runs)).rows


# About runs of certain configs, with which the slices' own tests try them.
OF_CERTAIN_RUNS = {
  "waves.controls",
  "leak.headline",
  "leak.memory",
  "leak.layer1",
  "leak.factors",
  "losses.bank",
  "losses.binned",
  "memory.elephant",
  "memory.recurrent",
}


class ClaimsTest(parameterized.TestCase):
  def test_there_are_sixty_of_names_of_their_own(self):
    self.assertLen(IDS, 60)
    self.assertLen(set(IDS), 60)

  def test_every_claim_says_where_it_was_published(self):
    for claim in ZEROS.claims:
      for text in (claim.statement, claim.source, claim.reported):
        self.assertNotEmpty(text, claim.id)

  def test_without_results_none_was_run(self):
    for rows in (claims.ledger(ZEROS.claims, claims.Results({})).rows, ledger(tables={})):
      self.assertEqual([row["id"] for row in rows], IDS)
      self.assertEqual({row["status"] for row in rows}, {"not run"})

  @parameterized.parameters(
    "200,000 spacings of cue, published_tail",
    "2,001,051 spacings of shuffled, published_tail",
    "2,001,051 spacings of zeros, contiguous",
    "99,999 spacings of zeros, published_tail",
  )
  def test_other_data_decide_no_claim(self, data):
    for row in ledger(data):
      self.assertEqual(row["status"], "not run", row["id"])
      self.assertIn(f"on {program.DATA}", row["because"], row["id"])

  def test_published_data_do(self):
    # The results hold nothing, so that a test that reads them fails: it is not "not run".
    unread = {row["id"] for row in ledger() if row["status"] == "not run"}
    self.assertEqual(unread, OF_CERTAIN_RUNS)

  def test_no_percentage_but_that_of_the_intervals(self):
    self.assertEqual(set(re.findall(r"[\d.]+ ?%", ZEROS.about)), {"95 %"})


if __name__ == "__main__":
  absltest.main()
