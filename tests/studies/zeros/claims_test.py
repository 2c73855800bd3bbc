import binned_results
import forecast_results
import kernels_results
import leak_results
import levels_results
import numpy as np
import pruned_examples
import reference_results
import slots_results
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.studies.zeros import claims, published
from zeros_results import SMALL, H, L, anchors, formula, heads, linear

REPRODUCED = "reproduced"
ARTEFACT = "reproduced, but an artefact"
NOT = "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"


def verdict(claim_id: str, results) -> dict:
  ledger = trial.ledger(claims.CLAIMS, results)
  [row] = [row for row in ledger.rows if row["id"] == claim_id]
  return row


def _one(**table):
  """One run, "e4", of published size unless its anchors say otherwise."""
  return {"e4": {"anchors": anchors()} | table}


def _everything(data):
  """One run and its baseline with every analysis, on some data."""
  one = _one(
    anchors=anchors(data=data),
    heads=heads(),
    formula=formula(),
    linear=linear(),
    slots=slots_results.slots(),
    **levels_results.table(),
    **kernels_results.table(),
    **pruned_examples.table(),
    **reference_results.table(),
  )
  one |= {"e0": {"anchors": anchors("none", data=data)}}
  one |= forecast_results.runs(data) | binned_results.runs(data)
  return one | leak_results.runs(data=data)


