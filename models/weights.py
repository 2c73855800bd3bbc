"""Published weights: files, hub, sha256, names, matrices one at a time.

A file, a folder, an index of shards, or a Hugging Face id. Only headers are
held in memory; `weights_matrices` reads one tensor at a time. The files may be
from elsewhere: what they name must lie in their folder.
"""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import safetensors
from primelens.tasks import files, patterns
from primelens.tasks import files as files_lib

# --- what names say -------------------------------------------------------------------------------


# How a name ends, without ".weight"; the first that fits decides.
ROLES = (
  # Llama, Mistral, Qwen, OLMo, Gemma, OPT, BART
  ("q_proj", "query"),
  ("k_proj", "key"),
  ("v_proj", "value"),
  ("o_proj", "out"),
  ("out_proj", "out"),
  ("gate_proj", "gate"),
  ("up_proj", "up"),
  ("down_proj", "down"),
  ("fc1", "up"),
  ("fc2", "down"),
  ("embed_tokens", "embedding"),
  ("embed_positions", "embedding"),
  ("lm_head", "readout"),
  # GPT-2
  ("attn.c_proj", "out"),
  ("mlp.c_fc", "up"),
  ("mlp.c_proj", "down"),
  ("wte", "embedding"),
  ("wpe", "embedding"),
  # GPT-NeoX (Pythia) and BLOOM
  ("dense_h_to_4h", "up"),
  ("dense_4h_to_h", "down"),
  ("attention.dense", "out"),
  ("embed_in", "embedding"),
  ("embed_out", "readout"),
  ("word_embeddings", "embedding"),
  # BERT
  ("query", "query"),
  ("key", "key"),
  ("value", "value"),
  ("attention.output.dense", "out"),
  ("intermediate.dense", "up"),
  ("output.dense", "down"),
  ("position_embeddings", "embedding"),
  ("token_type_embeddings", "embedding"),
  # T5
  ("Attention.q", "query"),
  ("Attention.k", "key"),
  ("Attention.v", "value"),
  ("Attention.o", "out"),
  ("Dense.wi", "up"),
  ("Dense.wi_0", "gate"),
  ("Dense.wi_1", "up"),
  ("Dense.wo", "down"),
  ("shared", "embedding"),
  # PyTorch's encoder layer
  ("linear1", "up"),
  ("linear2", "down"),
)
FUSED_ROLES = ("query", "key", "value")
# Patterns of the source (docs/sources/primes.md, section 4.3), in its order.
PUBLISHED_PATTERNS = ("q_proj", "c_attn", "query_key_value")
_LAYER = re.compile(r"(?:^|[./])(?:layers?|h|(?:res)?blocks?)[./]([0-9]{1,9})(?=[./])")


class Fused(NamedTuple):
  """How query, key and value lie in one matrix.

  `layout` is "columns" or "rows" (thirds), or "heads" (rows, for each head
  its query, key and value); `rule` says so in words.
  """

  ending: str
  layout: str
  rule: str


FUSED = (
  Fused("c_attn", "columns", "c_attn (GPT-2, in x 3 out): the columns are [query | key | value]"),
  Fused(
    "query_key_value",
    "heads",
    "query_key_value (GPT-NeoX, BLOOM): the rows of each head are its [query,"
    " key, value], each of the head's width",
  ),
  Fused("in_proj_weight", "rows", "in_proj_weight (PyTorch): the rows are [query | key | value]"),
)


def _ends(name: str, ending: str) -> bool:
  """Whether a name ends in these whole words, ".weight" aside."""
  name = name.removesuffix(".weight")
  before = name[: -len(ending)][-1:]
  # "self_attention.dense" and "SelfAttention.q" end in words, "swo" not.
  inside = before.isalnum() and not ending[0].isupper()
  return name.endswith(ending) and not inside


def role(name: str) -> str:
  """Returns what a tensor does, by its name; "other" where no rule fits.

  "query+key+value" is a fused projection as a whole.
  """
  if fused(name):
    return "+".join(FUSED_ROLES)
  return next((its for end, its in ROLES if _ends(name, end)), "other")


def layer(name: str) -> int | None:
  """Returns the number after the first "layers", "h" or "blocks", or None."""
  found = _LAYER.search(name)
  return int(found[1]) if found else None


def fused(name: str) -> Fused | None:
  """Returns the rule of a fused projection, or None for any other name."""
  return next((one for one in FUSED if _ends(name, one.ending)), None)


