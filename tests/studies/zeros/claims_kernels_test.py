from absl.testing import absltest, parameterized
from kernels_results import hermiticity, kernels
from primelens.lens import claims as trial
from primelens.studies.zeros import claims_hermiticity, claims_kernels
from zeros_results import SMALL, anchors

CLAIMS = (*claims_kernels.CLAIMS, *claims_hermiticity.CLAIMS)
REPRODUCED = "reproduced"
ARTEFACT = "reproduced, but an artefact"
NOT = "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"
SMALL_RUN = {"anchors": anchors(parameters=SMALL)}


def verdict(claim_id: str, results) -> dict:
  ledger = trial.ledger(CLAIMS, results)
  [row] = [row for row in ledger.rows if row["id"] == claim_id]
  return row


def _big(**table):
  return {"e4": {"anchors": anchors()} | table}


def _small(**table):
  return {"demo": SMALL_RUN | table}


class ClaimsKernelsTest(parameterized.TestCase):
  @parameterized.parameters(
    # Attention to nothing has the family too, whatever the size of a network.
    ("kernels.stretched", _big(kernels=kernels()), ARTEFACT),
    ("kernels.stretched", _small(kernels=kernels()), ARTEFACT),
    ("kernels.stretched", _big(kernels=kernels(uniform=0.5)), ARTEFACT),
    ("kernels.stretched", _big(kernels=kernels(uniform=0.5, untrained=0.5)), REPRODUCED),
    ("kernels.stretched", _big(kernels=kernels(trained=0.6)), NOT),
    ("kernels.stretched", _big(), NOT_RUN),
    ("kernels.repulsion", _small(kernels=kernels()), ARTEFACT),
    ("kernels.repulsion", _big(kernels=kernels(uniform_slope=-0.01)), REPRODUCED),
    ("kernels.repulsion", _big(kernels=kernels(slope=-0.01)), NOT),
    # The head that the published score chooses.
    ("kernels.physics_head", _big(kernels=kernels()), REPRODUCED),
    ("kernels.physics_head", _big(kernels=kernels(monotone=0.995)), ARTEFACT),
    ("kernels.physics_head", _big(kernels=kernels(wave=0.95)), NOT),
    ("kernels.physics_head", _small(kernels=kernels()), OPEN),
    ("kernels.flash", _big(kernels=kernels()), ARTEFACT),
    ("kernels.flash", _big(kernels=kernels(sinc2=0.5)), NOT),
    ("kernels.flash", _small(kernels=kernels()), OPEN),
    # The source's own 0.994 is what independent factors have.
    ("hermiticity.emerges", _small(hermiticity=hermiticity()), NOT),
    ("hermiticity.emerges", _big(hermiticity=hermiticity(1)), NOT),
    ("hermiticity.emerges", _big(hermiticity=hermiticity(8)), REPRODUCED),
    ("hermiticity.ln_primes", _small(hermiticity=hermiticity()), NOT),
    ("hermiticity.ln_primes", _big(hermiticity=hermiticity(p=0.01)), OPEN),
    ("hermiticity.ln_primes", _big(hermiticity=hermiticity(p=0.01, fresh_p=0.01)), ARTEFACT),
    ("hermiticity.ln_primes", _big(hermiticity=hermiticity(slots=False)), NOT_RUN),
  )
  def test_status(self, claim_id, results, status):
    row = verdict(claim_id, results)
    self.assertEqual(row["status"], status, row["because"])
    self.assertTrue(row["because"])

  def test_every_claim_needs_a_run_on_the_published_data(self):
    table = {"kernels": kernels(), "hermiticity": hermiticity()}
    other = {"cue": {"anchors": anchors(data="1 spacing of cue")} | table}
    for results in ({}, {"e4": {}}, _big(), other):
      for row in trial.ledger(CLAIMS, results).rows:
        self.assertEqual(row["status"], NOT_RUN, row["id"])

  def test_the_head_is_that_of_the_highest_score(self):
    row = verdict("kernels.physics_head", _big(kernels=kernels()))
    self.assertEqual(row["numbers"]["e4: score"], 28.5)
    self.assertEqual(row["numbers"]["e4: score, untrained"], 41.25)
    self.assertIn("L0.H0 (28.5; untrained heads reach 41.2)", row["because"])

  def test_a_ripple_upside_down_is_no_sinc(self):
    row = verdict("kernels.flash", _big(kernels=kernels()))
    self.assertEqual(row["numbers"]["e4: R2"], 0.85)
    ratio = row["numbers"]["e4: highest peak over 1 / keys"]
    self.assertAlmostEqual(ratio, 0.005 * 264)

  def test_scores_at_short_distance_are_shown(self):
    row = verdict("kernels.repulsion", _big(kernels=kernels()))
    self.assertAlmostEqual(row["numbers"]["e4: scores below 0.75, trained"], -1.5)
    self.assertEqual(row["numbers"]["e4: scores below 0.75, untrained"], 0)


if __name__ == "__main__":
  absltest.main()
