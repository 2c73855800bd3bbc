"""Cards of runs of the zeros study, and results by hand, as its claims read them."""

from primelens.lens import claims
from primelens.studies.zeros import program

BIG, SMALL = 4_802_336, 45_000


def card(memory="postfix", size=BIG, seeds=5, data=program.DATA, told=False, **more):
  """Returns the card of a run; as published by default."""
  words = {"study": "zeros", "kind": "spacing", "memory": memory, "size": size, "seeds": seeds}
  return words | {"data": data, "told": told, "population": "zeros"} | more


def results(**runs):
  """Returns results of runs, each a pair of its card and `{slice: Dataset}`."""
  return claims.Results(
    {run: tables for run, (_, tables) in runs.items()}, {run: its for run, (its, _) in runs.items()}
  )


def status(slice_, claim_id: str, **runs) -> str:
  """Returns the status of one claim of a slice."""
  return row(slice_, claim_id, **runs)["status"]


def assert_not_run(test, slice_, *several) -> list[dict]:
  """Fails a test where runs (of each of `several`) decide a claim; returns the ledger's rows."""
  rows = [its for runs in several for its in claims.ledger(slice_.CLAIMS, results(**runs)).rows]
  for its in rows:
    test.assertEqual(its["status"], "not run", its["id"])
  return rows


def row(slice_, claim_id: str, **runs) -> dict:
  """Returns the ledger's row of one claim of a slice."""
  (claim,) = (claim for claim in slice_.CLAIMS if claim.id == claim_id)
  return claims.ledger((claim,), results(**runs)).rows[0]