def name_obstacle(its: Fused, shape: tuple[int, ...], heads: int | None) -> str:
  """Returns why a fused matrix cannot be split by its rule, or ""."""
  rows, columns = shape
  if its.layout == "columns" and columns != 3 * rows:
    return f"it is {rows} x {columns}, not in x 3 in"
  if its.layout != "columns" and rows != 3 * columns:
    return f"it is {rows} x {columns}, not 3 in x in"
  if its.layout == "heads":
    if not heads:
      return "no config.json beside the weights says how many heads there are"
    if rows % (3 * heads):
      return f"{rows} rows are not 3 x {heads} heads"
  return ""


def split_fused(whole, its: Fused, part: int, heads: int | None):
  """Returns query, key or value (part 0, 1, 2) of a fused matrix."""
  rows, columns = whole.shape
  if its.layout == "columns":
    each = columns // 3
    return whole[:, part * each : (part + 1) * each]
  if its.layout == "rows":
    each = rows // 3
    return whole[part * each : (part + 1) * each]
  whole_Hx3xDhxD = whole.reshape(heads, 3, -1, columns)
  return whole_Hx3xDhxD[:, part].reshape(-1, columns)


def natural_order(name: str) -> list:
  """Returns the sorting key by which layer 2 comes before layer 10."""
  parts = re.split(r"([0-9]+)", name)  # every second one is digits
  value = lambda digits: (len(digits.lstrip("0")), digits.lstrip("0"), digits)
  return [value(p) if i % 2 else p for i, p in enumerate(parts)]


# --- Hugging Face ids -----------------------------------------------------------------------------


_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
# A repository has other copies (pickles, ONNX, subfolders); none is fetched.
WANTED = ("model*.safetensors", "model.safetensors.index.json", "config.json")


def is_hub_id(name: str) -> bool:
  """Whether a name has the form `owner/name[@revision]`."""
  return bool(_ID.fullmatch(name))


def fetch_hub(name: str, say: Callable[[str], None]) -> Path:
  """Returns the local folder of a model `owner/name[@revision]`.

  Its size is said before anything is fetched. Without the network, the local
  cache serves. The folder is named after the commit.

  Raises `ValueError` where huggingface-hub is missing, or the model can be had
  neither there nor here.
  """
  try:
    import huggingface_hub  # optional: the extra `lm`
  except ImportError as error:
    raise ValueError(
      f"{name!r} is no file here, and models of Hugging Face need"
      " huggingface-hub: pip install 'primelens[lm]'"
    ) from error
  repository, _, revision = name.partition("@")

  def snapshot(**how):
    return huggingface_hub.snapshot_download(
      repository,
      revision=revision or None,
      allow_patterns=list(WANTED),
      ignore_patterns=["*/*"],
      **how,
    )

  try:
    files = snapshot(dry_run=True)
    to_come = [file for file in files if file.will_download]
    size = sum(file.file_size for file in to_come) / 1e6
    say(f"{name}: {len(to_come)} files to fetch, {size:,.1f} MB")
    return Path(snapshot())
  except Exception as error:  # of the hub, the network or the disk
    reason = error
  try:
    folder = Path(snapshot(local_files_only=True))
  except Exception as error:
    said = str(reason).splitlines()[0]
    raise ValueError(
      f"{name!r} is no file here, cannot be fetched ({said}) and is not in the local cache."
    ) from error
  say(f"{name}: from the local cache")
  return folder


# --- files and their tensors ----------------------------------------------------------------------


PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
INDEX = ".safetensors.index.json"
_LONGEST_JSON = 100_000_000  # bytes of an index or a config.json, as of a header
_CHUNK = 8_000_000


@dataclasses.dataclass(frozen=True)
class Tensor:
  """Where a tensor lies: `start` is its first byte in the file."""

  name: str
  dtype: str
  shape: tuple[int, ...]
  path: Path
  start: int
  bytes: int


@dataclasses.dataclass(frozen=True)
class Source:
  """Files of a folder and what their headers say; tensors by name, layer 2 before 10."""

  folder: Path
  files: tuple[Path, ...]
  tensors: tuple[Tensor, ...]
  heads: int | None  # of config.json
  commit: str  # of a Hugging Face model, else empty

  @property
  def bytes(self) -> int:
    """All files together."""
    return sum(path.stat().st_size for path in self.files)

  def name(self, path: Path) -> str:
    """Returns the name of a file within the folder; two shards may differ by theirs alone."""
    return path.relative_to(self.folder).as_posix()


