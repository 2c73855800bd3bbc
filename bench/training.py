"""Training rate of a small spacing model beside PyTorch.

    python bench/training.py [--quick] [--seeds=2] [--peer_python=PATH]

Both train D=64, L=2, H=4, T=256, batch 32 in float32: draw, forward, backward,
clip, AdamW. They take turns, ours then the peer's, both warm. Several seeds
train in one program; the time is per step of one seed, the peer trains one.
Expected on a CPU: a ratio (speed-up over PyTorch) of at least 0.5.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import time

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import auxiliary
from primelens.models import fit
from primelens.models import optimizer as optimizer_lib
from primelens.models import spacing
from primelens.models import transformer
from primelens.tasks import windows

FOLDER = pathlib.Path(__file__).parent
PEER = FOLDER.parent / ".venv-peers" / "bin" / "python"
SIZE = dict(width=64, layers=2, heads=4, window=256, components=8, batch=32)


def model() -> spacing.Config:
  """Returns the measured model, without dropout."""
  trunk = transformer.Config(
    width=SIZE["width"],
    layers=SIZE["layers"],
    heads=SIZE["heads"],
    hidden=4 * SIZE["width"],
    max_positions=SIZE["window"],
    dropout=0.0,
    embed_dropout=0.0,
  )
  return spacing.Config(window=SIZE["window"], trunk=trunk)


def program(config: spacing.Config, count: int) -> fit.Program:
  """Returns the training program on `count` stand-in spacings."""
  return fit.Program(
    init=lambda data, key: spacing.init(config, key),
    draw=lambda data, key: windows.draw(
      data["value_N"],
      key,
      SIZE["batch"],
      first=0,
      last=count,
      window=SIZE["window"],
      stride=1,
    ),
    loss=lambda *args: auxiliary.loss(config, *args),
    evaluate=lambda params, batch, key: jnp.zeros(()),
  )


def ours(seeds: int):
  """Returns `timed(steps) -> seconds`, warm."""
  value_N = np.random.default_rng(0).gamma(6, 1 / 6, 100_000)
  data = {"value_N": value_N.astype(np.float32)}
  config = fit.Config(steps=100_000, seeds=seeds)
  optimizer = optimizer_lib.build(config.optimizer, config.steps)
  training = program(model(), len(value_N))
  mesh = fit.mesh(seeds)
  training = training._replace(draw=fit.split_batch(mesh, training.draw))
  keys_S = fit.shard(fit.seed_keys(config), mesh, "seed")
  data = fit.place(training, data, mesh)
  build = jax.jit(lambda *args: fit.init(training, optimizer, *args))
  state_S = fit.shard(build(data, keys_S), mesh, "seed")
  advance = fit.advance(training, optimizer)

  def timed(steps: int) -> float:
    nonlocal state_S
    began = time.perf_counter()
    bounds = (jnp.int32(0), jnp.int32(steps))
    state_S, _ = jax.block_until_ready(advance(state_S, data, keys_S, *bounds))
    return time.perf_counter() - began

  timed(5)
  return timed


@contextlib.contextmanager
def peer(python: str):
  """Yields `timed(steps) -> seconds` of the warm peer, and its versions."""
  command = [python, str(FOLDER / "training_peer.py"), json.dumps(SIZE)]
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

    yield timed, reply()["versions"]
    child.stdin.close()


def measure(seeds: int, python: str, rounds: int, steps: int) -> dict:
  """Returns the result object; without a peer its numbers are None."""
  our_times, peer_times, versions = [], [], {"jax": jax.__version__}
  our_timed = ours(seeds)
  with contextlib.ExitStack() as stack:
    peer_timed = None
    if os.path.exists(python):
      peer_timed, peer_versions = stack.enter_context(peer(python))
      versions |= peer_versions
    for _ in range(rounds):
      our_times.append(our_timed(steps) / steps / seeds)
      if peer_timed:
        peer_times.append(peer_timed(steps) / steps)
  mine = statistics.median(our_times)
  theirs = statistics.median(peer_times) if peer_times else None
  return {
    "name": f"training, {seeds} seed{'s' if seeds > 1 else ''}",
    "unit": f"seconds per step of {SIZE['batch'] * SIZE['window']} tokens",
    "ours": mine,
    "peer": theirs,
    "peer_name": "PyTorch, fused attention",
    "ratio": theirs / mine if theirs else None,
    "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    "versions": versions,
  }


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--quick", action="store_true", help="under a minute")
  parser.add_argument("--seeds", type=int, default=1)
  default = os.environ.get("PRIMELENS_PEER_PYTHON", str(PEER))
  parser.add_argument("--peer_python", default=default)
  options = parser.parse_args()
  if not os.path.exists(options.peer_python):
    print(f"No peer at {options.peer_python}; `make bench` makes one.")
  rounds, steps = (5, 5) if options.quick else (15, 20)
  result = measure(options.seeds, options.peer_python, rounds, steps)
  tokens = SIZE["batch"] * SIZE["window"]
  for who in ("ours", "peer"):
    if result[who]:
      print(f"{who}: {tokens / result[who]:,.0f} tokens/s")
  print(json.dumps(result))


if __name__ == "__main__":
  main()
