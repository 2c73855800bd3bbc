"""The result schema: write, read, validate.

A result is a frozen dataclass of arrays named with their axes (`nll_SxR`),
scalars, and records (tuples of dicts). On disk `<name>.json` has the scalars,
the records, an index of the arrays, the provenance and the digests of itself and
of `<name>.npz`, which has the arrays. Every records field is a CSV table too.
"""

import csv
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from primelens.tasks import arrays as arrays_lib
from primelens.tasks import files

SCHEMA = 2  # 1 had no digest of the JSON
LOCK = ".lock"  # of the folder, held while the files of one result are written or read
WAIT_SECONDS = 30.0  # for another process to write or read its own
# Axes, outermost first; WORKSPACE.md has the glossary.
AXES = ("S", "C", "R", "L", "H", "Q", "N", "B", "T", "D", "Dh", "F", "K", "M", "V", "E", "P")
# What a spreadsheet runs, behind any quotes; also in the wide letters that some take for these.
_FORMULA = re.compile("'*[=+@\uff1d\uff0b\uff0d\uff20-]")
_NUMERAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# How JSON, which has no such numbers, stores them: {"nonfinite": "nan"}.
_NONFINITE = "nonfinite"

Result = TypeVar("Result")


def axes(field: str) -> tuple[str, ...]:
  """Returns the axes a field's name ends in: `nll_SxR` has ("S", "R").

  Empty for a name without such an ending. A number is an axis of that length
  (`interval_Sx2`).
  """
  tokens = tuple(field.rpartition("_")[2].split("x"))
  known = all(token in AXES or token.isdigit() for token in tokens)
  return tokens if known and "_" in field else ()


def write(
  directory: str | os.PathLike, name: str, result: Any, *, provenance: Mapping[str, Any]
) -> pathlib.Path:
  """Writes the result's files, each replaced at once, and returns the JSON's.

  The JSON comes last and holds the digest of the NPZ and its own, so that
  files of two different writes are never taken for one, and two processes
  write one after another. NaN and infinities are stored as
  `{"nonfinite": "nan"}` and read back as they were.

  Raises ValueError, naming the field, if a name and its array disagree, axes
  of one letter differ in length, or a value is none of the kinds above.
  """
  if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
    raise ValueError(f"{name!r} is no name for a result: use letters and _.")
  arrays, records, scalars = _sorted(result)
  # All is encoded before the first file is touched.
  packed = _pack(arrays)
  document = {
    "schema": SCHEMA,
    "analysis": name,
    "provenance": _encode(provenance, "provenance"),
    "scalars": {k: _encode(v, k) for k, v in scalars.items()},
    "records": {k: _encode(v, k) for k, v in records.items()},
    "arrays": {k: {"shape": list(v.shape), "dtype": str(v.dtype)} for k, v in arrays.items()},
    "npz_sha256": hashlib.sha256(packed).hexdigest(),
  }
  encoded = json.dumps(files.seal(document), indent=1, allow_nan=False).encode()
  tables = {
    name if len(records) == 1 else f"{name}.{field}": _table(rows).encode()
    for field, rows in records.items()
  }
  directory = pathlib.Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  with files.locked(directory / LOCK, wait=WAIT_SECONDS):
    files.sweep(directory)
    files.write(directory / f"{name}.npz", packed)
    for part, table in tables.items():
      files.write(directory / f"{part}.csv", table)
    return files.write(directory / f"{name}.json", encoded)


def write_figure(path: str | os.PathLike, content: bytes) -> pathlib.Path:
  """Returns the path of a figure, which is now whole, in a folder that is made for it."""
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  files.sweep(path.parent)
  return files.write(path, content)


