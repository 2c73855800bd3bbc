"""Verdicts on the leak, on results written by hand, and its report."""

from types import SimpleNamespace

from absl.testing import absltest, parameterized
from leak_results import BIG, MODES, SMALL, runs
from primelens.lens import claims as trial
from primelens.studies.zeros import claims_leak, leak_evidence, report_leak

REPRODUCED = "reproduced"
ARTEFACT = "reproduced, but an artefact"
NOT = "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"
LEAKY, BLIND, NONE = MODES
FREE = {LEAKY: (-0.6, 0.2), BLIND: (0.2, 0.2), NONE: (0.4, 0.4)}
SAME = dict.fromkeys(MODES, (0.4, 0.4))


def verdict(claim_id: str, results) -> dict:
  ledger = trial.ledger(claims_leak.CLAIMS, results)
  [row] = [row for row in ledger.rows if row["id"] == claim_id]
  return row


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    # The leak decides at any size, the lack of one at published size alone.
    ("leak.headline", {}, ARTEFACT, ARTEFACT),
    ("leak.headline", {"told": 0.0}, REPRODUCED, OPEN),
    ("leak.headline", {"losses": SAME}, NOT, OPEN),
    # Slots that help must help where they are blind.
    ("leak.memory", {}, ARTEFACT, ARTEFACT),
    ("leak.memory", {"losses": FREE}, REPRODUCED, OPEN),
    ("leak.memory", {"losses": SAME}, NOT, OPEN),
    # Layer 1 reads the slots, and blind slots cost.
    ("leak.layer1", {}, ARTEFACT, OPEN),
    ("leak.layer1", {"cost": 0.0}, REPRODUCED, OPEN),
    ("leak.layer1", {"mass": 0.05}, NOT, OPEN),
    # Neither factor changes anything here.
    ("leak.factors", {}, NOT, OPEN),
  )
  def test_status(self, claim_id, options, big, small):
    for parameters, status in ((BIG, big), (SMALL, small)):
      row = verdict(claim_id, runs(parameters=parameters, **options))
      self.assertEqual(row["status"], status, row["because"])

  @parameterized.parameters(
    (0.0, -0.1, REPRODUCED),  # better where nothing leaks
    (-0.1, 0.0, ARTEFACT),  # better over leaky positions alone
    (0.1, 0.1, NOT),
  )
  def test_factors(self, every, last, status):
    results = runs()
    for name, table in results.items():
      if "True" in name:
        change = every if name.startswith(LEAKY) else 0
        table["leak"].all_SxN = table["leak"].all_SxN + change
        table["leak"].last_SxN = table["leak"].last_SxN + last
    row = verdict("leak.factors", results)
    self.assertEqual(row["status"], status)
    key = f"residual, {LEAKY}, all"
    self.assertAlmostEqual(row["numbers"][key], every, places=9)
    key = f"positions, {LEAKY}, all"
    self.assertAlmostEqual(row["numbers"][key], 0, places=9)

  def test_differences_are_paired_over_windows(self):
    results = runs()
    a, b = (results[f"{mode}-False-learned"]["leak"] for mode in (LEAKY, NONE))
    # The noise is common to both and drops out.
    found = leak_evidence.difference(a, b, "all")
    for name in ("nats", "low", "high"):
      self.assertAlmostEqual(found[name], -1.0, places=9)

  def test_every_claim_needs_its_runs(self):
    for results in ({}, {"e0": {}}, runs(seeds=2)):
      for row in trial.ledger(claims_leak.CLAIMS, results).rows:
        self.assertEqual(row["status"], NOT_RUN, row["id"])
    alone = {k: v for k, v in runs().items() if k.startswith(LEAKY)}
    for claim in ("leak.headline", "leak.memory", "leak.factors"):
      row = verdict(claim, alone)
      self.assertEqual(row["status"], NOT_RUN)
      self.assertEqual(row["command"], "analyze.py --workdir=RUN --only=leak")

  def test_other_data_decide_nothing(self):
    results = runs(data="99,999 spacings of zeros, contiguous")
    for row in trial.ledger(claims_leak.CLAIMS, results).rows:
      self.assertEqual(row["status"], NOT_RUN, row["id"])

  def test_a_run_of_another_width_is_no_companion(self):
    results = runs()
    for name, table in results.items():
      if name.startswith(NONE):
        table["leak"].setting[0]["width"] = 48
    self.assertEqual(verdict("leak.memory", results)["status"], NOT_RUN)


class ReportTest(absltest.TestCase):
  def _html(self, results):
    tables = {
      run: {
        name: SimpleNamespace(result=result, stale=False, figure_path="none")
        for name, result in table.items()
      }
      for run, table in results.items()
    }
    return report_leak.leak(tables)

  def test_twelve_rows_with_losses_and_leak(self):
    html = self._html(runs())
    joint = html[: html.index("</table>")]
    self.assertEqual(joint.count("<tr"), 1 + 12)
    self.assertEqual(joint.count("marked"), 4)
    self.assertIn("+1.000", joint)
    self.assertIn("[+0.990, +1.010]", joint)
    self.assertIn("-0.600", joint)
    self.assertEqual(joint.count("–"), 16)  # of the runs without slots
    self.assertEqual(joint.count("-1.000"), 3 * 4)  # minus no memory, its ends
    self.assertNotIn("%", html.replace("95 %", ""))

  def test_a_run_without_it_is_named(self):
    self.assertIn("analyze.py --only=leak", self._html({"e0": {}}))


if __name__ == "__main__":
  absltest.main()