SMALL_RUN = {"anchors": anchors(parameters=SMALL)}
FEW_SEEDS = {"anchors": anchors(seeds=3)}
E0 = anchors("none", 4_794_136, nll=-0.56)


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    # The published E4, 0.188 nats, against a linear filter.
    ("anchors.e4", _one(), NOT),
    ("anchors.e4", {"e4": {"anchors": anchors(ar24=0.18)}}, OPEN),
    ("anchors.e4", {"e4": {"anchors": anchors(ar24=0.3)}}, REPRODUCED),
    # POSTFIX better than the network without memory.
    ("models.sign", _one() | {"e0": {"anchors": E0}}, NOT),
    ("models.sign", {"e4": {"anchors": anchors(nll=-0.6)}, "e0": {"anchors": E0}}, REPRODUCED),
    ("models.sign", {"e4": SMALL_RUN, "e0": {"anchors": E0}}, OPEN),
    ("models.sign", {"e4": FEW_SEEDS, "e0": {"anchors": E0}}, OPEN),
    ("models.sign", _one(), NOT_RUN),
    # A small run beside the big ones decides nothing.
    (
      "models.sign",
      _one() | {"e0": {"anchors": E0}} | {"tiny": {"anchors": anchors(parameters=SMALL, nll=-0.9)}},
      NOT,
    ),
    # The published hook removes no head.
    ("heads.method", _one(heads=heads()), NOT),
    ("heads.method", {"e4": SMALL_RUN | {"heads": heads()}}, NOT),
    ("heads.method", _one(heads=heads(apart=False)), OPEN),
    # A core of 13 heads.
    ("heads.core", _one(heads=heads(joint=0.5)), NOT),
    ("heads.core", _one(heads=heads(joint=0.0)), REPRODUCED),
    ("heads.core", {"e4": SMALL_RUN | {"heads": heads(joint=0.0)}}, OPEN),
    ("heads.noise_layers", _one(heads=heads(middle=-0.05)), REPRODUCED),
    ("heads.noise_layers", _one(heads=heads(middle=0.01)), NOT),
    ("heads.noise_layers", {"e4": SMALL_RUN | {"heads": heads(middle=-0.05)}}, OPEN),
    ("heads.noise_layers", _one(heads=heads(layers=1)), NOT_RUN),
    # Pi.
    ("formula.pi", _one(formula=formula()), NOT),
    ("formula.pi", _one(formula=formula(3.08, 3.14, 3.14)), NOT),
    ("formula.pi", _one(formula=formula(truth=3.14, cue=2.9, shuffled=2.8)), REPRODUCED),
    ("formula.four", _one(formula=formula()), NOT),
    ("formula.four", _one(formula=formula(four=3.12)), REPRODUCED),
    # Against three linear coefficients.
    ("formula.operator", _one(formula=formula(), linear=linear()), NOT),
    ("formula.operator", _one(formula=formula(r2=0.38), linear=linear()), REPRODUCED),
    ("formula.operator", _one(formula=formula()), NOT_RUN),
    ("formula.operator", _one(linear=linear()), NOT_RUN),
    # The operator is the truth's own.
    ("linear.operator", _one(linear=linear()), ARTEFACT),
    ("linear.operator", _one(linear=linear((-0.3, -0.2, -0.1))), NOT),
  )
  def test_status(self, claim_id, results, status):
    row = verdict(claim_id, results)
    self.assertEqual(row["status"], status, row["because"])
    self.assertTrue(row["because"])

  def test_every_claim_is_tried_above_and_needs_results(self):
    empty = trial.ledger(claims.CLAIMS, {})
    self.assertEqual({row["status"] for row in empty.rows}, {NOT_RUN})
    ids = [row["id"] for row in empty.rows]
    self.assertEqual(ids, [claim.id for claim in claims.CLAIMS])
    self.assertLen(set(ids), len(ids))
    nothing = {"e4": {}}
    for row in trial.ledger(claims.CLAIMS, nothing).rows:
      self.assertEqual(row["status"], NOT_RUN, row["id"])

  @parameterized.parameters(
    "200,000 spacings of cue, published_tail",
    "2,001,051 spacings of shuffled, published_tail",
    "2,001,051 spacings of zeros, contiguous",
    "99,999 spacings of zeros, published_tail",
  )
  def test_other_data_decide_no_claim(self, data):
    for row in trial.ledger(claims.CLAIMS, _everything(data)).rows:
      self.assertEqual(row["status"], NOT_RUN, row["id"])
      self.assertIn(f"of a run on {published.DATA}", row["because"])
    decided = trial.ledger(claims.CLAIMS, _everything(published.DATA)).rows
    still = [row["id"] for row in decided if row["status"] == NOT_RUN]
    self.assertEqual(still, [])

  @parameterized.parameters(
    (0.124, "coefficients is ahead of it, so the number is no evidence", NOT),
    (0.18, "is not ahead of it, nor the network: the interval holds", OPEN),
    (0.2, "is not ahead of it: the network is.", REPRODUCED),
  )
  def test_the_verdict_on_e4_says_what_it_found(self, ar24, said, status):
    row = verdict("anchors.e4", _one(anchors=anchors(ar24=ar24)))
    self.assertIn(said, row["because"])
    self.assertIn(f"AR(24) {ar24:+.3f} [{ar24 - 0.01:+.3f}", row["because"])
    self.assertEqual(row["status"], status)

  def test_numbers_behind_the_core(self):
    row = verdict("heads.core", _one(heads=heads(joint=0.5)))
    # 13 of 48 are said to suffice; the grid has 36 of the other 35.
    self.assertEqual(row["numbers"]["e4: heads removed together"], 36)
    self.assertAlmostEqual(row["numbers"]["e4: change of NLL"], 0.5)

  def test_correlation_of_the_two_removals(self):
    results = heads()
    zero, published = results.delta_VxSxLxH.mean(1)[[0, 2]]
    expected = np.corrcoef(zero.ravel(), published.ravel())[0, 1]
    row = verdict("heads.method", _one(heads=results))
    self.assertAlmostEqual(row["numbers"]["e4: correlation"], expected)
    seeds = len(results.rank_SxLxH)
    self.assertEqual(row["numbers"]["e4: heads whose two effects differ"], seeds * L * H)

  def test_every_claim_says_where_it_was_published(self):
    for claim in claims.CLAIMS:
      for text in (claim.statement, claim.source, claim.reported):
        self.assertNotEmpty(text, claim.id)


class LedgerTest(absltest.TestCase):
  def test_a_missing_analysis_is_named(self):
    row = verdict("formula.pi", _one())
    self.assertIn("formula", row["because"])

  def test_unknown_status_is_refused(self):
    with self.assertRaisesRegex(ValueError, "'maybe' is not one of reproduced"):
      trial.Verdict(status="maybe", because="")


if __name__ == "__main__":
  absltest.main()
