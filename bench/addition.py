"""Training speed of the addition network beside TransformerLens.

    python bench/addition.py [--quick] [--peer_python=PATH]

An epoch is a full-batch AdamW step and the test loss, P = 10 and P = 113, both
sides from the same split and start (598/999). Ours is the program of
`train.py` (table form, W_out W_U fused), with one seed and with 8 in one
program, and the same with the generic forward pass over the sequence. Each
row also has our compile time, and both sides' losses, [train, test] in nats,
of the start and after some epochs: starts that differ stop the bench.
"""

import dataclasses
import json
import math

import jax
import numpy as np
import side_by_side
from primelens import tasks
from primelens.configs import addition as addition_configs
from primelens.lens import cli
from primelens.studies.addition import program

CONFIGS = {
  10: lambda: addition_configs.get_config("p10_published"),
  113: lambda: addition_configs.get_config("p113"),
}
CHECKED = {10: 100, 113: 5}  # epochs before the losses are compared
MANY = 8
TABLE, SEQUENCE = "table form, W_out W_U fused", "generic sequence forward"
MEASURED = {
  f"1 seed, {TABLE}": (1, True),
  f"{MANY} seeds, {TABLE}": (MANY, True),
  f"1 seed, {SEQUENCE}": (1, False),
}


def experiment(digits: int, seeds: int):
  """Returns the shipped experiment, from 598/999 on, as the peer draws it."""
  config = CONFIGS[digits]()
  return dataclasses.replace(
    config,
    task=dataclasses.replace(config.task, split_seeds=tuple(598 + i for i in range(seeds))),
    model=dataclasses.replace(
      config.model, torch_seeds=tuple(999 + i for i in range(seeds)), torch_order="new"
    ),
    fit=dataclasses.replace(config.fit, seeds=seeds),
  )


def ours(digits: int, seeds: int, tables: bool) -> side_by_side.Training:
  """Returns our side before its first step, on as many devices as divide the
  seeds."""
  config = experiment(digits, seeds)
  pairs = tasks.load(config.task)
  built, data, _ = program.build(config, pairs, tables=tables)
  devices = jax.devices()[: math.gcd(seeds, jax.device_count())]
  return side_by_side.Training(built, config.fit, data, devices)


def checked(training: side_by_side.Training, epochs: int) -> list:
  """Returns the first member's [train, test] losses of its start and after
  `epochs` updates; both are of the weights before a step."""
  found = []
  for steps in (0, epochs - 1):
    if steps:
      training.timed(steps)
    training.timed(1)
    metrics = training.metrics_S
    found.append([float(metrics[name][0]) for name in ("nll_nats", "test/nll_nats")])
  return found


def measure(digits: int, options) -> list[dict]:
  """Returns the rows of one size, all timed in turn with one peer."""
  epochs = CHECKED[digits]
  sides = {name: ours(digits, *how) for name, how in MEASURED.items()}
  nats = {name: checked(side, epochs) for name, side in sides.items()}
  script = (options.peer_python, "addition_peer.py", digits, epochs)
  with side_by_side.peer(*script) as (peer, hello):
    for name, found in nats.items():
      agree(name, found[0], hello.get("nll_nats", nats[name])[0])
    timed = {name: side.timed for name, side in sides.items()}
    timed |= {"peer": peer} if peer else {}
    rounds, seconds = (5, 0.3) if options.quick else (15, 2)
    taken = side_by_side.alternate(timed, rounds, seconds)
  return [
    side_by_side.row(
      f"addition, P = {digits}, {name}",
      "seconds per epoch of one seed",
      taken[name] / MEASURED[name][0],
      taken.get("peer"),
      peer_name="TransformerLens",
      devices=side.devices,
      versions=hello.get("versions", {}),
      compile_seconds=side.compile_seconds,
      nll_nats={"epochs": [0, epochs], "ours": nats[name], "peer": hello.get("nll_nats")},
    )
    for name, side in sides.items()
  ]


def agree(name: str, ours: list, peer: list):
  """Raises `SystemExit` when the two sides do not start alike."""
  if not np.allclose(ours, peer, rtol=0, atol=2e-6):
    raise SystemExit(f"{name}: losses at the start {ours}, the peer's {peer}")


def told(row: dict) -> str:
  """Returns a row in words."""
  parts = [f"{row['name']}: {1e3 * row['ours']:.2f} ms per epoch"]
  if row["peer"]:
    parts.append(f"{row['peer_name']} {1e3 * row['peer']:.1f} ms ({row['ratio']:.1f} x)")
  return ", ".join([*parts, f"compiled in {row['compile_seconds']:.1f} s"])


def main():
  options = side_by_side.parser(__doc__).parse_args()
  cli.use_cores(MANY)
  rows = []
  for digits in CONFIGS:
    rows += measure(digits, options)
    print(f"P = {digits}, losses in nats: {rows[-1]['nll_nats']}")
  print("\n".join(told(row) for row in rows))
  print(json.dumps(rows))


if __name__ == "__main__":
  main()
