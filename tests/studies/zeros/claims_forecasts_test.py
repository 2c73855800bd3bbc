from absl.testing import absltest, parameterized
from forecast_results import calibrated, rolled
from primelens.lens import claims as trial
from primelens.studies.zeros import claims_forecasts, published
from primelens.studies.zeros import published_forecasts as reported
from zeros_results import SMALL, anchors

REPRODUCED = "reproduced"
ARTEFACT = "reproduced, but an artefact"
NOT = "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"


def verdict(claim_id: str, results) -> dict:
  ledger = trial.ledger(claims_forecasts.CLAIMS, results)
  [row] = [row for row in ledger.rows if row["id"] == claim_id]
  return row


def _run(memory="postfix", parameters=4_802_336, data=published.DATA, **table):
  return {"anchors": anchors(memory, parameters, data=data)} | table


def _bank(memory, error):
  return _run(memory, rollout=rolled(model=error))


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    # A linear filter that is refitted, against Flash's 0.241.
    ("rollout.linear", {"a": _run(rollout=rolled(0.137))}, NOT),
    ("rollout.linear", {"a": _run(rollout=rolled(0.235))}, OPEN),
    ("rollout.linear", {"a": _run(rollout=rolled(0.31))}, REPRODUCED),
    # Small networks decide it as well: it is about the anchors.
    ("rollout.linear", {"a": _run("none", SMALL, rollout=rolled(0.137))}, NOT),
    # The memory bank against none: hurt and repaired, or not.
    (
      "rollout.memory",
      {"q": _bank("bank", 2.4), "f": _bank("bank", 0.2), "n": _bank("none", 0.2)},
      REPRODUCED,
    ),
    ("rollout.memory", {"f": _bank("bank", 0.26), "n": _bank("none", 0.2)}, NOT),
    ("rollout.memory", {"f": _bank("bank", 0.26)}, OPEN),
    (
      "rollout.memory",
      {"f": _run("bank", SMALL, rollout=rolled(model=0.26)), "n": _bank("none", 0.2)},
      OPEN,
    ),
    # A limit that a constant keeps.
    ("rollout.growth", {"a": _run(rollout=rolled())}, ARTEFACT),
    ("rollout.growth", {"a": _run(rollout=rolled(slope=0.6))}, REPRODUCED),
    ("rollout.growth", {"a": _run(rollout=rolled(level=0.5))}, REPRODUCED),
    # Conformal coverage of a constant.
    ("calibration.conformal", {"a": _run(calibration=calibrated())}, ARTEFACT),
    ("calibration.conformal", {"a": _run(calibration=calibrated(width=3.0))}, REPRODUCED),
    ("calibration.conformal", {"a": _run(calibration=calibrated(constant=0.8))}, NOT),
    # The short window.
    ("calibration.raw", {"a": _run(calibration=calibrated())}, ARTEFACT),
    ("calibration.raw", {"a": _run(calibration=calibrated(0.1, 0.1))}, REPRODUCED),
    ("calibration.raw", {"a": _run(calibration=calibrated(0.6))}, NOT),
    ("calibration.raw", {"a": _run(parameters=SMALL, calibration=calibrated())}, OPEN),
    ("calibration.raw", {"a": _run("none", calibration=calibrated())}, NOT_RUN),
    # The PIT of networks without memory.
    ("calibration.e0", {"a": _run("none", calibration=calibrated())}, REPRODUCED),
    ("calibration.e0", {"a": _run("none", calibration=calibrated(pit=(0.4, 0.28)))}, NOT),
    ("calibration.e0", {"a": _run("none", calibration=calibrated(pit=(0.49, 0.34)))}, NOT),
    ("calibration.e0", {"a": _run("none", SMALL, calibration=calibrated())}, OPEN),
    # The luck of the lowest evaluation.
    ("selection.permuted", {"a": _run(calibration=calibrated())}, REPRODUCED),
    ("selection.permuted", {"a": _run(calibration=calibrated(luck=-0.02))}, ARTEFACT),
    ("selection.permuted", {"a": _run(calibration=calibrated(luck=1))}, NOT_RUN),
    ("selection.permuted", {"a": _run(parameters=SMALL, calibration=calibrated(luck=-0.02))}, OPEN),
  )
  def test_status(self, claim_id, results, status):
    row = verdict(claim_id, results)
    self.assertEqual(row["status"], status, row["because"])
    self.assertTrue(row["because"])

  def test_nothing_and_other_data_decide_nothing(self):
    other = _run(
      data="200,000 spacings of cue, published_tail", rollout=rolled(), calibration=calibrated()
    )
    for results in ({}, {"a": {}}, {"a": other}):
      for row in trial.ledger(claims_forecasts.CLAIMS, results).rows:
        self.assertEqual(row["status"], NOT_RUN, row["id"])
        self.assertIn(f"on {published.DATA}", row["because"])

  def test_quoted_gains_are_those_of_the_errors(self):
    self.assertAlmostEqual(reported.GAIN_QUOTED, 0.286, places=3)
    self.assertAlmostEqual(1 - reported.FLASH / reported.LINEAR, 0.22, places=2)
    row = verdict("rollout.linear", {"a": _run(rollout=rolled(0.137))})
    self.assertIn("in units of the linear one it is 0.22", row["because"])
    self.assertIn("0.137 [0.117, 0.157]", row["because"])

  def test_open_verdicts_show_what_small_models_say(self):
    results = {"demo": _run(parameters=SMALL, calibration=calibrated(0.5))}
    row = verdict("calibration.raw", results)
    self.assertIn("demo: 0.500 [0.480, 0.520] when 128", row["because"])
    self.assertIn("No run of the published size", row["because"])


if __name__ == "__main__":
  absltest.main()
