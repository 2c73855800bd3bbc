"""Weights by their Hugging Face id: over the network, else from the cache."""

import re
from collections.abc import Callable
from pathlib import Path

_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
# A repository has other copies (pickles, ONNX, subfolders); none is fetched.
WANTED = ("model*.safetensors", "model.safetensors.index.json", "config.json")


def is_id(name: str) -> bool:
  """Whether a name has the form `owner/name[@revision]`."""
  return bool(_ID.fullmatch(name))


def fetch(name: str, say: Callable[[str], None]) -> Path:
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
