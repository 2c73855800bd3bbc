"""Zeros of zeta per second: those of primelens beside Arb (python-flint) and mpmath.

    python bench/zeros.py [--quick]

Consecutive zeros from three heights up. Those of primelens are proven complete by
Turing's method, with float64 ordinates; Arb's are certified balls of 80 bits, mpmath's
have 15 digits. One process; a peer that is not installed is left out. Zeros
that differ by more than 1e-7 stop the bench.
"""

import importlib
import json
import time

import numpy as np
import side_by_side
from primelens.tasks import zeros_computed

BLOCK = 20_000  # of ours in a step
PEERS = {"python-flint": ("flint", 10), "mpmath": ("mpmath", 1)}
FIRST = {"1.1e6": 2_001_000, "1e7": 21_136_125, "1e8": 248_008_025}
WORST = 1e-7


def ordinates(module, first: int, count: int) -> np.ndarray:
  """Returns zeros of a peer."""
  if module.__name__ == "flint":
    module.ctx.prec = 80
    found = module.acb.zeta_zeros(first, count)
    return np.array([float(zero.imag) for zero in found])
  numbers = range(first, first + count)
  return np.array([float(module.zetazero(n).imag) for n in numbers])


def timed(compute, first: int, count: int):
  """Returns `timed(steps)` of so many zeros a step, always the next ones."""
  at = first

  def turns(steps: int) -> float:
    nonlocal at
    began = time.perf_counter()
    compute(at, steps * count)
    at += steps * count
    return time.perf_counter() - began

  return turns


def peers() -> dict:
  """Returns the modules that are installed, and how many zeros make a step."""
  found = {}
  for name, (module, count) in PEERS.items():
    try:
      found[name] = importlib.import_module(module), count
    except ImportError:
      print(f"No {name}: pip install {name}.")
  return found


def measure(height: str, first: int, options) -> list[dict]:
  """Returns a row per peer at a height."""
  began = time.perf_counter()
  ours_N = zeros_computed.compute(first, BLOCK)
  cold = time.perf_counter() - began
  sides, gaps = {"ours": timed(zeros_computed.compute, first, BLOCK)}, {}
  count, versions = {"ours": BLOCK}, {}
  for name, (module, many) in peers().items():
    its_N = ordinates(module, first, 2 if many == 1 else many)
    gaps[name] = float(np.abs(its_N - ours_N[: len(its_N)]).max())
    if not gaps[name] <= WORST:
      raise SystemExit(f"{name} and ours differ by {gaps[name]:.1e}.")
    compute = lambda at, n, module=module: ordinates(module, at, n)
    sides[name] = timed(compute, first, many)
    count[name], versions[name] = many, module.__version__
  rounds, seconds = (1, 1) if options.quick else (5, 4)
  taken = side_by_side.alternate(sides, rounds, seconds)
  rate = {name: count[name] / taken[name] for name in sides}
  return [
    side_by_side.row(
      f"zeros at height {height}",
      "zeros per second",
      rate["ours"],
      rate[name],
      peer_name=name,
      devices=1,
      versions={"numpy": np.__version__, name: versions[name]},
      largest_gap=gaps[name],
      first_call_seconds=cold,
    )
    | {"ratio": rate["ours"] / rate[name]}
    for name in gaps
  ]


def main():
  options = side_by_side.parser(__doc__).parse_args()
  chosen = list(FIRST.items())[: 1 if options.quick else None]
  rows = [row for item in chosen for row in measure(*item, options)]
  for row in rows:
    print(
      f"{row['name']}: {row['ours']:,.0f} a second, {row['peer_name']}"
      f" {row['peer']:.3g} ({row['ratio']:,.0f} x); they differ by"
      f" {row['largest_gap']:.0e}"
    )
  print(json.dumps(rows))


if __name__ == "__main__":
  main()
