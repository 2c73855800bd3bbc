"""What has not moved to the form of a slice yet, presented as one; to be deleted with the last.

Such a study is an object `STUDY` whose analyses return frozen dataclasses of arrays named with
their axes (`nll_SxR`), scalars, and records (tuples of dicts).
"""

import dataclasses
import functools
import importlib
import importlib.util
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from primelens.lens import claims as claims_lib
from primelens.lens import results as results_lib
from primelens.lens import study as study_lib

# Axes, outermost first; WORKSPACE.md has the glossary.
AXES = ("S", "C", "R", "L", "H", "Q", "N", "B", "T", "D", "Dh", "F", "K", "M", "V", "E", "P")
RECORDS, SCALARS = "records", "scalars"  # the attributes of a Dataset that hold them


@dataclasses.dataclass(frozen=True)
class Analysis:
  """`run(run) -> result` of class `result`; `about` is its line in `analyze.py --list`.

  `obstacle(experiment)` says in words why a run cannot be read so, or "".
  """

  run: Callable[[Any], Any]
  result: type
  about: str
  obstacle: Callable[[Any], str] = study_lib.fits_every_run


@dataclasses.dataclass(frozen=True)
class Report:
  """The page of a study: `sections` maps a key to a title and a function of
  `{run: {analysis: Stored}}`; `summary(tables, ledger)` gives five lines; None where
  the slices give them."""

  title: str
  about: str
  sections: Mapping[str, tuple[str, Callable]]
  summary: Callable[[Mapping, claims_lib.Ledger], list[str]] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
  """Everything the command lines need of a study.

  `numbers(results)` joins the tables of `{run: {analysis: Result}}` into records, printed by
  `number_columns`.
  """

  settings: type
  analyses: Mapping[str, Analysis]
  claims: tuple[claims_lib.Claim, ...]
  check: Callable[[Any], None]
  build: Callable
  bind: Callable[[Any], Callable]
  cost: Callable[[Any], study_lib.Cost]
  report: Report
  run: type[study_lib.Run] = study_lib.Run
  members: Callable[[Any, np.ndarray], Any] = study_lib.members
  numbers: Callable[[Mapping], tuple[dict, ...]] | None = None
  number_columns: tuple[str, ...] = ()


def adapted(name: str, old: Study, package: types.ModuleType) -> study_lib.Study:
  """Returns the study as the command lines know it.

  What has moved already is a slice of the package, and is named in its ORDER.
  """
  moved = [
    study_lib.slice_of(importlib.import_module(f"{package.__name__}.{key}"), key)
    for key in _order(package)
  ]
  classes = {key: analysis.result for key, analysis in old.analyses.items()}
  plain = functools.partial(_plain, classes)
  judged = lambda test: lambda results: test(plain(results))
  claims = tuple(dataclasses.replace(claim, test=judged(claim.test)) for claim in old.claims)
  numbers = old.numbers
  its = study_lib.Study(
    name=name,
    title=old.report.title,
    about=old.report.about,
    settings=old.settings,
    slices={key: _slice(name, key, analysis) for key, analysis in old.analyses.items()},
    claims=claims,
    check=old.check,
    build=old.build,
    bind=old.bind,
    cost=old.cost,
    run=old.run,
    numbers=None if numbers is None else lambda results: numbers(plain(results)),
    number_columns=old.number_columns,
    sections={
      key: (title, lambda tables, make=make: make(stored(classes, tables)))
      for key, (title, make) in old.report.sections.items()
    },
    sectioned=frozenset(old.analyses),
    summary=_summary(old.report, classes),
    **({"members": old.members} | study_lib.of_program(package)),
  )
  both = its.with_slices(moved)
  order = [*_order(package), *both.slices]
  return dataclasses.replace(both, slices={key: both.slices[key] for key in dict.fromkeys(order)})


def _summary(report: Report, classes: Mapping[str, type]) -> Callable | None:
  make = report.summary
  if make is None:
    return None
  return lambda tables, ledger: make(stored(classes, tables), ledger)