def read(
  directory: str | os.PathLike, name: str, cls: Callable[..., Result]
) -> tuple[Result, dict[str, Any]]:
  """Returns the stored result as a `cls`, and its provenance.

  Raises FileNotFoundError if it was never written, and ValueError, in one line
  that says which file and what to run, if a file is damaged, belongs to
  another version, or its fields, shapes or axes are not those of `cls`.
  """
  path = pathlib.Path(directory) / f"{name}.json"
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
    document = json.loads(content, object_hook=_decode)
    arrays = _unpack(path.with_suffix(".npz"), packed, document)
    fields = document["scalars"] | document["records"] | arrays
    _check_fields(set(fields), cls)
    _check_axes({k: v.shape for k, v in arrays.items()}, list(fields.keys() - arrays))
    records = {k: tuple(v) for k, v in document["records"].items()}
    return cls(**fields | records), document["provenance"]
  except (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    RecursionError,
  ) as error:
    reason = " ".join(str(error).split()) or type(error).__name__
    raise ValueError(f"{path} is not readable: {reason}; {again}") from error


def _sorted(result):
  """Returns the result's arrays, records and scalars, checked, by name."""
  fields = {
    field.name: _plain(field.name, getattr(result, field.name))
    for field in dataclasses.fields(result)
  }
  arrays = {k: v for k, v in fields.items() if isinstance(v, np.ndarray)}
  records = {k: v for k, v in fields.items() if isinstance(v, tuple)}
  scalars = {k: fields[k] for k in fields if k not in arrays | records}
  _check_axes({k: v.shape for k, v in arrays.items()}, [*scalars, *records])
  return arrays, records, scalars


def _plain(field, value):
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


def _encode(value, field):
  """Returns the value as strict JSON."""
  if isinstance(value, Mapping):
    return {str(k): _encode(v, f"{field}/{k}") for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [_encode(item, field) for item in value]
  if hasattr(value, "__array__"):
    return _encode(np.asarray(value).tolist(), field)
  if isinstance(value, float) and not np.isfinite(value):
    return {_NONFINITE: str(value)}
  if isinstance(value, (bool, int, float, str, type(None))):
    return value
  raise ValueError(f"{field} holds a {type(value).__name__}, not plain JSON.")


def _decode(item):
  return float(item[_NONFINITE]) if item.keys() == {_NONFINITE} else item


def _check_schema(document):
  if not isinstance(document, dict):
    raise ValueError("it is no result")
  schema = document.get("schema")
  if schema != SCHEMA:
    raise ValueError(f"it has schema {schema}, this program reads {SCHEMA}")


def _check_fields(found, cls):
  wanted = {field.name for field in dataclasses.fields(cls)}
  if found != wanted:
    raise ValueError(
      f"fields missing: {sorted(wanted - found) or 'none'}, fields unknown:"
      f" {sorted(found - wanted) or 'none'}"
    )


def _check_axes(shapes, others):
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


def _pack(arrays):
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays)
  return buffer.getvalue()


def _unpack(path, packed, document):
  if hashlib.sha256(packed).hexdigest() != document["npz_sha256"]:
    raise ValueError(f"{path.name} is damaged or of another write")
  arrays = arrays_lib.unpack(io.BytesIO(packed))
  shapes = {field: list(array.shape) for field, array in arrays.items()}
  index = {k: v["shape"] for k, v in document["arrays"].items()}
  if shapes != index:
    raise ValueError(f"{path.name} has the arrays {shapes}, not {index}")
  return arrays


def _table(rows):
  """Returns the records as CSV; nested values as JSON, None empty."""
  columns = list(dict.fromkeys(key for row in rows for key in row))
  text = io.StringIO()
  writer = csv.DictWriter(text, columns, lineterminator="\n")
  if columns:
    writer.writerow({key: quoted(key) for key in columns})
  for row in rows:
    writer.writerow({key: _cell(value, key) for key, value in row.items()})
  return text.getvalue()


def _cell(value, key):
  if hasattr(value, "__array__"):
    value = np.asarray(value).tolist()
  if isinstance(value, (Mapping, list, tuple)):
    return json.dumps(_encode(value, key))
  return quoted(value) if isinstance(value, str) else value


def quoted(text: str) -> str:
  """Returns a text as a cell of CSV: a quote before what a spreadsheet would take for a formula.

  Control characters but for the end of a line are written out. `unquoted` undoes the quote.
  """
  plain = files.shown(text, keep="\n")
  return "'" + plain if _FORMULA.match(plain) and not _NUMERAL.fullmatch(plain) else plain


def unquoted(cell: str) -> str:
  """Returns the text of a cell that `quoted` made."""
  return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
