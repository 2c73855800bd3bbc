"""Training rate of a small spacing model beside PyTorch.

    python bench/training.py [--quick] [--seeds=2] [--peer_python=PATH]

Both train D=64, L=2, H=4, T=256, batch 32 in float32: draw, forward, backward,
clip, AdamW. They take turns, both warm. Several seeds
train in one program; the time is per step of one seed, the peer trains one.
Expected on a CPU: a ratio (speed-up over PyTorch) of at least 0.5.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import side_by_side
from primelens.models import auxiliary, fit, spacing, transformer
from primelens.tasks import windows

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
    draw=lambda data, key, step: windows.draw(
      data["value_N"], key, SIZE["batch"], first=0, last=count, window=SIZE["window"], stride=1
    ),
    loss=lambda *args: auxiliary.loss(config, *args),
    evaluate=lambda params, batch, key: jnp.zeros(()),
  )


def ours(seeds: int) -> side_by_side.Training:
  """Returns our side, warm."""
  value_N = np.random.default_rng(0).gamma(6, 1 / 6, 100_000)
  data = {"value_N": value_N.astype(np.float32)}
  config = fit.Config(steps=100_000, seeds=seeds)
  training = side_by_side.Training(program(model(), len(value_N)), config, data, jax.devices())
  training.timed(5)
  return training


def measure(options) -> dict:
  """Returns the result object."""
  seeds, training = options.seeds, ours(options.seeds)
  script = (options.peer_python, "training_peer.py", json.dumps(SIZE))
  with side_by_side.peer(*script) as (peer, hello):
    timed = {"ours": training.timed} | ({"peer": peer} if peer else {})
    rounds, seconds = (5, 1) if options.quick else (15, 4)
    taken = side_by_side.alternate(timed, rounds, seconds)
  return side_by_side.row(
    f"training, {seeds} seed{'s' if seeds > 1 else ''}",
    f"seconds per step of {SIZE['batch'] * SIZE['window']} tokens",
    taken["ours"] / seeds,
    taken.get("peer"),
    peer_name="PyTorch, fused attention",
    devices=training.devices,
    versions=hello.get("versions", {}),
  )


def main():
  parser = side_by_side.parser(__doc__)
  parser.add_argument("--seeds", type=int, default=1)
  result = measure(parser.parse_args())
  tokens = SIZE["batch"] * SIZE["window"]
  for who in ("ours", "peer"):
    if result[who]:
      print(f"{who}: {tokens / result[who]:,.0f} tokens/s")
  print(json.dumps(result))


if __name__ == "__main__":
  main()