def _order(package: types.ModuleType) -> tuple[str, ...]:
  return getattr(package, "ORDER", ())


def _slice(study: str, name: str, analysis: Analysis) -> study_lib.Slice:
  return study_lib.Slice(
    name=name,
    about=analysis.about,
    measure=lambda run: to_dataset(analysis.run(run)),
    obstacle=analysis.obstacle,
    figures=functools.partial(_figures, study, name, analysis.result),
    tables=functools.partial(_tables, analysis.result),
    check=functools.partial(_check, analysis.result),
  )


def drawing(study: str, name: str) -> Callable[[Any], Any]:
  """Returns the function that draws a result of an analysis: `plots_<name>.figure`."""
  for room in (f"studies.{study}", "studies"):
    module = f"primelens.{room}.plots_{name}"
    if importlib.util.find_spec(module):
      return importlib.import_module(module).figure
  raise LookupError(f"no figure of {name!r} in {study!r}")


def _check(cls: type, found: xr.Dataset) -> None:
  """Raises `ValueError` for a stored result that is none of this class."""
  try:
    from_dataset(found, cls)
  except (TypeError, AttributeError, KeyError) as error:
    raise ValueError(f"it is no {cls.__module__.rpartition('.')[2]}: {error}") from error


def _figures(study: str, name: str, cls: type, runs: Mapping[str, xr.Dataset]) -> dict[str, Any]:
  draw = drawing(study, name)
  return {run: draw(from_dataset(found, cls)) for run, found in runs.items()}


def _tables(cls: type, runs: Mapping[str, xr.Dataset]) -> list:
  from primelens.lens import tables

  (found,) = runs.values()  # they say nothing of which run they are of
  records = found.attrs[RECORDS]
  return [
    tables.Table(field.replace("_", " "), rows, name="" if len(records) == 1 else field)
    for field, rows in records.items()
  ]


def _plain(classes: Mapping[str, type], results: claims_lib.Results) -> dict:
  """Returns `{run: {analysis: Result}}` of what claims are given now."""
  return {
    run: {
      name: from_dataset(found, classes[name]) for name, found in table.items() if name in classes
    }
    for run, table in results.items()
  }


def stored(classes: Mapping[str, type], tables: Mapping) -> dict[str, dict[str, Any]]:
  """Returns `{run: {analysis: Stored}}` with results of their own classes."""
  return {
    run: {
      name: dataclasses.replace(item, result=from_dataset(item.result, classes[name]))
      for name, item in table.items()
      if name in classes  # not those of the user's own
    }
    for run, table in tables.items()
  }


# --- results --------------------------------------------------------------------------------------


def axes(field: str) -> tuple[str, ...]:
  """Returns the axes a field's name ends in: `nll_SxR` has ("S", "R").

  Empty for a name without such an ending. A number is an axis of that length
  (`interval_Sx2`).
  """
  tokens = tuple(field.rpartition("_")[2].split("x"))
  known = all(token in AXES or token.isdigit() for token in tokens)
  return tokens if known and "_" in field else ()


def to_dataset(result: Any) -> xr.Dataset:
  """Returns a result with its arrays as variables, scalars and records as attributes.

  Raises `ValueError`, naming the field, if a name and its array disagree, axes of one letter
  differ in length, or a value is none of the kinds above.
  """
  fields = {
    field.name: _value(field.name, getattr(result, field.name))
    for field in dataclasses.fields(result)
  }
  arrays = {k: v for k, v in fields.items() if isinstance(v, np.ndarray)}
  records = {k: list(v) for k, v in fields.items() if isinstance(v, tuple)}
  scalars = {k: fields[k] for k in fields if k not in arrays and k not in records}
  _check_axes({k: v.shape for k, v in arrays.items()}, [*scalars, *records])
  variables = {name: xr.Variable(_dims(name), value) for name, value in arrays.items()}
  return xr.Dataset(variables, attrs={SCALARS: scalars, RECORDS: records})


