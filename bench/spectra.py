"""Spectra of a safetensors file beside WeightWatcher and loops of numpy.

    python bench/spectra.py [--quick] [--weights=FILE]

The same file, one thread each: singular values of every matrix, effective
ranks, stable rank, max/mean. Without a FILE, normal noise of the shapes of a
BERT of six layers (MiniLM-L6), 91 MB. The loops read a tensor with safe_open
and take `numpy.linalg.svd`. WeightWatcher fits a power law to every spectrum,
so beside it stands all that the command line does with --set null=gaussian:
nulls, p-values and level statistics (the nulls of a shape are drawn once:
`first_call_seconds`). The command line's own null, the entries shuffled, costs
a decomposition a draw on top. Numbers
that differ by more than 1e-4 of their size stop the bench.
"""

import contextlib
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import safetensors
import scipy
import side_by_side
import threadpoolctl
from primelens.analyses import spectra, spectra_report
from primelens.models import weights
from safetensors import numpy as safetensors_numpy

WORST = 1e-4
DRAWS = 200
WATCHER = "WeightWatcher"


def write(path: Path, *, layers: int, vocabulary: int) -> None:
  """Writes noise of the names and shapes of MiniLM-L6."""
  rng = np.random.default_rng(0)
  square, wide = (384, 384), (1536, 384)
  shapes = {"embeddings.word_embeddings": (vocabulary, 384)}
  for layer in range(layers):
    at = f"encoder.layer.{layer}"
    for name in ("query", "key", "value"):
      shapes[f"{at}.attention.self.{name}"] = square
    shapes[f"{at}.attention.output.dense"] = square
    shapes[f"{at}.intermediate.dense"] = wide
    shapes[f"{at}.output.dense"] = wide[::-1]
  draw = lambda shape: (0.04 * rng.normal(size=shape)).astype(np.float32)
  tensors = {f"{name}.weight": draw(shape) for name, shape in shapes.items()}
  safetensors_numpy.save_file(tensors, path)


def numbers(singular_K) -> list[float]:
  """Returns what all have: s_1, stable rank, exp of the entropy of s^2."""
  found = (singular_K[0], spectra.stable_rank(singular_K), spectra.effective_rank(singular_K, 2))
  return [float(value) for value in found]


def ours(path: str) -> dict[str, list[float]]:
  """Returns the numbers of every matrix, and takes the other metrics too."""
  plan, found = weights.plan(weights.find(path)), {}
  for part in plan.parts:
    weight_NxD = weights.read_matrix(part)
    singular_K = spectra_report.singular_values(weight_NxD)
    spectra.effective_rank(singular_K)
    spectra.max_to_mean(singular_K)
    found[part.name] = numbers(singular_K)
  return found


def with_nulls(path: str) -> None:
  """Measures every matrix as the command line does."""
  for part in weights.plan(weights.find(path)).parts:
    spectra_report.measure(weights.read_matrix(part), draws=DRAWS, null="gaussian")


def loop(path: str, dtype) -> dict[str, list[float]]:
  """Returns the numbers of every matrix by one singular value decomposition
  after another."""
  found = {}
  with safetensors.safe_open(path, framework="numpy") as file:
    for name in file.keys():
      weight_NxD = file.get_tensor(name)
      if weight_NxD.ndim == 2 and min(weight_NxD.shape) > 1:
        singular_K = np.linalg.svd(weight_NxD.astype(dtype), compute_uv=False)
        share_K = singular_K**2 / np.sum(singular_K**2)
        known_K = share_K[share_K > 0]
        entropy = -np.sum(known_K * np.log(known_K))
        found[name] = [singular_K[0], 1 / share_K[0], np.exp(entropy)]
  return found


def agree(name: str, its: dict, our: dict) -> float:
  """Returns the largest relative gap; raises `SystemExit` where it is wide."""
  both = [key for key in its if key in our]
  gap = max(float(np.max(np.abs(np.divide(its[key], our[key]) - 1))) for key in both)
  if not gap <= WORST:
    raise SystemExit(f"{name} and ours differ by {gap:.1e}.")
  return gap


def timed(side, *arguments):
  """Returns `timed(steps)` of calls of a side, in one thread."""

  def turns(steps: int) -> float:
    began = time.perf_counter()
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
      for _ in range(steps):
        side(*arguments)
    return time.perf_counter() - began

  return turns


def measure(options, path: str) -> list[dict]:
  """Returns a row per peer."""
  our = ours(path)
  loops = {f"numpy, {kind}": kind for kind in ("float32", "float64")}
  gaps = {k: agree(k, loop(path, kind), our) for k, kind in loops.items()}
  sides = {"spectra": timed(ours, path), "analysis": timed(with_nulls, path)}
  sides |= {name: timed(loop, path, kind) for name, kind in loops.items()}
  versions = {"numpy": np.__version__, "scipy": scipy.__version__}
  with contextlib.ExitStack() as stack:
    peer, hello = watcher(stack, options, path)
    if peer is not None:
      gaps[WATCHER] = agree(WATCHER, hello["numbers"], our)
      sides[WATCHER] = peer
    first = sides["analysis"](1)
    rounds, seconds = (3, 0.5) if options.quick else (7, 3)
    taken = side_by_side.alternate(sides, rounds, seconds)
  return [
    side_by_side.row(
      f"{side} of {len(our)} matrices",
      "seconds",
      taken[side],
      taken[name],
      peer_name=name,
      devices=1,
      versions=versions | hello.get("versions", {}),
      largest_gap=gaps[name],
      **({"first_call_seconds": first} if side == "analysis" else {}),
    )
    for name in gaps
    for side in ["analysis" if name == WATCHER else "spectra"]
  ]


def watcher(stack, options, path: str):
  """Returns WeightWatcher's `timed` and first line, (None, {}) without it."""
  try:
    script = options.peer_python, "spectra_peer.py", path, 1
    return stack.enter_context(side_by_side.peer(*script))
  except SystemExit as stopped:  # its environment may lack the package
    print(f"No WeightWatcher. {stopped}")
    return None, {}


def main():
  parser = side_by_side.parser(__doc__)
  parser.add_argument("--weights", default="", help="a .safetensors file")
  options = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    path = options.weights or str(Path(folder) / "model.safetensors")
    if not options.weights:
      few = {"layers": 2, "vocabulary": 8192}
      all_of_it = {"layers": 6, "vocabulary": 30522}
      write(Path(path), **few if options.quick else all_of_it)
    rows = measure(options, path)
  for row in rows:
    print(
      f"{row['name']}: {row['ours']:.2f} s, {row['peer_name']}"
      f" {row['peer']:.2f} s ({row['ratio']:.1f} x); numbers differ by"
      f" {row['largest_gap']:.0e}"
    )
  print(json.dumps(rows))


if __name__ == "__main__":
  main()
