"""Tiny fits for the tests, in this process or in a child.

  python tiny_fit.py train DIRECTORY STEPS     # resumes until it is done
  python tiny_fit.py devices DIRECTORY         # one fit per mesh, params.npz

The child of `train` writes checkpoints of megabytes, so that a kill can hit
one while it is written.
"""

import dataclasses
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import auxiliary, fit, optimizer, spacing, transformer
from primelens.tasks import windows

T, N = 12, 2000
MODEL = spacing.Config(
  window=T,
  components=2,
  trunk=transformer.Config(width=8, layers=1, heads=2, hidden=16, max_positions=T),
)
CONFIG = fit.Config(
  steps=20,
  batch_size=8,
  dispatch=5,
  evaluate_every=5,
  checkpoint_every=5,
  optimizer=optimizer.Config(rate=1e-2, warmup=3),
)
BALLAST = 150_000  # idle numbers per seed


def values():
  """Returns N spacings and the windows of the select split."""
  rng = np.random.default_rng(0)
  value_N = rng.gamma(6.0, 1 / 6.0, N).astype(np.float32)
  start_N = np.arange(N - 10 * T, N - T)
  select = {"window_NxT1": windows.take(value_N, start_N, T)}
  return {"value_N": value_N}, select


def program(ballast=0):
  """Returns the program of a spacing predictor with dropout."""

  def init(data, key):
    params = spacing.init(MODEL, key)
    return params | {"ballast": jnp.zeros(ballast)} if ballast else params

  def draw(data, key, step):
    return windows.draw(data["value_N"], key, CONFIG.batch_size, first=0, last=N - 11 * T, window=T)

  def evaluate(params, select, key):
    apply_fn = spacing.bind(MODEL)
    return spacing.score(apply_fn, params, select["window_NxT1"]).mean()

  loss = lambda *args: auxiliary.loss(MODEL, *args)
  return fit.Program(init, draw, loss, evaluate)


def run(config, directory, *, tiny=None, stopped=lambda: False, pause=0.0):
  """Returns the outcome of a fit in a directory."""
  Path(directory).mkdir(parents=True, exist_ok=True)
  data, select = values()
  return fit.Fit(tiny or program(), config, directory).run(
    data, select, progress=lambda *_: time.sleep(pause), stopped=stopped
  )


def named(tree):
  """Returns the leaves by path, as numpy arrays."""
  return {
    jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def train(directory: str, steps: str) -> None:
  """Trains two seeds to the end and writes the final state."""
  config = dataclasses.replace(CONFIG, seeds=2, steps=int(steps))
  outcome = run(config, directory, tiny=program(BALLAST), pause=0.02)
  np.savez(Path(directory) / "final.npz", **named(outcome.state_S))
  print(outcome.reason, outcome.step)


def devices(directory: str) -> None:
  """Writes the params of populations on every mesh these devices allow."""
  arrays = {"devices": np.array(jax.device_count())}
  for seeds in (8, 2):
    config = dataclasses.replace(CONFIG, seeds=seeds, steps=10)
    folder = Path(directory) / f"seeds{seeds}"
    grid = fit.mesh(seeds)
    asked = iter([True])  # stop once, after the first dispatch, and resume
    first = run(config, folder, stopped=lambda asked=asked: next(asked))
    outcome = run(config, folder)
    leaf = outcome.state_S.params["head"]["kernel"]
    arrays[f"{seeds}/mesh"] = np.array([grid.shape["seed"], grid.shape["data"]])
    arrays[f"{seeds}/held"] = np.array(leaf.addressable_shards[0].data.shape)
    arrays[f"{seeds}/stops"] = np.array([first.step, outcome.step])
    params = named(outcome.state_S.params)
    arrays |= {f"{seeds}/params/{k}": v for k, v in params.items()}
  np.savez(Path(directory) / "params.npz", **arrays)


if __name__ == "__main__":
  {"train": train, "devices": devices}[sys.argv[1]](*sys.argv[2:])
