"""Does grokking compress the weights: the claim, on hand-made results."""

import drawn
import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import claims, results
from primelens.studies import spectra as shared
from primelens.studies.addition import spectra

NOT_RUN, NOT = "not run", "not reproduced"
METRICS = ("stable_rank", "effective_rank", "max_to_mean", "ks_unit_as_published")
YES, ARTEFACT = "reproduced", "reproduced, but an artefact"


def by_hand(rank_SxC, test_SxC, population="P = 10, published"):
  """Returns spectra of two matrices: a query of these ranks, over noise of
  100, and an MLP matrix that is not to be counted."""
  rank_SxC, test_SxC = np.array(rank_SxC), np.array(test_SxC)
  value_VxSxCxE = np.ones((len(METRICS), *rank_SxC.shape, 2))
  value_VxSxCxE[METRICS.index("effective_rank"), ..., 0] = rank_SxC
  make = results.variable
  return results.dataset(
    {
      "role": make("matrix", ["query", "up"], "role"),
      "metric_value": make("metric seed step matrix", value_VxSxCxE, "metric"),
      "metric_null": make("metric matrix", np.full((len(METRICS), 2), 100.0), "of noise"),
      "train": make("seed step", np.ones_like(test_SxC), "train"),
      "test": make("seed step", test_SxC, "test"),
    },
    {"metric": list(METRICS), "step": np.arange(rank_SxC.shape[1])},
    population=population,
    score="accuracy",
  )


def runs(learned=30.0, other=90.0):
  """Returns three members that generalise at the third snapshot, and three
  that never do."""
  falls = [[100.0, 60.0, 40.0, learned]] * 3
  stays = [[100.0, 95.0, 92.0, other]] * 3
  return {
    "p97": {"spectra": by_hand(falls, [[0.0, 0.1, 0.8, 1.0]] * 3)},
    "permuted": {"spectra": by_hand(stays, [[0.0, 0.0, 0.1, 0.1]] * 3)},
    "without": {},
  }


def verdict(found):
  return claims.ledger(tuple(spectra.CLAIMS), claims.Results(found)).rows[0]


class CompressionTest(parameterized.TestCase):
  @parameterized.parameters((30.0, 90.0, YES), (30.0, 40.0, ARTEFACT), (70.0, 90.0, NOT))
  def test_beside_members_that_do_not_generalise(self, learned, other, status):
    self.assertEqual(verdict(runs(learned, other))["status"], status)

  def test_without_weight_decay_they_stand_apart(self):
    found = runs()
    bare = by_hand([[100.0, 95.0]] * 3, [[0.0, 0.4]] * 3, "P = 10, no weight decay")
    found["bare"] = {"spectra": bare}
    row = verdict(found)
    self.assertIn("without weight decay it ends at 95 % (3)", row["because"])
    self.assertAlmostEqual(row["numbers"]["never"], 0.9)

  def test_how_much_came_first(self):
    found = verdict(runs())
    # From 100 to 40 of 100 to 30 before half of the test pairs are right.
    self.assertAlmostEqual(found["numbers"]["early"], 60 / 70)

  def test_one_kind_of_member_decides_nothing(self):
    found = runs()
    del found["permuted"]
    self.assertEqual(verdict(found)["status"], NOT_RUN)

  def test_a_rank_that_never_fell_has_no_share(self):
    share_C, test_C = np.array([1.0, 1.1]), np.array([0.0, 1.0])
    self.assertTrue(np.isnan(spectra.before(share_C, test_C)))


class ShownTest(absltest.TestCase):
  def test_training_in_a_table(self):
    # Of 101 snapshots nine, and the two between which half of the test pairs are known.
    rank_C, test_C = np.linspace(103.0, 3.0, 101), np.linspace(0.0, 1.0, 101)
    step, train, accuracy, rank = "step", "train accuracy", "test accuracy", "effective rank"
    table = spectra.training_table({"p97": by_hand([rank_C] * 3, [test_C - 0.2] * 3)})
    self.assertEqual(table.name, "training")
    self.assertEqual([row[step] for row in table.rows][5:8], [62, 69, 70])
    self.assertEqual([row[step] for row in table.rows][-1], 100)
    self.assertLen(table.rows, 11)
    at = table.rows[-1]
    self.assertEqual((at["networks"], at[train]), (3, 1.0))
    np.testing.assert_allclose((at[accuracy], at[rank]), (0.8, 3.0))

  def test_runs_are_compared_over_training(self):
    found = {run: table["spectra"] for run, table in runs().items() if table}
    drawn.assert_inside(self, shared.over_training(found).figure())


if __name__ == "__main__":
  absltest.main()
