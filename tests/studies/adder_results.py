"""Results of the addition study by hand, and what its claims and tables say of them."""

import numpy as np
import primelens.studies.addition
import xarray as xr
from primelens.lens import claims, results
from primelens.lens import numbers as numbers_lib

MEMBERS = 6
PLAIN = "P = 10, published"


def by_hand(population=PLAIN, **value) -> xr.Dataset:
  """Returns a result whose numbers have a value, or one for every member, by key ("__" for "/")."""
  all_S = lambda number: np.broadcast_to(np.asarray(number, float), MEMBERS)
  value_S = {key.replace("__", "/"): all_S(number) for key, number in value.items()}
  return results.dataset(
    numbers_lib.stored(value_S, dict.fromkeys(value_S, all_S(0.1))),
    {"seed": np.arange(MEMBERS)},
    population=population,
    reference=0,
  )


def progress(population=PLAIN, **curve) -> xr.Dataset:
  """Returns a result of `progress` with two snapshots, at steps 1,000 and 10,000."""
  value_VxSxC = [np.broadcast_to(value, (MEMBERS, 2)) for value in curve.values()]
  return results.dataset(
    {"value": results.variable("curve seed step", value_VxSxC, "value")},
    {
      "curve": [name.replace("__", "/") for name in curve],
      "seed": np.arange(MEMBERS),
      "step": [1000, 10_000],
    },
    population=population,
    modular=False,
  )


def row(slice_, claim_id: str, population=PLAIN, **tables) -> dict:
  """Returns the ledger's row of one claim of a slice, given results of one run."""
  (claim,) = (claim for claim in slice_.CLAIMS if claim.id == claim_id)
  card = {"population": population, "setting": True, "waves": False, "seeds": MEMBERS}
  return claims.ledger((claim,), claims.Results({"run": tables}, {"run": card})).rows[0]


def rows(name: str, found: xr.Dataset) -> dict[str, dict]:
  """Returns the record of every number that a result of a slice has, by key."""
  known = numbers_lib.published(primelens.studies.addition.__file__, name)
  at = found.reference if found.reference >= 0 else None
  return {
    key: {"key": key} | numbers_lib.row(known[key], own.value_S, own.untrained_S, at)
    for key, own in numbers_lib.of(found).items()
  }
