"""Where the fields of the addition study went: what its slices have in common."""

from collections.abc import Callable, Mapping

import primelens.studies.addition
from primelens.lens import numbers
from primelens.studies.addition import network

MAP: dict[str, Callable] = {}


def row(entry, value_S, untrained_S, at: int | None) -> dict:
  """Returns the record of one number, whose value for the reference member was called ours."""
  found = numbers.row(entry, value_S, untrained_S, at)
  return {"ours" if key == "here" else key: value for key, value in found.items()}


def columns(name: str, value_S, untrained_S, at: int | None) -> dict:
  """Returns the columns of one measure, as those of `fits.records`.

  `at` is the reference member, None where there is none.
  """
  found = numbers.spread(value_S)
  return {
    name: found["median"],
    f"{name}_min": found["minimum"],
    f"{name}_max": found["maximum"],
    f"{name}_ours": float("nan") if at is None else float(value_S[at]),
    f"{name}_untrained": numbers.median(untrained_S),
  }


def table(name: str, prefix: str = "") -> Callable[[Mapping], list[dict]]:
  """Returns what gives the records `table` of a slice, whose keys begin with `prefix` now."""

  def records(new):
    found = new[name]
    known = numbers.published(primelens.studies.addition.__file__, name)
    values, at = numbers.of(found), _reference(found)
    return [
      {"key": key.removeprefix(prefix), "population": found.population}
      | row(known[key], values[key].value_S, values[key].untrained_S, at)
      for key in known
      if key in values
    ]

  return records


def fits(name: str, keys: Callable[[str], bool] = lambda key: True) -> Callable:
  """Returns what gives the records `fits` of a slice, of those keys that are asked for."""

  def records(new):
    found = new[name]
    at = _reference(found)
    rows = []
    for key in filter(keys, found["fit"].values.tolist()):
      one = found.sel(fit=key)
      row = {"fit": key} | {k: one[f"fit_{k}"].item() for k in ("item", "target", "design")}
      for measure in network.FIT_MEASURES:
        pair = one.fit_value.sel(measure=measure)
        own_S, fresh_S = (pair.sel(network=n).values for n in numbers.NETWORKS)
        if (own_S == own_S).any():
          row |= columns(measure, own_S, fresh_S, at)
      rows.append(row)
    return rows

  return records


def _reference(found) -> int | None:
  return found.reference if found.reference >= 0 else None
