import types

import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.lens import numbers as reported
from primelens.studies.addition import claims, evidence

MEMBERS = 6


def numbers(population, **value):
  """A result whose table has a value, or one for every member, by key."""
  rows = []
  for key, number in value.items():
    value_S = np.broadcast_to(np.asarray(number, float), MEMBERS)
    rows.append(
      {
        "key": key.replace("__", "/"),
        "population": population,
        "ours": float(value_S[0]),
        "values": value_S.tolist(),
        "untrained": 0.1,
      }
    )
  return types.SimpleNamespace(table=tuple(rows))


def progress(population, boundary=None, **curve):
  """A progress result with two snapshots, at steps 1,000 and 10,000."""
  step_C = np.array([1000, 10_000])
  shape = (MEMBERS, 2)
  curves = {name.replace("__", "/"): value for name, value in curve.items()}
  boundary = boundary or {}
  return types.SimpleNamespace(
    population=population,
    modular=population.startswith("modulo") and int(population.split(",")[0].split()[1]) % 2 == 1,
    key_SxQ=np.zeros((MEMBERS, 3), bool),
    step_C=step_C,
    curves=tuple({"name": name} for name in curves),
    curve_VxSxC=np.array([np.broadcast_to(value, shape) for value in curves.values()]),
    phases=tuple(
      {"boundary": name, **reported.spread(np.broadcast_to(value, MEMBERS))}
      for name, value in boundary.items()
    ),
    boundary_ExS=np.array([np.broadcast_to(value, MEMBERS) for value in boundary.values()]),
  )


PLAIN = "P = 10, published"


def decide(id, **analyses):
  """The verdict on one claim, given results of one run."""
  (claim,) = (claim for claim in claims.CLAIMS if claim.id == id)
  (row,) = trial.ledger((claim,), {"run": analyses}).rows
  return row


class LedgerTest(absltest.TestCase):
  def test_without_runs_everything_is_open(self):
    for row in trial.ledger(claims.CLAIMS, {}).rows:
      self.assertEqual(row["status"], "not run", row["id"])
      self.assertRegex(row["command"], r"^analyze.py --workdir=RUN --only=[a-z_]+$")

  def test_ids_are_unique(self):
    ids = [claim.id for claim in claims.CLAIMS]
    self.assertLen(set(ids), len(ids))


class MechanismTest(parameterized.TestCase):

  def test_few_members_decide_nothing(self):
    said = evidence.by_members([True] * 4, "x", {})
    self.assertEqual(said.status, "needs more compute")


class ModularTest(parameterized.TestCase):
  ITS = "modulo 113, published"


if __name__ == "__main__":
  absltest.main()
