"""WeightWatcher on the matrices of a safetensors file.

    python bench/spectra_peer.py FILE THREADS

Its default analysis: the spectrum of every layer and a power law fitted to it.
It takes a module, so each matrix becomes a linear layer. Started by
`side_by_side.peer`: the first line has its numbers, {matrix: [s_1, stable rank,
exp of the entropy]}.
"""

import json
import logging
import math
import os
import sys
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # read on import
  os.environ[name] = sys.argv[2]
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import torch  # noqa: E402
import weightwatcher  # noqa: E402
from safetensors import numpy as safetensors_numpy  # noqa: E402

LEAST = 50  # singular values; it leaves smaller layers out


def module(file: str) -> tuple[torch.nn.Module, dict[str, str]]:
  """Returns linear layers of the matrices, and what each is called in both."""
  holder, names = torch.nn.Module(), {}
  for name, weight in safetensors_numpy.load_file(file).items():
    if weight.ndim == 2 and min(weight.shape) >= LEAST:
      plain = name.replace(".", "__")
      layer = torch.nn.Linear(*weight.shape[::-1], bias=False)
      layer.weight.data = torch.from_numpy(weight)
      holder.add_module(plain, layer)
      names[plain] = name
  return holder, names


def main():
  file, threads = sys.argv[1:]
  torch.set_num_threads(int(threads))
  holder, names = module(file)
  analyse = lambda: weightwatcher.WeightWatcher(model=holder).analyze()
  numbers = {
    names[row["name"]]: [
      row["sv_max"],
      row["stable_rank"],
      math.exp(row["entropy"] * math.log(row["matrix_rank"])),
    ]
    for _, row in analyse().iterrows()
  }
  versions = {"weightwatcher": weightwatcher.__version__}
  versions["torch"] = torch.__version__
  print(json.dumps({"versions": versions, "numbers": numbers}), flush=True)
  for line in sys.stdin:
    began = time.perf_counter()
    for _ in range(int(line)):
      analyse()
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
  main()