def find(name: str, say: Callable[[str], None] = lambda text: None) -> Source:
  """Returns the weights at a path or of a Hugging Face id, headers read.

  `say` is told what is to be fetched. Raises `ValueError` or
  `FileNotFoundError` in one line: nothing there, a pickle, a broken file.
  """
  path, commit = Path(name), ""
  if not path.exists() and is_hub_id(name):
    path = fetch_hub(name, say)
    commit = path.name
  if not path.exists():
    raise FileNotFoundError(
      f"No weights at {name}; a .safetensors file, a folder of them, or a"
      " Hugging Face id owner/name[@revision]."
    )
  folder, files, placed = _files(path, say)
  tensors = [tensor for file in files for tensor in _tensors(file)]
  _check_unique(tensors)
  _check_placed({tensor.name: tensor.path for tensor in tensors}, placed)
  tensors.sort(key=lambda tensor: natural_order(tensor.name))
  return Source(folder, tuple(files), tuple(tensors), _heads(folder), commit)


def _files(path: Path, say: Callable[[str], None]) -> tuple[Path, list[Path], dict[str, Path]]:
  """Returns the folder, its files, in order, and where an index places each tensor."""
  if path.is_dir():
    path = _of_folder(path, say)
  folder = path.parent
  if path.name.endswith(INDEX):
    placed = _index(path)
    return folder, sorted(set(placed.values()), key=_natural), placed
  if path.suffix in PICKLES:
    raise ValueError(_pickle(path))
  if path.suffix != ".safetensors":
    raise ValueError(f"{path} is neither .safetensors nor an index of shards.")
  return folder, [path], {}


def _natural(path: Path) -> list:
  return natural_order(path.as_posix())


def _pickle(path: Path) -> str:
  return (
    f"{path} is a pickle, which may run any code when it is opened: only .safetensors are read."
  )


def _of_folder(folder: Path, say: Callable[[str], None]) -> Path:
  """Returns the one file, or the index, of a folder; others that might be meant are said."""
  # Systems leave files such as ._model.safetensors, which are no weights.
  seen = sorted((path for path in folder.iterdir() if path.name[0] != "."), key=_natural)
  indices = [path for path in seen if path.name.endswith(INDEX)]
  files = [path for path in seen if path.name.endswith(".safetensors")]
  for found in (indices, files):
    usual = [file for file in found if file.name in ("model.safetensors", "model" + INDEX)]
    if len(found) == 1 or usual:
      chosen = (usual or found)[0]
      _say_others(chosen, indices + files, say)
      return _inside(folder, chosen.name)
    if found:
      said = ", ".join(file.name for file in found[:6])
      raise ValueError(f"{folder} has several weights; name one of {said}.")
  pickles = [f for f in seen if f.suffix in PICKLES]
  if pickles:
    raise ValueError(_pickle(pickles[0]))
  raise ValueError(f"{folder} has no .safetensors file.")


def _say_others(chosen: Path, found: list[Path], say: Callable[[str], None]) -> None:
  """Says what is read where a folder has several, as of one model in several precisions."""
  parts = set(_index(chosen).values()) if chosen.name.endswith(INDEX) else set()
  others = [path.name for path in found if path != chosen and path not in parts]
  if others:
    more = ", ..." if len(others) > 6 else ""
    said = ", ".join(others[:6]) + more
    say(f"{chosen} is read, and not {said} beside it: name the one that you mean.")


def _inside(folder: Path, name: str) -> Path:
  """Returns the path of a file in a folder; raises `ValueError` where it lies outside.

  In the cache of Hugging Face a folder's files are links into another one of the same model.
  """
  model = folder.absolute().parent.parent
  if folder.absolute().parent.name == "snapshots" and model.name.startswith("models--"):
    path = folder / name
    if ".." not in Path(name).parts and files_lib.inside(model, path):
      return path
  return files_lib.within(folder, name)


def _index(path: Path) -> dict[str, Path]:
  try:
    of_name = files_lib.read_json(path, limit=_LONGEST_JSON)["weight_map"].items()
    if not all(isinstance(file, str) for _, file in of_name):
      raise TypeError
  except (KeyError, TypeError, AttributeError) as error:
    raise ValueError(f"{path} is not a readable index of shards: no map of names.") from error
  if not of_name:
    raise ValueError(f"{path} names no tensor.")
  placed = {}
  for name, file in of_name:
    if not file.endswith(".safetensors"):
      raise ValueError(f"{path} names {files_lib.shown(file)!r}, which is no .safetensors file.")
    placed[name] = _inside(path.parent, file)
  missing = sorted(file for file in set(placed.values()) if not file.is_file())
  if missing:
    raise ValueError(f"{path} names {missing[0].name}, which is not there.")
  return placed


