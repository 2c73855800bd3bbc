"""A stored result: an `xarray.Dataset` in memory, NPZ and JSON on disk, CSV to look at.

`<name>.json` has the dimensions, attributes, provenance, and the digests of itself and of
`<name>.npz`, which has the arrays. Every set of curves is a CSV table, too. A foreign result is
safe to read: there is no pickle, and no library of another format behind it.
"""

import csv
import dataclasses
import hashlib
import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from primelens.tasks import arrays as arrays_lib
from primelens.tasks import files

SCHEMA = 3  # 1 and 2 held dataclasses, whose arrays had no named dimensions
LOCK = ".lock"  # of the folder, held while the files of one result are written or read
WAIT_SECONDS = 30.0  # for another process to write or read its own
END = "end"  # the dimension of an interval: low, high
UNTRAINED = "untrained"  # the dimension of untrained networks, in the place of `seed`
ENDS = ("low", "high")
LONGEST_CURVE = 20_000  # rows of a CSV of curves; what is longer is no curve, and is in the NPZ
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
# What a spreadsheet runs, behind any quotes; also in the wide letters that some take for these.
_FORMULA = re.compile("'*[=+@\uff1d\uff0b\uff0d\uff20-]")
_NUMERAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# How JSON, which has no such numbers, stores them: {"nonfinite": "nan"}.
_NONFINITE = "nonfinite"
_DAMAGED = (
  OSError,
  ValueError,
  TypeError,
  KeyError,
  AttributeError,
  EOFError,
  zipfile.BadZipFile,
  zlib.error,
  RecursionError,
)


def variable(dims: str, value, meaning: str, unit: str = "") -> xr.Variable:
  """Returns an array with its dimensions ("seed ratio"), its meaning and its unit.

  >>> variable("seed", [0.5, 0.25], "NLL on test", "nats").attrs["long_name"]
  'NLL on test'
  """
  return xr.Variable(dims.split(), np.asarray(value), {"long_name": meaning, "units": unit})


def with_interval(
  name: str, dims: str, interval, meaning: str, unit: str = ""
) -> dict[str, xr.Variable]:
  """Returns two variables: the estimates `name`, and `name_interval` with a dimension `end`.

  `interval` has `estimate`, `low` and `high`, each of the dimensions `dims`.
  """
  ends = np.stack([np.asarray(interval.low), np.asarray(interval.high)], axis=-1)
  return {
    name: variable(dims, interval.estimate, meaning, unit),
    f"{name}_interval": variable(f"{dims} {END}", ends, f"{meaning}, 95 % interval", unit),
  }


def with_untrained(
  name: str, dims: str, trained, untrained, meaning: str, unit: str = ""
) -> dict[str, xr.Variable]:
  """Returns two variables: `name` of trained networks, and `untrained_<name>` of others.

  `dims` are those of the trained ones, a `seed` among them; untrained networks, which may be of
  another number, have `untrained` in its place.
  """
  null = dims.replace("seed", UNTRAINED)
  return {
    name: variable(dims, trained, meaning, unit),
    f"untrained_{name}": variable(null, untrained, f"{meaning}, untrained networks", unit),
  }


def rows(
  name: str, records: Iterable[Mapping[str, Any]], meanings: Mapping[str, str]
) -> dict[str, xr.Variable]:
  """Returns records as variables `<name>_<column>` along a dimension `<name>`.

  Of the columns that `meanings` explains, in that order: `{column: meaning}`, with the unit in
  brackets at its end. A number that is None is NaN, as is one that a record lacks. Columns `x`,
  `x_low` and `x_high` give a variable with its interval where `meanings` has `x` alone.
  """
  records = list(records)
  found: dict[str, xr.Variable] = {}
  for column, said in meanings.items():
    meaning, unit = _unit(said)
    values = [row.get(column) for row in records]
    found[f"{name}_{column}"] = variable(name, _column(values), meaning, unit)
    ends = [[row.get(f"{column}_{end}") for row in records] for end in ENDS]
    if f"{column}_low" not in meanings and any(x is not None for x in ends[0]):
      both = np.stack([_column(end) for end in ends], -1)
      words = f"{meaning}, 95 % interval"
      found[f"{name}_{column}_interval"] = variable(f"{name} {END}", both, words, unit)
  return found


