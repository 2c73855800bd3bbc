import tempfile

import pruned_examples as examples
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.lens import figures, legacy, report
from primelens.studies.zeros import claims_pruned, published, report_pruned
from zeros_results import SMALL, anchors

REPRODUCED = "reproduced"
ARTEFACT = "reproduced, but an artefact"
NOT = "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"


def _verdict(claim_id, results):
  ledger = trial.ledger(claims_pruned.CLAIMS, results)
  [row] = [row for row in ledger.rows if row["id"] == claim_id]
  return row


def _run(its=None, **changes):
  table = {"anchors": its or anchors()}
  if "student" in changes:
    return {"e4": table | {"curriculum": changes["student"]}}
  return {"e4": table | {"pruned": examples.pruned_result(**changes)}}


def _student(**changes):
  return {"student": examples.curriculum_result(**changes)}


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    # Arithmetic: whatever a run shows.
    ("pruned.size", _run(), NOT),
    ("pruned.size", _run(anchors(parameters=SMALL)), NOT),
    ("pruned.size", _run(anchors(data="other")), NOT_RUN),
    # As good as the intact network, and better than random heads.
    ("pruned.core", _run(heads=0.1), NOT),
    ("pruned.core", _run(heads=-0.02, random=-0.1), REPRODUCED),
    ("pruned.core", _run(heads=-0.02, random=0.0), ARTEFACT),
    ("pruned.core", _run(anchors(parameters=SMALL), heads=-0.02), OPEN),
    ("pruned.core", _run(anchors(seeds=3), heads=-0.02), OPEN),
    ("pruned.core", _run(anchors("none"), heads=-0.02), OPEN),
    ("pruned.layers", _run(layers=0.15), NOT),
    ("pruned.layers", _run(layers=-0.02), REPRODUCED),
    ("pruned.mask", _run(mask=0.05), NOT),
    ("pruned.mask", _run(mask=-0.02), REPRODUCED),
    ("pruned.mask", _run(mask=-0.02, control=0.0), ARTEFACT),
    # Better than without a teacher; by the curriculum, or by any teacher.
    ("curriculum.distils", _run(**_student(alone=0.1)), NOT),
    ("curriculum.distils", _run(**_student()), REPRODUCED),
    ("curriculum.distils", _run(**_student(whole=0.0)), ARTEFACT),
    ("curriculum.distils", _run(**_student(untrained=0.0)), ARTEFACT),
    ("curriculum.distils", _run(anchors(parameters=SMALL), **_student()), OPEN),
  )
  def test_status(self, claim_id, results, status):
    row = _verdict(claim_id, results)
    self.assertEqual(row["status"], status, row["because"])

  def test_nothing_decides_nothing(self):
    for row in trial.ledger(claims_pruned.CLAIMS, {"e4": {}}).rows:
      self.assertEqual(row["status"], NOT_RUN)
      self.assertIn(f"of a run on {published.DATA}", row["because"])

  def test_numbers_of_the_published_network(self):
    # Zeta spec, sections 2.3 and 4.2: 4,802,336 less 35 heads of 4 * 256 * 32.
    row = _verdict("pruned.size", _run())
    self.assertEqual(row["numbers"]["left with 13 of 48 heads"], 3_655_456)
    self.assertEqual(row["numbers"]["in 13 heads"], 425_984)
    self.assertIn("leaves 3,655,456, 76%", row["because"])
    self.assertIn("13 heads leave 3,647,256 of 4,794,136", row["because"])

  def test_open_verdicts_say_what_small_networks_show(self):
    row = _verdict("pruned.core", _run(anchors(parameters=SMALL)))
    self.assertIn("+0.1000 [+0.0900, +0.1100]", row["because"])
    self.assertIn("13 heads kept", row["because"])


class ShownTest(parameterized.TestCase):
  @parameterized.parameters("pruned", "curriculum")
  def test_section_and_figure_show_the_stored_numbers(self, name):
    result = getattr(examples, f"{name}_result")()
    folder = self.enterContext(tempfile.TemporaryDirectory())
    path = figures.save(legacy.drawing("zeros", name)(result), f"{folder}/{name}.png")
    stored = report.Stored(result, {}, False, path)
    html = getattr(report_pruned, name)({"e0": {name: stored}})
    for row in result.contrasts:
      self.assertIn(row["contrast"], html)
      self.assertIn(f"{row['nats']:+.4f}", html)
    self.assertNotIn("%", html.replace("95 %", "").partition("base64")[0])
    absent = getattr(report_pruned, name)({"e0": {}})
    self.assertIn(f"analyze.py --only={name}", absent)


if __name__ == "__main__":
  absltest.main()
