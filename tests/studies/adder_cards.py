"""Results of addition by hand, and cards of runs, as its claims read them."""

import numpy as np
import xarray as xr
from primelens.lens import claims, results
from primelens.lens import numbers as numbers_lib
from primelens.studies.addition import program

MEMBERS = 6
PLAIN = "P = 10, published"


def numbers(population=PLAIN, untrained=0.1, reference=0, **value) -> xr.Dataset:
  """Returns a result with a number, or one for every network, by key ("a__b" is "a/b")."""
  value_S = {
    key.replace("__", "/"): np.broadcast_to(np.asarray(number, float), MEMBERS)
    for key, number in value.items()
  }
  stored = numbers_lib.stored(value_S, {key: np.full(MEMBERS, untrained) for key in value_S})
  return results.dataset(stored, population=population, reference=reference)


def progress(population=PLAIN, boundary=None, **curve) -> xr.Dataset:
  """Returns a result of `progress` with two snapshots, at steps 1,000 and 10,000."""
  curves, boundary = {k.replace("__", "/"): v for k, v in curve.items()}, boundary or {}
  broad = lambda each, *shape: np.reshape(
    [np.broadcast_to(value, shape) for value in each.values()], (len(each), *shape)
  )
  return results.dataset(
    {
      "value": results.variable("curve seed step", broad(curves, MEMBERS, 2), "a curve"),
      "boundary_step": results.variable("boundary seed", broad(boundary, MEMBERS), "a boundary"),
    },
    {"curve": list(curves), "boundary": list(boundary), "step": [1000, 10_000]},
    population=population,
    reference=-1,
    modular=has_waves(population),
    uniform_nll=3.0,
  )


def has_waves(population: str) -> bool:
  """Returns whether sums are taken modulo an odd number."""
  first = population.partition(",")[0].split()
  return first[0] == "modulo" and int(first[1]) % 2 == 1


def of(*runs: dict) -> claims.Results:
  """Returns results of runs, `{slice: Dataset}` each, with cards of their populations."""
  tables = {f"run {i}": table for i, table in enumerate(runs)}
  cards = {run: card(next(iter(table.values()))) for run, table in tables.items()}
  return claims.Results(tables, cards)


def card(found: xr.Dataset) -> dict:
  """Returns the words of a card that the study's claims choose runs by."""
  its = found.population
  return {
    "population": its,
    "setting": program.is_setting(its),
    "waves": has_waves(its),
    "reference": found.reference if found.reference >= 0 else None,
    "seeds": found.sizes["seed"],
  }


def row(slice_, claim_id: str, *runs: dict) -> dict:
  """Returns the ledger's row of one claim of a slice."""
  (claim,) = (claim for claim in slice_.CLAIMS if claim.id == claim_id)
  return claims.ledger((claim,), of(*runs)).rows[0]


def assert_not_run(test, slice_) -> None:
  """Fails a test where a claim of a slice is decided without runs."""
  for its in claims.ledger(slice_.CLAIMS, of()).rows:
    test.assertEqual(its["status"], "not run", its["id"])
    test.assertRegex(its["command"], r"^analyze.py --workdir=RUN --only=[a-z_]+$")


def records(name: str, found: xr.Dataset) -> dict[str, dict]:
  """Returns the record of every number that a result of a slice has, by key."""
  known = numbers_lib.published(program.__file__, name)
  at = found.reference if found.reference >= 0 else None
  return {
    key: {"key": key} | numbers_lib.row(known[key], own.value_S, own.untrained_S, at)
    for key, own in numbers_lib.of(found).items()
  }