def _unit(said: str) -> tuple[str, str]:
  match = re.fullmatch(r"(.*?) \[([^\]]*)\]", said)
  return (match[1], match[2]) if match else (said, "")


def _column(values: list) -> np.ndarray:
  known = [value for value in values if value is not None]
  if any(isinstance(value, str) for value in known):
    return np.array(["" if value is None else value for value in values], dtype=str)
  if len(known) < len(values) or not values:
    return np.array([np.nan if value is None else value for value in values], float)
  return np.array(values)


def dataset(
  variables: Mapping[str, xr.Variable], coords: Mapping[str, Any] | None = None, **attrs
) -> xr.Dataset:
  """Returns a result; the ends of intervals are named, and an attribute is no variable.

  Raises `ValueError` for a name that is both.
  """
  coords = dict(coords or {})
  if any(END in each.dims for each in variables.values()):
    coords[END] = list(ENDS)
  both = sorted(set(attrs) & (set(variables) | set(coords)))
  if both:
    raise ValueError(f"{both[0]!r} is an attribute and a variable.")
  return xr.Dataset(dict(variables), coords, attrs)


def label(array: xr.DataArray) -> str:
  """Returns the label of an axis or of a column: the meaning, with the unit in brackets.

  A meaning that names its unit stands alone, as "share of the variance" does.
  """
  meaning, unit = array.attrs.get("long_name", str(array.name)), array.attrs.get("units", "")
  named = re.search(rf"\b{re.escape(unit)}s?\b", meaning)
  return meaning if named or not unit else f"{meaning} ({unit})"


def across(runs: Mapping[str, xr.Dataset], *names: str) -> xr.Dataset:
  """Returns some variables of all runs, with their intervals, along a dimension `run`.

  NaN where a run has no value; runs may have different numbers of untrained networks. Names along a
  dimension stand as they first come, numbers in order. Raises `ValueError` for another dimension
  without labels, which a figure would number.
  """
  parts = []
  for found in runs.values():
    ends = [f"{name}_interval" for name in names if f"{name}_interval" in found]
    part = found[[*names, *ends]]
    if UNTRAINED in part.dims:
      part = part.assign_coords({UNTRAINED: np.arange(part.sizes[UNTRAINED])})
    bare = [name for name in part.dims if name not in part.coords]
    if bare:
      raise ValueError(f"{', '.join(map(str, bare))} of {', '.join(names)} has no labels.")
    parts.append(part)
  run = xr.Variable("run", list(runs))
  both = xr.concat(parts, run, join="outer", combine_attrs="override")  # sorts names that differ
  named = {dim for part in parts for dim in part.dims if part[dim].dtype.kind in "UO"}
  first = lambda dim: dict.fromkeys(
    x for part in parts if dim in part.dims for x in part[dim].values
  )
  return both.reindex({dim: list(first(dim)) for dim in named})


def write(
  directory: str | os.PathLike,
  name: str,
  result: xr.Dataset,
  *,
  provenance: Mapping[str, Any],
  tables: Mapping[str, str] | None = None,
) -> Path:
  """Writes the result's files, each replaced at once, and returns the JSON's.

  The JSON comes last and holds the digest of the NPZ and its own, so that files of two different
  writes are never taken for one, and two processes write one after another. `tables` are the
  contents of CSV files by name, beside those of the curves. Raises `ValueError`, naming the
  variable, for a value that is no number, text or truth.
  """
  if not _NAME.fullmatch(name):
    raise ValueError(f"{name!r} is no name for a result: use letters and _.")
  arrays = {str(key): _array(str(key), each) for key, each in result.variables.items()}
  packed = arrays_lib.pack(arrays)  # all is encoded before the first file is touched
  document = {
    "schema": SCHEMA,
    "analysis": name,
    "provenance": encoded(provenance, "provenance"),
    "attributes": encoded(result.attrs, "attributes"),
    "coordinates": sorted(map(str, result.coords)),
    "variables": {
      str(key): {
        "dimensions": list(each.dims),
        "shape": list(each.shape),
        "attributes": encoded(each.attrs, str(key)),
      }
      for key, each in result.variables.items()
    },
    "npz_sha256": hashlib.sha256(packed).hexdigest(),
  }
  text = json.dumps(files.seal(document), indent=1, allow_nan=False).encode()
  written = curves(name, result) | dict(tables or {})
  directory = Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  with files.locked(directory / LOCK, wait=WAIT_SECONDS):
    files.sweep(directory)
    files.write(directory / f"{name}.npz", packed)
    for part, content in written.items():
      files.write(directory / f"{part}.csv", content.encode())
    return files.write(directory / f"{name}.json", text)