def from_dataset(found: xr.Dataset, cls: type) -> Any:
  """Returns a stored result as a `cls`; raises `ValueError` where its fields are others."""
  scalars, records = found.attrs.get(SCALARS, {}), found.attrs.get(RECORDS, {})
  arrays = {str(name): each.values for name, each in found.data_vars.items()}
  _check_fields({*scalars, *records, *arrays}, cls)
  _check_axes({k: v.shape for k, v in arrays.items()}, [*scalars, *records])
  return cls(**scalars | {k: tuple(v) for k, v in records.items()} | arrays)


def _dims(field: str) -> tuple[str, ...]:
  """Returns a name for each axis; an axis that comes again has its number behind it."""
  tokens = ["of_" + token if token.isdigit() else token for token in axes(field)]
  counted = [tokens[:i].count(token) + 1 for i, token in enumerate(tokens)]
  return tuple(t if n == 1 else f"{t}_{n}" for t, n in zip(tokens, counted, strict=True))


def _value(field: str, value: Any) -> Any:
  """Returns the value as one of the kinds a result has."""
  if isinstance(value, (bool, int, float, str, type(None))):
    return value
  if isinstance(value, (tuple, list)):
    if all(isinstance(row, Mapping) for row in value):
      return tuple(dict(row) for row in value)
  elif hasattr(value, "__array__"):
    array = np.asarray(value)
    # NPZ knows no bfloat16 (nor any other kind "V").
    array = array.astype(np.float32) if array.dtype == "bfloat16" else array
    if array.dtype.kind in "biufcU":
      return array if array.ndim else array.item()
  raise ValueError(
    f"field {field!r} is a {type(value).__name__}; a result holds arrays,"
    " numbers, strings, bools, None and tuples of dicts."
  )


def _check_fields(found: set[str], cls: type) -> None:
  wanted = {field.name for field in dataclasses.fields(cls)}
  if found != wanted:
    raise ValueError(
      f"fields missing: {sorted(wanted - found) or 'none'}, fields unknown:"
      f" {sorted(found - wanted) or 'none'}"
    )


def _check_axes(shapes: Mapping[str, tuple], others) -> None:
  """Raises if names and shapes disagree, or two axes of one letter."""
  for field in others:
    if axes(field):
      raise ValueError(f"field {field!r} is named as an array but is none")
  seen: dict[str, tuple[int, str]] = {}
  for field, shape in shapes.items():
    tokens = axes(field)
    if not tokens or len(tokens) != len(shape):
      raise ValueError(
        f"array {field!r} has the shape {shape}; its name must end in one of"
        f" {', '.join(AXES)} or a number for each axis, as in nll_SxR"
      )
    for token, length in zip(tokens, shape, strict=True):
      fixed = (int(token), "its name") if token.isdigit() else (length, field)
      other, source = seen.setdefault(token, fixed)
      if other != length:
        raise ValueError(
          f"axis {token} has the length {length} in {field!r} and {other} in {source!r}"
        )


def write(directory, name: str, result: Any, *, provenance: Mapping[str, Any]):
  """Writes a result as the command lines do, and returns the path of its JSON."""
  found = to_dataset(result)
  tables = {
    f"{name}.{t.name}" if t.name else name: t.csv() for t in _tables(type(result), {"": found})
  }
  return results_lib.write(directory, name, found, provenance=provenance, tables=tables)


def read(directory, name: str, cls: type) -> tuple[Any, dict[str, Any]]:
  """Returns a stored result as a `cls`, and its provenance; raises as `results.read`."""
  found, provenance = results_lib.read(directory, name)
  try:
    return from_dataset(found, cls), provenance
  except (ValueError, TypeError, AttributeError) as error:
    raise ValueError(
      f"{directory}/{name}.json is not readable: {error}; run analyze.py --only={name}"
    ) from error


def presented(report: Report) -> Any:
  """Returns a report of results of their own classes, as `lens/report.py` shows a study."""
  return types.SimpleNamespace(
    title=report.title,
    about=report.about,
    sections=report.sections,
    summary=report.summary,
    slices={},
    asked=(),
    numbers=None,
  )
