"""What the benches share: our training, the peer's process, turns, a row.

Whoever is measured offers `timed(steps) -> seconds`.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping

import jax
import jax.numpy as jnp
from primelens.models import fit
from primelens.models import optimizer as optimizer_lib

FOLDER = pathlib.Path(__file__).parent
PEER = FOLDER.parent / ".venv-peers" / "bin" / "python"
Timed = Callable[[int], float]


def parser(about: str) -> argparse.ArgumentParser:
  """Returns a parser of what every bench takes, the peer's Python among it."""
  found = argparse.ArgumentParser(description=about.splitlines()[0])
  found.add_argument("--quick", action="store_true", help="about a minute")
  default = os.environ.get("PRIMELENS_PEER_PYTHON", str(PEER))
  found.add_argument("--peer_python", default=default)
  return found


class Training:
  """A population in training, as `train.py` trains it, without its files.

  `compile_seconds` is what tracing and compiling took; `metrics_S` are the
  means over the last call of `timed`, `devices` how many it uses.
  """

  def __init__(self, program: fit.Program, config: fit.Config, data, devices):
    mesh = fit.mesh(config.seeds, devices)
    program = program._replace(draw=fit.split_batch(mesh, program.draw))
    optimizer = optimizer_lib.build(config.optimizer, config.steps)
    self._keys_S = fit.shard(fit.seed_keys(config), mesh, "seed")
    self._data = fit.place(program, data, mesh)
    start = jax.jit(lambda *args: fit.init(program, optimizer, *args))
    state_S = start(self._data, self._keys_S)
    self._state_S = fit.shard(state_S, mesh, "seed")
    self._number, self.devices = 0, mesh.size
    advance = fit.advance(program, optimizer, mesh)
    began = time.perf_counter()
    self._advance = advance.lower(*self._arguments(0)).compile()
    self.compile_seconds = time.perf_counter() - began

  def _arguments(self, steps: int) -> tuple:
    bounds = jnp.int32(self._number), jnp.int32(self._number + steps)
    return self._state_S, self._data, self._keys_S, *bounds

  def timed(self, steps: int) -> float:
    """Returns the seconds that the next `steps` steps take."""
    began = time.perf_counter()
    self._state_S, self.metrics_S = jax.block_until_ready(self._advance(*self._arguments(steps)))
    self._number += steps
    return time.perf_counter() - began


@contextlib.contextmanager
def peer(python: str, script: str, *arguments) -> Iterator:
  """Yields the peer's `timed` and its first line; (None, {}) without `python`.

  The script, of this folder, prints one JSON object when warm, with
  "versions", and {"seconds": s} for each line "N" that it reads. Raises
  `SystemExit` when it stops.
  """
  if not os.path.exists(python):
    print(f"No peer at {python}; `make bench` makes one.")
    yield None, {}
    return
  command = [python, str(FOLDER / script), *map(str, arguments)]
  pipe = subprocess.PIPE
  with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:

    def reply():
      line = child.stdout.readline()
      if not line:
        raise SystemExit(f"The peer stopped: {' '.join(command[:2])}")
      return json.loads(line)

    def timed(steps: int) -> float:
      child.stdin.write(f"{steps}\n")
      child.stdin.flush()
      return reply()["seconds"]

    yield timed, reply()
    child.stdin.close()


def alternate(timed: Mapping[str, Timed], rounds: int, seconds: float) -> dict[str, float]:
  """Returns each one's seconds per step, the median over rounds.

  In a round each takes one turn, in the order given. A turn has as many steps
  as fill about `seconds`, at least one; a step beforehand says how many.
  """
  steps = {name: max(1, round(seconds / one(1))) for name, one in timed.items()}
  turns = [
    {name: one(steps[name]) / steps[name] for name, one in timed.items()} for _ in range(rounds)
  ]
  return {name: statistics.median(t[name] for t in turns) for name in timed}


def row(
  name: str,
  unit: str,
  ours: float,
  peer: float | None,
  *,
  peer_name: str,
  devices: int,
  versions: Mapping,
  **more,
) -> dict:
  """Returns the result object; without a peer its numbers are None."""
  return {
    "name": name,
    "unit": unit,
    "ours": ours,
    "peer": peer,
    "peer_name": peer_name,
    "ratio": peer / ours if peer else None,
    "device": f"{devices} x {jax.devices()[0].device_kind}",
    "versions": {"jax": jax.__version__, **versions},
    **more,
  }