def write_figure(path: str | os.PathLike, content: bytes) -> Path:
  """Returns the path of a figure, which is now whole, in a folder that is made for it."""
  path = Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  files.sweep(path.parent)
  return files.write(path, content)


def read(directory: str | os.PathLike, name: str) -> tuple[xr.Dataset, dict[str, Any]]:
  """Returns the stored result and its provenance.

  Raises `FileNotFoundError` if it was never written, and `ValueError`, in one line that says which
  file and what to run, if a file is damaged or belongs to another version.
  """
  path = Path(directory) / f"{name}.json"
  again = f"run analyze.py --only={name}"
  if not path.is_file():
    raise FileNotFoundError(f"{path} does not exist; {again}")
  try:
    with files.locked(path.with_name(LOCK), shared=True, wait=WAIT_SECONDS):
      content = files.read(path, limit=arrays_lib.LIMIT)
      packed = files.read(path.with_suffix(".npz"), limit=arrays_lib.LIMIT)
    stored = json.loads(content)
    _check_schema(stored)
    files.unseal(stored)
    document = json.loads(content, object_hook=decoded)
    return _assembled(path.with_suffix(".npz"), packed, document), document["provenance"]
  except _DAMAGED as error:
    reason = " ".join(str(error).split()) or type(error).__name__
    raise ValueError(f"{path} is not readable: {reason}; {again}") from error


def _check_schema(document) -> None:
  if not isinstance(document, dict):
    raise ValueError("it is no result")
  schema = document.get("schema")
  if schema in (1, 2):
    raise ValueError(f"it is of an earlier revision (schema {schema})")
  if schema != SCHEMA:
    raise ValueError(f"it has schema {schema}, this program reads {SCHEMA}")


def _assembled(path: Path, packed: bytes, document: dict) -> xr.Dataset:
  """Returns the Dataset that a document and the arrays of its NPZ make."""
  if hashlib.sha256(packed).hexdigest() != document["npz_sha256"]:
    raise ValueError(f"{path.name} is damaged or of another write")
  arrays, index = arrays_lib.unpack(io.BytesIO(packed)), document["variables"]
  shapes = {key: list(array.shape) for key, array in arrays.items()}
  wanted = {key: each["shape"] for key, each in index.items()}
  if shapes != wanted:
    raise ValueError(f"{path.name} has the arrays {shapes}, not {wanted}")
  variables = {
    key: xr.Variable(each["dimensions"], arrays[key], each["attributes"])
    for key, each in index.items()
  }
  coords = {key: variables.pop(key) for key in document["coordinates"]}
  return xr.Dataset(variables, coords, document["attributes"])


def _array(name: str, value: xr.Variable) -> np.ndarray:
  """Returns a variable's values as an array that an NPZ holds."""
  array = np.asarray(value.values)
  if array.dtype == "bfloat16":  # NPZ knows no bfloat16 (nor any other kind "V")
    array = array.astype(np.float32)
  if array.dtype.kind in "OT" and all(isinstance(item, str) for item in array.flat):
    array = array.astype(str)
  if array.dtype.kind not in "biufcU":
    raise ValueError(f"variable {name!r} holds {array.dtype}; a result has numbers, truths, text.")
  return array