def _tensors(path: Path) -> Iterator[Tensor]:
  """Yields what the header of a file says, which the library has checked."""
  files_lib.refuse_pointer(path)
  try:
    with safetensors.safe_open(path, framework="numpy"):
      pass  # all of the header, and that the file is as long as it says
  except Exception as error:  # the library's own error type is not exported
    said = str(error).splitlines()[0]
    raise ValueError(f"{path} is damaged or no safetensors: {said}") from error
  with files_lib.open_regular(path) as file:
    length = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(length))
  header.pop("__metadata__", None)
  if not header:
    raise ValueError(f"{path} holds no tensor.")
  for name, entry in header.items():
    first, last = entry["data_offsets"]
    start = 8 + length + first
    shape = tuple(entry["shape"])
    yield Tensor(name, entry["dtype"], shape, path, start, last - first)


def _check_unique(tensors: list[Tensor]) -> None:
  seen: dict[str, Path] = {}
  for tensor in tensors:
    other = seen.setdefault(tensor.name, tensor.path)
    if other != tensor.path:
      raise ValueError(f"{tensor.name!r} is in both {other} and {tensor.path}.")


def _check_placed(found: dict[str, Path], placed: dict[str, Path]) -> None:
  for name, path in placed.items():
    if found.get(name) != path:
      raise ValueError(f"The index places {name!r} in {path}, which does not have it.")


def _heads(folder: Path) -> int | None:
  """Returns the number of heads by the config.json beside the weights, or None."""
  if not (folder / "config.json").exists():
    return None
  path = _inside(folder, "config.json")
  config = files_lib.read_json(path, limit=_LONGEST_JSON)
  if not isinstance(config, dict):
    raise ValueError(f"{path} is not a JSON object.")
  heads = config.get("num_attention_heads", config.get("n_head"))
  return heads if type(heads) is int and heads > 0 else None


def digests(
  source: Source, advance: Callable[[int], None] = lambda count: None
) -> tuple[dict[str, str], dict[str, str]]:
  """Returns the sha256 of every file, by its name in the folder, and of every tensor.

  Each file is read once, in chunks; `advance` is told how many bytes.
  """
  of_file, of_tensor = {}, {}
  for path in source.files:
    inside = [tensor for tensor in source.tensors if tensor.path == path]
    inside.sort(key=lambda tensor: tensor.start)
    whole = hashlib.sha256()
    with files_lib.open_regular(path) as file:
      whole.update(file.read(inside[0].start))
      advance(inside[0].start)
      for tensor in inside:  # they cover the rest of the file, without holes
        own = hashlib.sha256()
        for chunk in _chunks(file, tensor.bytes):
          whole.update(chunk)
          own.update(chunk)
          advance(len(chunk))
        of_tensor[tensor.name] = own.hexdigest()
    of_file[source.name(path)] = whole.hexdigest()
  return of_file, of_tensor


def _chunks(file, left: int) -> Iterator[bytes]:
  while left:
    chunk = file.read(min(left, _CHUNK))
    if not chunk:
      raise ValueError(f"{file.name} ends before its header says.")
    left -= len(chunk)
    yield chunk


def duplicates(source: Source, of_tensor: dict[str, str]) -> list[list[str]]:
  """Returns the names of matrices whose shape, type and bytes are the same."""
  groups: dict[tuple, list[str]] = {}
  for tensor in source.tensors:
    if len(tensor.shape) > 1:  # many norms are all ones
      key = (tensor.dtype, tensor.shape, of_tensor[tensor.name])
      groups.setdefault(key, []).append(tensor.name)
  return [group for group in groups.values() if len(group) > 1]


# --- matrices, one at a time ----------------------------------------------------------------------


_DTYPES = {
  "F64": np.dtype(np.float64),
  "F32": np.dtype(np.float32),
  "F16": np.dtype(np.float16),
  "BF16": jnp.dtype(jnp.bfloat16),
}
_READ_CHUNK = 1 << 22  # entries read at once
CORNER = 256  # rows and columns of the published crop


