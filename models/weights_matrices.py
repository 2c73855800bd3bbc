"""The matrices of published weights, one in memory at a time."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from primelens.models import weights
from primelens.models import weights_names as names
from primelens.tasks import files, patterns

_DTYPES = {
  "F64": np.dtype(np.float64),
  "F32": np.dtype(np.float32),
  "F16": np.dtype(np.float16),
  "BF16": jnp.dtype(jnp.bfloat16),
}
_CHUNK = 1 << 22  # entries read at once
CORNER = 256  # rows and columns of the published crop


@dataclasses.dataclass(frozen=True)
class Part:
  """A matrix to read: a tensor, or query, key or value of a fused one."""

  name: str
  role: str
  layer: int | None
  tensor: weights.Tensor
  fused: names.Fused | None = None
  heads: int | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
  """The matrices in order; how many tensors are none, by reason; what fused
  ones are split by, or why not."""

  parts: tuple[Part, ...]
  skipped: dict[str, int]
  rules: tuple[str, ...]

  @property
  def left_out(self) -> str:
    """What is no matrix, in words."""
    return ", ".join(f"{n} {reason}" for reason, n in self.skipped.items())


def plan(source: weights.Source, pattern: str = "") -> Plan:
  """Returns the matrices whose names a regular expression is found in.

  Raises `ValueError` for an expression that is none or takes too long, or if nothing is left.
  """
  wanted = patterns.matched(pattern, [tensor.name for tensor in source.tensors], anywhere=True)
  parts: list[Part] = []
  skipped: dict[str, int] = {}
  rules: dict[str, None] = {}  # a set in order
  for tensor, hit in zip(source.tensors, wanted, strict=True):
    reason = _no_matrix(tensor)
    if not reason and not hit:
      reason = "not matched"
    if reason:
      skipped[reason] = skipped.get(reason, 0) + 1
      continue
    its, rule = _parts(tensor, source.heads)
    parts += its
    rules |= {rule: None} if rule else {}
  found = Plan(tuple(parts), skipped, tuple(rules))
  if not parts:
    some = ", ".join(tensor.name for tensor in source.tensors[:3])
    raise ValueError(f"No matrix: {found.left_out}. Names are like {some}.")
  return found


def _no_matrix(tensor: weights.Tensor) -> str:
  """Returns why a tensor has no spectrum here, or ""."""
  if len(tensor.shape) > 2:
    return "of more than two axes"
  if len(tensor.shape) < 2 or min(tensor.shape) < 2:
    return "vectors"
  if tensor.dtype not in _DTYPES:
    return f"of the type {tensor.dtype}"
  return ""


def _parts(tensor: weights.Tensor, heads: int | None) -> tuple[list[Part], str]:
  """Returns the matrices of a tensor and the rule of splitting, or ""."""
  its = names.fused(tensor.name)
  number = names.layer(tensor.name)
  whole = Part(tensor.name, names.role(tensor.name), number, tensor)
  if its is None:
    return [whole], ""
  problem = names.obstacle(its, tensor.shape, heads)
  if problem:
    return [whole], f"{its.ending} is not split: {problem}"
  parts = [
    Part(f"{tensor.name}[{role}]", role, number, tensor, its, heads) for role in names.FUSED_ROLES
  ]
  return parts, its.rule


def read(part: Part) -> np.ndarray:
  """Returns the matrix: float64 where it is stored so, float32 otherwise.

  Raises `ValueError` in one line for a broken file or a number that is not
  finite.
  """
  matrix = _load(part.tensor, part.tensor.shape[0])
  if part.fused is not None:
    number = names.FUSED_ROLES.index(part.role)
    # A copy, so that the whole is let go.
    matrix = np.array(names.split(matrix, part.fused, number, part.heads))
  # NaN goes through both; no array of the matrix's size is made.
  if not (math.isfinite(matrix.min()) and math.isfinite(matrix.max())):
    raise ValueError(f"{part.name} in {part.tensor.path.name} has entries that are not finite.")
  return matrix


def _load(tensor: weights.Tensor, rows: int) -> np.ndarray:
  """Returns the first rows of a tensor in single precision or better."""
  kind, columns = _DTYPES[tensor.dtype], tensor.shape[1]
  wide = np.float64 if tensor.dtype == "F64" else np.float32
  matrix = np.empty(rows * columns, wide)
  with files.open_regular(tensor.path) as file:
    file.seek(tensor.start)
    for first in range(0, matrix.size, _CHUNK):  # half precision is widened
      count = min(_CHUNK, matrix.size - first)
      stored = np.fromfile(file, kind, count)
      if stored.size < count:
        raise ValueError(f"{tensor.path} ends before its header says.")
      matrix[first : first + count] = stored
  return matrix.reshape(rows, columns)


def corner_as_published(source: weights.Source) -> tuple[str, np.ndarray] | None:
  """Returns the name and the 256 x 256 corner that the source measures.

  The first of its patterns that any name contains decides; of these tensors
  the matrices with 256 rows and columns or more are kept, in the plain
  (lexicographic) order of names that the library lists them in, cast to
  float32 and stacked by rows. The first 256 rows are therefore all of the
  first matrix. None where no name or no matrix fits (spec 4.3).
  """
  large = [tensor for tensor in _of_pattern(source) if min(tensor.shape) >= CORNER]
  if not large:
    return None
  first = min(large, key=lambda tensor: tensor.name)
  rows = _load(first, CORNER).astype(np.float32)
  return first.name, rows[:, :CORNER]


def _of_pattern(source: weights.Source) -> list[weights.Tensor]:
  """Returns the matrices whose names have the first published pattern that any name has."""
  for pattern in names.PUBLISHED_PATTERNS:
    matched = [tensor for tensor in source.tensors if pattern in tensor.name]
    if matched:
      return [tensor for tensor in matched if not _no_matrix(tensor)]
  return []


def why_no_corner(source: weights.Source) -> str:
  """Returns in words why weights have no corner as published: their names, or their size."""
  matrices = _of_pattern(source)
  if not matrices:
    patterns = ", ".join(names.PUBLISHED_PATTERNS)
    return f"no matrix has a name with the source's pattern (the first in use of {patterns})"
  largest = max(matrices, key=lambda tensor: min(tensor.shape))
  rows, columns = largest.shape
  return (
    f"the corner takes {CORNER} rows and columns, and the largest matrix with the source's "
    f"pattern, {largest.name}, is {rows} x {columns}"
  )