def encoded(value: Any, where: str) -> Any:
  """Returns a value as strict JSON; raises `ValueError` for what JSON does not hold."""
  if isinstance(value, Mapping):
    return {str(k): encoded(v, f"{where}/{k}") for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [encoded(item, where) for item in value]
  if hasattr(value, "__array__"):
    return encoded(np.asarray(value).tolist(), where)
  if isinstance(value, float) and not np.isfinite(value):
    return {_NONFINITE: str(value)}
  if isinstance(value, (bool, int, float, str, type(None))):
    return value
  raise ValueError(f"{where} holds a {type(value).__name__}, not plain JSON.")


def decoded(item: dict) -> Any:
  """Returns an object of JSON as it was before `encoded`."""
  return float(item[_NONFINITE]) if item.keys() == {_NONFINITE} else item


# --- CSV ------------------------------------------------------------------------------------------


def curves(name: str, result: xr.Dataset) -> dict[str, str]:
  """Returns a CSV for each set of dimensions: its coordinates, then all variables that have them.

  The ends of an interval are columns (`nll_low`, `nll_high`). What has more than 20,000 rows is
  left to the NPZ.
  """
  groups: dict[tuple[str, ...], list[str]] = {}
  for key, each in result.data_vars.items():
    dims = tuple(str(dim) for dim in each.dims if dim != END)
    rows = int(np.prod([result.sizes[dim] for dim in dims], dtype=np.int64))
    if dims and 0 < rows <= LONGEST_CURVE:
      groups.setdefault(dims, []).append(str(key))
  return {
    f"{name}.{'.'.join(dims)}": table(_rows(result, dims, names)) for dims, names in groups.items()
  }


def _rows(result: xr.Dataset, dims: tuple[str, ...], names: Iterable[str]) -> list[dict]:
  columns: dict[str, list] = {}
  places = np.indices([result.sizes[dim] for dim in dims]).reshape(len(dims), -1)
  for dim, at in zip(dims, places, strict=True):
    columns[dim] = result[dim].values[at].tolist()
  for name in names:
    each = result[name]
    if END not in each.dims:
      columns[name] = each.transpose(*dims).values.ravel().tolist()
      continue
    for i, end in enumerate(ENDS):
      column = f"{name.removesuffix('_interval')}_{end}"
      columns[column] = each.isel({END: i}).transpose(*dims).values.ravel().tolist()
  return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def table(rows: Iterable[Mapping]) -> str:
  """Returns records as CSV; nested values as JSON, None empty."""
  rows = list(rows)
  columns = list(dict.fromkeys(key for row in rows for key in row))
  text = io.StringIO()
  writer = csv.DictWriter(text, columns, lineterminator="\n")
  if columns:
    writer.writerow({key: quoted(key) for key in columns})
  for row in rows:
    writer.writerow({key: _cell(value, key) for key, value in row.items()})
  return text.getvalue()


def _cell(value, key: str):
  if hasattr(value, "__array__"):
    value = np.asarray(value).tolist()
  if isinstance(value, (Mapping, list, tuple)):
    return json.dumps(encoded(value, key))
  return quoted(value) if isinstance(value, str) else value


def quoted(text: str) -> str:
  """Returns a text as a cell of CSV: a quote before what a spreadsheet would take for a formula.

  Control characters but for the end of a line are written out.
  """
  plain = files.shown(text, keep="\n")
  return "'" + plain if _FORMULA.match(plain) and not _NUMERAL.fullmatch(plain) else plain


# --- the results of a run, by name ----------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Stored:
  """A result as it lies in a run directory.

  `stale` where its checkpoint or its code is not the run's latest.
  """

  result: Any
  provenance: Mapping[str, Any]
  stale: bool
  figure_path: Path


class Folder(Mapping[str, xr.Dataset]):
  """The stored results of one directory, read when asked for: `results["masking"]`."""

  def __init__(self, directory: str | os.PathLike):
    self._directory = Path(directory)

  def __getitem__(self, name: str) -> xr.Dataset:
    try:
      return read(self._directory, name)[0]
    except FileNotFoundError as error:
      raise KeyError(f"{name!r}; stored here: {', '.join(self) or 'none'}") from error

  def __iter__(self) -> Iterator[str]:
    return iter(sorted(path.stem for path in self._directory.glob("*.json")))

  def __len__(self) -> int:
    return sum(1 for _ in self)