@dataclasses.dataclass(frozen=True)
class Part:
  """A matrix to read: a tensor, or query, key or value of a fused one."""

  name: str
  role: str
  layer: int | None
  tensor: Tensor
  fused: Fused | None = None
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


def plan(source: Source, pattern: str = "") -> Plan:
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


def _no_matrix(tensor: Tensor) -> str:
  """Returns why a tensor has no spectrum here, or ""."""
  if len(tensor.shape) > 2:
    return "of more than two axes"
  if len(tensor.shape) < 2 or min(tensor.shape) < 2:
    return "vectors"
  if tensor.dtype not in _DTYPES:
    return f"of the type {tensor.dtype}"
  return ""


def _parts(tensor: Tensor, heads: int | None) -> tuple[list[Part], str]:
  """Returns the matrices of a tensor and the rule of splitting, or ""."""
  its = fused(tensor.name)
  number = layer(tensor.name)
  whole = Part(tensor.name, role(tensor.name), number, tensor)
  if its is None:
    return [whole], ""
  problem = name_obstacle(its, tensor.shape, heads)
  if problem:
    return [whole], f"{its.ending} is not split: {problem}"
  parts = [Part(f"{tensor.name}[{role}]", role, number, tensor, its, heads) for role in FUSED_ROLES]
  return parts, its.rule


def read_matrix(part: Part) -> np.ndarray:
  """Returns the matrix: float64 where it is stored so, float32 otherwise.

  Raises `ValueError` in one line for a broken file or a number that is not
  finite.
  """
  matrix = _load(part.tensor, part.tensor.shape[0])
  if part.fused is not None:
    number = FUSED_ROLES.index(part.role)
    # A copy, so that the whole is let go.
    matrix = np.array(split_fused(matrix, part.fused, number, part.heads))
  # NaN goes through both; no array of the matrix's size is made.
  if not (math.isfinite(matrix.min()) and math.isfinite(matrix.max())):
    raise ValueError(f"{part.name} in {part.tensor.path.name} has entries that are not finite.")
  return matrix


def _load(tensor: Tensor, rows: int) -> np.ndarray:
  """Returns the first rows of a tensor in single precision or better."""
  kind, columns = _DTYPES[tensor.dtype], tensor.shape[1]
  wide = np.float64 if tensor.dtype == "F64" else np.float32
  matrix = np.empty(rows * columns, wide)
  with files.open_regular(tensor.path) as file:
    file.seek(tensor.start)
    for first in range(0, matrix.size, _READ_CHUNK):  # half precision is widened
      count = min(_READ_CHUNK, matrix.size - first)
      stored = np.fromfile(file, kind, count)
      if stored.size < count:
        raise ValueError(f"{tensor.path} ends before its header says.")
      matrix[first : first + count] = stored
  return matrix.reshape(rows, columns)


def corner_as_published(source: Source) -> tuple[str, np.ndarray] | None:
  """Returns the name and the 256 x 256 corner that the source measures.

  The first of its patterns that any name contains decides; of these tensors
  the matrices with 256 rows and columns or more are kept, in the plain
  (lexicographic) order of names that the library lists them in, cast to
  float32 and stacked by rows. The first 256 rows are therefore all of the
  first matrix. None where no name or no matrix fits (docs/sources/primes.md, section 4.3).
  """
  large = [tensor for tensor in _of_pattern(source) if min(tensor.shape) >= CORNER]
  if not large:
    return None
  first = min(large, key=lambda tensor: tensor.name)
  rows = _load(first, CORNER).astype(np.float32)
  return first.name, rows[:, :CORNER]


def _of_pattern(source: Source) -> list[Tensor]:
  """Returns the matrices whose names have the first published pattern that any name has."""
  for pattern in PUBLISHED_PATTERNS:
    matched = [tensor for tensor in source.tensors if pattern in tensor.name]
    if matched:
      return [tensor for tensor in matched if not _no_matrix(tensor)]
  return []


def why_no_corner(source: Source) -> str:
  """Returns in words why weights have no corner as published: their names, or their size."""
  matrices = _of_pattern(source)
  if not matrices:
    patterns = ", ".join(PUBLISHED_PATTERNS)
    return f"no matrix has a name with the source's pattern (the first in use of {patterns})"
  largest = max(matrices, key=lambda tensor: min(tensor.shape))
  rows, columns = largest.shape
  return (
    f"the corner takes {CORNER} rows and columns, and the largest matrix with the source's "
    f"pattern, {largest.name}, is {rows} x {columns}"
  )
