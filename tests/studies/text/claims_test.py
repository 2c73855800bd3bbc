from types import SimpleNamespace

import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.studies.text import claims

NOT_RUN, NOT = "not run", "not reproduced"
YES, ARTEFACT = "reproduced", "reproduced, but an artefact"


def answers(question="sum", skill=0.997, half=0.001, members=5, table=({},)):
  row = {"part": "fresh", "skill": skill}
  row |= {"skill_low": skill - half, "skill_high": skill + half}
  values = {"exact": 0.02, "rmse": 21.0, "accuracy": 0.51}
  return SimpleNamespace(
    question=question,
    table=table,  # of the source's setting alone
    regression=question != "valid",
    answer_SxN=np.zeros((members, 3)),
    skills=({"part": "train", "skill": 0.5}, row),
    measures=tuple(
      {"part": "fresh", "measure": name, "median": value} for name, value in values.items()
    ),
  )


def verdict(name, results):
  rows = trial.ledger(claims.CLAIMS, results).rows
  return next(row for row in rows if row["id"] == name)


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("answers.sum", answers(), YES),
    ("answers.sum", answers(skill=0.9), NOT),
    ("answers.sum", answers(half=0.01), NOT),
    ("answers.sum", answers(members=4), NOT_RUN),
    ("answers.sum", answers("modk"), NOT_RUN),
    ("answers.sum", answers(table=()), NOT_RUN),
    ("answers.modk", answers("modk", -0.03, 0.05), NOT),
    ("answers.modk", answers("modk", 0.04, 0.05), NOT),
    ("answers.modk", answers("modk", 0.4, 0.05), YES),
    ("answers.valid", answers("valid", 0.0, 0.01), NOT),
    ("answers.valid", answers("valid", 0.2, 0.01), YES),
  )
  def test_answers_are_judged_on_fresh_pairs(self, name, found, expected):
    row = verdict(name, {"run": {"answers": found}})
    self.assertEqual(row["status"], expected, row["because"])

  def test_what_is_said_has_the_numbers(self):
    row = verdict("answers.sum", {"run": {"answers": answers()}})
    self.assertIn("skill is 0.9970 [0.9960, 0.9980]", row["because"])
    self.assertIn("2.0 % of the answers are right", row["because"])
    self.assertEqual(row["numbers"]["rmse"], 21.0)


if __name__ == "__main__":
  absltest.main()
