"""The ledger: what decides nothing is told apart, and one fault costs one claim."""

from absl.testing import absltest
from primelens.lens import claims as trial


def claim(test):
  return trial.Claim(id="a", statement="b", source="c", reported="d", test=test)


def judged(test, results, unread=None):
  (row,) = trial.ledger((claim(test),), results, unread).rows
  return row


class LedgerTest(absltest.TestCase):
  def test_not_run_names_the_command_and_the_runs(self):
    needs = lambda results: results.where("of the big size", size="big").of("heads")
    cards = {run: {"size": "small" if run == "b" else "big"} for run in "abcd"}
    results = trial.Results(dict.fromkeys(cards, {}), cards)
    unread = {"heads": {"a": "runs/a", "b": "runs/b", "c": "runs/c"}}  # d cannot be read so
    row = judged(needs, results, unread)
    self.assertEqual(row["status"], "not run")
    self.assertEqual(row["command"], "analyze.py --workdir=runs/a,runs/c --only=heads")
    self.assertEqual(row["because"], "It needs heads of a run (of the big size).")

  def test_where_no_run_is_one_it_has_to_be_trained(self):
    needs = lambda results: results.where("of the big size", size="big").of("heads")
    results = trial.Results({"a": {}}, {"a": {"size": "small"}})
    row = judged(needs, results, {"heads": {"a": "runs/a"}})
    self.assertEqual(row["command"], "analyze.py --workdir=RUN --only=heads")
    self.assertIn("train it first", row["because"])

  def test_a_record_that_a_run_cannot_have(self):
    row = judged(lambda results: trial.row([{"part": "a"}], part="b"), {})
    self.assertEqual(row["status"], "does not apply")
    self.assertIn("a record of part b", row["because"])

  def test_a_fault_is_the_verdict_of_its_claim(self):
    row = judged(lambda results: ["lag"].index("lead"), {})
    self.assertEqual(row["status"], "failed")
    self.assertIn("ValueError: 'lead' is not in list", row["because"])


if __name__ == "__main__":
  absltest.main()
