"""Published weights in safetensors: which files, which tensors, their sha256.

A file, a folder, an index of shards, or a Hugging Face id. Only headers are
held in memory; `weights_matrices` reads one tensor at a time. The files may be
from elsewhere: what they name must lie in their folder.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import safetensors
from primelens.models import weights_hub
from primelens.models import weights_names as names
from primelens.tasks import files as files_lib

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
  if not path.exists() and weights_hub.is_id(name):
    path = weights_hub.fetch(name, say)
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
  tensors.sort(key=lambda tensor: names.natural(tensor.name))
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
  return names.natural(path.as_posix())


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
